"""The contract of ``vpp.core.ports.Bus`` for parcels, to be run against any bus that outlives its clients.

Invariant: the checks know only the port. Each uses a plant of a name never used before, because brokers remember.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from vpp.core.errors import ClosedError, InvalidInputError, VppError
from vpp.core.messages import GENERAL, KINDS, Channel, Parcel
from vpp.core.ports import Bus

OpenBus = Callable[..., Bus[Parcel]]
"""Opens one client of a bus; takes ``plants``, ``sources``, ``channels``, ``group`` and ``client_id`` as keywords."""

EVERY_BYTE = bytes(range(256))
BIG = bytes(900_000)
TELEMETRY = (Channel.TELEMETRY,)


class Rig:
    """One check's own plant, group and clients.

    Parameters
    ----------
    open_one : callable
        Opens a client.
    patience_s : float
        How long to wait for what has to come [s].
    """

    def __init__(self, open_one: OpenBus, patience_s: float) -> None:
        self._open = open_one
        self._opened: list[Bus[Parcel]] = []
        self.patience_s = patience_s
        self.plant = f"check-{secrets.token_hex(6)}"
        self.group = f"group-{secrets.token_hex(6)}"

    def consumer(self, *channels: Channel, **wanted: Any) -> Bus[Parcel]:
        """Return a client that consumes this check's plant; every one takes over from the one before."""
        asked = {"plants": (self.plant,), "channels": channels or TELEMETRY, "group": self.group, **wanted}
        return self._keep(self._open(client_id=f"vpp-{asked['group']}", **asked))

    def producer(self) -> Bus[Parcel]:
        """Return a client that only publishes."""
        return self._keep(self._open(client_id=None, plants=(), sources=(), channels=(), group=self.group))

    def parcel(self, number: int, source: str = "node01") -> Parcel:
        """Return a parcel that says its number."""
        return Parcel(self.plant, source, Channel.TELEMETRY, str(number).encode())

    def collect(self, bus: Bus[Parcel], count: int, *, most: int = 512) -> list[Parcel]:
        """Return the next parcels, acknowledged, at least ``count`` unless they do not come in time."""
        got: list[Parcel] = []
        until = time.monotonic() + self.patience_s
        while len(got) < count and time.monotonic() < until:
            got += bus.consume(most=most, wait_s=0.5)
            bus.acknowledge()
        return got

    def first(self, bus: Bus[Parcel], count: int) -> list[Parcel]:
        """Return the next parcels without acknowledging them, as soon as there are ``count``."""
        got: list[Parcel] = []
        until = time.monotonic() + self.patience_s
        while len(got) < count and time.monotonic() < until:
            got = bus.consume(most=count, wait_s=0.5)
            if len(got) < count:
                time.sleep(0.02)
        return got

    def close(self) -> None:
        """Close every client."""
        for bus in self._opened:
            bus.close()

    def _keep(self, bus: Bus[Parcel]) -> Bus[Parcel]:
        self._opened.append(bus)
        return bus


def check_bus(open_one: OpenBus, *, patience_s: float = 30.0) -> None:
    """Run the whole contract, each part with a plant and clients of its own.

    Parameters
    ----------
    open_one : callable
        Returns a client of the same bus at every call; see ``OpenBus``.
    patience_s : float
        How long to wait for what has to come [s].

    Raises
    ------
    AssertionError
        When the bus breaks a promise of the port; the message says which.

    Examples
    --------
    >>> from functools import partial
    >>> from vpp.streams.open import open_bus
    >>> check_bus(partial(open_bus, "memory://checked"))
    """
    for check in CHECKS:
        rig = Rig(open_one, patience_s)
        try:
            check(rig)
        finally:
            rig.close()


def expect(got: Any, want: Any, promise: str) -> None:
    """Raise when what a bus did is not what it promised."""
    if got != want:
        raise AssertionError(f"{promise}: got {_short(got)}, wanted {_short(want)}")


