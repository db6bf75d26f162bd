"""One direction at a time, where the relaxation runs a storage both ways: branch and bound over the kernel.

The relaxation of a node is exact and takes microseconds, so the best exclusive plan is usually proven, not guessed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf

import numpy as np

from vpp.optimization.kernel.price_steps import CHARGE_ONLY, DISCHARGE_ONLY, Directions
from vpp.optimization.kernel.segments import Floats

NEAR_KW = 1e-9
NEAR_COST = 1e-10


@dataclass(frozen=True, slots=True, eq=False)
class Attempt:
    """A plan with some directions closed: its cost [currency], powers [kW] and energies [kWh] of shape (T,).

    ``most_both_kw`` is the largest power that runs both ways at once.
    """

    cost: float
    most_both_kw: float
    charge_kw: Floats
    discharge_kw: Floats
    energy_kwh: Floats
    directions: Directions

    @property
    def exclusive(self) -> bool:
        """True when nothing but rounding runs both ways at once."""
        return self.most_both_kw <= NEAR_KW

    @property
    def both_kw(self) -> Floats:
        """Power that runs through the storage both ways at once; rounding counts as none."""
        both: Floats = np.minimum(self.charge_kw, self.discharge_kw)
        both[both <= NEAR_KW] = 0.0
        return both


@dataclass(frozen=True, slots=True, eq=False)
class Search:
    """The best plan with one direction at a time that was found; None when there is none.

    ``finished``: every alternative was excluded, so the best is optimal, or, being None, none exists.
    """

    best: Attempt | None
    finished: bool
    nodes: int


def search(solve: Callable[[Directions], Attempt | None], relaxed: Attempt, *, most_nodes: int) -> Search:
    """Return the best exclusive plan below a relaxed one.

    Parameters
    ----------
    solve : callable
        Returns the least-cost plan under given directions, None when there is none.
    relaxed : Attempt
        The plan with every direction open.
    most_nodes : int
        At most this many plans are solved, 1 or more.
    """
    best, nodes = _close_all(solve, relaxed, most_nodes)
    cost = inf if best is None else best.cost
    waiting = [relaxed]
    while waiting:
        node = waiting.pop()
        if node.cost >= cost - NEAR_COST * max(1.0, abs(cost)):
            continue
        if node.exclusive:
            best, cost = node, node.cost
            continue
        if nodes >= most_nodes:
            return Search(best, finished=False, nodes=nodes)
        found, step = [], int(node.both_kw.argmax())
        for way in (CHARGE_ONLY, DISCHARGE_ONLY):
            directions = node.directions.copy()
            directions[step] = way
            attempt = solve(directions)
            nodes += 1
            if attempt is not None:
                found.append(attempt)
        # the cheaper branch last, so that it is looked at first
        waiting += sorted(found, key=lambda attempt: -attempt.cost)
    return Search(best, finished=True, nodes=nodes)


def _close_all(
    solve: Callable[[Directions], Attempt | None], relaxed: Attempt, most_nodes: int
) -> tuple[Attempt | None, int]:
    """Return a first exclusive plan, and the solves it took: every step goes the way its energy goes on balance."""
    node: Attempt | None = relaxed
    for nodes in range(most_nodes):
        if node is None or node.exclusive:
            return node, nodes
        # the start is not needed: where the first step runs both ways, charging is as good a guess
        rising = np.diff(node.energy_kwh, prepend=-inf) >= 0.0
        directions = node.directions.copy()
        wrong = node.both_kw > 0.0
        directions[wrong] = np.where(rising, CHARGE_ONLY, DISCHARGE_ONLY)[wrong]
        node = solve(directions)
    return None, most_nodes
