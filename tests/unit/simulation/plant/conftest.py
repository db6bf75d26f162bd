"""A plant with one of everything, for the tests of this folder; test modules cannot import one another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from vpp.core.assets import (
    Battery,
    EvCharger,
    FlexibleLoad,
    GridConnection,
    HeatPump,
    Load,
    Plant,
    Site,
    SolarArray,
    WindTurbine,
)


@pytest.fixture
def plant_of() -> Callable[..., Plant]:
    """Return a plant of one home with one of everything, or with other assets."""

    def make(*assets: Any, connection: GridConnection | None = None, **rest: Any) -> Plant:
        everything = (
            Load(id="house"),
            SolarArray(id="roof", peak_kw=8.0, curtailable=True),
            WindTurbine(id="mill", rated_kw=3.0, curtailable=True),
            Battery(id="battery", capacity_kwh=10.0, charge_max_kw=5.0, discharge_max_kw=4.0, standby_kw=0.02),
            EvCharger(id="car", rated_kw=11.0),
            HeatPump(id="heat", rated_kw=3.0, thermal_resistance_k_per_kw=5.0),
            FlexibleLoad(id="washer", rated_kw=2.0, energy_kwh_per_day=1.5),
        )
        meter = connection or GridConnection(import_max_kw=17.0, export_max_kw=3.0)
        home = Site(id="home", assets=assets or everything, connection=meter)
        place = {"latitude_deg": 52.1, "longitude_deg": 5.2}
        fields = {"id": "p", "name": "P", "timezone": "Europe/Amsterdam", "currency": "EUR", "sites": (home,)}
        return Plant(**(fields | place | rest))

    return make
