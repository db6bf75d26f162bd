"""Time: aware UTC, grids of equal steps, and local days that are not 24 hours long."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, timezone
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpp.core import time as vpp_time
from vpp.core.errors import InvalidInputError, NaiveTimeError, UnknownNameError
from vpp.core.time import TimeGrid

BERLIN = ZoneInfo("Europe/Berlin")
LOS_ANGELES = ZoneInfo("America/Los_Angeles")
LORD_HOWE = ZoneInfo("Australia/Lord_Howe")
START = datetime(2026, 3, 29, tzinfo=UTC)
RESOLUTIONS_S = [second for second in range(1, 86_401) if 86_400 % second == 0]

moments = st.datetimes(
    min_value=datetime(1975, 1, 1),  # noqa: DTZ001, Hypothesis adds the zone
    max_value=datetime(2037, 12, 31),  # noqa: DTZ001
    timezones=st.sampled_from([UTC, BERLIN, LOS_ANGELES, LORD_HOWE]),
)


# --- single times


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2016-08-01T00:00:00Z", datetime(2016, 8, 1, tzinfo=UTC)),
        ("2016-08-01T02:00:00+02:00", datetime(2016, 8, 1, tzinfo=UTC)),
        ("2016-07-31T14:15-09:45", datetime(2016, 8, 1, tzinfo=UTC)),
    ],
)
def test_a_time_with_a_zone_is_read(text: str, expected: datetime) -> None:
    value = vpp_time.parse_time(text)
    assert value == expected
    assert value.tzinfo is UTC


@pytest.mark.parametrize("text", ["2016-08-01", "2016-08-01T00:00", "2016-08-01 12:00:00"])
def test_a_time_without_a_zone_is_refused(text: str) -> None:
    with pytest.raises(NaiveTimeError, match=r"issued_at: got '2016-08-01T.*a time with a zone"):
        vpp_time.parse_time(text, field="issued_at")


@pytest.mark.parametrize("text", ["", "yesterday", "2016-13-01T00:00Z", "2016-02-30T00:00Z", "1470009600"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError, match="an ISO 8601 time with a zone"):
        vpp_time.parse_time(text)


@pytest.mark.parametrize(
    "use",
    [
        vpp_time.require_aware,
        vpp_time.epoch_s,
        lambda value: vpp_time.floor_time(value, 900),
        lambda value: TimeGrid(value, 900, 4),
        lambda value: TimeGrid.between(START, value, 900),
        lambda value: TimeGrid(START, 900, 4).index(value),
        lambda value: vpp_time.local_midnight(value, BERLIN),
        lambda value: vpp_time.local_clock(value, BERLIN, time(13)),
    ],
)
def test_a_naive_time_is_an_error_everywhere(use) -> None:
    with pytest.raises(NaiveTimeError):
        use(datetime(2026, 3, 29))  # noqa: DTZ001


@given(moment=moments)
def test_epoch_seconds_there_and_back(moment: datetime) -> None:
    back = vpp_time.from_epoch_s(vpp_time.epoch_s(moment))
    assert timedelta(0) <= moment.astimezone(UTC) - back < timedelta(seconds=1)


def test_epoch_seconds_are_cut_toward_the_past_before_1970_too() -> None:
    assert vpp_time.epoch_s(datetime(1969, 12, 31, 23, 59, 59, 500_000, tzinfo=UTC)) == -1


@given(moment=moments, resolution_s=st.sampled_from([60, 300, 900, 1800, 3600, 86_400]))
def test_floor_is_the_latest_multiple_not_after(moment: datetime, resolution_s: int) -> None:
    floor = vpp_time.floor_time(moment, resolution_s)
    assert vpp_time.epoch_s(floor) % resolution_s == 0
    assert timedelta(0) <= moment - floor < timedelta(seconds=resolution_s)


def test_an_unknown_zone_names_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match=r"time zone \(timezone\) called 'Europe/Amsterdm'.*Europe/Amsterdam"):
        vpp_time.zone("Europe/Amsterdm")
    assert vpp_time.zone("Australia/Lord_Howe") == LORD_HOWE


@pytest.mark.parametrize("resolution_s", [1, 60, 300, 900, 1800, 3600, 86_400, 900.0])
def test_resolutions_that_divide_a_day(resolution_s: int) -> None:
    whole = vpp_time.check_resolution(resolution_s)
    assert (whole, type(whole)) == (resolution_s, int)


@pytest.mark.parametrize("resolution_s", [0, -900, 7, 86_399, 86_401, 172_800, 0.5, 900.5, float("nan"), float("inf")])
def test_resolutions_that_do_not(resolution_s: int) -> None:
    with pytest.raises(InvalidInputError, match=r"resolution_s: got .*whole seconds that divide a day"):
        vpp_time.check_resolution(resolution_s)


@pytest.mark.parametrize(
    ("text", "duration_s"),
    [("36h", 129_600), ("15min", 900), ("15 m", 900), ("7d", 604_800), ("30s", 30), ("30sec", 30), ("1.5h", 5400)],
)
def test_durations_are_read(text: str, duration_s: int) -> None:
    assert vpp_time.parse_duration_s(text) == duration_s


@pytest.mark.parametrize("text", ["", "36", "h", "-1h", "0h", "0.5s", "1 week", "1h30m", "١h x", 36])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError, match="horizon: got"):
        vpp_time.parse_duration_s(text, field="horizon")


# --- grids


def test_a_grid_is_in_utc_and_stamped_with_starts() -> None:
    grid = TimeGrid(datetime(2026, 3, 29, 1, tzinfo=timezone(timedelta(hours=1))), 900, 3)
    assert grid.start == START
    assert grid.start.tzinfo is UTC
    assert list(grid) == [START, START + timedelta(minutes=15), START + timedelta(minutes=30)]
    assert grid.times_s.tolist() == [vpp_time.epoch_s(moment) for moment in grid]
    assert (len(grid), grid.duration_h, grid.end) == (3, 0.25, START + timedelta(minutes=45))
    assert grid.end_s - grid.start_s == 2700


def test_an_empty_grid_is_a_grid() -> None:
    grid = TimeGrid(START, 900, 0)
    assert (grid.end, list(grid), grid.times_s.shape) == (START, [], (0,))
    with pytest.raises(InvalidInputError):
        grid.index(START)


@pytest.mark.parametrize(
    ("start", "resolution_s", "count", "field"),
    [
        (START, 900, -1, "count"),
        (START, 0, 4, "resolution_s"),
        (START, 7, 4, "resolution_s"),
        (START + timedelta(microseconds=1), 900, 4, "start"),
    ],
)
def test_what_is_no_grid_is_refused(start: datetime, resolution_s: int, count: int, field: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        TimeGrid(start, resolution_s, count)
    assert caught.value.field == field


def test_a_whole_float_resolution_keeps_integer_times() -> None:
    assert TimeGrid(START, 900.0, 2).times_s.dtype == np.int64


@pytest.mark.parametrize(("offset_s", "step"), [(0, 0), (0.5, 0), (899, 0), (899.999999, 0), (900, 1), (3599, 3)])
def test_a_time_belongs_to_the_step_that_holds_it(offset_s: float, step: int) -> None:
    assert TimeGrid(START, 900, 4).index(START + timedelta(seconds=offset_s)) == step


@pytest.mark.parametrize("offset_s", [-1, -0.000001, 3600, 1e9])
def test_a_time_outside_the_grid_is_an_error(offset_s: float) -> None:
    with pytest.raises(InvalidInputError, match=r"a time from 2026-03-29T00:00:00\+00:00 to before 2026-03-29T01:00"):
        TimeGrid(START, 900, 4).index(START + timedelta(seconds=offset_s))


@pytest.mark.parametrize(("start", "stop"), [(0, 4), (0, 0), (4, 4), (1, 3)])
def test_a_part_is_the_steps_it_names(start: int, stop: int) -> None:
    grid = TimeGrid(START, 900, 4)
    assert list(grid.part(start, stop)) == list(grid)[start:stop]


@pytest.mark.parametrize(("start", "stop"), [(-1, 2), (3, 2), (0, 5), (5, 5)])
def test_a_part_outside_the_grid_is_an_error(start: int, stop: int) -> None:
    with pytest.raises(InvalidInputError, match="0 <= start <= stop <= 4"):
        TimeGrid(START, 900, 4).part(start, stop)


@pytest.mark.parametrize(
    ("end", "count"), [(START, 0), (START + timedelta(minutes=15), 1), (START + timedelta(days=1), 96)]
)
def test_the_grid_between_two_times(end: datetime, count: int) -> None:
    grid = TimeGrid.between(START, end, 900)
    assert (grid.start, grid.end, grid.count) == (START, end, count)


@pytest.mark.parametrize("offset_s", [-900, 1, 899, 901, 900.5])
def test_a_span_that_is_no_whole_number_of_steps_is_an_error(offset_s: float) -> None:
    with pytest.raises(InvalidInputError, match="whole steps of 900 s later"):
        TimeGrid.between(START, START + timedelta(seconds=offset_s), 900)


@given(
    start=moments.map(lambda moment: moment.replace(microsecond=0)),
    resolution_s=st.sampled_from(RESOLUTIONS_S),
    count=st.integers(1, 400),
    data=st.data(),
)
def test_times_indices_and_parts_agree(start: datetime, resolution_s: int, count: int, data: st.DataObject) -> None:
    grid = TimeGrid(start, resolution_s, count)
    step = data.draw(st.integers(0, count - 1))
    assert grid.index(grid.time(step)) == step
    assert grid.index(grid.time(step + 1) - timedelta(microseconds=1)) == step
    assert vpp_time.epoch_s(grid.time(step)) == grid.times_s[step]
    assert TimeGrid.between(grid.start, grid.end, resolution_s) == grid
    head, tail = grid.part(0, step), grid.part(step, count)
    assert [*head.times_s, *tail.times_s] == grid.times_s.tolist()
    assert head.end == tail.start


# --- local days

LOCAL_DAYS = [
    (BERLIN, date(2026, 3, 28), 96),
    (BERLIN, date(2026, 3, 29), 92),
    (BERLIN, date(2026, 10, 25), 100),
    (BERLIN, date(2026, 10, 26), 96),
    (LOS_ANGELES, date(2026, 3, 8), 92),
    (LOS_ANGELES, date(2026, 11, 1), 100),
    (LOS_ANGELES, date(2026, 7, 4), 96),
    (LORD_HOWE, date(2026, 4, 5), 98),
    (LORD_HOWE, date(2026, 10, 4), 94),
    (LORD_HOWE, date(2026, 6, 1), 96),
    (ZoneInfo("Asia/Kathmandu"), date(2026, 6, 1), 96),
    (ZoneInfo("UTC"), date(2026, 3, 29), 96),
]


@pytest.mark.parametrize(("tz", "day", "quarters"), LOCAL_DAYS, ids=lambda value: str(value))
def test_local_days_have_the_quarter_hours_they_have(tz: ZoneInfo, day: date, quarters: int) -> None:
    grid = vpp_time.local_day(day, tz)
    assert grid.count == quarters
    assert {moment.astimezone(tz).date() for moment in grid} == {day}
    assert grid.start.astimezone(tz).time() == time()
    assert grid.end.astimezone(tz).date() == day + timedelta(days=1)


def test_lord_howe_shifts_by_half_an_hour() -> None:
    assert vpp_time.local_day(date(2026, 10, 4), LORD_HOWE, 1800).count == 47
    assert vpp_time.local_day(date(2026, 4, 5), LORD_HOWE, 1800).count == 49
    with pytest.raises(InvalidInputError, match="whole steps of 3600 s"):
        vpp_time.local_day(date(2026, 4, 5), LORD_HOWE, 3600)


@given(day=st.dates(date(1975, 1, 1), date(2037, 12, 30)), tz=st.sampled_from([BERLIN, LOS_ANGELES, LORD_HOWE]))
def test_local_days_join_without_gap_or_overlap(day: date, tz: ZoneInfo) -> None:
    today, tomorrow = vpp_time.local_day(day, tz), vpp_time.local_day(day + timedelta(days=1), tz)
    assert today.end == tomorrow.start
    assert today.count in (92, 94, 96, 98, 100)


@pytest.mark.parametrize(
    ("moment", "days", "expected"),
    [
        (datetime(2026, 3, 29, 12, tzinfo=UTC), 0, datetime(2026, 3, 28, 23, tzinfo=UTC)),
        (datetime(2026, 3, 29, 12, tzinfo=UTC), 1, datetime(2026, 3, 29, 22, tzinfo=UTC)),
        (datetime(2026, 3, 29, 22, tzinfo=UTC), 0, datetime(2026, 3, 29, 22, tzinfo=UTC)),
        (datetime(2026, 3, 29, 21, 59, tzinfo=UTC), 0, datetime(2026, 3, 28, 23, tzinfo=UTC)),
        (datetime(2026, 10, 25, 23, 30, tzinfo=UTC), -1, datetime(2026, 10, 24, 22, tzinfo=UTC)),
    ],
)
def test_local_midnights_across_the_shift(moment: datetime, days: int, expected: datetime) -> None:
    assert vpp_time.local_midnight(moment, BERLIN, days=days) == expected


def test_a_wall_clock_time_keeps_its_local_hour_across_the_shift() -> None:
    before = datetime(2026, 3, 28, 20, tzinfo=UTC)
    assert vpp_time.local_clock(before, BERLIN, time(13)) == datetime(2026, 3, 28, 12, tzinfo=UTC)
    assert vpp_time.local_clock(before, BERLIN, time(13), days=1) == datetime(2026, 3, 29, 11, tzinfo=UTC)


# --- offsets


@given(
    times_s=st.lists(st.integers(157_766_400, 2_145_916_800), max_size=30),
    name=st.sampled_from(
        ["Europe/Berlin", "America/Los_Angeles", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia", "UTC"]
    ),
)
def test_offsets_are_those_of_zoneinfo(times_s: list[int], name: str) -> None:
    tz = ZoneInfo(name)
    expected = [int(datetime.fromtimestamp(value, tz).utcoffset().total_seconds()) for value in times_s]
    assert vpp_time.utc_offsets_s(np.array(times_s, dtype=np.int64), tz).tolist() == expected


@pytest.mark.parametrize("tz", [BERLIN, LOS_ANGELES, LORD_HOWE], ids=str)
def test_offsets_change_on_the_second_they_change(tz: ZoneInfo) -> None:
    year = np.arange(TimeGrid(datetime(2026, 1, 1, tzinfo=UTC), 900, 1).start_s, 1_798_761_600, 900)
    offsets = vpp_time.utc_offsets_s(year, tz)
    changes = year[1:][np.diff(offsets) != 0]
    assert changes.size == 2
    around = (changes[:, None] + np.array([-1, 0])).reshape(2, 2)
    expected = [[datetime.fromtimestamp(int(s), tz).utcoffset().total_seconds() for s in pair] for pair in around]
    assert vpp_time.utc_offsets_s(around, tz).tolist() == expected
