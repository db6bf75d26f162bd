"""Telemetry over HTTP, 100 rows a request: the bulk endpoint beside a bare FastAPI and sqlite3, A-B-A-B in one run.

Each server is a process of its own on loopback and keeps every answered row on the disk. The bare one authenticates
nobody, checks nothing and keeps no roll-ups: it reads the JSON with msgspec and writes it with executemany, one commit
(WAL, FULL) a request. CPU is that of the server process alone. Run: python -m benchmarks.http_ingest [FOLDER].
"""

from __future__ import annotations

import gzip
import http.client
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

import msgspec
import numpy as np
import uvicorn
from fastapi import FastAPI, Request, Response
from starlette.concurrency import run_in_threadpool

from vpp.api.app import create_app
from vpp.api.serve import listen, serve
from vpp.config import VPPConfig
from vpp.core.messages import Readings, SeriesKey
from vpp.core.time import epoch_s
from vpp.runtime.build import open_store
from vpp.runtime.clock import DataClock
from vpp.runtime.live import start_replay
from vpp.runtime.view import PlantView
from vpp.streams.wire import encode_telemetry

ROUNDS = 5
REQUESTS = 400
ROWS = 100
TOKEN = "Zr2kq1Wm9vXcT7yHs4Lb0NpEgJd8UfAo"
BEGIN = datetime.fromisoformat("2016-08-14T00:00:00Z")
PATH = "/api/v1/plants/homes/telemetry"
SITES = ("home01", "home02", "home04", "home05", "home06")
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def payload(boot: str, sequence: int, *, messages: int) -> bytes:
    """Return the body of one request: ``messages`` messages that hold ROWS rows together."""
    keys = tuple(SeriesKey(f"{site}_load", "power_kw") for site in SITES)
    steps = ROWS // len(keys) // messages
    bodies = []
    for one in range(messages):
        number = sequence * messages + one
        times_s = epoch_s(BEGIN) + steps * number + np.arange(steps)
        values = -np.random.default_rng(number).uniform(0.1, 2.0, (steps, len(keys)))
        readings = Readings.from_table("homes", keys, times_s, values, arrived_s=times_s)
        bodies.append(encode_telemetry(readings, boot=boot, sequence=number))
    return bodies[0] if messages == 1 else b"[" + b",".join(bodies) + b"]"


def serve_ours(folder: Path) -> None:
    """Serve the built-in homes over a SQLite file; nothing ticks."""
    store = open_store(f"sqlite:///{folder / 'ours.db'}")
    live = start_replay(VPPConfig.load("homes"), store)
    live.clock = DataClock(BEGIN + timedelta(days=2))
    serve(create_app({"homes": PlantView(live)}, token=TOKEN), port=0, on_ready=_tell)


def serve_bare(folder: Path) -> None:
    """Serve the least that keeps the same rows."""
    path = folder / "bare.db"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(
            "CREATE TABLE readings (series TEXT, time TEXT, value REAL, PRIMARY KEY (series, time)) WITHOUT ROWID"
        )
    connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
    connection.execute("PRAGMA synchronous = FULL")
    lock = threading.Lock()
    app = FastAPI()

    def keep(body: bytes) -> None:
        messages = msgspec.json.decode(body)
        rows = []
        for message in messages if isinstance(messages, list) else [messages]:
            for series in message["series"]:
                rows += zip([series["asset"]] * len(series["values"]), message["times"], series["values"], strict=True)
        with lock:
            connection.execute("BEGIN")
            connection.executemany("INSERT OR IGNORE INTO readings VALUES (?, ?, ?)", rows)
            connection.execute("COMMIT")

    @app.post(PATH)
    async def post(request: Request) -> Response:
        body = await request.body()
        await run_in_threadpool(keep, body)
        return Response(b'{"refused":0}', media_type="application/json")

    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False))
    listener = listen(port=0)
    _tell(f"http://127.0.0.1:{listener.getsockname()[1]}")
    server.run(sockets=[listener])


def _tell(address: str) -> None:
    print(address, flush=True)


