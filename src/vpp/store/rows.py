"""Messages as rows of the SQLite tables, and back: one statement to keep each kind, one or two to find it."""

from __future__ import annotations

import json
from typing import Any

from vpp.core.messages import (
    Ack,
    AckStatus,
    Award,
    Champion,
    Command,
    Event,
    Forecast,
    ForecastScore,
    SeriesKey,
    Severity,
)
from vpp.core.time import TimeGrid
from vpp.store.codec import decode_fields, encode_fields, from_us, pack, to_us, unpack

Row = tuple[Any, ...]

INSERT_FORECAST = """
INSERT INTO forecasts (series_id, product, issued_us, start_us, resolution_s, steps, model, levels, flags, columns)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
NEWEST_FORECAST = """
SELECT issued_us, start_us, resolution_s, steps, model, levels, flags, columns FROM forecasts
WHERE series_id = ? AND product = ? AND issued_us <= ? ORDER BY issued_us DESC, id DESC LIMIT 1
"""
ISSUED_FORECASTS = """
SELECT issued_us, start_us, resolution_s, steps, model, levels, flags, columns FROM forecasts
WHERE series_id = ?1 AND product = ?2 AND issued_us >= ?3 AND issued_us < ?4 AND (?5 IS NULL OR model = ?5)
ORDER BY issued_us, id
"""
INSERT_SCORE = """
INSERT OR REPLACE INTO scores (series_id, product, issued_us, model, hours, mae, pinball, coverage_80)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""
SCORES = """
SELECT issued_us, model, hours, mae, pinball, coverage_80 FROM scores
WHERE series_id = ? AND product = ? AND issued_us >= ? AND issued_us < ? ORDER BY issued_us, model
"""
INSERT_CHAMPION = """
INSERT INTO champions (series_id, decided_us, model, trained_us, run, artefact, reason) VALUES (?, ?, ?, ?, ?, ?, ?)
"""
NEWEST_CHAMPION = """
SELECT decided_us, model, trained_us, run, artefact, reason FROM champions
WHERE series_id = ? AND decided_us <= ? ORDER BY decided_us DESC, id DESC LIMIT 1
"""
INSERT_COMMAND = """
INSERT INTO commands
    (plant, id, asset_id, issued_us, start_us, end_us, power_kw, grid_floor_kw, grid_ceiling_kw, may_reverse)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
COMMAND_BY_ID = """
SELECT id, asset_id, issued_us, start_us, end_us, power_kw, grid_floor_kw, grid_ceiling_kw, may_reverse
FROM commands WHERE plant = ? AND id = ?
"""
COMMANDS = """
SELECT id, asset_id, issued_us, start_us, end_us, power_kw, grid_floor_kw, grid_ceiling_kw, may_reverse
FROM commands WHERE plant = ? AND start_us >= ? AND start_us < ? ORDER BY start_us, number
"""
# Devices may answer twice; the same answer is kept once. IS holds for missing values too.
INSERT_ACK = """
INSERT INTO acks (plant, command_id, asset_id, at_us, status, power_kw, message)
SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7
WHERE NOT EXISTS (SELECT 1 FROM acks WHERE plant = ?1 AND command_id = ?2 AND asset_id = ?3 AND at_us = ?4
                  AND status = ?5 AND power_kw IS ?6 AND message = ?7)
