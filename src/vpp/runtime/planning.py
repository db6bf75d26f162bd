"""Planning: what is known now -> a problem -> a schedule in the store.

Only what had arrived by the moment of decision enters: measured states, published prices, issued forecasts.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from vpp.core.errors import MissingDataError
from vpp.core.messages import Award, Forecast, Schedule, SeriesKey
from vpp.core.ports import Planner, Store
from vpp.core.series import align
from vpp.core.time import TimeGrid
from vpp.core.units import SECONDS_PER_DAY
from vpp.optimization.problem import PlanProblem
from vpp.runtime.forecasts import UNMEASURED, is_overdue
from vpp.runtime.prices import SPOT, PriceBook, PriceView
from vpp.runtime.setup import Setup

Floats = NDArray[np.float64]
Forecasts = Mapping[SeriesKey, Forecast]
KEPT = 200
"""Plans kept with their problems, so that a past step can be explained with what it would have cost otherwise."""


class ProblemBuilder:
    """Puts together what a planner may know.

    Parameters
    ----------
    setup : Setup
        The plant.
    store : Store
        Measurements.
    prices : PriceBook
        Prices at the meters.
    """

    def __init__(self, setup: Setup, store: Store, prices: PriceBook) -> None:
        self._setup = setup
        self._store = store
        self._prices = prices
        plant = setup.plant
        self._sites = tuple(site.id for site in plant.sites)
        self._battery_site = tuple(i for i, site in enumerate(plant.sites) for _ in site.batteries)
        self._asset_site = np.array(
            [plant.sites.index(plant.site_of(a.id)) for a in setup.uncontrolled], dtype=np.int64
        )
        self._curtailable = np.array([getattr(a, "curtailable", False) for a in setup.uncontrolled], dtype=bool)
        self._import_max = np.array([site.connection.import_max_kw for site in plant.sites])
        self._export_max = np.array([site.connection.export_max_kw for site in plant.sites])
        self._discharge_efficiency = np.array([battery.discharge_efficiency for battery in plant.batteries])

    def build(
        self, grid: TimeGrid, *, now: datetime, forecasts: Forecasts, awards: Sequence[Award] = ()
    ) -> PlanProblem:
        """Return the problem of a grid as known at ``now``.

        Raises
        ------
        MissingDataError
            When a forecast or a price is missing, or a forecast is overdue.
        """
        for forecast in forecasts.values():
            if is_overdue(forecast, now, max(self._setup.forecast_every_s, self._setup.resolution_s)):
                raise MissingDataError(
                    f"the forecast of {forecast.key} was issued at {forecast.issued_at.isoformat()}, more than two "
                    f"cadences before {now.isoformat()}; nothing is planned on it until a new one is issued"
                )
        powers = np.column_stack(
            [self._forecast_kw(forecasts, key, grid) for key in self._setup.power_keys] or [np.empty((grid.count, 0))]
        )
        view = self._prices.view(grid, now=now, spot_forecast=forecasts.get(SPOT))
        return self.from_powers(grid, now=now, powers=powers, view=view, awards=awards)

    def from_powers(
        self,
        grid: TimeGrid,
        *,
        now: datetime,
        powers: Floats,
        view: PriceView,
        awards: Sequence[Award] = (),
        initial_soc: Floats | None = None,
    ) -> PlanProblem:
        """Return the problem for given powers of the uncontrolled assets, shape (T, K), positive toward the grid."""
        plant = self._setup.plant
        sites = len(self._sites)
        wide = (grid.count, sites)
        return PlanProblem(
            plant=plant.id,
            issued_at=now,
            grid=grid,
            site_ids=self._sites,
            batteries=plant.batteries,
            battery_site=self._battery_site,
            initial_soc=self.state_of_charge(now) if initial_soc is None else initial_soc,
            fixed_kw=self._by_site(powers, ~self._curtailable),
            curtailable_kw=np.maximum(self._by_site(powers, self._curtailable), 0.0),
            import_price_per_kwh=np.broadcast_to(view.import_per_kwh[:, None], wide),
            export_price_per_kwh=np.broadcast_to(view.export_per_kwh[:, None], wide),
            import_max_kw=self._import_max,
            export_max_kw=self._export_max,
            terminal_value_per_kwh=self.energy_value(view),
            committed_kw=self._committed(grid, awards),
            imbalance_spread_per_kwh=self._setup.imbalance_spread_per_kwh,
            price_known=view.known,
        )

    def energy_value(self, view: PriceView) -> Floats:
        """Return what a kWh left in each battery is worth: the median price of drawing it again, less the loss."""
        return np.asarray(self._discharge_efficiency * float(np.median(view.import_per_kwh)), dtype=np.float64)

    def state_of_charge(self, now: datetime) -> Floats:
        """Return the latest measured state of charge of each battery, or its stated start where none was measured."""
        stated = np.array([battery.soc_initial for battery in self._setup.plant.batteries], dtype=np.float64)
        if not stated.size:
            return stated
        recent = TimeGrid(now - timedelta(seconds=self._setup.resolution_s), self._setup.resolution_s, 1)
        measured = self._store.series(self._setup.plant.id, self._setup.soc_keys, recent, known_at=now).value[0]
        if np.isnan(measured).any():
            measured = np.where(np.isnan(measured), self._older_soc(now), measured)
        return np.clip(np.where(np.isnan(measured), stated, measured), 0.0, 1.0)

    def _older_soc(self, now: datetime) -> Floats:
        day = TimeGrid(now - timedelta(days=1), self._setup.resolution_s, SECONDS_PER_DAY // self._setup.resolution_s)
        table = self._store.series(self._setup.plant.id, self._setup.soc_keys, day, known_at=now).value
        latest = np.full(table.shape[1], np.nan)
        for column in range(table.shape[1]):
            known = table[np.isfinite(table[:, column]), column]
            latest[column] = known[-1] if known.size else np.nan
        return latest

    def _forecast_kw(self, forecasts: Forecasts, key: SeriesKey, grid: TimeGrid) -> Floats:
        forecast = forecasts.get(key)
        if forecast is None or UNMEASURED in forecast.flags:
            raise MissingDataError(f"{key.source} has never been measured; nothing can be planned on it yet")
        value = align(forecast.grid.times_s, forecast.value, grid)
        if np.isnan(value).any():
            raise MissingDataError(
                f"the forecast of {key} issued at {forecast.issued_at.isoformat()} ends before the plan does"
            )
        return value

    def _by_site(self, powers: Floats, chosen: NDArray[np.bool_]) -> Floats:
        total = np.zeros((powers.shape[0], len(self._sites)))
        for column in np.flatnonzero(chosen):
            total[:, self._asset_site[column]] += powers[:, column]
        return total

    def _committed(self, grid: TimeGrid, awards: Sequence[Award]) -> Floats:
        committed = np.full((grid.count, len(self._sites)), np.nan)
        for award in awards:
            sold = align(award.grid.times_s, award.power_kw, grid)
            committed[np.isfinite(sold), 0] = sold[np.isfinite(sold)]
        return committed


@dataclass(frozen=True, slots=True)
class Issued:
    """A schedule and the problem it answers."""

    problem: PlanProblem
    schedule: Schedule


class PlanningService:
    """Plans when it is due and keeps the schedule that is in force.

    Parameters
    ----------
    setup : Setup
        The plant.
    builder : ProblemBuilder
        Makes problems.
    planner : Planner
        Solves them.
    store : Store
        Where schedules go.
    every_s : int
        Cadence [s].
    """

    def __init__(
        self, setup: Setup, builder: ProblemBuilder, planner: Planner[PlanProblem], store: Store, *, every_s: int
    ) -> None:
        self._setup = setup
        self._builder = builder
        self._planner = planner
        self._store = store
        self._every = timedelta(seconds=every_s)
        self._due: datetime | None = None
        self._issued: deque[Issued] = deque(maxlen=KEPT)

    @property
    def current(self) -> Issued | None:
        """The plan in force; None before the first."""
        return self._issued[-1] if self._issued else None

    def in_force(self, time: datetime) -> Issued | None:
        """Return the plan that was in force at a time, or is; None when it is no longer kept."""
        for issued in reversed(tuple(self._issued)):
            if issued.schedule.issued_at <= time:
                return issued
        return None

    def run(self, now: datetime, forecasts: Forecasts, awards: Sequence[Award]) -> Schedule | None:
        """Return a new schedule when one is due, else None."""
        if self._due is not None and now < self._due:
            return None
        problem = self._builder.build(self.grid(now, forecasts), now=now, forecasts=forecasts, awards=awards)
        schedule = self.solve(problem)
        self._due = now + self._every
        return schedule

    def solve(self, problem: PlanProblem) -> Schedule:
        """Plan a problem, keep the schedule and put it in force."""
        schedule = self._planner.plan(problem)
        self._issued.append(Issued(problem, schedule))
        self._store.write_schedule(schedule)
        return schedule

    def outlook(self, now: datetime, until: datetime, forecasts: Forecasts, awards: Sequence[Award]) -> Schedule:
        """Return a plan that reaches ``until``, without putting it in force: what the plant would sell."""
        grid = TimeGrid.between(now, until, self._setup.resolution_s)
        return self._planner.plan(self._builder.build(grid, now=now, forecasts=forecasts, awards=awards))

    def grid(self, now: datetime, forecasts: Forecasts) -> TimeGrid:
        """Return the steps to plan: the horizon, cut where the shortest forecast ends."""
        steps = self._setup.horizon_steps
        for key in self._setup.power_keys:
            if key in forecasts:
                ends = forecasts[key].grid.end
                steps = min(steps, int((ends - now).total_seconds()) // self._setup.resolution_s)
        return TimeGrid(now, self._setup.resolution_s, max(steps, 1))
