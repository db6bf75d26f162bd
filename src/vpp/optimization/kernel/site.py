"""One battery behind a meter, exactly: two prices, two limits, curtailable generation, power sold ahead, wear."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf, isnan

import numpy as np

from vpp.core.errors import InvalidInputError
from vpp.core.storage import StorageLimits
from vpp.optimization.kernel.backend import Backend, Functions, functions
from vpp.optimization.kernel.directions import Attempt, search
from vpp.optimization.kernel.price_steps import Directions, Unit
from vpp.optimization.kernel.segments import Band, Floats
from vpp.optimization.kernel.site_steps import Answer, Meter
from vpp.optimization.kernel.validation import band_of, check_number, check_series, unit_of

MOST_NODES = 400


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SiteProblem:
    """A site of one battery over T steps; checked once, solved as often as needed.

    Parameters
    ----------
    duration_h : float
        Length of a step [h], above 0.
    limits : StorageLimits
        Of the battery: energies [kWh], powers [kW], one-way efficiencies; all finite.
    initial_energy_kwh : float
        Energy at the start, within the band [kWh].
    import_price_per_kwh, export_price_per_kwh : float arrays, shape (T,)
        Paid per kWh drawn, earned per kWh fed in [currency/kWh]; any sign.
    fixed_kw : float array, shape (T,)
        Power that is not controlled, positive toward the grid.
    curtailable_kw : float array, shape (T,), or None
        Generation that may be left unused, 0 or more; not in ``fixed_kw``.
    import_max_kw, export_max_kw : float
        Limits of the connection, 0 or more; infinity for none.
    final_energy_min_kwh : float or None
        Energy to end with at least [kWh]; None asks for nothing.
    wear_cost_per_kwh : float
        Paid per kWh discharged, 0 or more; charging wears nothing.
    terminal_value_per_kwh : float
        Worth of a kWh stored at the end [currency/kWh].
    sold_kw : float array, shape (T,), or None
        Power sold ahead, positive feeds in; NaN where nothing is sold.
    imbalance_spread_per_kwh : float
        Paid per kWh that misses ``sold_kw``, either way, 0 or more.
    floor_kwh : float array, shape (T,), or None
        Soft floor of the energy at the end of each step [kWh].
    floor_penalty_per_kwh : float
        Paid per kWh below the floor, at the end of each step, 0 or more.
    """

    duration_h: float
    limits: StorageLimits
    initial_energy_kwh: float
    import_price_per_kwh: Floats
    export_price_per_kwh: Floats
    fixed_kw: Floats
    curtailable_kw: Floats | None = None
    import_max_kw: float = inf
    export_max_kw: float = inf
    final_energy_min_kwh: float | None = None
    wear_cost_per_kwh: float = 0.0
    terminal_value_per_kwh: float = 0.0
    sold_kw: Floats | None = None
    imbalance_spread_per_kwh: float = 0.0
    floor_kwh: Floats | None = None
    floor_penalty_per_kwh: float = 0.0
    meter: Meter = field(init=False, repr=False)
    unit: Unit = field(init=False, repr=False)
    band: Band = field(init=False, repr=False)
    open: Directions = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Check every range and lay the columns out for the kernel."""
        fixed = check_series("fixed_kw", self.fixed_kw)
        if not fixed.size:
            raise InvalidInputError("fixed_kw", 0, "at least one step")
        unit = unit_of(self.limits, wear_cost_per_kwh=self.wear_cost_per_kwh, duration_h=self.duration_h)
        band = band_of(
            self.limits,
            initial_energy_kwh=self.initial_energy_kwh,
            final_energy_min_kwh=self.final_energy_min_kwh,
            terminal_value_per_kwh=self.terminal_value_per_kwh,
        )
        if self.floor_kwh is not None:
            floor = check_series("floor_kwh", self.floor_kwh, steps=fixed.size)
            penalty = check_number("floor_penalty_per_kwh", self.floor_penalty_per_kwh, low=0.0)
            band = band._replace(floor_kwh=floor, penalty_per_kwh=penalty)
        object.__setattr__(self, "unit", unit)
        object.__setattr__(self, "band", band)
        object.__setattr__(self, "meter", self._meter(fixed))
        object.__setattr__(self, "open", np.zeros(fixed.size, dtype=np.int8))

    def _meter(self, fixed: Floats) -> Meter:
        """Return the checked columns of the meter."""
        steps = fixed.size
        for name in ("import_max_kw", "export_max_kw"):
            if not getattr(self, name) >= 0.0:
                raise InvalidInputError(name, getattr(self, name), "0 or more [kW], infinity for no limit")
        sold = np.full(steps, np.nan)
        if self.sold_kw is not None:
            given = np.ascontiguousarray(self.sold_kw, dtype=np.float64)
            check_series("sold_kw", np.where(np.isnan(given), 0.0, given), steps=steps)
            sold = given
        spare = np.zeros(steps) if self.curtailable_kw is None else self.curtailable_kw
        return Meter(
            check_series("import_price_per_kwh", self.import_price_per_kwh, steps=steps),
            check_series("export_price_per_kwh", self.export_price_per_kwh, steps=steps),
            fixed,
            check_series("curtailable_kw", spare, steps=steps, low=0.0),
            sold,
            float(self.import_max_kw),
            float(self.export_max_kw),
            check_number("imbalance_spread_per_kwh", self.imbalance_spread_per_kwh, low=0.0),
        )


