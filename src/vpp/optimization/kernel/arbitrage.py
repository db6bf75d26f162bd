"""One battery against one price series: the exact optimum of buying low and selling high."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import isnan
from threading import local
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from vpp.core.errors import InvalidInputError
from vpp.core.storage import StorageLimits
from vpp.optimization.kernel.backend import Backend, Functions, functions
from vpp.optimization.kernel.directions import Attempt, search
from vpp.optimization.kernel.price_steps import Directions, Trades, Unit
from vpp.optimization.kernel.segments import Band, Floats, Pieces, Workspace, workspace
from vpp.optimization.kernel.validation import band_of, check_number, check_series, unit_of

OPEN: Directions = np.empty(0, dtype=np.int8)
MOST_NODES = 400


class _Kept(local):
    """Each thread's room of the last length: fresh memory costs a year of hours more than solving it."""

    steps: int = -1
    pieces: Pieces
    work: Workspace
    powers: Floats


_KEPT = _Kept()


def _room(steps: int) -> tuple[Pieces, Workspace, Floats]:
    """Return room for a horizon, the thread's own of last time where it fits."""
    if _KEPT.steps != steps:
        segments = 2 * steps
        _KEPT.pieces = Pieces(np.empty(steps + 1, np.int64), np.empty(segments), np.empty(segments), np.empty(steps))
        _KEPT.work, _KEPT.powers, _KEPT.steps = workspace(segments, steps), np.empty((2, steps)), steps
    return _KEPT.pieces, _KEPT.work, _KEPT.powers


@dataclass(frozen=True, slots=True, eq=False)
class ArbitrageResult:
    """The best trades of one battery.

    Parameters
    ----------
    feasible : bool
        False when no plan reaches the energy asked for at the end; the arrays are then NaN.
    cost : float
        Energy bought less energy sold, plus wear, less the value of what is left [currency]; NaN without a plan.
    bound : float
        Cost of the relaxation, which may charge and discharge at once: no plan costs less [currency].
    exclusive : bool
        The plan uses one direction at a time. False: ``power_kw`` is the net of both and ``cost`` needs both at once.
    proven : bool
        No plan of the kind asked for costs less. False: the search stopped at its limit with the best so far.
    power_kw : float array, shape (T,)
        Terminal power; positive discharges.
    energy_kwh : float array, shape (T,)
        Energy stored at the end of each step.
    value_per_kwh : float array, shape (T,), or None
        Worth of one more kWh stored at the end of each step [currency/kWh]: the slope of the value function.
        None when it was not asked for or there is no plan.
    backend : str
        What ran: "numba" or "python".
    """

    feasible: bool
    cost: float
    bound: float
    exclusive: bool
    proven: bool
    power_kw: Floats
    energy_kwh: Floats
    value_per_kwh: Floats | None
    backend: Backend


@dataclass(frozen=True, slots=True, eq=False)
class _Trader:
    """One checked case, ready to be solved with directions closed."""

    price: Floats
    unit: Unit
    band: Band
    run: Functions

    pieces: Pieces
    work: Workspace
    powers: Floats

    def solve(self, directions: Directions) -> Attempt | None:
        """Return the best trades with some directions closed; the next solve overwrites their powers."""
        trades = Trades(np.empty(self.price.size), self.powers[0], self.powers[1])
        cost, both = self.run.trade(self.unit, self.band, self.price, directions, self.pieces, self.work, trades)
        if isnan(cost):
            return None
        return Attempt(float(cost), float(both), *trades[1:], trades.energy_kwh, directions)

    def branch(self, directions: Directions) -> Attempt | None:
        """Return the best trades with some directions closed, with powers of their own."""
        best = self.solve(directions)
        if best is None:
            return None
        return replace(best, charge_kw=best.charge_kw.copy(), discharge_kw=best.discharge_kw.copy())

    def values(self, best: Attempt) -> Floats:
        """Return the worth of stored energy along a plan."""
        worth = np.empty(self.price.size)
        self.run.price_pieces(self.unit, self.price, best.directions, self.pieces)
        self.run.value(self.pieces, self.band, best.energy_kwh, worth)
        return worth


