"""The telemetry desk: messages that come by HTTP, kept by the same rules as those that come over the bus.

Invariants: what a post is answered is durable. A message is kept once, whether it comes again or came over the bus.
Posts that arrive while another is being kept are kept together, so that many small ones cost few commits.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np

from vpp.core.assets import Plant, check_slug
from vpp.core.errors import InvalidInputError, StoreError, VppError
from vpp.core.messages import NO_ORIGIN, Channel, Delivery, Intake, Parcel, Readings, Refusal
from vpp.core.ports import Clock, Store
from vpp.runtime.ingestion.reception import Received, Reception

MOST_MESSAGES = 10_000
MOST_REFUSALS_TOLD = 100
_MOST_READINGS_AT_ONCE = 50_000


@dataclass(frozen=True, slots=True)
class RefusedMessage:
    """Something of a post that was put in quarantine.

    Parameters
    ----------
    message : int or None
        Index of the message in the post; None where it cannot be told.
    reason : str
        A word of ``Refusal``.
    detail : str
        Fault, value and remedy.
    """

    message: int | None
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class PostAnswer:
    """What became of a post.

    Parameters
    ----------
    messages, readings : int
        Told.
    accepted : int
        Readings that passed the checks, those of copies among them.
    refused : int
        Messages and single readings that were put in quarantine.
    new, duplicates, rows : int or None
        Messages that were new and that had come before, and rows that were new; None where the post was kept together
        with others and a copy among them all cannot be laid at one's door.
    refusals : tuple of RefusedMessage
        The first of what was refused.
    """

    messages: int
    readings: int
    accepted: int
    refused: int
    new: int | None
    duplicates: int | None
    rows: int | None
    refusals: tuple[RefusedMessage, ...] = ()


@dataclass(slots=True)
class _Post:
    received: Received
    messages: tuple[bytes, ...]
    done: threading.Event = field(default_factory=threading.Event)
    answer: PostAnswer | None = None
    fault: VppError | None = None


class TelemetryDesk:
    """Takes posts of telemetry for one plant; safe to share between threads.

    Parameters
    ----------
    plant : Plant
        Whose telemetry is taken.
    store : Store
        Where it is kept.
    clock : Clock
        Tells when it arrives.
    on_kept : callable, optional
        Told how many readings were kept, once they are; must return at once.
    """

    def __init__(
        self, plant: Plant, store: Store, clock: Clock, *, on_kept: Callable[[int], None] | None = None
    ) -> None:
        self._plant = plant
        self._store = store
        self._clock = clock
        self._on_kept = on_kept
        self._reception = Reception([plant])
        self._judging = threading.Lock()
        self._keeping = threading.Lock()
        self._waiting: deque[_Post] = deque()

    def post(self, node: str, messages: Sequence[bytes]) -> PostAnswer:
        """Keep messages of one node and return what became of them; durable when it returns.

        Parameters
        ----------
        node : str
            Who sends them: a gateway, by default the id of its site.
        messages : sequence of bytes
            Telemetry as on the wire, 1 to ``MOST_MESSAGES``.

        Raises
        ------
        InvalidInputError
            When the node has no name, or there are no messages or too many.
        StoreError
            When they could not be kept; post them again.
        """
        check_slug(node, field="node")
        if not 1 <= len(messages) <= MOST_MESSAGES:
            raise InvalidInputError("messages", len(messages), f"1 to {MOST_MESSAGES} messages in one post")
        parcels = [Parcel(self._plant.id, node, Channel.TELEMETRY, payload) for payload in messages]
        with self._judging:
            received = self._reception.receive(parcels, self._clock.now())
            post = _Post(received, tuple(messages))
            self._waiting.append(post)
        # Whoever holds the lock keeps everything that waits; the others find their post done when they get it.
        while not post.done.is_set():
            with self._keeping:
                if not post.done.is_set():
                    self._keep_all(self._together())
        if post.fault is not None:
            raise post.fault
        assert post.answer is not None
        return post.answer

    def _together(self) -> list[_Post]:
        """Take posts from the front of the queue, as many as make a sensible commit."""
        posts: list[_Post] = []
        total = 0
        with self._judging:
            while self._waiting and (not posts or total + self._waiting[0].received.readings <= _MOST_READINGS_AT_ONCE):
                posts.append(self._waiting.popleft())
                total += posts[-1].received.readings
        return posts

    def _keep_all(self, posts: list[_Post]) -> None:
        try:
            self._keep(posts)
        finally:
            # Whatever went wrong, nobody may wait for an answer that does not come.
            left = [post for post in posts if not post.done.is_set()]
            self._finish(left, fault=StoreError("the telemetry could not be kept; the server's log says why"))

    def _keep(self, posts: list[_Post]) -> None:
        try:
            intake = self._store.take(joined([post.received.delivery for post in posts]))
        except InvalidInputError as fault:
            # One of them passed the judge and cannot be held: found by itself, the others do not suffer for it.
            if len(posts) > 1:
                for post in posts:
                    self._keep([post])
            else:
                self._finish(posts, fault=fault)
        except VppError as fault:
            self._finish(posts, fault=fault)
        else:
            self._finish(posts, intake=intake)

    def _finish(self, posts: list[_Post], *, intake: Intake | None = None, fault: VppError | None = None) -> None:
        alone = len(posts) == 1
        for post in posts:
            if intake is None:
                post.fault = fault
            else:
                post.answer = _answer(post, intake, alone=alone)
            post.done.set()
        if intake is not None and self._on_kept is not None:
            self._on_kept(intake.rows)


def joined(deliveries: Sequence[Delivery]) -> Delivery:
    """Return deliveries of one plant as one.

    The keys of later readings may be more than those of earlier ones, but a series has the same number in all of them.
    """
    if len(deliveries) == 1:
        return deliveries[0]
    offsets = np.cumsum([0, *(len(delivery.origins) for delivery in deliveries)])
    tables = [readings for delivery in deliveries for readings in delivery.readings]
    messages = [
        np.where(message == NO_ORIGIN, NO_ORIGIN, message + offset)
        for delivery, offset in zip(deliveries, offsets[:-1], strict=True)
        for message in delivery.message
    ]
    origins = tuple(origin for delivery in deliveries for origin in delivery.origins)
    refusals = tuple(refusal for delivery in deliveries for refusal in delivery.refusals)
    if not tables:
        return Delivery(origins, refusals=refusals)
    keys = max((table.keys for table in tables), key=len)
    columns = (
        np.concatenate([getattr(table, name) for table in tables])
        for name in ("series", "time_s", "issued_s", "arrived_s", "value", "quality")
    )
    together = Readings(tables[0].plant, keys, *columns)
    return Delivery(origins, (together,), (np.concatenate(messages),), refusals)


def _answer(post: _Post, intake: Intake, *, alone: bool) -> PostAnswer:
    delivery = post.received.delivery
    rows = sum(map(len, delivery.readings))
    refusals = delivery.refusals
    new: int | None = len(delivery.origins)
    duplicates: int | None = 0
    kept: int | None = rows
    if alone:
        new, duplicates, kept = intake.messages, intake.duplicates, intake.rows
    elif intake.duplicates:
        new = duplicates = kept = None
    return PostAnswer(
        len(post.messages),
        post.received.readings,
        rows,
        len(refusals),
        new,
        duplicates,
        kept,
        _refused(post, refusals[:MOST_REFUSALS_TOLD]) if refusals else (),
    )


def _refused(post: _Post, refusals: Sequence[Refusal]) -> tuple[RefusedMessage, ...]:
    whole = {payload: i for i, payload in reversed(list(enumerate(post.messages)))}
    told: dict[tuple[str, int], int] = {}
    for i, payload in enumerate(post.messages):
        said = _said(payload)
        if said is not None:
            told.setdefault(said, i)
    found = []
    for refusal in refusals:
        said = _said(refusal.payload)
        index = whole.get(refusal.payload, None if said is None else told.get(said))
        found.append(RefusedMessage(index, refusal.reason, refusal.message))
    return tuple(found)


class _Identity(msgspec.Struct):
    boot: str
    sequence: int


_READ = msgspec.json.Decoder(_Identity)


def _said(payload: bytes) -> tuple[str, int] | None:
    try:
        identity = _READ.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return identity.boot, identity.sequence
