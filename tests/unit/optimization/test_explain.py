"""Alternatives and sentences."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from vpp.core.errors import InvalidInputError, UnknownNameError
from vpp.core.messages.planned import PlanStatus, ReasonCode
from vpp.optimization.explain import alternatives, sentence
from vpp.optimization.linear import LinearPlanner
from vpp.optimization.rules import RulePlanner


@pytest.fixture
def evening(problems):
    """Surplus, a middling hour, a dear one; solved."""
    unit = problems.battery(soc_initial=0.0, charge_efficiency=1.0, discharge_efficiency=1.0)
    problem = problems.problem(
        3, batteries=(unit,), fixed_kw=[2.0, -1.0, -9.0], import_price_per_kwh=[0.3, 0.4, 0.5], export_price_per_kwh=0.1
    )
    return problem, LinearPlanner().plan(problem)


def test_costs_by_hand(evening):
    problem, schedule = evening
    power, cost = alternatives(problem, schedule)
    # 2 kWh of surplus and 3 kWh at 0.3 serve the dear hour, where they save 0.5 each; the middling hour buys at 0.4
    assert schedule.power_kw[:, 0] == pytest.approx([-5.0, 0.0, 5.0])
    assert schedule.objective == pytest.approx(3.0 * 0.3 + 1.0 * 0.4 + 4.0 * 0.5)
    # without the first hour: 2 kWh sold at 0.1, 5 kWh bought at 0.4 for the dear hour
    assert power[0, 0] == 0.0
    assert cost[0, 0] == pytest.approx(-0.2 + 6.0 * 0.4 + 2.0 - schedule.objective)
    # without the dear hour: the surplus covers the middling one, the rest is sold
    assert power[2, 0] == 0.0
    assert cost[2, 0] == pytest.approx(-0.1 + 9.0 * 0.5 - schedule.objective)


def test_pairs_and_most_choose_what_is_looked_at(evening):
    problem, schedule = evening
    _, some = alternatives(problem, schedule, pairs=[(2, 0)])
    assert np.isfinite(some[:, 0]).tolist() == [False, False, True]
    _, first = alternatives(problem, schedule, most=1)
    assert np.isfinite(first[:, 0]).tolist() == [True, False, False]
    _, none = alternatives(problem, schedule, most=0)
    assert np.isnan(none).all()
    _, late = alternatives(problem, schedule, time_limit_s=0.0)
    assert np.isnan(late).all()


def test_a_rest_is_compared_with_the_cheaper_direction(problems):
    unit = problems.battery(soc_initial=0.5)
    problem = problems.problem(
        1, batteries=(unit,), import_price_per_kwh=0.3, export_price_per_kwh=0.1, terminal_value_per_kwh=0.2
    )
    schedule = LinearPlanner().plan(problem)
    assert schedule.power_kw[0, 0] == 0.0
    power, cost = alternatives(problem, schedule)
    # charging loses 5 * (0.3 - 0.9 * 0.2) = 0.6; discharging the 4.5 kW there are loses 5 * 0.2 - 4.5 * 0.1 = 0.55
    assert power[0, 0] == pytest.approx(4.5)
    assert cost[0, 0] == pytest.approx(0.55)


def test_what_cannot_be_otherwise_stays_unknown(problems):
    unit = problems.battery(soc_initial=0.5)
    problem = problems.problem(1, batteries=(unit,), fixed_kw=-6.0, import_max_kw=3.0)
    schedule = LinearPlanner().plan(problem)
    assert schedule.power_kw[0, 0] >= 3.0
    power, cost = alternatives(problem, schedule)
    assert np.isnan(power).all()
    assert np.isnan(cost).all()


def test_a_rule_has_no_alternatives(problems):
    problem = problems.problem(2)
    fallback = replace(RulePlanner().plan(problem), status=PlanStatus.FALLBACK_USED)
    assert np.isnan(alternatives(problem, fallback)[1]).all()


@pytest.mark.parametrize("given", [{"pairs": [(9, 0)]}, {"pairs": [(0, 3)]}, {"most": -1}])
def test_what_lies_outside_is_refused(evening, given):
    with pytest.raises(InvalidInputError):
        alternatives(*evening, **given)


@pytest.mark.parametrize("seed", range(12))
def test_costs_are_never_negative(problems, seed):
    problem = problems.random_problem(seed, feed_in_above=seed % 2 == 0)
    schedule = LinearPlanner().plan(problem)
    _, cost = alternatives(problem, schedule)
    assert (cost[np.isfinite(cost)] >= 0.0).all()


def test_the_sentence_says_motive_limit_and_alternative(problems):
    unit = problems.battery(soc_initial=0.0)
    problem = problems.problem(2, batteries=(unit,), fixed_kw=[2.1, -3.0], export_price_per_kwh=0.05)
    schedule = LinearPlanner().plan(problem)
    power, cost = alternatives(problem, schedule)
    said = sentence(
        problem,
        schedule,
        "battery",
        0,
        currency="USD",
        alternative_power_kw=float(power[0, 0]),
        alternative_cost=float(cost[0, 0]),
    )
    assert said == (
        "Charging 2.1 kW from surplus: a kWh stored is worth 0.27 USD later; fed in it would earn 0.05 USD. "
        "Holding instead would cost 0.41 USD more."
    )


@pytest.mark.parametrize("code", list(ReasonCode), ids=lambda code: code.name)
def test_every_motive_has_words(problems, code):
    problem = problems.problem(1, committed_kw=1.0, imbalance_spread_per_kwh=0.1)
    schedule = LinearPlanner().plan(problem)
    said = sentence(
        problem, replace(schedule, code=np.full_like(schedule.code, int(code))), "battery0", 0, currency="EUR"
    )
    assert said.endswith(".")
    assert "nan" not in said


def test_the_sentence_without_a_plan_says_why(problems):
    problem = problems.problem(1, fixed_kw=-50.0, import_max_kw=1.0)
    said = sentence(problem, LinearPlanner().plan(problem), "battery0", 0, currency="EUR")
    assert said.startswith("There is no plan: no plan keeps import_max_kw at site0")


def test_an_unknown_asset_names_the_nearest(evening):
    with pytest.raises(UnknownNameError, match="did you mean: battery"):
        sentence(*evening, "batery", 0, currency="USD")
