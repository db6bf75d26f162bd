"""Run the benchmarks, print their tables and write RESULTS.md: ``python -m benchmarks [--only NAME]``.

Each module runs in a process of its own, so that none warms or burdens the next. A module that fails keeps its old
table, is named at the end, and makes the command exit with 1.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import pkgutil
import platform
import re
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import benchmarks

RESULTS = Path(__file__).with_name("RESULTS.md")
ORDER = (
    "startup",
    "optimization",
    "kernel",
    "fleet",
    "stochastic",
    "mpc",
    "realtime",
    "plugins",
    "forecasting",
    "forecasting_inputs",
    "forecasting_prices",
    "forecasting_scale",
    "forecast_models",
    "simulation_solar",
    "simulation_wind",
    "simulation_grid",
    "simulation_battery",
    "simulation_plant",
    "store",
    "store_postgres",
    "store_latest",
    "rollups",
    "bus",
    "ingest",
    "edge",
    "http_ingest",
    "backtest",
)
PACKAGES = (
    "highspy",
    "numpy",
    "pandas",
    "pyarrow",
    "lightgbm",
    "mlforecast",
    "scikit-learn",
    "statsforecast",
    "pvlib",
    "windpowerlib",
    "pulp",
    "linopy",
    "cvxpy",
)

Row = dict[str, Any]


def main() -> int:
    """Run what was asked for and return the exit code."""
    known = names()
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Measure and write benchmarks/RESULTS.md."
    )
    parser.add_argument("--only", action="append", choices=known, metavar="NAME", help=f"one of: {', '.join(known)}")
    parser.add_argument("--rows", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.rows is not None:
        module = importlib.import_module(f"benchmarks.{asked.only[0]}")
        asked.rows.write_text(json.dumps(module.run(), default=float), encoding="utf-8")
        return 0
    chosen = asked.only or known
    command = "python -m benchmarks" + "".join(f" --only {name}" for name in asked.only or ())
    sections, failed = {}, []
    for name in chosen:
        rows = measure(name)
        if rows is None:
            failed.append(name)
            continue
        sections[name] = section(name, rows, command)
        print(f"\n{caption(name)}\n\n{text_table(rows)}", flush=True)
    if sections:
        write(sections)
        print(f"\nwritten: {RESULTS.relative_to(Path.cwd()) if RESULTS.is_relative_to(Path.cwd()) else RESULTS.name}")
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def names() -> list[str]:
    """Return the benchmark modules that exist, the known ones first and in their order."""
    found = {one.name for one in pkgutil.iter_modules(benchmarks.__path__) if "\ndef run(" in source(one.name)}
    return sorted(found, key=lambda name: (ORDER.index(name) if name in ORDER else len(ORDER), name))


def source(name: str) -> str:
    """Return the text of one module of this folder."""
    path = Path(__file__).with_name(f"{name}.py")
    return path.read_text(encoding="utf-8") if path.exists() else ""


def measure(name: str) -> list[Row] | None:
    """Return the rows of one module, run in a process of its own; None when it fails."""
    print(f"measuring {name} ...", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory() as folder:
        rows = Path(folder) / "rows.json"
        done = subprocess.run([sys.executable, "-m", "benchmarks", "--only", name, "--rows", str(rows)], check=False)
        if done.returncode != 0:
            return None
        answer: list[Row] = json.loads(rows.read_text(encoding="utf-8"))
        return answer


def caption(name: str) -> str:
    """Return the first line of a module's docstring, read without importing it."""
    match = re.match(r'\s*r?"""(.+?)(?:"""|\n)', source(name))
    return match.group(1).strip() if match else name


def columns(rows: list[Row]) -> list[str]:
    """Return every key that occurs, in the order of its first appearance."""
    return list(dict.fromkeys(key for row in rows for key in row))


def cell(value: Any) -> str:
    """Return a value as a reader wants it: four significant digits, yes or no, nothing for nothing."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1e4 else f"{value:,.0f}"
    return str(value).replace("|", "\\|").replace("\n", " ")


def text_table(rows: list[Row]) -> str:
    """Return the rows as an aligned table for a terminal."""
    header = columns(rows)
    body = [header, *([cell(row.get(key)) for key in header] for row in rows)]
    widths = [max(len(line[i]) for line in body) for i in range(len(header))]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in body
    )


def markdown_table(rows: list[Row]) -> str:
    """Return the rows as a Markdown table."""
    header = columns(rows)
    lines = [header, ["---"] * len(header), *([cell(row.get(key)) for key in header] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def section(name: str, rows: list[Row], command: str) -> str:
    """Return a module's part of RESULTS.md."""
    moment = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    table = markdown_table(rows) if rows else "No rows."
    return f"## {name}\n\n{caption(name)}\n\n{table}\n\nMeasured {moment} by `{command}`.\n"


def machine() -> str:
    """Return the machine and the versions as one Markdown table; no paths, no host name."""
    installed = []
    for package in PACKAGES:
        try:
            installed.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    return markdown_table(
        [
            {"machine": "CPU", "": cpu_model()},
            {"machine": "cores", "": str(usable_cores())},
            {"machine": "memory", "": memory()},
            {"machine": "system", "": f"{platform.system()} {platform.machine()}"},
            {"machine": "Python", "": f"{platform.python_implementation()} {platform.python_version()}"},
            {"machine": "packages", "": ", ".join(installed)},
        ]
    )


def cpu_model() -> str:
    """Return the processor's name."""
    table = Path("/proc/cpuinfo")
    if table.exists():
        match = re.search(r"^model name\s*:\s*(.+)$", table.read_text(encoding="utf-8"), re.MULTILINE)
        if match:
            return match.group(1).strip()
    return platform.processor() or "unknown"


def usable_cores() -> int:
    """Return the cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def memory() -> str:
    """Return the machine's memory in GiB."""
    if not hasattr(os, "sysconf"):
        return "unknown"
    return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB"


def write(new: dict[str, str]) -> None:
    """Write RESULTS.md; sections measured earlier stay when they come from the same machine and versions."""
    here = machine()
    old: dict[str, str] = {}
    if RESULTS.exists() and here in (text := RESULTS.read_text(encoding="utf-8")):
        old = {part.split("\n", 1)[0]: f"## {part}" for part in re.split(r"^## ", text, flags=re.MULTILINE)[1:]}
    parts = old | new
    order = [name for name in names() if name in parts]
    head = "# Results\n\nWritten by `make bench`; do not edit. Ratios are taken within one run on one machine.\n"
    body = "\n".join(parts[name].rstrip() + "\n" for name in order)
    RESULTS.write_text(f"{head}\n{here}\n\n{body}", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
