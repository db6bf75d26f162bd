"""How a Kafka bus is set up, and what that means for librdkafka."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from vpp.core.messages import Channel
from vpp.streams.wire_fault import MOST_BYTES

_MOST_PREFETCHED_KB = 16_384
_MOST_UNSENT_KB = 65_536
_SILENT = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaSettings:
    """How a bus is made.

    Parameters
    ----------
    servers : str
        One ``host:port`` or several with commas.
    client_id : str
        Name in the broker's log.
    group : str
        Consumer group.
    user, password, mechanism : str, optional
        SASL credentials.
    tls : bool
        Whether to speak TLS; ``cafile``, ``certfile`` and ``keyfile`` name its files.
    plants, sources : tuple of str
        Whose parcels are consumed; of all where none is named.
    channels : tuple of Channel
        What is consumed.
    from_oldest : bool
        Whether a group that is new begins with the oldest message that is there, or with the next to come.
    partitions : int
        Partitions of topics that have to be created.
    session_ms : int
        How long the group waits for a member that is silent [ms].
    linger_ms : int
        How long the producer gathers a batch [ms].
    timeout_s : float
        How long ``publish`` waits for the broker [s].
    """

    servers: str
    client_id: str
    group: str = "vpp"
    user: str | None = None
    password: str | None = None
    mechanism: str = "PLAIN"
    tls: bool = False
    cafile: str | None = None
    certfile: str | None = None
    keyfile: str | None = None
    plants: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    channels: tuple[Channel, ...] = ()
    from_oldest: bool = True
    partitions: int = 6
    session_ms: int = 45_000
    linger_ms: int = 5
    timeout_s: float = 10.0

    def common(self) -> dict[str, Any]:
        """Return what producers, consumers and administrators share."""
        protocol = ("SASL_" if self.user is not None else "") + ("SSL" if self.tls else "PLAINTEXT")
        options: dict[str, Any] = {
            "bootstrap.servers": self.servers,
            "client.id": self.client_id,
            "security.protocol": protocol,
            "socket.nagle.disable": True,
            "reconnect.backoff.max.ms": 5000,
            "socket.timeout.ms": 10_000,
            # Faults are told by errors and callbacks; a library does not write to the terminal.
            "log_level": _SILENT,
        }
        if self.user is not None:
            options |= {
                "sasl.username": self.user,
                "sasl.password": self.password or "",
                "sasl.mechanism": self.mechanism,
            }
        files = {"ssl.ca.location": self.cafile, "ssl.certificate.location": self.certfile}
        files["ssl.key.location"] = self.keyfile
        options |= {name: path for name, path in files.items() if path is not None}
        return options

    def producer(self) -> dict[str, Any]:
        """Return the producer's options: idempotent, so that what the broker lost sight of is not written twice."""
        return self.common() | {
            "enable.idempotence": True,
            "linger.ms": self.linger_ms,
            "delivery.timeout.ms": _ms(self.timeout_s),
            "partitioner": "murmur2_random",
            "message.max.bytes": 4 * MOST_BYTES,
            "queue.buffering.max.kbytes": _MOST_UNSENT_KB,
        }

    def consumer(self) -> dict[str, Any]:
        """Return the consumer's options: nothing is committed but by ``acknowledge``."""
        return self.common() | {
            "group.id": self.group,
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "auto.offset.reset": "earliest" if self.from_oldest else "latest",
            "session.timeout.ms": self.session_ms,
            "heartbeat.interval.ms": max(self.session_ms // 10, 100),
            "queued.max.messages.kbytes": _MOST_PREFETCHED_KB,
            "fetch.message.max.bytes": 4 * MOST_BYTES,
            "fetch.wait.max.ms": 100,
            # Topics that were created after the start are found by then.
            "topic.metadata.refresh.interval.ms": 10_000,
        }


def _ms(duration_s: float) -> int:
    return int(duration_s * 1000)  # house: allow-1000, seconds in milliseconds
