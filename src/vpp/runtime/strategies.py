"""Strategies: the same loop with another planner, so that all are measured by one rule.

``no_battery`` leaves the batteries alone, ``rule`` follows the price and the surplus, ``yesterday`` repeats the plan
that would have been best the day before, ``plan`` is the product, ``perfect_foresight`` knows the whole window.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from vpp.core.messages import Schedule
from vpp.core.ports import Planner
from vpp.core.time import TimeGrid
from vpp.optimization.problem import PlanProblem
from vpp.runtime.names import STRATEGY_NAMES
from vpp.runtime.planning import ProblemBuilder
from vpp.runtime.prices import PriceView

Floats = NDArray[np.float64]
STRATEGIES = tuple(STRATEGY_NAMES)
DAY = timedelta(days=1)


class YesterdayPlanner:
    """Plans today as if yesterday came again: its loads, its sun and its prices, shifted by a day.

    Parameters
    ----------
    inner : Planner
        Solves the problem of yesterday.
    builder : ProblemBuilder
        Makes it.
    measured : callable
        From a grid to the powers measured on it, shape (T, K), and the prices on it.
    """

    name = "yesterday"

    def __init__(self, inner: Planner[PlanProblem], builder: ProblemBuilder, measured: Measured) -> None:
        self._inner = inner
        self._builder = builder
        self._measured = measured

    def plan(self, problem: PlanProblem) -> Schedule:
        """Return the plan of the day before, on the steps of this problem; without a day before, its own plan."""
        grid = problem.grid
        day_steps = int(DAY.total_seconds()) // grid.resolution_s
        past = TimeGrid(problem.issued_at - DAY, grid.resolution_s, day_steps)
        if not self._measured.covers(past):
            return self._inner.plan(problem)
        powers, view = self._measured.at(past)
        repeats = -(-grid.count // day_steps)
        powers = np.tile(powers, (repeats, 1))[: grid.count]
        again = PriceView(
            np.tile(view.import_per_kwh, repeats)[: grid.count],
            np.tile(view.export_per_kwh, repeats)[: grid.count],
            np.ones(grid.count, dtype=bool),
        )
        shifted = self._builder.from_powers(
            grid, now=problem.issued_at, powers=powers, view=again, initial_soc=problem.initial_soc
        )
        return self._inner.plan(replace(shifted, committed_kw=problem.committed_kw))


class Measured:
    """What was measured, for strategies that look back or know the future.

    Parameters
    ----------
    grid : TimeGrid
        The recorded steps.
    powers : float array, shape (T, K)
        Powers of the uncontrolled assets.
    view : PriceView
        Prices of the same steps.
    """

    def __init__(self, grid: TimeGrid, powers: Floats, view: PriceView) -> None:
        self._grid = grid
        self._powers = powers
        self._view = view

    def at(self, grid: TimeGrid) -> tuple[Floats, PriceView]:
        """Return powers and prices of a part of what was recorded."""
        first = self._grid.index(grid.start)
        rows = slice(first, first + grid.count)
        view = self._view
        return self._powers[rows], PriceView(view.import_per_kwh[rows], view.export_per_kwh[rows], view.known[rows])

    def covers(self, grid: TimeGrid) -> bool:
        """Tell whether all of a grid was recorded."""
        return self._grid.start <= grid.start and grid.end <= self._grid.end


class FixedPlanner:
    """Hands out parts of one schedule made beforehand.

    Parameters
    ----------
    schedule : Schedule
        Covers every step that will be asked for.
    """

    def __init__(self, schedule: Schedule, *, name: str) -> None:
        self.name = name
        self._schedule = schedule

    def plan(self, problem: PlanProblem) -> Schedule:
        """Return the steps of the problem that the schedule covers."""
        whole = self._schedule
        first = whole.grid.index(problem.grid.start)
        last = min(first + problem.grid.count, whole.grid.count)
        rows = slice(first, last)
        return replace(
            whole,
            issued_at=problem.issued_at,
            grid=whole.grid.part(first, last),
            power_kw=whole.power_kw[rows],
            soc=whole.soc[rows],
            import_kw=whole.import_kw[rows],
            export_kw=whole.export_kw[rows],
            curtailed_kw=whole.curtailed_kw[rows],
            marginal_value_per_kwh=whole.marginal_value_per_kwh[rows],
            energy_price_per_kwh=whole.energy_price_per_kwh[rows],
            code=whole.code[rows],
            limit=whole.limit[rows],
        )
