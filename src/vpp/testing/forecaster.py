"""The contract of a forecasting model, to be run against any: ``check_forecaster(spec)``.

Invariant: the checks know only the port. A model may stay silent (NaN) before it was fitted, below the history it
declares to need, and without the inputs it declares; what it does say keeps to the shape, the sign and the past.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from vpp.core.ports import Forecaster, SeriesTable
from vpp.core.units import SECONDS_PER_DAY, SECONDS_PER_HOUR
from vpp.forecasting.kinds import SeriesProfile
from vpp.forecasting.models.member import Member
from vpp.forecasting.needs import ModelContext, ModelNeeds
from vpp.forecasting.registry import ModelSpec
from vpp.testing.sample_series import NOW, PROFILES, ZONE, sample_history

Floats = NDArray[np.float64]
Make = Callable[[ModelContext], Member]
CLOCK_CHANGES = (datetime(2024, 3, 31, 17, tzinfo=UTC), datetime(2024, 10, 27, 17, tzinfo=UTC))
"""Evenings of the days on which Amsterdam's clocks went forward and back."""
HORIZON_H = 30
LEAST_DAYS = 35
WILD = 5.0
"""A forecast further away than this many times the range of the past is no forecast."""
ALIKE = 1e-6
"""Share of the range by which two answers to the same question may differ."""


@dataclass(frozen=True)
class Case:
    """A model under test, and what it declares.

    Parameters
    ----------
    make : callable
        Returns a new model for a context.
    needs : ModelNeeds
        What it declares to need.
    name : str or None
        Name under which it is chosen; None where only a factory is known.
    """

    make: Make
    needs: ModelNeeds
    name: str | None = None

    @property
    def profiles(self) -> tuple[SeriesProfile, ...]:
        """Sample series of the kinds it answers for."""
        return tuple(profile for profile in PROFILES if profile.kind in self.needs.kinds)

    @property
    def days(self) -> int:
        """Days of history that are enough for it."""
        return max(LEAST_DAYS, int(np.ceil(self.needs.history_days)) + 2)

    @cached_property
    def ready(self) -> Member:
        """A model that has learnt from ``history()``; it is shared, since ``predict`` leaves no trace."""
        return fitted(self, self.history())

    def model(self, profiles: tuple[SeriesProfile, ...] | None = None) -> Member:
        """Return a new model of some series, by default of every sample."""
        return self.make(ModelContext.of(self.profiles if profiles is None else profiles, ZONE))

    def history(self, *, days: float | None = None, end: datetime = NOW, resolution_s: int = 3600) -> SeriesTable:
        """Return the last days of the sample series up to a moment."""
        return sample_history(
            self.profiles, days=self.days if days is None else days, end=end, resolution_s=resolution_s
        )


Check = Callable[[Case], None]


def check_forecaster(model: ModelSpec | Make, *, needs: ModelNeeds | None = None) -> None:
    """Run the whole contract, each part on a model of its own.

    Parameters
    ----------
    model : ModelSpec or callable
        The entry of the registry, or what makes a model from a ``ModelContext``.
    needs : ModelNeeds, optional
        What a bare factory's model needs; by default four weeks of history.

    Raises
    ------
    AssertionError
        When the model breaks a promise of the port; the message says which.
    MissingExtraError
        When the model's optional library is not installed.

    Examples
    --------
    >>> from vpp.forecasting.registry import model
    >>> check_forecaster(model("seasonal_naive_24h"))
    """
    case = case_of(model, needs=needs)
    for check in CHECKS:
        check(case)


def case_of(model: ModelSpec | Make, *, needs: ModelNeeds | None = None) -> Case:
    """Return what is tested of a registry's entry or a factory."""
    if isinstance(model, ModelSpec):
        return Case(model.make, model.needs, model.name)
    return Case(model, needs or ModelNeeds(history_days=28, cost="moderate"))


