from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpp.core.errors import InvalidInputError
from vpp.core.time import TimeGrid
from vpp.forecasting.training.folds import LEAST_FIT_DAYS, rolling_folds

AMSTERDAM = ZoneInfo("Europe/Amsterdam")


@given(
    days=st.integers(0, 90),
    resolution_s=st.sampled_from([900, 1800, 3600]),
    folds=st.integers(1, 6),
    horizon_h=st.integers(1, 48),
    gap_h=st.integers(0, 48),
)
def test_nothing_a_fold_is_scored_on_lies_in_its_fit(
    days: int, resolution_s: int, folds: int, horizon_h: int, gap_h: int
) -> None:
    grid = TimeGrid(datetime(2024, 1, 20, 3, tzinfo=UTC), resolution_s, days * 86_400 // resolution_s)
    found = rolling_folds(grid, AMSTERDAM, folds=folds, horizon_h=horizon_h, gap_h=gap_h)
    hour = 3600 // resolution_s
    assert len(found) <= folds
    origins = [origin for fold in found for origin in fold.origins]
    assert origins == sorted(set(origins))
    for fold in found:
        assert fold.fit_until >= LEAST_FIT_DAYS * 24 * hour
        assert fold.fit_until + gap_h * hour <= fold.origins[0]
    for origin in origins:
        assert origin + horizon_h * hour <= grid.count
        assert grid.time(origin).astimezone(AMSTERDAM).hour == 18
    # An origin of a later fold never comes before the fit of that fold ends.
    assert all(early.origins[-1] < late.origins[0] for early, late in pairwise(found))


def test_origins_stay_at_18_on_the_wall_across_a_clock_change() -> None:
    grid = TimeGrid(datetime(2024, 3, 1, tzinfo=UTC), 3600, 40 * 24)
    (fold,) = rolling_folds(grid, AMSTERDAM, folds=1)
    moments = [grid.time(origin) for origin in fold.origins]
    assert moments[-1] == datetime(2024, 4, 8, 16, tzinfo=UTC)
    assert {later - earlier for earlier, later in pairwise(moments)} == {timedelta(days=1)}


def test_a_short_history_has_no_fold() -> None:
    grid = TimeGrid(datetime(2024, 1, 1, tzinfo=UTC), 3600, 9 * 24)
    assert rolling_folds(grid, AMSTERDAM) == ()


@pytest.mark.parametrize(
    ("field", "value"), [("folds", 0), ("folds", 53), ("horizon_h", 0), ("horizon_h", 169), ("gap_h", -1)]
)
def test_what_is_out_of_range_is_refused_with_its_range(field: str, value: int) -> None:
    grid = TimeGrid(datetime(2024, 1, 1, tzinfo=UTC), 3600, 24)
    with pytest.raises(InvalidInputError, match=f"{field}: got {value}, expected a whole number from"):
        rolling_folds(grid, AMSTERDAM, **{field: value})
