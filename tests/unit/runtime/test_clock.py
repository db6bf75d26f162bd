from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta, timezone
from threading import Event, Thread

import pytest

from vpp.core.errors import InvalidInputError, NaiveTimeError
from vpp.core.ports import Clock
from vpp.runtime.clock import LONGEST_NAP_S, DataClock, ReplayClock, WallClock

START = datetime(2016, 8, 1, tzinfo=UTC)


class _Wall(Event):
    """A monotonic clock and a wait that tests can steer."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 50.0
        self.slept: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        self.slept.append(timeout)
        self.now_s += timeout
        return self.is_set()


@pytest.fixture
def wall(monkeypatch: pytest.MonkeyPatch) -> _Wall:
    steered = _Wall()
    monkeypatch.setattr(time, "monotonic", lambda: steered.now_s)
    return steered


def test_all_are_clocks() -> None:
    for clock in (WallClock(), ReplayClock(START, 1.0), DataClock(START)):
        assert isinstance(clock, Clock)
        assert clock.now().utcoffset() == timedelta(0)


def test_a_replay_runs_as_fast_as_asked(wall: _Wall) -> None:
    clock = ReplayClock(START, 1800.0, wall)
    assert clock.now() == START
    wall.now_s += 2.0
    assert clock.now() == START + timedelta(hours=1)
    clock.sleep_until(START + timedelta(hours=3))
    assert wall.slept == [pytest.approx(4.0)]
    assert clock.now() == START + timedelta(hours=3)


def test_a_replay_does_not_sleep_for_what_has_passed(wall: _Wall) -> None:
    clock = ReplayClock(START, 60.0, wall)
    wall.now_s += 10.0
    clock.sleep_until(START)
    assert wall.slept == []


@pytest.mark.parametrize("speed", [0.0, -1.0, float("nan")])
def test_a_replay_needs_a_speed(speed: float) -> None:
    with pytest.raises(InvalidInputError, match="speed"):
        ReplayClock(START, speed)


def test_data_time_moves_only_forward_and_only_when_told() -> None:
    clock = DataClock(START)
    clock.sleep_until(START + timedelta(hours=2))
    clock.sleep_until(START + timedelta(hours=1))
    assert clock.now() == START + timedelta(hours=2)


def test_naive_starts_are_errors_and_zones_become_utc() -> None:
    naive = datetime(2016, 8, 1)  # noqa: DTZ001, that is what is refused
    for make in (DataClock, lambda start: ReplayClock(start, 1.0)):
        with pytest.raises(NaiveTimeError):
            make(naive)
    assert DataClock(START.astimezone(timezone(timedelta(hours=2)))).now().isoformat() == START.isoformat()


def test_the_wall_clock_sleeps_what_is_left(wall: _Wall) -> None:
    clock = WallClock(wall)
    clock.sleep_until(clock.now() - timedelta(seconds=1))
    assert wall.slept == []
    wall.set()
    clock.sleep_until(clock.now() + timedelta(seconds=5))
    clock.sleep_until(clock.now() + timedelta(hours=1))
    assert wall.slept == [pytest.approx(5.0, abs=0.5), LONGEST_NAP_S]


@pytest.mark.parametrize("kind", ["wall", "replay"])
def test_a_clock_that_is_stopped_sleeps_no_longer(kind: str) -> None:
    stopping = Event()
    clock = WallClock(stopping) if kind == "wall" else ReplayClock(START, 1.0, stopping)
    sleeper = Thread(target=clock.sleep_until, args=(clock.now() + timedelta(hours=1),))
    sleeper.start()
    stopping.set()
    sleeper.join(timeout=5.0)
    assert not sleeper.is_alive()
