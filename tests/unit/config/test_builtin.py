"""The built-in plants: valid without a remark, whole in the package, and true to their data sets."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from vpp.config import BUILTIN_PLANTS, VPPConfig
from vpp.config.builtin import builtin_path
from vpp.config.prices_file import TimeOfUsePeriod
from vpp.core.errors import UnknownNameError

NAMES = sorted(BUILTIN_PLANTS)


@pytest.mark.parametrize("name", NAMES)
def test_a_builtin_plant_is_valid_without_a_warning(name: str) -> None:
    report = VPPConfig.load(name).validate()
    assert (report.errors, report.warnings) == ((), ())


@pytest.mark.parametrize("name", NAMES)
def test_it_has_its_name_its_data_and_its_notice(name: str) -> None:
    config = VPPConfig.load(name)
    assert config.plant.id == name
    notice = (builtin_path(name).parent / "NOTICE.md").read_text(encoding="utf-8")
    assert config.history_paths
    for path in config.history_paths:
        assert path.is_file()
        assert f"`{path.name}`" in notice


@pytest.mark.parametrize("name", NAMES)
def test_every_column_of_its_data_is_of_one_of_its_assets(name: str) -> None:
    config = VPPConfig.load(name)
    columns = [column for path in config.history_paths for column in pd.read_parquet(path).columns if column != "time"]
    measured = [f"{a.id}_kw" for a in config.plant.assets if a.kind != "battery"]
    assert sorted(c for c in columns if c.endswith("_kw")) == sorted(measured)
    assert len(columns) == len(set(columns))


def test_no_plant_of_the_package_is_forgotten() -> None:
    folders = {path.name for path in Path(str(files("vpp.config"))).joinpath("plants").iterdir() if path.is_dir()}
    assert folders == set(BUILTIN_PLANTS)


def test_an_unknown_one_names_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match=r"no built-in plant called 'home'; did you mean: homes"):
        builtin_path("home")


def test_the_homes_are_as_the_issue_says() -> None:
    plant = VPPConfig.load("homes").plant
    assert [site.id for site in plant.sites] == [f"home{n:02d}" for n in (1, 2, 4, 5, 6, 7, 9, 10, 14, 15, 17)]
    for site in plant.sites:
        (battery,) = site.batteries
        assert (battery.capacity_kwh, battery.charge_max_kw, battery.discharge_max_kw) == (6.4, 5.0, 5.0)
        assert battery.round_trip_efficiency == pytest.approx(0.9)
        assert battery.wear_cost_per_kwh == 0.03
    export = VPPConfig.load("homes").file.prices.export
    assert export is not None
    assert export.price_per_kwh == 0.05


def test_the_park_is_as_the_issue_says() -> None:
    config = VPPConfig.load("wholesale")
    (site,) = config.plant.sites
    (battery,) = site.batteries
    assert [(g.id, g.peak_kw) for g in site.generators] == [("wind", 5000.0), ("pv", 3000.0)]
    assert (battery.charge_max_kw, battery.capacity_kwh, battery.wear_cost_per_kwh) == (10_000.0, 20_000.0, 0.01)
    assert site.connection.export_max_kw == 6000.0
    assert config.file.prices.day_ahead is not None
    assert config.file.prices.day_ahead.imbalance_spread_per_kwh == 0.01
    assert [path.name for path in config.history_paths] == ["history.parquet", "prices.parquet"]


# --- the homes' tariff, read the slow way


def price_of(periods: tuple[TimeOfUsePeriod, ...], month: int, weekday: int, hour: int) -> float:
    for period in periods:
        start = 0 if period.start is None else period.start.hour
        end = 24 if period.end is None else period.end.hour
        weekend = weekday >= 5
        right_day = period.days == "all" or (period.days == "weekends") == weekend
        if month in period.months and right_day and start <= hour < end:
            return period.price_per_kwh
    raise AssertionError((month, weekday, hour))


def tariff_prices(local: pd.Series) -> np.ndarray:
    periods = VPPConfig.load("homes").file.prices.import_.time_of_use
    assert periods is not None
    return np.array(
        [price_of(periods, *key) for key in zip(local.dt.month, local.dt.dayofweek, local.dt.hour, strict=True)]
    )


def test_the_tariff_is_that_of_the_shared_data_set_in_every_row(shared: Path) -> None:
    source = pd.read_csv(shared / "data" / "fontana_homes_2016_17" / "weather_tariff_carbon.csv.gz")
    prices = tariff_prices(pd.to_datetime(source["local_wall_clock"]))
    (column,) = [name for name in source.columns if "tariff" in name or "price" in name.lower()]
    assert prices.size == 8760
    np.testing.assert_array_equal(prices, source[column])


def test_the_tariff_is_that_of_the_packaged_history_in_every_row() -> None:
    history = pd.read_parquet(VPPConfig.load("homes").history_paths[0])
    prices = tariff_prices(history["time"].dt.tz_convert("America/Los_Angeles"))
    np.testing.assert_allclose(prices, history["price_per_kwh"], atol=1e-6)
