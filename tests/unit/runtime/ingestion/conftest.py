"""A home, its parcels, and a bench of ingestion in memory."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from threading import Event as Flag
from typing import Any

import pytest

from vpp.core.assets import Battery, EvCharger, GridConnection, Load, Plant, Site, SolarArray, WindTurbine
from vpp.core.messages import Channel, Parcel
from vpp.runtime.clock import DataClock
from vpp.runtime.ingestion.reception import Reception
from vpp.runtime.ingestion.service import Ingestion, IngestSettings
from vpp.store.memory import MemoryStore
from vpp.streams.memory import MemoryBus

NOW = datetime(2026, 11, 20, 15, 0, 10, tzinfo=UTC)


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture
def home() -> Plant:
    """Return a plant of one site with an asset of most kinds."""
    assets = (
        Load(id="load", peak_kw=10.0),
        Load(id="unrated"),
        SolarArray(id="pv", peak_kw=4.0),
        WindTurbine(id="wind", rated_kw=100.0),
        Battery(id="battery", capacity_kwh=10.0, charge_max_kw=5.0, discharge_max_kw=5.0),
        EvCharger(id="car", rated_kw=11.0),
    )
    site = Site(id="house", assets=assets, connection=GridConnection(import_max_kw=17.0, export_max_kw=17.0))
    return Plant(id="home", name="A home", timezone="Europe/Amsterdam", currency="EUR", sites=(site,))


@pytest.fixture
def parcel() -> Callable[..., Parcel]:
    """Return a maker of telemetry parcels of schema 2: readings as tuples (asset, metric, time, value)."""

    def make(
        *readings: tuple[str, str, str, Any],
        sequence: int = 0,
        boot: str = "b1",
        plant: str = "home",
        source: str = "house",
        issued_at: str = "2026-11-20T15:00:05Z",
    ) -> Parcel:
        rows = readings or (("load", "power_kw", "2026-11-20T15:00:00Z", -1.5),)
        document = {
            "schema": 2,
            "boot": boot,
            "sequence": sequence,
            "issued_at": issued_at,
            "readings": [dict(zip(("asset", "metric", "time", "value"), row, strict=True)) for row in rows],
        }
        return Parcel(plant, source, Channel.TELEMETRY, json.dumps(document).encode())

    return make


class Bench:
    """Ingestion of one plant between a bus and a store in memory, stepped by hand."""

    def __init__(self, plant: Plant, **options: Any) -> None:
        self.bus = MemoryBus[Parcel](capacity=100_000)
        self.store = options.pop("store", None) or MemoryStore()
        self.stopped = Flag()
        self.ingestion = Ingestion(
            self.bus,
            self.store,
            Reception([plant]),
            clock=DataClock(NOW),
            name="ingest",
            plants=[plant.id],
            settings=IngestSettings(linger_s=options.pop("linger_s", 0.0)),
            **options,
        )

    def take(self, *parcels: Parcel) -> None:
        """Publish parcels and ingest until the bus holds nothing."""
        self.bus.publish(parcels)
        while self.bus.counts().held:
            assert self.ingestion.step(self.stopped)


@pytest.fixture
def bench(home: Plant) -> Callable[..., Bench]:
    return lambda **options: Bench(home, **options)
