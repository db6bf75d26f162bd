"""The examples of the gallery run as they stand, and the page shows all of them."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def examples() -> list[Path]:
    return sorted(EXAMPLES.glob("*.py"))


@pytest.mark.skipif(importlib.util.find_spec("matplotlib") is None, reason="the plots need matplotlib")
@pytest.mark.parametrize("example", examples(), ids=lambda path: path.stem)
def test_an_example_runs_and_draws(example: Path, tmp_path: Path) -> None:
    if example.stem == "battery_ten_years" and importlib.util.find_spec("numba") is None:
        pytest.skip("ten years take half a minute without numba")
    environment = os.environ | {"PYTHONWARNINGS": "error", "MPLCONFIGDIR": str(tmp_path / "matplotlib")}
    done = subprocess.run(
        [sys.executable, str(example), str(tmp_path)],
        capture_output=True, text=True, timeout=120, check=False, env=environment, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
    assert (tmp_path / f"{example.stem}.png").stat().st_size > 5000


def test_the_gallery_shows_every_example(root: Path) -> None:
    page = (root / "docs" / "gallery.md").read_text(encoding="utf-8")
    assert len(examples()) == 3
    for example in examples():
        assert f"(../examples/{example.name})" in page
        assert f"(images/{example.stem}.png)" in page
        assert 0 < (root / "docs" / "images" / f"{example.stem}.png").stat().st_size < 200_000
