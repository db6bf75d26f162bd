from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from vpp.core.errors import InvalidInputError
from vpp.core.time import TimeGrid
from vpp.forecasting.evaluation.origins import daily_origins, last_origins, origins_at

ZONE = ZoneInfo("Europe/Amsterdam")
# A fortnight around the spring change of 2024-03-31.
GRID = TimeGrid(datetime(2024, 3, 23, 23, tzinfo=UTC), 3600, 14 * 24)


def local_hours(rows: tuple[int, ...]) -> set[int]:
    return {GRID.time(row).astimezone(ZONE).hour for row in rows}


def test_the_last_days_whose_horizon_is_over() -> None:
    rows = last_origins(GRID, ZONE, local_hour=18, steps=30, days=28)
    assert local_hours(rows) == {18}
    assert len(rows) == 13  # of 14 evenings the last has only seven hours left
    assert max(rows) + 30 <= GRID.count
    assert last_origins(GRID, ZONE, local_hour=18, steps=30, days=3) == rows[-3:]
    assert last_origins(GRID, ZONE, local_hour=18, steps=1000, days=3) == ()


def test_days_of_the_clock_change_are_a_local_day_apart() -> None:
    rows = daily_origins(GRID, ZONE, local_hour=18, first=GRID.start, days=10)
    assert local_hours(rows) == {18}
    assert sorted({later - earlier for earlier, later in pairwise(rows)}) == [23, 24]


def test_moments_become_rows_once_and_in_order() -> None:
    moments = [GRID.time(40), GRID.time(20), GRID.time(40).astimezone(ZONE)]
    assert origins_at(GRID, moments) == (20, 40)


@pytest.mark.parametrize("moment", [GRID.start, GRID.end, GRID.start + timedelta(minutes=90)])
def test_moments_that_are_no_step_are_refused(moment: datetime) -> None:
    with pytest.raises(InvalidInputError, match="the start of a step of 3600 s"):
        origins_at(GRID, [moment])


def test_days_are_checked() -> None:
    with pytest.raises(InvalidInputError, match="days"):
        last_origins(GRID, ZONE, local_hour=18, steps=30, days=0)
