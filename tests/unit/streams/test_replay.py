from __future__ import annotations

from datetime import datetime

import numpy as np
import pytest

from vpp.core.errors import NaiveTimeError, SeriesMismatchError
from vpp.core.messages import POWER_KW, Quality, SeriesKey
from vpp.core.ports import SeriesTable
from vpp.core.time import TimeGrid, parse_time
from vpp.streams.replay import replay

GRID = TimeGrid(parse_time("2016-08-01T00:00Z"), 900, 5)
KEYS = (SeriesKey("load", POWER_KW), SeriesKey("pv", POWER_KW))
NAN = float("nan")
TABLE = SeriesTable(GRID, KEYS, np.array([[-1.0, 0.0], [-2.0, NAN], [NAN, NAN], [-4.0, 1.0], [-5.0, 2.0]]))


def test_each_step_is_told_at_its_end_and_an_empty_one_not_at_all() -> None:
    batches = list(replay(TABLE, plant="p", start=GRID.start, end=GRID.end))
    assert [len(batch) for batch in batches] == [2, 1, 2, 2]
    for batch in batches:
        assert len(set(batch.time_s)) == 1
        np.testing.assert_array_equal(batch.arrived_s, batch.time_s + 900)
        np.testing.assert_array_equal(batch.issued_s, batch.arrived_s)
    assert [value for batch in batches for value in batch.value] == [-1.0, 0.0, -2.0, -4.0, 1.0, -5.0, 2.0]
    assert [batch.time_s[0] for batch in batches] == [GRID.start_s + 900 * i for i in (0, 1, 3, 4)]


@pytest.mark.parametrize(
    ("start", "end", "values"),
    [
        ("2016-08-01T00:15Z", "2016-08-01T00:30Z", [-2.0]),
        ("2016-08-01T00:16Z", "2016-08-01T01:00Z", [-4.0, 1.0]),
        ("2016-08-01T02:00+02:00", "2016-08-01T00:01Z", [-1.0, 0.0]),
        ("2016-08-01T01:00Z", "2017-01-01T00:00Z", [-5.0, 2.0]),
        ("2016-08-01T01:00Z", "2016-08-01T01:00Z", []),
        ("2018-08-01T01:00Z", "2018-08-01T02:00Z", []),
    ],
)
def test_only_steps_that_start_inside_are_told(start: str, end: str, values: list[float]) -> None:
    batches = replay(TABLE, plant="p", start=parse_time(start), end=parse_time(end))
    assert [value for batch in batches for value in batch.value] == values


def test_flags_travel_along() -> None:
    quality = np.zeros((5, 2), dtype=np.int64)
    quality[3, 0] = int(Quality.REPAIRED)
    batches = list(replay(TABLE, plant="p", start=GRID.start, end=GRID.end, quality=quality))
    assert [batch.quality.tolist() for batch in batches] == [[0, 0], [0], [1, 0], [0, 0]]
    with pytest.raises(SeriesMismatchError, match="quality"):
        replay(TABLE, plant="p", start=GRID.start, end=GRID.end, quality=quality[:3])


def test_a_naive_time_is_an_error() -> None:
    with pytest.raises(NaiveTimeError):
        replay(TABLE, plant="p", start=datetime(2016, 8, 1), end=GRID.end)  # noqa: DTZ001
