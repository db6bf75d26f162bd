"""The bus on Kafka, by librdkafka.

Invariant: ``publish`` returns when the broker has reported every delivery; offsets are committed only by
``acknowledge``, and only of what ``consume`` returned. When partitions move to another consumer, what was handed out
of them and not acknowledged is let go here and comes there.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Sequence
from functools import partial
from itertools import islice
from math import nan
from threading import Lock
from typing import Any, NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from vpp.core.errors import ClosedError, InvalidInputError, StoreError
from vpp.core.messages import Parcel
from vpp.core.units import KILO
from vpp.streams.address import (
    CHANNEL_TOPICS,
    TELEMETRY_TOPICS,
    check_address,
    kafka_key,
    kafka_topic,
    kafka_topics,
    of_kafka_key,
)
from vpp.streams.kafka_faults import INVALID, MOVED_ON, REFUSED, TRANSIENT
from vpp.streams.kafka_settings import KafkaSettings
from vpp.streams.memory import BusCounts

_POLL_S = 0.02
_SHORTEST_WAIT_S = 0.001
_MOST_SEEN = 10
"""How many messages are looked at for one that is wanted, so that a busy neighbour does not keep us from answering."""


class _Arrival(NamedTuple):
    """A message that waits: its parcel (None when it is for another plant) and its place."""

    parcel: Parcel | None
    topic: str
    partition: int
    offset: int


class KafkaBus:
    """Carries parcels through Kafka.

    Parameters
    ----------
    settings : KafkaSettings
        The connection, and what ``consume`` returns.
    wait_s : float
        How long to wait for a broker at first [s]; 0 starts without it.

    Raises
    ------
    InvalidInputError
        When an option is wrong, or the broker refuses the credentials.
    StoreError
        When no broker answered within ``wait_s``.
    """

    def __init__(self, settings: KafkaSettings, *, wait_s: float = 10.0) -> None:
        self._settings = settings
        self._last_fault: KafkaError | None = None
        self._topics_are_there = False
        try:
            self._producer = Producer(settings.producer() | {"error_cb": self._on_fault})
            if wait_s > 0.0:
                self._find_topics(wait_s)
            self._consumer = self._new_consumer() if settings.channels else None
        except KafkaException as fault:
            raise self._opening_fault(fault, wait_s) from fault
        self._using = Lock()
        self._counting = Lock()
        self._queue: deque[_Arrival] = deque()
        self._waiting = 0
        self._delivered = 0
        self._published = self._acknowledged = self._refused = 0
        self._newest_s = nan
        self._closed = False

    def publish(self, items: Sequence[Parcel]) -> None:
        """Hand parcels to the broker, in order for each source; returns when all deliveries are reported.

        Raises
        ------
        StoreError
            When the broker did not take all of them in time; those it took are on the bus.
        InvalidInputError
            When an address is not of slugs, or a kind is unknown.
        ClosedError
            When the bus was closed.
        """
        self._require_open()
        producer = self._working_producer()
        for item in items:
            check_address(item.plant, item.source, item.kind)
        addressed = [(kafka_topic(item), kafka_key(item.plant, item.source), item.payload) for item in items]
        reports: list[KafkaError | None] = []
        faults: list[KafkaError] = []
        report = partial(_report, reports, faults)
        deadline = time.monotonic() + self._settings.timeout_s
        handed = 0
        for topic, key, payload in addressed:
            if not self._produce(producer, topic, key, payload, report, deadline):
                break
            handed += 1
        # librdkafka reports every message within its delivery timeout.
        while len(reports) < handed and time.monotonic() < deadline + 1.0 and self._served(producer):
            continue
        done = len(reports) - len(faults)
        with self._counting:
            self._published += done
            self._refused += len(items) - done
        if done == len(items):
            self._last_fault = None
        else:
            fault = faults[0] if faults else self._last_fault
            raise StoreError(
                f"{self._shown} holds {done} of {len(items)} items, within {self._settings.timeout_s:g} s "
                f"({'its queue is full' if fault is None else fault.str()}); publish the others again later"
            )

    def consume(self, *, most: int = 512, wait_s: float = 0.0) -> list[Parcel]:
        """Return the oldest messages that were not yet acknowledged, at most ``most``; see ``Bus``.

        Raises
        ------
        StoreError
            When the broker refuses to hand anything out.
        """
        if most < 1:
            raise InvalidInputError("most", most, "1 or more items")
        self._require_open()
        if self._consumer is None:
            return []
        with self._using:
            deadline = time.monotonic() + wait_s
            self._fetch(self._consumer, most - self._waiting, 0.0)
            while not self._waiting and time.monotonic() < deadline:
                self._fetch(self._consumer, most, deadline - time.monotonic())
            if not self._waiting and self._queue:
                # All of it is for others, now and later.
                self._delivered = len(self._queue)
                self._settle(self._consumer)
            return self._hand_out(most)

    def acknowledge(self) -> None:
        """Commit the offsets of what the last ``consume`` returned, because it is safely stored; again is harmless.

        Raises
        ------
        StoreError
            When the broker did not take them; the same parcels come again after the next start.
        """
        self._require_open()
        if self._consumer is None or not self._delivered:
            return
        with self._using:
            self._settle(self._consumer)

    def counts(self) -> BusCounts:
        """Return what the bus has done so far."""
        return BusCounts(self._published, self._acknowledged, self._refused, self._waiting, newest_s=self._newest_s)

    def close(self) -> None:
        """Leave the group; what was not acknowledged comes to its next consumer."""
        if self._closed:
            return
        self._closed = True
        self._producer.flush(1.0)
        # librdkafka's threads end with their last reference, and the producer's callback refers to us.
        del self._producer
        if self._consumer is not None:
            with self._using:
                self._consumer.close()

    @property
    def _shown(self) -> str:
        return f"kafka://{self._settings.servers}"

    def _new_consumer(self) -> Consumer:
        consumer = Consumer(self._settings.consumer() | {"error_cb": self._on_fault})
        consumer.subscribe(kafka_topics(self._settings.channels), on_revoke=self._let_go, on_lost=self._let_go)
        return consumer

    def _find_topics(self, wait_s: float) -> None:
        """Create the topics that are missing, where the broker lets us."""
        known = self._producer.list_topics(timeout=wait_s).topics
        missing = [name for name in (*TELEMETRY_TOPICS.values(), *CHANNEL_TOPICS.values()) if name not in known]
        self._topics_are_there = not missing
        if not missing:
            return
        wanted = [NewTopic(name, num_partitions=self._settings.partitions, replication_factor=-1) for name in missing]
        # Held by a name: what it promises ends with it.
        administrator = AdminClient(self._settings.common())
        made = administrator.create_topics(wanted, operation_timeout=wait_s)
        for name, future in made.items():
            try:
                future.result(wait_s)
            except KafkaException as fault:
                code = fault.args[0].code()
                # Another client was faster, or creates them for us.
                if code in (KafkaError.TOPIC_ALREADY_EXISTS, KafkaError.TOPIC_AUTHORIZATION_FAILED):
                    continue
                raise StoreError(f"{self._shown} has no topic {name} and did not create it: {fault}") from fault
        self._topics_are_there = True

    def _opening_fault(self, fault: KafkaException, wait_s: float) -> InvalidInputError | StoreError:
        error = fault.args[0]
        told = self._last_fault if self._last_fault is not None else error
        if told.code() in REFUSED:
            return InvalidInputError(
                "bus", self._shown, f"credentials that its broker takes; it answered: {told.str()}"
            )
        if error.code() == INVALID:
            return InvalidInputError("bus", self._shown, f"options that fit together ({error.str()})")
        return StoreError(
            f"{self._shown} did not answer within {wait_s:g} s ({told.str()}); start it or correct the URL"
        )

    def _on_fault(self, fault: KafkaError) -> None:
        self._last_fault = fault

    def _working_producer(self) -> Producer:
        """Return the producer, a new one after a fault from which an idempotent one does not recover.

        Raises
        ------
        StoreError
            When it was opened without a broker, and there still is none.
        """
        if self._last_fault is not None and self._last_fault.fatal():
            self._last_fault = None
            self._topics_are_there = False
            self._producer = Producer(self._settings.producer() | {"error_cb": self._on_fault})
        if not self._topics_are_there:
            wait_s = self._settings.timeout_s
            try:
                self._find_topics(wait_s)
            except KafkaException as fault:
                raise StoreError(str(self._opening_fault(fault, wait_s))) from fault
        return self._producer

    def _served(self, producer: Producer) -> bool:
        """Take reports of deliveries; False when there will be no more of them."""
        try:
            producer.poll(_POLL_S)
        except KafkaException as fault:
            self._last_fault = fault.args[0]
            return False
        return True

    def _produce(
        self, producer: Producer, topic: str, key: bytes, payload: bytes, report: Any, deadline: float
    ) -> bool:
        """Hand one message to librdkafka as soon as it has room; False when it had none in time."""
        while True:
            try:
                producer.produce(topic, payload, key, on_delivery=report)
            except BufferError:
                if time.monotonic() > deadline:
                    return False
                self._served(producer)
            except KafkaException as fault:
                if fault.args[0].code() == KafkaError.MSG_SIZE_TOO_LARGE:
                    raise InvalidInputError(
                        "payload", f"{len(payload)} bytes", "a payload that the broker takes; send it in parts"
                    ) from fault
                self._last_fault = fault.args[0]
                return False
            else:
                return True

    def _fetch(self, consumer: Consumer, most: int, wait_s: float) -> None:
        """Take up to ``most`` messages from librdkafka, waiting for the first.

        One by one: what a batch holds when the partitions change within it could belong to either side.
        """
        message = consumer.poll(max(wait_s, _SHORTEST_WAIT_S)) if most > 0 else None
        taken = seen = 0
        while message is not None:
            seen += 1
            fault = message.error()
            if fault is None:
                taken += self._keep(message)
            elif fault.code() not in TRANSIENT:
                raise StoreError(f"{self._shown} hands nothing out: {fault.str()}; correct it and start again")
            message = consumer.poll(0.0) if taken < most and seen < _MOST_SEEN * most else None

    def _keep(self, message: Message) -> bool:
        """Put a message into the queue; False when it is for others."""
        topic, partition, offset = message.topic(), message.partition(), message.offset()
        if topic is None or partition is None or offset is None:
            return False
        (plant, source, channel), kind = of_kafka_key(topic, message.key())
        settings = self._settings
        # What does not say whose it is belongs to nobody else either.
        wanted = (not settings.plants or not plant or plant in settings.plants) and (
            not settings.sources or source in settings.sources
        )
        parcel = Parcel(plant, source, channel, message.value() or b"", kind) if wanted else None
        self._queue.append(_Arrival(parcel, topic, partition, offset))
        self._waiting += wanted
        if wanted:
            self._newest_s = message.timestamp()[1] / KILO
        return wanted

    def _hand_out(self, most: int) -> list[Parcel]:
        parcels: list[Parcel] = []
        self._delivered = 0
        for arrival in self._queue:
            if arrival.parcel is not None:
                if len(parcels) == most:
                    break
                parcels.append(arrival.parcel)
            self._delivered += 1
        return parcels

    def _settle(self, consumer: Consumer) -> None:
        done = [self._queue.popleft() for _ in range(self._delivered)]
        self._delivered = 0
        wanted = _wanted(done)
        self._acknowledged += wanted
        self._waiting -= wanted
        nexts = {(arrival.topic, arrival.partition): arrival.offset + 1 for arrival in done}
        if nexts:
            self._commit(
                consumer, [TopicPartition(topic, partition, offset) for (topic, partition), offset in nexts.items()]
            )

    def _commit(self, consumer: Consumer, offsets: list[TopicPartition]) -> None:
        try:
            kept = consumer.commit(offsets=offsets, asynchronous=False)
        except KafkaException as fault:
            errors = [fault.args[0]]
        else:
            errors = [partition.error for partition in kept or () if partition.error is not None]
        for error in errors:
            if error.code() not in MOVED_ON:
                raise StoreError(f"{self._shown} did not take the offsets: {error.str()}; they come again")

    def _let_go(self, _consumer: Consumer, partitions: list[TopicPartition]) -> None:
        gone = {(partition.topic, partition.partition) for partition in partitions}
        handed = [arrival for arrival in islice(self._queue, self._delivered) if arrival[1:3] not in gone]
        waiting = [arrival for arrival in islice(self._queue, self._delivered, None) if arrival[1:3] not in gone]
        self._queue = deque((*handed, *waiting))
        self._delivered = len(handed)
        self._waiting = _wanted(self._queue)

    def _require_open(self) -> None:
        if self._closed:
            raise ClosedError("the bus was closed; make a new one")


def _report(
    reports: list[KafkaError | None], faults: list[KafkaError], fault: KafkaError | None, _message: Message
) -> None:
    if fault is not None:
        faults.append(fault)
    reports.append(fault)


def _wanted(arrivals: Iterable[_Arrival]) -> int:
    return sum(arrival.parcel is not None for arrival in arrivals)
