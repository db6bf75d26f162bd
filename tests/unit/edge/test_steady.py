"""The steady clock: a jump moves nothing, a drift is followed, a wall that stays is believed in the end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from vpp.edge.steady import SteadyClock

START = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


class Wall:
    def __init__(self) -> None:
        self.offset_s = 0.0
        self.counter_s = 0.0

    def now(self) -> datetime:
        return START + timedelta(seconds=self.counter_s + self.offset_s)

    def sleep_until(self, moment: datetime) -> None:
        raise AssertionError(moment)


@pytest.fixture
def wall() -> Wall:
    return Wall()


@pytest.fixture
def clock(wall: Wall) -> SteadyClock:
    return SteadyClock(wall, patience_s=900.0, counter=lambda: wall.counter_s)


@pytest.mark.parametrize("jump_s", [3600.0, -3600.0, 5.0])
def test_a_jump_of_the_wall_moves_nothing(wall: Wall, clock: SteadyClock, jump_s: float) -> None:
    wall.counter_s = 10.0
    wall.offset_s = jump_s
    assert clock.now() == START + timedelta(seconds=10)
    assert clock.off_by_s == pytest.approx(jump_s)
    wall.counter_s = 20.0
    wall.offset_s = 0.0
    assert clock.now() == START + timedelta(seconds=20)
    assert clock.off_by_s == 0.0


def test_a_wall_that_stays_where_it_jumped_is_believed(wall: Wall, clock: SteadyClock) -> None:
    wall.offset_s = 3600.0
    clock.now()
    wall.counter_s = 899.0
    assert clock.now() == START + timedelta(seconds=899)
    wall.counter_s = 900.0
    assert clock.now() == START + timedelta(seconds=4500)


def test_a_wall_that_goes_on_jumping_is_not_believed(wall: Wall, clock: SteadyClock) -> None:
    for step in range(10):
        wall.counter_s = step * 800.0
        wall.offset_s = 3600.0 * (step + 1)
        assert clock.now() == START + timedelta(seconds=wall.counter_s)


def test_a_slow_drift_is_followed_slowly(wall: Wall, clock: SteadyClock) -> None:
    wall.counter_s, wall.offset_s = 10.0, 1.0
    assert clock.now() == START + timedelta(seconds=10.1)
    for step in range(200):
        wall.counter_s = 20.0 + 10.0 * step
        clock.now()
    assert clock.now() == wall.now()


def test_it_never_runs_backwards(wall: Wall, clock: SteadyClock) -> None:
    wall.counter_s = 10.0
    before = clock.now()
    wall.offset_s = -1.5
    wall.counter_s = 10.001
    assert clock.now() >= before
