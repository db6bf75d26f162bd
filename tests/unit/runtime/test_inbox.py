from __future__ import annotations

import os
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from vpp.config import VPPConfig
from vpp.core.messages import SeriesKey, Severity
from vpp.core.time import TimeGrid
from vpp.runtime.clock import DataClock
from vpp.runtime.hub import Hub
from vpp.runtime.inbox import Inbox
from vpp.runtime.live import LivePlant, start_live
from vpp.store.memory import MemoryStore

NOW = datetime(2024, 5, 7, tzinfo=UTC)
START = "2024-05-06T00:00Z"


@pytest.fixture
def live(config_of: Callable[..., VPPConfig]) -> LivePlant:
    running = start_live(config_of(), MemoryStore())
    running.clock, running.hub, running.stopping = DataClock(NOW), Hub(), threading.Event()
    return running


@pytest.fixture
def inbox(live: LivePlant, tmp_path: Path) -> Inbox:
    return Inbox(tmp_path / "inbox", live)


def drop(inbox: Inbox, name: str, *, minutes: int = 15, start: str = START, steps: int = 8) -> pd.DataFrame:
    times = pd.date_range(start, periods=steps, freq=f"{minutes}min")
    frame = pd.DataFrame({"time": times.strftime("%Y-%m-%dT%H:%M:%SZ"), "load_kw": np.linspace(0.5, 2.0, steps)})
    frame.to_csv(inbox.folder / name, index=False)
    at_rest(inbox.folder / name)
    return frame


def at_rest(path: Path) -> None:
    """Let a file look as if nothing had been written to it for a while."""
    os.utime(path, ns=(0, path.stat().st_mtime_ns - 60 * 10**9))


def stored_kw(live: LivePlant, steps: int, *, start: str = START) -> np.ndarray:
    grid = TimeGrid(pd.Timestamp(start).to_pydatetime(), live.setup.resolution_s, steps)
    return live.store.series("home", [SeriesKey("load", "power_kw")], grid).value[:, 0]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.is_file())


def test_a_good_file_is_taken_whole_and_told(inbox: Inbox, live: LivePlant) -> None:
    heard = live.hub.subscribe()
    frame = drop(inbox, "meter.csv")
    assert inbox.look() == 1
    assert stored_kw(live, 8).tolist() == pytest.approx((-frame["load_kw"]).tolist())
    assert (names(inbox.folder), names(inbox.folder / "taken")) == ([], ["meter.csv"])
    (event,) = live.store.events("home")
    assert (event.severity, event.message) == (Severity.INFO, "meter.csv: 8 new readings")
    assert {message["topic"] for message in iter(lambda: heard.get(0.0), None)} == {"event", "readings"}
    assert inbox.look() == 0


def test_a_bad_file_is_refused_with_the_reason_beside_it(inbox: Inbox, live: LivePlant) -> None:
    frame = drop(inbox, "meter.csv").astype(object)
    frame.loc[3, "load_kw"] = "oops"
    frame.to_csv(inbox.folder / "meter.csv", index=False)
    at_rest(inbox.folder / "meter.csv")
    assert inbox.look() == 0
    assert names(inbox.folder / "refused") == ["meter.csv", "meter.csv.txt"]
    reason = (inbox.folder / "refused" / "meter.csv.txt").read_text(encoding="utf-8")
    assert "row 5:load_kw: got 'oops'" in reason
    (event,) = live.store.events("home")
    assert event.severity is Severity.ERROR
    assert "meter.csv was refused" in event.message
    assert np.isnan(stored_kw(live, 8)).all(), "nothing of it was kept"


def test_repairs_and_what_is_left_out_are_told(inbox: Inbox, live: LivePlant) -> None:
    frame = drop(inbox, "meter.csv").assign(load_forecast_kw=1.0)
    frame.drop(index=4).to_csv(inbox.folder / "meter.csv", index=False)
    at_rest(inbox.folder / "meter.csv")
    assert inbox.look() == 1
    warned = [event.message for event in live.store.events("home") if event.severity is Severity.WARNING]
    assert any("bridged" in message and "1 value" in message for message in warned)
    assert any("forecast columns were left out" in message for message in warned)


@pytest.mark.parametrize(("minutes", "steps"), [(1, 120), (5, 24), (15, 8), (30, 4), (60, 2)])
def test_another_resolution_keeps_the_energy(inbox: Inbox, live: LivePlant, minutes: int, steps: int) -> None:
    frame = drop(inbox, "meter.csv", minutes=minutes, steps=steps)
    assert inbox.look() == 1
    kept = stored_kw(live, 8)
    assert np.isfinite(kept).all()
    assert kept.sum() * 0.25 == pytest.approx(-frame["load_kw"].sum() * minutes / 60)


def test_steps_that_are_begun_or_unfinished_are_left_out(inbox: Inbox, live: LivePlant) -> None:
    drop(inbox, "meter.csv", minutes=5, start="2024-05-06T00:05Z", steps=9)
    assert inbox.look() == 1
    assert np.isfinite(stored_kw(live, 4)).tolist() == [False, True, True, False]


@pytest.mark.parametrize(("minutes", "start"), [(15, "2024-05-06T00:07Z"), (20, START)])
def test_steps_that_do_not_fit_the_plants_are_refused(inbox: Inbox, minutes: int, start: str) -> None:
    drop(inbox, "meter.csv", minutes=minutes, start=start)
    assert inbox.look() == 0
    assert "900 s" in (inbox.folder / "refused" / "meter.csv.txt").read_text(encoding="utf-8")


def test_other_files_are_left_alone(inbox: Inbox) -> None:
    (inbox.folder / "half.csv.part").write_text("time")
    (inbox.folder / "notes.md").write_text("hello")
    assert inbox.look() == 0
    assert names(inbox.folder) == ["half.csv.part", "notes.md"]


def test_a_file_that_is_being_written_waits(inbox: Inbox) -> None:
    drop(inbox, "meter.csv")
    (inbox.folder / "meter.csv").touch()
    assert inbox.look() == 0
    at_rest(inbox.folder / "meter.csv")
    assert inbox.look() == 1


def test_a_second_file_of_the_same_name_keeps_the_first(inbox: Inbox) -> None:
    for _ in range(2):
        drop(inbox, "meter.csv")
        inbox.look()
    assert names(inbox.folder / "taken") == ["meter-1.csv", "meter.csv"]


def test_measurements_of_tomorrow_are_refused(inbox: Inbox, live: LivePlant) -> None:
    drop(inbox, "meter.csv", start="2024-05-07T00:00Z")
    assert inbox.look() == 0
    assert "measurements up to now" in live.store.events("home")[0].message
