"""The MQTT bus against a real broker that stops, freezes, refuses and comes back."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from paho.mqtt.client import Client, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion
from servers.mosquitto import OPEN, Mosquitto

from vpp.core.errors import InvalidInputError, StoreError
from vpp.core.messages import Channel, Parcel
from vpp.core.ports import Bus
from vpp.streams.mqtt import MqttBus
from vpp.streams.mqtt_settings import LinkSettings
from vpp.streams.open import open_bus

pytestmark = pytest.mark.server
PATIENCE_S = 20.0


def parcel(number: int, source: str = "node01") -> Parcel:
    return Parcel("homes", source, Channel.TELEMETRY, str(number).encode())


def wait_for(condition: Callable[[], bool], *, within_s: float = PATIENCE_S) -> None:
    until = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.01)


def collect(bus: Bus[Parcel], count: int) -> list[Parcel]:
    got: list[Parcel] = []
    until = time.monotonic() + PATIENCE_S
    while len(got) < count and time.monotonic() < until:
        got += bus.consume(wait_s=0.2)
        bus.acknowledge()
    return got


@pytest.fixture
def own(tmp_path: Path, mosquitto: Mosquitto) -> Mosquitto:
    """Return a broker that a test may stop; that there is one at all is the matter of the shared one."""
    del mosquitto
    with Mosquitto(tmp_path / "broker") as broker:
        yield broker


def test_a_broker_that_stops_and_comes_back_loses_nothing(own: Mosquitto) -> None:
    consumer = open_bus(own.url, channels=[Channel.TELEMETRY], group="restarts")
    producer = open_bus(f"{own.url}?timeout_s=15", client_id="producer")
    taken: list[int] = []

    def produce() -> None:
        for start in range(0, 6000, 50):
            numbers = range(start, start + 50)
            while True:
                try:
                    producer.publish([parcel(number) for number in numbers])
                except StoreError:
                    continue
                taken.extend(numbers)
                break

    thread = threading.Thread(target=produce)
    thread.start()
    got: list[int] = []
    for _ in range(3):
        got += [int(one.payload) for one in collect(consumer, 300)]
        own.stop()
        time.sleep(0.1)
        own.start()
    while thread.is_alive():
        got += [int(one.payload) for one in consumer.consume(wait_s=0.2)]
        consumer.acknowledge()
    got += [int(one.payload) for one in collect(consumer, 6000 - len(set(got)))]
    assert sorted(set(got)) == taken == list(range(6000))
    assert consumer.counts().connections >= 4
    consumer.close()
    producer.close()


def test_what_was_handed_out_before_a_break_is_not_acknowledged_after_it(own: Mosquitto) -> None:
    consumer = open_bus(own.url, channels=[Channel.TELEMETRY], group="epochs")
    producer = open_bus(own.url)
    producer.publish([parcel(number) for number in range(5)])
    wait_for(lambda: len(consumer.consume(most=3)) == 3)
    own.stop()
    own.start()
    wait_for(lambda: consumer.counts().connections == 2)
    wait_for(lambda: consumer.counts().held == 8)
    consumer.acknowledge()
    again = collect(consumer, 5)
    assert [int(one.payload) for one in again] == [0, 1, 2, 3, 4]
    consumer.close()
    with_same_name = open_bus(own.url, channels=[Channel.TELEMETRY], group="epochs")
    assert with_same_name.consume(wait_s=0.5) == []
    with_same_name.close()
    producer.close()


def test_what_arrived_is_kept_when_the_broker_forgets_the_session(tmp_path: Path, mosquitto: Mosquitto) -> None:
    del mosquitto
    forgetful = OPEN.replace("persistence true", "persistence false")
    with Mosquitto(tmp_path / "forgetful", configuration=forgetful) as broker:
        consumer = open_bus(broker.url, channels=[Channel.TELEMETRY], group="forgotten")
        producer = open_bus(broker.url)
        producer.publish([parcel(number) for number in range(5)])
        wait_for(lambda: consumer.counts().held == 5)
        assert len(consumer.consume(most=2)) == 2
        broker.kill()
        broker.start()
        wait_for(lambda: consumer.counts().connections == 2 and consumer._link.state.up)
        producer.publish([parcel(5)])
        assert [int(one.payload) for one in collect(consumer, 6)] == list(range(6))
        assert consumer.consume(wait_s=0.3) == []
        consumer.close()
        producer.close()


def test_what_nobody_has_subscribed_to_is_not_held(own: Mosquitto) -> None:
    """The broker takes it, throws it away and says so; status is retained, and a command may find nobody at home."""
    producer = open_bus(own.url)
    for channel in (Channel.TELEMETRY, Channel.ACK):
        with pytest.raises(StoreError, match="nobody has subscribed"):
            producer.publish([parcel(0)._replace(channel=channel)])
    producer.publish([parcel(0)._replace(channel=channel) for channel in (Channel.STATUS, Channel.CONTROL)])
    consumer = open_bus(own.url, channels=[Channel.TELEMETRY], group="late")
    producer.publish([parcel(1)])
    assert [int(one.payload) for one in collect(consumer, 1)] == [1]
    consumer.close()
    producer.publish([parcel(2)])
    producer.close()


def test_a_frozen_broker_is_noticed_and_what_it_did_not_answer_is_an_error(own: Mosquitto) -> None:
    bus = open_bus(f"{own.url}?timeout_s=1&keepalive_s=4", channels=[Channel.TELEMETRY], client_id="frozen")
    bus.publish([parcel(0)])
    own.pause()
    began = time.monotonic()
    try:
        with pytest.raises(StoreError, match=r"holds 0 of 2 items after 1 s"):
            bus.publish([parcel(1), parcel(2)])
        assert 0.9 < time.monotonic() - began < 3.0
        wait_for(lambda: not bus._link.state.up, within_s=8.0)
        assert time.monotonic() - began < 1.5 * 4 + 2.0
    finally:
        own.resume()
    wait_for(lambda: bus._link.state.up)
    bus.publish([parcel(3)])
    bus.close()


def test_no_more_than_five_connection_attempts_a_second() -> None:
    attempts: list[float] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def refuse() -> None:
            while True:
                try:
                    taken, _ = server.accept()
                except OSError:
                    return
                attempts.append(time.monotonic())
                taken.close()

        threading.Thread(target=refuse, daemon=True).start()
        bus = open_bus(f"mqtt://127.0.0.1:{server.getsockname()[1]}", wait_s=0.0)
        time.sleep(2.5)
        bus.close()
    assert 3 <= len(attempts) <= 12
    gaps = [after - before for before, after in pairwise(attempts)]
    assert min(gaps) >= 0.19
    assert max(gaps) > 0.4


def test_a_broker_that_refuses_says_why(tmp_path: Path, mosquitto: Mosquitto) -> None:
    del mosquitto
    closed = OPEN.replace("allow_anonymous true", "allow_anonymous false")
    with Mosquitto(tmp_path / "closed", configuration=closed) as broker:
        began = time.monotonic()
        with pytest.raises(InvalidInputError, match="Not authorized") as caught:
            open_bus(broker.url.replace("mqtt://", "mqtt://someone:secret@"))
        assert time.monotonic() - began < 3.0
        assert "secret" not in str(caught.value)


def certificates(folder: Path) -> None:
    """Make an authority, and certificates for the server and for a client."""

    def run(*words: str) -> None:
        subprocess.run(["openssl", *words], check=True, capture_output=True, cwd=folder)

    folder.mkdir()
    (folder / "server.ext").write_text("subjectAltName=IP:127.0.0.1\n")
    (folder / "client.ext").write_text("extendedKeyUsage=clientAuth\n")
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    run("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=authority")
    for name in ("server", "client"):
        run("req", *key, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        run("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
            "-extfile", f"{name}.ext", "-out", f"{name}.pem")  # fmt: skip


def test_tls_with_certificates_on_both_sides(
    tmp_path: Path, mosquitto: Mosquitto, need_command: Callable[..., str]
) -> None:
    del mosquitto
    need_command("openssl")
    folder = tmp_path / "keys"
    certificates(folder)
    files = f"cafile {folder}/ca.pem\ncertfile {folder}/server.pem\nkeyfile {folder}/server.key\n"
    secure = f"{OPEN}\n{files}require_certificate true\n"
    with Mosquitto(tmp_path / "secure", configuration=secure) as broker:
        url = f"mqtts://127.0.0.1:{broker.port}?cafile={folder}/ca.pem"
        mutual = f"{url}&certfile={folder}/client.pem&keyfile={folder}/client.key"
        consumer = open_bus(mutual, channels=[Channel.TELEMETRY], group="secure")
        producer = open_bus(mutual)
        large = parcel(1)._replace(payload=bytes(900_000))
        sent = [*(parcel(number) for number in range(500)), large]
        producer.publish(sent)
        assert collect(consumer, 501) == sent
        consumer.close()
        producer.close()
        with pytest.raises(StoreError, match="did not answer"):
            open_bus(url, wait_s=0.5)
        with pytest.raises(StoreError, match="certificate verify failed"):
            open_bus(f"mqtts://127.0.0.1:{broker.port}", wait_s=0.5)


VANISHES = """
import sys, time
from vpp.core.messages import Channel, Parcel
from vpp.streams.open import open_bus
open_bus(sys.argv[1], client_id="vanishing", will=Parcel("homes", "node09", Channel.STATUS, b"gone"))
print("up", flush=True)
time.sleep(60)
"""


def test_the_last_will_is_told_and_kept(mosquitto: Mosquitto) -> None:
    listener = open_bus(mosquitto.url, plants=["homes"], sources=["node09"], channels=[Channel.STATUS], group="wills")
    dying = subprocess.Popen([sys.executable, "-c", VANISHES, mosquitto.url], stdout=subprocess.PIPE, text=True)
    assert dying.stdout is not None
    assert dying.stdout.readline() == "up\n"
    assert listener.consume(wait_s=0.2) == []
    dying.kill()
    dying.wait()
    dying.stdout.close()
    gone = Parcel("homes", "node09", Channel.STATUS, b"gone")
    assert collect(listener, 1) == [gone]
    listener.close()
    late = open_bus(mosquitto.url, plants=["homes"], sources=["node09"], channels=[Channel.STATUS], group="late-wills")
    assert collect(late, 1) == [gone]
    late.close()


def test_quality_of_service_0_drops_what_finds_no_room_and_counts_it(mosquitto: Mosquitto) -> None:
    where = {"host": "127.0.0.1", "port": mosquitto.port}
    topics = ("vpp/loose/edge/+/telemetry",)
    consumer = MqttBus(LinkSettings(**where, client_id="loose", session_s=0, subscriptions=topics, qos=0), capacity=10)
    producer = open_bus(f"{mosquitto.url}?qos=0")
    producer.publish([parcel(number)._replace(plant="loose") for number in range(50)])
    wait_for(lambda: consumer.counts().dropped == 40)
    assert [int(one.payload) for one in consumer.consume()] == list(range(10))
    consumer.acknowledge()
    producer.publish([parcel(99)._replace(plant="loose")])
    assert [int(one.payload) for one in collect(consumer, 1)] == [99]
    consumer.close()
    producer.close()


def test_the_broker_holds_back_what_was_not_acknowledged(mosquitto: Mosquitto) -> None:
    consumer = open_bus(f"{mosquitto.url}?receive=20", plants=["slow"], channels=[Channel.TELEMETRY], group="slow")
    producer = open_bus(mosquitto.url)
    producer.publish([parcel(number)._replace(plant="slow") for number in range(200)])
    wait_for(lambda: consumer.counts().held == 20)
    time.sleep(0.2)
    assert consumer.counts().held == 20
    assert [int(one.payload) for one in collect(consumer, 200)] == list(range(200))
    consumer.close()
    producer.close()


def test_an_address_that_does_not_fit_is_told_as_far_as_it_goes(mosquitto: Mosquitto) -> None:
    consumer = open_bus(mosquitto.url, channels=[Channel.TELEMETRY], group="odd")
    client = Client(CallbackAPIVersion.VERSION2, client_id="odd-device", protocol=MQTTv5)
    client.connect("127.0.0.1", mosquitto.port)
    client.loop_start()
    for topic in ("vpp/Homes/edge/node01/telemetry", "vpp/odd/edge/Node 1/telemetry"):
        client.publish(topic, b"odd", qos=1).wait_for_publish(5.0)
    client.disconnect()
    client.loop_stop()
    got = [one for one in collect(consumer, 2) if one.payload == b"odd"]
    assert [(one.plant, one.source) for one in got] == [("", "node01"), ("odd", "")]
    consumer.close()


def test_a_small_packet_is_sent_at_once(mosquitto: Mosquitto) -> None:
    consumer = open_bus(mosquitto.url, plants=["quick"], channels=[Channel.CONTROL], group="quick")
    producer = open_bus(mosquitto.url)
    command = Parcel("quick", "node01", Channel.CONTROL, b"go")
    took_s = []
    for _ in range(30):
        began = time.perf_counter()
        producer.publish([command])
        while not consumer.consume(wait_s=1.0):
            pass
        consumer.acknowledge()
        took_s.append(time.perf_counter() - began)
    # Nagle's algorithm and a delayed acknowledgement would make it 40 ms and more.
    assert sorted(took_s)[15] < 0.02
    consumer.close()
    producer.close()


def test_a_topic_that_is_not_ours_is_refused_and_said(tmp_path: Path, mosquitto: Mosquitto) -> None:
    del mosquitto
    rules = tmp_path / "rules"
    rules.write_text("topic readwrite vpp/homes/edge/node01/#\n", encoding="utf-8")
    with Mosquitto(tmp_path / "ruled", configuration=f"{OPEN}acl_file {rules}\n") as broker:
        consumer = open_bus(broker.url, plants=["homes"], channels=[Channel.TELEMETRY], group="ruled")
        producer = open_bus(broker.url)
        producer.publish([parcel(1)])
        with pytest.raises(StoreError, match="it refused one: Not authorized; ask for access"):
            producer.publish([parcel(2, "node02")])
        producer.publish([parcel(3)])
        assert collect(consumer, 2) == [parcel(1), parcel(3)]
        consumer.close()
        producer.close()
