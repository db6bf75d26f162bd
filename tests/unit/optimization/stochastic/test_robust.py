"""Chance constraints by quantile and the worst case of a box, against counting and against every corner."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from vpp.core.errors import InvalidInputError
from vpp.optimization.stochastic.cvar import plan_under_risk
from vpp.optimization.stochastic.problem import Risk
from vpp.optimization.stochastic.recourse import Recourse
from vpp.optimization.stochastic.robust import box_robust, chance_constrained, quantile_kw

EXPECTATION = Risk(weight=0.0)


@pytest.mark.parametrize("probability", [0.5, 0.8, 0.95, 1.0])
def test_limits_hold_as_often_as_asked(make, probability):
    rng = np.random.default_rng(0)
    problem = make(
        6,
        200,
        fixed_kw=-3.0 + rng.normal(0.0, 0.5, (200, 6)),
        curtailable_kw=np.abs(rng.normal(0.0, 0.3, (200, 6))),
        import_max_kw=4.0,
        export_max_kw=0.0,
        probability=rng.dirichlet(np.ones(200)),
    )
    plan = plan_under_risk(chance_constrained(problem, probability), EXPECTATION)
    assert plan.usable, plan.message
    firm = problem.fixed_kw + plan.power_kw.sum(axis=1)
    drawn = problem.weights @ (firm + problem.curtailable_kw >= -4.0 - 1e-7)
    fed = problem.weights @ (firm <= 0.0 + 1e-7)
    assert min(drawn.min(), fed.min()) >= probability - 1e-9


def test_less_certainty_never_costs_more(make):
    load_kw = np.random.default_rng(1).normal(4.0, 1.0, (100, 5))
    price = [0.1, 0.2, 0.5, 0.3, 0.1]
    problem = make(5, 100, fixed_kw=-load_kw, import_price_per_kwh=price, export_price_per_kwh=0.05, import_max_kw=5.5)
    costs = [plan_under_risk(chance_constrained(problem, p), gap=1e-8).objective for p in (0.5, 0.8, 0.9)]
    assert costs == sorted(costs)


def test_the_corner_is_the_worst_of_every_corner(make):
    rng = np.random.default_rng(3)
    base = rng.uniform(0.1, 0.3, (1, 2))
    problem = make(
        2,
        2,
        fixed_kw=[[-3.0, 1.0], [-1.0, 2.5]],
        curtailable_kw=[[0.0, 1.0], [1.0, 2.0]],
        import_price_per_kwh=np.vstack([base, base + 0.2]),
        export_price_per_kwh=np.vstack([base - 0.05, base - 0.1]),
        export_max_kw=4.0,
    )
    worst = box_robust(problem)
    plan = plan_under_risk(worst, EXPECTATION, gap=1e-8)
    fields = ("fixed_kw", "curtailable_kw", "import_price_per_kwh", "export_price_per_kwh")
    costs = []
    for picks in itertools.product((0, 1), repeat=8):
        rows = np.array(picks).reshape(4, 2)
        corner = {name: getattr(problem, name)[rows[i], [0, 1]][None, :] for i, name in enumerate(fields)}
        if (corner["export_price_per_kwh"] > corner["import_price_per_kwh"]).any():
            continue
        one = replace(problem, probability=None, **corner)
        costs.append(float(Recourse.of(one, EXPECTATION).evaluate(plan.power_kw.sum(axis=1)).scenario_costs[0]))
    assert plan.objective == pytest.approx(max(costs), abs=1e-9)


def test_the_weighted_quantile_counts_probability():
    power = np.array([[3.0], [1.0], [2.0]])
    weights = np.array([0.2, 0.5, 0.3])
    rows = {0.4: 1.0, 0.5: 1.0, 0.51: 2.0, 0.8: 2.0, 0.81: 3.0, 1.0: 3.0}
    assert {p: quantile_kw(power, weights, p)[0] for p in rows} == rows


def test_a_band_given_before_stays(make):
    problem = make(injection_min_kw=np.full(4, -1.0), injection_max_kw=np.full(4, 2.0))
    for after in (chance_constrained(problem, 0.9), box_robust(problem)):
        assert [side.tolist() for side in after.injection_band_kw] == [[-1.0] * 4, [2.0] * 4]


def test_bad_input_names_the_field(make):
    for probability in (0.0, 1.5, float("nan")):
        with pytest.raises(InvalidInputError, match=r"^probability: got"):
            chance_constrained(make(), probability)
    with pytest.raises(InvalidInputError, match=r"^export_price_per_kwh: got"):
        box_robust(make(export_price_per_kwh=-0.1))
