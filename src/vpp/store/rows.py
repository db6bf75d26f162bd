"""Messages as rows of the SQL tables, and back.

What is read has its columns in the order of ``vpp.store.statements``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
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
    Heartbeat,
    Refusal,
    SeriesKey,
    Severity,
)
from vpp.core.time import TimeGrid
from vpp.store.codec import decode_fields, encode_fields, from_us, pack, to_us, unpack

Columns = dict[str, Any]
Row = Sequence[Any]


def forecast_row(forecast: Forecast, product: str) -> Columns:
    """Return the columns of a forecast beside its series."""
    return {
        "product": product,
        "issued_us": to_us(forecast.issued_at, field="forecast.issued_at"),
        "start_us": to_us(forecast.grid.start),
        "resolution_s": forecast.grid.resolution_s,
        "steps": forecast.grid.count,
        "model": forecast.model,
        "levels": json.dumps(forecast.levels),
        "flags": json.dumps(forecast.flags),
        "columns": pack({}, [forecast.value, forecast.quantiles]),
    }


def forecast_of(plant: str, row: Row) -> Forecast:
    """Return the forecast of a row."""
    source, metric, issued_us, start_us, resolution_s, steps, model, levels, flags, columns = row
    _, (value, quantiles) = unpack(columns)
    return Forecast(
        plant,
        SeriesKey(source, metric),
        from_us(issued_us),
        TimeGrid(from_us(start_us), resolution_s, steps),
        value,
        model,
        tuple(json.loads(levels)),
        quantiles,
        tuple(json.loads(flags)),
    )


def score_row(score: ForecastScore) -> Columns:
    """Return the columns of a score beside its series."""
    return {
        "product": score.product,
        "issued_us": to_us(score.issued_at, field="score.issued_at"),
        "model": score.model,
        "hours": score.hours,
        "mae": score.mae,
        "pinball": score.pinball,
        "coverage_80": score.coverage_80,
    }


def score_of(plant: str, key: SeriesKey, product: str, row: Row) -> ForecastScore:
    """Return the score of a row."""
    issued_us, model, *figures = row
    return ForecastScore(plant, key, model, product, from_us(issued_us), *figures)


def champion_row(champion: Champion) -> Columns:
    """Return the columns of a champion beside its series."""
    return {
        "decided_us": to_us(champion.decided_at, field="champion.decided_at"),
        "model": champion.model,
        "trained_us": to_us(champion.trained_at, field="champion.trained_at"),
        "run": champion.run,
        "artefact": champion.artefact,
        "reason": champion.reason,
    }


def champion_of(plant: str, row: Row) -> Champion:
    """Return the champion of a row."""
    source, metric, decided_us, model, trained_us, run, artefact, reason = row
    key = SeriesKey(source, metric)
    return Champion(plant, key, model, from_us(decided_us), from_us(trained_us), run, artefact, reason)


def command_row(command: Command) -> Columns:
    """Return the columns of a command."""
    return {
        "plant": command.plant,
        "id": command.id,
        "asset_id": command.asset_id,
        "issued_us": to_us(command.issued_at),
        "start_us": to_us(command.start),
        "end_us": to_us(command.end),
        "power_kw": command.power_kw,
        "grid_floor_kw": command.grid_floor_kw,
        "grid_ceiling_kw": command.grid_ceiling_kw,
        "may_reverse": command.may_reverse,
    }


def command_of(row: Row) -> Command:
    """Return the command of a row."""
    plant, name, asset_id, issued_us, start_us, end_us, power_kw, floor_kw, ceiling_kw, may_reverse = row
    times = (from_us(issued_us), from_us(start_us), from_us(end_us))
    return Command(name, plant, asset_id, *times, power_kw, floor_kw, ceiling_kw, bool(may_reverse))


def ack_row(ack: Ack) -> Columns:
    """Return the columns of an answer."""
    return {
        "plant": ack.plant,
        "command_id": ack.command_id,
        "asset_id": ack.asset_id,
        "at_us": to_us(ack.at),
        "status": str(ack.status),
        "power_kw": ack.power_kw,
        "message": ack.message,
    }


def ack_of(row: Row) -> Ack:
    """Return the answer of a row."""
    plant, command_id, asset_id, at_us, status, power_kw, message = row
    return Ack(command_id, plant, asset_id, from_us(at_us), AckStatus(status), power_kw, message)


def award_row(award: Award) -> Columns:
    """Return the columns of an award."""
    return {
        "plant": award.plant,
        "offer_id": award.offer_id,
        "product": award.product,
        "start_us": to_us(award.grid.start),
        "resolution_s": award.grid.resolution_s,
        "steps": award.grid.count,
        "columns": pack({}, [award.power_kw, award.price_per_kwh]),
    }


def award_of(row: Row) -> Award:
    """Return the award of a row."""
    plant, offer_id, product, start_us, resolution_s, steps, columns = row
    _, (power_kw, price_per_kwh) = unpack(columns)
    grid = TimeGrid(from_us(start_us), resolution_s, steps)
    return Award(offer_id, plant, product, grid, power_kw, price_per_kwh)


def event_row(event: Event) -> Columns:
    """Return the columns of an event."""
    return {
        "plant": event.plant,
        "at_us": to_us(event.at, field="event.at"),
        "kind": event.kind,
        "severity": str(event.severity),
        "message": event.message,
        "fields": encode_fields(event.fields),
    }


def event_of(row: Row) -> Event:
    """Return the event of a row."""
    plant, at_us, kind, severity, message, fields = row
    return Event(plant, from_us(at_us), kind, Severity(severity), message, decode_fields(fields))


def refusal_row(refusal: Refusal) -> Columns:
    """Return the columns of a refusal; signs of its words that a database cannot hold are spelled out."""
    return {
        "digest": refusal.digest,
        "plant": _holdable(refusal.plant),
        "source": _holdable(refusal.source),
        "arrived_us": to_us(refusal.arrived_at, field="refusal.arrived_at"),
        "reason": refusal.reason,
        "message": _holdable(refusal.message),
        "payload": refusal.payload,
    }


def refusal_of(row: Row) -> Refusal:
    """Return the refusal of a row."""
    plant, source, arrived_us, reason, message, payload = row
    return Refusal(plant, source, from_us(arrived_us), reason, message, bytes(payload))


def heartbeat_row(heartbeat: Heartbeat) -> Columns:
    """Return the columns of a heartbeat."""
    return {
        "service": heartbeat.service,
        "at_us": to_us(heartbeat.at, field="heartbeat.at"),
        "counts": encode_fields(heartbeat.counts),
    }


def heartbeat_of(row: Row) -> Heartbeat:
    """Return the heartbeat of a row."""
    service, at_us, counts = row
    return Heartbeat(service, from_us(at_us), decode_fields(counts))


def _holdable(words: str) -> str:
    # What poison claims to be must not keep the note of it from being kept.
    return words.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")
