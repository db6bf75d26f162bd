"""The restricted master: mixes of the fleet's answers that keep the shared limits at least cost, held hot in HiGHS.

Rows: the bus in each step, and one per group that its weights sum to 1. Columns: imports, exports, used generation,
power beyond the limits at a price above every other, and one per group and answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import highspy
import numpy as np
from numpy.typing import NDArray

from vpp.optimization.fleet.problem import Bus, Floats

Integers = NDArray[np.int32]
_BY_COLUMN, _MINIMISE = 1, 1
_PRIMAL_SIMPLEX = 4


@dataclass(frozen=True, slots=True, eq=False)
class Mix:
    """The best mix so far.

    Parameters
    ----------
    objective : float
        Its cost, with the penalty for power beyond the limits [currency].
    excess_kw : float
        Sum of the power beyond the limits over the steps.
    price_per_kwh : float array, shape (T,)
        Worth of a kWh on the bus.
    weight : float array, shape (K, G)
        Share of each of the K answers in each group; columns sum to 1.
    """

    objective: float
    excess_kw: float
    price_per_kwh: Floats
    weight: Floats


class Master:
    """One HiGHS model that only ever grows.

    Parameters
    ----------
    bus : Bus
        The shared columns.
    duration_h : float
        Length of a step [h].
    groups : int
        Number of groups G.
    excess_price_per_kwh : float
        Price of a kWh beyond the limits.
    """

    def __init__(self, bus: Bus, *, duration_h: float, groups: int, excess_price_per_kwh: float) -> None:
        self._steps, self._groups, self._hours = bus.fixed_kw.size, groups, duration_h
        self._highs: Any = highspy.Highs()  # type: ignore[no-untyped-call]
        options: dict[str, bool | int | float | str] = {
            "output_flag": False,
            "threads": 1,
            "parallel": "off",
            "solver": "simplex",
            "presolve": "off",
            # the last solution stays feasible when columns come
            "simplex_strategy": _PRIMAL_SIMPLEX,
        }
        for name, value in options.items():
            self._highs.setOptionValue(name, value)
        self._pass_bus(bus, excess_price_per_kwh)
        self.answers = 0

    def _pass_bus(self, bus: Bus, excess_price: float) -> None:
        steps, blocks = self._steps, 5
        excess = np.full(steps, excess_price)
        cost = np.concatenate([bus.import_price_per_kwh, -bus.export_price_per_kwh, np.zeros(steps), excess, excess])
        upper = [bus.import_max_kw, bus.export_max_kw, bus.curtailable_kw, np.full(2 * steps, np.inf)]
        right = np.concatenate([-bus.fixed_kw, np.ones(self._groups)])
        sign = np.repeat([1.0, -1.0, 1.0, 1.0, -1.0], steps)
        count = blocks * steps
        self._highs.passModel(
            count,
            right.size,
            count,
            _BY_COLUMN,
            _MINIMISE,
            0.0,
            self._hours * cost,
            np.zeros(count),
            np.concatenate(upper),
            right,
            right,
            np.arange(count + 1, dtype=np.int32),
            np.tile(np.arange(steps, dtype=np.int32), blocks),
            sign,
            np.zeros(count, dtype=np.int32),
        )

    def add(self, power_kw: Floats, cost: Floats) -> None:
        """Take an answer: power (G, T) and own cost (G)."""
        groups, steps = power_kw.shape
        rows = np.broadcast_to(np.arange(steps, dtype=np.int32), (groups, steps))
        own = steps + np.arange(groups, dtype=np.int32)[:, None]
        index = np.concatenate([rows, own], axis=1).ravel()
        value = np.concatenate([power_kw, np.ones((groups, 1))], axis=1).ravel()
        starts = (np.arange(groups) * (steps + 1)).astype(np.int32)
        upper = np.full(groups, np.inf)
        self._highs.addCols(groups, cost, np.zeros(groups), upper, index.size, starts, index.astype(np.int32), value)
        self.answers += 1

    def solve(self) -> Mix:
        """Return the best mix of the answers taken."""
        self._highs.run()
        found = self._highs.getSolution()
        value, dual = np.array(found.col_value), np.array(found.row_dual)
        steps = self._steps
        weight = np.maximum(value[5 * steps :].reshape(self.answers, self._groups), 0.0)
        return Mix(
            float(self._highs.getInfo().objective_function_value),
            float(value[3 * steps : 5 * steps].sum()),
            dual[:steps] / self._hours,
            weight / weight.sum(axis=0),
        )
