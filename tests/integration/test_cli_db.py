"""`vpp db` as a user types it: made, filled, checked, copied, restored, thinned out, and what it refuses."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from servers.postgres import Postgres

from vpp.cli.main import run
from vpp.core.messages import Readings, SeriesKey
from vpp.store.open import open_store

STORE = "sqlite:///plant.db"
HEADER = "source,metric,time,value\n"


class Done(NamedTuple):
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str


Vpp = Callable[..., Done]


@pytest.fixture
def vpp(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Vpp:
    """Return a function that runs ``vpp db`` as a user would, in a folder with a file of readings."""
    monkeypatch.chdir(folder)

    def run_db(*words: str) -> Done:
        monkeypatch.setattr("sys.argv", ["vpp", "db", *words])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            run()
        return Done(int(ended.value.code or 0), *capsys.readouterr())

    return run_db


def told(done: Done) -> dict:
    assert (done.code, done.err) == (0, "")
    return json.loads(done.out)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows = "".join(f"home01,power_kw,2016-08-{1 + i // 24:02d}T{i % 24:02d}:00:00Z,{i}\n" for i in range(480))
    (tmp_path / "rows.csv").write_text(HEADER + rows)
    return tmp_path


def test_the_life_of_a_store(vpp: Vpp, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = told(vpp("upgrade", "--store", STORE, "--json"))
    assert made["before"] is None
    assert made["timescale"]["version"] is None
    kept = told(vpp("import", "rows.csv", "--plant", "homes", "--store", STORE, "--json"))
    assert kept == {"rows": 480, "new": 480}
    assert told(vpp("refresh", "--store", STORE, "--json")) == {"hours": 0}
    health = told(vpp("check", "--store", STORE, "--json"))
    assert health["ok"]
    assert {finding["check"]: finding["detail"] for finding in health["findings"]}["roll-ups"].startswith("20 of 20")
    copied = told(vpp("backup", "copy.db", "--store", STORE, "--json"))
    assert copied["rows"]["readings"] == 480
    out = told(vpp("export", "out.parquet", "--store", STORE, "--from", "2016-08-02T00:00Z", "--json"))
    assert out == {"path": "out.parquet", "rows": 456}

    monkeypatch.setenv("VPP_STORE", STORE)
    would = vpp("retain", "--days", "30")
    assert "480 readings before" in would.out
    assert "say --yes" in would.out
    gone = told(vpp("retain", "--days", "30", "--yes", "--store", STORE, "--json"))
    assert (gone["rows"], gone["rows_deleted"], gone["dropped"]) == (480, 480, True)
    assert told(vpp("check", "--store", STORE, "--json"))["dropped_before"] == gone["before"]
    with closing(open_store(f"sqlite:///{folder / 'plant.db'}")) as store:
        assert store.latest("homes") is None

    back = told(vpp("restore", "copy.db", "--store", "sqlite:///again.db", "--json"))
    assert back["sha256"] == copied["sha256"]
    assert told(vpp("refresh", "--all", "--store", "sqlite:///again.db", "--json")) == {"hours": 480}
    table = vpp("check", "--store", "sqlite:///again.db")
    assert table.code == 0
    assert "every page and index of the file is whole" in " ".join(table.out.replace("│", " ").split())


def test_what_is_refused(vpp: Vpp, folder: Path) -> None:
    for words, message in (
        (("check", "--store", "sqlite:///none.db"), "a store that is there; vpp db upgrade makes one"),
        (("check", "--store", "memory://"), "a store that outlives its process"),
        (("check", "--store", "mysql://x"), "no store URL scheme called 'mysql'"),
        (("import", "rows.csv", "--store", STORE), "a column plant; or name the plant of all rows"),
        (("import", "none.csv", "--plant", "homes", "--store", STORE), "none.csv: No such file"),
        (("backup", "no/such/copy.db", "--store", STORE), "a folder that exists"),
        (("backup", "copy.db", "--store", STORE), "a SQLite store that is there"),
        (("restore", "none.db", "--store", "sqlite:///new.db"), "No such file"),
        (("export", "out.txt", "--store", STORE), "a name ending in .csv, .jsonl, .parquet"),
    ):
        done = vpp(*words)
        assert done.code == 2, words
        assert message in done.err
    told(vpp("upgrade", "--store", STORE, "--json"))
    told(vpp("backup", "copy.db", "--store", STORE, "--json"))
    for words in (("backup", "copy.db"), ("restore", "copy.db")):
        assert "nothing is overwritten" in vpp(*words, "--store", STORE).err
    (folder / "bad.csv").write_text(f"{HEADER}home01,power_kw,2016-08-01T00:00:00Z,1\nhome01,power_kw,2016-08-01,2\n")
    bad = vpp("import", "bad.csv", "--plant", "homes", "--store", "sqlite:///bad.db")
    assert bad.code == 2
    assert "bad.csv line 3, time: got '2016-08-01', expected whole seconds between 1971 and 2200" in bad.err
    assert not (folder / "bad.db").exists()


def test_damage_is_a_negative_answer(vpp: Vpp, folder: Path) -> None:
    told(vpp("import", "rows.csv", "--plant", "homes", "--store", STORE, "--json"))
    with closing(sqlite3.connect(folder / "plant.db")) as connection:
        connection.execute("UPDATE rollup_1h SET total = total + 1")
        connection.commit()
    bad = vpp("check", "--store", STORE, "--json")
    assert bad.code == 1
    (finding,) = [finding for finding in json.loads(bad.out)["findings"] if not finding["ok"]]
    assert finding["check"] == "roll-ups"
    assert "20 of 20 days differ from their readings, e.g. home01/power_kw on 2016-08-" in finding["detail"]
    told(vpp("refresh", "--all", "--store", STORE, "--json"))
    assert told(vpp("check", "--store", STORE, "--json"))["ok"]


@pytest.mark.server
def test_the_same_on_postgres(vpp: Vpp, postgres: Postgres, folder: Path) -> None:
    url = postgres.new_database("cli_db")
    assert told(vpp("import", "rows.csv", "--plant", "homes", "--store", url, "--json"))["new"] == 480
    key = SeriesKey("home01", "power_kw")
    with closing(open_store(url)) as store:
        revised = Readings.from_table("homes", (key,), np.array([1470009600]), np.array([[9.0]]), arrived_s=2 * 10**9)
        store.write_readings(revised)
    assert told(vpp("backup", "copy.dump", "--store", url, "--json"))["rows"]["readings"] == 481
    assert told(vpp("export", "out.jsonl", "--store", url, "--json"))["rows"] == 481
    again = postgres.new_database("cli_db_again")
    told(vpp("restore", "copy.dump", "--store", again, "--json"))
    assert told(vpp("check", "--store", again, "--json"))["ok"]
    told(vpp("retain", "--days", "30", "--yes", "--store", again, "--json"))
    told(vpp("export", "left.jsonl", "--store", again, "--json"))
    assert (folder / "left.jsonl").read_text() == ""
    assert told(vpp("import", "out.jsonl", "--store", "sqlite:///lite.db", "--json")) == {"rows": 481, "new": 481}
    told(vpp("export", "lite.jsonl", "--store", "sqlite:///lite.db", "--json"))
    assert (folder / "lite.jsonl").read_text() == (folder / "out.jsonl").read_text()
