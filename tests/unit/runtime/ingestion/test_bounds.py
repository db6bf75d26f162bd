from __future__ import annotations

from dataclasses import replace
from math import inf

import pytest

from vpp.core.assets import GridConnection, Load, Plant, Site
from vpp.core.errors import InvalidInputError, UnknownNameError
from vpp.core.messages import SeriesKey
from vpp.runtime.ingestion.bounds import HIGHEST_POWER_KW, bounds_of


@pytest.mark.parametrize(
    ("source", "metric", "low", "high"),
    [
        ("battery", "power_kw", -7.5, 7.5),
        ("battery", "soc", 0.0, 1.0),
        ("pv", "power_kw", -0.35, 6.0),
        ("wind", "power_kw", -7.55, 150.0),
        ("load", "power_kw", -15.0, 0.15),
        ("car", "power_kw", -16.5, 0.16),
        ("car", "soc", 0.0, 1.0),
        ("house", "power_kw", -170.0, 170.0),
        ("market", "price_per_kwh", -1000.0, 1000.0),
        ("market", "carbon_kg_per_kwh", 0.0, 3.0),
        ("house", "frequency_hz", 0.0, 100.0),
    ],
)
def test_what_a_series_may_be(home: Plant, source: str, metric: str, low: float, high: float) -> None:
    bounds = bounds_of(home, SeriesKey(source, metric))
    assert (bounds.low, bounds.high) == pytest.approx((low, high))
    assert bounds.low <= max(bounds.doubt_low, bounds.low) <= min(bounds.doubt_high, bounds.high) <= bounds.high
    assert bounds.ahead == (source == "market")


def test_names_that_are_not_there_are_told_with_those_that_are(home: Plant) -> None:
    with pytest.raises(UnknownNameError, match="did you mean: battery"):
        bounds_of(home, SeriesKey("batery", "power_kw"))
    with pytest.raises(InvalidInputError, match=r"metric: got 'soc', expected one of power_kw"):
        bounds_of(home, SeriesKey("load", "soc"))
    with pytest.raises(InvalidInputError, match="one of price_per_kwh"):
        bounds_of(home, SeriesKey("market", "price_per_mwh"))


def test_a_load_without_rating_and_limits_is_bounded_by_the_size_of_the_world() -> None:
    site = Site(id="house", assets=(Load(id="load"),), connection=GridConnection())
    plant = Plant(id="home", name="", timezone="UTC", currency="EUR", sites=(site,))
    for source in ("load", "house"):
        assert bounds_of(plant, SeriesKey(source, "power_kw")).low >= -10.0 * HIGHEST_POWER_KW


def test_what_a_price_usually_is_depends_on_what_money_is_worth(home: Plant) -> None:
    key = SeriesKey("market", "price_per_kwh")
    assert bounds_of(home, key).doubt_high == 5.0
    assert bounds_of(replace(home, currency="JPY"), key).doubt_high == inf


def test_an_unknown_name_in_a_large_plant_is_answered_from_those_alike() -> None:
    loads = tuple(Load(id=f"load{i:04d}") for i in range(3000))
    plant = Plant(id="big", name="", timezone="UTC", currency="EUR", sites=(Site(id="site", assets=loads),))
    with pytest.raises(UnknownNameError, match="did you mean: load"):
        bounds_of(plant, SeriesKey("load-7", "power_kw"))
