"""What stands in a buffer's tables: messages with their readings, commands with their answers, events.

Functions over a connection inside a transaction; which thread calls them and when is the matter of ``buffer``.
"""

from __future__ import annotations

from collections.abc import Sequence
from sqlite3 import Connection
from typing import NamedTuple

import msgspec
import numpy as np

from vpp.core.messages import Ack, Command, Event, Readings, SeriesKey
from vpp.core.time import epoch_s, from_epoch_s

_MOST_EVENTS = 100_000
_WRITE = msgspec.json.Encoder()
_READ_ACK = msgspec.json.Decoder(Ack)
_READ_COMMAND = msgspec.json.Decoder(Command)


class Outgoing(NamedTuple):
    """A message of telemetry; sent twice it carries the same boot and sequence.

    Parameters
    ----------
    id : int
        Its key in the buffer.
    node : str
        Who sends it.
    boot : str
        Boot id of the gateway that made it.
    sequence : int
        Place among the messages of the node and boot.
    readings : Readings
        What it says.
    """

    id: int
    node: str
    boot: str
    sequence: int
    readings: Readings


class Taken(NamedTuple):
    """What the buffer knows of a command that came.

    Parameters
    ----------
    command : Command
        What came.
    node : str
        For whom.
    is_new : bool
        True when its id had not come before.
    is_same : bool
        False when another command came before under its id.
    answer : Ack or None
        What was answered before.
    """

    command: Command
    node: str
    is_new: bool
    is_same: bool
    answer: Ack | None


def insert_message(
    connection: Connection, key: int, node: str, boot: str, sequence: int, *, opened_s: int, position: int | None
) -> None:
    """Write the head of a message; one that has its position is being sent."""
    connection.execute(
        "INSERT INTO messages (id, node, boot, sequence, rows, opened_s, position, attempted) "
        "VALUES (?, ?, ?, ?, 0, ?, ?, ?)",
        (key, node, boot, sequence, opened_s, position, position is not None),
    )


def append_readings(
    connection: Connection, key: int, first_item: int, series_ids: Sequence[int], readings: Readings
) -> None:
    """Add readings to a message, numbered from ``first_item`` on."""
    ids = np.asarray(series_ids, dtype=np.int64)[readings.series].tolist()
    items = range(first_item, first_item + len(ids))
    rows = zip(
        [key] * len(ids),
        items,
        ids,
        readings.time_s.tolist(),
        readings.issued_s.tolist(),
        readings.value.tolist(),
        strict=True,
    )
    connection.executemany("INSERT INTO readings VALUES (?, ?, ?, ?, ?, ?)", rows)
    connection.execute("UPDATE messages SET rows = rows + ? WHERE id = ?", (len(ids), key))


def series_id(connection: Connection, key: SeriesKey) -> int:
    """Return the number of a series, a new one when it has none."""
    connection.execute("INSERT OR IGNORE INTO series (asset, metric) VALUES (?, ?)", (key.source, key.metric))
    number: int = connection.execute(
        "SELECT id FROM series WHERE asset = ? AND metric = ?", (key.source, key.metric)
    ).fetchone()[0]
    return number


def read_readings(connection: Connection, key: int, plant: str) -> Readings:
    """Return the readings of a message, in the order in which they were recorded."""
    rows = connection.execute(
        "SELECT asset, metric, time_s, issued_s, value FROM readings JOIN series ON series.id = series_id "
        "WHERE message_id = ? ORDER BY item",
        (key,),
    ).fetchall()
    names = {name: i for i, name in enumerate(dict.fromkeys((row[0], row[1]) for row in rows))}
    issued_s = np.array([row[3] for row in rows], dtype=np.int64)
    return Readings(
        plant,
        tuple(SeriesKey(asset, metric) for asset, metric in names),
        np.array([names[row[0], row[1]] for row in rows], dtype=np.int64),
        np.array([row[2] for row in rows], dtype=np.int64),
        issued_s,
        issued_s,
        np.array([row[4] for row in rows], dtype=np.float64),
        np.zeros(len(rows), dtype=np.int64),
    )


def waiting_rows(connection: Connection) -> int:
    """Return how many readings wait for their acknowledgement."""
    total: int = connection.execute(
        "SELECT coalesce(sum(rows), 0) FROM messages WHERE acknowledged_s IS NULL"
    ).fetchone()[0]
    return total


def kept_rows(connection: Connection) -> int:
    """Return how many readings are kept though they were acknowledged."""
    total: int = connection.execute(
        "SELECT coalesce(sum(rows), 0) FROM messages WHERE acknowledged_s IS NOT NULL"
    ).fetchone()[0]
    return total


def oldest_waiting_s(connection: Connection) -> int | None:
    """Return when the oldest message that waits was begun [epoch s]; None when none does."""
    found = [
        connection.execute(
            "SELECT opened_s FROM messages WHERE acknowledged_s IS NULL AND attempted = ? ORDER BY id LIMIT 1",
            (attempted,),
        ).fetchone()
        for attempted in (0, 1)
    ]
    return min((row[0] for row in found if row is not None), default=None)


def forget(connection: Connection, messages: Sequence[tuple[int, int]]) -> int:
    """Delete messages, given with their numbers of readings; return how many readings that were."""
    keys = [(key,) for key, _ in messages]
    connection.executemany("DELETE FROM readings WHERE message_id = ?", keys)
    connection.executemany("DELETE FROM messages WHERE id = ?", keys)
    return sum(rows for _, rows in messages)


