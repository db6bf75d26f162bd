from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from vpp.core.errors import MissingDataError
from vpp.core.messages import Award, Forecast, Reading, Readings, SeriesKey
from vpp.core.time import TimeGrid
from vpp.runtime.build import planner_of, price_book
from vpp.runtime.planning import KEPT, PlanningService, ProblemBuilder
from vpp.runtime.setup import Setup
from vpp.store.memory import MemoryStore

START = datetime(2024, 5, 6, tzinfo=UTC)
STEP = timedelta(minutes=15)
ForecastsOf = Callable[..., dict[SeriesKey, Forecast]]


@pytest.fixture
def setup(home: Callable[..., Setup]) -> Setup:
    return home()


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def planning(setup: Setup, store: MemoryStore) -> PlanningService:
    builder = ProblemBuilder(setup, store, price_book(setup, store))
    return PlanningService(setup, builder, planner_of("no_battery"), store, every_s=3600)


def test_it_plans_when_due_and_keeps_what_it_planned(
    planning: PlanningService, setup: Setup, store: MemoryStore, forecasts_of: ForecastsOf
) -> None:
    forecasts = forecasts_of(setup, START)
    made = [planning.run(START + n * STEP, forecasts, []) for n in range(9)]
    assert [schedule is not None for schedule in made] == [True, False, False, False] * 2 + [True]
    assert planning.current is not None
    assert planning.current.schedule is made[8]
    kept = store.schedule("home")
    assert kept is not None
    assert kept.issued_at == START + 8 * STEP


def test_the_horizon_is_cut_where_the_shortest_forecast_ends(
    planning: PlanningService, setup: Setup, forecasts_of: ForecastsOf
) -> None:
    forecasts = forecasts_of(setup, START)
    assert planning.grid(START, forecasts).count == 96
    short = {key: forecasts_of(setup, START, hours=10.0)[key] for key in setup.power_keys[:1]}
    assert planning.grid(START, forecasts | short).count == 40
    assert planning.grid(START + timedelta(hours=9), forecasts | short).count == 4
    assert planning.grid(START, {}).count == 96


def test_the_plan_in_force_is_the_last_one_issued_by_then(
    planning: PlanningService, setup: Setup, forecasts_of: ForecastsOf
) -> None:
    for hour in (0, 1, 2):
        planning.run(START + timedelta(hours=hour), forecasts_of(setup, START), [])
    for minutes, hour in ((0, 0), (59, 0), (60, 1), (119, 1), (120, 2), (600, 2)):
        found = planning.in_force(START + timedelta(minutes=minutes))
        assert found is not None
        assert found.schedule.issued_at == START + timedelta(hours=hour)
    assert planning.in_force(START - STEP) is None


def test_only_so_many_plans_are_kept(
    setup: Setup, store: MemoryStore, planning: PlanningService, forecasts_of: ForecastsOf
) -> None:
    problem = planning._builder.build(TimeGrid(START, 900, 4), now=START, forecasts=forecasts_of(setup, START))
    for _ in range(KEPT + 5):
        planning.solve(problem)
    assert len(planning._issued) == KEPT


def test_a_missing_or_short_forecast_is_an_error(
    planning: PlanningService, setup: Setup, forecasts_of: ForecastsOf
) -> None:
    grid = TimeGrid(START, 900, 96)
    with pytest.raises(MissingDataError, match="load has never been measured"):
        planning._builder.build(grid, now=START, forecasts={})
    with pytest.raises(MissingDataError, match="ends before the plan does"):
        planning._builder.build(grid, now=START, forecasts=forecasts_of(setup, START, hours=12.0))


def test_the_state_of_charge_is_the_newest_that_had_arrived(
    planning: PlanningService, setup: Setup, store: MemoryStore
) -> None:
    builder = planning._builder
    assert builder.state_of_charge(START).tolist() == [0.5]

    def measured(time: datetime, soc: float, arrived: datetime) -> None:
        key = SeriesKey("battery", "soc")
        store.write_readings(Readings.of([Reading("home", key, time, soc, arrived, arrived)]))

    measured(START - 4 * STEP, 0.3, START)
    assert builder.state_of_charge(START).tolist() == [0.3]
    measured(START - STEP, 0.4, START)
    assert builder.state_of_charge(START).tolist() == [0.4]
    measured(START - STEP, 0.8, START + STEP)
    assert builder.state_of_charge(START).tolist() == [0.4]
    assert builder.state_of_charge(START + timedelta(days=3)).tolist() == [0.5]


def test_positions_stand_in_the_problem_on_their_steps_only(
    planning: PlanningService, setup: Setup, forecasts_of: ForecastsOf
) -> None:
    grid = TimeGrid(START, 900, 8)
    sold = Award("o", "home", "day_ahead", grid.part(2, 5), np.array([1.0, -2.0, 3.0]), np.zeros(3))
    problem = planning._builder.build(grid, now=START, forecasts=forecasts_of(setup, START), awards=[sold])
    assert np.isnan(problem.committed_kw[[0, 1, 5, 6, 7], 0]).all()
    assert problem.committed_kw[2:5, 0].tolist() == [1.0, -2.0, 3.0]


def test_an_outlook_is_not_put_in_force(
    planning: PlanningService, setup: Setup, store: MemoryStore, forecasts_of: ForecastsOf
) -> None:
    outlook = planning.outlook(START, START + timedelta(hours=36), forecasts_of(setup, START), [])
    assert outlook.grid.count == 144
    assert planning.current is None
    assert store.schedule("home") is None


def test_nothing_is_planned_on_a_forecast_older_than_two_of_its_cadences(
    planning: PlanningService, setup: Setup, forecasts_of: ForecastsOf
) -> None:
    forecasts = forecasts_of(setup, START)
    oldest = START + 2 * timedelta(seconds=setup.forecast_every_s)
    assert planning.run(oldest, forecasts, []) is not None
    with pytest.raises(MissingDataError, match=r"more than two cadences before .*; nothing is planned on it"):
        planning.run(oldest + timedelta(hours=1), forecasts, [])
    key = setup.power_keys[0]
    fresh = {key: forecasts_of(setup, oldest)[key]}
    with pytest.raises(MissingDataError, match=f"the forecast of {setup.power_keys[1]} was issued at"):
        planning.run(oldest + timedelta(hours=1), forecasts | fresh, [])
    assert planning.run(oldest + timedelta(hours=1), forecasts_of(setup, oldest), []) is not None
