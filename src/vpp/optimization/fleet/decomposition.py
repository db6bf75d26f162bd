"""Fleets under shared limits by price decomposition, with the exact kernel as oracle; proven at every iterate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import inf
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from vpp.core.errors import InvalidInputError
from vpp.core.messages.planned import PlanStatus
from vpp.optimization.fleet.grouping import first_price, groups_of, sample_of
from vpp.optimization.fleet.oracle import Oracle
from vpp.optimization.fleet.plan import FleetIterate, FleetPlan
from vpp.optimization.fleet.problem import Bus, FleetProblem, FleetTable, Floats
from vpp.optimization.fleet.replay import LIMIT_TOLERANCE, Recipe, settle_bus
from vpp.optimization.fleet.search import Stand, approach
from vpp.optimization.kernel.backend import Backend
from vpp.optimization.kernel.segments import TOLERANCE

METHOD = "price decomposition"
# measured from 100 to 100,000 batteries: more groups cost the master more than they save in answers
GROUPS = 20
# a part this large proposes prices for fleets a few times as large; a fleet many times as large asks a larger part too
SAMPLE = 500
SAMPLE_PAYS = 4
SAMPLE_STEP = 10
MOST_ITERATIONS = 2000
SMALL = 1e-9
Listener = Callable[[FleetIterate], object]


def plan_fleet(
    problem: FleetProblem,
    *,
    gap: float = 1e-4,
    time_limit_s: float | None = None,
    on_iterate: Listener | None = None,
    threads: int = 1,
    backend: Backend | None = None,
) -> FleetPlan:
    """Return a plan of a fleet that is proven to be within a gap of the best.

    Parameters
    ----------
    problem : FleetProblem
        N batteries, T steps.
    gap : float
        Distance to prove, relative to what the batteries are worth, above 0.
    time_limit_s : float, optional
        Above 0; when it is up, the best plan so far is returned as FEASIBLE, with the gap it proved.
    on_iterate : callable, optional
        Called with a ``FleetIterate`` after every master.
    threads : int
        Threads that answer prices, 1 or more.
    backend : "numba", "python" or None
        None takes numba where it is installed.

    Raises
    ------
    InvalidInputError
        For an option outside its range.

    Examples
    --------
    >>> from vpp.core.storage import StorageLimits
    >>> problem = FleetProblem(
    ...     duration_h=1.0,
    ...     limits=StorageLimits(np.zeros(3), 10.0, 5.0, 5.0, 1.0, 1.0),
    ...     initial_energy_kwh=np.zeros(3),
    ...     import_price_per_kwh=np.array([0.1, 0.2, 0.5]),
    ...     export_price_per_kwh=np.array([0.1, 0.2, 0.5]),
    ...     fixed_kw=np.zeros(3),
    ...     import_max_kw=9.0,
    ... )
    >>> plan = plan_fleet(problem, backend="python")
    >>> str(plan.status), round(plan.objective, 6), plan.power_kw.round(6).tolist()
    ('optimal', -5.4, [-9.0, -6.0, 15.0])
    """
    if not 0.0 < gap < inf:
        raise InvalidInputError("gap", gap, "a positive number, e.g. 1e-4")
    if time_limit_s is not None and not time_limit_s > 0.0:
        raise InvalidInputError("time_limit_s", time_limit_s, "a positive time [s], or None")
    if threads < 1:
        raise InvalidInputError("threads", threads, "1 or more")
    began_s = perf_counter()
    group = groups_of(problem.table, GROUPS)
    oracle = Oracle(
        problem.table, problem.bus, duration_h=problem.duration_h, group=group, threads=threads, backend=backend
    )
    end_s = inf if time_limit_s is None else began_s + time_limit_s
    return _Run(problem, oracle, gap, began_s, end_s, on_iterate, backend).plan()


def cost_without(table: FleetTable, bus: Bus, *, duration_h: float) -> float | None:
    """Return the cost with every battery at rest, None where the shared limits forbid it."""
    rest = settle_bus(bus, np.zeros(bus.fixed_kw.size), duration_h=duration_h)
    if rest.excess_kw.max() > LIMIT_TOLERANCE * max(1.0, float(np.abs(bus.fixed_kw).max())):
        return None
    return rest.cost - float(table.terminal_value_per_kwh @ table.initial_energy_kwh)


def sample_sizes(batteries: int) -> list[int]:
    """Return how large the samples of a fleet are, none for a small one.

    >>> sample_sizes(1999), sample_sizes(10_000), sample_sizes(100_000)
    ([], [500], [500, 5000])
    """
    sizes: list[int] = []
    size = SAMPLE
    while size * max(SAMPLE_PAYS, SAMPLE_STEP if sizes else 1) <= batteries:
        sizes.append(size)
        size *= SAMPLE_STEP
    return sizes


def relative_gap(objective: float, bound: float, without: float | None) -> float:
    """Return how far an objective may be from the best, relative to what the batteries are worth."""
    if bound == -inf:
        return inf
    worth = abs(bound) if without is None else without - bound
    return max(objective - bound, 0.0) / max(worth, SMALL * max(1.0, abs(bound)))


@dataclass(slots=True, eq=False)
class _Run:
    """One search: a sample first where that pays, then the fleet, then the plan."""

    problem: FleetProblem
    oracle: Oracle
    gap: float
    began_s: float
    end_s: float
    on_iterate: Listener | None
    backend: Backend | None
    iterations: int = 0
    replay_s: float = 0.0
    without: float | None = field(init=False)
    excess_price: float = field(init=False)
    excess_tolerance_kw: float = field(init=False)

    def __post_init__(self) -> None:
        table, bus = self.problem.table, self.problem.bus
        self.without = cost_without(table, bus, duration_h=self.problem.duration_h)
        highest = max(float(np.abs(bus.import_price_per_kwh).max()), float(np.abs(bus.export_price_per_kwh).max()))
        highest += float(table.wear_cost_per_kwh.max()) + float(np.abs(table.terminal_value_per_kwh).max())
        kept = float((table.charge_efficiency * table.discharge_efficiency).min())
        self.excess_price = 10.0 * max(highest, SMALL) / kept
        power = float(table.charge_max_kw.sum() + table.discharge_max_kw.sum())
        self.excess_tolerance_kw = LIMIT_TOLERANCE * max(1.0, power)

    def plan(self) -> FleetPlan:
        """Return the best plan that the time allows."""
        lost = self._unreachable()
        if lost.size:
            message = f"{lost.size} of the batteries, first number {lost[0]}, cannot reach their energy at the end"
            return self._none(PlanStatus.INFEASIBLE, message)
        stand: Stand | None = None
        for stand in approach(
            self.oracle, seeds=self._seeds(), excess_price_per_kwh=self.excess_price, end_s=self.end_s
        ):
            reached = self._note(stand, "fleet", self.without, self.oracle)
            if reached <= self.gap or self.iterations >= MOST_ITERATIONS or self._must_stop(stand):
                break
        return self._finish(stand)

    def _unreachable(self) -> NDArray[np.intp]:
        """Return the batteries that cannot end with what is asked, whatever the others do."""
        table = self.problem.table
        most = self.problem.steps * self.problem.duration_h * table.charge_max_kw * table.charge_efficiency
        missing = table.final_energy_min_kwh - table.initial_energy_kwh - most
        return np.flatnonzero(missing > TOLERANCE * np.maximum(1.0, table.energy_max_kwh))

    def _seeds(self) -> list[Floats]:
        """Return prices to ask first: what one large battery would see, then what ever larger samples mix."""
        table, bus, hours = self.problem.table, self.problem.bus, self.problem.duration_h
        seeds = [first_price(table, bus, duration_h=hours, backend=self.backend)]
        for size in sample_sizes(self.problem.batteries):
            part, scaled = sample_of(table, bus, size)
            group = groups_of(part, GROUPS)
            seeds = self._sampled(
                Oracle(part, scaled, duration_h=hours, group=group, backend=self.backend), part, seeds
            )
        return seeds

    def _sampled(self, oracle: Oracle, part: FleetTable, seeds: list[Floats]) -> list[Floats]:
        """Return the prices that the best mix of a sample uses, the best last."""
        without, stand = cost_without(part, oracle.bus, duration_h=oracle.duration_h), None
        for stand in approach(oracle, seeds=seeds, excess_price_per_kwh=self.excess_price, end_s=self.end_s):
            reached = self._note(stand, "sample", without, oracle)
            if reached <= self.gap or self.iterations >= MOST_ITERATIONS:
                break
        if stand is None:
            return seeds
        used = stand.active()[0]
        return [stand.best_price, *used[~np.isnan(used[:, 0])]]

    def _note(self, stand: Stand, phase: str, without: float | None, oracle: Oracle) -> float:
        """Tell the listener where the search stands; return the gap."""
        self.iterations += 1
        reached = relative_gap(stand.mix.objective, stand.bound, without)
        if self.on_iterate is not None:

            def as_plan() -> FleetPlan:
                """Return the plan of this iterate, made only when the listener asks."""
                return self._finish(stand) if oracle is self.oracle else self._finish(None)

            elapsed_s = perf_counter() - self.began_s
            self.on_iterate(
                FleetIterate(self.iterations, phase, stand.mix.objective, stand.bound, reached, elapsed_s, as_plan)
            )
        return reached

    def _must_stop(self, stand: Stand) -> bool:
        """Return whether the time left is needed for the replay."""
        each_s = self.oracle.seconds / max(self.oracle.evaluations, 1)
        needed_s = each_s * (len(stand.active()[0]) + 1)
        return perf_counter() + needed_s > self.end_s

    def _finish(self, stand: Stand | None) -> FleetPlan:
        """Return a stand as a plan that every battery carries out."""
        began_s = perf_counter()
        recipe = self._recipe(stand)
        if recipe is None:
            return self._none(PlanStatus.TIMEOUT, "time was up before the first answer, and resting is not allowed")
        power, own = recipe.totals()
        flows = settle_bus(self.oracle.bus, power, duration_h=self.oracle.duration_h)
        if flows.excess_kw.max() > self.excess_tolerance_kw:
            recipe = recipe.within_limits()
            power, own = recipe.totals()
            flows = settle_bus(self.oracle.bus, power, duration_h=self.oracle.duration_h)
        self.replay_s += perf_counter() - began_s
        objective, bound = flows.cost + own, -inf if stand is None else stand.bound
        excess = float(flows.excess_kw.sum()) if flows.excess_kw.max() > self.excess_tolerance_kw else 0.0
        reached = relative_gap(objective, bound, self.without)
        status, message = self._verdict(reached, excess, stand)
        return FleetPlan(
            status=status,
            objective=objective,
            bound=bound,
            gap=reached if excess == 0.0 else inf,
            iterations=self.iterations,
            evaluations=self.oracle.evaluations,
            power_kw=power,
            import_kw=flows.import_kw,
            export_kw=flows.export_kw,
            curtailed_kw=self.oracle.bus.curtailable_kw - flows.used_kw,
            price_per_kwh=np.full(power.size, np.nan) if stand is None else stand.best_price,
            excess_kwh=excess * self.oracle.duration_h,
            method=METHOD,
            message=message,
            timings_s=self._timings(),
            recipe=recipe,
        )

    def _recipe(self, stand: Stand | None) -> Recipe | None:
        """Return how to make the plan of a stand; resting before there is one, if the batteries may rest."""
        table = self.problem.table
        if stand is not None:
            prices, weight = stand.active()
            return Recipe(self.oracle, table, prices, weight)
        if self.oracle.rest() is None:
            return None
        return Recipe(self.oracle, table, self.oracle.resting_price[None, :], np.ones((1, self.oracle.groups)))

    def _verdict(self, reached: float, excess_kw: float, stand: Stand | None) -> tuple[PlanStatus, str]:
        """Return the status of a plan and why it is not optimal."""
        if excess_kw > 0.0:
            if stand is not None and self._proven_infeasible(stand):
                return PlanStatus.INFEASIBLE, "no plan keeps the shared limits; this one breaks them little"
            return PlanStatus.TIMEOUT, "no plan that keeps the shared limits was found in the time given"
        if reached <= self.gap:
            return PlanStatus.OPTIMAL, ""
        if stand is not None and relative_gap(stand.mix.objective, stand.bound, self.without) <= self.gap:
            message = f"one direction at a time costs more than the relaxation, which burns energy: gap {reached:.2g}"
            return PlanStatus.FEASIBLE, message
        if reached == inf:
            return PlanStatus.FEASIBLE, "stopped before anything was proven; the batteries rest"
        return PlanStatus.FEASIBLE, f"stopped at a proven gap of {reached:.2g}"

    def _proven_infeasible(self, stand: Stand) -> bool:
        """Return whether the least excess over the shared limits, whatever it costs, is above 0."""
        bus, table = self.oracle.bus, self.problem.table
        nothing = np.zeros_like(bus.fixed_kw)
        free = replace(table, wear_cost_per_kwh=np.zeros(self.problem.batteries))
        free = replace(free, terminal_value_per_kwh=np.zeros(self.problem.batteries))
        oracle = Oracle(
            free,
            replace(bus, import_price_per_kwh=nothing, export_price_per_kwh=nothing),
            duration_h=self.oracle.duration_h,
            group=self.oracle.group,
            backend=self.backend,
        )
        seed = np.clip(stand.mix.price_per_kwh / self.excess_price, -1.0, 1.0)
        for one in approach(oracle, seeds=[seed], excess_price_per_kwh=1.0, end_s=self.end_s):
            if one.bound > self.excess_tolerance_kw * self.oracle.duration_h:
                return True
            if one.mix.excess_kw <= self.excess_tolerance_kw or one.iteration >= MOST_ITERATIONS:
                break
        return False

    def _none(self, status: PlanStatus, message: str) -> FleetPlan:
        nothing = np.full(self.problem.steps, np.nan)
        return FleetPlan(
            status,
            np.nan,
            -inf,
            inf,
            self.iterations,
            self.oracle.evaluations,
            nothing,
            nothing,
            nothing,
            nothing,
            nothing,
            0.0,
            METHOD,
            message,
            self._timings(),
        )

    def _timings(self) -> dict[str, float]:
        return {
            "total": perf_counter() - self.began_s,
            "answers": self.oracle.seconds,
            "replay": self.replay_s,
        }
