"""The weighted median of the members, each trusted as far as its past errors allow.

Invariant: a member that cannot answer a step or has no vote on the series is left out, and so is one whose past
error is over ``worst_ratio`` times the best voter's; the best voter never is. The rest weigh by their past mean
absolute error to the power ``-WEIGHT_POWER``, so that a member twice as wrong has a quarter of the vote. Over the five
series of the benchmark that was better than a hard limit at twice the best error and than the plain median.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from vpp.core.ports import SeriesTable
from vpp.forecasting.leads import CLASSES, lead_classes
from vpp.forecasting.models.member import Member
from vpp.forecasting.tables import narrow

Floats = NDArray[np.float64]
LEAST_SCORED = 8.0
"""Scored steps (decayed) before a member's error is believed."""
WEIGHT_POWER = 2.0
FITTING = 2
"""Members that are fitted at once."""
NEAR_CLASSES = 3
"""Lead classes of the first six hours: who is good now is not who is good tomorrow, and no finer cut paid."""
HALF = 0.5
BEYOND = 2.0
"""Where a value that is not known stands among shares of the weight, which end at 1."""


class MedianCombination:
    """Several members as one forecaster.

    Parameters
    ----------
    members : sequence of Member
        The M members.
    votes : bool array, shape (M, K)
        Which members vote on which of the K series.
    takes_inputs : sequence of bool, optional
        Which members are handed the columns after the first K, the inputs known ahead; none by default.
    worst_ratio : float
        Error over the best member's beyond which a member is left out, 1 or more.
    half_life_days : float
        Age at which a scored error counts half.
    """

    name = "median"

    def __init__(
        self,
        members: Sequence[Member],
        votes: NDArray[np.bool_],
        *,
        takes_inputs: Sequence[bool] = (),
        worst_ratio: float = 4.0,
        half_life_days: float = 14.0,
    ) -> None:
        self.members = tuple(members)
        self._votes = votes
        self._takes_inputs = tuple(takes_inputs) or (False,) * len(self.members)
        self._worst_ratio = worst_ratio
        self._half_life_days = half_life_days
        self._error = np.zeros((CLASSES, *votes.shape))
        self._weight = np.zeros_like(self._error)

    def fit(self, history: SeriesTable) -> None:
        """Fit every member; boosting leaves the interpreter, so two of them fit at once on two cores."""
        own = narrow(history, self._votes.shape[1])
        with ThreadPoolExecutor(max_workers=FITTING) as pool:
            fits = [
                pool.submit(member.fit, history if wide else own)
                for member, wide in zip(self.members, self._takes_inputs, strict=True)
            ]
            for fit in fits:
                fit.result()

    def predict(self, history: SeriesTable, steps: int, *, ahead: Floats | None = None) -> Floats:
        """Return the combined forecast, shape (steps, K); NaN where no member answers."""
        answers = self.answers(history, steps, ahead=ahead)
        return self.combine(answers, lead_classes(steps, history.grid.resolution_s))[0]

    def answers(self, history: SeriesTable, steps: int, *, ahead: Floats | None = None) -> Floats:
        """Return what each member says, shape (M, steps, K)."""
        columns = self._votes.shape[1]
        own, own_ahead = narrow(history, columns), None if ahead is None else ahead[:, :columns]
        return np.stack(
            [
                member.predict(history, steps, ahead=ahead) if wide else member.predict(own, steps, ahead=own_ahead)
                for member, wide in zip(self.members, self._takes_inputs, strict=True)
            ]
        )

    def combine(self, answers: Floats, leads: NDArray[np.int64]) -> tuple[Floats, Floats]:
        """Return the weighted median of the members that may vote, and how far they stand apart.

        Parameters
        ----------
        answers : float array, shape (M, steps, K)
            What each member says.
        leads : int array, shape (steps,)
            Lead class of each step.

        Returns
        -------
        value, spread : float arrays, shape (steps, K)
            Median and weighted standard deviation; NaN where nobody answers.
        """
        weights = self.weights()[leads].transpose(1, 0, 2)
        value, spread = weighted_median(np.where(weights > 0.0, answers, np.nan), weights)
        if np.isfinite(value).all():
            return value, spread
        # The members left out still know more than nobody.
        anyone, apart = weighted_median(answers, np.ones_like(answers))
        return np.where(np.isfinite(value), value, anyone), np.where(np.isfinite(spread), spread, apart)

    def score(self, answers: Floats, actual: Floats, leads: NDArray[np.int64], *, age_days: float) -> None:
        """Take in how far the members of one past issue were off.

        Parameters
        ----------
        answers : float array, shape (M, steps, K)
            What each member said.
        actual : float array, shape (steps, K)
            What happened; NaN where unknown or where nothing was forecast.
        leads : int array, shape (steps,)
            Lead class of each step, ascending.
        age_days : float
            Time since the issue scored before it; older errors fade by it.
        """
        off = np.abs(answers - actual)
        known = np.isfinite(off)
        begins = np.flatnonzero(np.diff(leads, prepend=-1))
        total = np.add.reduceat(np.where(known, off, 0.0), begins, axis=1)
        count = np.add.reduceat(known.astype(np.float64), begins, axis=1)
        fading = 0.5 ** (age_days / self._half_life_days)
        self._error *= fading
        self._weight *= fading
        self._error[leads[begins]] += total.transpose(1, 0, 2)
        self._weight[leads[begins]] += count.transpose(1, 0, 2)

    def weights(self) -> Floats:
        """Return each member's vote, shape (lead classes, M, K): 1 for the best, less for the rest, 0 for none."""
        mean = np.empty_like(self._error)
        for part in (slice(0, NEAR_CLASSES), slice(NEAR_CLASSES, CLASSES)):
            error, weight = self._error[part].sum(axis=0), self._weight[part].sum(axis=0)
            mean[part] = np.divide(error, weight, out=np.full_like(error, np.nan), where=weight >= LEAST_SCORED)
        told = np.isfinite(mean) & self._votes
        best = np.where(told, mean, np.inf).min(axis=1, keepdims=True)
        ratio = np.ones_like(mean)
        np.divide(mean, best, out=ratio, where=told & (best > 0.0))
        ratio = np.where(told & (best == 0.0) & (mean > 0.0), np.inf, ratio)
        return np.where(self._votes & (ratio <= self._worst_ratio), ratio**-WEIGHT_POWER, 0.0)


