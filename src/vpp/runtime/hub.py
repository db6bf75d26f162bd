"""The hub: tells every listener what happened, without ever waiting for one."""

from __future__ import annotations

import queue
import threading
from typing import Any, TypeAlias

Message: TypeAlias = dict[str, Any]
DEPTH = 256


class Subscription:
    """A bounded queue of messages; when it is full the oldest is dropped and counted.

    Invariant: publishing never blocks.
    """

    def __init__(self, hub: Hub, depth: int = DEPTH) -> None:
        self._hub = hub
        self._queue: queue.Queue[Message] = queue.Queue(depth)
        self.dropped = 0

    def get(self, timeout: float | None = None) -> Message | None:
        """Return the next message, or None when ``timeout`` seconds pass without one."""
        try:
            return self._queue.get(timeout=timeout)
        except queue.Empty:
            return None

    def put(self, message: Message) -> None:
        """Add a message, dropping the oldest when there is no room."""
        while True:
            try:
                self._queue.put_nowait(message)
            except queue.Full:
                try:
                    self._queue.get_nowait()
                    self.dropped += 1
                except queue.Empty:
                    continue
            else:
                return

    def close(self) -> None:
        """Stop receiving."""
        self._hub.leave(self)


class Hub:
    """Passes messages from one plant's loop to any number of listeners; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners: set[Subscription] = set()
        self._published = 0

    @property
    def published(self) -> int:
        """How many messages were published so far."""
        return self._published

    def subscribe(self) -> Subscription:
        """Return a new subscription to everything published from now on."""
        subscription = Subscription(self)
        with self._lock:
            self._listeners.add(subscription)
        return subscription

    def leave(self, subscription: Subscription) -> None:
        """Forget a subscription; forgetting twice does no harm."""
        with self._lock:
            self._listeners.discard(subscription)

    def publish(self, message: Message) -> None:
        """Hand a message to every listener."""
        with self._lock:
            self._published += 1
            listeners = tuple(self._listeners)
        for listener in listeners:
            listener.put(message)
