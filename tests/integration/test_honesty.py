"""Honest results: the order of the strategies, claims that execution earns, and the balance at every meter.

That nothing looks ahead is tested in ``test_no_lookahead.py``.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import vpp.runtime.backtest as backtesting
from vpp.config import VPPConfig
from vpp.core import storage
from vpp.core.assets import Battery
from vpp.core.messages import POWER_KW, SOC, Event, Schedule, SeriesKey, Severity
from vpp.core.ports import SeriesTable
from vpp.core.time import TimeGrid
from vpp.dispatch.commands import commands_for_step
from vpp.optimization.problem import PlanProblem
from vpp.runtime.build import Assembly, assemble, planner_of, preload, read_history
from vpp.runtime.clock import DataClock
from vpp.runtime.dispatching import meters_of
from vpp.runtime.forecasts import StoredForecasts
from vpp.runtime.money import delivered_of, rates_of
from vpp.runtime.planning import Issued
from vpp.runtime.setup import Setup, setup_of
from vpp.simulation.replay import ReplayedPlant
from vpp.store.memory import MemoryStore
from vpp.trading.settlement import Delivered, Rates, Statement, settle

BUILTIN = ("homes", "wholesale")
SHARED = ("lu_delu_2020", "nl_substations_2021")
RELATIVE = 1e-6


@pytest.fixture(scope="module")
def shared_plants(root: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("shared_plants", root / "benchmarks" / "shared_plants.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@dataclass(slots=True)
class Run:
    """One back-test with what stood behind each strategy's figures."""

    result: backtesting.BacktestResult
    behind: dict[str, Assembly] = field(default_factory=dict)
    setup: Setup | None = None

    def cost(self, name: str) -> float:
        return self.result.strategies[name].statement.cost


def observed(config: VPPConfig, **given: Any) -> Run:
    """Run a back-test and keep every strategy's assembly."""
    behind: list[Assembly] = []
    original = backtesting._statement

    def statement(assembly: Assembly, setup: Setup, grid: TimeGrid) -> Statement:
        behind.append(assembly)
        return original(assembly, setup, grid)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(backtesting, "_statement", statement)
        result = backtesting.backtest(config, **given)
    order = sorted(backtesting.STRATEGIES, key=lambda name: name != "plan")
    return Run(result, dict(zip(order, behind, strict=True)), replace(setup_of(config), control=True))


@pytest.fixture(scope="module")
def week() -> Callable[[str], Run]:
    kept: dict[str, Run] = {}

    def run(name: str) -> Run:
        if name not in kept:
            kept[name] = observed(VPPConfig.load(name), days=7)
        return kept[name]

    return run


def assert_in_order(run: Run) -> None:
    perfect, plan = run.cost("perfect_foresight"), run.cost("plan")
    slack = RELATIVE * abs(perfect)
    costs = {name: round(one.statement.cost, 2) for name, one in run.result.strategies.items()}
    assert perfect <= min(run.cost(name) for name in backtesting.STRATEGIES) + slack, costs
    assert plan <= run.cost("rule"), costs
    assert plan <= run.cost("no_battery"), costs


def assert_foresight_earned(run: Run) -> None:
    """What perfect foresight claimed is what its execution earned; a claim counts all energy left, a cost the gain."""
    assembly, setup = run.behind["perfect_foresight"], run.setup
    assert setup is not None
    claim = assembly.planning._planner._schedule  # type: ignore[attr-defined]
    _, rates, _ = money_of(run, "perfect_foresight")
    at_start = sum(
        battery.soc_initial * battery.capacity_kwh * value
        for battery, value in zip(setup.plant.batteries, rates.energy_value_per_kwh, strict=True)
    )
    earned = run.cost("perfect_foresight") - at_start
    assert earned == pytest.approx(claim.objective, rel=RELATIVE)


def money_of(run: Run, name: str) -> tuple[Delivered, Rates, Statement]:
    setup, assembly, grid = run.setup, run.behind[name], run.result.grid
    assert setup is not None
    start = np.array([battery.soc_initial for battery in setup.plant.batteries])
    delivered = delivered_of(setup, assembly.store, grid, start_soc=start)
    rates = rates_of(setup, assembly.prices, assembly.builder, grid)
    return delivered, rates, run.result.strategies[name].statement


