import math

import numpy as np
import pytest

from vpp.core.errors import InvalidInputError, UnknownNameError
from vpp.core.messages import SeriesKey
from vpp.forecasting import ForecastSettings, SeriesProfile
from vpp.forecasting.kinds import night_hours


@pytest.mark.parametrize(
    ("profile", "lower", "upper", "direction", "weekdays"),
    [
        (SeriesProfile.load("a", peak_kw=3.0), -3.0, 0.0, -1.0, True),
        (SeriesProfile.solar("a", peak_kw=3.0), 0.0, 3.0, 1.0, False),
        (SeriesProfile.wind("a", peak_kw=3.0), 0.0, 3.0, 1.0, False),
        (SeriesProfile.price(), -math.inf, math.inf, 1.0, True),
        (SeriesProfile.load("a"), -math.inf, 0.0, -1.0, True),
    ],
)
def test_bounds_stand_in_the_sign_of_the_house(profile, lower, upper, direction, weekdays):
    assert (profile.lower, profile.upper, profile.direction) == (lower, upper, direction)
    assert profile.follows_weekdays is weekdays


def test_unknown_kind_names_the_nearest():
    with pytest.raises(UnknownNameError, match="solar"):
        SeriesProfile(SeriesKey("a", "power_kw"), "solr")  # type: ignore[arg-type]


@pytest.mark.parametrize(("lower", "upper"), [(1.0, 0.0), (math.nan, 0.0)])
def test_bounds_out_of_order_are_refused(lower, upper):
    with pytest.raises(InvalidInputError, match="at or below"):
        SeriesProfile(SeriesKey("a", "power_kw"), "wind", lower, upper)


@pytest.mark.parametrize(
    "fields", [{"levels": (0.5, 0.1)}, {"levels": (0.0, 0.5)}, {"worst_ratio": 0.9}, {"mean_weeks": 0}]
)
def test_settings_refuse_what_cannot_work(fields):
    with pytest.raises(InvalidInputError):
        ForecastSettings(**fields)


def test_night_is_the_hours_that_never_produced_and_were_seen():
    hour = np.arange(72) % 24
    value = np.where((hour >= 6) & (hour < 20), 2.0, 1e-4)[:, None]
    value[hour == 3] = np.nan
    both = (SeriesProfile.solar("roof"), SeriesProfile.wind("mill"))
    night = night_hours(both, np.hstack([value, value]), hour=hour, resolution_s=3600)
    expected = [h for h in range(24) if (h < 6 or h >= 20) and h != 3]
    assert np.flatnonzero(night[:, 0]).tolist() == expected
    assert not night[:, 1].any()


def test_one_dark_day_is_not_yet_night():
    hour = np.arange(24)
    assert not night_hours((SeriesProfile.solar("roof"),), np.zeros((24, 1)), hour=hour, resolution_s=3600).any()
