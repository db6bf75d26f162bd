"""MQTT devices behind a real Mosquitto."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from queue import Queue
from typing import Any
from uuid import uuid4

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from servers.mosquitto import OPEN, Mosquitto
from servers.process import free_port

from vpp.core.errors import InvalidInputError
from vpp.core.messages import POWER_KW, SOC, Reading
from vpp.core.time import parse_time
from vpp.edge.driver import Driver, DriverError
from vpp.edge.drivers.conversion import Conversion
from vpp.edge.drivers.mqtt_device import MqttDevice, MqttDriver, SetPointTopic, Topic

pytestmark = pytest.mark.server
FROM_GRID = Conversion("W", positive="from_grid")
NOW = parse_time("2026-06-01T12:00:00Z")


class Device:
    """The other side: publishes and hears."""

    def __init__(self, broker: Mosquitto) -> None:
        self.heard: Queue[tuple[str, bytes]] = Queue()
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2)
        self.client.on_message = lambda _, __, message: self.heard.put((message.topic, message.payload))
        self.client.connect("127.0.0.1", broker.port)
        self.client.loop_start()

    def say(self, topic: str, payload: str | bytes, *, retain: bool = False) -> None:
        self.client.publish(topic, payload, qos=1, retain=retain).wait_for_publish(5.0)

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@pytest.fixture
def device(mosquitto: Mosquitto) -> Iterator[Device]:
    one = Device(mosquitto)
    yield one
    one.close()


@pytest.fixture
def make(mosquitto: Mosquitto) -> Iterator[Callable[..., MqttDriver]]:
    made: list[MqttDriver] = []

    def driver(*topics: Topic, url: str = mosquitto.url, **fields: Any) -> MqttDriver:
        one = MqttDriver("plant", MqttDevice(name="shed", url=url, topics=topics, timeout_s=2.0, **fields))
        made.append(one)
        return one

    yield driver
    for one in made:
        one.close()


def topic(name: str, metric: str = POWER_KW, **fields: Any) -> Topic:
    return Topic(asset_id="battery", metric=metric, topic=name, **fields)


def wait_for(one: MqttDriver, count: int, *, now: datetime = NOW) -> list[Reading]:
    deadline = time.monotonic() + 5.0
    while time.monotonic() < deadline:
        readings = one.poll(now)
        if readings is not None and len(readings) == count:
            return list(readings.rows())
        time.sleep(0.01)
    raise AssertionError(f"not heard: {one.health()}")


@pytest.mark.parametrize(
    ("payload", "path", "conversion", "value"),
    [
        ("1500", "", Conversion("W"), 1.5),
        ("1500", "", FROM_GRID, -1.5),
        ("-1500", "", FROM_GRID, 1.5),
        ("0", "", FROM_GRID, 0.0),
        ('{"inv": [{"p": 2.25}]}', "inv.0.p", Conversion("kW"), 2.25),
        ('{"soc": "55"}', "soc", Conversion("percent"), 0.55),
    ],
)
def test_a_message_becomes_a_reading(
    make: Any, device: Device, payload: str, path: str, conversion: Conversion, value: float
) -> None:
    name = f"home/{uuid4().hex}"
    one = make(topic(name, path=path, conversion=conversion))
    assert isinstance(one, Driver)
    one.open()
    device.say(name, payload)
    (row,) = wait_for(one, 1)
    assert (row.key.source, row.key.metric, row.value) == ("battery", POWER_KW, pytest.approx(value))
    assert NOW - timedelta(seconds=2) <= row.time <= NOW


def test_a_value_holds_until_it_is_stale_and_then_the_health_says_so(make: Any, device: Device) -> None:
    name = f"home/{uuid4().hex}"
    one = make(topic(name, stale_after_s=1.0))
    one.open()
    device.say(name, "1")
    wait_for(one, 1)
    later = NOW + timedelta(seconds=30)
    (again,) = wait_for(one, 1, now=later)
    assert again.time == later
    time.sleep(1.05)
    assert one.poll(later) is None
    assert not one.health().healthy
    assert name in one.health().message
    device.say(name, "2")
    assert wait_for(one, 1)[0].value == 2.0
    assert one.health().healthy


def test_a_device_that_never_speaks_is_said_to_be_silent(make: Any) -> None:
    one = make(topic(f"home/{uuid4().hex}", stale_after_s=0.4))
    one.open()
    assert one.poll(NOW) is None
    assert one.health().healthy
    time.sleep(0.45)
    assert one.poll(NOW) is None
    assert not one.health().healthy


def test_a_value_with_its_own_time_is_reported_once_at_that_time(make: Any, device: Device) -> None:
    name = f"home/{uuid4().hex}"
    device.say(name, '{"w": 100, "t": "2026-06-01T11:00:00Z"}', retain=True)
    one = make(topic(name, path="w", time_path="t", conversion=Conversion("W"), stale_after_s=60.0))
    one.open()
    (row,) = wait_for(one, 1)
    assert (row.time, row.value) == (parse_time("2026-06-01T11:00:00Z"), 0.1)
    assert one.poll(NOW) is None
    device.say(name, '{"w": 200, "t": "2026-06-01T10:59:59Z"}')
    device.say(name, '{"w": 250, "t": "2026-06-01T11:00:00Z"}')
    marker = make(topic(f"{name}/marker"))
    marker.open()
    device.say(f"{name}/marker", "1")
    wait_for(marker, 1)
    time.sleep(0.05)
    assert one.poll(NOW) is None
    device.say(name, '{"w": 300, "t": "2026-06-01T11:59:59Z"}')
    (row,) = wait_for(one, 1)
    assert (row.time, row.value) == (parse_time("2026-06-01T11:59:59Z"), 0.3)
    device.say(name, b"", retain=True)


def test_a_retained_value_of_unknown_age_is_left_aside(make: Any, device: Device) -> None:
    name = f"home/{uuid4().hex}"
    device.say(name, "900", retain=True)
    one = make(topic(name))
    one.open()
    time.sleep(0.2)
    assert one.poll(NOW) is None
    device.say(name, "901")
    assert wait_for(one, 1)[0].value == 901.0
    device.say(name, b"", retain=True)


@pytest.mark.parametrize("payload", [b"on", b"", b"NaN", b'{"w": 1}', b"\xff", b"[" * 60_000, b"1" * 70_000])
def test_a_payload_without_the_number_is_counted_and_nothing_stops(make: Any, device: Device, payload: bytes) -> None:
    name = f"home/{uuid4().hex}"
    one = make(topic(name))
    one.open()
    device.say(name, payload)
    device.say(name, "5")
    assert wait_for(one, 1)[0].value == 5.0
    assert one.health().errors == 1
    assert name in one.health().message


def test_one_topic_may_carry_several_values(make: Any, device: Device) -> None:
    name = f"home/{uuid4().hex}"
    one = make(topic(name, path="p"), topic(name, SOC, path="s", conversion=Conversion("percent")))
    one.open()
    device.say(name, '{"p": -2, "s": 40}')
    assert {row.key.metric: row.value for row in wait_for(one, 2)} == {POWER_KW: -2.0, SOC: 0.4}


@pytest.mark.parametrize(
    ("power_kw", "payload"),
    [(2.5, b'{"set": -2500.0}'), (-2.5, b'{"set": 2500.0}'), (0.0, b'{"set": 0.0}'), (-1e-9, b'{"set": 0.0}')],
)
def test_a_set_point_is_published_by_its_template(make: Any, device: Device, power_kw: float, payload: bytes) -> None:
    name = f"home/{uuid4().hex}"
    device.client.subscribe(name, qos=1)
    point = SetPointTopic(asset_id="battery", topic=name, template='{"set": $value}', conversion=FROM_GRID, decimals=1)
    one = make(set_points=(point,))
    one.open()
    one.apply("battery", power_kw)
    assert device.heard.get(timeout=5.0) == (name, payload)
    with pytest.raises(DriverError, match="takes no set-point here; those that do: battery"):
        one.apply("pump", 1.0)


def test_a_broker_that_goes_and_comes_back(make: Any, tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as broker:
        point = SetPointTopic(asset_id="battery", topic="set")
        one = make(topic("meter"), url=broker.url, set_points=(point,))
        one.open()
        broker.kill()
        deadline = time.monotonic() + 5.0
        while one.health().healthy and time.monotonic() < deadline:
            time.sleep(0.01)
        with pytest.raises(DriverError, match="the broker is away"):
            one.poll(NOW)
        with pytest.raises(DriverError, match="nothing was sent"):
            one.apply("battery", 1.0)
        broker.start()
        while not one.health().healthy and time.monotonic() < deadline + 5.0:
            time.sleep(0.01)
        other = Device(broker)
        other.say("meter", "3")
        assert wait_for(one, 1)[0].value == 3.0
        one.apply("battery", 1.0)
        other.close()


def test_a_wrong_password_is_said_and_never_shown(make: Any, tmp_path: Path) -> None:
    passwords = tmp_path / "passwords"
    subprocess.run(["mosquitto_passwd", "-b", "-c", passwords, "gateway", "another"], check=True, capture_output=True)
    secured = OPEN.replace("allow_anonymous true", f"allow_anonymous false\npassword_file {passwords}")
    with Mosquitto(tmp_path / "broker", configuration=secured) as broker:
        one = make(topic("meter"), url=broker.url, username="gateway", password="canary-7f3a")
        with pytest.raises(DriverError, match="check username and password") as caught:
            one.open()
        assert "canary-7f3a" not in str(caught.value) + repr(one._device)


def test_no_broker(make: Any) -> None:
    with pytest.raises(DriverError, match="no broker at"):
        make(topic("meter"), url=f"mqtt://127.0.0.1:{free_port()}").open()


@pytest.mark.parametrize(
    ("kind", "fields", "message"),
    [
        (Topic, {"topic": "a/+"}, "without"),
        (Topic, {"topic": ""}, "without"),
        (Topic, {"topic": "a", "stale_after_s": 0.0}, "above 0"),
        (SetPointTopic, {"topic": "a", "template": "5"}, "value"),
        (SetPointTopic, {"topic": "a", "template": "$value $other"}, "value"),
        (SetPointTopic, {"topic": "a", "decimals": 10}, "0 to 9"),
        (MqttDevice, {"url": "http://broker"}, "mqtt://host:port"),
        (MqttDevice, {"url": "mqtt://user:secret@broker"}, "no credentials"),
        (MqttDevice, {"url": "mqtt://broker", "topics": (topic("a"), topic("b"))}, "each series"),
    ],
)
def test_settings_that_cannot_be_are_refused(kind: Any, fields: dict[str, Any], message: str) -> None:
    filled = {"name": "x", "topics": ()} if kind is MqttDevice else {"asset_id": "a"}
    if kind is Topic:
        filled["metric"] = "m"
    with pytest.raises(InvalidInputError, match=message) as caught:
        kind(**(filled | fields))
    assert "secret" not in str(caught.value)
