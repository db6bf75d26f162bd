"""``vpp ingest``, ``vpp top`` and ``vpp up --bus`` at the command line: what is refused, and in which words."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from vpp.cli.main import app
from vpp.core.errors import VppError


def refusal(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments))
    assert isinstance(result.exception, VppError), result.output
    return str(result.exception)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--bus", "mqt://h", "--store", "memory://"), "no bus called 'mqt'; did you mean: mqtt"),
        (("--bus", "memory://", "--store", "sqlit:///a.db"), "did you mean: sqlite://"),
        (("--bus", "memory://", "--store", "memory://", "--sink", "mongo://h/d"), "did you mean: mongodb"),
    ],
)
def test_addresses_that_are_none_are_refused(options: tuple[str, ...], words: str) -> None:
    assert words in refusal("ingest", "homes", *options)


def test_a_replay_listens_to_no_bus() -> None:
    words = refusal("up", "homes", "--bus", "mqtt://user:secret@nowhere", "--speed", "10")
    assert "--bus" in words
    assert "secret" not in words


def test_top_of_a_store_that_nobody_wrote_to(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'empty.db'}"
    page = CliRunner().invoke(app, ["top", "--store", url, "--once"])
    assert page.exit_code == 0
    assert "No service" in page.output
    told = CliRunner().invoke(app, ["top", "--store", url, "--json"])
    assert json.loads(told.stdout)["quarantine"] == {"count": 0, "newest_by_reason": {}, "newest": []}
