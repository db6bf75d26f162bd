"""Tracking: every command ends in a proof or in a stated failure, never in silence."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from vpp.core.messages import Ack, AckStatus, Command


class CommandTracker:
    """Holds the commands that wait for their answer.

    Invariant: a command leaves exactly once: by the ack that carries its id, or as expired after its end.
    """

    def __init__(self) -> None:
        self._open: dict[str, Command] = {}

    @property
    def waiting(self) -> tuple[Command, ...]:
        """Commands without an answer yet."""
        return tuple(self._open.values())

    def sent(self, commands: Iterable[Command]) -> None:
        """Remember commands that were sent; a newer one for the same asset and step replaces the older."""
        for command in commands:
            self._open[command.id] = command

    def answered(self, acks: Sequence[Ack], *, now: datetime) -> list[Ack]:
        """Return the acks that close a command, and an expiry for each command whose step ended unanswered.

        Acks for commands that are not open (late or repeated) are left out.
        """
        closed = [ack for ack in acks if self._open.pop(ack.command_id, None) is not None]
        late = [command for command in self._open.values() if command.end < now]
        for command in late:
            del self._open[command.id]
            closed.append(
                Ack(command.id, command.plant, command.asset_id, now, AckStatus.EXPIRED, None, "no answer by its end")
            )
        return closed
