"""Regret: what a forecast's errors cost a plant, in its currency.

For each moment of decision the plant is planned over the horizon with one series forecast and all others known, and
executed on what happened, by the simulation and the statement of a back-test: batteries follow their meters as the
plan's own values allow. The same is done with everything known. The difference is the regret. Each moment is an
episode of its own that starts with the stored energy the plant file states and ends with what is left at its worth,
so the plan with everything known is the least cost that any plan can have, and no regret is below 0 but for the
solver's tolerance.

A plant that sells day-ahead sells, in each episode, what its plan says for the next local day, and pays its fee for
what it delivers beyond or short of that. A price counts as forecast over the whole horizon, also where a market would
have published it by then: the question is what the forecast is worth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from vpp.core.assets import Site
from vpp.core.errors import MissingDataError
from vpp.core.messages import Award, Forecast, Schedule, SeriesKey
from vpp.core.ports import SeriesTable
from vpp.core.series import fill_short_gaps
from vpp.core.time import TimeGrid, local_midnight
from vpp.core.units import SECONDS_PER_DAY
from vpp.dispatch.commands import commands_for_step
from vpp.optimization.problem import PlanProblem
from vpp.runtime.build import market_table, planner_of, power_table, preload, price_book
from vpp.runtime.dispatching import meters_of
from vpp.runtime.money import delivered_of, rates_of
from vpp.runtime.planning import ProblemBuilder
from vpp.runtime.prices import SPOT, PriceBook, PriceView
from vpp.runtime.setup import Setup
from vpp.simulation.replay import ReplayedPlant
from vpp.store.memory import MemoryStore
from vpp.trading.day_ahead import PRODUCT
from vpp.trading.settlement import Rates, settle

Floats = NDArray[np.float64]
PLANNER_LIMIT_S = 60.0


@dataclass(frozen=True, slots=True)
class Regret:
    """What a forecast cost.

    Parameters
    ----------
    value : float or None
        Sum over the episodes [currency]; None when it cannot be told.
    reason : str
        Why there is none; empty when there is one.
    episodes : int
        Moments of decision that were planned and executed.
    """

    value: float | None
    reason: str = ""
    episodes: int = 0


class RegretMeter:
    """Prices forecasts of one plant's series.

    Parameters
    ----------
    setup : Setup
        The plant, at the resolution of the table.
    table : SeriesTable
        What happened: every asset's power but the batteries', and the market's prices.
    origins : sequence of int
        Rows of the table at which plans are made.
    steps : int
        Horizon [steps].

    Raises
    ------
    MissingDataError
        When an asset or a price has no data.
    """

    def __init__(self, setup: Setup, table: SeriesTable, *, origins: Sequence[int], steps: int) -> None:
        self._setup = setup
        self._table = table
        self._origins = tuple(origins)
        self._steps = steps
        self._power = _bridged(power_table(setup, table))
        self._worlds: dict[tuple[str, ...], _World] = {}

    def of(self, key: SeriesKey, said: Floats) -> Regret:
        """Return the regret of forecasts of one series.

        Parameters
        ----------
        key : SeriesKey
            A power of the plant, or the spot price.
        said : float array, shape (O, S)
            What was forecast at each origin, in the sign of the house.
        """
        reason = self._why_not(key)
        if reason:
            return Regret(None, reason)
        world = self._world(key)
        total, episodes = 0.0, 0
        for row, origin in enumerate(self._origins):
            perfect = world.perfect_cost(origin)
            if perfect is None:
                continue
            if not np.isfinite(said[row]).all():
                return Regret(None, "the model did not answer every step")
            cost = world.cost_with(origin, key, said[row])
            if cost is None:
                return Regret(None, "no plan could be made with this forecast at some moment")
            total += cost - perfect
            episodes += 1
        if not episodes:
            why = f": {world.missing}" if world.missing else ""
            return Regret(None, f"no moment with measurements and prices over the whole horizon{why}")
        return Regret(total, episodes=episodes)

    def _why_not(self, key: SeriesKey) -> str:
        if key == SPOT:
            if not price_book(self._setup, MemoryStore()).needs_spot:
                return "no price of the plant follows the spot market"
        elif key not in self._setup.power_keys:
            return f"{key.source} is no asset of {self._setup.plant.id}"
        sites = self._sites(key)
        if not any(site.batteries or any(g.curtailable for g in site.generators) for site in sites):
            return "nothing at this site can be planned: it has no battery and nothing to curtail"
        return ""

    def _sites(self, key: SeriesKey) -> tuple[Site, ...]:
        plant = self._setup.plant
        if key == SPOT or self._setup.sells_day_ahead:
            return plant.sites
        return (plant.site_of(key.source),)

    def _world(self, key: SeriesKey) -> _World:
        """Return the part of the plant that the series touches: sites are coupled only by what they sell together."""
        sites = self._sites(key)
        name = tuple(site.id for site in sites)
        if name not in self._worlds:
            setup = replace(self._setup, plant=replace(self._setup.plant, sites=sites))
            self._worlds[name] = _World(setup, self._table, self._power, self._steps)
        return self._worlds[name]


class _World:
    """Some sites of a plant, what happened there, and what plans for it cost."""

    def __init__(self, setup: Setup, table: SeriesTable, power: SeriesTable, steps: int) -> None:
        self._setup = setup
        self._table = table
        self._power = power
        self._steps = steps
        store = MemoryStore()
        preload(setup, store, market_table(table), start=table.grid.start, end=table.grid.end)
        self._book = price_book(setup, store)
        self._builder = ProblemBuilder(setup, store, self._book)
        self._planner = planner_of("linear", solver_timeout_s=PLANNER_LIMIT_S)
        self._start_soc = np.array([battery.soc_initial for battery in setup.plant.batteries])
        self._columns = [power.keys.index(key) for key in setup.power_keys]
        self._perfect: dict[int, float | None] = {}
        self.missing = ""

    @cached_property
    def _unpriced(self) -> PriceBook:
        """Prices as if the spot market had published nothing."""
        table = market_table(self._table)
        kept = [k for k, key in enumerate(table.keys) if key != SPOT]
        rest = SeriesTable(table.grid, tuple(table.keys[k] for k in kept), table.value[:, kept])
        store = MemoryStore()
        preload(self._setup, store, rest, start=table.grid.start, end=table.grid.end)
        return price_book(self._setup, store)

    def perfect_cost(self, origin: int) -> float | None:
        """Return the cost with everything known; None where something of the horizon is not known."""
        if origin not in self._perfect:
            self._perfect[origin] = self._perfect_cost(origin)
        return self._perfect[origin]

    def _perfect_cost(self, origin: int) -> float | None:
        grid, actual = self._episode(origin)
        if grid is None or not np.isfinite(actual).all():
            return None
        try:
            view = self._book.view(grid, now=None)
        except MissingDataError as fault:
            self.missing = str(fault)
            return None
        if not view.known.all():
            return None
        return self._cost(grid, actual, actual, view)

    def cost_with(self, origin: int, key: SeriesKey, said: Floats) -> float | None:
        """Return the cost of the plan made with one series forecast; None where there is no plan."""
        grid, actual = self._episode(origin)
        if grid is None:
            return None
        view = self._book.view(grid, now=None)
        believed, prices = actual, view
        if key == SPOT:
            forecast = Forecast(self._setup.plant.id, SPOT, grid.start, grid, said, "evaluated")
            prices = self._unpriced.view(grid, now=grid.start, spot_forecast=forecast)
        else:
            believed = actual.copy()
            believed[:, self._setup.power_keys.index(key)] = said
        return self._cost(grid, actual, believed, prices)

    def _episode(self, origin: int) -> tuple[TimeGrid | None, Floats]:
        """Return the steps of a horizon and what happened in them, None where the table ends before."""
        if origin + self._steps > self._power.grid.count:
            return None, np.empty((0, len(self._columns)))
        grid = self._power.grid.part(origin, origin + self._steps)
        return grid, self._power.value[origin : origin + self._steps, self._columns]

    def _cost(self, grid: TimeGrid, actual: Floats, believed: Floats, prices: PriceView) -> float | None:
        """Plan with what is believed, execute on what happened, and return the scored cost."""
        problem = self._builder.from_powers(
            grid, now=grid.start, powers=believed, view=prices, initial_soc=self._start_soc
        )
        schedule = self._planner.plan(problem)
        if not schedule.usable:
            return None
        award = self._sold(schedule)
        if award is not None:
            problem = replace(problem, committed_kw=_committed(award, grid, len(problem.site_ids)))
        store = self._executed(schedule, problem, actual)
        if award is not None:
            store.write_award(award)
        delivered = delivered_of(self._setup, store, grid, start_soc=self._start_soc)
        return settle(delivered, self._rates(grid)).cost

    def _rates(self, grid: TimeGrid) -> Rates:
        return rates_of(self._setup, self._book, self._builder, grid)

    def _sold(self, schedule: Schedule) -> Award | None:
        """Return what the plan sells of the next local day, at what it earns there; None where nothing is sold."""
        if not self._setup.sells_day_ahead:
            return None
        grid = schedule.grid
        begin = _row_of(grid, local_midnight(grid.start, self._setup.timezone, days=1))
        if begin >= grid.count:
            return None
        sold_kw = (schedule.export_kw - schedule.import_kw).sum(axis=1)[begin:]
        day = grid.part(begin, grid.count)
        return Award("evaluated", self._setup.plant.id, PRODUCT, day, sold_kw, np.zeros(day.count))

    def _executed(self, schedule: Schedule, problem: PlanProblem, actual: Floats) -> MemoryStore:
        """Return a store with what is measured when a schedule is carried out on what happened."""
        setup, grid = self._setup, schedule.grid
        device = ReplayedPlant(setup.plant, SeriesTable(grid, setup.power_keys, actual))
        for step in range(grid.count):
            meters = meters_of(schedule, problem, step)
            for command in commands_for_step(
                schedule, step, plant=setup.plant, issued_at=grid.time(step), meters=meters
            ):
                device.execute(command)
        readings, _ = device.poll(grid.end)
        store = MemoryStore()
        if readings is not None:
            store.write_readings(readings)
        return store


def _committed(award: Award, grid: TimeGrid, sites: int) -> Floats:
    """Return a position as the problem states it: at the first site's meter, NaN where nothing is sold."""
    committed = np.full((grid.count, sites), np.nan)
    committed[grid.index(award.grid.start) :, 0] = award.power_kw
    return committed


def _row_of(grid: TimeGrid, moment: datetime) -> int:
    """Return the row of a moment at or after the grid's start; the number of rows where it lies beyond."""
    return min(int((moment - grid.start).total_seconds()) // grid.resolution_s, grid.count)


def _bridged(power: SeriesTable) -> SeriesTable:
    """Return powers with gaps of up to a day bridged, as the replay of a back-test bridges them."""
    longest = SECONDS_PER_DAY // power.grid.resolution_s
    columns = [fill_short_gaps(column, longest=longest)[0] for column in power.value.T]
    return SeriesTable(power.grid, power.keys, np.column_stack(columns))
