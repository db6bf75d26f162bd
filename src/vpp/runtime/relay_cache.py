"""The read cache: answers that many ask for, shared between processes in Redis for some seconds.

Invariant: an answer is given only while nothing has happened in its plant since before it was made: everything that
the relay sends moves the plant's generation, and an answer is kept under the generation that was read before it was
made. Without Redis, and while something is on its way there, every answer is made anew.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from vpp.core.errors import InvalidInputError
from vpp.core.extras import require
from vpp.runtime.live import LivePlant
from vpp.runtime.relay import Relay, generation_key
from vpp.runtime.view import PlantView

DEFAULT_TTL_S = 10


class ReadCache:
    """Answers in Redis, each for ``ttl_s`` seconds at most.

    Parameters
    ----------
    relay : Relay
        Whose connection is used, and which moves the generations.
    ttl_s : int
        How long an answer is kept [s], 1 or more.
    """

    def __init__(self, relay: Relay, *, ttl_s: int = DEFAULT_TTL_S) -> None:
        if ttl_s < 1:
            raise InvalidInputError("ttl_s", ttl_s, "1 or more [s]")
        self.hits = 0
        self.misses = 0
        self._relay = relay
        self._ttl_s = ttl_s
        self._fault = require("redis", extra="redis").RedisError

    def get(self, plant: str, question: str, make: Callable[[], Any]) -> Any:
        """Return the answer to a question: a kept one, or the one that ``make`` returns, a JSON value."""
        if not self._relay.is_settled(plant):
            return make()
        key = f"vpp/{plant}/cache/{question}"
        try:
            generation, kept = self._relay.client.mget(generation_key(plant), key)
        except self._fault:
            return make()
        generation = generation or b"0"
        if kept is not None and kept.partition(b"\n")[0] == generation:
            self.hits += 1
            return json.loads(kept.partition(b"\n")[2])
        self.misses += 1
        answer = make()
        body = generation + b"\n" + json.dumps(answer, allow_nan=False).encode()
        try:
            self._relay.client.set(key, body, ex=self._ttl_s)
        except self._fault:
            return answer
        return answer


class SharedView(PlantView):
    """A plant's view whose most asked answers are shared with other processes.

    Parameters
    ----------
    live : LivePlant
        The plant.
    cache : ReadCache
        Where answers are kept.
    """

    def __init__(self, live: LivePlant, cache: ReadCache) -> None:
        super().__init__(live)
        self._cache = cache

    def assets(self) -> list[dict[str, Any]]:
        """Return every asset with its newest measured state."""
        answer: list[dict[str, Any]] = self._cache.get(self.plant_id, "assets", super().assets)
        return answer

    def overview(self, start: datetime, end: datetime, *, site: str | None = None) -> dict[str, Any]:
        """Return totals of the plant or of one site: measured up to now, planned and forecast from now."""
        question = f"overview/{start.isoformat()}/{end.isoformat()}/{site or ''}"
        answer: dict[str, Any] = self._cache.get(
            self.plant_id, question, lambda: super(SharedView, self).overview(start, end, site=site)
        )
        return answer


@contextmanager
def open_view(live: LivePlant, redis: str | None) -> Iterator[PlantView]:
    """Yield the view of a plant; with the URL of a Redis, one that is shared with other processes.

    Raises
    ------
    InvalidInputError
        When the URL is none of Redis.
    MissingExtraError
        When ``redis`` is not installed.
    """
    if redis is None:
        yield PlantView(live)
        return
    relay = Relay(redis, {live.setup.plant.id: live.hub})
    relay.begin()
    try:
        yield SharedView(live, ReadCache(relay))
    finally:
        relay.stop()
