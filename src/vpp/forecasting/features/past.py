"""Features of the past: lags that end where the decision was made, and statistics of the last hours and days.

Invariant: only rows of the history enter, and the history ends at the moment of decision.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vpp.core.errors import InvalidInputError
from vpp.core.ports import SeriesTable
from vpp.core.series import latest_known
from vpp.core.units import SECONDS_PER_DAY, SECONDS_PER_HOUR

Floats = NDArray[np.float64]
LAG_DAYS = {"lag_24h": 1, "lag_7d": 7}
SAME_HOUR_DAYS = 7
REACH_DAYS = 15
"""Days of history that the features look back: a week before the first week that the horizon does not reach into."""


def past_features(history: SeriesTable, *, steps: int, window_h: float) -> dict[str, Floats]:
    """Return the features of the past of K series for S steps ahead.

    Parameters
    ----------
    history : SeriesTable
        What was known when the decision was made, which is its end; NaN where nothing was.
    steps : int
        Steps ahead, S, 1 or more.
    window_h : float
        Length of the window of the statistics [h], at least one step.

    Returns
    -------
    mapping of str to float array, shape (S, K)
        ``lag_1`` is the newest value, ``lag_1_age_h`` how long before the decision its step ended [h]. ``lag_24h``
        and ``lag_7d`` are the values at the hour wanted whole days before, the first that was known: beyond 24 h ahead
        ``lag_24h`` is 48 h back. ``same_hour_mean`` is the mean of that hour over the last 7 days known.
        ``window_mean``, ``window_std``, ``window_min`` and ``window_max`` are of the last ``window_h`` hours.

    Raises
    ------
    InvalidInputError
        When a number is out of its range.

    Examples
    --------
    >>> from vpp.core.messages import SeriesKey
    >>> from vpp.core.time import TimeGrid, parse_time
    >>> grid = TimeGrid(parse_time("2024-01-01T00:00Z"), 3600, 48)
    >>> history = SeriesTable(grid, (SeriesKey("house", "power_kw"),), np.arange(48.0)[:, None])
    >>> past_features(history, steps=30, window_h=2.0)["lag_24h"][[0, 23, 24], 0].tolist()
    [24.0, 47.0, 24.0]
    """
    resolution_s = history.grid.resolution_s
    window = round(window_h * SECONDS_PER_HOUR / resolution_s)
    if steps < 1:
        raise InvalidInputError("steps", steps, "1 or more")
    if window < 1:
        raise InvalidInputError("window_h", window_h, f"at least one step of {resolution_s} s")
    day = SECONDS_PER_DAY // resolution_s
    value = history.value
    series = value.shape[1]
    wide = (steps, series)
    newest, age_h = _newest(value, resolution_s)
    features = {"lag_1": np.broadcast_to(newest, wide), "lag_1_age_h": np.broadcast_to(age_h, wide)}
    ahead = np.arange(steps)
    for name, days in LAG_DAYS.items():
        back = days * day * (ahead // (days * day) + 1)
        features[name] = _rows(value, len(value) + ahead - back)
    first = day * (ahead // day + 1)
    same_hour = np.stack([_rows(value, len(value) + ahead - first - d * day) for d in range(SAME_HOUR_DAYS)])
    features["same_hour_mean"] = _mean(same_hour)
    recent = value[-window:]
    mean = _mean(recent)
    known = np.isfinite(recent)
    features["window_mean"] = np.broadcast_to(mean, wide)
    features["window_std"] = np.broadcast_to(np.sqrt(_mean((recent - mean) ** 2)), wide)
    none = ~known.any(axis=0)
    low = np.where(known, recent, np.inf).min(axis=0, initial=np.inf)
    high = np.where(known, recent, -np.inf).max(axis=0, initial=-np.inf)
    features["window_min"] = np.broadcast_to(np.where(none, np.nan, low), wide)
    features["window_max"] = np.broadcast_to(np.where(none, np.nan, high), wide)
    return features


def _newest(value: Floats, resolution_s: int) -> tuple[Floats, Floats]:
    """Return each series' newest value and how long before the end of the history its step ended [h]."""
    known = np.isfinite(value)
    behind = np.argmax(known[::-1], axis=0) if len(value) else np.zeros(value.shape[1], dtype=np.int64)
    found = known.any(axis=0)
    newest = np.array([latest_known(column)[-1] if column.size else np.nan for column in value.T])
    return newest, np.where(found, behind * resolution_s / SECONDS_PER_HOUR, np.nan)


def _rows(value: Floats, rows: NDArray[np.int64]) -> Floats:
    """Return rows of the history, NaN where it does not reach back."""
    inside = (rows >= 0) & (rows < len(value))
    taken = np.full((rows.size, value.shape[1]), np.nan)
    taken[inside] = value[rows[inside]]
    return taken


def _mean(values: Floats) -> Floats:
    """Return the mean of what is known along the first axis, NaN where nothing is."""
    known = np.isfinite(values)
    total = np.where(known, values, 0.0).sum(axis=0)
    mean: Floats = np.full(total.shape, np.nan)
    np.divide(total, known.sum(axis=0), out=mean, where=known.any(axis=0))
    return mean
