"""The oracle itself: it finds what was planted, in the channel where it was planted, and nothing where all is well."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from ledger import Channel, Comparison, Journal, Ledger, Message, Row, Value, compare, rows_of_sqlite
from load import Shape

SHAPES = [Shape("proof", f"site{i:02d}", "boot1", 1_700_000_000, 1) for i in range(3)]
STEPS = 50
VICTIM = Channel("proof", "site01_battery", "soc")


@pytest.fixture
def told(tmp_path: Path) -> Ledger:
    """Return the ledger of a producer all of whose messages were acknowledged but the last three."""
    journal = Journal(tmp_path / "journal")
    for sequence in range(STEPS):
        for shape in SHAPES:
            message, values = shape.message(sequence)
            journal.sending(message, values)
            if sequence < STEPS - 1:
                journal.acknowledged([message])
    journal.close()
    return Ledger.read(tmp_path / "journal")


def kept(ledger: Ledger) -> list[Row]:
    """Return the rows of a database that kept everything that was sent."""
    return [
        Row(Channel(message.plant, one.asset, one.metric), one.time_s, one.time_s + 5, one.value)
        for message, values in ledger.sent.items()
        for one in values
    ]


def index_of_victim(rows: list[Row], nth: int = 7) -> int:
    return [i for i, row in enumerate(rows) if row.channel == VICTIM][nth]


def lose(rows: list[Row]) -> None:
    del rows[index_of_victim(rows)]


def double(rows: list[Row]) -> None:
    row = rows[index_of_victim(rows)]
    rows.append(row._replace(arrived_s=row.arrived_s + 60))


def alter(rows: list[Row]) -> None:
    place = index_of_victim(rows)
    rows.append(rows[place]._replace(value=rows[place].value + 1e-9))


def swap_channels(rows: list[Row]) -> None:
    """Give a row to the channel beside it: the counts of rows and their mean stay what they were."""
    place = index_of_victim(rows)
    rows[place] = rows[place]._replace(channel=Channel("proof", "site02_battery", "soc"))


def give_to_another_plant(rows: list[Row]) -> None:
    rows.append(rows[index_of_victim(rows)]._replace(channel=Channel("other", *VICTIM[1:])))


def shift(rows: list[Row]) -> None:
    place = index_of_victim(rows)
    rows[place] = rows[place]._replace(time_s=rows[place].time_s + 10_000)


def nothing(rows: list[Row]) -> None:
    del rows[-2 * len(SHAPES) :]  # the last messages were sent and never acknowledged: they may be missing


@pytest.mark.parametrize(
    ("plant", "lost", "duplicated", "altered"),
    [
        (nothing, 0, 0, 0),
        (lose, 1, 0, 0),
        (double, 0, 1, 0),
        (alter, 0, 0, 1),
        (swap_channels, 1, 0, 1),
        (give_to_another_plant, 0, 0, 1),
        (shift, 1, 0, 1),
    ],
    ids=lambda plant: getattr(plant, "__name__", None),
)
def test_what_is_planted_is_found(
    told: Ledger, plant: Callable[[list[Row]], None], lost: int, duplicated: int, altered: int
) -> None:
    rows = kept(told)
    plant(rows)
    found = compare(told, rows)
    assert (found.lost, found.duplicated, found.altered) == (lost, duplicated, altered)
    assert found.acknowledged == 2 * len(SHAPES) * (STEPS - 1)
    if not (lost or duplicated or altered):
        found.check(at_least=found.acknowledged)
        return
    with pytest.raises(AssertionError, match=r"L=.* D=.* A=") as caught:
        found.check()
    broken = [channel for channel in found.channels if not channel.sound]
    assert all(str(channel.channel) in str(caught.value) for channel in broken)


def test_no_load_is_no_proof(told: Ledger) -> None:
    with pytest.raises(AssertionError, match="no load, no proof"):
        compare(told, kept(told)).check(at_least=10_000)


def test_a_copy_that_was_sent_as_another_message_is_no_duplicate(told: Ledger) -> None:
    message, values = SHAPES[0].message(0)
    told.sent[message._replace(boot="boot2")] = values
    rows = [*kept(told)]
    found = compare(told, rows)
    assert found.duplicated == 0
    assert compare(told, [*rows, rows[0]]).duplicated == 1


def test_a_torn_last_line_is_left_out(told: Ledger, tmp_path: Path) -> None:
    path = tmp_path / "journal"
    path.write_text(path.read_text() + '["acked", ["proof", "site00", "bo')
    assert Ledger.read(path).acked == told.acked


def test_an_acknowledgement_of_nothing_is_refused(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    journal.acknowledged([Message("proof", "site00", "boot1", 0)])
    journal.close()
    with pytest.raises(AssertionError, match="never sent"):
        Ledger.read(tmp_path / "journal")


def test_values_come_back_from_sqlite_exactly(tmp_path: Path) -> None:
    path = tmp_path / "plain.db"
    values = [Value("a", "power_kw", 0, 0.1 + 0.2), Value("a", "power_kw", 1, -1e-12), Value("a", "soc", 0, 1 / 3)]
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE series (id INTEGER PRIMARY KEY, plant, source, metric)")
        connection.execute("CREATE TABLE readings (series_id, time_s, arrived_s, value)")
        connection.execute("INSERT INTO series VALUES (1, 'p', 'a', 'power_kw'), (2, 'p', 'a', 'soc')")
        rows = [(1 if one.metric == "power_kw" else 2, one.time_s, 0, one.value) for one in values]
        connection.executemany("INSERT INTO readings VALUES (?, ?, ?, ?)", rows)
    message = Message("p", "n", "b", 0)
    found: Comparison = compare(Ledger({message: values}, {message}), rows_of_sqlite(path))
    found.check(at_least=3)


def test_no_two_values_of_a_node_are_alike() -> None:
    for metric in (0, 1):
        seen = {SHAPES[0].message(sequence)[1][metric].value for sequence in range(20_000)}
        assert len(seen) == 20_000
