"""Targets: where rows are brought, and how the few that a target will not take are found among the many it does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar, runtime_checkable

from vpp.edge.sync.progress import Aside
from vpp.edge.sync.source import Buffered
from vpp.edge.sync.uplink import RefusedError

EntryT = TypeVar("EntryT")


@dataclass(frozen=True, slots=True)
class Sent:
    """What a target made of messages.

    Parameters
    ----------
    rows : int
        Rows it took: new ones, and ones it had before.
    aside : tuple of Aside
        What it would not take.
    """

    rows: int
    aside: tuple[Aside, ...] = ()


@runtime_checkable
class Target(Protocol):
    """Takes messages; the same ones again change nothing."""

    name: str
    """What progress is kept under; tells targets apart and holds no secret."""

    def send(self, messages: Sequence[Buffered]) -> Sent:
        """Bring messages; when it returns, each of their rows is kept there or is named as set aside.

        Raises
        ------
        UnreachableTargetError
            When the target cannot be reached for now; a part may have arrived.
        RefusedError
            When the target refuses us and not a row: a wrong key, a missing table.
        """
        ...

    def close(self) -> None:
        """Release connections."""
        ...


def isolate(
    entries: Sequence[EntryT], send: Callable[[Sequence[EntryT]], None], is_content: Callable[[RefusedError], bool]
) -> list[tuple[EntryT, RefusedError]]:
    """Send entries, and return those that are refused for what they say, each with the refusal.

    What is refused is halved and sent again, so that ``k`` bad entries among ``n`` cost about ``2 k log2(n)`` requests.

    Parameters
    ----------
    entries : sequence
        What is to be sent.
    send : callable
        Sends some of them, all or none.
    is_content : callable
        Tells whether a refusal is about what was sent rather than about who sends.

    Raises
    ------
    RefusedError
        When it is about who sends.

    Examples
    --------
    >>> def send(numbers):
    ...     if 7 in numbers:
    ...         raise RefusedError("here", 400, "no sevens")
    >>> [(entry, fault.detail) for entry, fault in isolate(range(10), send, lambda fault: fault.status == 400)]
    [(7, 'no sevens')]
    """
    refused: list[tuple[EntryT, RefusedError]] = []
    waiting = [entries]
    while waiting:
        some = waiting.pop()
        try:
            send(some)
        except RefusedError as fault:
            if not is_content(fault):
                raise
            if len(some) == 1:
                refused.append((some[0], fault))
            else:
                waiting += [some[len(some) // 2 :], some[: len(some) // 2]]
    return refused
