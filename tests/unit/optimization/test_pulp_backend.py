"""The plan written with PuLP: the same program, the same verdict, the same cost, found by another solver."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import highspy
import numpy as np
import pytest

from vpp.core.assets import HeatPump
from vpp.core.errors import InvalidInputError, UnknownNameError, UnreadableFileError
from vpp.core.messages.planned import PlanStatus
from vpp.optimization.chain import ChainPlanner, default_chain
from vpp.optimization.flexible import DeferrableLoad, EvSession, HeatedHouse
from vpp.optimization.linear import LinearPlanner
from vpp.optimization.matrix import build
from vpp.optimization.outcome import without_plan
from vpp.optimization.reserve import Reserve
from vpp.optimization.rules import RulePlanner
from vpp.optimization.solver import Solver, SolveStatus
from vpp.optimization.wear import WearCurve

pytest.importorskip("pulp")
from vpp.optimization import pulp_backend
from vpp.optimization.pulp_backend import PulpPlanner, PulpSolver, is_available, names_of, to_pulp, write_lp

CASES = 96
GROUPS = 16
SOLVERS = ["highs", pytest.param("cbc", marks=pytest.mark.skipif(not is_available("cbc"), reason="no CBC here"))]


def flexible_problem(problems, seed):
    """Return a problem with everything that only some problems have."""
    rng, steps = np.random.default_rng(seed), 8
    outdoor = rng.uniform(-5.0, 10.0, steps)
    house = HeatedHouse(
        heat_pump=HeatPump(id="hp", rated_kw=4.0), site=1, initial_temperature_c=20.5, outdoor_temperature_c=outdoor
    )
    cars = tuple(
        EvSession(
            asset_id="car-1", arrival_step=first, departure_step=first + 4, energy_needed_kwh=needed, charge_max_kw=5.0
        )
        for first, needed in ((0, 8.0), (4, float(rng.uniform(5.0, 40.0))))
    )
    boiler = DeferrableLoad(
        asset_id="boiler", site=1, earliest_step=1, end_step=7, energy_needed_kwh=4.0, power_max_kw=2.0
    )
    prices = rng.uniform(0.05, 0.4, (steps, 2))
    return replace(
        problems.problem(
            steps,
            2,
            import_price_per_kwh=prices,
            export_price_per_kwh=prices - 0.03,
            fixed_kw=rng.uniform(-3.0, 1.0, (steps, 2)),
        ),
        ev_sessions=cars,
        heated_houses=(house,),
        deferrable_loads=(boiler,),
        demand_charge_per_kw=np.array([0.5, 0.0]),
        portfolio_import_max_kw=25.0,
        carbon_price_per_kg=0.05,
        carbon_kg_per_kwh=rng.uniform(0.1, 0.5, (steps, 2)),
        reserve=Reserve(sustain_h=1.0, up_price_per_kwh=np.full(steps, 0.01)),
        wear_curves=(WearCurve(cost_per_kwh=(0.01, 0.03)), None),
    )


def close(one: float, other: float) -> bool:
    return abs(one - other) <= 1e-6 * max(1.0, abs(one))


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("group", range(GROUPS))
def test_the_linear_planner_and_pulp_agree(problems, solver, group):
    for seed in range(group, CASES, GROUPS):
        problem = problems.random_problem(seed, feed_in_above=seed % 3 == 0)
        ours, theirs = LinearPlanner().plan(problem), PulpPlanner(solver=solver).plan(problem)
        assert theirs.status is ours.status
        if ours.status is PlanStatus.INFEASIBLE:
            assert [conflict.name for conflict in theirs.conflicts] == [conflict.name for conflict in ours.conflicts]
            assert close(ours.least_violation.objective, theirs.least_violation.objective)
            continue
        assert close(ours.bound, theirs.bound)
        assert close(ours.objective, theirs.objective), f"seed {seed}"
        assert theirs.method.startswith(f"linear, pulp with {solver}")
        assert np.isfinite(theirs.marginal_value_per_kwh).all()
        assert (theirs.import_kw <= problem.import_max_kw + 1e-6).all()


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("seed", range(4))
def test_they_agree_on_cars_houses_reserve_and_shared_limits(problems, solver, seed):
    problem = flexible_problem(problems, seed)
    ours, theirs = LinearPlanner().plan(problem), PulpPlanner(solver=solver).plan(problem)
    assert theirs.status is ours.status is PlanStatus.OPTIMAL
    assert close(ours.bound, theirs.bound)
    assert close(ours.objective, theirs.objective)


def test_what_only_some_problems_have_is_named_too(problems):
    names = {variable.name for variable in to_pulp(flexible_problem(problems, 0)).variables()}
    start = "2016.08.01T00.00"
    assert {f"goal(car_1,{start})", "goal_short(boiler)", f"heat(hp,{start})", "peak(site0)"} <= names
    assert f"reserve_up(battery1,{start})" in names


def test_where_directions_are_fixed_each_states_how_far_it_may_be_off(problems):
    """Of several best relaxations the solvers may return different ones, and so fix other steps: seed 143 does."""
    problem = problems.random_problem(143)
    ours, theirs = LinearPlanner().plan(problem), PulpPlanner(solver="highs").plan(problem)
    assert close(ours.bound, theirs.bound)
    for plan in (ours, theirs):
        assert plan.objective >= plan.bound - 1e-9
        assert "directions were fixed" in plan.message
    assert abs(ours.objective - theirs.objective) <= ours.objective - ours.bound


def test_the_cases_leave_nothing_out(problems):
    """The agreement above means something: its cases hold negative prices, commitments, infeasible ones."""
    cases = [problems.random_problem(seed, feed_in_above=seed % 3 == 0) for seed in range(CASES)]
    assert sum((case.import_price_per_kwh < 0.0).any() for case in cases) >= 10
    assert sum(np.isfinite(case.committed_kw).any() for case in cases) >= 10
    statuses = [LinearPlanner().plan(case).status for case in cases]
    assert statuses.count(PlanStatus.INFEASIBLE) >= 10
    assert statuses.count(PlanStatus.OPTIMAL) >= 50


@pytest.mark.parametrize("solver", SOLVERS)
def test_reasons_and_prices_come_from_the_duals(problems, solver):
    problem = problems.problem(24, import_price_per_kwh=problems.DAY_PRICES, export_price_per_kwh=0.0, fixed_kw=-2.0)
    ours, theirs = LinearPlanner().plan(problem), PulpPlanner(solver=solver).plan(problem)
    assert close(ours.objective, theirs.objective)
    # many plans cost the same, so prices are checked by what they must satisfy: a battery acts where it pays
    value, price = theirs.marginal_value_per_kwh[:, 0], theirs.energy_price_per_kwh[:, 0]
    charging, discharging = theirs.power_kw[:, 0] < 0.0, theirs.power_kw[:, 0] > 0.0
    assert charging.any()
    assert (0.9 * value[charging] >= price[charging] - 1e-7).all()
    assert (value[discharging] / 0.9 <= price[discharging] + 1e-7).all()
    assert (theirs.code == ours.code).mean() > 0.5


@pytest.mark.parametrize("solver", SOLVERS)
def test_exclusive_directions_by_a_mixed_integer_program(problems, solver):
    """The published case: exclusive optimum 58.026, relaxation 58.950."""
    one_way = problems.battery(
        capacity_kwh=1.0,
        charge_max_kw=1.0,
        discharge_max_kw=1.0,
        charge_efficiency=0.95,
        discharge_efficiency=0.95,
        soc_initial=0.0,
    )
    prices = [-10.0, -10.0, 50.0]
    problem = problems.problem(3, batteries=(one_way,), import_price_per_kwh=prices, export_price_per_kwh=prices)
    matrix = build(problem)
    layout, chosen = matrix.layout, PulpSolver(solver)
    chosen.load(matrix)
    assert chosen.run(time_limit_s=30.0).objective == pytest.approx(-58.950, abs=1e-3)
    columns = {
        name: np.arange(where.start, where.stop, dtype=np.int32)[:3]
        for name, where in layout.columns.items()
        if name in ("charge", "discharge")
    }
    chosen.choose_one(columns["charge"], columns["discharge"], matrix)
    found = chosen.run(time_limit_s=30.0)
    assert found.status is SolveStatus.OPTIMAL
    assert found.objective == pytest.approx(-58.026, abs=1e-3)


@pytest.mark.parametrize("solver", SOLVERS)
def test_bounds_change_between_runs(problems, solver):
    matrix = build(problems.problem(4, import_price_per_kwh=[0.1, 0.4, 0.1, 0.4], fixed_kw=-1.0))
    hot, cold = Solver(), PulpSolver(solver)
    columns = np.arange(2, dtype=np.int32)
    for one in (hot, cold):
        one.load(matrix)
        one.bound(columns, np.array([0.5, 0.0]), np.array([0.5, 0.25]))
    assert cold.run(time_limit_s=30.0).objective == pytest.approx(hot.run(time_limit_s=30.0).objective, abs=1e-9)
    assert cold.run(time_limit_s=30.0).value[0] == pytest.approx(0.5)
    cold.bound(columns, np.array([1.0, 0.0]), np.array([0.5, 0.0]))
    assert cold.run(time_limit_s=30.0).status is SolveStatus.INFEASIBLE


def test_no_time_is_a_time_limit_and_no_program_an_error(problems):
    solver = PulpSolver("highs")
    with pytest.raises(InvalidInputError, match="load"):
        solver.run(time_limit_s=1.0)
    solver.load(build(problems.problem()))
    assert solver.run(time_limit_s=0.0).status is SolveStatus.TIME_LIMIT
    assert PulpPlanner(solver="highs", time_limit_s=1e-9).plan(problems.problem()).status is PlanStatus.TIMEOUT


def test_an_unknown_solver_is_named():
    with pytest.raises(UnknownNameError, match="highs"):
        PulpPlanner(solver="hihgs")  # type: ignore[arg-type]


def test_a_solver_that_stops_is_an_error_with_its_word(problems, monkeypatch):
    def refuse(*_, **__):
        raise pulp_backend.pulp.PulpSolverError("cannot execute cbc")

    monkeypatch.setattr(pulp_backend.pulp.COIN_CMD, "actualSolve", refuse)
    answer = PulpPlanner(solver="cbc").plan(problems.problem())
    assert answer.status is PlanStatus.FAILED
    assert answer.message == "pulp: the solver stopped: cannot execute cbc"


def test_names_can_be_read(problems):
    problem = problems.problem(
        2, sites=2, batteries=(problems.battery("home-1"), problems.battery("home_1")), curtailable_kw=1.0
    )
    names = names_of(build(problem).layout, sites=problem.site_ids, times=["a", "b"])
    assert names.columns[:4] == ("charge(home_1,a)", "charge(home_1,b)", "charge(home_1.1,a)", "charge(home_1.1,b)")
    assert "imports(site0,a)" in names.columns
    assert "curtail(site1,b)" in names.columns
    assert "bus(site1,b)" in names.rows
    assert len(set(names.columns)) == len(names.columns)


def test_a_block_that_is_not_known_is_numbered(problems):
    layout = build(problems.problem(3)).layout
    count = layout.column_count
    layout = replace(layout, columns={"peak": slice(0, 2), "new": slice(2, 8)}, rows={}, column_count=count)
    names = names_of(layout).columns
    assert names == ("peak(0)", "peak(1)", *(f"new({owner},{step})" for owner in (0, 1) for step in range(3)))


def test_the_lp_file_is_the_program(problems, tmp_path):
    problem = problems.random_problem(4)
    path = tmp_path / "plan.lp"
    write_lp(problem, path)
    text = path.read_text(encoding="utf-8")
    assert "charge(battery0,2016.08.01T00.00)" in text
    assert "Subject To" in text
    assert list(tmp_path.iterdir()) == [path]
    reader = highspy.Highs()
    reader.setOptionValue("output_flag", False)
    reader.readModel(str(path))
    reader.run()
    assert close(LinearPlanner().plan(problem).bound, reader.getInfo().objective_function_value)


def test_a_folder_that_is_not_there_is_said(problems, tmp_path):
    with pytest.raises(UnreadableFileError, match="cannot be written"):
        write_lp(problems.problem(), tmp_path / "nowhere" / "plan.lp")


def test_half_minutes_are_told_apart(problems):
    names = [variable.name for variable in to_pulp(problems.problem(2, resolution_s=30)).variables()]
    assert "charge(battery0,2016.08.01T00.00.30)" in names


class Late:
    """A planner that never answers in time."""

    def __init__(self, name="late", status=PlanStatus.TIMEOUT):
        self.name, self._status = name, status

    def plan(self, problem):
        return without_plan(problem, self._status, method=self.name, message=f"{self.name}: no plan within 1 s")


def test_the_chain_passes_a_first_answer_on(problems):
    problem = problems.problem(24, import_price_per_kwh=problems.DAY_PRICES, export_price_per_kwh=0.0)
    chain = default_chain(time_limit_s=30.0)
    assert [planner.name for planner in chain.planners] in (["linear", "pulp", "rule"], ["linear", "rule"])
    answer = chain.plan(problem)
    assert (answer.status, answer.message, answer.method) == (PlanStatus.OPTIMAL, "", "linear")


def test_the_chain_names_everyone_who_failed_first(problems):
    problem = problems.problem()
    answer = ChainPlanner((Late("linear"), PulpPlanner(solver="highs"))).plan(problem)
    assert answer.status is PlanStatus.FALLBACK_USED
    assert answer.message == "linear: no plan within 1 s; planned by pulp instead"
    answer = ChainPlanner((Late("linear"), Late("pulp", PlanStatus.FAILED), RulePlanner())).plan(problem)
    assert answer.message == "linear: no plan within 1 s; pulp: no plan within 1 s; planned by rule instead"
    assert answer.status is PlanStatus.FALLBACK_USED


def test_a_chain_without_an_answer_says_so(problems):
    problem = problems.problem()
    assert ChainPlanner((Late(), Late())).plan(problem).status is PlanStatus.TIMEOUT
    failed = ChainPlanner((Late(), Late("other", PlanStatus.FAILED))).plan(problem)
    assert (failed.status, failed.message) == (
        PlanStatus.FAILED,
        "late: no plan within 1 s; other: no plan within 1 s",
    )
    with pytest.raises(InvalidInputError, match="at least one"):
        ChainPlanner(())


def test_infeasible_is_final_whoever_proves_it(problems):
    problem = problems.problem(fixed_kw=-50.0, import_max_kw=1.0)
    assert default_chain().plan(problem).status is PlanStatus.INFEASIBLE
    answer = ChainPlanner((Late(), PulpPlanner(solver="highs"), RulePlanner())).plan(problem)
    assert answer.status is PlanStatus.INFEASIBLE
    assert answer.message.startswith("late: no plan within 1 s; pulp: no plan keeps import_max_kw")
    assert answer.least_violation is not None


def test_without_pulp_the_import_names_the_extra():
    code = (
        "import sys; sys.modules['pulp'] = None\n"
        "from vpp.core.errors import MissingExtraError\n"
        "from vpp.optimization.chain import default_chain\n"
        "try:\n    import vpp.optimization.pulp_backend\n"
        "except MissingExtraError as fault:\n    print(fault)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.strip() == "pulp is not installed; it comes with: pip install 'vpp[pulp]'", done.stderr
