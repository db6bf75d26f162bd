"""Theta and MSTL against statsmodels' decomposition, and against statsforecast's accuracy on measured series."""

from collections.abc import Callable
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from vpp.core.ports import SeriesTable
from vpp.core.time import TimeGrid, from_epoch_s
from vpp.forecasting import SeriesProfile
from vpp.forecasting.models.loess import mstl, stl
from vpp.forecasting.models.mstl import Mstl
from vpp.forecasting.models.theta import Theta
from vpp.forecasting.needs import ModelContext

HORIZON = 30
FIRST_EVENINGS = {
    "price": ("2020-03-18", "2020-06-10", "2020-09-02"),
    "home": ("2016-10-17", "2017-01-09", "2017-04-03"),
    "pv": ("2016-10-17", "2017-01-09", "2017-04-03"),
    "wind": ("2018-03-19", "2018-06-11", "2018-09-03"),
    "load": ("2020-03-23", "2020-06-15", "2020-09-07"),
}
PROFILES = {
    "price": SeriesProfile.price(),
    "home": SeriesProfile.load("home"),
    "pv": SeriesProfile.solar("pv"),
    "wind": SeriesProfile.wind("wind"),
    "load": SeriesProfile.load("lu"),
}


def walk(count: int) -> np.ndarray:
    draw = np.random.default_rng(0)
    return np.cumsum(draw.normal(size=(count, 2)), axis=0) + 5.0 * np.sin(np.arange(count) / 12.0 * np.pi)[:, None]


@pytest.mark.parametrize(
    ("count", "period", "seasonal"), [(1344, 24, 11), (1344, 168, 15), (240, 24, 7), (504, 168, 15)]
)
def test_stl_equals_statsmodels(count, period, seasonal):
    reference = pytest.importorskip("statsmodels.tsa.seasonal").STL
    values = walk(count)
    season, trend = stl(values, period, seasonal=seasonal, inner=5, jumps=0)
    for k in range(2):
        want = reference(values[:, k], period=period, seasonal=seasonal, seasonal_deg=0).fit()
        assert season[:, k] == pytest.approx(want.seasonal, abs=1e-9)
        assert trend[:, k] == pytest.approx(want.trend, abs=1e-9)


def test_mstl_equals_statsforecast():
    reference = pytest.importorskip("statsforecast.mstl").mstl
    values = walk(1344)
    exact = mstl(values, (24, 168), inner=5, jumps=0)
    quick = mstl(values, (24, 168))
    want = reference(values[:, 0], [24, 168])
    for i, name in enumerate(("seasonal24", "seasonal168")):
        season = want[name].to_numpy()
        assert exact[i][:, 0] == pytest.approx(season, abs=1e-9)
        assert np.abs(quick[i][:, 0] - season).mean() < 0.05 * season.std()


def hourly(frame: pd.DataFrame, stamp: str, column: str) -> pd.Series:
    """A column by its own clock's hours; the doubled hour counts once, short gaps are bridged."""
    series = frame.set_index(stamp)[column]
    series = series[~series.index.duplicated()].asfreq("h")
    return series.interpolate(limit=3, limit_area="inside")


def measured(name: str, data: Path) -> pd.Series:
    if name == "price":
        frame = pd.read_csv(data / "lu_delu_2020" / "delu_day_ahead_hourly.csv.gz", parse_dates=["local"])
        return hourly(frame, "local", "price_eur_mwh")
    if name in ("home", "pv"):
        file = "load_kw" if name == "home" else "pv_kw"
        frame = pd.read_csv(data / "fontana_homes_2016_17" / f"{file}.csv.gz", parse_dates=["local_wall_clock"])
        return hourly(frame, "local_wall_clock", "home01")
    if name == "wind":
        frame = pd.read_csv(data / "kelmarsh_wind_2018" / "kelmarsh_hourly.csv.gz", parse_dates=["utc"])
        frame["utc"] = frame["utc"].dt.tz_localize(None)
        frame["mean"] = frame[[column for column in frame if column.startswith("KWF")]].mean(axis=1)
        return frame.set_index("utc")["mean"].asfreq("h").interpolate(limit_area="inside")
    frame = pd.read_csv(data / "lu_delu_2020" / "lu_15min.csv.gz", parse_dates=["local"]).set_index("local")
    series = frame["load_mwh"][~frame.index.duplicated()].resample("h").sum(min_count=1)
    return series.interpolate(limit=3, limit_area="inside")


def errors(
    name: str,
    series: pd.Series,
    ours: Callable[[ModelContext], Mstl | Theta],
    theirs: Callable[[np.ndarray], np.ndarray],
) -> tuple[float, float]:
    """Mean absolute errors over 21 evenings, ours and the reference's, on eight weeks of history each."""
    profile, value = PROFILES[name], series.to_numpy()
    context = ModelContext.of((profile,), ZoneInfo("UTC"))
    start_s = int(series.index[0].value // 10**9)
    off = []
    for first in FIRST_EVENINGS[name]:
        for day in range(7):
            now = series.index.get_loc(pd.Timestamp(first) + pd.Timedelta(days=day, hours=18))
            begin = now - 56 * 24
            grid = TimeGrid(from_epoch_s(start_s + 3600 * begin), 3600, now - begin)
            past = value[begin:now]
            table = SeriesTable(grid, (profile.key,), profile.direction * past[:, None])
            said = profile.direction * ours(context).predict(table, HORIZON)[:, 0]
            actual = value[now : now + HORIZON]
            floor = -np.inf if name == "price" else 0.0
            off.append([np.abs(np.maximum(each, floor) - actual).mean() for each in (said, theirs(past))])
    own, reference = np.mean(off, axis=0)
    return float(own), float(reference)


@pytest.mark.slow
@pytest.mark.parametrize("model", ["theta", "mstl"])
def test_as_accurate_as_statsforecast(model, shared):
    models = pytest.importorskip("statsforecast.models")
    reference, ours = (models.AutoTheta(24), Theta) if model == "theta" else (models.MSTL([24, 168]), Mstl)
    ratios = []
    for name in PROFILES:
        series = measured(name, shared / "data")
        own, other = errors(name, series, ours, lambda past: reference.forecast(np.nan_to_num(past), HORIZON)["mean"])
        ratios.append(own / other)
    assert np.mean(ratios) <= 1.03, dict(zip(PROFILES, ratios, strict=True))
