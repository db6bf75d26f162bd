import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpp.core.errors import SeriesMismatchError
from vpp.forecasting.bands import NARROWEST, RESIDUALS_PER_HOUR, WIDEST, ResidualBook, ranked
from vpp.forecasting.leads import lead_classes

LEVELS = (0.05, 0.1, 0.5, 0.9, 0.95)
HOUR = np.arange(24)
LEADS = lead_classes(24, 3600)


def book_of(residuals, *, steps_per_hour=1):
    book = ResidualBook(residuals.shape[2], LEVELS, steps_per_hour=steps_per_hour)
    for each in residuals:
        book.add(np.zeros_like(each), each, hour=HOUR, leads=LEADS)
    return book


def test_without_residuals_there_are_no_bands():
    book = ResidualBook(2, LEVELS)
    assert book.is_empty
    assert np.isnan(book.offsets(hour=HOUR, leads=LEADS)).all()


def test_quantiles_lie_at_conformal_ranks():
    residuals = np.arange(1.0, 20.0)  # 19 of them: too few
    assert np.isnan(ranked(residuals[None, :, None], np.array(LEVELS))).all()
    residuals = np.arange(1.0, 40.0)  # 39: level q lies at rank 40 q
    assert ranked(residuals[None, :, None], np.array(LEVELS))[:, 0, 0] == pytest.approx([2.0, 4.0, 20.0, 36.0, 38.0])


def test_hours_are_kept_apart_and_thin_cells_borrow_from_their_lead_class():
    generator = np.random.default_rng(1)
    spread = np.where(HOUR < 12, 0.1, 2.0)[:, None]
    full = book_of(generator.normal(size=(40, 24, 1)) * spread).offsets(hour=HOUR, leads=LEADS)[..., 0]
    assert (full[-1, :12] < 0.5).all()
    assert (full[-1, 13:] > 1.0).all()
    thin = book_of(generator.normal(size=(10, 24, 1)) * spread).offsets(hour=HOUR, leads=LEADS)[..., 0]
    assert thin[:, 13] == pytest.approx(thin[:, 20])


def test_a_series_without_actuals_gets_none_beside_one_that_has():
    residuals = np.random.default_rng(2).normal(size=(30, 24, 2))
    residuals[:, :, 1] = np.nan
    offsets = book_of(residuals).offsets(hour=HOUR, leads=LEADS)
    assert np.isfinite(offsets[:, :, 0]).all()
    assert np.isnan(offsets[:, :, 1]).all()


def test_memory_is_a_ring_and_the_old_is_forgotten():
    residuals = np.concatenate([np.full((RESIDUALS_PER_HOUR, 24, 1), 9.0), np.full((RESIDUALS_PER_HOUR, 24, 1), 1.0)])
    book = book_of(residuals)
    assert book.offsets(hour=HOUR, leads=LEADS) == pytest.approx(np.ones((len(LEVELS), 24, 1)))


def test_steps_of_one_hour_do_not_overwrite_each_other():
    book = ResidualBook(1, LEVELS, steps_per_hour=4)
    hour, leads = np.repeat(HOUR, 4), lead_classes(96, 900)
    for i in range(6):
        book.add(np.zeros((96, 1)), np.tile(np.arange(4.0) + 4 * i, 24)[:, None], hour=hour, leads=leads)
    median = book.offsets(hour=hour, leads=leads)[2]
    assert median == pytest.approx(np.full((96, 1), 11.5))


def test_shapes_must_match():
    with pytest.raises(SeriesMismatchError):
        ResidualBook(1, LEVELS).add(np.zeros((3, 1)), np.zeros((2, 1)), hour=HOUR[:3], leads=LEADS[:3])


@given(st.integers(0, 1000), st.integers(20, 64))
def test_levels_never_cross(seed, issues):
    residuals = np.random.default_rng(seed).standard_cauchy(size=(issues, 24, 1))
    offsets = book_of(residuals).offsets(hour=HOUR, leads=LEADS)
    assert (np.diff(offsets, axis=0) >= 0.0).all()


def test_coverage_holds_on_exchangeable_errors():
    generator = np.random.default_rng(3)
    inside = []
    for _ in range(20):
        book = book_of(generator.normal(size=(60, 24, 1)))
        offsets = book.offsets(hour=HOUR, leads=LEADS)
        fresh = generator.normal(size=(50, 24, 1))
        inside.append(((fresh >= offsets[1]) & (fresh <= offsets[3])).mean())
    assert np.mean(inside) == pytest.approx(0.8, abs=0.015)


def test_difficulty_scales_what_is_kept_and_what_is_said():
    """Errors ten times larger where ten times larger ones were expected are the same residuals."""
    generator = np.random.default_rng(4)
    difficulty = np.where(HOUR < 12, 1.0, 10.0)[:, None]
    plain, scaled = ResidualBook(1, LEVELS), ResidualBook(1, LEVELS)
    for _ in range(40):
        error = generator.normal(size=(24, 1))
        plain.add(np.zeros((24, 1)), error, hour=HOUR, leads=LEADS)
        scaled.add(np.zeros((24, 1)), error * difficulty, hour=HOUR, leads=LEADS, difficulty=difficulty)
    assert scaled.offsets(hour=HOUR, leads=LEADS) == pytest.approx(plain.offsets(hour=HOUR, leads=LEADS))


def test_bands_widen_while_values_fall_outside_and_narrow_while_all_stay_inside():
    generator = np.random.default_rng(5)
    book = book_of(generator.normal(size=(40, 24, 2)))
    before = book.offsets(hour=HOUR, leads=LEADS)
    quantiles = np.tile(np.array(LEVELS)[:, None, None] - 0.5, (1, 24, 2))
    outside_first = np.tile([9.0, 0.0], (24, 1))
    for _ in range(10):
        book.adapt(quantiles, outside_first)
    assert book.width[0] > 1.0 > book.width[1]
    assert book.offsets(hour=HOUR, leads=LEADS) == pytest.approx(before * book.width)
    for _ in range(1000):
        book.adapt(quantiles, outside_first)
    assert book.width.tolist() == [WIDEST, NARROWEST]


def test_a_night_without_width_and_a_day_without_actuals_tell_nothing():
    book = ResidualBook(2, LEVELS)
    flat = np.zeros((len(LEVELS), 24, 2))
    book.adapt(flat, np.zeros((24, 2)))
    book.adapt(np.tile(np.array(LEVELS)[:, None, None], (1, 24, 2)), np.full((24, 2), np.nan))
    assert book.width.tolist() == [1.0, 1.0]
