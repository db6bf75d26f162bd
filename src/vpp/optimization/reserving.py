"""Adding reserve to a merit order, along the cheapest way there is, until there is enough."""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from math import inf, nan


@dataclass(slots=True)
class Reserving:
    """The state of a dispatch while reserve is added to it; lists of N floats, changed in place.

    Parameters
    ----------
    cost_per_kwh, reserve_cost_per_kwh : list of float
        Costs of each site; those of reserve 0 or more.
    free_kw : list of float
        Capacity that is neither used nor held.
    power_kw : list of float
        Power above each site's minimum.
    room_kw : list of float
        How much more reserve each site may hold, whatever is free.
    reserve_kw : list of float
        What it holds.
    """

    cost_per_kwh: list[float]
    reserve_cost_per_kwh: list[float]
    free_kw: list[float]
    power_kw: list[float]
    room_kw: list[float]
    reserve_kw: list[float]

    def add(self, need_kw: float, *, by_cost: list[int], by_reserve_cost: list[int]) -> float:
        """Add reserve and return the cost of the last kW [currency/kWh]; NaN where none was added.

        Two ways lead to one more kW, and the cheaper is taken as far as it goes:

        - directly: hold free capacity of the site with the cheapest reserve;
        - by moving: a site that runs at full capacity lowers its power and holds that as reserve, and the cheapest
          site with free capacity runs in its place.

        Free capacity only shrinks, so two orders are walked once. Who can lower its power is a heap: a site joins it
        when it becomes full. Sites with free capacity need not be in it: for them the direct way costs no more.

        Parameters
        ----------
        need_kw : float
            Reserve to add, at most what fits.
        by_cost, by_reserve_cost : list of int
            Sites in ascending order of the two costs.
        """
        cost, reserve_cost, free = self.cost_per_kwh, self.reserve_cost_per_kwh, self.free_kw
        power, room, reserve = self.power_kw, self.room_kw, self.reserve_kw
        movable = [
            (reserve_cost[i] - cost[i], i)
            for i, free_kw in enumerate(free)
            if free_kw <= 0.0 and power[i] > 0.0 and room[i] > 0.0
        ]
        heapify(movable)
        cheapest, direct, last, price = 0, 0, len(free), nan
        while need_kw > 0.0:
            while direct < last and (free[by_reserve_cost[direct]] <= 0.0 or room[by_reserve_cost[direct]] <= 0.0):
                direct += 1
            while cheapest < last and free[by_cost[cheapest]] <= 0.0:
                cheapest += 1
            if cheapest == last or (direct == last and not movable):
                break  # all is held: what is left is the rounding of the totals
            target = by_cost[cheapest]
            direct_price = reserve_cost[by_reserve_cost[direct]] if direct < last else inf
            moved_price = movable[0][0] + cost[target] if movable else inf
            if direct_price <= moved_price:
                price, target = direct_price, by_reserve_cost[direct]
                amount_kw = min(free[target], room[target], need_kw)
                room[target] -= amount_kw
                reserve[target] += amount_kw
            else:
                price, source = moved_price, movable[0][1]
                amount_kw = min(power[source], room[source], free[target], need_kw)
                power[source] -= amount_kw
                room[source] -= amount_kw
                reserve[source] += amount_kw
                power[target] += amount_kw
                if power[source] <= 0.0 or room[source] <= 0.0:
                    heappop(movable)
            need_kw -= amount_kw
            free[target] -= amount_kw
            if free[target] <= 0.0 and power[target] > 0.0 and room[target] > 0.0:
                heappush(movable, (reserve_cost[target] - cost[target], target))
        return price

    def energy_price(self) -> float:
        """Return what the last kW of energy costs beside the reserve [currency/kWh]; NaN where there is none.

        One kW less saves the dearest site that runs; or the reserve that can then be moved there from the site whose
        reserve is dearest.
        """
        run, run_and_hold, held = -inf, -inf, -inf
        for cost, reserve_cost, power, room, reserve in zip(
            self.cost_per_kwh, self.reserve_cost_per_kwh, self.power_kw, self.room_kw, self.reserve_kw, strict=True
        ):
            if power > 0.0:
                if cost > run:
                    run = cost
                if room > 0.0 and cost - reserve_cost > run_and_hold:
                    run_and_hold = cost - reserve_cost
            if reserve > 0.0 and reserve_cost > held:
                held = reserve_cost
        price = max(run, run_and_hold + held)
        return price if price > -inf else nan