@contextmanager
def server(kind: str, folder: Path) -> Iterator[tuple[int, int]]:
    """Start a server in a process of its own and yield its process id and port."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.http_ingest", "--serve", kind, str(folder)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield process.pid, int(process.stdout.readline().strip().rpartition(":")[2])
    finally:
        process.terminate()
        process.communicate()


def post_all(port: int, bodies: list[bytes], *, clients: int, packed: bool) -> float:
    """Post bodies over some connections and return how long it took [s]; every answer must be a yes."""
    headers = {"Authorization": f"Bearer {TOKEN}", "Vpp-Node": "home01", "Content-Type": "application/json"}
    if packed:
        headers["Content-Encoding"] = "gzip"
    faults: list[str] = []

    def client(mine: list[bytes]) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        for body in mine:
            try:
                connection.request("POST", PATH, body, headers)
                answer = connection.getresponse()
                said = answer.read()
            except OSError as fault:
                faults.append(str(fault))
                break
            if answer.status != 200 or b'"refused":0' not in said:
                faults.append(f"{answer.status} {said[:200]!r}")
        connection.close()

    threads = [threading.Thread(target=client, args=(bodies[i::clients],)) for i in range(clients)]
    begin = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    taken_s = time.perf_counter() - begin
    if faults:
        raise RuntimeError(faults[0])
    return taken_s


def cpu_s(pid: int) -> float:
    """Return what a process has used of the processors so far [s]."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def measured(
    kind: str, folder: Path, boot: str, *, clients: int, messages: int = 1, packed: bool = False
) -> tuple[float, float]:
    """Return rows per second and the server's CPU per request [ms]."""
    bodies = [payload(boot, i, messages=messages) for i in range(REQUESTS)]
    if packed:
        bodies = [gzip.compress(body, compresslevel=5) for body in bodies]
    with tempfile.TemporaryDirectory(dir=folder) as name, server(kind, Path(name)) as (pid, port):
        post_all(port, [payload("warm", i, messages=1) for i in range(20)], clients=2, packed=False)
        before_s = cpu_s(pid)
        taken_s = post_all(port, bodies, clients=clients, packed=packed)
        used_s = cpu_s(pid) - before_s
    return REQUESTS * ROWS / taken_s, 1e3 * used_s / REQUESTS


def run(root: Path | None = None) -> list[dict[str, Any]]:
    """Return the figures; ``root`` is a folder on the disk to be judged."""
    figures: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(dir=root) as name:
        folder = Path(name)
        for clients in (1, 8):
            bare, ours = [], []
            for i in range(ROUNDS):
                bare.append(measured("bare", folder, f"b{i}", clients=clients))
                ours.append(measured("ours", folder, f"o{i}", clients=clients))
            told = f"{clients} connection{'s' if clients > 1 else ''}"
            ratio = median(a[1] / b[1] for a, b in zip(ours, bare, strict=True))
            limit = {"limit": ">= 30000"} if clients > 1 else {}
            figures += [
                {"what": f"bulk endpoint, {told}", "value": median(one[0] for one in ours), "unit": "rows/s", **limit},
                {"what": f"bare FastAPI + sqlite3, {told}", "value": median(one[0] for one in bare), "unit": "rows/s"},
                {"what": f"bulk endpoint, {told}: CPU of a request", "value": median(o[1] for o in ours), "unit": "ms"},
                {"what": f"bare, {told}: CPU of a request", "value": median(one[1] for one in bare), "unit": "ms"},
                {"what": f"CPU, bulk endpoint over bare, {told}", "value": ratio, "unit": "1", "limit": "<= 2"},
            ]
        packed = [measured("ours", folder, f"p{i}", clients=8, packed=True) for i in range(ROUNDS)]
        figures.append(
            {"what": "bulk endpoint, 8 connections, gzip", "value": median(o[0] for o in packed), "unit": "rows/s"}
        )
        small = [measured("ours", folder, f"m{i}", clients=8, messages=10) for i in range(ROUNDS)]
        figures.append(
            {"what": "bulk endpoint, 10 messages of 10 rows", "value": median(o[0] for o in small), "unit": "rows/s"}
        )
    return figures


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        {"ours": serve_ours, "bare": serve_bare}[sys.argv[2]](Path(sys.argv[3]))
    else:
        for figure in run(Path(sys.argv[1]) if len(sys.argv) > 1 else None):
            print(json.dumps(figure))
