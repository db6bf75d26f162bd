"""Measured series thinned out for drawing: few of many values, none altered, peaks and gaps kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from vpp.core.downsample import lttb, minmax
from vpp.core.errors import InvalidInputError
from vpp.core.ports import SeriesTable
from vpp.runtime.documents import moment, numbers

Sampling = Literal["mean", "minmax", "lttb"]
MOST_CELLS = 2_000_000
"""How many values may be looked at for one answer: three years of one series by the minute."""
_SAMPLED: Mapping[str, Callable[[NDArray[np.int64], NDArray[np.float64], int], NDArray[np.intp]]] = {
    "minmax": minmax,
    "lttb": lttb,
}


def check_cells(steps: int, series: int) -> None:
    """Refuse a span too long to look at every value of it.

    Raises
    ------
    InvalidInputError
        When there are more than ``MOST_CELLS`` values.
    """
    if steps * series > MOST_CELLS:
        expected = f"at most {MOST_CELLS:,} values; ask for fewer series, a shorter span, or sampling=mean"
        raise InvalidInputError("sampling", f"{series} series of {steps} steps", expected)


def sampled_document(table: SeriesTable, sampling: Literal["minmax", "lttb"], most_points: int) -> dict[str, Any]:
    """Return the values to draw of each series, at most ``most_points``, and the steps of the grid they stand on."""
    times_s = table.grid.times_s
    series: dict[str, list[float | None]] = {}
    steps: dict[str, list[int]] = {}
    for column, key in enumerate(table.keys):
        value = table.value[:, column]
        kept = _SAMPLED[sampling](times_s, value, most_points)
        steps[str(key)] = kept.tolist()
        series[str(key)] = numbers(value[kept])
    return {
        "start": moment(table.grid.start),
        "resolution_s": table.grid.resolution_s,
        "series": series,
        "steps": steps,
    }
