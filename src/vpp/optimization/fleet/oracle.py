"""What a fleet does at a price, by groups, and the bound that this proves.

Invariant: whatever the price, ``bound`` is at most the cost of any plan that keeps the limits.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from vpp.optimization.fleet.problem import Bus, FleetTable, Floats
from vpp.optimization.kernel.backend import Backend, functions
from vpp.optimization.kernel.price_steps import FleetColumns

# how many batteries are answered between two looks at the clock
SPAN = 2048


class DeadlineError(Exception):
    """Time was up in the middle of an answer."""


@dataclass(frozen=True, slots=True, eq=False)
class Response:
    """What the groups do at a price: net power (G, T), own cost (G: wear less what is left), and the bound proven."""

    price_per_kwh: Floats
    power_kw: Floats
    cost: Floats
    bound: float


class Oracle:
    """Answers of one fleet; ``evaluations`` and ``seconds`` count what they took.

    Parameters
    ----------
    table, bus : FleetTable, Bus
        The batteries and what they share.
    duration_h : float
        Length of a step [h].
    group : int array, shape (N,)
        Group of each battery, 0 to G - 1.
    threads : int
        Threads that answer, 1 or more.
    """

    def __init__(
        self,
        table: FleetTable,
        bus: Bus,
        *,
        duration_h: float,
        group: NDArray[np.int64],
        threads: int = 1,
        backend: Backend | None = None,
    ) -> None:
        self.bus, self.duration_h, self.groups = bus, duration_h, int(group.max()) + 1
        self.batteries = group.size
        columns = {name: getattr(table, name) for name in table.__dataclass_fields__}
        self._columns = FleetColumns(**columns, group=group, no_floor_kwh=np.empty(0))
        self._run = functions(backend)
        self._threads = threads
        self.evaluations, self.seconds = 0, 0.0

    def answer(self, price_per_kwh: Floats, *, end_s: float) -> Response:
        """Return what the fleet does at a price of shape (T,).

        Raises
        ------
        DeadlineError
            When ``perf_counter`` passes ``end_s``.
        """
        began_s = perf_counter()
        edges = [*range(0, self.batteries, -(-self.batteries // self._threads)), self.batteries]
        spans = list(pairwise(edges))
        if len(spans) == 1:
            parts = [self._answer_span(price_per_kwh, spans[0], end_s)]
        else:
            with ThreadPoolExecutor(len(spans)) as pool:
                parts = list(pool.map(lambda span: self._answer_span(price_per_kwh, span, end_s), spans))
        power = np.sum([part[0] for part in parts], axis=0)
        cost = np.sum([part[1] for part in parts], axis=0)
        self.evaluations += 1
        self.seconds += perf_counter() - began_s
        own = float(cost.sum() - self.duration_h * (power.sum(axis=0) @ price_per_kwh))
        return Response(price_per_kwh, power, cost, own + self._bus_bound(price_per_kwh))

    def _answer_span(self, price: Floats, span: tuple[int, int], end_s: float) -> tuple[Floats, Floats]:
        """Return power and cost by group of some of the batteries."""
        power, cost = np.zeros((self.groups, price.size)), np.zeros(self.groups)
        for first in range(span[0], span[1], SPAN):
            if perf_counter() > end_s:
                raise DeadlineError
            part = (first, min(first + SPAN, span[1]))
            lost = self._run.respond(price, self._columns, self.duration_h, part, power, cost)
            # a battery always has a plan when it can reach its end, which was checked before
            assert lost < 0, lost
        return power, cost

    def _bus_bound(self, price: Floats) -> float:
        """Return the least cost of the bus when every kWh on it is bought at the price."""
        bus = self.bus
        per_hour = (
            np.minimum(bus.import_price_per_kwh - price, 0.0) * bus.import_max_kw
            + np.minimum(price - bus.export_price_per_kwh, 0.0) * bus.export_max_kw
            - np.maximum(price, 0.0) * bus.curtailable_kw
            - price * bus.fixed_kw
        )
        return float(self.duration_h * per_hour.sum())

    @property
    def resting_price(self) -> Floats:
        """What stands for resting among the prices of a mix: NaN in every step, shape (T,)."""
        return np.full(self.bus.fixed_kw.size, np.nan)

    def rest(self) -> tuple[Floats, Floats] | None:
        """Return power (G, T) and own cost (G) of resting, None where a battery may not end as it began."""
        own = self._columns
        if (own.final_energy_min_kwh > own.initial_energy_kwh).any():
            return None
        left = np.zeros(self.groups)
        np.add.at(left, own.group, own.terminal_value_per_kwh * own.initial_energy_kwh)
        return np.zeros((self.groups, self.bus.fixed_kw.size)), -left

    def blend(self, price: Floats, group_weight: Floats, span: tuple[int, int], energy_kwh: Floats) -> None:
        """Add the answers of a span to a price, weighted by group, to its energies (span, T)."""
        if np.isnan(price[0]):
            part = slice(*span)
            energy_kwh += (group_weight[self.group[part]] * self._columns.initial_energy_kwh[part])[:, None]
            return
        self._run.blend(price, self._columns, self.duration_h, span, group_weight, energy_kwh)

    @property
    def group(self) -> NDArray[np.int64]:
        """Group of each battery, shape (N,)."""
        return self._columns.group
