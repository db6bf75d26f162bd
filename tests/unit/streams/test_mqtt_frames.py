"""MQTT packets in a stream: whatever the pieces it comes in, publications and the others come out whole.

The oracle is paho: it writes the packets that are read here, and reads those that are written here.
"""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.client import Client, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from vpp.core.messages import GENERAL
from vpp.streams.mqtt_frames import Publication, acknowledgements, kind_of, split_frames

LONGEST = 268_435_455
PINGRESP = b"\xd0\x00"


def writer() -> Client:
    """Return a paho client that writes packets and has nowhere to send them."""
    client = Client(CallbackAPIVersion.VERSION2, client_id="oracle", protocol=MQTTv5)
    client._sock = SimpleNamespace(close=lambda: None)
    client.on_socket_register_write = lambda *_: None
    return client


def packet(publication: Publication, properties: Properties | None = None) -> bytes:
    """Return the packet paho writes for a publication."""
    client = writer()
    client._send_publish(
        publication.mid, publication.topic, publication.payload, publication.qos, properties=properties
    )
    return bytes(client._out_packet[0]["packet"])


def packed(*pairs: tuple[str, str]) -> tuple[Properties, bytes]:
    properties = Properties(PacketTypes.PUBLISH)
    for pair in pairs:
        properties.UserProperty = pair
    whole = bytes(properties.pack())
    return properties, whole[1:] if len(whole) < 129 else whole[2:]


PUBLICATIONS = st.builds(
    lambda topic, payload, qos, mid: Publication(topic.encode(), payload, b"", qos, mid if qos else 0),
    st.text(st.characters(codec="utf-8", exclude_characters="+#\0"), min_size=1, max_size=30),
    st.binary(max_size=300),
    st.integers(0, 1),
    st.integers(1, 65_535),
)


@given(st.lists(PUBLICATIONS | st.just(PINGRESP), max_size=6), st.lists(st.integers(1, 200), max_size=20))
def test_any_pieces_give_the_same_packets(packets: list[Publication | bytes], sizes: list[int]) -> None:
    stream = b"".join(one if isinstance(one, bytes) else packet(one) for one in packets)
    found: list[Publication] = []
    others, rest = b"", b""
    pieces = [*sizes, len(stream)]
    place = 0
    for size in pieces:
        rest += stream[place : place + size]
        place += size
        told, more, used = split_frames(rest, longest=LONGEST)
        found += told
        others += more
        rest = rest[used:]
    assert rest == b""
    assert found == [one for one in packets if isinstance(one, Publication)]
    assert others == PINGRESP * packets.count(PINGRESP)


@pytest.mark.parametrize("size", [0, 1, 100, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152])
def test_every_length_of_length(size: int) -> None:
    sent = Publication(b"t", bytes(size), b"", 1, 7)
    whole = packet(sent)
    assert split_frames(whole, longest=LONGEST) == ([sent], b"", len(whole))
    assert split_frames(whole[:-1], longest=LONGEST) == ([], b"", 0)


def test_a_packet_longer_than_agreed_ends_the_connection() -> None:
    with pytest.raises(ConnectionError, match="a packet of 1"):
        split_frames(packet(Publication(b"t", bytes(1000), b"", 0, 0)), longest=500)


@pytest.mark.parametrize("stream", [b"\x30\xff\xff\xff\xff\x01", b"\x32\x03\x00\x01t", b"\x30\x02\xff\xff"])
def test_what_is_not_mqtt_ends_the_connection(stream: bytes) -> None:
    with pytest.raises(ConnectionError, match="the broker sent"):
        split_frames(stream, longest=LONGEST)


@given(st.binary(max_size=60))
def test_any_bytes_end_in_packets_or_a_connection_error(stream: bytes) -> None:
    try:
        _, _, used = split_frames(stream, longest=LONGEST)
    except ConnectionError:
        return
    assert used <= len(stream)


@pytest.mark.parametrize(
    ("pairs", "kind"),
    [
        ([], GENERAL),
        ([("kind", "solar")], "solar"),
        ([("other", "x"), ("kind", "wind")], "wind"),
        ([("kind", "sun")], GENERAL),
        ([("kind", "sun"), ("kind", "load")], "load"),
        ([("x" * 200, "y" * 200), ("kind", "market")], "market"),
    ],
)
def test_the_kind_is_a_user_property(pairs: list[tuple[str, str]], kind: str) -> None:
    properties, raw = packed(*pairs)
    sent = Publication(b"topic", b"payload", raw, 1, 3)
    (got,), others, _ = split_frames(packet(sent, properties), longest=LONGEST)
    assert (got, others) == (sent, b"")
    assert kind_of(got.properties) == kind


def test_the_kind_stands_among_other_properties() -> None:
    properties = Properties(PacketTypes.PUBLISH)
    properties.PayloadFormatIndicator = 1
    properties.MessageExpiryInterval = 60
    properties.TopicAlias = 2
    properties.ResponseTopic = "a/b"
    properties.CorrelationData = b"12"
    properties.ContentType = "json"
    properties.SubscriptionIdentifier = 300
    properties.UserProperty = ("kind", "solar")
    assert kind_of(bytes(properties.pack())[1:]) == "solar"


@given(st.binary(max_size=40))
def test_any_properties_have_a_kind(properties: bytes) -> None:
    assert isinstance(kind_of(properties), str)


@given(st.lists(st.integers(1, 65_535), max_size=5))
def test_paho_reads_the_acknowledgements(numbers: list[int]) -> None:
    client = writer()
    for number in numbers:
        client._send_puback(number)
    assert acknowledgements(numbers) == b"".join(bytes(one["packet"]) for one in client._out_packet)
