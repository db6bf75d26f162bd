"""The sync against a real PostgREST: PostgreSQL with row-level security, JWT roles, nginx as Supabase maps it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from servers.postgres import Postgres
from servers.postgrest import SupabaseGate, key_of, supabase_project
from servers.process import MissingServerError

from vpp.core.messages import Origin, Readings, SeriesKey
from vpp.core.time import from_epoch_s
from vpp.edge.sync.postgrest import PAGE, PostgrestTarget
from vpp.edge.sync.progress import Progress
from vpp.edge.sync.service import SyncService
from vpp.edge.sync.source import Buffered
from vpp.edge.sync.uplink import Backoff, RefusedError, UnreachableTargetError, Uplink
from vpp.edge.sync.verify import differences
from vpp.runtime.clock import DataClock

pytestmark = pytest.mark.server
START_S = 1_780_000_000
KEYS = (
    SeriesKey("home01_load", "power_kw"),
    SeriesKey("home01_battery", "power_kw"),
    SeriesKey("home01_pv", "power_kw"),
)


class ListSource:
    """Messages in memory, at the positions 1, 2, 3, ..."""

    identity = "list"

    def __init__(self, messages: list[Buffered]) -> None:
        self.messages = messages

    def after(self, position: int, *, most: int) -> list[Buffered]:
        return self.messages[position : position + max(1, most // len(KEYS))]

    def span(self) -> tuple[int, int] | None:
        return (1, len(self.messages)) if self.messages else None


def messages(count: int, *, plant: str = "homes", boot: str = "b1", seed: int = 1) -> list[Buffered]:
    random = np.random.default_rng(seed)
    values = random.normal(0.0, 3.0, (count, len(KEYS)))
    values[0] = [0.1 + 0.2, -5e-324, 1.7976931348623157e308]
    return [
        Buffered(
            i + 1,
            Origin(plant, "home01", boot, i),
            Readings.from_table(plant, KEYS, np.array([START_S + 5 * i]), values[i : i + 1], arrived_s=START_S + 5 * i),
        )
        for i in range(count)
    ]


@pytest.fixture(scope="module")
def project(postgres: Postgres, root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SupabaseGate]:
    """A project with the documented table; every test uses a plant of its own."""
    tables = (root / "deploy" / "supabase.sql").read_text()
    try:
        with supabase_project(postgres, "supabase", tables, tmp_path_factory.mktemp("project")) as gate:
            yield gate
    except MissingServerError as fault:
        pytest.skip(str(fault))


@pytest.fixture
def table(project: SupabaseGate) -> Iterator[Callable[..., PostgrestTarget]]:
    made: list[PostgrestTarget] = []

    def make(key: str, *, most_rows: int = 500, tries: int = 3) -> PostgrestTarget:
        headers = {"Authorization": f"Bearer {key}", "apikey": key}
        url = f"{project.url}/rest/v1/telemetry"
        uplink = Uplink(url, headers=headers, backoff=Backoff(first_s=0.05, longest_s=0.2, tries=tries), seed=1)
        made.append(PostgrestTarget(uplink, url, most_rows=most_rows))
        return made[-1]

    yield make
    for target in made:
        target.close()


@pytest.fixture
def progress(tmp_path: Path) -> Iterator[Progress]:
    kept = Progress(tmp_path / "sync.db")
    yield kept
    kept.close()


def key(plant: str, role: str = "authenticated") -> str:
    return key_of({"role": role, "plant": plant})


def service(source: ListSource, target: PostgrestTarget, progress: Progress, *, batch: int = 600) -> SyncService:
    return SyncService(source, target, progress, clock=DataClock(from_epoch_s(START_S)), batch=batch)


def test_exactly_the_rows_that_were_there_arrive_and_again_changes_nothing(table, progress) -> None:
    source, target = ListSource(messages(1200, plant="exact")), table(key("exact"))
    report = service(source, target, progress).once()
    assert (report.messages, report.rows, report.aside) == (1200, 3600, 0)
    assert target._uplink.requests - target._uplink.retries == 2 * 6
    assert target.count("exact") == 3600 > PAGE
    assert differences(source, target, "exact", up_to=1200) == (0, 0, 0)
    # all of it once more, as after a crash before anything was remembered
    target.send(source.messages)
    assert target.count("exact") == 3600
    assert service(source, target, progress).once().messages == 0


def test_a_revision_is_a_row_of_its_own_and_wins_in_the_view(table, project, postgres) -> None:
    first, later = messages(1, plant="revised")[0], messages(1, plant="revised", boot="b2")[0]
    changed = Readings.from_table(
        "revised", KEYS, first.readings.time_s[:1], np.array([[1.0, 2.0, 3.0]]), arrived_s=START_S + 60
    )
    target = table(key("revised"))
    target.send([first, later._replace(readings=changed)])
    assert target.count("revised") == 6
    told = postgres.sql(
        "SELECT value FROM telemetry_latest WHERE plant = 'revised' ORDER BY value", database="supabase"
    )
    assert [float(line) for line in told.splitlines()] == [1.0, 2.0, 3.0]


def test_a_key_writes_and_sees_its_own_plant_only(table, postgres) -> None:
    own, foreign = table(key("mine")), table(key("theirs"))
    own.send(messages(5, plant="mine"))
    assert (own.count("mine"), foreign.count("mine")) == (15, 0)
    with pytest.raises(RefusedError) as refused:
        foreign.send(messages(5, plant="mine"))
    assert (refused.value.status, refused.value.code) == (403, "42501")
    assert postgres.sql("SELECT count(*) FROM telemetry WHERE plant = 'mine'", database="supabase") == "15"


def test_the_view_shows_a_key_its_own_plant_only_and_no_key_changes_a_row(table, project) -> None:
    own = table(key("seen"))
    own.send(messages(2, plant="seen"))
    for plant, rows in (("seen", 6), ("unseen", 0)):
        headers = {"Authorization": f"Bearer {key(plant)}"}
        address = f"{project.url}/rest/v1"
        assert len(httpx.get(f"{address}/telemetry_latest?plant=eq.seen", headers=headers).json()) == rows
        for method in ("PATCH", "DELETE"):
            answer = httpx.request(method, f"{address}/telemetry?plant=eq.seen", headers=headers, json={"value": 0})
            assert answer.json()["code"] == "42501"
    assert own.count("seen") == 6


@pytest.mark.parametrize(
    ("bad", "status"),
    [
        (key_of({"role": "authenticated", "plant": "forged"}, secret="another secret of thirty-two characters"), 401),
        (key_of({"role": "anon", "plant": "forged"}), 401),
        ("nonsense", 401),
    ],
    ids=["forged", "without a right", "no key"],
)
def test_a_key_that_is_none_stops_the_sync_and_sets_nothing_aside(table, progress, bad: str, status: int) -> None:
    source, target = ListSource(messages(20, plant="forged")), table(bad)
    with pytest.raises(RefusedError) as refused:
        service(source, target, progress).once()
    assert refused.value.status == status
    assert bad not in str(refused.value)
    standing = progress.standing(target.name, "list")
    assert (standing.position, standing.aside) == (0, 0)


def test_a_poison_row_is_set_aside_by_name_and_the_others_arrive(table, progress) -> None:
    sent = messages(100, plant="poison")
    bad = sent[41].readings
    wrong = Readings("poison", (KEYS[0], SeriesKey("home01\x00", "power_kw"), KEYS[2]), *_columns(bad))
    sent[41] = sent[41]._replace(readings=wrong)
    source, target = ListSource(sent), table(key("poison"), most_rows=250)
    report = service(source, target, progress).once()
    assert (report.rows, report.aside, report.standing.position) == (299, 1, 100)
    assert target.count("poison") == 299
    (aside,) = progress.aside(target.name, "list")
    assert (aside.position, aside.item) == (42, 1)
    assert "22P05" in aside.reason
    assert '"boot":"b1"' in aside.row


def test_a_table_that_is_not_there_is_a_fault_of_the_setting_up(project, progress) -> None:
    url = f"{project.url}/rest/v1/tellemetry"
    uplink = Uplink(url, headers={"Authorization": f"Bearer {key('homes')}"}, backoff=Backoff(tries=1))
    target = PostgrestTarget(uplink, url)
    with pytest.raises(RefusedError, match="status 404"):
        service(ListSource(messages(3)), target, progress).once()
    assert progress.standing(url, "list").position == 0
    target.close()


def test_an_outage_loses_nothing_and_the_sync_goes_on_where_it_was(table, progress, project) -> None:
    source, target = ListSource(messages(400, plant="outage")), table(key("outage"), tries=2)
    stopped: list[int] = []

    def stop_once(report) -> None:
        if not stopped:
            stopped.append(report.standing.position)
            project.stop()

    sync = service(source, target, progress, batch=150)
    with pytest.raises(UnreachableTargetError, match="in 2 tries"):
        sync.once(on_batch=stop_once)
    assert sync.standing().position == stopped[0] == 50
    project.start()
    assert sync.once().standing.position == 400
    assert differences(source, target, "outage", up_to=400) == (0, 0, 0)


def test_a_sync_that_runs_outlives_an_outage_and_ends_when_told(table, progress, project) -> None:
    source, target, stopping = (
        ListSource(messages(50, plant="running")),
        table(key("running"), tries=1),
        threading.Event(),
    )
    passes: list[int] = []
    project.stop()
    back = threading.Timer(0.5, project.start)
    back.start()

    def told(report) -> None:
        passes.append(report.rows)
        if len(passes) == 3:
            stopping.set()

    service(source, target, progress).run(0.05, stopping, on_pass=told)
    back.join()
    assert passes == [150, 0, 0]
    assert target.count("running") == 150


def test_what_differs_is_counted(table, postgres) -> None:
    source, target = ListSource(messages(10, plant="differs")), table(key("differs"))
    target.send(source.messages[:9])
    postgres.sql("UPDATE telemetry SET value = value + 1 WHERE plant = 'differs' AND sequence = 3", database="supabase")
    assert differences(source, target, "differs", up_to=10) == (3, 0, 3)


def _columns(readings: Readings) -> tuple[np.ndarray, ...]:
    return (
        readings.series,
        readings.time_s,
        readings.issued_s,
        readings.arrived_s,
        readings.value,
        readings.quality,
    )
