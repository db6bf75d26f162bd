import numpy as np
import pytest

from vpp.core.ports import Forecaster
from vpp.forecasting.combination import MedianCombination, median_of_known
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


def test_median_of_known_equals_numpy():
    generator = np.random.default_rng(0)
    stack = generator.normal(size=(5, 40))
    stack[generator.random(stack.shape) < 0.4] = np.nan
    known = np.isfinite(stack).any(axis=0)
    assert median_of_known(stack)[known] == pytest.approx(np.nanmedian(stack[:, known], axis=0))


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


def test_a_member_twice_as_bad_as_the_best_loses_its_vote():
    median = combination(1.0, 1.5, 4.0)
    answers, leads = scored(median, actual=0.0)
    assert (median.combine(answers, leads) == 1.25).all()
    assert median.left_out()[0, :, 0].tolist() == [False, False, True]
    # Beyond the leads that were scored nobody is judged.
    assert not median.left_out()[-1].any()


def test_too_few_scores_judge_nobody():
    median = combination(1.0, 4.0)
    _, _ = scored(median, actual=0.0, issues=3)
    assert not median.left_out()[0].any()


def test_old_errors_fade():
    median = combination(0.0, 1.0)
    scored(median, actual=0.0)
    leads = lead_classes(24, 3600)
    answers = np.stack([np.zeros((24, 4)), np.ones((24, 4))])
    for _ in range(10):
        median.score(answers, np.ones((24, 4)), leads, age_days=28.0)
    assert median.left_out()[3, :, 0].tolist() == [True, False]


def test_a_member_without_a_vote_is_heard_only_when_alone():
    votes = np.ones((2, 4), dtype=bool)
    votes[1] = False
    leads = lead_classes(2, 3600)
    median = combination(1.0, 5.0, votes=votes)
    both = np.stack([np.full((2, 4), 1.0), np.full((2, 4), 5.0)])
    assert (median.combine(both, leads) == 1.0).all()
    both[0] = np.nan
    assert (median.combine(both, leads) == 5.0).all()
