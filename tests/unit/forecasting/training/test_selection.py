from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from vpp.core.errors import InvalidInputError
from vpp.core.ports import SeriesTable
from vpp.core.time import TimeGrid
from vpp.forecasting.kinds import SeriesProfile
from vpp.forecasting.training.evidence import Group, actuals
from vpp.forecasting.training.folds import rolling_folds
from vpp.forecasting.training.selection import CELLS, DECILES, decide, hour_cells, losses, offsets

PROFILE = SeriesProfile.load("house")
ORIGINS = np.arange(21) * 24


def group_of(days: int = 45) -> Group:
    grid = TimeGrid(datetime(2024, 5, 1, tzinfo=UTC), 3600, days * 24)
    value = np.random.default_rng(1).normal(-1.0, 0.3, (grid.count, 1))
    zone = ZoneInfo("UTC")
    return Group("home", zone, (PROFILE,), SeriesTable(grid, (PROFILE.key,), value), rolling_folds(grid, zone), 30)


def test_offsets_are_the_ranks_of_the_errors_of_their_cell() -> None:
    rng = np.random.default_rng(0)
    residual, cells = rng.normal(0.0, 1.0, (400, 2)), rng.integers(0, CELLS, 400)
    found = offsets(residual, cells, (0.1, 0.5, 0.9))
    for cell in range(CELLS):
        own = np.sort(residual[cells == cell, 0])
        rank = 0.1 * (own.size + 1) - 1.0
        low = int(np.floor(rank))
        want = own[low] + (rank - low) * (own[low + 1] - own[low])
        assert found[0, cell, 0] == pytest.approx(min(want, 0.0))
    assert (found[1] == 0.0).all()
    assert (np.diff(found, axis=0) >= 0.0).all()


def test_too_few_errors_make_no_band() -> None:
    assert np.isnan(offsets(np.ones((19, 1)), np.zeros(19, dtype=np.int64), (0.1, 0.5, 0.9))).all()


def test_a_band_rests_on_errors_that_were_known_at_its_origin() -> None:
    group = group_of()
    actual = actuals(group)
    said = actual + np.random.default_rng(2).normal(0.0, 0.1, actual.shape)
    before = losses(said, actual, group)
    assert np.isfinite(before.pinball).any()
    origin = int(np.flatnonzero(np.isfinite(before.pinball[:, 0]))[0]) + 3
    poisoned = actual.copy()
    # What happens after an origin, also within the horizons of the origins before it, is not known there.
    rows = np.array(group.origins)[:, None] + np.arange(group.steps)[None, :]
    poisoned[(rows >= group.origins[origin])] = 1e6
    after = losses(said, np.where(np.arange(len(actual))[:, None, None] == origin, actual, poisoned), group)
    assert after.pinball[origin] == before.pinball[origin]


def test_pinball_is_that_of_a_slow_reference() -> None:
    group = group_of()
    actual = actuals(group)
    said = np.full_like(actual, -1.0)
    found = losses(said, actual, group)
    cells = hour_cells(group)
    o = len(actual) - 1
    past = [p for p in range(o) if group.origins[p] + group.steps <= group.origins[o]]
    add = offsets(
        np.concatenate([actual[p] - said[p] for p in past]), np.concatenate([cells[p] for p in past]), DECILES
    )
    total = 0.0
    for h in range(group.steps):
        for i, level in enumerate(DECILES):
            error = float(actual[o, h, 0] - (said[o, h, 0] + add[i, cells[o, h], 0]))
            total += max(level * error, (level - 1.0) * error)
    assert found.pinball[o, 0] == pytest.approx(total / group.steps / len(DECILES))
    assert found.mae[o, 0] == pytest.approx(float(np.abs(actual[o] + 1.0).mean()))


def test_a_model_that_is_silent_on_hard_hours_is_not_compared_there() -> None:
    group = group_of()
    actual = actuals(group)
    said = actual.copy()
    said[5, 3] = np.nan
    found = losses(said, actual, group)
    assert np.isnan(found.mae[5, 0])
    assert np.isfinite(found.mae[6, 0])
    actual[7, 3] = np.nan
    assert np.isfinite(losses(said, actual, group).mae[7, 0])


def loss(mean: float, seed: int, spread: float = 0.1) -> np.ndarray:
    return np.random.default_rng(seed).normal(mean, spread, ORIGINS.size)


def test_a_clear_winner_takes_over() -> None:
    found = decide({"median": loss(1.0, 0), "theta": loss(0.7, 1)}, "median", origins=ORIGINS, steps=30)
    assert (found.model, found.p_value is not None and found.p_value < 0.01) == ("theta", True)
    assert "lower loss than median" in found.reason


def test_luck_does_not_take_over() -> None:
    """Twenty models of the same quality: at most one false promotion in a hundred comparisons is expected."""
    promoted = 0
    for trial in range(60):
        by_model = {f"m{i}": loss(1.0, 100 * trial + i, 0.2) for i in range(20)}
        promoted += decide(by_model, "m0", origins=ORIGINS, steps=30).model != "m0"
    assert promoted <= 3


def test_a_small_but_sure_gain_is_not_worth_a_change() -> None:
    base = loss(1.0, 0)
    found = decide({"median": base, "theta": base - 0.01}, "median", origins=ORIGINS, steps=30)
    assert found.model == "median"
    assert "no challenger of 1" in found.reason


def test_only_over_the_incumbent() -> None:
    by_model = {"median": loss(1.0, 0), "theta": loss(0.7, 1), "mstl": loss(0.69, 2)}
    assert decide(by_model, "theta", origins=ORIGINS, steps=30).model == "theta"


def test_a_challenger_that_skipped_days_has_not_been_compared() -> None:
    easy = loss(0.5, 1)
    easy[:3] = np.nan
    assert decide({"median": loss(1.0, 0), "theta": easy}, "median", origins=ORIGINS, steps=30).model == "median"


def test_nothing_to_compare_keeps_who_serves() -> None:
    nothing = np.full(ORIGINS.size, np.nan)
    found = decide({"median": nothing, "theta": loss(1.0, 0)}, "median", origins=ORIGINS, steps=30)
    assert (found.model, found.reason) == ("median", "nothing to compare yet")
    with pytest.raises(InvalidInputError, match=r"alpha: got 1\.0"):
        decide({}, "median", origins=ORIGINS, steps=30, alpha=1.0)
