"""Storm control: a turbine stops above its cut-out speed and starts again only well below it.

A state in time. Invariant: it changes only where a wind speed crosses one of the two thresholds. Both are meant for
means over ten minutes: in steps of seconds single gusts stop a turbine, unless means are handed in.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vpp.core.errors import InvalidInputError, SeriesMismatchError

Booleans = NDArray[np.bool_]


def running_through_storms(
    wind_speed_m_s: ArrayLike, *, cut_out_m_s: ArrayLike, restart_m_s: ArrayLike, running: ArrayLike = True
) -> Booleans:
    """Return which turbines run in each step.

    Parameters
    ----------
    wind_speed_m_s : float array, shape (T, S)
        Wind speed at hub height. A speed that is not known (NaN) leaves the state as it was.
    cut_out_m_s : float or array, shape (S,)
        A turbine stops above it.
    restart_m_s : float or array, shape (S,)
        A stopped one starts again at or below it; at most the cut-out speed.
    running : bool or array, shape (S,)
        State before the first step; the last row of an earlier answer continues it.

    Returns
    -------
    bool array, shape (T, S)
        True where a turbine runs.

    Raises
    ------
    InvalidInputError, SeriesMismatchError
        When a restart speed exceeds its cut-out speed, or the wind is not a table over time and turbines.

    Examples
    --------
    >>> wind = np.array([[24.0], [26.0], [23.0], [20.0], [24.0]])
    >>> running_through_storms(wind, cut_out_m_s=25.0, restart_m_s=21.0)[:, 0].tolist()
    [True, False, False, True, True]
    """
    wind = np.asarray(wind_speed_m_s, dtype=np.float64)
    if wind.ndim != 2:
        raise SeriesMismatchError("wind_speed_m_s", wind.shape, "shape (T, S)")
    if not (np.asarray(restart_m_s) <= np.asarray(cut_out_m_s)).all():
        raise InvalidInputError("restart_m_s", restart_m_s, f"at most cut_out_m_s ({cut_out_m_s!r}) [m/s]")
    stops, starts = wind > np.asarray(cut_out_m_s), wind <= np.asarray(restart_m_s)
    steps = np.arange(1, wind.shape[0] + 1)[:, None]
    # the last step that decided anything decides the state; step 0 is the state before the first
    decided = np.maximum.accumulate(np.where(stops | starts, steps, 0), axis=0)
    states = np.concatenate([np.broadcast_to(np.asarray(running, dtype=np.bool_), (1, wind.shape[1])), ~stops])
    return np.asarray(np.take_along_axis(states, decided, axis=0), dtype=np.bool_)
