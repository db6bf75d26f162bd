"""Addresses: they come back as they were written, and what does not fit says what it can."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpp.core.errors import InvalidInputError
from vpp.core.messages import GENERAL, KINDS, Channel, Parcel
from vpp.streams.address import (
    Address,
    check_address,
    kafka_key,
    kafka_topic,
    kafka_topics,
    mqtt_filters,
    mqtt_topic,
    of_kafka_key,
    of_mqtt_topic,
)

SLUGS = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,62}", fullmatch=True)


@given(SLUGS, SLUGS, st.sampled_from(Channel))
def test_a_topic_comes_back(plant: str, source: str, channel: Channel) -> None:
    check_address(plant, source, GENERAL)
    assert of_mqtt_topic(mqtt_topic(plant, source, channel).encode()) == (plant, source, channel)


@given(SLUGS, SLUGS, st.sampled_from(Channel), st.sampled_from(KINDS))
def test_a_key_comes_back(plant: str, source: str, channel: Channel, kind: str) -> None:
    parcel = Parcel(plant, source, channel, b"", kind if channel is Channel.TELEMETRY else GENERAL)
    assert of_kafka_key(kafka_topic(parcel), kafka_key(plant, source)) == (Address(plant, source, channel), parcel.kind)


@pytest.mark.parametrize(
    ("topic", "want"),
    [
        (b"vpp/Homes/edge/home01/status", ("", "home01", Channel.STATUS)),
        (b"vpp/homes/edge/home 01/ack", ("homes", "", Channel.ACK)),
        (b"vpp/homes/edge/home01/gossip", ("", "", Channel.TELEMETRY)),
        (b"vpp/homes/edge/home01", ("", "", Channel.TELEMETRY)),
        (b"vpp/homes/edge/home01/ack/more", ("", "", Channel.TELEMETRY)),
        (b"other/homes/edge/home01/ack", ("", "", Channel.TELEMETRY)),
        (b"", ("", "", Channel.TELEMETRY)),
        (b"vpp/\xff/edge/home01/ack", ("", "home01", Channel.ACK)),
    ],
)
def test_a_topic_that_does_not_fit(topic: bytes, want: tuple[str, str, Channel]) -> None:
    assert of_mqtt_topic(topic) == want


@pytest.mark.parametrize(
    ("topic", "key", "want"),
    [
        ("solar-topic", None, (("", "", Channel.TELEMETRY), "solar")),
        ("solar-topic", b"", (("", "", Channel.TELEMETRY), "solar")),
        ("ack-topic", b"homes", (("", "", Channel.ACK), GENERAL)),
        ("ack-topic", b"homes/home01/more", (("", "", Channel.ACK), GENERAL)),
        ("wind-topic", b"homes/\xfe", (("homes", "", Channel.TELEMETRY), "wind")),
        ("strange-topic", b"homes/home01", (("homes", "home01", Channel.TELEMETRY), GENERAL)),
    ],
)
def test_a_key_that_does_not_fit(topic: str, key: bytes | None, want: tuple[tuple[str, str, Channel], str]) -> None:
    assert of_kafka_key(topic, key) == want


@given(st.binary(max_size=40))
def test_any_bytes_are_an_address(text: bytes) -> None:
    assert of_mqtt_topic(text).channel in Channel
    assert of_kafka_key("load-topic", text)[0].channel is Channel.TELEMETRY


def test_the_topics_are_those_that_were_agreed_on() -> None:
    assert kafka_topics([Channel.TELEMETRY]) == [
        "solar-topic", "wind-topic", "load-topic", "market-topic", "telemetry-topic",
    ]  # fmt: skip
    assert kafka_topics([Channel.CONTROL, Channel.ACK]) == ["control-topic", "ack-topic"]
    assert kafka_key("homes", "home01") == b"homes/home01"


def test_subscriptions_name_plants_and_sources_or_take_all() -> None:
    assert mqtt_filters([], [], [Channel.TELEMETRY]) == ["vpp/+/edge/+/telemetry"]
    assert mqtt_filters(["a", "b"], ["n"], [Channel.CONTROL]) == ["vpp/a/edge/n/control", "vpp/b/edge/n/control"]
    with pytest.raises(InvalidInputError, match="plant: got '#'"):
        mqtt_filters(["#"], [], [Channel.ACK])


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="kind: got 'sun', expected one of solar"):
        check_address("homes", "home01", "sun")