@pytest.mark.parametrize("name", BUILTIN)
def test_foresight_beats_the_plan_and_the_plan_the_rest(week: Callable[[str], Run], name: str) -> None:
    assert_in_order(week(name))


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", [*BUILTIN, *SHARED])
def test_the_order_holds_over_four_weeks(shared: Path, shared_plants: ModuleType, name: str) -> None:
    if name in SHARED:
        config, table = shared_plants.SHARED_PLANTS[name]()
        run = observed(config, days=28, table=table)
    else:
        run = observed(VPPConfig.load(name), days=28)
    assert_in_order(run)
    assert_foresight_earned(run)


@pytest.mark.parametrize("name", BUILTIN)
def test_perfect_foresight_earns_what_it_claimed(week: Callable[[str], Run], name: str) -> None:
    assert_foresight_earned(week(name))


@pytest.mark.parametrize("name", BUILTIN)
def test_the_statement_is_the_obvious_sum(week: Callable[[str], Run], name: str) -> None:
    for strategy in backtesting.STRATEGIES:
        delivered, rates, statement = money_of(week(name), strategy)
        assert slow_cost(delivered, rates) == pytest.approx(statement.cost, rel=1e-9), strategy
        assert float(np.sum(statement.step_cost)) == pytest.approx(statement.cost + statement.terminal_value)


def slow_cost(delivered: Delivered, rates: Rates) -> float:
    """Add up a window kWh by kWh."""
    total = 0.0
    for step, site in np.ndindex(delivered.grid_kw.shape):
        energy_kwh = float(delivered.grid_kw[step, site]) * delivered.duration_h
        if energy_kwh < 0.0:
            total += -energy_kwh * float(rates.import_price_per_kwh[step, site])
        else:
            total -= energy_kwh * float(rates.export_price_per_kwh[step, site])
        sold_kw = float(delivered.committed_kw[step, site])
        if sold_kw == sold_kw:
            total += abs(energy_kwh - sold_kw * delivered.duration_h) * rates.imbalance_spread_per_kwh
    for step, asset in np.ndindex(delivered.battery_kw.shape):
        if delivered.battery_kw[step, asset] > 0.0:
            discharged_kwh = float(delivered.battery_kw[step, asset]) * delivered.duration_h
            total += discharged_kwh * float(rates.wear_cost_per_kwh[asset])
    for asset in range(delivered.battery_kw.shape[1]):
        gained_kwh = float(delivered.energy_end_kwh[asset] - delivered.energy_start_kwh[asset])
        total -= gained_kwh * float(rates.energy_value_per_kwh[asset])
    return total


@pytest.mark.parametrize("name", BUILTIN)
def test_all_strategies_begin_alike_and_value_the_end_alike(week: Callable[[str], Run], name: str) -> None:
    run = week(name)
    money = [money_of(run, strategy) for strategy in backtesting.STRATEGIES]
    first, first_rates, _ = money[0]
    for delivered, rates, _ in money[1:]:
        assert np.array_equal(delivered.energy_start_kwh, first.energy_start_kwh)
        assert np.array_equal(rates.energy_value_per_kwh, first_rates.energy_value_per_kwh)
        assert np.array_equal(rates.import_price_per_kwh, first_rates.import_price_per_kwh)
        assert np.array_equal(rates.export_price_per_kwh, first_rates.export_price_per_kwh)
    for strategy in backtesting.STRATEGIES:
        assert_begins_as_stated(run, strategy)


def assert_begins_as_stated(run: Run, strategy: str) -> None:
    """The first step's state of charge follows from the stated start, whatever the strategy."""
    setup, store = run.setup, run.behind[strategy].store
    assert setup is not None
    grid = run.result.grid.part(0, 1)
    power = store.series(setup.plant.id, setup.battery_keys, grid).value[0]
    soc = store.series(setup.plant.id, setup.soc_keys, grid).value[0]
    for battery, power_kw, after in zip(setup.plant.batteries, power, soc, strict=True):
        start_kwh = battery.soc_initial * battery.capacity_kwh
        step = storage.execute(start_kwh, power_kw, battery.limits, duration_h=grid.duration_h)
        assert float(step.energy_kwh) / battery.capacity_kwh == pytest.approx(after, abs=1e-9), battery.id


