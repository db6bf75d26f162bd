"""Is what is kept whole? The database's own checks, and ours: roll-ups against readings, and what tells copies.

Invariant: checking changes nothing, and a finding says what is wrong and what helps.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, func, select

from vpp.core.errors import StoreError
from vpp.core.time import from_epoch_s
from vpp.store.marks import codes_of, unpack
from vpp.store.rollup_tables import DAY_S, HOUR_S, LEVELS, MARKS, WORK
from vpp.store.rollups import Buckets, dropped_before_s, of_points
from vpp.store.tables import READINGS, SEQUENCES, SERIES

RELATIVE = 1e-9
"""How far a roll-up may lie from the sum of its readings, relative to the sum of their magnitudes."""
_MENTIONED = 5

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check came to.

    Parameters
    ----------
    check : str
        Name of the check, one word or two.
    ok : bool
        Whether all is well.
    detail : str
        What was looked at, or what is wrong and what helps.
    """

    check: str
    ok: bool
    detail: str


def check_store(connection: Connection, *, sample: int, seed: int, progress: Progress) -> list[Finding]:
    """Return what every check found, the database's own first.

    Parameters
    ----------
    connection : Connection
        In a transaction that sees one moment.
    sample : int
        How many days of series to compare with their readings; those whose roll-ups are all up to date.
    seed : int
        Of the sample.
    progress : callable
        Told which check is under way.
    """
    checks: list[Callable[[], Finding]] = [
        lambda: _marks(connection),
        lambda: _sequences(connection),
        lambda: _orphans(connection),
        lambda: _rollups(connection, sample=sample, seed=seed),
    ]
    if connection.dialect.name == "sqlite":
        checks = [lambda: _pages(connection), lambda: _references(connection), *checks]
    findings = []
    for number, check in enumerate(checks):
        progress("checking", number, len(checks))
        findings.append(check())
    progress("checking", len(checks), len(checks))
    return findings


def _pages(connection: Connection) -> Finding:
    said = [row[0] for row in connection.exec_driver_sql("PRAGMA integrity_check(5)")]
    if said == ["ok"]:
        return Finding("file", True, "every page and index of the file is whole")
    return Finding("file", False, f"{'; '.join(said)}; restore the store from a backup")


def _references(connection: Connection) -> Finding:
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchmany(_MENTIONED)
    if not broken:
        return Finding("references", True, "every row names a series that is there")
    tables = ", ".join(sorted({str(row[0]) for row in broken}))
    return Finding("references", False, f"rows of {tables} name a series that is not there; restore from a backup")


def _marks(connection: Connection) -> Finding:
    """Check that marks can be read and that no refresh was left half done."""
    hours = 0
    try:
        for packed in connection.execute(select(MARKS.c.hours)).scalars():
            hours += unpack(packed).size
    except StoreError as fault:
        return Finding("marks", False, str(fault))
    left = connection.execute(select(func.count()).select_from(WORK)).scalar_one()
    if left:
        return Finding("marks", False, f"{left} hours of a refresh were left behind; run vpp db refresh --all")
    return Finding("marks", True, f"{hours:,} hours of series wait for vpp db refresh; reads take them from readings")


def _sequences(connection: Connection) -> Finding:
    """Check that what tells a message from its copy is in order: runs that ascend and do not touch."""
    boots = 0
    for plant, source, boot, kept in connection.execute(select(SEQUENCES)):
        if not _runs_are_whole(kept):
            told = f"what was taken of {plant}/{source}, boot {boot}, is damaged; restore the store from a backup"
            return Finding("sequences", False, told)
        boots += 1
    return Finding("sequences", True, f"{boots:,} boots of sources remembered")


def _runs_are_whole(kept: bytes) -> bool:
    if len(kept) % 16:
        return False
    first, last = np.frombuffer(kept, dtype="<i8").reshape(2, -1)
    return bool((first >= 0).all() and (first <= last).all() and (first[1:] > last[:-1] + 1).all())


