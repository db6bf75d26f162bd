"""The same work on a real local Ray cluster of two workers, on loopback only."""

from __future__ import annotations

from collections.abc import Callable
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from vpp.core.errors import InvalidInputError
from vpp.core.ports import SeriesTable
from vpp.core.time import parse_duration_s
from vpp.forecasting import ForecastSettings, SeriesProfile
from vpp.forecasting.training.candidate import Candidate
from vpp.forecasting.training.engine import SerialEngine, engine_of
from vpp.forecasting.training.evidence import Group
from vpp.forecasting.training.folds import rolling_folds
from vpp.forecasting.training.work import Compare, compare

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


def test_ray_does_what_this_process_does(
    plant: Callable[..., SeriesTable], profiles: tuple[SeriesProfile, ...], zone: ZoneInfo
) -> None:
    pytest.importorskip("ray", reason="the extra `ray` is not installed")
    settings = ForecastSettings()
    tasks = []
    for number in range(4):
        history = plant(28, seed=number)
        group = Group("home", zone, profiles, history, rolling_folds(history.grid, zone, folds=2), 30)
        tasks.append(Compare(number, group, Candidate("theta", "theta", settings), settings))
    here = {done.group: done.evidence[0].value for done in SerialEngine().map(compare, tasks)}
    there = {done.group: done.evidence[0].value for done in engine_of("ray", workers=2).map(compare, iter(tasks))}
    assert sorted(there) == [0, 1, 2, 3]
    for number, value in here.items():
        np.testing.assert_allclose(there[number], value, rtol=1e-12)
    with pytest.raises(InvalidInputError, match="duration: got 'soon'"):
        list(engine_of("ray", workers=1).map(parse_duration_s, ["soon"]))
