"""The median of the members, each trusted only where its past errors allow.

Invariant: a member that cannot answer a step, has no vote on the series, or whose past error at that lead is over
``worst_ratio`` times the best voter's, is left out; the best voter never is.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vpp.core.ports import SeriesTable
from vpp.forecasting.leads import CLASSES, lead_classes
from vpp.forecasting.models.member import Member

Floats = NDArray[np.float64]
LEAST_SCORED = 8.0
"""Scored steps (decayed) before a member's error is believed."""


class MedianCombination:
    """Several members as one forecaster.

    Parameters
    ----------
    members : sequence of Member
        The M members.
    votes : bool array, shape (M, K)
        Which members vote on which of the K series.
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
        worst_ratio: float = 2.0,
        half_life_days: float = 14.0,
    ) -> None:
        self.members = tuple(members)
        self._votes = votes
        self._worst_ratio = worst_ratio
        self._half_life_days = half_life_days
        self._error = np.zeros((CLASSES, *votes.shape))
        self._weight = np.zeros_like(self._error)

    def fit(self, history: SeriesTable) -> None:
        """Fit every member."""
        for member in self.members:
            member.fit(history)

    def predict(self, history: SeriesTable, steps: int, *, ahead: Floats | None = None) -> Floats:
        """Return the combined forecast, shape (steps, K); NaN where no member answers."""
        return self.combine(self.answers(history, steps, ahead=ahead), lead_classes(steps, history.grid.resolution_s))

    def answers(self, history: SeriesTable, steps: int, *, ahead: Floats | None = None) -> Floats:
        """Return what each member says, shape (M, steps, K)."""
        return np.stack([member.predict(history, steps, ahead=ahead) for member in self.members])

    def combine(self, answers: Floats, leads: NDArray[np.int64]) -> Floats:
        """Return the median of the members that may vote, shape (steps, K); NaN where none answers.

        Parameters
        ----------
        answers : float array, shape (M, steps, K)
            What each member says.
        leads : int array, shape (steps,)
            Lead class of each step.
        """
        excluded = self.left_out()[leads].transpose(1, 0, 2)
        voted = median_of_known(np.where(excluded, np.nan, answers))
        # The members left out still know more than nobody.
        return np.where(np.isfinite(voted), voted, median_of_known(answers)) if excluded.any() else voted

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

    def left_out(self) -> NDArray[np.bool_]:
        """Return which members do not vote, shape (lead classes, M, K)."""
        mean = np.full_like(self._error, np.inf)
        np.divide(self._error, self._weight, out=mean, where=(self._weight >= LEAST_SCORED) & self._votes)
        best = mean.min(axis=1, keepdims=True)
        out: NDArray[np.bool_] = ~self._votes | (np.isfinite(mean) & (mean > self._worst_ratio * best))
        return out


def median_of_known(stack: Floats) -> Floats:
    """Return the median along the first axis of what is not NaN; NaN where nothing is.

    >>> median_of_known(np.array([[1.0, np.nan], [3.0, np.nan], [np.nan, np.nan]])).tolist()
    [2.0, nan]
    """
    ordered = np.sort(stack, axis=0)  # NaN last
    count = np.isfinite(ordered).sum(axis=0, keepdims=True)
    low = np.take_along_axis(ordered, np.maximum((count - 1) // 2, 0), axis=0)[0]
    high = np.take_along_axis(ordered, np.minimum(count // 2, len(stack) - 1), axis=0)[0]
    # count // 2 of an empty column is 0, which is NaN like everything in it.
    return np.asarray(0.5 * (low + high), dtype=np.float64)
