"""The buffer: what is sent twice is the same message, what is dropped is counted, what was told stays told."""

from __future__ import annotations

import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from vpp.core.errors import ClosedError, InvalidInputError, StoreError
from vpp.core.messages import POWER_KW, Ack, AckStatus, Command, Event, Readings, SeriesKey, Severity
from vpp.edge.buffer import Buffer
from vpp.edge.buffer_reader import BufferReader
from vpp.edge.buffer_rows import Outgoing

NOW = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)


class Still:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.at = NOW

    def now(self) -> datetime:
        return self.at

    def sleep_until(self, moment: datetime) -> None:
        self.at = moment


Make = Callable[..., Buffer]


@pytest.fixture
def clock() -> Still:
    return Still()


@pytest.fixture
def make(tmp_path: Path, clock: Still) -> Iterator[Make]:
    made: list[Buffer] = []

    def open_buffer(boot: str = "boot1", **settings: int) -> Buffer:
        made.append(Buffer(tmp_path / "b.db", plant="homes", boot=boot, clock=clock, ballast_bytes=0, **settings))
        return made[-1]

    yield open_buffer
    for one in made:
        one.close()


def readings(at_s: int, *values: float, asset: str = "load") -> Readings:
    keys = tuple(SeriesKey(f"{asset}{i}", POWER_KW) for i in range(len(values)))
    return Readings.from_table("homes", keys, np.array([at_s]), np.array([values]), arrived_s=at_s + 1)


def rows_of(messages: list[Outgoing]) -> Counter[tuple[str, str, int, float]]:
    return Counter(
        (one.node, row.key.source, int(row.time.timestamp()), row.value)
        for one in messages
        for row in one.readings.rows()
    )


def identity(message: Outgoing) -> tuple[str, str, int]:
    return message.node, message.boot, message.sequence


def command(name: str = "c1", power_kw: float = 2.0) -> Command:
    return Command(name, "homes", "store", NOW, NOW, NOW + timedelta(minutes=15), power_kw)


def test_while_the_link_is_up_each_polling_is_a_message_and_counts_on_in_each_node(make: Make) -> None:
    buffer = make()
    buffer.go_live(True)
    for step in range(3):
        buffer.record("a", readings(step, 1.5, -2.5))
        buffer.record("b", readings(step, 0.0))
    buffer.settle()
    _, messages = buffer.fresh(most=100, wait_s=0.0)
    assert [identity(one) for one in messages] == [(node, "boot1", i) for i in range(3) for node in ("a", "b")]
    assert buffer.counts().waiting_rows == 9
    assert not buffer.has_backlog
    buffer.acknowledge(messages)
    buffer.settle()
    assert (buffer.counts().waiting_rows, buffer.counts().kept_rows) == (0, 9)


def test_while_it_is_down_readings_gather_and_come_whole_afterwards(make: Make) -> None:
    buffer = make()
    for step in range(700):
        buffer.record("a", readings(step, float(step)))
        buffer.record("b", readings(step, -float(step)))
    buffer.settle()
    buffer.go_live(True)
    messages = []
    while buffer.has_backlog:
        messages += buffer.backlog(most_rows=600)
    assert max(len(one.readings) for one in messages) == 500
    assert rows_of(messages) == Counter(
        {(node, "load0", step, sign * step): 1 for step in range(700) for node, sign in (("a", 1.0), ("b", -1.0))}
    )
    assert len({identity(one) for one in messages}) == len(messages) == 4


def test_what_could_not_be_sent_comes_again_as_the_same_message_beside_new_ones(make: Make) -> None:
    buffer = make()
    buffer.go_live(True)
    buffer.record("a", readings(0, 1.0))
    buffer.settle()
    _, first = buffer.fresh(most=9, wait_s=0.0)
    buffer.release(first)
    buffer.go_live(False)
    buffer.record("a", readings(5, 2.0))
    buffer.settle()
    buffer.go_live(True)
    again = buffer.backlog(most_rows=100)
    assert [identity(one) for one in again] == [("a", "boot1", 0), ("a", "boot1", 1)]
    assert again[0].readings.value.tolist() == first[0].readings.value.tolist()
    assert buffer.backlog(most_rows=100) == []


def test_a_message_that_may_have_been_sent_takes_no_more_readings(make: Make) -> None:
    buffer = make()
    buffer.record("a", readings(0, 1.0))
    (sent,) = buffer.backlog(most_rows=10)
    buffer.release([sent])
    buffer.record("a", readings(5, 2.0))
    assert [len(one.readings) for one in buffer.backlog(most_rows=10)] == [1, 1]


