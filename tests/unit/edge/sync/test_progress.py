"""Progress: it only moves on, it survives, and what is set aside is kept with it or not at all."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from vpp.core.errors import StoreError
from vpp.edge.sync.progress import Aside, Progress, Standing

NOW = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)


def test_it_begins_at_nothing_moves_on_and_is_there_afterwards(tmp_path: Path) -> None:
    progress = Progress(tmp_path / "sync")
    assert progress.standing("there", "buffer") == Standing()
    progress.advance("there", "buffer", 7, rows=20, aside=[], now=NOW)
    progress.advance("there", "buffer", 9, rows=5, aside=[Aside(8, 0, "bad", "{}")], now=NOW)
    progress.close()
    again = Progress(tmp_path / "sync")
    assert again.standing("there", "buffer") == Standing(9, 25, 1, NOW)
    assert again.aside("there", "buffer") == [Aside(8, 0, "bad", "{}")]
    assert again.standing("there", "another buffer") == again.standing("elsewhere", "buffer") == Standing()
    again.close()


def test_it_never_moves_back(tmp_path: Path) -> None:
    one, other = Progress(tmp_path / "sync"), Progress(tmp_path / "sync")
    one.advance("there", "buffer", 9, rows=9, aside=[], now=NOW)
    other.advance("there", "buffer", 4, rows=4, aside=[], now=NOW)
    other.advance("there", "buffer", 9, rows=9, aside=[], now=NOW)
    assert one.standing("there", "buffer") == Standing(9, 9, 0, NOW)
    one.close()
    other.close()


def test_what_was_set_aside_again_stands_once(tmp_path: Path) -> None:
    progress = Progress(tmp_path / "sync")
    for reason in ("bad", "worse"):
        progress.advance("there", "buffer", 3, rows=1, aside=[Aside(2, 1, reason, "{}"), Aside(3, 0, "x", "")], now=NOW)
    assert progress.aside("there", "buffer") == [Aside(3, 0, "x", ""), Aside(2, 1, "worse", "{}")]
    assert progress.aside("there", "buffer", most=1) == [Aside(3, 0, "x", "")]
    progress.close()


def test_a_place_where_nothing_can_be_kept_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="nowhere"):
        Progress(tmp_path / "nowhere" / "sync")
    (tmp_path / "text").write_text("this is no database, but it is long enough to look like a file of one" * 20)
    with pytest.raises(StoreError, match="cannot be kept here"):
        Progress(tmp_path / "text")


def test_a_write_that_fails_leaves_nothing(tmp_path: Path) -> None:
    progress = Progress(tmp_path / "sync")
    progress.advance("there", "buffer", 1, rows=1, aside=[], now=NOW)
    with pytest.raises(StoreError, match="could not be kept"):
        progress.advance("there", "buffer", 2, rows=1, aside=[Aside(2, 0, None, "{}")], now=NOW)  # type: ignore[arg-type]
    assert progress.standing("there", "buffer").position == 1
    progress.advance("there", "buffer", 2, rows=1, aside=[], now=NOW)
    assert progress.standing("there", "buffer").position == 2
    progress.close()
