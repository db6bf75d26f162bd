"""``vpp edge``: what it writes, and what it refuses before anything runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from vpp.cli.main import app
from vpp.config.edge_file import read_edge_file
from vpp.core.errors import InvalidInputError, StoreError, UnknownNameError, UnreadableFileError
from vpp.edge.buffer import Buffer
from vpp.runtime.clock import WallClock


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("URL", "TOKEN", "ORG", "BUCKET"):
        monkeypatch.delenv(f"INFLUXDB_{name}", raising=False)


def fault_of(*words: str) -> BaseException | None:
    result = CliRunner().invoke(app, ["edge", *words])
    assert result.exit_code != 0, result.output
    return result.exception


def test_init_writes_a_file_that_is_valid_and_keeps_what_is_there(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["edge", "init", "gateway.yaml"])
    assert result.exit_code == 0
    assert read_edge_file(tmp_path / "gateway.yaml").nodes == ("home01",)
    assert "--force overwrites it" in str(fault_of("init", "gateway.yaml"))
    assert CliRunner().invoke(app, ["edge", "init", "gateway.yaml", "--force"]).exit_code == 0


@pytest.mark.parametrize(
    ("words", "error", "told"),
    [
        (("run", "nowhere.yaml"), UnreadableFileError, "nowhere.yaml"),
        (("run", "homes", "--node", "home001"), UnknownNameError, "did you mean: home01"),
        (("run", "homes", "--driver", "modbuss"), InvalidInputError, "did you mean modbus"),
        (("run", "homes", "--bus", "mqqt://h"), UnknownNameError, "did you mean: mqtt"),
        (("run", "homes", "--buffer", "no/b.db"), StoreError, "does not exist"),
        (("run", "homes", "--enable-influxdb"), InvalidInputError, "INFLUXDB_URL"),
        (("run", "homes", "--bus", "memory://x", "--sparkplug"), InvalidInputError, "an MQTT broker"),
        (("run", "homes", "--bus", "memory://x", "--home-assistant"), InvalidInputError, "an MQTT broker"),
    ],
)
def test_what_cannot_be_is_refused_with_what_can(words: tuple[str, ...], error: type[Exception], told: str) -> None:
    fault = fault_of(*words)
    assert isinstance(fault, error)
    assert told in str(fault)


def test_a_buffer_in_use_is_refused(tmp_path: Path) -> None:
    buffer = Buffer(tmp_path / "homes-edge.db", plant="homes", boot="b", clock=WallClock(), ballast_bytes=0)
    try:
        assert "another gateway uses this buffer" in str(fault_of("run", "homes", "--bus", "memory://x"))
    finally:
        buffer.close()
