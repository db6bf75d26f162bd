"""Evaluation against figures measured elsewhere: the errors of the seasonal naives on the seven-weeks protocol.

30 hours from 18:00 on seven consecutive days from each of seven dates of a year; the stated figures are the mean
absolute errors of the better naive (24 h, 168 h).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from vpp.core.ports import SeriesTable
from vpp.core.time import TimeGrid
from vpp.forecasting import SeriesProfile
from vpp.forecasting.evaluation.leaderboard import leaderboard
from vpp.forecasting.evaluation.origins import origins_at
from vpp.forecasting.evaluation.rolling import evaluate_series

NAIVES = ("seasonal_naive_24h", "seasonal_naive_168h")
PRICES = "2020-03-18 2020-04-29 2020-06-10 2020-07-22 2020-09-02 2020-10-14 2020-11-25"
WINDS = "2018-03-19 2018-04-30 2018-06-11 2018-07-23 2018-09-03 2018-10-15 2018-11-26"
LOADS = "2020-03-23 2020-05-04 2020-06-15 2020-07-27 2020-09-07 2020-10-19 2020-11-30"
HOMES = "2016-10-17 2016-11-28 2017-01-09 2017-02-20 2017-04-03 2017-05-15 2017-06-26"


def price(data: Path) -> pd.Series:
    frame = pd.read_csv(data / "lu_delu_2020" / "delu_day_ahead_hourly.csv.gz", parse_dates=["local"])
    series = frame.drop_duplicates("local").set_index("local")["price_eur_mwh"].asfreq("h")
    return series.interpolate(limit=3, limit_area="inside")


def home(data: Path, kind: str) -> pd.Series:
    frame = pd.read_csv(data / "fontana_homes_2016_17" / f"{kind}_kw.csv.gz", parse_dates=[0], index_col=0)
    series = frame["home01"][~frame.index.duplicated()].asfreq("h")
    return series.interpolate(limit=3, limit_area="inside")


def wind(data: Path) -> pd.Series:
    frame = pd.read_csv(data / "kelmarsh_wind_2018" / "kelmarsh_hourly.csv.gz", parse_dates=["utc"], index_col="utc")
    turbines = frame[[name for name in frame if name.startswith("KWF")]]
    return turbines.mean(axis=1).tz_localize(None).asfreq("h").interpolate(limit_area="inside")


def load(data: Path) -> pd.Series:
    frame = pd.read_csv(data / "lu_delu_2020" / "lu_15min.csv.gz", parse_dates=["local"], index_col="local")
    series = frame["load_mwh"][~frame.index.duplicated()].resample("h").sum(min_count=1)
    return series.interpolate(limit=3, limit_area="inside")


CASES: list[tuple[str, Callable[[Path], pd.Series], SeriesProfile, str, float]] = [
    ("price", price, SeriesProfile.price(), PRICES, 8.11),
    ("home", lambda data: home(data, "load"), SeriesProfile.load("home"), HOMES, 0.668),
    ("pv", lambda data: home(data, "pv"), SeriesProfile.solar("pv"), HOMES, 0.183),
    ("wind", wind, SeriesProfile.wind("wind"), WINDS, 463.0),
    ("load", load, SeriesProfile.load("load"), LOADS, 18.4),
]


@pytest.mark.parametrize(("name", "read", "profile", "weeks", "stated"), CASES, ids=[case[0] for case in CASES])
def test_the_naives_err_as_stated(
    shared: Path, name: str, read: Callable[[Path], pd.Series], profile: SeriesProfile, weeks: str, stated: float
) -> None:
    # The figures were measured on the wall clock without its changes, so it stands in for UTC here.
    series = read(shared / "data")
    grid = TimeGrid(series.index[0].tz_localize("UTC").to_pydatetime(), 3600, len(series))
    table = SeriesTable(grid, (profile.key,), profile.direction * series.to_numpy(dtype=np.float64)[:, None])
    firsts = [datetime.fromisoformat(f"{day}T18:00").replace(tzinfo=UTC) for day in weeks.split()]
    origins = origins_at(grid, [first + timedelta(days=n) for first in firsts for n in range(7)])
    assert len(origins) == 49
    result = evaluate_series(table, (profile,), timezone=ZoneInfo("UTC"), origins=origins, steps=30, models=NAIVES)
    (board,) = leaderboard(result)
    assert board.naive_mae.value == pytest.approx(stated, rel=0.004)
    assert np.isfinite(result.runs[NAIVES[0]].quantiles).all()
    print(f"{name}: better naive {board.naive}, MAE {board.naive_mae.value:.4g} (stated {stated:g})")
