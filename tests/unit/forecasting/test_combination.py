import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpp.core.ports import Forecaster
from vpp.forecasting.combination import MedianCombination, weighted_median
from vpp.forecasting.leads import lead_classes


class Constant:
    def __init__(self, value):
        self.name, self._value, self.fitted = f"constant_{value}", value, 0

    def fit(self, history):
        self.fitted += 1

    def predict(self, history, steps, *, ahead=None):
        return np.full((steps, len(history.keys)), self._value)


def combination(*values, votes=None, ratio=2.0):
    votes = np.ones((len(values), 4), dtype=bool) if votes is None else votes
    return MedianCombination([Constant(value) for value in values], votes, worst_ratio=ratio)


@pytest.mark.parametrize(
    ("values", "expected"),
    [((1.0, 2.0, 9.0), 2.0), ((1.0, 2.0), 1.5), ((np.nan, 3.0, 5.0), 4.0), ((np.nan, np.nan, 5.0), 5.0)],
)
def test_median_leaves_out_who_cannot_answer(plant, values, expected):
    median = combination(*values)
    assert isinstance(median, Forecaster)
    assert (median.predict(plant(2), 3) == expected).all()


def test_nobody_answers_is_nan_not_a_guess(plant):
    assert np.isnan(combination(np.nan, np.nan).predict(plant(2), 3)).all()


def test_with_equal_weights_it_is_the_median_of_numpy():
    generator = np.random.default_rng(0)
    stack = generator.normal(size=(5, 40))
    stack[generator.random(stack.shape) < 0.4] = np.nan
    known = np.isfinite(stack).any(axis=0)
    median, spread = weighted_median(stack, np.ones_like(stack))
    assert median[known] == pytest.approx(np.nanmedian(stack[:, known], axis=0))
    assert spread[known] == pytest.approx(np.nanstd(stack[:, known], axis=0))
    assert np.isnan(median[~known]).all()
    assert np.isnan(spread[~known]).all()


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ((1.0, 1.0, 1.0), 2.0),
        ((1.0, 0.0, 1.0), 2.5),  # who has no weight is not between the others
        ((9.0, 0.5, 0.5), 1.0 + (0.5 - 0.45) / (0.925 - 0.45)),
        ((2.0, 1.0, 1.0), 1.0 + (0.5 - 0.25) / (0.625 - 0.25)),
    ],
)
def test_the_median_moves_toward_the_weight(weights, expected):
    values = np.array([[1.0], [2.0], [4.0]])
    weight = np.array(weights)[:, None]
    median, _ = weighted_median(np.where(weight > 0.0, values, np.nan), weight)
    assert median == pytest.approx(expected)


@given(
    st.lists(
        st.tuples(st.integers(-100, 100), st.floats(0.01, 10)), min_size=1, max_size=8, unique_by=lambda pair: pair[0]
    ),
    st.floats(0.1, 10.0),
)
def test_the_median_lies_among_its_values_and_knows_no_unit_of_weight(pairs, factor):
    values, weights = (np.array(column, dtype=np.float64)[:, None] for column in zip(*pairs, strict=True))
    median, _ = weighted_median(values, weights)
    assert values.min() <= median[0] <= values.max()
    again, _ = weighted_median(values[::-1], factor * weights[::-1])
    assert again == pytest.approx(median, abs=1e-9)


def test_fit_reaches_every_member(plant):
    median = combination(1.0, 2.0)
    median.fit(plant(2))
    assert [member.fitted for member in median.members] == [1, 1]


def scored(median, *, actual, steps=24, issues=10):
    leads = lead_classes(steps, 3600)
    answers = np.stack([np.full((steps, 4), member._value) for member in median.members])
    for _ in range(issues):
        median.score(answers, np.full((steps, 4), actual), leads, age_days=0.25)
    return answers, leads


def test_a_member_twice_as_wrong_has_a_quarter_of_the_vote_and_a_hopeless_one_none():
    median = combination(1.0, 2.0, 4.5, ratio=4.0)
    answers, leads = scored(median, actual=0.0)
    assert median.weights()[0, :, 0] == pytest.approx([1.0, 0.25, 0.0])
    value, _ = median.combine(answers, leads)
    assert value == pytest.approx(np.full((24, 4), weighted_median(np.array([1.0, 2.0]), np.array([1.0, 0.25]))[0]))


def test_near_and_far_leads_are_judged_apart():
    median = combination(0.0, 1.0)
    leads = lead_classes(24, 3600)
    answers = np.stack([np.zeros((24, 4)), np.ones((24, 4))])
    actual = np.where(leads[:, None] < 3, 0.1, 0.9) * np.ones((1, 4))
    for _ in range(10):
        median.score(answers, actual, leads, age_days=0.25)
    weights = median.weights()
    assert (weights[:3, 0] > weights[:3, 1]).all()
    assert (weights[3:, 0] < weights[3:, 1]).all()


def test_too_few_scores_judge_nobody():
    median = combination(1.0, 4.0)
    _, _ = scored(median, actual=0.0, steps=6, issues=1)
    assert (median.weights() == 1.0).all()


def test_a_perfect_member_silences_the_rest():
    median = combination(0.0, 1.0)
    answers, leads = scored(median, actual=0.0)
    assert (median.combine(answers, leads)[0] == 0.0).all()


def test_old_errors_fade():
    median = combination(0.0, 1.0)
    scored(median, actual=0.0)
    leads = lead_classes(24, 3600)
    answers = np.stack([np.zeros((24, 4)), np.ones((24, 4))])
    for _ in range(10):
        median.score(answers, np.ones((24, 4)), leads, age_days=28.0)
    assert median.weights()[3, 0, 0] < 0.01
    assert median.weights()[3, 1, 0] == 1.0


def test_a_member_without_a_vote_is_heard_only_when_alone():
    votes = np.ones((2, 4), dtype=bool)
    votes[1] = False
    leads = lead_classes(2, 3600)
    median = combination(1.0, 5.0, votes=votes)
    both = np.stack([np.full((2, 4), 1.0), np.full((2, 4), 5.0)])
    assert (median.combine(both, leads)[0] == 1.0).all()
    both[0] = np.nan
    assert (median.combine(both, leads)[0] == 5.0).all()


def test_inputs_reach_only_who_takes_them(plant):
    class Wide(Constant):
        def predict(self, history, steps, *, ahead=None):
            assert len(history.keys) == 4
            assert ahead.shape == (steps, 4)
            return np.full((steps, 3), self._value)

    class Narrow(Constant):
        def predict(self, history, steps, *, ahead=None):
            assert len(history.keys) == 3
            assert ahead.shape == (steps, 3)
            return np.full((steps, 3), self._value)

    median = MedianCombination([Wide(1.0), Narrow(2.0)], np.ones((2, 3), dtype=bool), takes_inputs=[True, False])
    assert (median.predict(plant(2), 3, ahead=np.zeros((3, 4))) == 1.5).all()
