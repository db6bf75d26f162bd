"""A small plant and what the services around it need; test modules cannot import one another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest

from vpp.config import VPPConfig
from vpp.core.messages import Forecast, SeriesKey
from vpp.core.time import TimeGrid
from vpp.runtime.setup import Setup, setup_of

HOME: dict[str, Any] = {
    "id": "home",
    "name": "A home",
    "timezone": "Europe/Amsterdam",
    "currency": "EUR",
    "control": True,
    "prices": {"import": {"price_per_kwh": 0.3}, "export": {"price_per_kwh": 0.07}},
    "planning": {"resolution": "15min", "horizon": "24h", "plan_every": "1h"},
    "sites": [
        {
            "id": "house",
            "connection": {"import_max_kw": 17, "export_max_kw": 17},
            "assets": [
                {"kind": "load", "id": "load", "peak_kw": 10},
                {"kind": "solar", "id": "pv", "peak_kw": 4},
                {"kind": "battery", "id": "battery", "capacity_kwh": 10, "power_kw": 5},
            ],
        }
    ],
}


@pytest.fixture
def config_of() -> Callable[..., VPPConfig]:
    """Return the home's configuration with top-level keys replaced."""
    return lambda **changes: VPPConfig(HOME | changes)


@pytest.fixture
def home(config_of: Callable[..., VPPConfig]) -> Callable[..., Setup]:
    """Return the home's setup with top-level keys of its plant file replaced."""
    return lambda **changes: setup_of(config_of(**changes))


@pytest.fixture
def forecasts_of() -> Callable[..., dict[SeriesKey, Forecast]]:
    """Return a flat forecast of every uncontrolled asset of a setup, 1 kW of load and 0.5 kW of sun."""

    def make(setup: Setup, start: datetime, *, hours: float = 48.0) -> dict[SeriesKey, Forecast]:
        count = int(timedelta(hours=hours).total_seconds()) // setup.resolution_s
        grid = TimeGrid(start, setup.resolution_s, count)
        made = {}
        for key in setup.power_keys:
            value = np.full(count, -1.0 if key.source == "load" else 0.5)
            made[key] = Forecast(setup.plant.id, key, start, grid, value, "flat")
        return made

    return make


@pytest.fixture
def hourly(home: Callable[..., Setup]) -> Setup:
    """Return the home at steps of an hour."""
    return replace(home(), resolution_s=3600)
