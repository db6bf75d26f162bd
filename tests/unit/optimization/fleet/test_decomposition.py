"""Planning a fleet: options, verdicts, interruption, determinism. The optimum is checked in tests/oracle."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from vpp.core.errors import InvalidInputError
from vpp.core.messages.planned import PlanStatus
from vpp.optimization.fleet import decomposition, plan_fleet
from vpp.optimization.fleet.oracle import Oracle

SPEC = importlib.util.spec_from_file_location("fleet_lp", Path(__file__).parents[3] / "oracle" / "fleet_lp.py")
assert SPEC is not None
assert SPEC.loader is not None
lp = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(lp)


def plan(problem, **given):
    return plan_fleet(problem, **({"backend": "python"} | given))


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"gap": 0.0}, "gap"),
        ({"gap": np.nan}, "gap"),
        ({"time_limit_s": 0.0}, "time_limit_s"),
        ({"threads": 0}, "threads"),
        ({"backend": "fortran"}, "backend"),
    ],
)
def test_bad_options_are_named(options, field):
    with pytest.raises(InvalidInputError) as fault:
        plan(lp.day_fleet(2, steps=4), **options)
    assert fault.value.field == field


def test_the_gap_is_proven_and_the_bound_only_rises():
    seen = []
    found = plan(lp.day_fleet(6, steps=8), on_iterate=seen.append)
    assert found.status is PlanStatus.OPTIMAL
    assert found.usable
    assert found.message == ""
    assert found.gap <= 1e-4
    assert found.bound <= found.objective + 1e-9
    assert [one.iteration for one in seen] == list(range(1, len(seen) + 1))
    assert [one.bound for one in seen] == sorted(one.bound for one in seen)
    assert found.iterations == len(seen)
    assert set(found.timings_s) == {"total", "answers", "replay"}


def test_the_same_problem_gives_the_same_plan():
    first, second = (plan(lp.day_fleet(6, steps=8)) for _ in range(2))
    assert first.objective == second.objective
    assert first.power_kw.tolist() == second.power_kw.tolist()


def test_threads_change_only_rounding():
    one, two = (plan(lp.day_fleet(7, steps=8), threads=threads) for threads in (1, 2))
    assert two.status is PlanStatus.OPTIMAL
    assert two.objective == pytest.approx(one.objective, rel=2e-3)


def test_a_looser_gap_takes_fewer_iterates():
    problem = lp.day_fleet(8, steps=12)
    loose, tight = plan(problem, gap=0.05), plan(problem, gap=1e-5)
    assert loose.iterations < tight.iterations
    assert loose.gap <= 0.05
    assert tight.gap <= 1e-5


def test_parts_of_the_fleet_are_rows_of_the_whole():
    found = plan(lp.day_fleet(6, steps=8))
    power, energy = found.batteries()
    part, _ = found.batteries(2, 4)
    assert part.tolist() == power[2:4].tolist()
    assert energy.shape == (6, 8)
    np.testing.assert_allclose(power.sum(axis=0), found.power_kw, atol=1e-9)
    with pytest.raises(InvalidInputError, match="first <= last"):
        found.batteries(4, 7)


def test_interrupted_before_the_first_answer_the_batteries_rest():
    problem = lp.day_fleet(5, steps=8)
    found = plan(problem, time_limit_s=1e-9)
    assert found.status is PlanStatus.FEASIBLE
    assert "stopped" in found.message
    assert found.bound == -np.inf
    assert not found.power_kw.any()
    power, energy = found.batteries()
    assert not power.any()
    assert (energy == problem.table.initial_energy_kwh[:, None]).all()


def test_interrupted_where_resting_is_not_allowed_there_is_no_plan():
    start = np.full(5, 5.0)
    problem = lp.day_fleet(5, steps=8, initial_energy_kwh=start, final_energy_min_kwh=start + 0.2)
    found = plan(problem, time_limit_s=1e-9)
    assert found.status is PlanStatus.TIMEOUT
    assert not found.usable
    assert np.isnan(found.objective)
    with pytest.raises(InvalidInputError, match="there is none"):
        found.batteries()


def test_interrupted_on_the_way_the_best_so_far_comes_back(monkeypatch):
    problem = lp.day_fleet(6, steps=12)
    # the clock strikes during the tenth answer
    whole, calls = Oracle.answer, []

    def answer(self, price_per_kwh, *, end_s):
        calls.append(price_per_kwh)
        return whole(self, price_per_kwh, end_s=end_s if len(calls) < 10 else 0.0)

    monkeypatch.setattr(Oracle, "answer", answer)
    found = plan(problem, gap=1e-9, time_limit_s=60.0)
    assert found.status is PlanStatus.FEASIBLE
    assert found.evaluations == 9
    assert np.isfinite(found.gap)
    assert found.bound < found.objective


def test_an_end_out_of_reach_is_infeasible_and_names_the_battery():
    problem = lp.day_fleet(4, steps=4)
    start = problem.table.energy_min_kwh
    end = start.copy()
    end[2] = problem.table.energy_max_kwh[2]
    hopeless = lp.day_fleet(4, steps=4, duration_h=0.01, initial_energy_kwh=start, final_energy_min_kwh=end)
    found = plan(hopeless)
    assert found.status is PlanStatus.INFEASIBLE
    assert "number 2" in found.message


def test_limits_that_no_plan_keeps_are_proven_so():
    problem = lp.day_fleet(4, steps=6, import_max_kw=0.5, curtailable_kw=None)
    found = plan(problem)
    assert found.status is PlanStatus.INFEASIBLE
    assert found.excess_kwh > 0.0
    assert not found.usable


def test_a_sample_proposes_prices_for_a_large_fleet(monkeypatch):
    monkeypatch.setattr(decomposition, "SAMPLE", 5)
    phases = []
    found = plan(lp.day_fleet(20, steps=6), on_iterate=lambda iterate: phases.append(iterate.phase))
    assert found.status is PlanStatus.OPTIMAL
    assert phases[0] == "sample"
    assert phases[-1] == "fleet"