@pytest.mark.parametrize("name", BUILTIN)
@pytest.mark.parametrize("strategy", backtesting.STRATEGIES)
def test_assets_sum_to_their_meter_and_batteries_stay_in_band(
    week: Callable[[str], Run], name: str, strategy: str
) -> None:
    run = week(name)
    setup, store, grid = run.setup, run.behind[strategy].store, run.result.grid
    assert setup is not None
    plant = setup.plant
    for site in plant.sites:
        powers = store.series(plant.id, [SeriesKey(asset.id, POWER_KW) for asset in site.assets], grid).value
        meter = store.series(plant.id, [SeriesKey(site.id, POWER_KW)], grid).value[:, 0]
        assert np.isfinite(powers).all()
        scale = max(1.0, float(np.abs(powers).max()))
        assert float(np.abs(powers.sum(axis=1) - meter).max()) < 1e-9 * scale, site.id
        assert meter.max() <= site.connection.export_max_kw + 1e-6
        assert -meter.min() <= site.connection.import_max_kw + 1e-6
    for battery in plant.batteries:
        soc = store.series(plant.id, [SeriesKey(battery.id, SOC)], grid).value[:, 0]
        assert battery.soc_min - 1e-9 <= soc.min()
        assert soc.max() <= battery.soc_max + 1e-9


