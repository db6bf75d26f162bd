"""Home Assistant: the node's assets as sensors that appear by themselves, through MQTT discovery.

Every asset becomes a device, every metric a sensor with unit, device class and state class; power is positive toward
the grid, and its name says so. Source: Home Assistant, MQTT discovery and MQTT sensor integration documentation.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from vpp import __version__
from vpp.core.messages import POWER_KW, SOC, Readings, SeriesKey
from vpp.core.units import percent_from_fraction
from vpp.edge.publisher import Post

STATUS = "status"
_ONLINE, _OFFLINE = b"online", b"offline"


@dataclass(frozen=True, slots=True)
class Sensor:
    """What Home Assistant is told of a metric.

    Parameters
    ----------
    name : str
        Display name.
    unit : str or None
        Unit of measurement.
    device_class, state_class : str or None
        As Home Assistant names them.
    to_shown : callable
        Turns the house's value into the shown one.
    """

    name: str
    unit: str | None = None
    device_class: str | None = None
    state_class: str | None = "measurement"
    to_shown: Callable[[float], float] = float


_KNOWN = {
    POWER_KW: Sensor("Power (positive feeds in)", "kW", "power"),
    SOC: Sensor("State of charge", "%", "battery", to_shown=percent_from_fraction),
}
_BY_END = (
    ("_kwh", Sensor("", "kWh", "energy", "total")),
    ("_kw", Sensor("", "kW", "power")),
    ("_c", Sensor("", "°C", "temperature")),
    ("_hz", Sensor("", "Hz", "frequency")),
    ("_v", Sensor("", "V", "voltage")),
    ("_a", Sensor("", "A", "current")),
)


def sensor_of(metric: str) -> Sensor:
    """Return what Home Assistant is told of a metric; an unknown one is a plain number.

    >>> sensor_of("soc").unit, sensor_of("cell_temperature_c").device_class, sensor_of("cycles").unit
    ('%', 'temperature', None)
    """
    if metric in _KNOWN:
        return _KNOWN[metric]
    words = metric.replace("_", " ").capitalize()
    if metric.endswith("_per_kwh"):
        return Sensor(words)
    for end, like in _BY_END:
        if metric.endswith(end):
            shown = metric.removesuffix(end).replace("_", " ").capitalize()
            return Sensor(shown, like.unit, like.device_class, like.state_class)
    return Sensor(words)


class HomeAssistantNode:
    """A ``Station`` of one site.

    Parameters
    ----------
    plant, node : str
        Plant and node.
    prefix : str
        Discovery prefix that Home Assistant listens on.
    """

    def __init__(self, plant: str, node: str, *, prefix: str = "homeassistant") -> None:
        self._plant = plant
        self._node = node
        self._prefix = prefix
        self._root = f"vpp-home-assistant/{plant}/{node}"
        self._latest: dict[SeriesKey, float] = {}
        self.subscriptions: tuple[str, ...] = (f"{prefix}/{STATUS}",)

    def will(self) -> Post:
        """Return that the sensors are not available, told by the broker when the session breaks."""
        return Post(f"{self._root}/{STATUS}", _OFFLINE, 1, True)

    def up(self) -> list[Post]:
        """Return that the sensors are available, what they are, and their latest values."""
        posts = [self._config(key) for key in self._latest]
        posts.append(Post(f"{self._root}/{STATUS}", _ONLINE, 1, True))
        return posts + [self._state(key) for key in self._latest]

    def heard(self, topic: str, payload: bytes) -> list[Post]:
        """Return everything anew when Home Assistant says that it has started."""
        return self.up() if topic == self.subscriptions[0] and payload == _ONLINE else []

    def measured(self, readings: Readings) -> list[Post]:
        """Return the newest value of every series, and what it is when it is new."""
        posts: list[Post] = []
        changed: dict[SeriesKey, None] = {}
        for index in range(len(readings)):
            key = readings.keys[int(readings.series[index])]
            if key not in self._latest:
                posts.append(self._config(key))
            self._latest[key] = float(readings.value[index])
            changed[key] = None
        return posts + [self._state(key) for key in changed]

    def down(self) -> list[Post]:
        """Return that the sensors are not available."""
        return [self.will()]

    def _config(self, key: SeriesKey) -> Post:
        """Return the discovery message of a series; retained, so that a restart of Home Assistant finds it."""
        sensor = sensor_of(key.metric)
        unique = f"vpp_{self._plant}_{key.source}_{key.metric}"
        document: dict[str, Any] = {
            "name": sensor.name,
            "unique_id": unique,
            "state_topic": self._state_topic(key),
            "availability_topic": f"{self._root}/{STATUS}",
            "unit_of_measurement": sensor.unit,
            "device_class": sensor.device_class,
            "state_class": sensor.state_class,
            "device": {
                "identifiers": [f"vpp_{self._plant}_{key.source}"],
                "name": key.source,
                "manufacturer": "vpp",
                "model": f"asset of {self._plant}",
            },
            "origin": {"name": "vpp", "sw_version": __version__},
        }
        told = {name: value for name, value in document.items() if value is not None}
        topic = f"{self._prefix}/sensor/vpp_{self._plant}_{self._node}/{unique}/config"
        return Post(topic, json.dumps(told, ensure_ascii=False).encode(), 1, True)

    def _state(self, key: SeriesKey) -> Post:
        value = sensor_of(key.metric).to_shown(self._latest[key])
        return Post(self._state_topic(key), f"{value:.6g}".encode())

    def _state_topic(self, key: SeriesKey) -> str:
        return f"{self._root}/{key.source}/{key.metric}"
