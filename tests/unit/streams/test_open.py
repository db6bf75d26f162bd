"""A bus by its address: what is wrong with one is said before anything is connected."""

from __future__ import annotations

import sys

import pytest

from vpp.core.errors import (
    ClosedError,
    InvalidInputError,
    MissingExtraError,
    StoreError,
    UnknownNameError,
    UnreadableFileError,
    VppError,
)
from vpp.core.messages import Channel, Parcel
from vpp.streams.bus_url import parse_bus_url
from vpp.streams.open import open_bus


@pytest.mark.parametrize(
    ("url", "error", "words"),
    [
        ("mqt://broker", UnknownNameError, "no bus called 'mqt'; did you mean: mqtt, mqtts"),
        ("kafk://broker", UnknownNameError, "did you mean: kafka"),
        ("broker:1883", InvalidInputError, "an address such as mqtt://host:1883"),
        ("://broker", InvalidInputError, "an address such as"),
        ("mqtt://", InvalidInputError, "expected mqtt://host:port"),
        ("mqtt://broker:port", InvalidInputError, "expected mqtt://host:port"),
        ("mqtt://broker:99999", InvalidInputError, "expected mqtt://host:port"),
        ("mqtt://broker/path", InvalidInputError, "nothing behind mqtt://broker but"),
        ("mqtt://broker?qqos=1", UnknownNameError, "no option of mqtt:// called 'qqos'; did you mean: qos"),
        ("mqtt://broker?qos=2", InvalidInputError, "bus option qos: got '2', expected a whole number from 0 to 1"),
        ("mqtt://broker?qos=1&qos=0", InvalidInputError, "bus option qos: got 'two values', expected one"),
        ("mqtt://broker?receive=", InvalidInputError, "bus option receive: got ''"),
        ("mqtt://broker?receive=1e3", InvalidInputError, "a whole number from 1 to 65535"),
        ("mqtt://broker?cafile=a", UnknownNameError, "no option of mqtt:// called 'cafile'"),
        ("kafka://broker?mechanism=plain", InvalidInputError, "one of PLAIN, SCRAM-SHA-256"),
        ("memory://name?qos=1", UnknownNameError, "no option of memory:// called 'qos'"),
        ("memory://user@name", InvalidInputError, "no user"),
        ("mqtts://broker?cafile=/nowhere/ca.pem", UnreadableFileError, "/nowhere/ca.pem: no certificate"),
    ],
)
def test_what_is_wrong_with_an_address(url: str, error: type[VppError], words: str) -> None:
    with pytest.raises(error) as caught:
        open_bus(url)
    assert words in str(caught.value)


def test_a_password_is_not_shown() -> None:
    url = parse_bus_url("mqtt://me%40home:se%2Fcret@broker:1883?qos=0")
    assert (url.user, url.password, url.host_and_port(default_port=1)) == ("me@home", "se/cret", ("broker", 1883))
    assert "cret" not in url.shown
    for wrong in ("mqtt://me:secret@127.0.0.1:1/path", "me:secret@broker", "mqtt://me:secret@127.0.0.1:port"):
        with pytest.raises(InvalidInputError) as caught:
            open_bus(wrong)
        assert "secret" not in str(caught.value)


@pytest.mark.parametrize("url", ["mqtt://127.0.0.1:1", "kafka://127.0.0.1:1"])
def test_nobody_answers(url: str) -> None:
    with pytest.raises(StoreError, match=f"{url} did not answer within 0.3 s"):
        open_bus(url, wait_s=0.3)


@pytest.mark.parametrize("url", ["mqtt://127.0.0.1:1?timeout_s=1", "kafka://127.0.0.1:1?timeout_s=1"])
def test_a_bus_may_be_opened_before_its_broker_is_there(url: str) -> None:
    bus = open_bus(url, channels=[Channel.CONTROL], wait_s=0.0)
    assert bus.consume() == []
    with pytest.raises(StoreError):
        bus.publish([Parcel("homes", "home01", Channel.ACK, b"")])
    bus.close()
    with pytest.raises(ClosedError):
        bus.consume()


def test_kafka_says_which_extra_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "confluent_kafka", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'vpp\[kafka\]'"):
        open_bus("kafka://broker")


def test_buses_of_one_name_hear_one_another_and_those_without_do_not() -> None:
    parcel = Parcel("homes", "home01", Channel.ACK, b"")
    hears = open_bus("memory://open-one", channels=[Channel.ACK])
    deaf = open_bus("memory://open-two", channels=[Channel.ACK])
    alone = open_bus("memory://", channels=[Channel.ACK])
    open_bus("memory://open-one").publish([parcel])
    assert hears.consume() == [parcel]
    assert deaf.consume() == alone.consume() == []
