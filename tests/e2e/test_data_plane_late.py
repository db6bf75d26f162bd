"""Every message three times, out of order within a thousand, a day late: stored once, and the roll-ups are right.

The roll-ups are compared with a recomputation from the rows that win, in plain Python over plain SQL.
"""

from __future__ import annotations

import math
from collections import defaultdict
from pathlib import Path

import pytest
from ledger import Channel, Row
from plane import Plane, ask, ask_all
from processes import load, wait_until
from servers.mosquitto import Mosquitto
from servers.tansu import Tansu
from striking import address

pytestmark = [pytest.mark.server, pytest.mark.timeout(300)]

LEVELS = {"rollup_1min": 60, "rollup_15min": 900, "rollup_1h": 3_600, "rollup_1d": 86_400}
STEPS = 1_500
STEP_S = 20  # so that the messages span more than eight hours
SHUFFLED = "1000"
COPIES = "3"
TOLERANCE = 1e-9

Bucket = tuple[Channel, int]
Totals = tuple[int, float, float, float]


def recompute(rows: list[Row], bucket_s: int) -> dict[Bucket, Totals]:
    """Return count, total, least and greatest of every bucket of every channel, by the obvious way."""
    values: dict[Bucket, list[float]] = defaultdict(list)
    for row in rows:
        values[row.channel, row.time_s // bucket_s * bucket_s].append(row.value)
    return {bucket: (len(held), math.fsum(held), min(held), max(held)) for bucket, held in values.items()}


def kept(store: str, table: str) -> dict[Bucket, Totals]:
    """Return what a table of roll-ups holds."""
    question = (
        f"SELECT plant, source, metric, start_s, count, total, low, high FROM {table} JOIN series ON id = series_id"
    )
    found = ask_all(store, question)
    return {(Channel(*row[:3]), int(row[3])): (int(row[4]), *map(float, row[5:])) for row in found}


def check_rollups(store: str, rows: list[Row]) -> None:
    """Every bucket of every level of every channel is what a recomputation gives."""
    assert len({(row.channel, row.time_s) for row in rows}) == len(rows), "a revision: the recomputation knows none"
    for table, bucket_s in LEVELS.items():
        wanted, found = recompute(rows, bucket_s), kept(store, table)
        assert found.keys() == wanted.keys(), f"{table}: buckets are missing or too many"
        for bucket, totals in wanted.items():
            assert found[bucket][0] == totals[0], (table, bucket)
            assert found[bucket][1:] == pytest.approx(totals[1:], rel=TOLERANCE, abs=TOLERANCE), (table, bucket)


@pytest.mark.parametrize(("broker", "store"), [("mqtt", "sqlite"), ("kafka", "postgres")])
def test_copies_out_of_order_and_late(tmp_path: Path, request: pytest.FixtureRequest, broker: str, store: str) -> None:
    where = address(request, store, tmp_path)
    if broker == "mqtt":
        server: Mosquitto | Tansu = request.getfixturevalue("mosquitto")
        bus, options = server.url, ["--group", f"proof-{tmp_path.name}"]
    else:
        server = request.getfixturevalue("own_tansu")
        bus, options = f"{server.url}?session_ms=2000", []
    journal = tmp_path / "journal"
    order = ["--copies", COPIES, "--shuffled", SHUFFLED, "--late-s", "90000", "--step-s", str(STEP_S)]
    with (
        Plane(tmp_path, bus, where, *options) as plane,
        load(server.url, journal, "--count", str(STEPS), *order) as producer,
    ):
        assert producer.wait() == 0, producer.log()
        wait_until(lambda: plane.count() >= STEPS * 8, "all is stored")
        wait_until(lambda: ask(where, "SELECT count(*) FROM rollup_marks") == 0, "roll-ups are up to date")
        found = plane.settle(journal)
    print(found)
    found.check(at_least=STEPS * 8)
    check_rollups(where, plane.rows())


def test_the_recomputation_finds_a_wrong_bucket(tmp_path: Path) -> None:
    channel = Channel("p", "a", "power_kw")
    rows = [Row(channel, time_s, 0, float(time_s)) for time_s in (0, 30, 60, 3_599, 3_600)]
    assert recompute(rows, 60)[channel, 0] == (2, 30.0, 0.0, 30.0)
    assert recompute(rows, 3_600) == {
        (channel, 0): (4, 3_689.0, 0.0, 3_599.0),
        (channel, 3_600): (1, 3_600.0, 3_600.0, 3_600.0),
    }
