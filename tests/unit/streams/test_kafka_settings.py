"""What an address means for librdkafka; librdkafka itself says whether it takes it."""

from __future__ import annotations

from typing import Any

import pytest

from vpp.core.messages import Channel
from vpp.streams.kafka_settings import KafkaSettings

PLAIN: dict[str, Any] = {"servers": "a:9092,b:9092", "client_id": "me"}
confluent_kafka = pytest.importorskip("confluent_kafka")


@pytest.mark.parametrize(
    ("given", "means"),
    [
        ({}, {"security.protocol": "PLAINTEXT", "bootstrap.servers": "a:9092,b:9092", "client.id": "me"}),
        ({"tls": True}, {"security.protocol": "SSL"}),
        (
            {"user": "u", "password": "p"},
            {"security.protocol": "SASL_PLAINTEXT", "sasl.username": "u", "sasl.password": "p"},
        ),
        (
            {"tls": True, "user": "u", "mechanism": "SCRAM-SHA-512", "cafile": "ca", "certfile": "c", "keyfile": "k"},
            {
                "security.protocol": "SASL_SSL",
                "sasl.mechanism": "SCRAM-SHA-512",
                "sasl.password": "",
                "ssl.ca.location": "ca",
                "ssl.certificate.location": "c",
                "ssl.key.location": "k",
            },
        ),
    ],
)  # fmt: skip
def test_who_and_how(given: dict[str, Any], means: dict[str, Any]) -> None:
    options = KafkaSettings(**PLAIN, **given).common()
    assert {name: options[name] for name in means} == means


def test_nothing_is_committed_or_written_twice_behind_our_back() -> None:
    settings = KafkaSettings(**PLAIN, channels=(Channel.ACK,), session_ms=6000, timeout_s=2.5, from_oldest=False)
    consumer, producer = settings.consumer(), settings.producer()
    assert (consumer["enable.auto.commit"], consumer["enable.auto.offset.store"]) == (False, False)
    assert (consumer["auto.offset.reset"], consumer["session.timeout.ms"]) == ("latest", 6000)
    assert (producer["enable.idempotence"], producer["delivery.timeout.ms"]) == (True, 2500)


def test_librdkafka_takes_all_of_it() -> None:
    settings = KafkaSettings(servers="127.0.0.1:1", client_id="me", user="u", password="p", mechanism="SCRAM-SHA-256")
    confluent_kafka.Producer(settings.producer())
    confluent_kafka.Consumer(settings.consumer()).close()