def test_after_a_crash_everything_comes_with_the_identity_it_had(make: Make, tmp_path: Path, clock: Still) -> None:
    buffer = make()
    buffer.go_live(True)
    buffer.record("a", readings(0, 1.0))
    buffer.settle()
    buffer.go_live(False)
    buffer.record("a", readings(5, 2.0))
    buffer.settle()
    copy = tmp_path / "copy.db"
    for suffix in ("", "-wal"):
        copy.with_name(copy.name + suffix).write_bytes((tmp_path / f"b.db{suffix}").read_bytes())
    with closing(Buffer(copy, plant="homes", boot="boot2", clock=clock, ballast_bytes=0)) as restarted:
        assert restarted.counts().waiting_rows == 2
        restarted.record("a", readings(9, 3.0))
        found = restarted.backlog(most_rows=100)
        assert [identity(one) for one in found] == [("a", "boot1", 0), ("a", "boot1", 1), ("a", "boot2", 0)]


def test_over_capacity_the_oldest_never_sent_are_dropped_and_counted_exactly(make: Make) -> None:
    buffer = make(capacity_rows=1_000)
    buffer.go_live(True)
    buffer.record("sent", readings(0, 1.0))
    buffer.settle()
    buffer.release(buffer.fresh(most=9, wait_s=0.0)[1])
    buffer.go_live(False)
    for step in range(3_000):
        buffer.record(f"n{step % 7}", readings(step, float(step)))
    buffer.settle()
    counts = buffer.counts()
    assert counts.waiting_rows == 1_000
    assert counts.waiting_rows + counts.dropped_rows == 3_001
    kept = rows_of(buffer.backlog(most_rows=10_000))
    assert sum(kept.values()) == counts.waiting_rows
    assert ("sent", "load0", 0, 1.0) in kept
    assert {(f"n{step % 7}", "load0", step, float(step)) for step in range(2_990, 3_000)} <= kept.keys()


def test_what_was_acknowledged_is_forgotten_first_and_is_no_loss(make: Make, clock: Still) -> None:
    buffer = make(capacity_rows=1_000)
    for step in range(900):
        buffer.record("a", readings(step, 1.0))
    buffer.acknowledge(buffer.backlog(most_rows=10_000))
    for step in range(900):
        buffer.record("b", readings(step, 1.0))
    buffer.settle()
    assert buffer.counts().waiting_rows == 900
    assert buffer.counts().dropped_rows == 0


def test_what_was_acknowledged_is_kept_for_its_time(make: Make, clock: Still) -> None:
    buffer = make(keep_s=3600)
    buffer.record("a", readings(0, 1.0))
    buffer.acknowledge(buffer.backlog(most_rows=10))
    buffer.settle()
    for wait_s, kept in ((3599, 1), (32, 0)):
        clock.at += timedelta(seconds=wait_s)
        buffer.acknowledge([])
        buffer.settle()
        assert buffer.counts().kept_rows == kept


def test_after_a_break_what_was_acknowledged_lately_comes_again(make: Make, clock: Still) -> None:
    buffer = make()
    for name in ("old", "new"):
        buffer.record(name, readings(0, 1.0))
        buffer.acknowledge(buffer.backlog(most_rows=10))
        buffer.settle()
        clock.at += timedelta(seconds=30)
    clock.at += timedelta(hours=2)
    buffer.recall(20)
    assert [one.node for one in buffer.backlog(most_rows=10)] == ["new"]


def test_after_a_break_answers_that_were_acknowledged_lately_come_again(make: Make, clock: Still) -> None:
    buffer = make()
    for name in ("old", "new"):
        ack = Ack(name, "homes", "store", NOW, AckStatus.EXECUTED, 1.0)
        buffer.take([("a", command(name))])
        buffer.answer([("a", ack)])
        buffer.settle()
        buffer.answers_sent(buffer.fresh(most=9, wait_s=0.0)[0])
        buffer.settle()
        clock.at += timedelta(seconds=30)
    clock.at += timedelta(hours=2)
    buffer.recall(20)
    buffer.settle()
    assert [ack.command_id for _, ack in buffer.fresh(most=9, wait_s=0.0)[0]] == ["new"]


def test_a_polling_of_many_values_becomes_several_messages(make: Make) -> None:
    buffer = make()
    buffer.go_live(True)
    many = readings(0, *(float(i) for i in range(1_201)))
    buffer.record("a", many)
    buffer.settle()
    messages = buffer.fresh(most=9, wait_s=0.0)[1]
    assert [len(one.readings) for one in messages] == [500, 500, 201]
    assert sum(rows_of(messages).values()) == len(rows_of(messages)) == 1_201


