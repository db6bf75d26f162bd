"""What travels between machines, and what a store is handed of it: parcels, origins, deliveries, refusals.

A parcel is bytes with an address; what the bytes say is the matter of ``vpp.streams.wire``. A delivery is what one
batch of parcels came to: readings to keep, the origins that tell a message from its copies, and what was refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from hashlib import blake2b
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vpp.core.errors import InvalidInputError, SeriesMismatchError
from vpp.core.messages.measured import Readings

GENERAL = "general"
KINDS = ("solar", "wind", "load", "market", GENERAL)
"""What a source is; on Kafka each has a topic of its own."""
NO_ORIGIN = -1
"""Index of a reading whose message carried no sequence: it is kept, but a copy of it cannot be told from a revision."""
MOST_KEPT_OF_PAYLOAD = 65_536
"""How much of a refused payload is kept [bytes]."""


class Channel(StrEnum):
    """What a parcel is for; the last word of its MQTT topic."""

    TELEMETRY = "telemetry"
    STATUS = "status"
    CONTROL = "control"
    ACK = "ack"


class Parcel(NamedTuple):
    """Bytes with an address.

    Parameters
    ----------
    plant : str
        Plant id: the wall between customers.
    source : str
        Who sends it (or, on ``control``, who is to obey): a node, a device or a market. Order holds per source.
    channel : Channel
        What it is for.
    payload : bytes
        What it says, see ``vpp.streams.wire``.
    kind : str
        One of ``KINDS``.
    """

    plant: str
    source: str
    channel: Channel
    payload: bytes
    kind: str = GENERAL


@dataclass(frozen=True, slots=True)
class Origin:
    """Tells a message from every other of its plant, and so a copy from a revision.

    Parameters
    ----------
    plant, source : str
        Whose message it is.
    boot : str
        Drawn anew whenever the source starts to count from the beginning.
    sequence : int
        Place among the messages of that boot, 0 or more.
    extra : str
        JSON object of the fields that no schema known here names; empty when there was none. Not part of the identity.
    """

    plant: str
    source: str
    boot: str
    sequence: int
    extra: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        """Refuse a negative sequence and a nameless boot."""
        if self.sequence < 0:
            raise InvalidInputError("sequence", self.sequence, "0 or more")
        if not self.boot:
            raise InvalidInputError("boot", self.boot, "a name, drawn anew at every start of the source")


@dataclass(frozen=True, slots=True)
class Refusal:
    """Something that arrived and was not kept as a reading, with the reason.

    Parameters
    ----------
    plant, source : str
        As its address claims; empty when it has none.
    arrived_at : datetime
        When it came first; aware.
    reason : str
        One word: ``size``, ``encoding``, ``json``, ``schema``, ``name``, ``number``, ``range``, ``unit``, ``clock``.
    message : str
        Fault, value and remedy in words.
    payload : bytes
        What came, at most ``MOST_KEPT_OF_PAYLOAD`` bytes of it.
    """

    plant: str
    source: str
    arrived_at: datetime
    reason: str
    message: str
    payload: bytes

    @property
    def digest(self) -> str:
        """What tells it from every other refusal: the same thing delivered again is the same refusal."""
        told = blake2b(digest_size=16)
        for part in (self.plant.encode(), self.source.encode(), self.reason.encode(), self.payload):
            told.update(len(part).to_bytes(8, "big"))
            told.update(part)
        return told.hexdigest()


@dataclass(frozen=True, slots=True)
class Delivery:
    """What one batch of parcels came to; a store keeps it whole or not at all.

    Parameters
    ----------
    origins : tuple of Origin
        The messages, each as often as it came.
    readings : tuple of Readings
        What they say, one for each plant.
    message : tuple of int array, shape (n,) each
        For every row of the readings, the index of its message in ``origins``, or ``NO_ORIGIN``.
    refusals : tuple of Refusal
        What is put in quarantine.
    """

    origins: tuple[Origin, ...] = ()
    readings: tuple[Readings, ...] = ()
    message: tuple[NDArray[np.int64], ...] = ()
    refusals: tuple[Refusal, ...] = ()

    def __post_init__(self) -> None:
        """Refuse readings that do not say which message each row is from."""
        if len(self.message) != len(self.readings):
            raise SeriesMismatchError("message", len(self.message), f"one array for each of {len(self.readings)}")
        for rows, message in zip(self.readings, self.message, strict=True):
            if message.shape != rows.value.shape:
                raise SeriesMismatchError("message", message.shape, f"the shape of the readings, {rows.value.shape}")


@dataclass(frozen=True, slots=True)
class Intake:
    """What a store made of a delivery.

    Parameters
    ----------
    messages : int
        Messages that were new.
    duplicates : int
        Messages that had been taken before, or stood twice in the delivery; nothing of them was kept again.
    rows : int
        Readings that were new.
    refused : int
        Refusals that were new.
    """

    messages: int
    duplicates: int
    rows: int
    refused: int


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """What a service counted so far, told now and then: for ``vpp top`` and for who asks whether it lives.

    Parameters
    ----------
    service : str
        Name of the process, e.g. ``ingest-1``.
    at : datetime
        When it was told; aware.
    counts : mapping of str to float
        Totals since it started, and gauges; names say which and in what unit.
    """

    service: str
    at: datetime
    counts: Mapping[str, float]