def said(model: Member, history: SeriesTable, steps: int, *, ahead: Floats | None = None) -> Floats:
    """Return what a model says, when it has the port's shape and type."""
    answer = model.predict(history, steps) if ahead is None else model.predict(history, steps, ahead=ahead)
    wanted = (steps, len(history.keys))
    assert isinstance(answer, np.ndarray), f"predict() returned {type(answer).__name__}, not an array"
    assert answer.shape == wanted, f"predict() returned shape {answer.shape}, not (steps, K) = {wanted}"
    assert answer.dtype == np.float64, f"predict() returned {answer.dtype}, not float64"
    assert not np.isinf(answer).any(), "predict() returned an infinite value; a model that cannot answer says NaN"
    return answer


def fitted(case: Case, history: SeriesTable) -> Member:
    """Return a new model that has learnt from a history."""
    model = case.model()
    model.fit(history)
    return model


def steps_of(history: SeriesTable) -> int:
    """Return the horizon in steps of a history."""
    return HORIZON_H * SECONDS_PER_HOUR // history.grid.resolution_s


def expect_alike(got: Floats, want: Floats, scale: Floats, promise: str) -> None:
    """Raise when two answers differ by more than rounding, or only one of them answers."""
    assert np.array_equal(np.isnan(got), np.isnan(want)), f"{promise}: an answer came or went"
    off = np.abs(np.nan_to_num(got) - np.nan_to_num(want)) / scale
    assert off.max(initial=0.0) <= ALIKE, f"{promise}: off by {off.max():.2g} of the range"


def range_of(history: SeriesTable) -> Floats:
    """Return the range of each series, 1 for one that never moves, shape (K,)."""
    low, high = np.nanmin(history.value, axis=0), np.nanmax(history.value, axis=0)
    return np.asarray(np.where(high > low, high - low, 1.0), dtype=np.float64)


def check_name(case: Case) -> None:
    """Expect a ``Forecaster`` under the name by which it is chosen."""
    model = case.model()
    assert isinstance(model, Forecaster), f"{type(model).__name__} lacks name, fit() or predict()"
    assert isinstance(model.name, str), "name is not a string"
    assert model.name, "name is empty"
    if case.name is not None:
        assert model.name == case.name, f"name is {model.name!r}, but it is chosen as {case.name!r}"


def check_answers(case: Case) -> None:
    """Expect, with enough history, an answer for every step of every kind it declares, near what the series does."""
    history = case.history()
    answer = said(case.ready, history, steps_of(history))
    if case.needs.exogenous:
        return
    assert np.isfinite(answer).all(), f"no answer for {silent(case, answer)} after {case.days} days of history"
    middle, spread = np.nanmean(history.value, axis=0), range_of(history)
    off = np.abs(answer - middle).max(axis=0) / spread
    assert (off <= WILD).all(), f"up to {off.max():.1f} times the range away from the mean"
    signs = np.sign(middle) == np.sign(answer.mean(axis=0))
    assert signs.all(), "the sign is not that of the series: a load is negative, generation positive"


def check_declared_history(case: Case) -> None:
    """Expect an answer with ``history_days`` of history and no more."""
    history = case.history(days=case.needs.history_days)
    answer = said(fitted(case, history), history, steps_of(history))
    if not case.needs.exogenous:
        assert np.isfinite(answer).any(axis=0).all(), (
            f"silent on {silent(case, answer)} with the {case.needs.history_days:g} days it declares to need"
        )


def check_short_history(case: Case) -> None:
    """Expect an answer or NaN, and no failure, before it was fitted and with a day, an hour or nothing."""
    said(case.model(), case.history(), 5)
    for hours in (24.0, 1.0, 0.0):
        history = case.history(days=hours / 24.0)
        said(fitted(case, history), history, 30)
        said(case.ready, history, 5)


