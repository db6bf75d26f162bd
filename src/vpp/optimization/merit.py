"""Merit order: which sites run, and which stand ready, at the least cost. Exact.

    minimise    sum cost_i p_i + reserve_cost_i r_i
    subject to  sum p_i = energy,  sum r_i >= reserve,
                minimum_i <= p_i,  0 <= r_i <= reserve_max_i,  p_i + r_i <= available_i

Without reserve the cheapest run first. Reserve is then added along the cheapest way there is. The problem is a
transport from sites to energy, reserve and idleness, and there are only two kinds of augmenting path
(``reserving.py``), used up after at most three times the number of sites (Ahuja, Magnanti, Orlin, Network Flows, 1993,
section 9.7). So the answer is the optimum of the linear program after O(n log n) steps, and no tolerance is set.

Invariant: ``power_kw + reserve_kw <= available_kw`` at every site, always. A target that cannot be met is INFEASIBLE
and names the nearest that can; the dispatch that meets it stands apart, as ``nearest``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import fsum, inf, isfinite, nan, nextafter
from operator import add, mul, sub

import numpy as np
from numpy.typing import NDArray

from vpp.core.errors import InvalidInputError, SeriesMismatchError
from vpp.core.messages.planned import PlanStatus
from vpp.optimization.loading import load_few, load_many
from vpp.optimization.reserving import Reserving

Floats = NDArray[np.float64]
Column = Sequence[float] | Floats
# up to here a sort in plain Python is quicker than the calls of array functions
FEW = 64
# totals of the same figures, added in another order, differ by less than this share
_ROUNDING = 1e-12


@dataclass(frozen=True, slots=True, eq=False)
class MeritDispatch:
    """What each of N sites runs at and holds ready.

    Parameters
    ----------
    status : PlanStatus
        OPTIMAL, or INFEASIBLE with every figure NaN but the feasible ones.
    power_kw, reserve_kw : sequences of float, length N
        Power toward the grid, and power held ready above it [kW]; lists for few sites, arrays for many.
    cost_per_h : float
        Cost of both [currency/h].
    energy_price_per_kwh, reserve_price_per_kwh : float
        What the last kW of each costs [currency/kWh]; NaN where none was asked for.
    feasible_energy_kw, feasible_reserve_kw : float
        The energy nearest to what was asked for that the sites can run at, and the most reserve beside it up to what
        was asked for. An infeasible reserve thus never costs energy.
    message : str
        Why a target is infeasible; empty otherwise.
    nearest : MeritDispatch or None
        The optimal dispatch of the feasible target, when the one asked for is not.
    """

    status: PlanStatus
    power_kw: Column
    reserve_kw: Column
    cost_per_h: float
    energy_price_per_kwh: float
    reserve_price_per_kwh: float
    feasible_energy_kw: float
    feasible_reserve_kw: float
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
        Powers, reserves and prices, or INFEASIBLE with the nearest feasible target.

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
    if reserve_kw == 0.0 and len(available_kw) > FEW:
        answer = _energy_of_many(available_kw, cost_per_kwh, minimum_kw, energy_kw)
        if answer is not None:
            return answer
    count = len(available_kw)
    available = _floats("available_kw", available_kw, count)
    cost = _floats("cost_per_kwh", cost_per_kwh, count)
    minimum = None if minimum_kw is None else _floats("minimum_kw", minimum_kw, count)
    room = available if minimum is None else list(map(sub, available, minimum))
    _not_negative("available_kw less minimum_kw", room)
    base_kw, total_kw = 0.0 if minimum is None else fsum(minimum), sum(room)
    above_kw, slack_kw = energy_kw - base_kw, _ROUNDING * (abs(energy_kw) + total_kw)
    fits = -slack_kw <= above_kw <= total_kw + slack_kw
    if fits and reserve_kw == 0.0:
        power, price = load_few(_order(cost), cost, room, above_kw)
        power = _on_top(power, minimum, available)
        spent = sum(map(mul, cost, power))
        return MeritDispatch(PlanStatus.OPTIMAL, power, [0.0] * count, spent, price, nan, energy_kw, 0.0)
    offers = _Offers(available, cost, room, minimum, *_reserve_offers(room, reserve_max_kw, reserve_cost_per_kwh))
    feasible_kw = above_kw if fits else min(max(above_kw, 0.0), total_kw)
    most_kw = min(fsum(offers.most), max(total_kw - feasible_kw, 0.0))
    if fits and reserve_kw <= most_kw + slack_kw:
        return _with_reserve(offers, above_kw=above_kw, energy_kw=energy_kw, reserve_kw=reserve_kw)
    held_kw = min(reserve_kw, most_kw)
    nearest = _with_reserve(offers, above_kw=feasible_kw, energy_kw=base_kw + feasible_kw, reserve_kw=held_kw)
    return _infeasible(energy_kw, reserve_kw, nearest)


@dataclass(frozen=True, slots=True, eq=False)
class _Offers:
    """Checked columns as lists; ``room`` is what is available above the minimum, ``most`` the reserve that fits."""

    available: list[float]
    cost: list[float]
    room: list[float]
    minimum: list[float] | None
    most: list[float]
    reserve_cost: list[float]


def _with_reserve(offers: _Offers, *, above_kw: float, energy_kw: float, reserve_kw: float) -> MeritDispatch:
    """Return the optimum of a target that is known to be feasible."""
    by_cost = _order(offers.cost)
    power, _ = load_few(by_cost, offers.cost, offers.room, above_kw)
    state = Reserving(
        offers.cost,
        offers.reserve_cost,
        list(map(sub, offers.room, power)),
        power,
        list(offers.most),
        [0.0] * len(power),
    )
    reserve_price = state.add(reserve_kw, by_cost=by_cost, by_reserve_cost=_order(offers.reserve_cost))
    energy_price = state.energy_price()
    power = _on_top(power, offers.minimum, offers.available)
    reserve = [
        kw if used + kw <= most else _beside(used, most)
        for kw, used, most in zip(state.reserve_kw, power, offers.available, strict=True)
    ]
    spent = sum(map(mul, offers.cost, power)) + sum(map(mul, offers.reserve_cost, reserve))
    many = len(power) > FEW
    return MeritDispatch(
        PlanStatus.OPTIMAL,
        np.array(power) if many else power,
        np.array(reserve) if many else reserve,
        spent,
        energy_price,
        reserve_price,
        energy_kw,
        reserve_kw,
    )


def _energy_of_many(
    available_kw: Column, cost_per_kwh: Column, minimum_kw: Column | None, energy_kw: float
) -> MeritDispatch | None:
    """Return the merit order of many sites, by array functions; None where something is amiss: the lists say what."""
    available, cost = np.asarray(available_kw, dtype=np.float64), np.asarray(cost_per_kwh, dtype=np.float64)
    minimum = None if minimum_kw is None else np.asarray(minimum_kw, dtype=np.float64)
    if cost.shape != available.shape or (minimum is not None and minimum.shape != available.shape):
        return None
    room = available if minimum is None else available - minimum
    above_kw = energy_kw if minimum is None else energy_kw - float(minimum.sum())
    total_kw, cost_total = float(room.sum()), float(cost.sum())
    # a NaN or an infinity shows in the sums, a negative in the least
    if not (isfinite(cost_total) and 0.0 <= above_kw <= total_kw < inf and float(room.min()) >= 0.0):
        return None
    power, price, spent = load_many(cost, room, above_kw)
    if minimum is not None:
        power = np.minimum(power + minimum, available)
        spent += float((cost * minimum).sum())
    return MeritDispatch(PlanStatus.OPTIMAL, power, np.zeros_like(power), spent, price, nan, energy_kw, 0.0)


def _infeasible(energy_kw: float, reserve_kw: float, nearest: MeritDispatch) -> MeritDispatch:
    energy, reserve = nearest.feasible_energy_kw, nearest.feasible_reserve_kw
    nothing = [nan] * len(nearest.power_kw)
    message = (
        f"{energy_kw:g} kW of energy and {reserve_kw:g} kW of reserve were asked for; "
        f"{energy:g} kW and beside it {reserve:g} kW are feasible"
    )
    return MeritDispatch(
        PlanStatus.INFEASIBLE, nothing, nothing, nan, nan, nan, energy, reserve, message=message, nearest=nearest
    )


def _reserve_offers(
    room: list[float], reserve_max_kw: Column | None, reserve_cost_per_kwh: Column | None
) -> tuple[list[float], list[float]]:
    """Return how much reserve fits at each site, and what it costs."""
    most, cost = room, [0.0] * len(room)
    if reserve_max_kw is not None:
        most = _floats("reserve_max_kw", reserve_max_kw, len(room))
        _not_negative("reserve_max_kw", most)
        most = list(map(min, most, room))
    if reserve_cost_per_kwh is not None:
        cost = _floats("reserve_cost_per_kwh", reserve_cost_per_kwh, len(room))
        _not_negative("reserve_cost_per_kwh", cost)
    return most, cost


def _order(cost: list[float]) -> list[int]:
    """Return the sites in ascending order of cost; equal ones as they stand."""
    if len(cost) > FEW:
        order: list[int] = np.argsort(np.array(cost), kind="stable").tolist()
        return order
    return sorted(range(len(cost)), key=cost.__getitem__)


def _on_top(above_kw: list[float], minimum_kw: list[float] | None, available_kw: list[float]) -> list[float]:
    """Return powers above the minimum as powers, where a sum may not be an ulp over what is available."""
    return above_kw if minimum_kw is None else list(map(min, map(add, above_kw, minimum_kw), available_kw))


def _beside(used_kw: float, most_kw: float) -> float:
    """Return the most that fits beside a power: sums of floats may be an ulp over, a promise may not."""
    left_kw = most_kw - used_kw
    return left_kw if used_kw + left_kw <= most_kw else nextafter(left_kw, 0.0)


def _floats(name: str, values: Column, count: int) -> list[float]:
    """Return a column as a list of finite numbers."""
    column: list[float] = values.tolist() if isinstance(values, np.ndarray) else list(values)
    if len(column) != count or count == 0:
        raise SeriesMismatchError(name, len(column), f"{count or 'some'} entries, one per site")
    # one sum finds NaN and infinity; only then is the culprit looked for
    if not isfinite(sum(column)):
        site = next((i for i, value in enumerate(column) if not isfinite(value)), 0)
        raise InvalidInputError(f"{name}[{site}]", column[site], "a finite number")
    return column


def _not_negative(name: str, column: list[float]) -> None:
    if min(column) < 0.0:
        site = next(i for i, value in enumerate(column) if value < 0.0)
        raise InvalidInputError(f"{name}[{site}]", column[site], "0 or more")
