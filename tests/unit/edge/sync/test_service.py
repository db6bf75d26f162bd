"""The sync with a target in memory that fails where a test wants it to: nothing is passed over, nothing moves early."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vpp.core.errors import InvalidInputError, StoreError
from vpp.core.messages import Origin, Readings, SeriesKey
from vpp.edge.sync.postgrest import rows_of
from vpp.edge.sync.progress import Aside, Progress
from vpp.edge.sync.service import SyncService
from vpp.edge.sync.source import Buffered
from vpp.edge.sync.target import Sent
from vpp.edge.sync.uplink import RefusedError, UnreachableTargetError

KEYS = (SeriesKey("pv", "power_kw"), SeriesKey("battery", "soc"))
NOW = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)


class Now:
    def now(self) -> datetime:
        return NOW

    def sleep_until(self, moment: datetime) -> None:
        raise AssertionError


class Source:
    """Messages of two rows at ascending positions with gaps, as a buffer has them that forgot some."""

    identity = "one"

    def __init__(self, positions: list[int]) -> None:
        self.messages = [
            Buffered(
                position,
                Origin("homes", "home01", "b", position),
                Readings.from_table("homes", KEYS, np.array([5 * position]), np.ones((1, 2)), arrived_s=9),
            )
            for position in positions
        ]

    def after(self, position: int, *, most: int) -> list[Buffered]:
        return [one for one in self.messages if one.position > position][: max(1, most // 2)]

    def span(self) -> tuple[int, int] | None:
        return None


class Shelf:
    """A target that keeps rows by their key; ``faults`` are raised one a call, before or after it kept them."""

    name = "shelf"

    def __init__(self, faults: list[str | None] | None = None) -> None:
        self.rows: dict[tuple[int, int], float] = {}
        self.faults = faults or []
        self.calls = 0

    def send(self, messages) -> Sent:
        self.calls += 1
        fault = self.faults.pop(0) if self.faults else None
        if fault == "before":
            raise UnreachableTargetError("shelf", 1, "away")
        for message in messages:
            for row in rows_of(message):
                self.rows[message.position, row["item"]] = row["value"]
        if fault == "after":
            raise UnreachableTargetError("shelf", 1, "the answer was lost")
        if fault == "refused":
            raise RefusedError("shelf", 401, "who are you")
        return Sent(sum(len(message.readings) for message in messages))

    def close(self) -> None:
        return


def service(source: Source, shelf: Shelf, folder: Path, *, batch: int = 4) -> SyncService:
    return SyncService(source, shelf, Progress(folder / "sync"), clock=Now(), batch=batch)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=10)
@given(
    st.lists(st.integers(1, 60), unique=True, max_size=20).map(sorted),
    st.lists(st.sampled_from([None, "before", "after"]), max_size=8),
    st.integers(1, 12),
)
def test_whatever_fails_each_row_arrives(tmp_path_factory, positions: list[int], faults: list, batch: int) -> None:
    source, shelf = Source(positions), Shelf(faults)
    sync = service(source, shelf, tmp_path_factory.mktemp("sync"), batch=batch)
    for _ in range(len(faults) + 1):
        try:
            sync.once()
        except UnreachableTargetError:
            continue
    assert set(shelf.rows) == {(position, item) for position in positions for item in (0, 1)}
    assert sync.standing().position == max(positions, default=0)


def test_a_pass_stops_when_told_and_goes_on_from_there(tmp_path: Path) -> None:
    source, shelf, stopping = Source(list(range(1, 21))), Shelf(), threading.Event()
    sync = service(source, shelf, tmp_path)
    report = sync.once(stopping=stopping, on_batch=lambda so_far: so_far.messages == 6 and stopping.set())
    assert (report.messages, report.standing.position) == (6, 6)
    stopping.clear()
    assert sync.once(stopping=stopping).messages == 14


def test_a_target_that_refuses_us_stops_the_run_and_nothing_moves(tmp_path: Path) -> None:
    source, shelf = Source([1, 2, 3]), Shelf(["refused"])
    sync = service(source, shelf, tmp_path)
    with pytest.raises(RefusedError):
        sync.run(0.01, threading.Event())
    assert sync.standing().position == 0


def test_a_source_or_a_target_that_is_away_is_waited_for(tmp_path: Path) -> None:
    class Away(Source):
        faults = 2

        def after(self, position: int, *, most: int) -> list[Buffered]:
            if self.faults:
                self.faults -= 1
                raise StoreError("the source is away")
            return super().after(position, most=most)

    shelf, stopping = Shelf(["before", "after"]), threading.Event()
    service(Away([1, 2, 3]), shelf, tmp_path).run(0.001, stopping, on_pass=lambda _: stopping.set())
    assert len(shelf.rows) == 6


def test_a_buffer_that_was_made_anew_is_read_from_its_beginning(tmp_path: Path) -> None:
    shelf = Shelf()
    service(Source([1, 2, 3]), shelf, tmp_path).once()
    anew = Source([1, 2])
    anew.identity = "another"
    assert service(anew, shelf, tmp_path).once().messages == 2


def test_what_is_set_aside_is_counted_and_kept(tmp_path: Path) -> None:
    class Picky(Shelf):
        def send(self, messages) -> Sent:
            sent = super().send(messages)
            aside = tuple(Aside(one.position, 0, "odd", "{}") for one in messages if one.position % 2)
            return Sent(sent.rows - len(aside), aside)

    report = service(Source([1, 2, 3, 4]), Picky(), tmp_path).once()
    assert (report.rows, report.aside, report.standing.aside) == (6, 2, 2)


@pytest.mark.parametrize("batch", [0, -1])
def test_a_batch_of_none_is_refused(tmp_path: Path, batch: int) -> None:
    with pytest.raises(InvalidInputError, match="batch"):
        service(Source([]), Shelf(), tmp_path, batch=batch)


def test_an_interval_of_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="interval"):
        service(Source([]), Shelf(), tmp_path).run(0.0, threading.Event())
