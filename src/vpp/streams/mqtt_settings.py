"""How an MQTT link is made."""

from __future__ import annotations

from dataclasses import dataclass

from vpp.streams.wire_fault import MOST_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class Will:
    """What the broker tells everyone, and keeps, when the link breaks without a goodbye."""

    topic: str
    payload: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkSettings:
    """How a link is made.

    Parameters
    ----------
    host, port : str, int
        The broker.
    client_id : str
        Names the session; with ``session_s`` the broker keeps what arrives while nobody is connected.
    user, password : str, optional
        Credentials.
    tls : bool
        Whether to speak TLS; ``cafile``, ``certfile`` and ``keyfile`` name its files, the system's authorities are
        trusted without.
    keepalive_s : int
        A link that is silent for one and a half of it is taken for broken [s].
    session_s : int
        How long the broker keeps the session of a client that is away [s]; 0 for not at all.
    receive : int
        Most messages the broker sends ahead of their acknowledgement.
    packet_bytes : int
        Longest packet the broker may send; it throws away longer ones.
    longest_wait_s : float
        Longest pause between attempts to connect [s].
    subscriptions : tuple of str
        Topic filters.
    qos : int
        Quality of service of the subscriptions.
    will : Will, optional
        Last will.
    """

    host: str
    port: int
    client_id: str
    user: str | None = None
    password: str | None = None
    tls: bool = False
    cafile: str | None = None
    certfile: str | None = None
    keyfile: str | None = None
    keepalive_s: int = 30
    session_s: int = 7 * 86_400
    receive: int = 4096
    packet_bytes: int = 4 * MOST_BYTES
    longest_wait_s: float = 10.0
    subscriptions: tuple[str, ...] = ()
    qos: int = 1
    will: Will | None = None
