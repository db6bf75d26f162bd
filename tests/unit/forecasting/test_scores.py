import numpy as np
import pytest

from vpp.core.errors import InvalidInputError, SeriesMismatchError
from vpp.forecasting import scores
from vpp.forecasting.evaluation.leaderboard import leaderboard
from vpp.forecasting.evaluation.origins import daily_origins
from vpp.forecasting.evaluation.rolling import evaluate_series
from vpp.forecasting.scores import Score

LEVELS = (0.1, 0.5, 0.9)


def test_errors_of_a_known_case():
    actual = np.tile([0.0, 4.0], 12)
    assert scores.absolute_error(np.ones(24), actual).value == 2.0
    assert scores.root_mean_square_error(np.ones(24), actual).value == pytest.approx(5.0**0.5)


def test_missing_steps_are_not_scored():
    actual = np.concatenate([np.zeros(24), [np.nan]])
    assert scores.absolute_error(np.concatenate([np.ones(24), [9.0]]), actual).value == 1.0


@pytest.mark.parametrize(
    ("score", "reason"),
    [
        (scores.absolute_error(np.zeros(23), np.zeros(23)), "23 steps to score, 24 needed"),
        (scores.root_mean_square_error(np.zeros(3), np.zeros(3)), "3 steps"),
        (scores.seasonal_scale(np.zeros(24), 24), "24 steps of past"),
        (scores.relative_error(Score(1.0), Score(0.0)), "reference error is 0"),
        (scores.relative_error(Score(1.0), Score(None, "dark")), "dark"),
        (scores.relative_error(Score(None, "dark"), Score(1.0)), "dark"),
        (scores.coverage(np.zeros((1, 30)), (0.5,), np.zeros(30)), "no central 80% interval"),
        (scores.coverage(np.empty((0, 30)), (), np.zeros(30)), "no central 80% interval"),
        (scores.pinball_loss(np.empty((0, 30)), (), np.zeros(30)), "0 steps"),
    ],
)
def test_too_little_to_score_is_none_with_a_reason(score, reason):
    assert score.value is None
    assert reason in score.reason


def test_pinball_is_half_the_absolute_error_at_the_median():
    generator = np.random.default_rng(0)
    forecast, actual = generator.normal(size=(2, 50))
    half = scores.absolute_error(forecast, actual).value / 2
    assert scores.pinball_loss(forecast[None], (0.5,), actual).value == pytest.approx(half)


def test_pinball_is_least_at_the_true_quantiles():
    actual = np.linspace(0.0, 1.0, 1001)
    truth = np.repeat(np.array(LEVELS)[:, None], actual.size, axis=1)
    best = scores.pinball_loss(truth, LEVELS, actual).value
    assert all(scores.pinball_loss(truth + shift, LEVELS, actual).value > best for shift in (-0.05, 0.05))


def test_coverage_counts_the_inside():
    quantiles = np.repeat([[0.0], [1.0], [2.0]], 100, axis=1)
    actual = np.concatenate([np.full(60, 1.0), np.full(40, 3.0)])
    assert scores.coverage(quantiles, LEVELS, actual).value == pytest.approx(0.6)


def test_shapes_and_shares_are_checked():
    with pytest.raises(SeriesMismatchError):
        scores.absolute_error(np.zeros(3), np.zeros(4))
    with pytest.raises(InvalidInputError, match="share"):
        scores.coverage(np.zeros((3, 4)), LEVELS, np.zeros(4), share=1.0)


def test_the_ranked_probability_score_of_a_point_is_its_absolute_error():
    generator = np.random.default_rng(1)
    forecast, actual = generator.normal(size=(2, 50))
    same = np.repeat(forecast[None], 3, axis=0)
    error = scores.absolute_error(forecast, actual).value
    assert scores.continuous_ranked_probability(same, LEVELS, actual).value == pytest.approx(error)


def test_the_ranked_probability_score_tends_to_the_integral():
    # Of a uniform forecast on (0, 1) and an actual x it is the integral of (F - 1[t > x])^2, 1/3 - x + x^2.
    levels = tuple(np.linspace(0.0005, 0.9995, 1000))
    actual = np.linspace(0.0, 1.0, 25)
    quantiles = np.repeat(np.array(levels)[:, None], actual.size, axis=1)
    ours = scores.continuous_ranked_probability(quantiles, levels, actual).value
    assert ours == pytest.approx(np.mean(1.0 / 3.0 - actual + actual**2), abs=1e-6)


def test_uneven_levels_are_weighted_by_their_share():
    # 0.05 stands for (0, 0.075): a quantile there counts as much as its share of all levels.
    actual = np.zeros(24)
    levels = (0.05, 0.1, 0.5)
    quantiles = np.repeat(np.array([[-1.0], [0.0], [0.0]]), 24, axis=1)
    assert scores.continuous_ranked_probability(quantiles, levels, actual).value == pytest.approx(2 * 0.075 * 0.05)
    assert scores.continuous_ranked_probability(np.empty((0, 30)), (), np.zeros(30)).value is None


@pytest.mark.parametrize("name", ["home load", "wholesale wind", "LU load"])
def test_the_median_is_no_worse_than_the_best_naive_on_real_series(real, name):
    history, profile, zone = real(name)
    days_known = history.grid.count * history.grid.resolution_s // 86_400
    every = daily_origins(history.grid, zone, local_hour=18, first=history.grid.time(0), days=days_known)
    # Twelve days spread over half a year, before the last four weeks, which the back-tests score.
    origins = every[days_known // 2 : days_known - 30 : (days_known // 2 - 30) // 12]
    evaluation = evaluate_series(
        history,
        (profile,),
        timezone=zone,
        origins=origins,
        steps=30 * 3600 // history.grid.resolution_s,
        refit_days=60.0,
    )
    (board,) = leaderboard(evaluation)
    assert board.of("median").rmae.value <= 1.0