def test_a_command_is_taken_once_and_its_answer_outlives_a_restart(make: Make, tmp_path: Path, clock: Still) -> None:
    buffer = make()
    (first,) = buffer.take([("a", command())])
    (again,) = buffer.take([("a", command())])
    (other,) = buffer.take([("a", command(power_kw=3.0))])
    assert (first.is_new, again.is_new, again.is_same, other.is_same) == (True, False, True, False)
    assert buffer.unanswered() == [("a", command())]
    ack = Ack("c1", "homes", "store", NOW, AckStatus.LIMITED, 1.5, "words")
    buffer.answer([("a", ack)])
    buffer.settle()
    assert buffer.fresh(most=9, wait_s=1.0)[0] == [("a", ack)]
    buffer.close()
    restarted = make("boot2")
    assert restarted.unanswered() == []
    assert restarted.fresh(most=9, wait_s=0.0)[0] == [("a", ack)]
    assert restarted.take([("a", command())])[0].answer == ack
    assert restarted.in_force() == [("a", command(), ack)]
    restarted.answers_sent([("a", ack)])
    restarted.close()
    assert make("boot3").fresh(most=9, wait_s=0.0)[0] == []


def test_events_are_kept(make: Make) -> None:
    buffer = make()
    event = Event("homes", NOW, "safe_mode", Severity.WARNING, "words", {"node": "a", "kw": 1.5})
    buffer.note(event)
    assert buffer.latest_events() == [event]


def test_a_buffer_is_one_gateways_and_one_plants(make: Make, tmp_path: Path, clock: Still) -> None:
    buffer = make()
    with pytest.raises(StoreError, match="another gateway uses this buffer"):
        make()
    buffer.close()
    with pytest.raises(StoreError, match="the buffer of plant 'homes', not of 'other'"):
        Buffer(tmp_path / "b.db", plant="other", boot="b", clock=clock)
    with closing(sqlite3.connect(tmp_path / "foreign.db")) as foreign:
        foreign.execute("CREATE TABLE t (x)")
    with pytest.raises(StoreError, match="no gateway's buffer"):
        Buffer(tmp_path / "foreign.db", plant="homes", boot="b", clock=clock)
    with pytest.raises(StoreError, match="does not exist"):
        Buffer(tmp_path / "nowhere" / "b.db", plant="homes", boot="b", clock=clock)


def test_settings_outside_their_range_are_refused(make: Make) -> None:
    with pytest.raises(InvalidInputError, match="capacity_rows"):
        make(capacity_rows=999)
    with pytest.raises(InvalidInputError, match="keep_s"):
        make(keep_s=-1)


def test_a_closed_buffer_takes_nothing(make: Make) -> None:
    buffer = make()
    buffer.close()
    with pytest.raises(ClosedError):
        buffer.record("a", readings(0, 1.0))


def test_many_threads_lose_nothing(make: Make) -> None:
    buffer = make()

    def work(node: str) -> None:
        for step in range(200):
            buffer.record(node, readings(step, float(step)))

    threads = [threading.Thread(target=work, args=(f"n{i}",)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    buffer.settle()
    assert rows_of(buffer.backlog(most_rows=10_000)) == Counter(
        {(f"n{i}", "load0", step, float(step)): 1 for i in range(8) for step in range(200)}
    )


def test_a_reader_sees_closed_messages_by_their_position_acknowledged_or_not(make: Make, tmp_path: Path) -> None:
    buffer = make()
    buffer.record("slow", readings(0, 1.0))
    buffer.settle()
    with closing(BufferReader(tmp_path / "b.db")) as reader:
        assert (reader.span(), reader.after(0, most=100)) == (None, [])
        buffer.go_live(True)
        buffer.record("quick", readings(5, 2.0, 3.0))
        buffer.settle()
        (quick,) = reader.after(0, most=100)
        buffer.acknowledge(buffer.backlog(most_rows=100))
        buffer.settle()
        (slow,) = reader.after(quick.position, most=100)
        assert (quick.origin.source, slow.origin.source) == ("quick", "slow")
        assert quick.readings.value.tolist() == [2.0, 3.0]
        assert [one.position for one in reader.after(0, most=1)] == [quick.position]
        assert reader.span() == (quick.position, slow.position)
        assert reader.plant == "homes"
    with pytest.raises(StoreError, match="there is no buffer"):
        BufferReader(tmp_path / "nothing.db")
