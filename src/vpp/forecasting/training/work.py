"""Work: the tasks of a training, each a plain value that can be sent to another process, and what comes back.

A group of series is trained in steps of rising cost: at once a combination that has learnt nothing, so that somebody
serves; then the combination over the folds and fitted; then every other model over the folds; then who won is crowned.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vpp.core.messages import SeriesKey
from vpp.core.ports import SeriesTable
from vpp.core.units import SECONDS_PER_DAY
from vpp.forecasting.pipeline import ForecastPipeline
from vpp.forecasting.settings import ForecastSettings
from vpp.forecasting.training.candidate import COMBINATION, Candidate
from vpp.forecasting.training.champion import Serving, packed, unpacked
from vpp.forecasting.training.evidence import Evidence, Group, actuals, of_combination, of_single
from vpp.forecasting.training.selection import Decision, Losses, decide, hour_cells, losses, offsets
from vpp.forecasting.training.tuning import tune

Floats = NDArray[np.float64]
TOO_SHORT = "nothing was compared: the history is too short for a fold"


@dataclass(frozen=True, slots=True)
class Compared:
    """The comparison of one model, or of the combination with its members.

    Parameters
    ----------
    group : int
        Number of the group.
    evidence : tuple of Evidence
        What was said.
    serving : bytes
        The combination fitted on all history; empty from a single model.
    candidate : Candidate or None
        The single model; None for the combination.
    cpu_s : float
        CPU time of the task [s].
    """

    group: int
    evidence: tuple[Evidence, ...]
    serving: bytes
    candidate: Candidate | None
    cpu_s: float


@dataclass(frozen=True, slots=True)
class Compare:
    """Run a model over the folds of a group; the combination is fitted on all history too.

    Parameters
    ----------
    number : int
        Number of the group.
    group : Group
        The series.
    candidate : Candidate or None
        The single model; None for the combination.
    settings : ForecastSettings
        Of the combination.
    tune_s : float
        Time to look for better sizes first [s]; 0 for none.
    """

    number: int
    group: Group
    candidate: Candidate | None
    settings: ForecastSettings
    tune_s: float = 0.0


def compare(task: Compare) -> Compared:
    """Do a comparison; runs in a worker."""
    began = time.process_time()
    group = task.group
    if task.candidate is None:
        serving = new_serving(group, task.settings)
        evidence = tuple(of_combination(group, serving.pipeline))
        serving.fit(group.history)
        return Compared(task.number, evidence, packed(serving), None, time.process_time() - began)
    candidate = task.candidate
    days = group.folds[0].fit_until * group.history.grid.resolution_s / SECONDS_PER_DAY if group.folds else 0.0
    if not any(candidate.answers_for(profile.kind, days) for profile in group.profiles):
        return Compared(task.number, (), b"", candidate, time.process_time() - began)
    if task.tune_s > 0.0:
        tuned = tune(group, candidate.settings, budget_s=task.tune_s)
        if tuned is None:
            return Compared(task.number, (), b"", candidate, time.process_time() - began)
        candidate = tuned[0]
    return Compared(task.number, (of_single(group, candidate),), b"", candidate, time.process_time() - began)


def new_serving(group: Group, settings: ForecastSettings) -> Serving:
    """Return a combination that has learnt nothing yet; its naive members answer all the same."""
    pipeline = ForecastPipeline(
        group.profiles, timezone=group.timezone, plant=group.plant, settings=settings, country=group.country
    )
    return Serving(pipeline, group.clock)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Who serves each series of a group, and the losses it was decided by.

    Parameters
    ----------
    decisions : tuple of Decision, length K
        Who serves.
    losses : mapping of str to Losses
        Of every model compared.
    """

    decisions: tuple[Decision, ...]
    losses: Mapping[str, Losses]


def judge(
    group: Group,
    evidence: Mapping[str, Evidence],
    incumbents: Mapping[SeriesKey, str],
    *,
    may_serve: frozenset[str],
    skip: int = 0,
) -> Verdict:
    """Return who serves each series.

    Parameters
    ----------
    group : Group
        The series.
    evidence : mapping of str to Evidence
        Of every model compared.
    incumbents : mapping of SeriesKey to str
        Who serves now; the combination where nobody does, or where the one who did was not compared.
    may_serve : frozenset of str
        Models that may become champion.
    skip : int
        First folds that do not count, because a tuned model was chosen on them.
    """
    if not evidence:
        return Verdict(tuple(Decision(COMBINATION, TOO_SHORT) for _ in group.profiles), {})
    actual = actuals(group)
    found = {name: losses(each.value, actual, group) for name, each in evidence.items()}
    origins = np.array(group.origins, dtype=np.int64)
    unseen = sum(len(fold.origins) for fold in group.folds[:skip])
    decisions = []
    for k, profile in enumerate(group.profiles):
        held = incumbents.get(profile.key, COMBINATION)
        loss = {name: each.pinball[unseen:, k] for name, each in found.items() if name in may_serve or name == held}
        decisions.append(
            decide(loss, held if held in loss else COMBINATION, origins=origins[unseen:], steps=group.steps)
        )
    return Verdict(tuple(decisions), found)


@dataclass(frozen=True, slots=True)
class Crown:
    """Put single champions beside a fitted combination.

    Parameters
    ----------
    number : int
        Number of the group.
    group : Group
        The series.
    serving : bytes
        The fitted combination.
    winners : mapping of SeriesKey to (Candidate, Evidence)
        Single models that serve, with what they said in the folds.
    """

    number: int
    group: Group
    serving: bytes
    winners: Mapping[SeriesKey, tuple[Candidate, Evidence]]


def crown(task: Crown) -> tuple[int, bytes]:
    """Fit the winners on all history and return the number of the group with its serving; runs in a worker."""
    serving, group = unpacked(task.serving), task.group
    actual, cells = actuals(group), hour_cells(group)
    serving.singles.clear()
    serving.champions.clear()
    serving.offsets.clear()
    for k, profile in enumerate(group.profiles):
        if profile.key not in task.winners:
            continue
        candidate, evidence = task.winners[profile.key]
        residual = (actual - evidence.value)[:, :, k].reshape(-1, 1)
        bands = offsets(residual, cells.ravel(), serving.pipeline.settings.levels)[:, :, 0]
        serving.crown(profile.key, candidate, bands, group.history)
    return task.number, packed(serving)


@dataclass(frozen=True, slots=True)
class Renew:
    """Bring a serving up to date.

    Parameters
    ----------
    number : int
        Number of the group.
    serving : bytes
        As it is.
    history : SeriesTable
        All that is known.
    steps : int
        Steps of the issues made good.
    refit : bool
        True to fit its models anew on the way.
    """

    number: int
    serving: bytes
    history: SeriesTable
    steps: int
    refit: bool


def renew(task: Renew) -> tuple[int, bytes, int, float]:
    """Return the number of the group, its serving, the issues made good and the CPU time [s]; runs in a worker."""
    began = time.process_time()
    serving = unpacked(task.serving)
    caught_up = serving.catch_up(task.history, task.steps)
    if task.refit:
        serving.fit(task.history)
    return task.number, packed(serving), caught_up, time.process_time() - began
