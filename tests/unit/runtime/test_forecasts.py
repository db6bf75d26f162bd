from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from vpp.core.messages import Forecast, SeriesKey
from vpp.runtime.forecasts import OVERDUE, with_age
from vpp.runtime.setup import Setup

START = datetime(2024, 5, 6, tzinfo=UTC)
ForecastsOf = Callable[..., dict[SeriesKey, Forecast]]


def test_a_forecast_is_flagged_once_it_is_older_than_two_cadences(
    home: Callable[..., Setup], forecasts_of: ForecastsOf
) -> None:
    setup = home()
    forecast = next(iter(forecasts_of(setup, START).values()))
    assert with_age(forecast, START + timedelta(hours=2), 3600) is forecast
    aged = with_age(forecast, START + timedelta(hours=2, seconds=1), 3600)
    assert aged.flags == (*forecast.flags, OVERDUE)
    assert with_age(aged, START + timedelta(hours=3), 3600).flags == aged.flags
