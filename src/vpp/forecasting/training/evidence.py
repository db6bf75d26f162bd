"""Evidence: what a model would have forecast in the past, one run of its folds over a group of series.

Invariant: a model is handed ``history`` cut at its fold's end to fit and cut at the origin to forecast; no later row
exists for it. Nothing is taken as published ahead. Values are kept as hourly means, so that resolutions compare.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from vpp.core.ports import SeriesTable
from vpp.core.units import SECONDS_PER_HOUR
from vpp.forecasting.kinds import SeriesProfile, bounds
from vpp.forecasting.local_time import LocalClock
from vpp.forecasting.needs import ModelContext
from vpp.forecasting.pipeline import ForecastPipeline
from vpp.forecasting.tables import part
from vpp.forecasting.training.candidate import COMBINATION, Candidate
from vpp.forecasting.training.folds import Fold

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Group:
    """Series that are trained together, with their past.

    Parameters
    ----------
    plant : str
        Plant id.
    timezone : ZoneInfo
        The plant's zone.
    profiles : tuple of SeriesProfile
        The K series.
    history : SeriesTable
        Their past; its end is the moment of decision.
    folds : tuple of Fold
        When models are fitted and asked.
    horizon_h : int
        Hours asked at each origin.
    country : str or None
        Whose holidays the calendar knows; None for none.
    """

    plant: str
    timezone: ZoneInfo
    profiles: tuple[SeriesProfile, ...]
    history: SeriesTable
    folds: tuple[Fold, ...]
    horizon_h: int
    country: str | None = None

    @property
    def clock(self) -> LocalClock:
        """Return the plant's clock."""
        return LocalClock(self.timezone, country=self.country)

    @property
    def steps(self) -> int:
        """Steps asked at each origin."""
        return self.horizon_h * SECONDS_PER_HOUR // self.history.grid.resolution_s

    @property
    def origins(self) -> tuple[int, ...]:
        """Rows known at each moment of decision, ascending."""
        return tuple(origin for fold in self.folds for origin in fold.origins)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one model said at every origin.

    Parameters
    ----------
    name : str
        The candidate.
    value : float array, shape (O, H, K)
        Hourly means; NaN where it was silent.
    fit_cpu_s, predict_cpu_s : float
        CPU time of all its fits and of all its forecasts [s]; 0 for a member run by the combination.
    """

    name: str
    value: Floats
    fit_cpu_s: float = 0.0
    predict_cpu_s: float = 0.0


def actuals(group: Group) -> Floats:
    """Return what happened after every origin as hourly means, shape (O, H, K); NaN where unknown."""
    rows = [group.history.value[origin : origin + group.steps] for origin in group.origins]
    return np.stack([hourly(each, group.history.grid.resolution_s) for each in rows])


def hourly(values: Floats, resolution_s: int) -> Floats:
    """Return the hourly means of steps along the first axis; steps of an hour and more stay, a part hour is dropped.

    >>> hourly(np.arange(8.0)[:, None], 900).ravel().tolist()
    [1.5, 5.5]
    """
    each = max(1, SECONDS_PER_HOUR // resolution_s)
    whole = len(values) // each
    means: Floats = values[: whole * each].reshape(whole, each, *values.shape[1:]).mean(axis=1)
    return means


def of_single(group: Group, candidate: Candidate) -> Evidence:
    """Run one model over the folds, within the bounds of its series."""
    context = ModelContext(profiles=group.profiles, clock=group.clock, settings=candidate.settings)
    lower, upper = bounds(group.profiles)
    said: list[Floats] = []
    fit_s = predict_s = 0.0
    for fold in group.folds:
        member = candidate.spec.make(context)
        began = time.process_time()
        member.fit(part(group.history, 0, fold.fit_until))
        fit_s += time.process_time() - began
        for origin in fold.origins:
            began = time.process_time()
            value = member.predict(part(group.history, 0, origin), group.steps)
            predict_s += time.process_time() - began
            said.append(hourly(np.clip(value, lower, upper), group.history.grid.resolution_s))
    return Evidence(candidate.name, np.stack(said), fit_s, predict_s)


def of_combination(group: Group, pipeline: ForecastPipeline) -> list[Evidence]:
    """Run the combination over the folds as it serves, and return it and each of its members.

    ``pipeline`` learns on the way: what it said here widens or narrows its bands, as in service.
    """
    said: list[Floats] = []
    fit_s = predict_s = 0.0
    lower, upper = bounds(group.profiles)
    resolution_s = group.history.grid.resolution_s
    for fold in group.folds:
        began = time.process_time()
        pipeline.fit(part(group.history, 0, fold.fit_until))
        fit_s += time.process_time() - began
        for origin in fold.origins:
            began = time.process_time()
            issue = pipeline.issue(part(group.history, 0, origin), group.steps)
            predict_s += time.process_time() - began
            every = np.concatenate([issue.value[None], np.clip(issue.members, lower, upper)])
            said.append(np.stack([hourly(one, resolution_s) for one in every]))
    if not said:
        return []
    values = np.stack(said, axis=1)
    found = [Evidence(COMBINATION, values[0], fit_s, predict_s)]
    return found + [Evidence(name, values[1 + m]) for m, name in enumerate(pipeline.member_names)]