@pytest.mark.parametrize("name", BUILTIN)
def test_a_schedule_replayed_on_its_forecast_earns_its_claim(week: Callable[[str], Run], name: str) -> None:
    run = week(name)
    assert run.setup is not None
    issued = list(run.behind["plan"].planning._issued)
    chosen = issued[:: max(1, len(issued) // 50)]
    assert len(chosen) >= 50
    assert_claims_earned(run.setup, chosen)
    if name == "wholesale":
        assert any(np.isfinite(one.problem.committed_kw).any() for one in chosen), "no schedule held a position"


def test_a_schedule_that_curtails_earns_its_claim(shared: Path, shared_plants: ModuleType) -> None:
    """Luxembourg from 20 April 2020: prices below zero, with positions to keep and generation to leave unused."""
    config, table = shared_plants.lu_delu_2020()
    start = shared_plants.pd.Timestamp("2020-04-19T22:00Z").to_pydatetime()
    first = table.grid.index(start) - 14 * 96
    short = SeriesTable(table.grid.part(first, first + 17 * 96), table.keys, table.value[first : first + 17 * 96])
    run = observed(config, days=3, start=start, table=short)
    assert run.setup is not None
    curtailing = [one for one in run.behind["plan"].planning._issued if one.schedule.curtailed_kw.max() > 0.0]
    assert len(curtailing) >= 10
    assert_claims_earned(run.setup, curtailing)
    assert_foresight_earned(run)


def assert_claims_earned(setup: Setup, issued: list[Issued]) -> None:
    for one in issued:
        assert one.schedule.usable
        claim = one.schedule.objective
        assert claim is not None
        scale = max(abs(claim), 1e-3)
        bare = replayed_cost(one.problem, one.schedule)
        assert abs(bare - claim) <= RELATIVE * scale, f"{one.schedule.issued_at}: {bare} for {claim} by the balance"
        simulated = simulated_cost(setup, one)
        assert abs(simulated - claim) <= RELATIVE * scale, f"{one.schedule.issued_at}: {simulated} for {claim}"


def replayed_cost(problem: PlanProblem, schedule: Schedule) -> float:
    """Return what a schedule costs when ``core.storage`` executes it, step by step."""
    hours, total = problem.grid.duration_h, 0.0
    energy = [
        float(soc) * battery.capacity_kwh for soc, battery in zip(problem.initial_soc, problem.batteries, strict=True)
    ]
    for step in range(problem.grid.count):
        grid_kw = problem.fixed_kw[step] + problem.curtailable_kw[step] - schedule.curtailed_kw[step]
        for column, battery in enumerate(problem.batteries):
            asked = float(schedule.power_kw[step, column])
            done = storage.execute(energy[column], asked, battery.limits, duration_h=hours)
            assert float(done.power_kw) == pytest.approx(asked, abs=1e-6), "the balance cut the plan"
            energy[column] = float(done.energy_kwh)
            soc = energy[column] / battery.capacity_kwh
            assert float(schedule.soc[step, column]) == pytest.approx(soc, abs=1e-6)
            grid_kw[problem.battery_site[column]] += float(done.power_kw)
            total += max(asked, 0.0) * hours * battery.wear_cost_per_kwh
        for site, power_kw in enumerate(grid_kw):
            price = problem.export_price_per_kwh if power_kw > 0.0 else problem.import_price_per_kwh
            total -= float(power_kw) * hours * float(price[step, site])
            sold_kw = float(problem.committed_kw[step, site])
            if sold_kw == sold_kw:
                total += abs(float(power_kw) - sold_kw) * hours * problem.imbalance_spread_per_kwh
    return total - float(np.dot(energy, problem.terminal_value_per_kwh))


def simulated_cost(setup: Setup, issued: Issued) -> float:
    """Return what a schedule costs when the simulated plant gets its commands, without leave to follow the meter."""
    problem, schedule, plant = issued.problem, issued.schedule, setup.plant
    values = np.zeros((problem.grid.count, len(setup.power_keys)))
    for column, series in ((problem.fixed_kw, False), (problem.curtailable_kw, True)):
        for site_index, site in enumerate(plant.sites):
            ids = [
                a.id for a in site.assets if not isinstance(a, Battery) and getattr(a, "curtailable", False) is series
            ]
            if ids:
                values[:, setup.power_keys.index(SeriesKey(ids[0], POWER_KW))] = column[:, site_index]
    soc = {battery.id: float(start) for battery, start in zip(problem.batteries, problem.initial_soc, strict=True)}
    device = ReplayedPlant(plant, SeriesTable(problem.grid, setup.power_keys, values), soc_initial=soc)
    for step, time in enumerate(problem.grid):
        meters = meters_of(schedule, problem, step)
        for command in commands_for_step(schedule, step, plant=plant, issued_at=time, meters=meters):
            is_battery = command.asset_id in schedule.asset_ids
            device.execute(replace(command, grid_floor_kw=None, grid_ceiling_kw=None) if is_battery else command)
    readings, _ = device.poll(problem.grid.end)
    assert readings is not None
    store = MemoryStore()
    store.write_readings(readings)
    start_soc = np.asarray(problem.initial_soc)
    delivered = replace(
        delivered_of(setup, store, problem.grid, start_soc=start_soc), committed_kw=problem.committed_kw
    )
    rates = Rates(
        import_price_per_kwh=problem.import_price_per_kwh,
        export_price_per_kwh=problem.export_price_per_kwh,
        imbalance_spread_per_kwh=problem.imbalance_spread_per_kwh,
        wear_cost_per_kwh=np.array([battery.wear_cost_per_kwh for battery in problem.batteries]),
        energy_value_per_kwh=problem.terminal_value_per_kwh,
    )
    at_start = float(np.dot(delivered.energy_start_kwh, problem.terminal_value_per_kwh))
    return settle(delivered, rates).cost - at_start


class _FailsOnce:
    """A planner that breaks the second time it is asked."""

    name = "fails_once"

    def __init__(self) -> None:
        self.inner = planner_of("no_battery")
        self.calls = 0

    def plan(self, problem: PlanProblem) -> Schedule:
        self.calls += 1
        if self.calls == 2:
            raise RuntimeError("planted fault")
        return self.inner.plan(problem)


def test_a_failed_tick_is_told_and_the_next_one_works(week: Callable[[str], Run]) -> None:
    config = VPPConfig.load("homes")
    setup, store = setup_of(config), MemoryStore()
    table = read_history(config, setup)
    grid = week("homes").result.grid.part(0, 4)
    preload(setup, store, table, start=table.grid.start, end=grid.start)
    first = table.grid.index(grid.start)
    power = SeriesTable(grid, setup.power_keys, backtesting.power_table(setup, table).value[first : first + 4])
    forecasts = week("homes").behind["plan"].loop.forecasts.latest
    early = {key: replace(one, grid=TimeGrid(grid.start, 3600, one.grid.count)) for key, one in forecasts.items()}
    ticked = []
    assembly = assemble(
        setup, store, [ReplayedPlant(setup.plant, power)], planner=_FailsOnce(),
        forecasts=StoredForecasts([(grid.start, list(early.values()))]), on_tick=ticked.append,
    )  # fmt: skip
    assembly.loop.run(DataClock(grid.start), until=grid.time(3))
    (event,) = store.events(setup.plant.id)
    assert isinstance(event, Event)
    assert (event.kind, event.severity, event.at) == ("tick_failed", Severity.ERROR, grid.time(1))
    assert "planted fault" in event.message
    assert event.fields == {"error": "RuntimeError"}
    assert [tick.now for tick in ticked] == [grid.time(0), grid.time(2), grid.time(3)]
    assert all(tick.schedule is not None for tick in ticked)
