"""A day of data in a minute: memory and open files of the consumer stay where they are, and every reading is kept.

``VPP_SOAK_HOURS`` says how many hours of data, 24 by default.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest
from plane import Plane
from processes import load
from servers.mosquitto import Mosquitto
from servers.tansu import Tansu
from striking import address

pytestmark = [pytest.mark.server, pytest.mark.slow, pytest.mark.timeout(7_200)]

HOURS = float(os.environ.get("VPP_SOAK_HOURS", "24"))
STEP_S = 5
NODES = 4
RATE = 1_500.0
MOST_SLOPE_MB_PER_H = 1.0
WARM_SHARE = 0.3


@pytest.mark.parametrize(("broker", "store"), [("mqtt", "sqlite"), ("kafka", "postgres")])
def test_soak(tmp_path: Path, request: pytest.FixtureRequest, broker: str, store: str) -> None:
    where = address(request, store, tmp_path)
    server: Mosquitto | Tansu = request.getfixturevalue("own_mosquitto" if broker == "mqtt" else "own_tansu")
    bus = server.url if broker == "mqtt" else f"{server.url}?session_ms=6000"
    count = int(HOURS * 3_600 / STEP_S)
    hours_per_s = RATE / NODES * STEP_S / 3_600
    journal = tmp_path / "journal"
    shape = ["--count", str(count), "--rate", f"{RATE:g}", "--nodes", str(NODES), "--step-s", str(STEP_S)]
    late_s = str(int(HOURS * 3_600) + 600)
    samples: list[tuple[float, float, int]] = []
    with Plane(tmp_path, bus, where) as plane, load(server.url, journal, *shape, "--late-s", late_s) as producer:
        begun = time.monotonic()
        while producer.process.poll() is None:
            at_h = (time.monotonic() - begun) * hours_per_s
            samples.append((at_h, plane.ingest.rss_bytes() / 1e6, plane.ingest.open_files()))
            time.sleep(0.5)
        assert producer.process.returncode == 0, producer.log()
        found = plane.settle(journal)
    at_h, rss_mb, files = np.array([one for one in samples if one[0] >= WARM_SHARE * HOURS]).T
    slope = float(np.polyfit(at_h, rss_mb, 1)[0])
    print(f"{found}; {HOURS:g} h of data: {slope:+.3f} MB/h of data, {rss_mb.max():.0f} MB at most, files {set(files)}")
    found.check(at_least=2 * NODES * count)
    assert slope <= MOST_SLOPE_MB_PER_H
    assert files.max() - files.min() <= 2
