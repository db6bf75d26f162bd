"""Drift: a forecast that has become worse than it was when it was chosen, told from its stored scores.

Page-Hinkley's test (Page 1954, https://doi.org/10.1093/biomet/41.1-2.100) on daily errors, scaled by their mean and
spread at the time of choice: a sum that grows only while errors stay above the old mean by more than a tolerance.
Invariant: one bad day is no drift, an error that stays raised is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from vpp.core.messages import ForecastScore
from vpp.core.time import epoch_s
from vpp.core.units import SECONDS_PER_DAY

TOLERANCE = 0.5
"""Rise of the daily error that is not counted [spreads of the reference]."""
THRESHOLD = 8.0
"""Sum beyond which it is drift: about six days at two spreads above the mean."""
MOST_PER_DAY = 4.0
"""What one day may add at most: two wild days are not yet drift."""
LEAST_REFERENCE_DAYS = 7


@dataclass(frozen=True, slots=True)
class Drift:
    """A lasting rise of the error.

    Parameters
    ----------
    since : datetime
        Day from which the sum has grown.
    ratio : float
        Mean daily error since then over the reference's mean.
    statistic : float
        The sum, above ``THRESHOLD``.
    """

    since: datetime
    ratio: float
    statistic: float


def find_drift(reference: Sequence[ForecastScore], recent: Sequence[ForecastScore]) -> Drift | None:
    """Return the drift of one series, or None while there is none or too little to tell.

    Parameters
    ----------
    reference : sequence of ForecastScore
        Of the time of choice: the folds of the comparison.
    recent : sequence of ForecastScore
        Since then, of forecasts that served, by issue. Where the reference holds fewer than 7 days, the first 7 of
        these become it.
    """
    _, old = daily_errors(reference)
    days, new = daily_errors(recent)
    if old.size < LEAST_REFERENCE_DAYS:
        old, days, new = new[:LEAST_REFERENCE_DAYS], days[LEAST_REFERENCE_DAYS:], new[LEAST_REFERENCE_DAYS:]
        if old.size < LEAST_REFERENCE_DAYS:
            return None
    mean = float(old.mean())
    # A spread of nothing would make a fault of every rounding.
    spread = max(float(old.std(ddof=1)), 0.1 * mean)
    if spread <= 0.0:
        return None
    total, since = 0.0, 0
    for day, error in enumerate(new):
        total = max(0.0, total + min((error - mean) / spread - TOLERANCE, MOST_PER_DAY))
        if total == 0.0:
            since = day + 1
        if total > THRESHOLD:
            return Drift(days[since], float(new[since : day + 1].mean()) / mean if mean > 0.0 else np.inf, total)
    return None


def daily_errors(
    scores: Sequence[ForecastScore],
) -> tuple[list[datetime], np.ndarray[tuple[int], np.dtype[np.float64]]]:
    """Return the first issue and the mean absolute error of each UTC day of issue, by day."""
    by_day: dict[int, list[ForecastScore]] = {}
    for score in scores:
        by_day.setdefault(epoch_s(score.issued_at) // SECONDS_PER_DAY, []).append(score)
    order = sorted(by_day)
    means = np.array([float(np.mean([score.mae for score in by_day[day]])) for day in order], dtype=np.float64)
    return [min(score.issued_at for score in by_day[day]) for day in order], means
