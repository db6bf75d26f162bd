"""Buckets of time: which may be asked for, and what the plain way puts into them."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pytest

from vpp.core.errors import InvalidInputError, NaiveTimeError
from vpp.core.messages import SeriesKey
from vpp.core.time import from_epoch_s
from vpp.store.buckets import check_buckets, fill_buckets

KEY = SeriesKey("a", "power_kw")
DAY = from_epoch_s(86_400)


@pytest.mark.parametrize("bucket_s", [1, 2, 15, 30, 60, 120, 300, 900, 3600, 43_200, 86_400, 172_800])
def test_lengths_that_fill_a_day(bucket_s: int) -> None:
    assert check_buckets(from_epoch_s(0), from_epoch_s(172_800), bucket_s) == (0, 172_800)


@pytest.mark.parametrize("bucket_s", [0, -60, 7, 45, 61, 90, 420, 90_000])
def test_other_lengths_are_refused(bucket_s: int) -> None:
    with pytest.raises(InvalidInputError, match=f"bucket_s: got {bucket_s}, expected a divisor of a minute"):
        check_buckets(from_epoch_s(0), DAY, bucket_s)


@pytest.mark.parametrize("start", [from_epoch_s(30), from_epoch_s(0) + timedelta(microseconds=1)])
def test_a_span_that_cuts_a_bucket_is_refused(start: datetime) -> None:
    with pytest.raises(InvalidInputError, match=r"start: got .*, expected a whole multiple of 60 s"):
        check_buckets(start, DAY, 60)
    with pytest.raises(InvalidInputError, match="end"):
        check_buckets(from_epoch_s(0), start, 60)
    with pytest.raises(NaiveTimeError, match="start"):
        check_buckets(datetime(2020, 1, 1), DAY, 60)  # noqa: DTZ001, that is the point


def test_buckets_without_readings_are_left_out() -> None:
    time_s = np.array([-61, -60, -1, 0, 600])
    found = fill_buckets(KEY, time_s, np.array([8.0, -1.0, 3.0, 4.0, 5.0]), bucket_s=60)
    assert found.time_s.tolist() == [-120, -60, 0, 600]
    assert found.count.tolist() == [1, 2, 1, 1]
    assert found.total.tolist() == [8.0, 2.0, 4.0, 5.0]
    assert (found.low.tolist(), found.high.tolist()) == ([8.0, -1.0, 4.0, 5.0], [8.0, 3.0, 4.0, 5.0])
    nothing = fill_buckets(KEY, np.empty(0, dtype=np.int64), np.empty(0), bucket_s=60)
    assert nothing.mean.size == nothing.time_s.size == 0
