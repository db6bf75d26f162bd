"""The whole product: a year of homes back-tested, the money on every plant, and the time to the first plan."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from benchmarks.shared_plants import SHARED_PLANTS
from vpp.config import BUILTIN_PLANTS, VPPConfig
from vpp.core.errors import VppError
from vpp.runtime.backtest import BacktestResult, backtest

MONEY_DAYS = 28
YEAR_DAYS = 365
YEAR_LIMIT_S, YEAR_LIMIT_MIB = 180.0, 1024.0
FIRST_PLAN_LIMIT_S = 10.0
_POLL_S = 0.1


def run() -> list[dict[str, Any]]:
    """Return rows: the year, the first plan, and a line of money per plant and strategy."""
    return [_year(), _first_plan(), *_money()]


def _command() -> str:
    return str(Path(sys.executable).with_name("vpp"))


def _year() -> dict[str, Any]:
    """Run a year of homes as a user would, alone in its process, and read the peak memory of that child."""
    begin = time.perf_counter()
    done = subprocess.run(
        [_command(), "backtest", "homes", "--days", str(YEAR_DAYS), "--json"],
        capture_output=True,
        text=True,
        check=True,
    )
    wall_s = time.perf_counter() - begin
    peak_mib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    shares = {name: one["share_of_perfect_foresight"] for name, one in json.loads(done.stdout)["strategies"].items()}
    return {
        "work": f"vpp backtest homes --days {YEAR_DAYS}",
        "wall_s": round(wall_s, 1),
        "limit_s": YEAR_LIMIT_S,
        "peak_mib": round(peak_mib),
        "limit_mib": YEAR_LIMIT_MIB,
        "plan_share": round(shares["plan"], 3),
        "rule_share": round(shares["rule"], 3),
    }


def _first_plan() -> dict[str, Any]:
    """Time from starting `vpp up` to the first optimal schedule that the API shows."""
    begin = time.perf_counter()
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        [_command(), "up", "homes", "--port", "0"], stdout=subprocess.PIPE, text=True, env=environment
    ) as server:
        try:
            address, token = _address_and_token(server)
            while not _has_plan(address, token):
                time.sleep(_POLL_S)
            wall_s = time.perf_counter() - begin
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(timeout=30)
    return {"work": "vpp up: start to first plan", "wall_s": round(wall_s, 2), "limit_s": FIRST_PLAN_LIMIT_S}


def _address_and_token(server: subprocess.Popen[str]) -> tuple[str, str]:
    said = ""
    for line in server.stdout or ():
        said += line
        token = re.search(r"Bearer (\S+?)\)", said)
        address = re.search(r"http://127\.0\.0\.1:\d+", said)
        if token and address:
            return address.group(), token.group(1)
    message = f"vpp up ended before it told its address:\n{said}"
    raise RuntimeError(message)


def _has_plan(address: str, token: str) -> bool:
    request = urllib.request.Request(
        f"{address}/api/v1/plants/homes/schedule", headers={"Authorization": f"Bearer {token}"}
    )
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            schedule = json.load(answer)
    except (urllib.error.URLError, ConnectionError):
        return False
    return bool(schedule) and schedule["status"] == "optimal"


def _money() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for name in BUILTIN_PLANTS:
        rows += _money_rows(name, backtest(VPPConfig.load(name), days=MONEY_DAYS))
    for name, load in SHARED_PLANTS.items():
        try:
            config, table = load()
        except (FileNotFoundError, VppError) as fault:
            rows.append({"work": f"money, {name}", "note": f"skipped: {fault}"})
            continue
        rows += _money_rows(name, backtest(config, days=MONEY_DAYS, table=table))
    return rows


def _money_rows(name: str, result: BacktestResult) -> list[dict[str, Any]]:
    return [
        {
            "work": f"money, {name}, last {MONEY_DAYS} days",
            "strategy": strategy,
            "cost": round(one.statement.cost, 2),
            "currency": result.currency,
            "share": None if one.share is None else round(one.share, 3),
        }
        for strategy, one in result.strategies.items()
    ]