def forget_first(connection: Connection, key: int, count: int) -> None:
    """Delete the oldest readings of a message that holds more of them."""
    connection.execute(
        "DELETE FROM readings WHERE message_id = ?1 AND item IN "
        "(SELECT item FROM readings WHERE message_id = ?1 ORDER BY item LIMIT ?2)",
        (key, count),
    )
    connection.execute("UPDATE messages SET rows = rows - ? WHERE id = ?", (count, key))


def forget_kept(connection: Connection, *, before_s: int, most: int) -> int:
    """Delete the oldest messages that were acknowledged before a moment; return how many readings that were."""
    found = connection.execute(
        "SELECT id, rows FROM messages WHERE acknowledged_s < ? ORDER BY acknowledged_s LIMIT ?", (before_s, most)
    ).fetchall()
    return forget(connection, found)


def take_command(connection: Connection, node: str, command: Command, *, now_s: int) -> Taken:
    """Remember a command, and tell whether it came before."""
    body = _WRITE.encode(command).decode()
    row = connection.execute("SELECT body, answer FROM commands WHERE id = ?", (command.id,)).fetchone()
    if row is not None:
        return Taken(command, node, False, row[0] == body, None if row[1] is None else _READ_ACK.decode(row[1]))
    connection.execute(
        "INSERT INTO commands (id, node, asset, taken_s, end_s, body) VALUES (?, ?, ?, ?, ?, ?)",
        (command.id, node, command.asset_id, now_s, epoch_s(command.end), body),
    )
    return Taken(command, node, True, True, None)


def write_answer(connection: Connection, ack: Ack, *, now_s: int) -> None:
    """Remember what became of a command; it is to be sent."""
    connection.execute(
        "UPDATE commands SET answer = ?, answered_s = ?, sent_s = NULL WHERE id = ?",
        (_WRITE.encode(ack).decode(), now_s, ack.command_id),
    )


def unsent_answers(connection: Connection) -> list[tuple[str, Ack]]:
    """Return the answers that were not acknowledged, oldest first, each with its node."""
    rows = connection.execute(
        "SELECT node, answer FROM commands WHERE sent_s IS NULL AND answered_s IS NOT NULL ORDER BY answered_s, rowid"
    ).fetchall()
    return [(node, _READ_ACK.decode(answer)) for node, answer in rows]


def newest_acknowledgement_s(connection: Connection) -> int | None:
    """Return when a message or an answer was last acknowledged [epoch s]; None when none ever was."""
    found: int | None = connection.execute(
        "SELECT max(newest) FROM (SELECT max(acknowledged_s) AS newest FROM messages WHERE acknowledged_s IS NOT NULL "
        "UNION ALL SELECT max(sent_s) FROM commands)"
    ).fetchone()[0]
    return found


def answers_since(connection: Connection, *, since_s: int) -> list[tuple[str, Ack]]:
    """Return the answers that were acknowledged since a moment, and let them wait again."""
    rows = connection.execute(
        "SELECT node, answer FROM commands WHERE sent_s >= ? ORDER BY answered_s, rowid", (since_s,)
    ).fetchall()
    connection.execute("UPDATE commands SET sent_s = NULL WHERE sent_s >= ?", (since_s,))
    return [(node, _READ_ACK.decode(answer)) for node, answer in rows]


def unanswered(connection: Connection) -> list[tuple[str, Command]]:
    """Return the commands without an answer, each with its node."""
    rows = connection.execute("SELECT node, body FROM commands WHERE answer IS NULL ORDER BY rowid").fetchall()
    return [(node, _READ_COMMAND.decode(body)) for node, body in rows]


def in_force(connection: Connection, *, now_s: int) -> list[tuple[str, Command, Ack]]:
    """Return the commands that were answered and end later than now, each with its node and answer."""
    rows = connection.execute(
        "SELECT node, body, answer FROM commands WHERE end_s > ? AND answer IS NOT NULL ORDER BY taken_s, rowid",
        (now_s,),
    ).fetchall()
    return [(node, _READ_COMMAND.decode(body), _READ_ACK.decode(answer)) for node, body, answer in rows]


def latest_orders(connection: Connection, *, most: int) -> list[tuple[str, Command, Ack | None]]:
    """Return the newest commands with their answers, newest first, each with its node."""
    rows = connection.execute(
        "SELECT node, body, answer FROM commands ORDER BY taken_s DESC, rowid DESC LIMIT ?", (most,)
    ).fetchall()
    return [
        (node, _READ_COMMAND.decode(body), None if answer is None else _READ_ACK.decode(answer))
        for node, body, answer in rows
    ]


def write_event(connection: Connection, event: Event) -> None:
    """Keep an event."""
    cursor = connection.execute(
        "INSERT INTO events (at_s, kind, severity, message, fields) VALUES (?, ?, ?, ?, ?)",
        (
            epoch_s(event.at),
            event.kind,
            str(event.severity),
            event.message,
            _WRITE.encode(dict(event.fields)).decode(),
        ),
    )
    connection.execute("DELETE FROM events WHERE id <= ?", ((cursor.lastrowid or 0) - _MOST_EVENTS,))


def latest_events(connection: Connection, plant: str, *, most: int) -> list[Event]:
    """Return the newest events, newest first."""
    rows = connection.execute(
        "SELECT at_s, kind, severity, message, fields FROM events ORDER BY id DESC LIMIT ?", (most,)
    ).fetchall()
    return [
        Event(plant, from_epoch_s(at_s), kind, severity, message, msgspec.json.decode(fields))
        for at_s, kind, severity, message, fields in rows
    ]
