"""Infeasible problems: final, with the conflict named and the nearest plan beside."""

from __future__ import annotations

import numpy as np
import pytest

from vpp.core.messages.planned import PlanStatus, ReasonCode
from vpp.optimization.infeasible import infeasible_schedule
from vpp.optimization.linear import LinearPlanner


@pytest.mark.parametrize(
    ("fixed_kw", "name", "missed_kw", "words"),
    [
        ([-1.0, -12.0], "import_max_kw at site0", 12.0 - 5.0 - 4.0, "needs 7 kW from the grid at 2016-08-01 01:00 UTC"),
        ([1.0, 12.0], "export_max_kw at site0", 12.0 - 5.0 - 3.0, "must feed in 7 kW at 2016-08-01 01:00 UTC"),
    ],
    ids=["import", "export"],
)
def test_the_conflict_is_named_with_time_and_power(problems, fixed_kw, name, missed_kw, words):
    problem = problems.problem(2, fixed_kw=fixed_kw, import_max_kw=4.0, export_max_kw=3.0)
    unit = problems.battery(capacity_kwh=100.0)
    problem = problems.problem(2, batteries=(unit,), fixed_kw=fixed_kw, import_max_kw=4.0, export_max_kw=3.0)
    schedule = LinearPlanner().plan(problem)
    assert schedule.status is PlanStatus.INFEASIBLE
    assert not schedule.usable
    assert schedule.objective is None
    assert [conflict.name for conflict in schedule.conflicts] == [name]
    assert schedule.conflicts[0].violation_kw == pytest.approx(missed_kw, abs=1e-6)
    assert schedule.conflicts[0].time == problem.grid.time(1)
    assert words in schedule.message
    assert name in schedule.message


def test_the_nearest_plan_stands_apart_and_names_itself(problems):
    problem = problems.problem(3, fixed_kw=[-2.0, -9.0, -2.0], import_max_kw=3.0)
    schedule = LinearPlanner().plan(problem)
    nearest = schedule.least_violation
    assert nearest is not None
    assert nearest.status is PlanStatus.INFEASIBLE
    assert not nearest.usable
    assert (nearest.code == int(ReasonCode.LEAST_VIOLATION)).all()
    # 5 kWh at 0.9 and the 1 kW to spare before it give all they can in the hour that lacks 6 kW
    assert nearest.power_kw[1, 0] == pytest.approx(5.0)
    assert nearest.import_kw[1, 0] == pytest.approx(4.0)
    assert nearest.soc.min() >= 0.0


def test_only_the_site_that_clashes_is_named(problems):
    fixed = np.array([[-9.0, -1.0], [-9.0, -1.0]])
    problem = problems.problem(2, 2, fixed_kw=fixed, import_max_kw=[2.0, 5.0])
    schedule = LinearPlanner().plan(problem)
    assert {conflict.name for conflict in schedule.conflicts} == {"import_max_kw at site0"}
    assert schedule.message.startswith("no plan keeps import_max_kw at site0 (2 steps); at worst site0 needs")


def test_no_fallback_is_asked(problems):
    class Never:
        name = "never"

        def plan(self, problem):
            raise AssertionError("an infeasible problem starts no fallback")

    problem = problems.problem(1, fixed_kw=-50.0, import_max_kw=1.0)
    assert LinearPlanner(fallback=Never()).plan(problem).status is PlanStatus.INFEASIBLE


def test_without_time_for_the_nearest_plan_the_verdict_stands_alone(problems):
    problem = problems.problem(1, fixed_kw=-50.0, import_max_kw=1.0)
    schedule = infeasible_schedule(problem, time_limit_s=0.0)
    assert schedule.status is PlanStatus.INFEASIBLE
    assert schedule.least_violation is None
    assert "the nearest was not found" in schedule.message


def test_a_site_without_batteries_can_be_infeasible(problems):
    problem = problems.problem(1, batteries=(), fixed_kw=-5.0, import_max_kw=1.0)
    schedule = LinearPlanner().plan(problem)
    assert schedule.status is PlanStatus.INFEASIBLE
    assert schedule.conflicts[0].violation_kw == pytest.approx(4.0)
    assert schedule.least_violation is not None
