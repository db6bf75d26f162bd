"""Dantzig-Wolfe: prices to the batteries, answers to the master, until the bound meets the best mix.

Each query lies between the master's price and the best price so far (in-out), which keeps the prices from swinging.
Invariant: after every answer there is a mix that every battery can do and a bound below every plan.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import inf

import numpy as np

from vpp.optimization.fleet.master import Master, Mix
from vpp.optimization.fleet.oracle import DeadlineError, Oracle
from vpp.optimization.fleet.problem import Floats

# share of the best price in a query, the rest being the master's: 0.3 to 0.8 measured at 100 and 1,000 batteries
INNER = 0.65
SMALLEST = 1e-12
# shares below this are rounding
SHARE = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Stand:
    """Where the search stands: the mix, the prices it mixes the answers to (K, T), and the bound."""

    iteration: int
    mix: Mix
    prices: Floats
    bound: float
    best_price: Floats

    def active(self) -> tuple[Floats, Floats]:
        """Return the prices and shares (K', G) of the answers that the mix uses."""
        used = (self.mix.weight > SHARE).any(axis=1)
        weight = np.where(self.mix.weight[used] > SHARE, self.mix.weight[used], 0.0)
        return self.prices[used], weight / weight.sum(axis=0)


def approach(oracle: Oracle, *, seeds: list[Floats], excess_price_per_kwh: float, end_s: float) -> Iterator[Stand]:
    """Yield ever better stands.

    Parameters
    ----------
    oracle : Oracle
        The fleet's answers.
    seeds : list of float arrays, shape (T,)
        Prices to ask first, at least one, the most promising first.
    excess_price_per_kwh : float
        Price of a kWh beyond the limits.
    end_s : float
        ``perf_counter`` at which an answer is broken off.

    Yields nothing when time is up before anything is known; else, when time is up, what is known, and ends.
    """
    master = Master(
        oracle.bus, duration_h=oracle.duration_h, groups=oracle.groups, excess_price_per_kwh=excess_price_per_kwh
    )
    asked: list[Floats] = []
    resting = oracle.rest()
    if resting is not None:
        # where the site can do without its batteries, every mix keeps the limits from the start
        master.add(*resting)
        asked.append(oracle.resting_price)
    bound, best, waiting, iteration = -inf, seeds[0], list(seeds), 0
    while True:
        price = waiting.pop(0)
        try:
            answer = oracle.answer(price, end_s=end_s)
        except DeadlineError:
            if bound > -inf and iteration == 0:
                yield Stand(1, master.solve(), np.array(asked), bound, best)
            return
        master.add(answer.power_kw, answer.cost)
        asked.append(price)
        if answer.bound > bound:
            bound, best = answer.bound, price
        if waiting:
            continue
        mix = master.solve()
        iteration += 1
        yield Stand(iteration, mix, np.array(asked), bound, best)
        waiting.append(INNER * best + (1.0 - INNER) * mix.price_per_kwh)
