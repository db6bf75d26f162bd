"""VaR and CVaR of discrete and normal costs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpp.core.errors import InvalidInputError, SeriesMismatchError
from vpp.optimization.stochastic.measures import (
    conditional_value_at_risk,
    normal_conditional_value_at_risk,
    normal_value_at_risk,
    tail_weights,
    value_at_risk,
)

COSTS = st.lists(st.floats(-100.0, 100.0), min_size=1, max_size=30)
LEVELS = st.floats(0.0, 0.99)


@pytest.mark.parametrize(
    ("level", "var", "cvar"),
    [(0.0, 1.0, 2.5), (0.25, 1.0, 3.0), (0.5, 2.0, 3.5), (0.6, 3.0, 3.625), (0.75, 3.0, 4.0), (0.99, 4.0, 4.0)],
)
def test_rows_of_four_equal_scenarios(level, var, cvar):
    costs = [3.0, 1.0, 4.0, 2.0]
    assert value_at_risk(costs, level) == var
    assert conditional_value_at_risk(costs, level) == pytest.approx(cvar)


def test_unequal_probabilities_split_the_cost_at_the_edge():
    costs, probability = [10.0, 0.0, 5.0], [0.04, 0.9, 0.06]
    assert value_at_risk(costs, 0.95, probability=probability) == 5.0
    assert conditional_value_at_risk(costs, 0.95, probability=probability) == pytest.approx(
        (0.04 * 10 + 0.01 * 5) / 0.05
    )


def test_an_impossible_scenario_does_not_count():
    costs, probability = [1.0, 99.0, -99.0], [1.0, 0.0, 0.0]
    assert value_at_risk(costs, 0.0, probability=probability) == 1.0
    assert conditional_value_at_risk(costs, 0.9, probability=probability) == 1.0


@given(costs=COSTS, level=LEVELS, seed=st.integers(0, 100))
def test_cvar_is_the_least_of_rockafellar_and_uryasev_and_not_below_var(costs, level, seed):
    probability = np.random.default_rng(seed).dirichlet(np.ones(len(costs)))
    values = np.array(costs)
    cvar = conditional_value_at_risk(values, level, probability=probability)
    least = min(eta + probability @ np.maximum(values - eta, 0.0) / (1.0 - level) for eta in values)
    assert cvar == pytest.approx(least, abs=1e-8)
    assert cvar >= value_at_risk(values, level, probability=probability) - 1e-9
    assert cvar >= probability @ values - 1e-9


@given(costs=COSTS, level=LEVELS)
def test_tail_weights_are_a_distribution_on_the_worst(costs, level):
    values = np.array(costs)
    probability = np.full(values.size, 1.0 / values.size)
    weight = tail_weights(values, probability, level)
    assert weight.sum() == pytest.approx(1.0)
    assert (weight >= 0.0).all()
    assert (weight <= probability / (1.0 - level) + 1e-12).all()
    assert values[weight > 0.0].min() >= values[weight == 0.0].max(initial=-np.inf)


def test_normal_rows_agree_with_a_fine_sample():
    score = np.random.default_rng(0).standard_normal(200_000) * 2.0 + 1.0
    assert normal_value_at_risk(1.0, 2.0, 0.9) == pytest.approx(value_at_risk(score, 0.9), abs=0.05)
    assert normal_conditional_value_at_risk(1.0, 2.0, 0.9) == pytest.approx(
        conditional_value_at_risk(score, 0.9), abs=0.05
    )
    assert normal_conditional_value_at_risk(3.0, 0.0, 0.5) == 3.0


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (lambda: value_at_risk([1.0], 1.0), "level"),
        (lambda: value_at_risk([1.0], -0.1), "level"),
        (lambda: value_at_risk([1.0], float("nan")), "level"),
        (lambda: value_at_risk([np.nan], 0.5), "cost"),
        (lambda: value_at_risk([], 0.5), "cost"),
        (lambda: value_at_risk([1.0, 2.0], 0.5, probability=[1.0]), "probability"),
        (lambda: value_at_risk([1.0, 2.0], 0.5, probability=[0.5, 0.6]), "probability"),
        (lambda: value_at_risk([1.0, 2.0], 0.5, probability=[-0.5, 1.5]), "probability"),
        (lambda: value_at_risk([1.0], 0.5, probability=[np.nan]), "probability"),
        (lambda: normal_value_at_risk(0.0, -1.0, 0.5), "deviation"),
        (lambda: normal_conditional_value_at_risk(0.0, 1.0, 0.0), "level"),
    ],
)
def test_bad_input_names_the_field(call, field):
    with pytest.raises(InvalidInputError, match=f"^{field}: got"):
        call()


def test_a_wrong_length_is_a_mismatch():
    with pytest.raises(SeriesMismatchError):
        value_at_risk([[1.0]], 0.5)
