"""The relay: what one process's hub publishes reaches the listeners of every other, by way of Redis.

Invariants: publishing never waits for Redis; nothing that came from another process is sent on again; a plant's
messages go through a channel of its own. Redis keeps nothing of them: what was published while a process had no
connection is lost to it, and it says how many may have been. Without Redis every process works on by itself.
"""

from __future__ import annotations

import json
import logging
import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from vpp.core.errors import InvalidInputError
from vpp.core.extras import require
from vpp.runtime.hub import Hub, Message, Subscription

log = logging.getLogger(__name__)
CHANNEL = "vpp/{plant}/live"
SCHEMES = ("redis://", "rediss://", "unix://")
ANSWER_S = 1.0
"""How long Redis may take to answer [s]."""
HEALTH_S = 2
"""How often a connection over which nothing comes is tried [s]; without, one that is half open would stay for ever."""
LONGEST_WAIT_S = 5.0
_FIRST_WAIT_S = 0.1
_POLL_S = 0.25
_LARGEST_MESSAGE_BYTES = 1_048_576
_MOST_SENDERS = 1024


class Relayed(dict[str, Any]):
    """A message from another process."""


@dataclass(slots=True)
class RelayCounts:
    """What a relay has done so far, in messages.

    Parameters
    ----------
    sent, received : int
        Handed to Redis, and taken from it for our listeners.
    unsent : int
        Of our own, not handed to Redis because it was away or too slow.
    missed : int
        Of other processes, that never came; known once the next one does.
    refused : int
        From Redis, that were no messages.
    """

    sent: int = 0
    received: int = 0
    unsent: int = 0
    missed: int = 0
    refused: int = 0


