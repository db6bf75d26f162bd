"""Set-points: which order holds, the way back to safety, and the limits that nothing passes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpp.core.messages import Command
from vpp.edge.limits import AssetLimits
from vpp.edge.steering import TICK_S, Order, Steering, Why

NOW = datetime(2026, 11, 20, tzinfo=UTC)
LIMITS = AssetLimits(asset_id="store", low_kw=-5.0, high_kw=5.0, safe_kw=0.0)


def order(power_kw: float, start_s: float, end_s: float, issued_s: float = 0.0) -> Order:
    issued = NOW + timedelta(seconds=issued_s)
    command = Command(f"c{issued_s}", "p", "store", issued, issued, issued + timedelta(hours=1), power_kw)
    return Order(command, power_kw, start_s, end_s)


def test_an_order_holds_from_its_start_to_its_end_and_a_little_after() -> None:
    steering = Steering(LIMITS, hold_s=5.0)
    ordered = order(2.0, 10.0, 20.0)
    steering.take(ordered)
    steering.executed(ordered)
    told = [(steering.wish(at, silent=False).power_kw, steering.wish(at, silent=False).why) for at in (9.9, 10.0, 19.9)]
    assert told == [(0.0, Why.SAFE), (2.0, Why.COMMAND), (2.0, Why.COMMAND)]
    after = [
        (steering.wish(at, silent=False).power_kw, steering.wish(at, silent=False).why) for at in (20.0, 24.9, 25.0)
    ]
    assert after == [(2.0, Why.HOLD), (2.0, Why.HOLD), (0.0, Why.SAFE)]


def test_an_order_that_no_device_took_is_not_held_after_its_end() -> None:
    steering = Steering(LIMITS, hold_s=5.0)
    steering.take(order(2.0, 10.0, 20.0))
    assert steering.wish(20.0, silent=False).why is Why.SAFE


def test_of_two_orders_the_one_issued_last_holds_whatever_came_first() -> None:
    steering = Steering(LIMITS, hold_s=0.0)
    steering.take(order(2.0, 0.0, 100.0, issued_s=5.0))
    steering.take(order(1.0, 0.0, 100.0, issued_s=1.0))
    assert steering.wish(1.0, silent=False).power_kw == 2.0
    same_moment = order(3.0, 0.0, 100.0, issued_s=5.0)
    steering.take(same_moment)
    assert steering.wish(1.0, silent=False).order is same_moment


def test_silence_makes_safe_whatever_was_ordered() -> None:
    steering = Steering(LIMITS, hold_s=60.0)
    steering.take(order(2.0, 0.0, 100.0))
    assert steering.wish(1.0, silent=True).why is Why.SAFE
    assert steering.wish(1.0, silent=False).why is Why.COMMAND


def test_a_set_point_is_told_once_and_again_when_the_device_did_not_take_it() -> None:
    steering = Steering(LIMITS, hold_s=0.0)
    assert steering.next_kw(2.0, 0.0) == 2.0
    steering.told(2.0, 0.0, Why.COMMAND)
    assert steering.next_kw(2.0, 1.0) is None
    steering.tell_again()
    assert steering.next_kw(2.0, 2.0) == 2.0


@pytest.mark.parametrize(("from_kw", "first"), [(0.0, 1.0), (3.0, 4.0), (-5.0, -4.0), (9.0, 5.0)])
def test_a_slew_limit_starts_from_what_the_device_does(from_kw: float, first: float) -> None:
    steering = Steering(AssetLimits(asset_id="store", low_kw=-5, high_kw=5, safe_kw=0, slew_kw_per_min=60.0), hold_s=0)
    assert steering.next_kw(5.0, 0.0, from_kw=from_kw) == first


@given(
    targets=st.lists(st.tuples(st.floats(-20, 20), st.floats(0.0, 30.0)), min_size=5, max_size=60),
    slew=st.sampled_from([1.0, 30.0, 240.0, inf]),
    most_flips=st.integers(0, 3),
)
def test_no_way_of_asking_passes_the_limits(targets: list[tuple[float, float]], slew: float, most_flips: int) -> None:
    limits = AssetLimits(
        asset_id="store", low_kw=-4.0, high_kw=5.0, safe_kw=0.0, slew_kw_per_min=slew, most_flips=most_flips,
        flip_window_s=60.0,
    )  # fmt: skip
    steering, now_s, log = Steering(limits, hold_s=0.0), 0.0, []
    for target, wait_s in targets:
        now_s += wait_s
        power_kw = steering.next_kw(target, now_s)
        if power_kw is not None:
            steering.told(power_kw, now_s, Why.COMMAND)
            log.append((now_s, power_kw))
    for (before_s, before), (at_s, power_kw) in zip([(-inf, 0.0), *log], log, strict=False):
        assert -4.0 <= power_kw <= 5.0
        assert abs(power_kw - before) <= slew / 60.0 * TICK_S + 1e-9
        assert slew == inf or at_s - before_s >= TICK_S
    signs = [(at_s, power_kw > 0.0) for at_s, power_kw in log if power_kw]
    flips = [at_s for (_, was), (at_s, now) in pairwise(signs) if was != now]
    for at_s in flips:
        assert sum(at_s - 60.0 < other <= at_s for other in flips) <= most_flips