def weighted_median(values: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Return the weighted median along the first axis and the weighted standard deviation.

    Each value stands at the middle of its weight, and the median lies on the line between its neighbours; with equal
    weights that is the ordinary median.

    Parameters
    ----------
    values : float array, shape (M, ...)
        NaN for who does not answer.
    weights : float array, same shape
        0 or more; above 0 for a value that is not NaN.

    Returns
    -------
    median, spread : float arrays, shape (...)
        NaN where every value is.

    Examples
    --------
    >>> median, spread = weighted_median(np.array([[1.0], [3.0], [np.nan]]), np.ones((3, 1)))
    >>> median.tolist(), spread.tolist()
    ([2.0], [1.0])
    """
    order = np.argsort(values, axis=0)  # NaN last
    ordered = np.take_along_axis(values, order, axis=0)
    known = np.isfinite(ordered)
    weight = np.where(known, np.take_along_axis(weights, order, axis=0), 0.0)
    total = weight.sum(axis=0)
    share = np.divide(weight, total, out=np.zeros_like(weight), where=total > 0.0)
    middle = np.where(known, np.cumsum(share, axis=0) - HALF * share, BEYOND)
    # A last value of nearly all the weight stands just below one half by rounding.
    high = np.minimum((middle < HALF - 1e-12).sum(axis=0), np.maximum(known.sum(axis=0) - 1, 0))[None]
    low = np.maximum(high - 1, 0)
    above, below = np.take_along_axis(ordered, high, axis=0)[0], np.take_along_axis(ordered, low, axis=0)[0]
    at_high, at_low = np.take_along_axis(middle, high, axis=0)[0], np.take_along_axis(middle, low, axis=0)[0]
    between = (at_high > HALF) & (at_low < HALF) & (at_high < BEYOND)
    position = np.ones_like(total)
    np.divide(HALF - at_low, at_high - at_low, out=position, where=between)
    median = np.where(between, below + position * (above - below), above)
    mean = np.where(known, share * np.where(known, ordered, 0.0), 0.0).sum(axis=0)
    variance = (share * np.where(known, ordered - mean, 0.0) ** 2).sum(axis=0)
    return median, np.where(known.any(axis=0), np.sqrt(variance), np.nan)
