"""What people find who ask a SQLite store by SQL: winning readings with their names, and what the plant file says."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import Any

from vpp.core.assets import Battery, GridConnection, Load, Plant, Site, SolarArray
from vpp.store.sqlite import SqliteStore
from vpp.testing import samples

HOME = Site(
    id="home01",
    assets=(
        Battery(id="home01_battery", capacity_kwh=10.0, charge_max_kw=3.0, discharge_max_kw=4.0),
        SolarArray(id="home01_pv", peak_kw=5.0),
    ),
    connection=GridConnection(import_max_kw=inf),
)
PLANT = Plant(id="homes", name="Homes", timezone="Europe/Berlin", currency="EUR", sites=(HOME,))


def asked(path: Path, statement: str) -> list[Any]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(statement).fetchall()


def test_views_show_the_last_to_arrive(tmp_path: Path) -> None:
    path = tmp_path / "plant.db"
    first = samples.readings()
    later = replace(first, arrived_s=first.arrived_s + 60, value=first.value * 2)
    with closing(SqliteStore(path)) as store:
        store.write_readings(first)
        store.write_readings(later)
    measured = asked(path, "SELECT source, metric, time, value, quality FROM measurements ORDER BY time, source")
    want = [
        (row.key.source, row.key.metric, f"{row.time:%Y-%m-%dT%H:%M:%SZ}", row.value, int(row.quality))
        for row in later.rows()
    ]
    assert measured == sorted(want, key=lambda row: (row[2], row[0]))
    prices = asked(path, "SELECT plant, time, price_per_kwh, export_price_per_kwh FROM market_prices ORDER BY time")
    assert prices == [("homes", time, value, None) for source, _, time, value, _ in measured if source == "market"]
    states = asked(path, "SELECT battery, time, soc, power_kw FROM battery_states ORDER BY time")
    assert states == [(name, time, value, None) for name, _, time, value, _ in measured if name == "home01-battery"]


def test_the_plant_file_stands_beside_what_was_measured(tmp_path: Path) -> None:
    path = tmp_path / "plant.db"
    with closing(SqliteStore(path)) as store:
        store.describe(replace(PLANT, sites=(replace(HOME, assets=(Load(id="home01_load"),)),)))
        store.describe(replace(PLANT, id="another"))
        store.describe(PLANT)
    sources = asked(path, "SELECT id, kind, site, facts FROM sources WHERE plant = 'homes' ORDER BY id")
    assert [row[:3] for row in sources] == [("home01_battery", "battery", "home01"), ("home01_pv", "solar", "home01")]
    assert json.loads(sources[1][3])["peak_kw"] == 5.0
    batteries = asked(path, "SELECT plant, id, capacity_kwh, charge_max_kw, discharge_max_kw FROM batteries ORDER BY 1")
    assert batteries == [(plant, "home01_battery", 10.0, 3.0, 4.0) for plant in ("another", "homes")]
