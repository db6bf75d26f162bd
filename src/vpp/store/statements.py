"""What the SQL store asks of its database, built once; the same on SQLite and PostgreSQL.

``known_s`` and ``by_us`` bound what had arrived or was issued; ``LAST_S`` and ``LAST_US`` when everything counts.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Select,
    Table,
    and_,
    bindparam,
    cast,
    exists,
    func,
    insert,
    not_,
    or_,
    select,
    tuple_,
)
from sqlalchemy.sql.elements import ColumnElement

from vpp.store.tables import (
    ACKS,
    AWARDS,
    CHAMPIONS,
    COMMANDS,
    EVENTS,
    FORECASTS,
    HEARTBEATS,
    READINGS,
    REFUSALS,
    SCHEDULES,
    SCORES,
    SERIES,
    seconds_of,
)

LAST_S = 29_000_000_000
"""In the year 2888: no reading is kept that holds, was issued or arrived later, or as long before 1970 [epoch s]."""
LAST_US = 2**62

Query = Select[Any]

_kept = READINGS
_later = READINGS.alias("later")
_span = and_(
    _kept.c.series_id == bindparam("series_id"),
    _kept.c.time_s >= bindparam("start_s"),
    _kept.c.time_s < bindparam("end_s"),
    _kept.c.arrived_s <= bindparam("known_s"),
)

POINTS: Query = (
    select(_kept.c.time_s, _kept.c.value).where(_span).order_by(_kept.c.time_s, _kept.c.arrived_s, _kept.c.revision)
)

_beaten = exists().where(
    _later.c.series_id == _kept.c.series_id,
    _later.c.time_s == _kept.c.time_s,
    _later.c.arrived_s <= bindparam("known_s"),
    tuple_(_later.c.arrived_s, _later.c.revision) > tuple_(_kept.c.arrived_s, _kept.c.revision),
)
WINNERS: Query = (
    select(_kept.c.time_s, _kept.c.issued_s, _kept.c.arrived_s, _kept.c.value, _kept.c.quality)
    .where(_span, not_(_beaten))
    .order_by(_kept.c.time_s)
    .limit(bindparam("most", type_=BigInteger()))
)


def _end(of_time: Any) -> ColumnElement[int]:
    # One end of one series at a time: each is a seek, both in one statement would be a walk.
    own = select(of_time(READINGS.c.time_s)).where(READINGS.c.series_id == SERIES.c.id)
    return seconds_of(of_time(own.correlate(SERIES).scalar_subquery()))


_ends: list[ColumnElement[Any]] = [_end(func.min), _end(func.max)]
SPAN: Query = select(*_ends).where(SERIES.c.plant == bindparam("plant"))
KEYS_OF_PLANT: Query = select(SERIES.c.id, SERIES.c.source, SERIES.c.metric).where(SERIES.c.plant == bindparam("plant"))
SERIES_ID: Query = select(SERIES.c.id).where(
    SERIES.c.plant == bindparam("plant"),
    SERIES.c.source == bindparam("source"),
    SERIES.c.metric == bindparam("metric"),
)


def _columns(table: Table, *names: str) -> list[ColumnElement[Any]]:
    return [table.c[name] for name in names]


def _newest(table: Table, moment: str, *names: str) -> Select[Any]:
    """Return the ids of the rows of a series, the newest first; of one moment, the last written."""
    row = table.alias("newest")
    found = select(row.c.id).where(
        row.c.series_id == SERIES.c.id, row.c[moment] <= bindparam("by_us", type_=BigInteger())
    )
    for name in names:
        found = found.where(row.c[name] == bindparam(name))
    return found.order_by(row.c[moment].desc(), row.c.id.desc()).limit(1).correlate(SERIES)


_FORECAST = _columns(FORECASTS, "issued_us", "start_us", "resolution_s", "steps", "model", "levels", "flags", "columns")
NEWEST_FORECASTS: Query = (
    select(SERIES.c.source, SERIES.c.metric, *_FORECAST)
    .select_from(SERIES.join(FORECASTS, FORECASTS.c.id == _newest(FORECASTS, "issued_us", "product").scalar_subquery()))
    .where(SERIES.c.plant == bindparam("plant"))
)
ISSUED_FORECASTS: Query = (
    select(SERIES.c.source, SERIES.c.metric, *_FORECAST)
    .select_from(SERIES.join(FORECASTS, FORECASTS.c.series_id == SERIES.c.id))
    .where(
        SERIES.c.id == bindparam("series_id"),
        FORECASTS.c.product == bindparam("product"),
        FORECASTS.c.issued_us >= bindparam("start_us"),
        FORECASTS.c.issued_us < bindparam("end_us"),
        or_(bindparam("any_model"), FORECASTS.c.model == bindparam("model")),
    )
    .order_by(FORECASTS.c.issued_us, FORECASTS.c.id)
)
SCORES_ISSUED: Query = (
    select(*_columns(SCORES, "issued_us", "model", "hours", "mae", "pinball", "coverage_80"))
    .where(
        SCORES.c.series_id == bindparam("series_id"),
        SCORES.c.product == bindparam("product"),
        SCORES.c.issued_us >= bindparam("start_us"),
        SCORES.c.issued_us < bindparam("end_us"),
    )
    .order_by(SCORES.c.issued_us)
)
_CHAMPION = _columns(CHAMPIONS, "decided_us", "model", "trained_us", "run", "artefact", "reason")
NEWEST_CHAMPIONS: Query = (
    select(SERIES.c.source, SERIES.c.metric, *_CHAMPION)
    .select_from(SERIES.join(CHAMPIONS, CHAMPIONS.c.id == _newest(CHAMPIONS, "decided_us").scalar_subquery()))
    .where(SERIES.c.plant == bindparam("plant"))
)
NEWEST_SCHEDULE: Query = (
    select(SCHEDULES.c.payload)
    .where(SCHEDULES.c.plant == bindparam("plant"), SCHEDULES.c.issued_us <= bindparam("by_us"))
    .order_by(SCHEDULES.c.issued_us.desc(), SCHEDULES.c.id.desc())
    .limit(1)
)

_COMMAND: Query = select(*[column for column in COMMANDS.c if column.name != "number"])
COMMAND_BY_ID: Query = _COMMAND.where(COMMANDS.c.plant == bindparam("plant"), COMMANDS.c.id == bindparam("id"))


def _in_span(table: Table, moment: str) -> Query:
    """Return what of a plant falls in a span, in order of time, then of writing."""
    at = table.c[moment]
    return (
        select(*[column for column in table.c if column.name != "number"])
        .where(
            table.c.plant == bindparam("plant"),
            at >= bindparam("from_us", type_=BigInteger()),
            at < bindparam("before_us", type_=BigInteger()),
        )
        .order_by(at, table.c.number)
    )


COMMANDS_IN_SPAN = _in_span(COMMANDS, "start_us")
ACKS_IN_SPAN = _in_span(ACKS, "at_us")
AWARDS_IN_SPAN = _in_span(AWARDS, "start_us")

_ack = [column for column in ACKS.c if column.name != "number"]
# Devices may answer twice; the same answer is kept once. A missing power equals a missing power.
INSERT_ACK = insert(ACKS).from_select(
    [column.name for column in _ack],
    select(*[cast(bindparam(column.name), column.type) for column in _ack]).where(
        not_(
            exists()
            .where(*[column.is_not_distinct_from(cast(bindparam(column.name), column.type)) for column in _ack])
            .select_from(ACKS)
        )
    ),
)

NEWEST_EVENTS: Query = (
    select(*[column for column in EVENTS.c if column.name != "number"])
    .where(EVENTS.c.plant == bindparam("plant"))
    .order_by(EVENTS.c.at_us.desc(), EVENTS.c.number.desc())
    .limit(bindparam("most", type_=BigInteger()))
)

_of_plant = REFUSALS.c.plant == bindparam("plant")
_newest_refusals = (
    select(*_columns(REFUSALS, "plant", "source", "arrived_us", "reason", "message", "payload"))
    .order_by(REFUSALS.c.arrived_us.desc(), REFUSALS.c.number.desc())
    .limit(bindparam("most", type_=BigInteger()))
)
NEWEST_REFUSALS: Query = _newest_refusals
NEWEST_REFUSALS_OF_PLANT: Query = _newest_refusals.where(_of_plant)
REFUSAL_COUNT: Query = select(func.count()).select_from(REFUSALS)
REFUSAL_COUNT_OF_PLANT: Query = REFUSAL_COUNT.where(_of_plant)
ALL_HEARTBEATS: Query = select(HEARTBEATS.c.service, HEARTBEATS.c.at_us, HEARTBEATS.c.counts)