def parcels_come_back_exactly(rig: Rig) -> None:
    """Check that every channel, kind and byte comes back as it was sent, and a large payload too."""
    consumer = rig.consumer(*Channel)
    sent = [Parcel(rig.plant, "node01", channel, EVERY_BYTE) for channel in Channel]
    sent += [Parcel(rig.plant, f"{kind}-source", Channel.TELEMETRY, kind.encode(), kind) for kind in KINDS]
    sent += [Parcel(rig.plant, "large", Channel.TELEMETRY, BIG), Parcel(rig.plant, "empty", Channel.ACK, b"")]
    rig.producer().publish(sent)
    got = rig.collect(consumer, len(sent))
    expect(sorted(got), sorted(sent), "a parcel comes back with its address, its kind and every byte")
    expect(got[0].kind in KINDS and GENERAL in KINDS, True, "a kind is one of KINDS")


def order_holds_per_source(rig: Rig) -> None:
    """Check that parcels of one source come in the order in which they were published."""
    consumer, producer = rig.consumer(), rig.producer()
    sources = ("node01", "node02", "node03")
    for start in range(0, 300, 100):
        producer.publish([rig.parcel(number, source) for number in range(start, start + 100) for source in sources])
    got = rig.collect(consumer, 900, most=70)
    for source in sources:
        numbers = [int(parcel.payload) for parcel in got if parcel.source == source]
        expect(numbers, list(range(300)), "the parcels of a source keep their order, and none is missing")


def same_items_until_acknowledged(rig: Rig) -> None:
    """Check that what was not acknowledged is returned again, first, and never more than asked for."""
    consumer = rig.consumer()
    rig.producer().publish([rig.parcel(number) for number in range(10)])
    expect(_numbers(rig.first(consumer, 4)), [0, 1, 2, 3], "the oldest come first, no more than asked for")
    expect(_numbers(rig.first(consumer, 6)), [0, 1, 2, 3, 4, 5], "without acknowledge the same items come first")
    expect(_numbers(consumer.consume(most=2)), [0, 1], "and fewer when fewer are asked for")
    consumer.acknowledge()
    consumer.acknowledge()
    expect(_numbers(rig.collect(consumer, 8)), [2, 3, 4, 5, 6, 7, 8, 9], "what was acknowledged is gone, no more")


def what_was_not_acknowledged_comes_to_the_next_consumer(rig: Rig) -> None:
    """Check that a consumer that went away without acknowledging loses nothing, and nothing acknowledged comes back."""
    consumer = rig.consumer()
    rig.producer().publish([rig.parcel(number) for number in range(20)])
    expect(_numbers(rig.first(consumer, 8)), list(range(8)), "the first eight")
    consumer.acknowledge()
    expect(_numbers(rig.first(consumer, 6)), list(range(8, 14)), "the next six, which are not acknowledged")
    consumer.close()
    rig.producer().publish([rig.parcel(20)])
    following = rig.consumer()
    expect(
        _numbers(rig.collect(following, 13)),
        list(range(8, 21)),
        "the next consumer is told what was not acknowledged, and what was published while nobody listened",
    )
    following.close()
    expect(rig.consumer().consume(wait_s=0.5), [], "what was acknowledged does not come again")


def neighbours_are_not_heard(rig: Rig) -> None:
    """Check that a consumer is told of its plants, sources and channels only."""
    consumer = rig.consumer(Channel.CONTROL, sources=("node01",))
    # Somebody has to want the other parcels, or a bus that keeps nothing for nobody would refuse them.
    rig.consumer(*Channel, plants=(), group=f"{rig.group}-others")
    mine = Parcel(rig.plant, "node01", Channel.CONTROL, b"mine")
    rig.producer().publish(
        [
            mine._replace(plant=f"{rig.plant}-other"),
            mine._replace(source="node02"),
            mine._replace(channel=Channel.STATUS),
            mine,
        ]
    )
    expect(rig.collect(consumer, 1), [mine], "only what was asked for arrives")
    expect(rig.producer().consume(), [], "a client without channels hears nothing")


