"""The rule and the idle plan: decent, feasible, causal."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpp.core.messages.planned import PlanStatus, ReasonCode
from vpp.optimization.linear import LinearPlanner
from vpp.optimization.rules import NO_CLAIM, IdlePlanner, RulePlanner

PRICES = [0.1, 0.2, 0.2, 0.6]


def rule_power(problem):
    schedule = RulePlanner().plan(problem)
    assert schedule.status is PlanStatus.FEASIBLE
    assert (schedule.code == int(ReasonCode.RULE)).all()
    assert schedule.message == NO_CLAIM
    assert schedule.bound is None
    return schedule.power_kw[:, 0]


def test_buys_in_the_cheapest_quarter_and_covers_load_in_the_dearest(problems):
    problem = problems.problem(4, import_price_per_kwh=PRICES, export_price_per_kwh=0.05, fixed_kw=-2.0)
    assert rule_power(problem) == pytest.approx([-5.0, 0.0, 0.0, 2.0])


def test_does_not_buy_when_the_spread_does_not_pay(problems):
    problem = problems.problem(4, import_price_per_kwh=[0.28, 0.3, 0.3, 0.31], export_price_per_kwh=0.05, fixed_kw=-2.0)
    assert (rule_power(problem) >= 0.0).all()


def test_stores_surplus_and_uses_it_also_on_a_flat_tariff(problems):
    unit = problems.battery(soc_initial=0.0)
    problem = problems.problem(4, batteries=(unit,), fixed_kw=[3.0, 3.0, -2.0, -2.0], export_price_per_kwh=0.05)
    assert rule_power(problem) == pytest.approx([-3.0, -3.0, 2.0, 2.0])


def test_sells_only_when_the_feed_in_price_itself_is_dear_and_pays(problems):
    flat = problems.problem(4, import_price_per_kwh=PRICES, export_price_per_kwh=0.05, fixed_kw=0.0)
    assert rule_power(flat)[3] == 0.0
    dear = replace(flat, export_price_per_kwh=np.array([[0.05], [0.05], [0.05], [0.55]]))
    assert rule_power(dear)[3] == pytest.approx(5.0)
    poor = replace(flat, export_price_per_kwh=np.array([[0.05], [0.05], [0.05], [0.11]]))
    assert rule_power(poor)[3] == 0.0


def test_looks_only_at_known_prices(problems):
    problem = problems.problem(4, import_price_per_kwh=PRICES, fixed_kw=-2.0, price_known=[False] * 4)
    assert (rule_power(problem) == 0.0).all()


def test_two_batteries_share_by_what_they_can_do(problems):
    units = (problems.battery("one", charge_max_kw=1.0, soc_initial=0.0), problems.battery("two", charge_max_kw=3.0))
    problem = problems.problem(
        2, batteries=units, battery_site=(0, 0), fixed_kw=[2.0, -2.0], import_price_per_kwh=[0.3, 0.3]
    )
    schedule = RulePlanner().plan(problem)
    assert schedule.power_kw[0] == pytest.approx([-0.5, -1.5])


def test_a_rule_that_overruns_the_connection_has_failed(problems):
    unit = problems.battery(soc_initial=0.0)
    problem = problems.problem(1, batteries=(unit,), fixed_kw=-9.0, import_max_kw=4.0)
    for planner in (RulePlanner(), IdlePlanner()):
        schedule = planner.plan(problem)
        assert schedule.status is PlanStatus.FAILED
        assert "import_max_kw at site0" in schedule.message
        assert schedule.least_violation is not None
        assert schedule.least_violation.import_kw[0, 0] == pytest.approx(9.0)


@given(seed=st.integers(0, 100_000))
def test_feasible_and_never_cheaper_than_the_optimum(problems, seed):
    problem = problems.random_problem(seed)
    best, rule, idle = LinearPlanner().plan(problem), RulePlanner().plan(problem), IdlePlanner().plan(problem)
    for schedule in (rule, idle):
        if schedule.status is PlanStatus.FAILED:
            assert schedule.conflicts
            continue
        assert best.status is PlanStatus.OPTIMAL
        assert (schedule.import_kw <= problem.import_max_kw + 1e-6).all()
        assert (schedule.export_kw <= problem.export_max_kw + 1e-6).all()
        assert best.bound <= schedule.objective + 1e-7 * max(1.0, abs(schedule.objective))


def test_the_idle_plan_moves_nothing_and_feeds_in_nothing_at_a_loss(problems):
    problem = problems.problem(2, fixed_kw=-1.0, curtailable_kw=3.0, export_price_per_kwh=[0.1, -0.1])
    schedule = IdlePlanner().plan(problem)
    assert (schedule.power_kw == 0.0).all()
    assert schedule.curtailed_kw[:, 0] == pytest.approx([0.0, 2.0])
    assert schedule.method == "no_battery"