def check_repeatable(case: Case) -> None:
    """Expect the same answer from the same history: asked twice, and learnt twice."""
    history = case.history()
    model = case.ready
    first = said(model, history, steps_of(history))
    said(model, case.history(end=NOW - timedelta(hours=7)), 11)
    again = said(model, history, steps_of(history))
    assert np.array_equal(first, again, equal_nan=True), "the same question again was answered otherwise"
    anew = said(fitted(case, history), history, steps_of(history))
    expect_alike(anew, first, range_of(history), "the same model learnt again")


def check_leaves_history(case: Case) -> None:
    """Expect it to write neither into the history nor into what is known ahead."""
    history = case.history()
    ahead = np.full((30, len(history.keys)), np.nan)
    history.value.flags.writeable = ahead.flags.writeable = False
    try:
        said(fitted(case, history), history, 30, ahead=ahead)
    except ValueError as fault:
        if "read-only" in str(fault):
            raise AssertionError("it writes into the history or into what is known ahead") from fault
        raise


def check_no_look_ahead(case: Case) -> None:
    """Expect what holds after the end of the history to change nothing, in fit and in predict."""
    later = case.history(end=NOW + timedelta(days=3), days=case.days + 3)
    count = later.grid.count - 3 * SECONDS_PER_DAY // later.grid.resolution_s
    answers = []
    for rubbish in (None, 1e6, np.nan):
        value = later.value.copy()
        if rubbish is not None:
            value[count:] = rubbish
        # A view: a model that reaches beyond its rows in memory meets what stands there.
        past = SeriesTable(later.grid.part(0, count), later.keys, value[:count])
        answers.append(said(fitted(case, past), past, steps_of(past)))
    for other in answers[1:]:
        expect_alike(other, answers[0], range_of(later), "other values after the end of the history")


def check_ahead(case: Case) -> None:
    """Expect it to take what is published ahead, and to leave the other series as they were."""
    if not any(profile.kind == "price" for profile in case.profiles):
        return
    history = case.history()
    model = case.ready
    steps = steps_of(history)
    place = [profile.kind for profile in case.profiles].index("price")
    ahead = np.full((steps, len(history.keys)), np.nan)
    ahead[:10, place] = 0.2
    answer = said(model, history, steps, ahead=ahead)
    known = answer[:10, place]
    assert (np.isnan(known) | (np.abs(known) < 10.0)).all(), "what is published made the forecast run away"
    others = np.arange(len(history.keys)) != place
    plain = said(model, history, steps, ahead=np.full_like(ahead, np.nan))
    expect_alike(plain, said(model, history, steps), range_of(history), "nothing published, said so or left out")
    if not case.needs.shared and not case.needs.exogenous:
        expect_alike(
            answer[:, others], plain[:, others], range_of(history)[others], "a published price and the other series"
        )


def check_gaps(case: Case) -> None:
    """Expect gaps, an open end and a series without any value to stop neither fit nor the other series' answers."""
    history = case.history()
    value = history.value.copy()
    value[100:103] = np.nan
    value[200:240, 0] = np.nan
    value[-5:, 0] = np.nan
    gappy = SeriesTable(history.grid, history.keys, value)
    answer = said(fitted(case, gappy), gappy, 30)
    if not case.needs.exogenous:
        assert np.isfinite(answer).all(), f"gaps silence it on {silent(case, answer)}"
    value = history.value.copy()
    value[:, -1] = np.nan
    empty = SeriesTable(history.grid, history.keys, value)
    answer = said(fitted(case, empty), empty, 30)
    assert np.isnan(answer[:, -1]).all(), "it answers for a series of which nothing is known"
    if not case.needs.exogenous:
        assert np.isfinite(answer[:, :-1]).all(), "a series without values silences the others"
    value = np.full_like(history.value, np.nan)
    nothing = SeriesTable(history.grid, history.keys, value)
    assert np.isnan(said(fitted(case, nothing), nothing, 5)).all(), "it answers though nothing is known"
    assert np.isnan(said(case.ready, nothing, 5)).all(), "it answers from what it learnt, not from history"


