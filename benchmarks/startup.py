"""Start-up: `import vpp` under 200 ms, silent, no third-party import beyond numpy; `vpp --help` under 0.5 s."""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROUNDS = 7

# The clock starts inside the interpreter, so that Python's own start does not count as ours.
IMPORT = """
import json, sys, time
before = set(sys.modules)
begin = time.perf_counter()
import vpp
spent = time.perf_counter() - begin
brought = {name.partition(".")[0] for name in set(sys.modules) - before}
print(json.dumps([spent, sorted(brought - set(sys.stdlib_module_names) - {"vpp"})]))
"""


def run() -> list[dict[str, Any]]:
    """Return one row for the import, one for the interpreter alone and one for the help page."""
    silent = subprocess.run([sys.executable, "-c", "import vpp"], capture_output=True, text=True, check=True)
    seconds: list[float] = []
    brought: list[str] = []
    for _ in range(ROUNDS):
        done = subprocess.run([sys.executable, "-c", IMPORT], capture_output=True, text=True, check=True)
        spent, brought = json.loads(done.stdout)
        seconds.append(spent)
    return [
        _row("import vpp", seconds, limit_s=0.2)
        | {"silent": not (silent.stdout or silent.stderr), "third_party_modules": ", ".join(brought) or "none"},
        _row("python -c pass", _wall_s([sys.executable, "-c", "pass"])),
        *_help(),
    ]


def _help() -> list[dict[str, Any]]:
    beside = Path(sys.executable).with_name("vpp")
    command = str(beside) if beside.exists() else shutil.which("vpp")
    if command is None or subprocess.run([command, "--help"], capture_output=True, check=False).returncode != 0:
        return [{"what": "vpp --help", "note": "the command does not run here"}]
    return [_row("vpp --help", _wall_s([command, "--help"]), limit_s=0.5)]


def _wall_s(command: list[str]) -> list[float]:
    seconds = []
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        subprocess.run(command, capture_output=True, check=True)
        seconds.append(time.perf_counter() - begin)
    return seconds


def _row(what: str, seconds: list[float], *, limit_s: float | None = None) -> dict[str, Any]:
    median_s = statistics.median(seconds)
    row: dict[str, Any] = {"what": what, "median_ms": median_s * 1e3, "worst_ms": max(seconds) * 1e3, "runs": ROUNDS}
    if limit_s is not None:
        row |= {"limit_ms": limit_s * 1e3, "kept": median_s <= limit_s}
    return row
