"""Merit order: which sites run, and which stand ready, at the least cost. Exact.

    minimise    sum cost_i p_i + reserve_cost_i r_i
    subject to  sum p_i = energy,  sum r_i >= reserve,
                minimum_i <= p_i,  0 <= r_i <= reserve_max_i,  p_i + r_i <= available_i

Without reserve the cheapest run first. Reserve is then added kW by kW along the cheapest way there is: from a site with
free capacity, or by moving energy away from a site that can hold reserve to the cheapest free one. The problem is a
transport from sites to energy, reserve and idleness; these two are its only augmenting paths (shortest augmenting
paths: Ahuja, Magnanti, Orlin, Network Flows, 1993, section 9.7), each used up at most once per site. So the answer is
the optimum of the linear program after O(n log n) steps, without a tolerance.

Invariant: ``power_kw + reserve_kw <= available_kw`` at every site, always. A target that cannot be met is INFEASIBLE and
names the largest that can; the dispatch that meets that one stands apart, as ``nearest``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from math import inf, isfinite, nan

import numpy as np
from numpy.typing import NDArray

from vpp.core.errors import InvalidInputError, SeriesMismatchError
from vpp.core.messages.planned import PlanStatus
from vpp.dispatch.compiled import compiled

Floats = NDArray[np.float64]
Column = Sequence[float] | Floats
# up to here a sort in plain Python is quicker than the call of an array function
FEW = 64
_ROUNDING = 1e-12


@dataclass(frozen=True, slots=True, eq=False)
class MeritDispatch:
    """What each site runs at and holds ready; N sites.

    Parameters
    ----------
    status : PlanStatus
        OPTIMAL, or INFEASIBLE with every power NaN.
    power_kw, reserve_kw : sequences of float, length N
        Power toward the grid, and power held ready above it [kW]; lists for few sites, arrays for many.
    cost_per_h : float
        Cost of both [currency/h].
    energy_price_per_kwh, reserve_price_per_kwh : float
        What the last kW of each costs [currency/kWh]; NaN where none was asked for.
    largest_energy_kw, largest_reserve_kw : float
        The most energy there is, at most what was asked for, and the most reserve beside it.
    message : str
        Why a target is infeasible; empty otherwise.
    nearest : MeritDispatch or None
        The optimal dispatch of the largest feasible target, when the one asked for is not.
    """

    status: PlanStatus
    power_kw: Column
    reserve_kw: Column
    cost_per_h: float
    energy_price_per_kwh: float
    reserve_price_per_kwh: float
    largest_energy_kw: float
    largest_reserve_kw: float
    message: str = ""
    nearest: MeritDispatch | None = None


def merit_order(
    available_kw: Column,
    cost_per_kwh: Column,
    *,
    energy_kw: float,
    reserve_kw: float = 0.0,
    reserve_max_kw: Column | None = None,
    reserve_cost_per_kwh: Column | None = None,
    minimum_kw: Column | None = None,
) -> MeritDispatch:
    """Share energy and reserve among sites at the least cost.

    Parameters
    ----------
    available_kw : sequence of float, length N
        Most that each site can run at, at least its minimum [kW].
    cost_per_kwh : sequence of float, length N
        Cost of a kWh, of any sign.
    energy_kw : float
        Total power asked for, met exactly.
    reserve_kw : float
        Power to be held ready above it, 0 or more.
    reserve_max_kw : sequence of float, length N, or None
        Most reserve of each site, 0 or more; None: all that is available.
    reserve_cost_per_kwh : sequence of float, length N, or None
        Cost of a kW held ready for an hour, 0 or more; None: 0.
    minimum_kw : sequence of float, length N, or None
        Least that each site runs at; negative where it may draw. None: 0.

    Returns
    -------
    MeritDispatch
        Powers, reserves and prices, or INFEASIBLE with the largest feasible target.

    Raises
    ------
    InvalidInputError, SeriesMismatchError
        For NaN, infinite or negative figures, a minimum above what is available, or lists of different lengths.

    Examples
    --------
    >>> answer = merit_order([50.0, 100.0], [0.30, 0.10], energy_kw=120.0)
    >>> answer.power_kw, answer.energy_price_per_kwh
    ([20.0, 100.0], 0.3)

    The cheap site is held back, because only it can hold the reserve:

    >>> merit_order([50.0, 100.0], [0.3, 0.1], energy_kw=80.0, reserve_kw=30.0, reserve_max_kw=[0.0, 40.0]).power_kw
    [10.0, 70.0]
    """
    if not isfinite(energy_kw):
        raise InvalidInputError("energy_kw", energy_kw, "a finite power [kW]")
    if not 0.0 <= reserve_kw < inf:
        raise InvalidInputError("reserve_kw", reserve_kw, "0 or more, finite [kW]")
    simple = reserve_kw == 0.0 and minimum_kw is None
    if len(available_kw) > FEW and simple and energy_kw >= 0.0:
        return _many(np.asarray(available_kw, np.float64), np.asarray(cost_per_kwh, np.float64), energy_kw)
    available, cost = _plain(available_kw), _plain(cost_per_kwh)
    count = len(available)
    _check_column("cost_per_kwh", cost, count, low=-inf)
    minimum = None if minimum_kw is None else _plain(minimum_kw)
    _check_available(available, minimum)
    room = available if minimum is None else [most - least for most, least in zip(available, minimum, strict=True)]
    base_kw = 0.0 if minimum is None else sum(minimum)
    if simple:
        total = sum(room)
        if not 0.0 <= energy_kw <= total:
            return _infeasible(
                locals_of(available_kw, cost_per_kwh, None, None, None), energy_kw, 0.0, largest=(total, 0.0)
            )
        return _few(room, cost, energy_kw)
    raise NotImplementedError
