"""Home Assistant discovery: what its documentation requires of a sensor, and the values in the units it is told."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pytest

from vpp.core.messages import POWER_KW, SOC, Readings, SeriesKey
from vpp.edge.home_assistant import HomeAssistantNode, sensor_of
from vpp.edge.publisher import Post

# Home Assistant, "MQTT Discovery": <prefix>/<component>/[<node_id>/]<object_id>/config, ids of [a-zA-Z0-9_-]
TOPIC = re.compile(r"homeassistant/sensor/[a-zA-Z0-9_-]+/[a-zA-Z0-9_-]+/config")
# "Sensor entity": units that a device class takes, and the state classes that it takes
UNITS = {
    "power": {"mW", "W", "kW", "MW", "GW", "TW"},
    "battery": {"%"},
    "energy": {"J", "kJ", "MJ", "GJ", "mWh", "Wh", "kWh", "MWh", "GWh", "TWh", "cal", "kcal", "Mcal", "Gcal"},
    "temperature": {"°C", "°F", "K"},
    "frequency": {"Hz", "kHz", "MHz", "GHz"},
    "voltage": {"V", "mV", "µV", "kV", "MV"},
    "current": {"A", "mA"},
}
STATE_CLASSES = {"measurement", "measurement_angle", "total", "total_increasing"}
METRICS = (
    "power_kw",
    "soc",
    "energy_kwh",
    "ambient_c",
    "frequency_hz",
    "voltage_v",
    "current_a",
    "price_per_kwh",
    "cycles",
)


@pytest.fixture
def node() -> HomeAssistantNode:
    return HomeAssistantNode("homes", "home01")


def readings(**values: float) -> Readings:
    keys = tuple(SeriesKey("store", metric) for metric in values)
    return Readings.from_table("homes", keys, np.array([7]), np.array([list(values.values())]), arrived_s=7)


def configs(posts: list[Post]) -> dict[str, dict[str, Any]]:
    return {post.topic: json.loads(post.payload) for post in posts if post.topic.endswith("/config")}


@pytest.mark.parametrize("metric", METRICS)
def test_every_sensor_is_what_the_documentation_asks_for(node: HomeAssistantNode, metric: str) -> None:
    posts = node.measured(readings(**{metric: 1.0}))
    ((topic, config),) = configs(posts).items()
    assert TOPIC.fullmatch(topic)
    assert config["state_topic"] in {post.topic for post in posts}
    assert config["state_class"] in STATE_CLASSES
    if "device_class" in config:
        assert config["unit_of_measurement"] in UNITS[config["device_class"]]
        # "energy" takes no state class measurement
        assert (config["device_class"] == "energy") == (config["state_class"] == "total")
    assert config["device"]["identifiers"]
    assert config["origin"]["name"]
    assert config["name"]
    assert None not in config.values()


def test_ids_are_unique_and_the_sign_is_in_the_name(node: HomeAssistantNode) -> None:
    found = configs(node.measured(readings(**dict.fromkeys(METRICS, 1.0))))
    assert len({config["unique_id"] for config in found.values()}) == len(found) == len(METRICS)
    assert len({config["device"]["identifiers"][0] for config in found.values()}) == 1
    names = [config["name"] for config in found.values() if config["unique_id"].endswith("store_power_kw")]
    assert names == ["Power (positive feeds in)"]


@pytest.mark.parametrize(
    ("metric", "value", "shown"), [(POWER_KW, -1.25, b"-1.25"), (POWER_KW, 2.0, b"2"), (SOC, 0.505, b"50.5")]
)
def test_values_are_in_the_unit_that_was_told(node: HomeAssistantNode, metric: str, value: float, shown: bytes) -> None:
    posts = node.measured(readings(**{metric: value}))
    assert posts[-1].payload == shown
    assert not posts[-1].retain


def test_a_sensor_is_told_once_retained_and_again_when_home_assistant_starts(node: HomeAssistantNode) -> None:
    first = node.measured(readings(power_kw=1.0))
    assert [post.retain for post in first] == [True, False]
    assert configs(node.measured(readings(power_kw=2.0))) == {}
    again = node.heard("homeassistant/status", b"online")
    assert configs(again) == configs(first)
    assert again[-1].payload == b"2"
    assert node.heard("homeassistant/status", b"offline") == []


def test_availability_is_told_by_the_session_and_by_its_end(node: HomeAssistantNode) -> None:
    topic = "vpp-home-assistant/homes/home01/status"
    assert (topic, b"online", 1, True) in node.up()
    assert node.will() == (topic, b"offline", 1, True)
    assert node.down() == [node.will()]


def test_an_unknown_metric_is_a_plain_number() -> None:
    assert (sensor_of("state_of_health").unit, sensor_of("state_of_health").device_class) == (None, None)
