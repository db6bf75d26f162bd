"""Inputs known ahead, on the rows of the series they move: the same clock, the same steps, and on past the decision.

Invariant: rows past the decision come from what was handed over as ``ahead`` alone.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from vpp.core.messages import SeriesKey
from vpp.core.ports import SeriesTable
from vpp.core.time import TimeGrid
from vpp.forecasting.models.hourly import runs
from vpp.forecasting.models.lead_features import DAYS_PER_WEEK, same_time
from vpp.forecasting.needs import ModelContext

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
NEIGHBOURS = (-2, -1, 1, 2)


class InputRuns:
    """The inputs of every profile as columns of their own, on that profile's clock.

    Parameters
    ----------
    context : ModelContext
        Profiles with their ``inputs``, clock and settings.
    """

    def __init__(self, context: ModelContext) -> None:
        self._of = [(k, key) for k, profile in enumerate(context.profiles) for key in profile.inputs]
        self._context = replace(
            context,
            profiles=tuple(
                replace(context.profiles[k], key=SeriesKey(f"{k}-{key.source}", key.metric), inputs=())
                for k, key in self._of
            ),
        )

    def of(
        self,
        history: SeriesTable,
        ahead: Floats | None,
        columns: Integers,
        first_row: int,
        rows: int,
        *,
        days: int,
    ) -> Floats:
        """Return the inputs of some series over rows numbered on their clock, shape (rows, k, E).

        Parameters
        ----------
        history : SeriesTable
            The profiles' columns and those of the inputs.
        ahead : float array, shape (steps, K + inputs), optional
            What is known after the history.
        columns : int array, shape (k,)
            Profiles that share a clock and a number of inputs.
        first_row, rows : int
            Which rows; those that the history and ``ahead`` do not reach repeat the last one.
        days : int
            Days of history to look at.
        """
        wanted = [i for i, (k, _) in enumerate(self._of) if k in columns]
        if not wanted:
            return np.zeros((rows, columns.size, 0))
        values = history.value if ahead is None else np.concatenate([history.value, ahead])
        table = SeriesTable(
            TimeGrid(history.grid.start, history.grid.resolution_s, len(values)),
            tuple(profile.key for profile in self._context.profiles),
            np.column_stack([values[:, history.keys.index(key)] for _, key in self._of]),
        )
        (run,), _ = runs(self._context, table, np.array(wanted), steps=1, days=days + DAYS_PER_WEEK)
        index = np.clip(first_row + np.arange(rows) - (run.last_row + 1 - len(run.values)), 0, len(run.values) - 1)
        told = np.nan_to_num(run.values[index])
        return told.reshape(rows, columns.size, len(wanted) // columns.size)


def input_features(inputs: Floats, origins: Integers, leads: int | Integers, day: int) -> Floats:
    """Return what the inputs say of n pairs of decision and lead, shape (n, k, 8 E).

    The step wanted, its neighbours up to two steps off, the mean of the day around it, and the same time of the last
    day and week.
    """
    last = len(inputs) - 1
    wanted = origins + np.asarray(leads)
    total = np.concatenate([np.zeros((1, *inputs.shape[1:])), np.cumsum(inputs, axis=0)])
    begin = np.clip(wanted - day // 2, 0, last)
    end = np.clip(wanted + day // 2, begin + 1, last + 1)
    around = (total[end] - total[begin]) / (end - begin)[:, None, None]
    columns = [inputs[np.clip(wanted, 0, last)]]
    columns += [inputs[np.clip(wanted + off, 0, last)] for off in NEIGHBOURS]
    columns += [around, inputs[same_time(origins, leads, day)], inputs[same_time(origins, leads, DAYS_PER_WEEK * day)]]
    return np.concatenate(columns, axis=-1)