def arbitrage(
    price_per_kwh: ArrayLike,
    *,
    duration_h: float,
    limits: StorageLimits,
    initial_energy_kwh: float,
    final_energy_min_kwh: float | None = None,
    wear_cost_per_kwh: float = 0.0,
    terminal_value_per_kwh: float = 0.0,
    relaxed: bool = False,
    values: bool = False,
    backend: Backend | None = None,
) -> ArbitrageResult:
    """Return the least-cost trades of one battery that pays and earns one price.

    Parameters
    ----------
    price_per_kwh : float array, shape (T,)
        Paid for what is drawn, earned for what is fed in [currency/kWh]; any sign; T >= 1.
    duration_h : float
        Length of a step [h], above 0.
    limits : StorageLimits
        Of one storage: energies [kWh], powers [kW], one-way efficiencies; all finite.
    initial_energy_kwh : float
        Energy at the start, within the band [kWh].
    final_energy_min_kwh : float, optional
        Energy to end with at least, at most the top of the band [kWh]; by default the bottom of the band.
    wear_cost_per_kwh : float
        Paid per kWh discharged at the terminals, 0 or more; charging wears nothing, as in ``Battery``.
    terminal_value_per_kwh : float
        Worth of a kWh stored at the end [currency/kWh].
    relaxed : bool
        Stay with the relaxation, which may charge and discharge at once (only negative prices make that pay). By
        default the best plan with one direction at a time is searched for.
    values : bool
        Return ``value_per_kwh`` too, at twice the time.
    backend : "numba", "python" or None
        None takes numba where it is installed.

    Raises
    ------
    InvalidInputError
        For a value outside its range, naming field, value and range.

    Examples
    --------
    >>> limits = StorageLimits(0.0, 1.0, 1.0, 1.0, 0.95, 0.95)
    >>> best = arbitrage([-10, -10, 50], duration_h=1, limits=limits, initial_energy_kwh=0, backend="python")
    >>> round(best.cost, 3), round(best.bound, 3), best.exclusive
    (-58.026, -58.95, True)
    """
    price = check_series("price_per_kwh", price_per_kwh)
    unit = unit_of(limits, wear_cost_per_kwh=wear_cost_per_kwh, duration_h=duration_h)
    band = band_of(
        limits,
        initial_energy_kwh=initial_energy_kwh,
        final_energy_min_kwh=final_energy_min_kwh,
        terminal_value_per_kwh=check_number("terminal_value_per_kwh", terminal_value_per_kwh),
    )
    if not price.size:
        raise InvalidInputError("price_per_kwh", 0, "at least one step")
    trader = _Trader(price, unit, band, functions(backend), *_room(price.size))
    return _best(trader, relaxed=relaxed, values=values)


def _best(trader: _Trader, *, relaxed: bool, values: bool) -> ArbitrageResult:
    """Return the relaxed plan, or the exclusive one where the two differ."""
    best = trader.solve(OPEN)
    if best is None:
        return _none(trader, bound=np.nan, proven=True)
    bound, exclusive, proven = best.cost, best.exclusive, True
    if not exclusive and not relaxed:
        start = trader.branch(np.zeros(trader.price.size, dtype=np.int8))
        assert start is not None
        found = search(trader.branch, start, most_nodes=MOST_NODES)
        if found.best is None:
            return _none(trader, bound=bound, proven=found.finished)
        best, exclusive, proven = found.best, True, found.finished
    return ArbitrageResult(
        feasible=True,
        cost=best.cost,
        bound=bound,
        exclusive=exclusive,
        proven=proven,
        power_kw=best.discharge_kw - best.charge_kw,
        energy_kwh=best.energy_kwh,
        value_per_kwh=trader.values(best) if values else None,
        backend=trader.run.name,
    )


def _none(trader: _Trader, **known: Any) -> ArbitrageResult:
    nothing = np.full(trader.price.size, np.nan)
    return ArbitrageResult(
        feasible=False,
        cost=np.nan,
        exclusive=True,
        power_kw=nothing,
        energy_kwh=nothing,
        value_per_kwh=None,
        backend=trader.run.name,
        **known,
    )
