"""Addresses: where a parcel goes on each bus, and what an address says that a parcel came from.

Plant, source and channel stand in the address, so that a broker's access rules can hold plants and nodes apart; what
a payload claims is compared with it. An address that does not fit gives a parcel with what can be told of it: the
consumer puts it in quarantine, and nothing stops.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Final, NamedTuple

from vpp.core.assets import check_slug
from vpp.core.errors import InvalidInputError
from vpp.core.messages import GENERAL, KINDS, Channel, Parcel

ROOT: Final = "vpp"
NODES: Final = "edge"
TELEMETRY_TOPICS: Final = {kind: "telemetry-topic" if kind == GENERAL else f"{kind}-topic" for kind in KINDS}
"""Kafka topic of each kind of telemetry."""
CHANNEL_TOPICS: Final = {channel: f"{channel}-topic" for channel in (Channel.STATUS, Channel.CONTROL, Channel.ACK)}
_OF_TOPIC: Final = {
    **{topic: (Channel.TELEMETRY, kind) for kind, topic in TELEMETRY_TOPICS.items()},
    **{topic: (channel, GENERAL) for channel, topic in CHANNEL_TOPICS.items()},
}
_CHANNELS: Final = frozenset(str(channel) for channel in Channel)


class Address(NamedTuple):
    """What an address says: plant and source, empty where it names none that could be, and the channel."""

    plant: str
    source: str
    channel: Channel


@lru_cache(maxsize=65_536)
def mqtt_topic(plant: str, source: str, channel: Channel) -> str:
    """Return the MQTT topic of a node's channel.

    Examples
    --------
    >>> mqtt_topic("homes", "home01", Channel.TELEMETRY)
    'vpp/homes/edge/home01/telemetry'
    """
    return f"{ROOT}/{plant}/{NODES}/{source}/{channel}"


def mqtt_filters(plants: Iterable[str], sources: Iterable[str], channels: Iterable[Channel]) -> list[str]:
    """Return the MQTT subscriptions for channels of some plants and sources; of all where none is named.

    >>> mqtt_filters(["homes"], [], [Channel.ACK])
    ['vpp/homes/edge/+/ack']
    """
    return [
        f"{ROOT}/{plant}/{NODES}/{source}/{channel}"
        for plant in ([check_slug(plant, field="plant") for plant in plants] or ["+"])
        for source in ([check_slug(source, field="source") for source in sources] or ["+"])
        for channel in channels
    ]


@lru_cache(maxsize=65_536)
def of_mqtt_topic(topic: bytes) -> Address:
    """Return what an MQTT topic says.

    >>> of_mqtt_topic(b"vpp/homes/edge/home01/ack")
    Address(plant='homes', source='home01', channel=<Channel.ACK: 'ack'>)
    """
    parts = topic.decode("utf-8", errors="replace").split("/")
    fits = len(parts) == 5 and parts[0] == ROOT and parts[2] == NODES and parts[4] in _CHANNELS
    if not fits:
        return Address("", "", Channel.TELEMETRY)
    return Address(_slug_or_nothing(parts[1]), _slug_or_nothing(parts[3]), Channel(parts[4]))


@lru_cache(maxsize=65_536)
def check_address(plant: str, source: str, kind: str) -> None:
    """Refuse what no bus could address.

    Raises
    ------
    InvalidInputError
        When plant or source is no slug, or the kind is not among ``KINDS``.
    """
    check_slug(plant, field="plant")
    check_slug(source, field="source")
    if kind not in TELEMETRY_TOPICS:
        raise InvalidInputError("kind", kind, f"one of {', '.join(KINDS)}")


def kafka_topic(parcel: Parcel) -> str:
    """Return the Kafka topic of a parcel: one for each kind of telemetry, one for every other channel."""
    if parcel.channel is not Channel.TELEMETRY:
        return CHANNEL_TOPICS[parcel.channel]
    return TELEMETRY_TOPICS[parcel.kind]


def kafka_topics(channels: Iterable[Channel]) -> list[str]:
    """Return the Kafka topics of some channels."""
    wanted = set(channels)
    return [topic for topic, (channel, _) in _OF_TOPIC.items() if channel in wanted]


@lru_cache(maxsize=65_536)
def kafka_key(plant: str, source: str) -> bytes:
    """Return the Kafka key of a source: parcels with one key keep their order."""
    return f"{plant}/{source}".encode()


@lru_cache(maxsize=65_536)
def of_kafka_key(topic: str, key: bytes | None) -> tuple[Address, str]:
    """Return what a Kafka topic and key say, and the kind of the source."""
    channel, kind = _OF_TOPIC.get(topic, (Channel.TELEMETRY, GENERAL))
    parts = (key or b"").decode("utf-8", errors="replace").split("/")
    if len(parts) != 2:
        return Address("", "", channel), kind
    return Address(_slug_or_nothing(parts[0]), _slug_or_nothing(parts[1]), channel), kind


def _slug_or_nothing(text: str) -> str:
    try:
        return check_slug(text)
    except InvalidInputError:
        return ""
