"""Bridging: two buses by their addresses, and what goes from one to the other, until the process is asked to stop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from threading import Event

from vpp.core.errors import InvalidInputError
from vpp.core.messages import Channel
from vpp.streams.bridge import BridgeCounts, bridge
from vpp.streams.open import open_bus

__all__ = ["UPWARD", "BridgeCounts", "run_bridge"]

UPWARD = (Channel.TELEMETRY, Channel.STATUS, Channel.ACK)
"""What goes from the nodes to the head-end."""


def run_bridge(
    origin: str,
    destination: str,
    stopped: Event,
    *,
    plants: Sequence[str] = (),
    channels: Sequence[Channel] = UPWARD,
    name: str = "vpp-bridge",
    on_ready: Callable[[], None] = lambda: None,
    on_progress: Callable[[BridgeCounts], None] = lambda _counts: None,
) -> BridgeCounts:
    """Carry parcels from one bus to another until ``stopped`` is set.

    Parameters
    ----------
    origin, destination : str
        Addresses of the two.
    plants : sequence of str
        Whose parcels; those of all plants when none is named.
    channels : sequence of Channel
        Which parcels.
    name : str
        Group and client id at the origin. What the origin keeps for an absent bridge goes by it.
    on_ready : callable
        Told when both are connected.
    on_progress : callable
        Told after every batch.

    Raises
    ------
    InvalidInputError
        When both addresses are the same.
    VppError
        When a bus cannot be opened.
    """
    if origin == destination:
        raise InvalidInputError("--to", destination, "another bus than --from")
    with ExitStack() as stack:
        target = open_bus(destination)
        stack.callback(target.close)
        source = open_bus(origin, plants=plants, channels=channels, group=name, client_id=name)
        stack.callback(source.close)
        on_ready()
        return bridge(source, target, stopped, on_progress=on_progress)
