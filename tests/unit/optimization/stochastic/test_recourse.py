"""The closed-form second stage against every candidate, and its tangents against the function itself."""

from __future__ import annotations

import numpy as np
import pytest

from vpp.optimization.stochastic.problem import Risk
from vpp.optimization.stochastic.recourse import Recourse

RISK = Risk(weight=0.5, level=0.7)


def least_cost(problem, injection_kw):
    """Cost of each scenario by trying every point where the best exchange can lie."""
    firm = problem.fixed_kw + injection_kw
    most = firm + problem.curtailable_kw
    low, high = np.maximum(firm, -problem.import_max_kw), np.minimum(most, problem.export_max_kw)
    assert (low <= high + 1e-9).all()
    candidates = np.stack([low, high, np.clip(0.0, low, high)])
    price = np.where(candidates < 0.0, problem.import_price_per_kwh, problem.export_price_per_kwh)
    return (-problem.duration_h * price * candidates).min(axis=0).sum(axis=1)


@pytest.mark.parametrize("first", range(0, 100, 25))
def test_the_closed_form_is_the_least_cost(make_random, first):
    tried = 0
    for seed in range(first, first + 25):
        problem = make_random(seed)
        low, high = problem.injection_band_kw
        if (low > high).any():
            continue
        rng, recourse = np.random.default_rng(seed), Recourse.of(problem, RISK)
        for injection in (low, high, rng.uniform(low, high)):
            expected = least_cost(problem, injection)
            np.testing.assert_allclose(recourse.evaluate(injection).scenario_costs, expected, atol=1e-7)
            tried += 1
    assert tried > 20


@pytest.mark.parametrize("first", range(0, 100, 25))
def test_tangents_never_lie_above(make_random, first):
    for seed in range(first, first + 25):
        problem = make_random(seed)
        low, high = problem.injection_band_kw
        if (low > high).any():
            continue
        rng, recourse = np.random.default_rng(seed), Recourse.of(problem, RISK)
        points = [low, high, *(rng.uniform(low, high) for _ in range(6))]
        seen = [recourse.evaluate(point) for point in points]
        for one in seen:
            for other in seen:
                step = other.injection_kw - one.injection_kw
                assert (other.expected >= one.expected + one.expected_slope * step - 1e-7).all(), seed
                assert other.tail >= one.tail + one.tail_slope @ step - 1e-7, seed


def test_expectation_alone_leaves_the_tail_out(make):
    evaluation = Recourse.of(make(), Risk(weight=0.0)).evaluate(np.zeros(4))
    assert evaluation.tail == 0.0
    assert evaluation.objective(Risk(weight=0.0)) == pytest.approx(4 * 0.3)
