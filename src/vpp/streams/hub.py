"""A bus within one process, under a name: parcels for several groups of consumers, each with a queue of its own.

Invariant: a parcel is held for every group that wants it until that group acknowledges it. What no group wants is
held until one comes that does. A group outlives its consumers; a new consumer takes over from the one before.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from threading import Condition

from vpp.core.errors import ClosedError, InvalidInputError, StoreError
from vpp.core.messages import Channel, Parcel
from vpp.streams.address import check_address
from vpp.streams.memory import BusCounts


@dataclass(slots=True)
class _Group:
    """What one group of consumers wants, and what waits for it."""

    plants: frozenset[str] = frozenset()
    sources: frozenset[str] = frozenset()
    channels: frozenset[Channel] = frozenset()
    queue: deque[Parcel] = field(default_factory=deque)
    delivered: int = 0
    consumer: int = 0

    def wants(self, parcel: Parcel) -> bool:
        return (
            parcel.channel in self.channels
            and (not self.plants or parcel.plant in self.plants)
            and (not self.sources or parcel.source in self.sources)
        )


class Hub:
    """What all buses of one name share.

    Parameters
    ----------
    capacity : int
        Most parcels held for one group, and most that nobody wants yet.
    """

    def __init__(self, *, capacity: int = 100_000) -> None:
        self.capacity = capacity
        self.changed = Condition()
        self.groups: dict[str, _Group] = {}
        self.unwanted: deque[Parcel] = deque()
        self.consumers = 0

    def join(self, name: str, wanted: _Group) -> _Group:
        """Return the group of a name, as a new consumer of it, with what was held for it."""
        with self.changed:
            group = self.groups.setdefault(name, wanted)
            group.plants, group.sources, group.channels = wanted.plants, wanted.sources, wanted.channels
            self.consumers += 1
            group.consumer, group.delivered = self.consumers, 0
            held, self.unwanted = self.unwanted, deque()
            for parcel in held:
                (group.queue if group.wants(parcel) else self.unwanted).append(parcel)
            self.changed.notify_all()
            return group

    def queues_for(self, parcel: Parcel) -> list[deque[Parcel]]:
        """Return where a parcel belongs, with ``changed`` held."""
        return [group.queue for group in self.groups.values() if group.wants(parcel)] or [self.unwanted]


_HUBS: dict[str, Hub] = {}
_OPENING = Condition()


def hub_of(name: str) -> Hub:
    """Return the process's hub of a name; without a name, a new one."""
    if not name:
        return Hub()
    with _OPENING:
        return _HUBS.setdefault(name, Hub())


class HubBus:
    """Carries parcels within one process.

    Parameters
    ----------
    hub : Hub
        Shared by all who are to hear one another.
    plants, sources, channels : iterable
        What ``consume`` returns: of all plants and sources where none is named, nothing without channels.
    group : str
        Name of the group of consumers.
    publish_timeout_s : float
        How long ``publish`` waits for room [s].

    Examples
    --------
    >>> hub = Hub()
    >>> bus = HubBus(hub, channels=[Channel.ACK])
    >>> HubBus(hub).publish([Parcel("homes", "home01", Channel.ACK, b"{}")])
    >>> [parcel.source for parcel in bus.consume()]
    ['home01']
    """

    def __init__(
        self,
        hub: Hub,
        *,
        plants: Iterable[str] = (),
        sources: Iterable[str] = (),
        channels: Iterable[Channel] = (),
        group: str = "vpp",
        publish_timeout_s: float = 5.0,
    ) -> None:
        self._hub = hub
        self._timeout_s = publish_timeout_s
        wanted = _Group(frozenset(plants), frozenset(sources), frozenset(channels))
        self._group = hub.join(group, wanted) if wanted.channels else None
        self._consumer = 0 if self._group is None else self._group.consumer
        self._published = self._acknowledged = self._refused = 0
        self._closed = False

    def publish(self, items: Sequence[Parcel]) -> None:
        """Hand over parcels, one after the other; returns when all are held.

        Raises
        ------
        StoreError
            When a group made no room in time; it says how many of the parcels were taken.
        InvalidInputError
            When an address is not of slugs, or a kind is unknown; nothing was taken.
        ClosedError
            When the bus is or becomes closed.
        """
        hub = self._hub
        for item in items:
            check_address(item.plant, item.source, item.kind)
        with hub.changed:
            self._require_open()
            for taken, item in enumerate(items):
                if not hub.changed.wait_for(self._room_for(item), self._timeout_s):
                    self._refused += len(items) - taken
                    raise StoreError(
                        f"a consumer has {hub.capacity} items waiting and took none within {self._timeout_s:g} s "
                        f"({taken} of {len(items)} were taken); publish the others later"
                    )
                self._require_open()
                for queue in hub.queues_for(item):
                    queue.append(item)
                self._published += 1
                hub.changed.notify_all()

    def consume(self, *, most: int = 512, wait_s: float = 0.0) -> list[Parcel]:
        """Return the oldest parcels that were not yet acknowledged, at most ``most``; see ``Bus``."""
        if most < 1:
            raise InvalidInputError("most", most, "1 or more items")
        with self._hub.changed:
            group = self._own_group()
            if group is None:
                return []
            self._hub.changed.wait_for(lambda: self._closed or self._replaced or bool(group.queue), wait_s)
            self._own_group()
            items = list(islice(group.queue, most))
            group.delivered = len(items)
            return items

    def acknowledge(self) -> None:
        """Forget what the last ``consume`` returned, because it is safely stored; again is harmless."""
        with self._hub.changed:
            group = self._own_group()
            if group is None:
                return
            for _ in range(group.delivered):
                group.queue.popleft()
            self._acknowledged += group.delivered
            group.delivered = 0
            self._hub.changed.notify_all()

    def counts(self) -> BusCounts:
        """Return what this bus has done so far."""
        with self._hub.changed:
            held = 0 if self._group is None else len(self._group.queue)
            return BusCounts(self._published, self._acknowledged, self._refused, held)

    def close(self) -> None:
        """Refuse everything from now on; what was not acknowledged waits for the next consumer of the group."""
        with self._hub.changed:
            self._closed = True
            self._hub.changed.notify_all()

    @property
    def _replaced(self) -> bool:
        return self._group is not None and self._group.consumer != self._consumer

    def _own_group(self) -> _Group | None:
        self._require_open()
        if self._replaced:
            raise ClosedError("another consumer took over this group; give every consumer a group of its own")
        return self._group

    def _room_for(self, item: Parcel) -> Callable[[], bool]:
        hub = self._hub
        return lambda: self._closed or all(len(queue) < hub.capacity for queue in hub.queues_for(item))

    def _require_open(self) -> None:
        if self._closed:
            raise ClosedError("the bus was closed; make a new one")