class Relay:
    """Joins the hubs of this process with those of others; ``begin`` it, ``stop`` it.

    Parameters
    ----------
    url : str
        Where Redis is, e.g. ``redis://127.0.0.1:6379/0``.
    hubs : mapping of str to Hub
        The hubs of the plants served here, by plant id.
    seed : int, optional
        Of the jitter between tries to connect; by default another in every process.

    Raises
    ------
    InvalidInputError
        When the URL is none of Redis.
    MissingExtraError
        When ``redis`` is not installed.
    """

    def __init__(self, url: str, hubs: Mapping[str, Hub], *, seed: int | None = None) -> None:
        self.client = connect(url)
        self.counts = RelayCounts()
        self._fault = require("redis", extra="redis").RedisError
        self._hubs = dict(hubs)
        self._plant_of = {CHANNEL.format(plant=plant): plant for plant in self._hubs}
        self._id = secrets.token_hex(8)
        self._random = np.random.default_rng(seed)
        self._lock = threading.Lock()
        self._handled = dict.fromkeys(self._hubs, 0)
        self._heard: dict[tuple[str, str], int] = {}
        self._connected = threading.Event()
        self._broken = threading.Event()
        self._stopping = threading.Event()
        self._told_away = False
        self._threads: list[threading.Thread] = []
        self._subscriptions: list[Subscription] = []

    @property
    def is_connected(self) -> bool:
        """Whether messages of other processes come in now."""
        return self._connected.is_set()

    def is_settled(self, plant: str) -> bool:
        """Tell whether everything that this process published has moved the plant's generation."""
        return self._connected.is_set() and self._handled[plant] == self._hubs[plant].published

    def begin(self, *, wait_s: float = ANSWER_S) -> None:
        """Start to relay, and wait a little for the connection; without one it is tried again and again."""
        for plant, hub in self._hubs.items():
            # Counted before the subscription: a message between the two only makes answers anew, never stale.
            self._handled[plant] = hub.published
            subscription = hub.subscribe()
            self._subscriptions.append(subscription)
            self._start(f"relay-{plant}", self._send, plant, subscription)
        self._start("relay-receive", self._receive)
        self._connected.wait(wait_s)

    def stop(self) -> None:
        """End; twice does no harm."""
        self._stopping.set()
        for subscription in self._subscriptions:
            subscription.close()
            subscription.put({})
        for thread in self._threads:
            thread.join(timeout=2.0 * ANSWER_S + LONGEST_WAIT_S)
        self.client.close()

    def _start(self, name: str, run: Any, *arguments: Any) -> None:
        thread = threading.Thread(target=run, args=arguments, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _send(self, plant: str, subscription: Subscription) -> None:
        """Hand the messages of one hub to Redis; while it is away they are counted and let go."""
        sequence = dropped = 0
        while not self._stopping.is_set():
            message = subscription.get(timeout=ANSWER_S)
            if not message:
                continue
            # What the queue let go has its numbers too, so that the others see the gap.
            lost, dropped = subscription.dropped - dropped, subscription.dropped
            sequence += lost
            self._count(unsent=lost)
            if not isinstance(message, Relayed):
                sequence += 1
                sent = self._publish(plant, {"from": self._id, "sequence": sequence, "message": message})
                self._count(sent=int(sent), unsent=int(not sent))
            self._handled[plant] += 1 + lost

    def _publish(self, plant: str, envelope: Message) -> bool:
        if not self._connected.is_set():
            return False
        text = json.dumps(envelope, allow_nan=False)
        try:
            pipeline = self.client.pipeline(transaction=False).incr(generation_key(plant))
            pipeline.publish(CHANNEL.format(plant=plant), text).execute()
        except self._fault as fault:
            # One connection that fails is reason enough to make both anew.
            self._broken.set()
            self._tell_away(fault)
            return False
        return True

    def _count(self, **more: int) -> None:
        with self._lock:
            for name, count in more.items():
                setattr(self.counts, name, getattr(self.counts, name) + count)

    def _receive(self) -> None:
        """Listen to the other processes, and come back whenever the connection drops."""
        failures = 0
        while not self._stopping.is_set():
            pubsub = self.client.pubsub()
            try:
                self._broken.clear()
                pubsub.subscribe(*self._plant_of)
                while not self._stopping.is_set() and not self._broken.is_set():
                    told = pubsub.get_message(timeout=_POLL_S)
                    if told is None:
                        continue
                    if told["type"] == "message":
                        self._take(told["channel"].decode(errors="replace"), told["data"])
                    elif told["type"] == "subscribe" and told["data"] == len(self._plant_of):
                        # From here on, whatever another process publishes comes.
                        self._tell_back()
                        failures = 0
            except self._fault as fault:
                self._tell_away(fault)
            finally:
                self._connected.clear()
                pubsub.close()
            failures += 1
            bound_s = min(LONGEST_WAIT_S, _FIRST_WAIT_S * 2.0 ** min(failures, 10))
            self._stopping.wait(float(self._random.uniform(0.0, bound_s)))

    def _take(self, channel: str, data: bytes) -> None:
        plant, envelope = self._plant_of.get(channel), _read(data)
        if plant is None or envelope is None:
            self._count(refused=1)
            return
        sender, sequence, message = envelope
        if sender == self._id:
            return
        hub = self._hubs[plant]
        before = self._heard.pop((plant, sender), None)
        missed = 0 if before is None else max(0, sequence - before - 1)
        self._heard[plant, sender] = sequence
        while len(self._heard) > _MOST_SENDERS:
            self._heard.pop(next(iter(self._heard)))
        self._count(received=1, missed=missed)
        if missed:
            words = f"{missed} live messages of another process were missed; what is shown is read again"
            log.warning("%s: %s", plant, words)
            hub.publish(Relayed(topic="event", message=words, severity="warning"))
        hub.publish(Relayed(message))

    def _tell_away(self, fault: Exception) -> None:
        self._connected.clear()
        if not self._told_away and not self._stopping.is_set():
            self._told_away = True
            log.warning("Redis is away (%s); this process works on by itself and tries again", type(fault).__name__)

    def _tell_back(self) -> None:
        self._connected.set()
        if self._told_away:
            self._told_away = False
            log.warning("Redis is back; %d messages of this process were not relayed so far", self.counts.unsent)


def connect(url: str) -> Any:
    """Return a client of Redis that answers soon or fails soon, and leaves trying again to its caller.

    Raises
    ------
    InvalidInputError
        When the URL is none of Redis; it is not repeated, for it may hold a password.
    MissingExtraError
        When ``redis`` is not installed.
    """
    redis = require("redis", extra="redis")
    if not url.startswith(SCHEMES):
        raise InvalidInputError("redis", url.partition("://")[0], "a URL such as redis://127.0.0.1:6379/0")
    try:
        return redis.Redis.from_url(
            url,
            socket_timeout=2.0 * ANSWER_S,
            socket_connect_timeout=ANSWER_S,
            health_check_interval=HEALTH_S,
            retry=require("redis.retry", extra="redis").Retry(require("redis.backoff", extra="redis").NoBackoff(), 0),
        )
    except ValueError as fault:
        raise InvalidInputError("redis", "a URL that cannot be read", "redis://host:port/database") from fault


def generation_key(plant: str) -> str:
    """Return the name of the counter that moves with everything that happens in a plant."""
    return f"vpp/{plant}/generation"


def _read(data: bytes) -> tuple[str, int, Message] | None:
    if len(data) > _LARGEST_MESSAGE_BYTES:
        return None
    try:
        envelope = json.loads(data)
    except (ValueError, RecursionError):
        return None
    if not isinstance(envelope, dict):
        return None
    sender, sequence, message = (envelope.get(name) for name in ("from", "sequence", "message"))
    if not isinstance(sender, str) or type(sequence) is not int or not isinstance(message, dict):
        return None
    return (sender, sequence, message) if isinstance(message.get("topic"), str) else None