def _orphans(connection: Connection) -> Finding:
    """Check that no roll-up is of a series that is not there."""
    lost = 0
    for level in LEVELS.values():
        numbers = select(level.c.series_id).distinct().subquery()
        lost += connection.execute(
            select(func.count())
            .select_from(numbers)
            .where(~select(SERIES.c.id).where(SERIES.c.id == numbers.c.series_id).exists())
        ).scalar_one()
    if lost:
        return Finding("roll-up series", False, f"{lost} roll-ups are of no series; run vpp db refresh --all")
    return Finding("roll-up series", True, "every roll-up is of a series that is there")


def _rollups(connection: Connection, *, sample: int, seed: int) -> Finding:
    """Compare days of roll-ups, all levels, with the readings they are of."""
    days = _clean_days(connection)
    chosen = days
    if len(days) > sample:
        chosen = [days[i] for i in np.random.default_rng(seed).choice(len(days), size=sample, replace=False).tolist()]
    wrong = [place for place in chosen if not _day_is_right(connection, *place)]
    if not wrong:
        return Finding("roll-ups", True, f"{len(chosen):,} of {len(days):,} days of series equal their readings")
    number, day_s = wrong[0]
    source, metric = connection.execute(select(SERIES.c.source, SERIES.c.metric).where(SERIES.c.id == number)).one()
    told = f"{len(wrong)} of {len(chosen)} days differ from their readings, e.g. {source}/{metric} on "
    return Finding("roll-ups", False, f"{told}{from_epoch_s(day_s):%Y-%m-%d}; run vpp db refresh --all")


def _clean_days(connection: Connection) -> list[tuple[int, int]]:
    """Return the days of series of which no hour is marked and whose readings were not dropped."""
    level = LEVELS[DAY_S]
    start_s = dropped_before_s(connection)
    rows = connection.execute(select(level.c.series_id, level.c.start_s).where(level.c.start_s >= start_s)).all()
    marked = [unpack(packed) for packed in connection.execute(select(MARKS.c.hours)).scalars()]
    if not rows:
        return []
    series, day_s = np.array([tuple(row) for row in rows], dtype=np.int64).T
    stale: NDArray[np.bool_] = np.zeros(series.size, dtype=bool)
    if marked:
        codes = np.unique(np.concatenate(marked))
        first = np.searchsorted(codes, codes_of(series, day_s))
        stale = np.searchsorted(codes, codes_of(series, day_s + DAY_S - HOUR_S), side="right") > first
    return list(zip(series[~stale].tolist(), day_s[~stale].tolist(), strict=True))


def _day_is_right(connection: Connection, number: int, day_s: int) -> bool:
    rows = connection.execute(
        select(READINGS.c.time_s, READINGS.c.value)
        .where(READINGS.c.series_id == number, READINGS.c.time_s >= day_s, READINGS.c.time_s < day_s + DAY_S)
        .order_by(READINGS.c.time_s, READINGS.c.arrived_s, READINGS.c.revision)
    ).all()
    won = {int(time_s): float(value) for time_s, value in rows}
    time_s = np.fromiter(won, dtype=np.int64, count=len(won))
    value = np.fromiter(won.values(), dtype=np.float64, count=len(won))
    return all(
        _alike(
            _kept(connection, number, day_s, level_s),
            of_points(time_s, value, level_s),
            of_points(time_s, np.abs(value), level_s).total,
        )
        for level_s in LEVELS
    )


def _kept(connection: Connection, number: int, day_s: int, level_s: int) -> Buckets:
    level = LEVELS[level_s].c
    rows = connection.execute(
        select(level.start_s, level.count, level.total, level.low, level.high)
        .where(level.series_id == number, level.start_s >= day_s, level.start_s < day_s + DAY_S)
        .order_by(level.start_s)
    ).all()
    columns = list(zip(*rows, strict=True)) or [()] * 5
    return Buckets(
        *(np.array(column, dtype=kind) for column, kind in zip(columns, ("i8", "i8", "f8", "f8", "f8"), strict=True))
    )


def _alike(kept: Buckets, wanted: Buckets, magnitude: NDArray[np.float64]) -> bool:
    exact = all(
        np.array_equal(getattr(kept, name), getattr(wanted, name)) for name in ("time_s", "readings", "low", "high")
    )
    return exact and bool((np.abs(kept.total - wanted.total) <= RELATIVE * magnitude).all())