def check_constant(case: Case) -> None:
    """Expect a series that never moves to stay where it is."""
    history = case.history()
    level = np.array([profile.direction * 1.5 for profile in case.profiles])
    still = SeriesTable(history.grid, history.keys, np.tile(level, (history.grid.count, 1)))
    answer = said(fitted(case, still), still, 30)
    known = np.isfinite(answer)
    off = np.abs(np.where(known, answer, level) - level).max()
    assert off <= 0.01 * 1.5, f"a series that never moves is forecast {off:.3g} away from its value of 1.5"
    nothing = SeriesTable(history.grid, history.keys, np.zeros_like(history.value))
    answer = said(fitted(case, nothing), nothing, 30)
    assert np.abs(np.nan_to_num(answer)).max() <= 1e-6, "a series of zeros is forecast as something else"


def check_order(case: Case) -> None:
    """Expect the order of the series not to matter."""
    if len(case.profiles) < 2:
        return
    history = case.history()
    turned = tuple(reversed(case.profiles))
    model = case.model(turned)
    back = SeriesTable(history.grid, tuple(reversed(history.keys)), np.ascontiguousarray(history.value[:, ::-1]))
    model.fit(back)
    answer = said(model, back, steps_of(history))[:, ::-1]
    expect_alike(answer, said(case.ready, history, steps_of(history)), range_of(history), "another order")


def check_clock_changes(case: Case) -> None:
    """Expect as many steps as asked for on the days of the clock changes."""
    for evening in CLOCK_CHANGES:
        model = fitted(case, case.history(end=evening - timedelta(hours=30)))
        for shift_h in (-30, 0, 24):
            history = case.history(end=evening + timedelta(hours=shift_h))
            answer = said(model, history, HORIZON_H)
            if not case.needs.exogenous:
                assert np.isfinite(answer).all(), f"silent around the clock change of {evening:%Y-%m-%d}"


def check_resolutions(case: Case) -> None:
    """Expect answers in quarter-hours and half-hours, from any moment; a step far ahead may stay open."""
    for resolution_s, minutes in ((900, 15), (900, 45), (1800, 30)):
        history = case.history(end=NOW + timedelta(minutes=minutes), resolution_s=resolution_s)
        answer = said(fitted(case, history), history, steps_of(history))
        if not case.needs.exogenous:
            assert np.isfinite(answer).all(), f"silent on {silent(case, answer)} at {resolution_s} s"
    history = case.history()
    for steps in (1, 200):
        answer = said(case.ready, history, steps)[:HORIZON_H]
        if not case.needs.exogenous:
            assert np.isfinite(answer).all(), f"silent on {silent(case, answer)} when asked for {steps} steps"


def check_follows(case: Case) -> None:
    """Expect it to answer from the newer history, a day after it was fitted."""
    history = case.history(end=NOW + timedelta(hours=23))
    first = said(case.ready, history, 30)
    changed = history.value.copy()
    changed[-8 * 24 :] *= 0.5
    other = said(case.ready, SeriesTable(history.grid, history.keys, changed), 30)
    if case.needs.exogenous:
        return
    moved = np.nanmax(np.abs(first - other), axis=0) > 0.0
    assert np.isfinite(first).all(), "a day after it was fitted it is silent"
    assert moved.all(), "halving the last eight days changes nothing in a forecast"


def silent(case: Case, answer: Floats) -> str:
    """Return the kinds that lack an answer, in words."""
    lacking = [bool(np.isnan(column).any()) for column in answer.T]
    return " and ".join(profile.kind for profile, lacks in zip(case.profiles, lacking, strict=True) if lacks)


CHECKS: tuple[Check, ...] = (
    check_name,
    check_answers,
    check_declared_history,
    check_short_history,
    check_repeatable,
    check_leaves_history,
    check_no_look_ahead,
    check_ahead,
    check_gaps,
    check_constant,
    check_order,
    check_clock_changes,
    check_resolutions,
    check_follows,
)
"""Every check, in the order in which they run."""
