"""Tracking: every command ends exactly once, by its proof or by its expiry, whatever arrives and when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from vpp.core.messages import Ack, AckStatus, Command
from vpp.dispatch.tracking import CommandTracker

START = datetime(2016, 8, 1, tzinfo=UTC)
STEP = timedelta(minutes=15)


def command(name: str = "b-0", step: int = 0) -> Command:
    start = START + step * STEP
    return Command(name, "p", "b", start, start, start + STEP, 1.0)


def ack(name: str = "b-0", status: AckStatus = AckStatus.EXECUTED) -> Ack:
    return Ack(name, "p", "b", START + STEP, status, 1.0)


def tracker(*commands: Command) -> CommandTracker:
    made = CommandTracker()
    made.sent(commands or [command()])
    return made


@pytest.mark.parametrize("status", [AckStatus.EXECUTED, AckStatus.LIMITED, AckStatus.REFUSED])
def test_an_answer_closes_its_command(status: AckStatus) -> None:
    tracked = tracker(command("a"), command("b"))
    answer = ack("a", status)
    assert tracked.answered([answer], now=START + STEP) == [answer]
    assert [waiting.id for waiting in tracked.waiting] == ["b"]


@pytest.mark.parametrize(("after_s", "expired"), [(-1, False), (0, False), (1, True), (9999, True)])
def test_a_command_expires_after_its_end_not_at_it(after_s: int, expired: bool) -> None:
    now = START + STEP + timedelta(seconds=after_s)
    tracked = tracker()
    closed = tracked.answered([], now=now)
    if not expired:
        assert closed == []
        assert len(tracked.waiting) == 1
        return
    assert closed == [Ack("b-0", "p", "b", now, AckStatus.EXPIRED, None, "no answer by its end")]
    assert tracked.waiting == ()
    assert tracked.answered([], now=now + STEP) == []


def test_an_answer_with_the_expiry_wins() -> None:
    answer = ack()
    assert tracker().answered([answer], now=START + 9 * STEP) == [answer]


@pytest.mark.parametrize("batches", [[[ack(), ack()]], [[ack()], [ack()]], [[ack(), ack(status=AckStatus.LIMITED)]]])
def test_a_repeated_answer_counts_once(batches: list[list[Ack]]) -> None:
    tracked = tracker()
    assert [a for batch in batches for a in tracked.answered(batch, now=START + STEP)] == [ack()]


def test_a_late_and_an_unknown_answer_are_left_out() -> None:
    tracked = tracker()
    tracked.answered([], now=START + 2 * STEP)
    assert tracked.answered([ack(), ack("nobody-asked")], now=START + 3 * STEP) == []


def test_a_newer_command_of_the_same_step_replaces_the_older() -> None:
    newer = Command("b-0", "p", "b", START, START, START + STEP, 2.0)
    tracked = tracker(command(), newer)
    assert tracked.waiting == (newer,)
    assert tracked.answered([ack()], now=START + STEP) == [ack()]


class Endings(RuleBasedStateMachine):
    """Any order of sending, answering, repeating and waiting."""

    def __init__(self) -> None:
        super().__init__()
        self.tracked = CommandTracker()
        self.now = START
        self.sent: dict[str, Command] = {}
        self.endings: dict[str, list[Ack]] = {}

    def take(self, acks: list[Ack]) -> None:
        for closed in self.tracked.answered(acks, now=self.now):
            self.endings.setdefault(closed.command_id, []).append(closed)

    @rule(ahead=st.integers(0, 3))
    def send(self, ahead: int) -> None:
        name = f"c{len(self.sent)}"
        start = self.now + ahead * STEP
        self.sent[name] = Command(name, "p", "b", self.now, start, start + STEP, 1.0)
        self.tracked.sent([self.sent[name]])

    @rule(numbers=st.lists(st.integers(0, 12), max_size=4), status=st.sampled_from(list(AckStatus)))
    def answer(self, numbers: list[int], status: AckStatus) -> None:
        self.take([ack(f"c{number}", status) for number in numbers])

    @rule(minutes=st.integers(1, 40))
    def wait(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)
        self.take([])

    @invariant()
    def each_waits_or_has_ended_once(self) -> None:
        waiting = {waiting.id for waiting in self.tracked.waiting}
        assert waiting.isdisjoint(self.endings)
        assert waiting | set(self.endings) == set(self.sent)
        assert all(len(endings) == 1 for endings in self.endings.values())

    def teardown(self) -> None:
        self.now += timedelta(days=1)
        self.take([])
        assert set(self.endings) == set(self.sent)
        assert self.tracked.waiting == ()


TestEndings = Endings.TestCase
TestEndings.settings = settings(max_examples=30, stateful_step_count=20, deadline=None)
