"""Exchange ADMM, the rounds and their end: sites answer prices, and the coordinator learns nothing of them but totals.

In each round the coordinator sends the two prices, the two mismatches per site and the penalty; each site moves to
where its own cost, the prices and the penalty for moving are least; only sums come back: power, reserve, and how far
all moved. (Boyd, Parikh, Chu, Peleato, Eckstein, Distributed Optimization and Statistical Learning via the Alternating
Direction Method of Multipliers, 2011: section 7.3, residuals 3.3, balancing 3.4.1.)
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from vpp.core.extras import compiled

Floats = NDArray[np.float64]
Agreed = tuple[int, float, float, float]
Agree = Callable[[Floats, Floats, Floats, Floats, Floats], Agreed]

# rows of the table of sites, of the state, of the prices, of the history, and places in the order
QUADRATIC, COST, RESERVE_COST, MINIMUM, AVAILABLE, RESERVE_MAX = range(6)
POWER, RESERVE = range(2)
PRIMAL, DUAL, PENALTY = range(3)
ENERGY_TARGET, RESERVE_TARGET, FIRST_PENALTY, PRIMAL_TOLERANCE, DUAL_TOLERANCE, BALANCE_FIRST = range(6)
# Boyd 3.4.1: rebalance when one residual is ten times the other, by a factor of two
_APART, _FACTOR = 10.0, 2.0


def answer(table: Floats, site: int, penalty: float, wanted_kw: float, wanted_reserve_kw: float) -> tuple[float, float]:
    """Return the power and reserve [kW] at which one site's cost plus its distance penalty is least.

    Minimises ``q p^2 + c p + k r + penalty / 2 ((p - wanted)^2 + (r - wanted_reserve)^2)`` within the site's limits.
    Where the separate minima do not fit together, the answer lies on ``p + r = available``.
    """
    quadratic, cost, reserve_cost = table[0, site], table[1, site], table[2, site]
    least_kw, most_kw, reserve_max_kw = table[3, site], table[4, site], table[5, site]
    power = (penalty * wanted_kw - cost) / (2.0 * quadratic + penalty)
    power = min(max(power, least_kw), most_kw)
    reserve = min(max(wanted_reserve_kw - reserve_cost / penalty, 0.0), reserve_max_kw)
    if power + reserve > most_kw:
        power = (penalty * (wanted_kw + most_kw - wanted_reserve_kw) - cost + reserve_cost) / (
            2.0 * (quadratic + penalty)
        )
        power = min(max(power, least_kw, most_kw - reserve_max_kw), most_kw)
        reserve = most_kw - power
    return power, reserve


def rounds(table: Floats, state: Floats, prices: Floats, order: Floats, history: Floats) -> int:
    """Run rounds until both residuals are within their tolerances, and return how many were run.

    Parameters
    ----------
    table : float array, shape (6, N)
        The sites' own figures; read only inside ``answer``.
    state : float array, shape (2, N)
        Power and reserve of each site [kW], in and out.
    prices : float array, shape (2,)
        Prices of energy and reserve [currency/kWh], in and out.
    order : float array, shape (6,)
        Targets [kW], first penalty [currency/(kW2 h)], tolerances [kW; currency/kWh], round of the first
        rebalancing, each later one after twice as many (0: never).
    history : float array, shape (K, 3), K the most rounds
        Primal residual [kW], dual residual [currency/kWh] and penalty of each round; filled here.
    """
    count = state.shape[1]
    target_kw, reserve_target_kw = order[0] / count, order[1] / count
    penalty, balance_next = order[2], int(order[5])
    miss_kw = state[0].sum() / count - target_kw
    reserve_miss_kw = state[1].sum() / count - reserve_target_kw
    for turn in range(history.shape[0]):
        shift_kw = prices[0] / penalty - miss_kw
        reserve_shift_kw = prices[1] / penalty - reserve_miss_kw
        total_kw, total_reserve_kw, moved = 0.0, 0.0, 0.0
        for site in range(count):
            power, reserve = answer(table, site, penalty, state[0, site] + shift_kw, state[1, site] + reserve_shift_kw)
            moved += (power - state[0, site]) ** 2 + (reserve - state[1, site]) ** 2
            state[0, site], state[1, site] = power, reserve
            total_kw += power
            total_reserve_kw += reserve
        miss_kw, reserve_miss_kw = total_kw / count - target_kw, total_reserve_kw / count - reserve_target_kw
        prices[0] -= penalty * miss_kw
        prices[1] -= penalty * reserve_miss_kw
        primal = sqrt(count * (miss_kw**2 + reserve_miss_kw**2))
        dual = penalty * sqrt(moved)
        history[turn, 0], history[turn, 1], history[turn, 2] = primal, dual, penalty
        if primal <= order[3] and dual <= order[4]:
            return turn + 1
        if turn + 1 == balance_next:
            # ever more seldom: rounds whose penalty never rests need not end
            balance_next *= 2
            ahead, behind = primal / order[3], dual / order[4]
            if ahead > _APART * behind:
                penalty *= _FACTOR
            elif behind > _APART * ahead:
                penalty /= _FACTOR
    return len(history)


def onto_target(table: Floats, state: Floats, energy_kw: float, reserve_kw: float) -> None:
    """Move power and reserve, in place, onto a feasible target within every site's limits.

    Every step is a share of a total that the sites report, so it needs no more than the rounds did: what is too much
    is scaled down; missing reserve is taken from free capacity, then from running sites; missing energy then fits.
    """
    least_kw, above_kw, held_kw = 0.0, 0.0, 0.0
    for site in range(state.shape[1]):
        least_kw += table[3, site]
        above_kw += state[0, site] - table[3, site]
        held_kw += state[1, site]
    wanted_kw = max(energy_kw - least_kw, 0.0)
    energy_share = wanted_kw / above_kw if above_kw > wanted_kw else 1.0
    reserve_share = reserve_kw / held_kw if held_kw > reserve_kw else 1.0
    room_kw, held_kw = 0.0, 0.0
    for site in range(state.shape[1]):
        state[0, site] = table[3, site] + (state[0, site] - table[3, site]) * energy_share
        state[1, site] *= reserve_share
        held_kw += state[1, site]
        room_kw += _room(table, state, site)
    free_share = _share(reserve_kw - held_kw, room_kw)
    room_kw, held_kw = 0.0, 0.0
    for site in range(state.shape[1]):
        state[1, site] += free_share * _room(table, state, site)
        held_kw += state[1, site]
        room_kw += _movable(table, state, site)
    moved_share = _share(reserve_kw - held_kw, room_kw)
    room_kw, power_kw = 0.0, 0.0
    for site in range(state.shape[1]):
        moved_kw = moved_share * _movable(table, state, site)
        state[0, site] -= moved_kw
        state[1, site] += moved_kw
        power_kw += state[0, site]
        room_kw += max(table[4, site] - state[0, site] - state[1, site], 0.0)
    energy_share = _share(energy_kw - power_kw, room_kw)
    for site in range(state.shape[1]):
        state[0, site] += energy_share * max(table[4, site] - state[0, site] - state[1, site], 0.0)
        # sums of floats may be an ulp over; a promise may not
        state[0, site] = min(state[0, site], table[4, site])
        state[1, site] = min(state[1, site], table[4, site] - state[0, site])
        if state[0, site] + state[1, site] > table[4, site]:
            state[1, site] = np.nextafter(state[1, site], 0.0)


def _room(table: Floats, state: Floats, site: int) -> float:
    """Return how much more reserve a site can hold on free capacity."""
    return float(max(min(table[4, site] - state[0, site] - state[1, site], table[5, site] - state[1, site]), 0.0))


def _movable(table: Floats, state: Floats, site: int) -> float:
    """Return how much energy a site can give up to hold it as reserve."""
    return float(max(min(state[0, site] - table[3, site], table[5, site] - state[1, site]), 0.0))


def _share(need_kw: float, room_kw: float) -> float:
    """Return the share of a room that covers a need, at most 1."""
    if need_kw <= 0.0:
        return 0.0
    return need_kw / room_kw if room_kw > need_kw else 1.0


def cost_per_h(table: Floats, state: Floats) -> float:
    """Return what a dispatch costs [currency/h]."""
    total = 0.0
    for site in range(state.shape[1]):
        power = state[0, site]
        total += (table[0, site] * power + table[1, site]) * power + table[2, site] * state[1, site]
    return total


def bound_per_h(table: Floats, target_kw: Floats, prices: Floats) -> float:
    """Return a lower bound on the cost of any dispatch, from what each site would do at these prices alone.

    At a reserve price above its cost a site holds all the reserve it can, so that its last ``reserve_max_kw`` of
    energy must earn that profit too. A reserve price below 0 proves nothing and counts as 0.
    """
    reserve_price = max(prices[1], 0.0)
    total = prices[0] * target_kw[0] + reserve_price * target_kw[1]
    for site in range(table.shape[1]):
        quadratic, profit = table[0, site], prices[0] - table[1, site]
        margin = max(reserve_price - table[2, site], 0.0)
        knee_kw = table[4, site] - table[5, site]
        power = _best(quadratic, profit, table[3, site], knee_kw)
        if power >= knee_kw:
            power = _best(quadratic, profit - margin, knee_kw, table[4, site])
        total += (quadratic * power - profit) * power - margin * min(table[5, site], table[4, site] - power)
    return float(total)


def _best(quadratic: float, profit: float, low_kw: float, high_kw: float) -> float:
    """Return where ``profit p - quadratic p^2`` is greatest between two limits."""
    if quadratic > 0.0:
        return min(max(profit / (2.0 * quadratic), low_kw), high_kw)
    return high_kw if profit > 0.0 else low_kw


def agree(table: Floats, state: Floats, prices: Floats, order: Floats, history: Floats) -> Agreed:
    """Run the rounds and put the sites on the target; parameters as ``rounds``.

    Returns
    -------
    rounds, cost_before, cost, bound : int, float, float, float
        How many rounds were run; the cost of their last answers, that of the dispatch on the target, and a lower
        bound on any dispatch's [currency/h].
    """
    count = rounds(table, state, prices, order, history)
    before = cost_per_h(table, state)
    onto_target(table, state, order[0], order[1])
    return count, before, cost_per_h(table, state), bound_per_h(table, order[:2], prices)


# all in this file: numba knows its cached code to be stale by the age of one file
_INNER = (answer, rounds, onto_target, cost_per_h, bound_per_h, _room, _movable, _share, _best)


@cache
def fast_agree() -> Agree:
    """Return ``agree`` compiled where numba is installed, as it stands elsewhere."""
    if find_spec("numba") is not None:
        inlined = importlib.import_module("numba.extending").register_jitable
        for inner in _INNER:
            inlined(inner)
    signature = (
        "Tuple((int64, float64, float64, float64))"
        "(float64[:,::1], float64[:,::1], float64[::1], float64[::1], float64[:,::1])"
    )
    return compiled(agree, signature) or agree
