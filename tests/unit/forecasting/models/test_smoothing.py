"""Smoothing constants: chosen for what the series does, and what they then say."""

import numpy as np
import pytest

from vpp.forecasting.models.smoothing import (
    Constants,
    choose_level,
    choose_scale,
    continue_level,
    continue_scale,
)

HOUR_S = 3600


def test_noise_is_averaged_and_a_walk_followed():
    draw = np.random.default_rng(0)
    noise = draw.normal(size=672)
    walk = np.cumsum(draw.normal(size=672))
    constants = choose_level(np.column_stack([noise, walk]), step_s=HOUR_S)
    assert constants.half_life_h[0] >= 72.0
    assert constants.share[0] <= 1.5
    assert constants.share[1] >= 12.0
    said = continue_level(np.column_stack([noise, walk]), constants, 30, step_s=HOUR_S)
    assert np.abs(said[:, 0]).max() < 0.5
    assert said[0, 1] == pytest.approx(walk[-1], abs=1.0)


def test_the_level_is_the_recursion_written_out():
    values = np.random.default_rng(1).normal(size=(200, 2))
    life, deviation = np.array([12.0, 36.0]), np.array([0.0, 3.0])
    said = continue_level(values, Constants(life, deviation), 3, step_s=HOUR_S)
    for k in range(2):
        kept = 0.5 ** (1.0 / life[k])
        level = values[:168, k].mean()
        for value in values[:, k]:
            level = kept * level + (1.0 - kept) * value
        left = [0.5 ** (h / deviation[k]) if deviation[k] else 0.0 for h in (1, 2, 3)]
        assert said[:, k] == pytest.approx([level + share * (values[-1, k] - level) for share in left])


def test_constants_mean_the_same_at_another_step():
    hourly = np.repeat(np.random.default_rng(2).normal(size=(200, 1)), 2, axis=0)
    constants = Constants(np.array([12.0]), np.array([6.0]))
    half = continue_level(hourly, constants, 4, step_s=1800)
    whole = continue_level(hourly[::2], constants, 2, step_s=3600)
    assert half[1::2] == pytest.approx(whole, abs=0.05)


def test_many_series_are_chosen_as_few_are():
    values = np.cumsum(np.random.default_rng(3).normal(size=(672, 90)), axis=0)
    together = choose_level(values, step_s=HOUR_S)
    alone = choose_level(values[:, 80:81], step_s=HOUR_S)
    assert together.half_life_h[80] == alone.half_life_h[0]
    assert together.share[80] == alone.share[0]


def test_dull_days_scale_the_usual_day():
    shape = np.tile(np.maximum(0.0, np.sin((np.arange(24) - 6) / 12 * np.pi)), 28)
    spells = np.repeat([1.0, 0.4, 1.0, 0.4], 7)[:, None].repeat(24, axis=1).ravel()
    values = (shape * spells)[:, None]
    constants = choose_scale(values, shape[:, None], step_s=HOUR_S)
    assert constants.share[0] == 1.0
    assert continue_scale(values, shape[:, None], constants, step_s=HOUR_S)[0] == pytest.approx(0.4, abs=0.05)


def test_nothing_usual_leaves_the_factor_at_one():
    zeros = np.zeros((672, 1))
    constants = choose_scale(zeros, zeros, step_s=HOUR_S)
    assert continue_scale(zeros, zeros, constants, step_s=HOUR_S).tolist() == [1.0]


def test_too_little_to_judge_by_leaves_the_middle():
    constants = choose_level(np.zeros((20, 2)), step_s=HOUR_S)
    assert constants.half_life_h.tolist() == [36.0, 36.0]
    assert constants.share.tolist() == [3.0, 3.0]
