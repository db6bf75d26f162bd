"""Sparkplug B: births, data and deaths as the specification counts them, decoded back field by field."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from vpp.core.errors import InvalidInputError
from vpp.core.messages import POWER_KW, SOC, Readings, SeriesKey
from vpp.edge.publisher import Post
from vpp.edge.sparkplug import SparkplugNode
from vpp.edge.sparkplug_payload import payload_type

NOW = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
NOW_MS = 1_795_186_800_000


@pytest.fixture
def node() -> SparkplugNode:
    return SparkplugNode("vpp", "home01", now=lambda: NOW)


def readings(at_s: int, **values: float) -> Readings:
    keys = tuple(SeriesKey("store", metric) for metric in values)
    return Readings.from_table("homes", keys, np.array([at_s]), np.array([list(values.values())]), arrived_s=at_s)


def told(post: Post) -> Any:
    return payload_type().FromString(post.payload)


def test_the_wire_format_is_that_of_the_specification() -> None:
    payload = payload_type()(timestamp=1, seq=2)
    payload.metrics.add(name="a", alias=3, timestamp=4, datatype=10, double_value=-1.5)
    # tag = field number << 3 | wire type: 0 varint, 1 eight bytes, 2 length
    metric = b"\x0a\x01a\x10\x03\x18\x04\x20\x0a\x69" + np.float64(-1.5).tobytes()
    assert payload.SerializeToString() == b"\x08\x01\x12" + bytes([len(metric)]) + metric + b"\x18\x02"


def test_a_session_begins_with_its_death_and_birth_under_one_number(node: SparkplugNode) -> None:
    for session in range(3):
        will = node.will()
        (birth,) = node.up()
        assert (will.topic, will.qos, will.retain) == ("spBv1.0/vpp/NDEATH/home01", 1, False)
        assert (birth.topic, birth.qos, birth.retain) == ("spBv1.0/vpp/NBIRTH/home01", 0, False)
        death = told(will)
        assert [(one.name, one.datatype, one.long_value) for one in death.metrics] == [("bdSeq", 4, session)]
        assert not death.HasField("seq")
        names = {one.name: one for one in told(birth).metrics}
        assert names["bdSeq"].long_value == session
        assert names["Node Control/Rebirth"].boolean_value is False
        assert (told(birth).seq, told(birth).timestamp) == (0, NOW_MS)


def test_a_device_is_born_with_what_it_measures_then_sends_data(node: SparkplugNode) -> None:
    node.will()
    node.up()
    (birth,) = node.measured(readings(1_795_186_795, power_kw=-1.25, soc=0.5))
    assert birth.topic == "spBv1.0/vpp/DBIRTH/home01/store"
    metrics = {one.name: one for one in told(birth).metrics}
    assert (metrics[POWER_KW].double_value, metrics[POWER_KW].datatype) == (-1.25, 10)
    assert metrics[POWER_KW].timestamp == NOW_MS - 5000
    facts = metrics[POWER_KW].properties
    assert dict(zip(facts.keys, (one.string_value for one in facts.values), strict=True)) == {
        "engUnit": "kW",
        "sign": "positive toward the grid",
    }
    (data,) = node.measured(readings(1_795_186_800, power_kw=2.0))
    assert data.topic == "spBv1.0/vpp/DDATA/home01/store"
    assert [(one.name, one.double_value) for one in told(data).metrics] == [(POWER_KW, 2.0)]
    (again,) = node.measured(readings(1_795_186_805, cell_temperature_c=31.0))
    assert again.topic.startswith("spBv1.0/vpp/DBIRTH/")
    assert {one.name for one in told(again).metrics} == {POWER_KW, SOC, "cell_temperature_c"}


def test_the_sequence_counts_every_message_and_wraps_after_255(node: SparkplugNode) -> None:
    node.will()
    seen = [told(post).seq for post in node.up()]
    for step in range(600):
        seen += [told(post).seq for post in node.measured(readings(step, power_kw=float(step)))]
    assert seen == [i % 256 for i in range(601)]


def test_the_number_of_a_session_wraps_after_255(node: SparkplugNode) -> None:
    numbers = [told(node.will()).metrics[0].long_value for _ in range(258)]
    assert numbers[254:] == [254, 255, 0, 1]


def test_a_host_that_asks_gets_every_birth_again_with_the_latest_values(node: SparkplugNode) -> None:
    node.will()
    node.up()
    node.measured(readings(1, power_kw=1.0))
    node.measured(readings(2, power_kw=2.0))
    order = payload_type()()
    order.metrics.add(name="Node Control/Rebirth", boolean_value=True)
    births = node.heard("spBv1.0/vpp/NCMD/home01", order.SerializeToString())
    assert [post.topic.split("/")[2] for post in births] == ["NBIRTH", "DBIRTH"]
    assert [told(post).seq for post in births] == [0, 1]
    assert told(births[0]).metrics[0].long_value == 0
    assert told(births[1]).metrics[0].double_value == 2.0


@pytest.mark.parametrize("payload", [b"", b"\xff\xff\xff", b"nonsense"])
def test_nonsense_and_other_orders_are_passed_over(node: SparkplugNode, payload: bytes) -> None:
    node.will()
    assert node.heard("spBv1.0/vpp/NCMD/home01", payload) == []
    order = payload_type()()
    order.metrics.add(name="Node Control/Rebirth", boolean_value=False)
    assert node.heard("spBv1.0/vpp/NCMD/home01", order.SerializeToString()) == []


@pytest.mark.parametrize("name", ["", "a/b", "a+", "#"])
def test_ids_that_cannot_stand_in_a_topic_are_refused(name: str) -> None:
    with pytest.raises(InvalidInputError, match="without /"):
        SparkplugNode("vpp", name, now=lambda: NOW)
