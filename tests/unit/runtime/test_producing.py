"""Producing: every source speaks for itself, in order, at the pace asked for, each reading once."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from vpp.config import VPPConfig
from vpp.core.assets import Plant
from vpp.core.errors import InvalidInputError, MissingDataError
from vpp.core.messages import MARKET, POWER_FORECAST_KW, POWER_KW, PRICE_PER_KWH, SOC, Channel, Parcel, SeriesKey
from vpp.core.ports import SeriesTable
from vpp.core.time import TimeGrid
from vpp.runtime.producing import Produced, present_for, produce
from vpp.runtime.producing_tables import part_of, recorded, simulated_world
from vpp.streams.memory import MemoryBus
from vpp.streams.wire import Telemetry, decode_telemetry

START = datetime(2024, 6, 3, tzinfo=UTC)
KEYS = (
    SeriesKey("pv", POWER_KW),
    SeriesKey("load", POWER_KW),
    SeriesKey("battery", POWER_KW),
    SeriesKey("battery", SOC),
    SeriesKey("load", POWER_FORECAST_KW),
    SeriesKey(MARKET, PRICE_PER_KWH),
)


@pytest.fixture
def plant(config_of: Callable[..., VPPConfig]) -> Plant:
    return config_of().plant


@pytest.fixture
def table() -> SeriesTable:
    values = np.arange(8.0 * len(KEYS)).reshape(8, len(KEYS))
    values[2, 0] = np.nan
    values[:, 1] *= -1.0
    return SeriesTable(TimeGrid(START, 900, 8), KEYS, values)


def heard(bus: MemoryBus[Parcel]) -> dict[str, list[Telemetry]]:
    told: dict[str, list[Telemetry]] = defaultdict(list)
    for parcel in bus.consume(most=10_000):
        assert parcel.channel is Channel.TELEMETRY
        told[parcel.source].append(decode_telemetry(parcel))
    return told


def test_every_source_counts_its_own_messages(table: SeriesTable, plant: Plant) -> None:
    bus = MemoryBus[Parcel]()
    produced = produce(table, plant, bus)
    kinds = {parcel.source: parcel.kind for parcel in bus.consume(most=100)}
    assert kinds == {"pv": "solar", "load": "load", "battery": "general", "market": "market"}
    told = heard(bus)
    assert len({one.boot for messages in told.values() for one in messages}) == 4
    for messages in told.values():
        assert [one.sequence for one in messages] == list(range(len(messages)))
    assert [len(told[source]) for source in ("pv", "load", "battery", "market")] == [7, 8, 8, 8]
    assert produced == Produced(messages=31, readings=39, until=table.grid.end)


def test_the_readings_are_those_of_the_table_and_no_forecast(table: SeriesTable, plant: Plant) -> None:
    bus = MemoryBus[Parcel]()
    produce(table, plant, bus, steps=3)
    cells = {
        (asset, metric, time_s): value
        for messages in heard(bus).values()
        for one in messages
        for asset, metric, time_s, value in zip(one.assets, one.metrics, one.times_s, one.values, strict=True)
    }
    want = {
        (key.source, key.metric, int(time_s)): table.value[row, column]
        for row, time_s in enumerate(table.grid.times_s)
        for column, key in enumerate(KEYS)
        if key.metric != POWER_FORECAST_KW and np.isfinite(table.value[row, column])
    }
    assert cells == want


def test_a_message_is_issued_when_its_last_step_has_ended(table: SeriesTable, plant: Plant) -> None:
    bus = MemoryBus[Parcel]()
    produce(table, plant, bus, steps=3, kinds=("load",))
    issued = [one.issued_s - table.grid.start_s for one in heard(bus)["load"]]
    assert issued == [3 * 900, 6 * 900, 8 * 900]


def test_it_stops_after_so_many_messages(table: SeriesTable, plant: Plant) -> None:
    bus = MemoryBus[Parcel]()
    assert produce(table, plant, bus, count=6).messages == 6
    assert bus.counts().held == 6


def test_speed_is_data_time_over_wall_time(table: SeriesTable, plant: Plant) -> None:
    began = time.monotonic()
    produce(table, plant, MemoryBus[Parcel](), speed=8 * 900 / 0.4)
    assert 0.38 < time.monotonic() - began < 1.0


def test_it_is_told_as_if_in_the_present(table: SeriesTable, plant: Plant) -> None:
    now = datetime(2026, 11, 20, 15, 7, tzinfo=UTC)
    ends_now = present_for(table, now, speed=0.0)
    assert ends_now + timedelta(minutes=120) == datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
    assert present_for(table, now, speed=1.0) == datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
    bus = MemoryBus[Parcel]()
    produced = produce(table, plant, bus, starting=ends_now, kinds=("market",))
    assert produced.until == datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
    assert heard(bus)["market"][0].times_s == [int(ends_now.timestamp())]


def test_refusals(table: SeriesTable, plant: Plant) -> None:
    bus = MemoryBus[Parcel]()
    with pytest.raises(InvalidInputError, match="--speed: got -1"):
        produce(table, plant, bus, speed=-1.0)
    with pytest.raises(InvalidInputError, match="--steps: got 0"):
        produce(table, plant, bus, steps=0)
    with pytest.raises(MissingDataError, match="no source of kind wind; there are: general, load, market, solar"):
        produce(table, plant, bus, kinds=("wind",))


def test_a_part_of_a_table(table: SeriesTable) -> None:
    part = part_of(table, START + timedelta(minutes=15), START + timedelta(minutes=45))
    assert (part.grid.start, part.grid.count) == (START + timedelta(minutes=15), 2)
    np.testing.assert_array_equal(part.value, table.value[1:3])
    assert part_of(table, None, None).grid == table.grid
    with pytest.raises(InvalidInputError, match="a span within the data, 2024-06-03T00:00"):
        part_of(table, START + timedelta(days=1), None)


def test_a_simulated_world_ends_now_and_speaks_for_assets_and_meters(config_of: Callable[..., VPPConfig]) -> None:
    config = config_of()
    table = simulated_world(config, now=START + timedelta(minutes=7), days=1, seed=3)
    assert table.grid.end == START
    bus = MemoryBus[Parcel]()
    produce(table, config.plant, bus)
    assert set(heard(bus)) == {"pv", "load", "battery", "house", "market"}


def test_a_file_is_a_record_too(config_of: Callable[..., VPPConfig], tmp_path: Path) -> None:
    path = tmp_path / "readings.csv"
    path.write_text("time,load_kw\n2024-06-03T00:00Z,1.5\n2024-06-03T00:15Z,2.5\n", encoding="utf-8")
    config = config_of()
    bus = MemoryBus[Parcel]()
    produce(recorded(config, path, on_note=print), config.plant, bus)
    assert [one.values for one in heard(bus)["load"]] == [[-1.5], [-2.5]]