@dataclass(frozen=True, slots=True, eq=False)
class SitePlan:
    """The best plan of a site; arrays of shape (T,), NaN without a plan.

    Parameters
    ----------
    feasible : bool
        False when no plan keeps the band, the end and the connection's limits.
    cost : float
        Energy, wear, missed sales and floor penalty, less what is left at the end [currency].
    bound : float
        Cost of the relaxation, which may charge and discharge at once: no plan costs less.
    exclusive : bool
        The plan charges or discharges, never both. (Where feeding in pays more than drawing costs, the relaxation of
        the METER is kept: the cost then counts both at once.)
    proven : bool
        No plan of the kind asked for costs less. False: the search stopped at its limit with the best so far.
    power_kw : float array
        Terminal power of the battery; positive discharges.
    energy_kwh : float array
        Energy stored at the end of each step.
    curtailed_kw : float array
        Generation left unused.
    value_per_kwh, price_per_kwh : float arrays
        Worth of one more kWh stored at the end of the step, and at the bus in it [currency/kWh].
    """

    feasible: bool
    cost: float
    bound: float
    exclusive: bool
    proven: bool
    power_kw: Floats
    energy_kwh: Floats
    curtailed_kw: Floats
    value_per_kwh: Floats
    price_per_kwh: Floats


def solve_site(problem: SiteProblem, *, relaxed: bool = False, backend: Backend | None = None) -> SitePlan:
    """Return the least-cost plan of a site.

    Parameters
    ----------
    problem : SiteProblem
        One battery, T steps.
    relaxed : bool
        Stay with the relaxation. By default, where it charges and discharges at once, the best plan with one direction
        at a time is searched for.
    backend : "numba", "python" or None
        None takes numba where it is installed.

    Examples
    --------
    >>> price, limits = np.array([0.1, 0.3]), StorageLimits(0.0, 10.0, 4.0, 4.0, 1.0, 1.0)
    >>> problem = SiteProblem(
    ...     duration_h=1,
    ...     limits=limits,
    ...     initial_energy_kwh=0.0,
    ...     import_price_per_kwh=price,
    ...     export_price_per_kwh=price,
    ...     fixed_kw=np.array([-1.0, -2.0]),
    ... )
    >>> plan = solve_site(problem, backend="python")
    >>> round(plan.cost, 9), plan.power_kw.tolist()
    (-0.1, [-4.0, 4.0])
    """
    attempt, answer = _attempt(problem, problem.open, functions(backend))
    if attempt is None:
        return _none(problem, bound=np.nan, proven=True)
    if attempt.exclusive or relaxed:
        return _plan(attempt, answer, bound=attempt.cost, proven=True)
    return _exclusive(problem, attempt, functions(backend))


def _attempt(problem: SiteProblem, directions: Directions, run: Functions) -> tuple[Attempt | None, Answer]:
    """Return the best plan with some directions closed, and all that the kernel says about it."""
    room = np.empty((6, directions.size))
    answer = Answer(room[0], room[1], room[2], room[3], room[4], room[5])
    cost, both = run.best_site(problem.meter, problem.unit, problem.band, directions, answer)
    if isnan(cost):
        return None, answer
    found = Attempt(float(cost), float(both), answer.charge_kw, answer.discharge_kw, answer.energy_kwh, directions)
    return found, answer


def _exclusive(problem: SiteProblem, relaxed: Attempt, run: Functions) -> SitePlan:
    """Return the best plan with one direction at a time."""
    found = search(lambda directions: _attempt(problem, directions, run)[0], relaxed, most_nodes=MOST_NODES)
    if found.best is None:
        return _none(problem, bound=relaxed.cost, proven=found.finished)
    best, answer = _attempt(problem, found.best.directions, run)
    assert best is not None
    return _plan(best, answer, bound=relaxed.cost, proven=found.finished)


def _plan(attempt: Attempt, answer: Answer, *, bound: float, proven: bool) -> SitePlan:
    return SitePlan(
        True,
        attempt.cost,
        bound,
        attempt.exclusive,
        proven,
        answer.discharge_kw - answer.charge_kw,
        answer.energy_kwh,
        answer.curtailed_kw,
        answer.value_per_kwh,
        answer.price_per_kwh,
    )


def _none(problem: SiteProblem, *, bound: float, proven: bool) -> SitePlan:
    nothing = np.full(problem.open.size, np.nan)
    return SitePlan(False, np.nan, bound, True, proven, nothing, nothing, nothing, nothing, nothing)
