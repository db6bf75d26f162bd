"""The head-end as a gateway sees it: it takes what is sent and holds commands until they were taken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, runtime_checkable

from vpp.core.messages import Ack, Command
from vpp.edge.buffer_rows import Outgoing


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """How a node is.

    Parameters
    ----------
    node : str
        Which one.
    boot : str
        Boot id of the gateway.
    online : bool
        False when it stops.
    at : datetime
        When this was true; aware.
    facts : mapping of str to JSON values
        Depth of the buffer, safe mode, health of the drivers.
    """

    node: str
    boot: str
    online: bool
    at: datetime
    facts: Mapping[str, Any] = field(default_factory=dict)


@runtime_checkable
class HeadEnd(Protocol):
    """The other end of the gateway's link; ``send`` and ``commands`` are each called from one thread."""

    def send(
        self, *, answers: Sequence[tuple[str, Ack]], messages: Sequence[Outgoing], statuses: Sequence[NodeFacts]
    ) -> None:
        """Hand everything over; returns when it is held at the other end.

        Raises
        ------
        StoreError
            When it is not, or not in time; some of it may be.
        """
        ...

    def commands(self, *, wait_s: float) -> list[tuple[str, Command]]:
        """Return commands that came, each with the node it is for, without forgetting them; wait for the first."""
        ...

    def taken(self) -> None:
        """Forget what ``commands`` returned: it was written down."""
        ...

    def connections(self) -> int:
        """Return how often the link was made; a rise tells of a break that nothing else showed."""
        ...

    def close(self) -> None:
        """Let go of the link."""
        ...
