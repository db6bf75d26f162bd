"""Small plants for the tests of forecasting: synthetic ones with known rhythms, and the real ones."""

from collections.abc import Callable
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from vpp.core.ports import SeriesTable
from vpp.core.series import align
from vpp.core.time import TimeGrid, from_epoch_s
from vpp.forecasting import ForecastSettings, SeriesProfile
from vpp.forecasting.kinds import KINDS
from vpp.forecasting.settings import TreeShape

ZONE = ZoneInfo("Europe/Amsterdam")
PROFILES = (
    SeriesProfile.load("house", peak_kw=5.0),
    SeriesProfile.solar("roof", peak_kw=4.0),
    SeriesProfile.wind("mill", peak_kw=10.0),
    SeriesProfile.price(),
)


def make_plant(days: int, *, resolution_s: int = 3600, seed: int = 0) -> SeriesTable:
    """A load with weekdays, a roof with clouds, a mill that persists, a price: June 2024 on."""
    grid = TimeGrid(datetime(2024, 5, 31, 22, tzinfo=UTC), resolution_s, days * 86_400 // resolution_s)
    generator = np.random.default_rng(seed)
    hour = (np.arange(grid.count) * resolution_s / 3600) % 24
    day = np.arange(grid.count) * resolution_s // 86_400
    load = -(
        1.0 + 0.6 * np.sin((hour - 12) / 24 * 2 * np.pi) + 0.5 * (day % 7 >= 5) + generator.gamma(2.0, 0.1, grid.count)
    )
    cloud = generator.uniform(0.3, 1.0, days)[day]
    solar = 3.5 * cloud * np.maximum(0.0, np.sin((hour - 6) / 12 * np.pi))
    wind = np.empty(grid.count)
    level = 5.0
    for step, shock in enumerate(generator.normal(0.0, 0.5, grid.count)):
        level = float(np.clip(level + shock, 0.0, 10.0))
        wind[step] = level
    price = 0.1 + 0.03 * np.sin((hour - 14) / 24 * 2 * np.pi) + generator.normal(0.0, 0.01, grid.count)
    return SeriesTable(grid, tuple(profile.key for profile in PROFILES), np.column_stack([load, solar, wind, price]))


@pytest.fixture(scope="session")
def plant() -> Callable[..., SeriesTable]:
    return make_plant


@pytest.fixture(scope="session")
def profiles() -> tuple[SeriesProfile, ...]:
    return PROFILES


@pytest.fixture(scope="session")
def zone() -> ZoneInfo:
    return ZONE


@pytest.fixture(scope="session")
def quick() -> ForecastSettings:
    """Trees small enough that a fit is a blink, and a calibration to match."""
    shape = TreeShape(trees=8, leaves=7, least_rows=10, learning_rate=0.3)
    trees = dict.fromkeys(KINDS, shape)
    return ForecastSettings(trees=trees, calibration_days=10, calibration_every_h=13, calibration_horizon_h=30)


def seconds(stamps: pd.Series) -> np.ndarray:
    """Epoch seconds of aware stamps."""
    return stamps.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy().astype("datetime64[s]").astype(np.int64)


def packaged(plant_name: str, column: str, profile: SeriesProfile) -> SeriesTable:
    """One series of a built-in plant, in the sign of the house."""
    with files("vpp.config").joinpath(f"plants/{plant_name}/history.parquet").open("rb") as file:
        frame = pd.read_parquet(file, columns=["time", column])
    times_s = seconds(frame["time"])
    resolution_s = int(np.diff(times_s).min())
    grid = TimeGrid(from_epoch_s(int(times_s[0])), resolution_s, int(times_s[-1] - times_s[0]) // resolution_s + 1)
    values = align(times_s, profile.direction * frame[column].to_numpy(dtype=np.float64), grid)
    return SeriesTable(grid, (profile.key,), values[:, None])


def lu_load(profile: SeriesProfile, data: Path) -> SeriesTable:
    """Luxembourg's load of 2020 [kW], hourly; its Berlin wall clock lacks the doubled autumn hour's second copy."""
    frame = pd.read_csv(data / "lu_delu_2020" / "lu_15min.csv.gz", usecols=["local", "load_mwh"])
    local = pd.to_datetime(frame["local"])
    stamps = local.dt.tz_localize("Europe/Berlin", ambiguous=np.ones(len(frame), dtype=bool), nonexistent="NaT")
    kept = stamps.notna().to_numpy()
    times_s = seconds(stamps[kept])
    grid = TimeGrid(from_epoch_s(int(times_s[0])), 900, (int(times_s[-1] - times_s[0]) // 900 + 1) // 4 * 4)
    power_kw = align(times_s, -4000.0 * frame["load_mwh"].to_numpy()[kept], grid).reshape(-1, 4).mean(axis=1)
    return SeriesTable(TimeGrid(grid.start, 3600, grid.count // 4), (profile.key,), power_kw[:, None])


@pytest.fixture(scope="session")
def real(request: pytest.FixtureRequest) -> Callable[[str], tuple[SeriesTable, SeriesProfile, ZoneInfo]]:
    def load(name: str) -> tuple[SeriesTable, SeriesProfile, ZoneInfo]:
        if name == "home load":
            profile = SeriesProfile.load("home01-load", peak_kw=12.0)
            return packaged("homes", "home01_load_kw", profile), profile, ZoneInfo("America/Los_Angeles")
        if name == "wholesale wind":
            profile = SeriesProfile.wind("wind", peak_kw=5000.0)
            return packaged("wholesale", "wind_kw", profile), profile, ZoneInfo("Europe/Amsterdam")
        profile = SeriesProfile.load("lu")
        return lu_load(profile, request.getfixturevalue("shared") / "data"), profile, ZoneInfo("Europe/Luxembourg")

    return load
