"""Commands and their answers into a SQL database, each once."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, insert

from vpp.core.errors import InvalidInputError
from vpp.core.messages import Ack, Command
from vpp.store.dialect import SqlDialect
from vpp.store.rows import ack_row, command_of, command_row
from vpp.store.statements import COMMAND_BY_ID, INSERT_ACK
from vpp.store.tables import COMMANDS


def keep_commands(connection: Connection, commands: Sequence[Command]) -> None:
    """Keep commands that are not kept yet, within an open transaction.

    Raises
    ------
    InvalidInputError
        When another command has the id of one of them.
    """
    for command in commands:
        kept = connection.execute(COMMAND_BY_ID, {"plant": command.plant, "id": command.id}).fetchone()
        if kept is None:
            connection.execute(insert(COMMANDS), command_row(command))
        elif command_of(kept) != command:
            raise InvalidInputError("command.id", command.id, "an id not yet used, or the same command again")


def keep_acks(connection: Connection, dialect: SqlDialect, acks: Sequence[Ack]) -> None:
    """Keep answers that are not kept yet, within an open transaction."""
    # No key tells one answer from another; who looks whether it is there must be alone.
    dialect.take_turns(connection, "acks")
    connection.execute(INSERT_ACK, [ack_row(ack) for ack in acks])
