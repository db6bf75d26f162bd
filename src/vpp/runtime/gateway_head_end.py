"""A gateway's head-end on the bus: readings, answers and status go out as parcels, commands come in."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence

from vpp.core.messages import Ack, Channel, Command, Parcel
from vpp.core.ports import Bus
from vpp.edge.buffer_rows import Outgoing
from vpp.edge.head_end import NodeFacts
from vpp.streams.wire import (
    NodeStatus,
    WireError,
    decode_command,
    encode_ack,
    encode_status,
    encode_telemetry,
)

log = logging.getLogger(__name__)


class BusHeadEnd:
    """A ``HeadEnd`` behind a bus.

    Parameters
    ----------
    plant : str
        Plant id.
    nodes : collection of str
        Nodes whose commands are taken; those for others are passed over.
    bus : Bus of Parcel
        Publishes, and consumes the control channel; belongs to this object from now on.
    """

    def __init__(self, plant: str, nodes: Collection[str], bus: Bus[Parcel]) -> None:
        self._plant = plant
        self._nodes = frozenset(nodes)
        self._bus = bus
        self.unreadable = 0

    def send(
        self, *, answers: Sequence[tuple[str, Ack]], messages: Sequence[Outgoing], statuses: Sequence[NodeFacts]
    ) -> None:
        """Publish answers, then readings, then status; returns when the bus holds them all."""
        plant = self._plant
        parcels = [Parcel(plant, node, Channel.ACK, encode_ack(ack)) for node, ack in answers]
        parcels += [
            Parcel(
                plant,
                message.node,
                Channel.TELEMETRY,
                encode_telemetry(message.readings, boot=message.boot, sequence=message.sequence),
            )
            for message in messages
        ]
        parcels += [status_parcel(plant, status) for status in statuses]
        if parcels:
            self._bus.publish(parcels)

    def commands(self, *, wait_s: float) -> list[tuple[str, Command]]:
        """Return the commands that came for these nodes; what cannot be read is counted and passed over."""
        found = []
        for parcel in self._bus.consume(wait_s=wait_s):
            if parcel.plant != self._plant or parcel.source not in self._nodes:
                continue
            try:
                found.append((parcel.source, decode_command(parcel.payload)))
            except WireError as fault:
                self.unreadable += 1
                log.warning("%s: a command that cannot be read: %s", parcel.source, fault)
        return found

    def taken(self) -> None:
        """Let the bus forget what was returned."""
        self._bus.acknowledge()

    def connections(self) -> int:
        """Return how often the bus was connected, 1 for a bus that needs no connection."""
        counts = getattr(self._bus, "counts", None)
        return int(getattr(counts(), "connections", 1)) if counts is not None else 1

    def close(self) -> None:
        """Close the bus."""
        self._bus.close()


def status_parcel(plant: str, status: NodeFacts) -> Parcel:
    """Return a node's status as a parcel."""
    told = NodeStatus(plant, status.node, status.boot, status.online, status.at, dict(status.facts))
    return Parcel(plant, status.node, Channel.STATUS, encode_status(told))