"""
ACKS = """
SELECT command_id, asset_id, at_us, status, power_kw, message
FROM acks WHERE plant = ? AND at_us >= ? AND at_us < ? ORDER BY at_us, number
"""
INSERT_AWARD = """
INSERT INTO awards (plant, offer_id, product, start_us, resolution_s, steps, columns) VALUES (?, ?, ?, ?, ?, ?, ?)
"""
AWARDS = """
SELECT offer_id, product, start_us, resolution_s, steps, columns
FROM awards WHERE plant = ? AND start_us >= ? AND start_us < ? ORDER BY start_us, number
"""
INSERT_EVENT = """
INSERT INTO events (plant, at_us, kind, severity, message, fields) VALUES (?, ?, ?, ?, ?, ?)
"""
EVENTS = """
SELECT at_us, kind, severity, message, fields FROM events WHERE plant = ? ORDER BY at_us DESC, number DESC LIMIT ?
"""


def forecast_row(forecast: Forecast) -> Row:
    """Return the columns of ``INSERT_FORECAST`` behind the series and the product."""
    grid = forecast.grid
    return (
        to_us(forecast.issued_at, field="forecast.issued_at"),
        to_us(grid.start),
        grid.resolution_s,
        grid.count,
        forecast.model,
        json.dumps(forecast.levels),
        json.dumps(forecast.flags),
        pack({}, [forecast.value, forecast.quantiles]),
    )


def forecast_of(plant: str, key: SeriesKey, row: Row) -> Forecast:
    """Return the forecast of a row of ``NEWEST_FORECAST``."""
    issued_us, start_us, resolution_s, steps, model, levels, flags, columns = row
    _, (value, quantiles) = unpack(columns)
    return Forecast(
        plant,
        key,
        from_us(issued_us),
        TimeGrid(from_us(start_us), resolution_s, steps),
        value,
        model,
        tuple(json.loads(levels)),
        quantiles,
        tuple(json.loads(flags)),
    )


def score_row(score: ForecastScore) -> Row:
    """Return the columns of ``INSERT_SCORE`` behind the series."""
    issued_us = to_us(score.issued_at, field="score.issued_at")
    return (score.product, issued_us, score.model, score.hours, score.mae, score.pinball, score.coverage_80)


def score_of(plant: str, key: SeriesKey, product: str, row: Row) -> ForecastScore:
    """Return the score of a row of ``SCORES``."""
    issued_us, model, *figures = row
    return ForecastScore(plant, key, model, product, from_us(issued_us), *figures)


def champion_row(champion: Champion) -> Row:
    """Return the columns of ``INSERT_CHAMPION`` behind the series."""
    decided_us = to_us(champion.decided_at, field="champion.decided_at")
    trained_us = to_us(champion.trained_at, field="champion.trained_at")
    return (decided_us, champion.model, trained_us, champion.run, champion.artefact, champion.reason)


def champion_of(plant: str, key: SeriesKey, row: Row) -> Champion:
    """Return the champion of a row of ``NEWEST_CHAMPION``."""
    decided_us, model, trained_us, run, artefact, reason = row
    return Champion(plant, key, model, from_us(decided_us), from_us(trained_us), run, artefact, reason)


def command_row(command: Command) -> Row:
    """Return the columns of ``INSERT_COMMAND``."""
    times_us = (to_us(command.issued_at), to_us(command.start), to_us(command.end))
    limits_kw = (command.grid_floor_kw, command.grid_ceiling_kw)
    return (command.plant, command.id, command.asset_id, *times_us, command.power_kw, *limits_kw, command.may_reverse)


def command_of(plant: str, row: Row) -> Command:
    """Return the command of a row of ``COMMANDS``."""
    name, asset_id, issued_us, start_us, end_us, power_kw, floor_kw, ceiling_kw, may_reverse = row
    times = (from_us(issued_us), from_us(start_us), from_us(end_us))
    return Command(name, plant, asset_id, *times, power_kw, floor_kw, ceiling_kw, bool(may_reverse))


def ack_row(ack: Ack) -> Row:
    """Return the columns of ``INSERT_ACK``."""
    return (ack.plant, ack.command_id, ack.asset_id, to_us(ack.at), str(ack.status), ack.power_kw, ack.message)


def ack_of(plant: str, row: Row) -> Ack:
    """Return the answer of a row of ``ACKS``."""
    command_id, asset_id, at_us, status, power_kw, message = row
    return Ack(command_id, plant, asset_id, from_us(at_us), AckStatus(status), power_kw, message)


def award_row(award: Award) -> Row:
    """Return the columns of ``INSERT_AWARD``."""
    grid = award.grid
    columns = pack({}, [award.power_kw, award.price_per_kwh])
    return (award.plant, award.offer_id, award.product, to_us(grid.start), grid.resolution_s, grid.count, columns)


def award_of(plant: str, row: Row) -> Award:
    """Return the award of a row of ``AWARDS``."""
    offer_id, product, start_us, resolution_s, steps, columns = row
    _, (power_kw, price_per_kwh) = unpack(columns)
    grid = TimeGrid(from_us(start_us), resolution_s, steps)
    return Award(offer_id, plant, product, grid, power_kw, price_per_kwh)


def event_row(event: Event) -> Row:
    """Return the columns of ``INSERT_EVENT``."""
    at_us = to_us(event.at, field="event.at")
    return (event.plant, at_us, event.kind, str(event.severity), event.message, encode_fields(event.fields))


def event_of(plant: str, row: Row) -> Event:
    """Return the event of a row of ``EVENTS``."""
    at_us, kind, severity, message, fields = row
    return Event(plant, from_us(at_us), kind, Severity(severity), message, decode_fields(fields))
