"""The gateway's settings file: the sample, all findings at once, secrets never shown."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from vpp.config.edge_file import SAMPLE, edge_file, read_edge_file
from vpp.core.errors import InvalidInputError, UnreadableFileError


def test_the_sample_is_valid(tmp_path: Path) -> None:
    path = tmp_path / "gateway.yaml"
    path.write_text(SAMPLE)
    file = read_edge_file(path)
    assert (file.plant, file.nodes, file.drivers[0].kind) == ("homes", ("home01",), "simulated")
    everything = yaml.safe_load(re.sub("^  # ", "  ", SAMPLE, flags=re.MULTILINE))
    assert [driver.kind for driver in edge_file(everything).drivers] == ["simulated", "modbus"]


def test_a_plant_is_enough() -> None:
    file = edge_file({"plant": "homes"})
    assert file.bus == "mqtt://127.0.0.1:1883"
    assert file.status_page is not None
    assert edge_file({"plant": "homes", "status_page": None}).status_page is None


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"nodes": ["a"]}, "plant"),
        ({"plant": "homes", "nodez": ["a"]}, "did you mean nodes"),
        ({"plant": "homes", "drivers": [{"kind": "modbuss"}]}, "did you mean modbus"),
        ({"plant": "homes", "drivers": []}, "drivers"),
        ({"plant": "homes", "drivers": [{"kind": "simulated", "interval_s": 0.01}]}, "0.05 to 3600"),
        ({"plant": "homes", "head_end_timeout_s": 0}, "above 0 to 604800"),
        ({"plant": "homes", "buffer": {"capacity_rows": 999}}, "1,000 to 1e9"),
        ({"plant": "homes", "limits": [{"asset": "a", "slew_kw_per_min": 0}]}, "above 0"),
        ({"plant": "homes", "limits": [{"asset": "A b"}]}, "asset"),
        ({"plant": "homes", "status_page": {"port": 70_000}}, "port"),
    ],
)
def test_what_is_wrong_is_said_with_its_range(content: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidInputError, match=words):
        edge_file(content)


def test_all_findings_are_told_at_once() -> None:
    with pytest.raises(InvalidInputError, match=r"hold_s.*recall_s|recall_s.*hold_s"):
        edge_file({"plant": "homes", "hold_s": -1, "recall_s": -1})


def test_a_password_is_not_shown() -> None:
    secret = "a-password-of-many-letters"
    driver = {"kind": "mqtt", "url": "mqtt://h", "password": secret, "topics": [{"asset_id": "a", "topic": "t"}]}
    file = edge_file({"plant": "homes", "drivers": [driver]})
    assert secret not in repr(file)
    assert secret not in file.model_dump_json()


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError):
        read_edge_file(tmp_path / "gateway.yaml")