def many_producers(rig: Rig) -> None:
    """Check that clients that publish at once lose nothing, each keeping its order."""
    consumer = rig.consumer()

    def produce(source: str) -> None:
        bus = rig.producer()
        for number in range(0, 60, 3):
            bus.publish([rig.parcel(number + step, source) for step in range(3)])

    threads = [threading.Thread(target=produce, args=(f"node{i:02d}",)) for i in range(4)]
    for thread in threads:
        thread.start()
    got = rig.collect(consumer, 240)
    for thread in threads:
        thread.join()
    for i in range(4):
        numbers = [int(parcel.payload) for parcel in got if parcel.source == f"node{i:02d}"]
        expect(numbers, list(range(60)), "every producer's parcels arrive, in its order")


def many_threads_of_one_client(rig: Rig) -> None:
    """Check that threads that share a client lose nothing, each keeping its order."""
    consumer, producer = rig.consumer(), rig.producer()

    def produce(source: str) -> None:
        for number in range(0, 200, 4):
            producer.publish([rig.parcel(number + step, source) for step in range(4)])

    threads = [threading.Thread(target=produce, args=(f"node{i:02d}",)) for i in range(8)]
    for thread in threads:
        thread.start()
    got = rig.collect(consumer, 1600)
    for thread in threads:
        thread.join()
    for i in range(8):
        numbers = [int(parcel.payload) for parcel in got if parcel.source == f"node{i:02d}"]
        expect(numbers, list(range(200)), "every thread's parcels arrive, in its order")


def wrong_addresses_are_refused(rig: Rig) -> None:
    """Check that a parcel that could not be addressed is refused before anything is published."""
    consumer, producer = rig.consumer(), rig.producer()
    for plant, source in (("Homes", "node01"), (rig.plant, "a/b"), (rig.plant, "#"), ("", "node01"), (rig.plant, "+")):
        wrong = Parcel(plant, source, Channel.TELEMETRY, b"")
        refused = _raised(partial(producer.publish, [rig.parcel(0), wrong]))
        expect(refused, InvalidInputError, f"the address {plant}/{source} is refused")
    producer.publish([])
    producer.publish([rig.parcel(1)])
    expect(_numbers(rig.collect(consumer, 1)), [1], "of a refused call nothing is published")
    expect(_raised(lambda: consumer.consume(most=0)), InvalidInputError, "most=0 is refused")


def closed_is_closed(rig: Rig) -> None:
    """Check that a closed client says so, that closing twice does no harm, and that waiting takes no longer."""
    bus = rig.consumer()
    started = time.monotonic()
    expect(bus.consume(wait_s=0.2), [], "nothing was published")
    expect(0.15 < time.monotonic() - started < 2.0, True, "consume waits as long as it was told to")
    bus.close()
    bus.close()
    for use in (lambda: bus.publish([rig.parcel(0)]), bus.consume, bus.acknowledge):
        expect(_raised(use), ClosedError, "a closed bus says so")


CHECKS: tuple[Callable[[Rig], None], ...] = (
    parcels_come_back_exactly,
    order_holds_per_source,
    same_items_until_acknowledged,
    what_was_not_acknowledged_comes_to_the_next_consumer,
    neighbours_are_not_heard,
    many_producers,
    many_threads_of_one_client,
    wrong_addresses_are_refused,
    closed_is_closed,
)


def _numbers(parcels: Sequence[Parcel]) -> list[int]:
    return [int(parcel.payload) for parcel in parcels]


def _raised(use: Callable[[], Any]) -> type[VppError] | None:
    try:
        use()
    except VppError as fault:
        return type(fault)
    return None


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 300 else f"{text[:300]}... ({len(text)} characters)"
