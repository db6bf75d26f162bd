"""Ranges of per-site values: one check, one sentence, for every parameter of every site."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vpp.core.errors import InvalidInputError

Floats = NDArray[np.float64]


def site_values(
    field: str, value: ArrayLike, *, low: float, high: float, unit: str = "", low_open: bool = False
) -> Floats:
    """Return per-site values as a float array of one dimension, each of them in its range.

    Parameters
    ----------
    field : str
        Path of the field, for the message.
    value : float or array, shape (S,)
        What was given.
    low, high : float
        The range, both ends included.
    unit : str, optional
        Unit of the range, for the message.
    low_open : bool, optional
        True when ``low`` itself is outside the range.

    Raises
    ------
    InvalidInputError
        When a value is not a finite number in the range; the message names the first such site.

    Examples
    --------
    >>> site_values("arrays.tilt_deg", [0, 95], low=0.0, high=90.0, unit="deg")
    Traceback (most recent call last):
    ...
    vpp.core.errors.InvalidInputError: arrays.tilt_deg[1]: got 95.0, expected 0 to 90 [deg]
    """
    values = np.atleast_1d(np.asarray(value, dtype=np.float64))
    words = f"{'more than ' if low_open else ''}{low:g} {'up to' if low_open else 'to'} {high:g}"
    words += f" [{unit}]" if unit else ""
    if values.ndim != 1:
        raise InvalidInputError(field, f"shape {values.shape}", f"a number or one number per site, {words}")
    above = values > low if low_open else values >= low
    wrong = np.flatnonzero(~(above & (values <= high)))
    if wrong.size:
        path = field if values.size == 1 else f"{field}[{wrong[0]}]"
        raise InvalidInputError(path, float(values[wrong[0]]), words)
    return values
