"""The Kafka bus against librdkafka's own mock cluster: brokers that go away, and errors in the midst of a request."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Timer

import confluent_kafka
import pytest
from confluent_kafka import KafkaError

from vpp.core.errors import StoreError
from vpp.core.messages import Channel, Parcel
from vpp.core.ports import Bus
from vpp.streams.address import CHANNEL_TOPICS, TELEMETRY_TOPICS
from vpp.streams.open import open_bus

PRODUCE, FETCH, OFFSET_COMMIT = 0, 1, 8
"""Numbers of requests in the Kafka protocol."""
BROKERS = 3


class Cluster:
    """A mock cluster; ``url`` is where it is."""

    def __init__(self) -> None:
        libraries = sorted(Path(confluent_kafka.__file__).parent.parent.glob("confluent_kafka.libs/librdkafka*.so*"))
        if not libraries:
            pytest.skip("this build of confluent-kafka brings no librdkafka of its own")
        self._library = library = ctypes.CDLL(str(libraries[0]))
        for name in ("rd_kafka_conf_new", "rd_kafka_new", "rd_kafka_mock_cluster_new"):
            getattr(library, name).restype = ctypes.c_void_p
        library.rd_kafka_mock_cluster_bootstraps.restype = ctypes.c_char_p
        fault = ctypes.create_string_buffer(512)
        configuration = ctypes.c_void_p(library.rd_kafka_conf_new())
        self._handle = ctypes.c_void_p(library.rd_kafka_new(0, configuration, fault, 512))
        self._cluster = ctypes.c_void_p(library.rd_kafka_mock_cluster_new(self._handle, BROKERS))
        library.rd_kafka_mock_group_initial_rebalance_delay_ms(self._cluster, 0)
        for topic in (*TELEMETRY_TOPICS.values(), *CHANNEL_TOPICS.values()):
            library.rd_kafka_mock_topic_create(self._cluster, topic.encode(), 3, BROKERS)
        self.url = f"kafka://{library.rd_kafka_mock_cluster_bootstraps(self._cluster).decode()}"

    def set_down(self, down: bool) -> None:
        """Take every broker away, or bring it back."""
        change = self._library.rd_kafka_mock_broker_set_down if down else self._library.rd_kafka_mock_broker_set_up
        for broker in range(1, BROKERS + 1):
            change(self._cluster, broker)

    def fail(self, request: int, *errors: int) -> None:
        """Answer the next requests of a kind with errors."""
        numbers = [ctypes.c_int(error) for error in errors]
        self._library.rd_kafka_mock_push_request_errors(
            self._cluster, ctypes.c_int16(request), ctypes.c_size_t(len(numbers)), *numbers
        )

    def close(self) -> None:
        """End it."""
        self._library.rd_kafka_mock_cluster_destroy(self._cluster)
        self._library.rd_kafka_destroy(self._handle)


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    made = Cluster()
    yield made
    made.close()


def parcels(first: int, after: int) -> list[Parcel]:
    return [Parcel("homes", "node01", Channel.TELEMETRY, str(number).encode()) for number in range(first, after)]


def numbers(bus: Bus[Parcel], count: int) -> list[int]:
    got: list[int] = []
    until = time.monotonic() + 30.0
    while len(got) < count and time.monotonic() < until:
        got += [int(one.payload) for one in bus.consume(wait_s=0.2)]
        bus.acknowledge()
    return got


def test_errors_in_the_midst_are_retried_and_nothing_is_written_twice(cluster: Cluster) -> None:
    producer = open_bus(cluster.url)
    consumer = open_bus(f"{cluster.url}?session_ms=6000", channels=[Channel.TELEMETRY])
    producer.publish(parcels(0, 50))
    cluster.fail(
        PRODUCE, KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.REQUEST_TIMED_OUT, KafkaError.NOT_ENOUGH_REPLICAS
    )
    producer.publish(parcels(50, 100))
    assert numbers(consumer, 100) == list(range(100))
    assert consumer.consume(wait_s=0.5) == []
    consumer.close()
    producer.close()


def test_a_cluster_that_is_away_for_a_while_delays_and_loses_nothing(cluster: Cluster) -> None:
    producer = open_bus(f"{cluster.url}?timeout_s=15")
    consumer = open_bus(f"{cluster.url}?session_ms=6000", channels=[Channel.TELEMETRY])
    producer.publish(parcels(0, 20))
    assert numbers(consumer, 20) == list(range(20))
    cluster.set_down(True)
    back = Timer(1.0, cluster.set_down, (False,))
    back.start()
    producer.publish(parcels(20, 40))
    assert numbers(consumer, 20) == list(range(20, 40))
    back.join()
    consumer.close()
    producer.close()


def test_a_cluster_that_stays_away_is_an_error_in_time(cluster: Cluster) -> None:
    producer = open_bus(f"{cluster.url}?timeout_s=1")
    producer.publish(parcels(0, 1))
    cluster.set_down(True)
    began = time.monotonic()
    with pytest.raises(StoreError, match="holds 0 of 5 items, within 1 s"):
        producer.publish(parcels(1, 6))
    assert 0.5 < time.monotonic() - began < 3.5
    assert (producer.counts().published, producer.counts().refused) == (1, 5)
    cluster.set_down(False)
    until = time.monotonic() + 20.0
    while True:
        try:
            producer.publish(parcels(6, 8))
        except StoreError:
            assert time.monotonic() < until
        else:
            break
    producer.close()


def test_offsets_that_were_not_taken_are_an_error_and_the_parcels_come_again(cluster: Cluster) -> None:
    url = f"{cluster.url}?session_ms=6000"
    producer = open_bus(url)
    producer.publish(parcels(0, 5))
    consumer = open_bus(url, channels=[Channel.TELEMETRY], group="uncommitted")
    got: list[Parcel] = []
    until = time.monotonic() + 20.0
    while len(got) < 5 and time.monotonic() < until:
        got = consumer.consume(wait_s=0.2)
    cluster.fail(OFFSET_COMMIT, KafkaError.GROUP_AUTHORIZATION_FAILED)
    with pytest.raises(StoreError, match="did not take the offsets"):
        consumer.acknowledge()
    consumer.close()
    following = open_bus(url, channels=[Channel.TELEMETRY], group="uncommitted")
    assert numbers(following, 5) == [0, 1, 2, 3, 4]
    following.close()
    producer.close()
