"""The broker's configuration that ships as an example: it starts, and holds nodes and plants apart."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from servers.mosquitto import Mosquitto

from vpp.core.errors import VppError
from vpp.core.messages import Channel, Parcel
from vpp.core.ports import Bus
from vpp.streams.open import open_bus

pytestmark = pytest.mark.server
USERS = ("homes.home01", "homes.home02", "vpp-ingest-ingest", "vpp-up-homes")


def rules_of(configuration: str) -> str:
    """Return the access rules that the example gives in its last comment, with one more node."""
    lines = configuration.partition("# nodes.acl")[2].splitlines()[2:]
    rules = "\n".join(line.removeprefix("#").strip() for line in lines)
    node = rules.partition("user vpp-ingest")[0]
    return rules + "\n" + node.replace("home01", "home02")


@pytest.fixture
def broker(tmp_path: Path, root: Path, need_command: Callable[..., str]) -> Iterator[Mosquitto]:
    text = (root / "deploy" / "mosquitto.conf").read_text(encoding="utf-8")
    openssl, passwords = need_command("openssl"), need_command("mosquitto_passwd")
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2", "-nodes"]
    made = ["-keyout", tmp_path / "server.key", "-out", tmp_path / "server.crt"]
    subprocess.run([openssl, "req", "-x509", "-newkey", "rsa:2048", *subject, *made], check=True, capture_output=True)
    (tmp_path / "ca.crt").write_bytes((tmp_path / "server.crt").read_bytes())
    (tmp_path / "nodes.passwd").touch(mode=0o600)
    for user in USERS:
        command = [passwords, "-b", tmp_path / "nodes.passwd", user, f"secret-{user}"]
        subprocess.run(command, check=True, capture_output=True)
    (tmp_path / "nodes.acl").write_text(rules_of(text), encoding="utf-8")
    (tmp_path / "nodes.acl").chmod(0o600)
    placed = text.replace("{", "{{").replace("}", "}}").replace("listener 8883", "listener {port} 127.0.0.1")
    with Mosquitto(tmp_path, configuration=placed) as running:
        yield running


def client(broker: Mosquitto, folder: Path, user: str, *channels: Channel) -> Bus[Parcel]:
    url = f"mqtts://{user}:secret-{user}@127.0.0.1:{broker.port}?cafile={folder / 'ca.crt'}&timeout_s=2"
    return open_bus(url, plants=["homes"] if channels else (), channels=channels, client_id=user)


def parcel(source: str, channel: Channel = Channel.TELEMETRY) -> Parcel:
    return Parcel("homes", source, channel, b"{}")


def test_a_node_speaks_for_itself_alone(broker: Mosquitto, tmp_path: Path) -> None:
    head = client(broker, tmp_path, "vpp-ingest-ingest", Channel.TELEMETRY, Channel.STATUS, Channel.ACK)
    node = client(broker, tmp_path, "homes.home01")
    node.publish([parcel("home01")])
    with contextlib.suppress(VppError):  # a broker of MQTT 5 may say that it refused, or refuse in silence
        node.publish([parcel("home02"), parcel("home01", Channel.CONTROL)])
    node.publish([parcel("home01", Channel.ACK)])
    seen: list[tuple[str, Channel]] = []
    while len(seen) < 2:
        seen += [(one.source, one.channel) for one in head.consume(wait_s=5.0)]
        head.acknowledge()
    assert seen == [("home01", Channel.TELEMETRY), ("home01", Channel.ACK)]
    assert head.consume(wait_s=0.3) == []
    node.close()
    head.close()


def test_who_has_no_password_stays_outside(broker: Mosquitto, tmp_path: Path) -> None:
    ca = tmp_path / "ca.crt"
    for credentials in ("", "homes.home01:wrong@"):
        with pytest.raises(VppError) as refused:
            open_bus(f"mqtts://{credentials}127.0.0.1:{broker.port}?cafile={ca}", wait_s=3.0)
        assert "wrong" not in str(refused.value)
