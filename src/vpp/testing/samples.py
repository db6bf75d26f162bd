"""One of each message, with all that is hard to keep: NaN, negative and tiny numbers, microseconds, odd words."""

from __future__ import annotations

from dataclasses import fields
from datetime import timedelta
from typing import Any

import numpy as np

from vpp.core.messages import (
    MEMBER,
    ROLLING,
    Ack,
    AckStatus,
    Award,
    Champion,
    Command,
    Conflict,
    Event,
    Forecast,
    ForecastScore,
    PlanStatus,
    Quality,
    Reading,
    Readings,
    ReasonCode,
    Schedule,
    SeriesKey,
    Severity,
)
from vpp.core.time import TimeGrid, parse_time

PLANT = "homes"
START = parse_time("2016-03-27T00:00:00Z")
HOUR = timedelta(hours=1)
ODD_WORDS = "Zähler „Süd“ 'x'; DROP TABLE readings; -- \n\t☀"


def as_fields(message: Any) -> dict[str, Any]:
    """Return the fields of a message by name, for a copy with another value."""
    return {field.name: getattr(message, field.name) for field in fields(message)}


def readings(*, first_hour: int = 0) -> Readings:
    """Return a day of hourly values of three series, by time then series, with flags and a late arrival."""
    keys = (SeriesKey("home01", "power_kw"), SeriesKey("home01-battery", "soc"), SeriesKey("market", "price_per_kwh"))
    rng = np.random.default_rng(7 + first_hour)
    rows = []
    for hour in range(first_hour, first_hour + 24):
        time = START + hour * HOUR
        for i, key in enumerate(keys):
            value = float(rng.normal() * 10.0 ** float(rng.integers(-12, 12)))
            flag = Quality.LATE | Quality.REPAIRED if (hour + i) % 7 == 0 else Quality.GOOD
            rows.append(Reading(PLANT, key, time, value, time + HOUR, time + HOUR, flag))
    return Readings.of(rows)


def forecasts() -> list[Forecast]:
    """Return two forecasts of one series, an hour apart, and one of another without quantiles."""
    grid = TimeGrid(START, 900, 5)
    value = np.array([0.1, -2.0, np.nan, 1e-300, 3.0])
    levels = (0.1, 0.5, 0.9)
    key = SeriesKey("home01", "power_kw")
    quantiles = np.stack([value - 1.0, value, value + 1.0])
    old = Forecast(PLANT, key, START, grid, value, "median", levels, quantiles, ("cold_start", ODD_WORDS))
    new = Forecast(PLANT, key, START + HOUR, grid, value + 1.0, "lightgbm", levels, quantiles)
    other = Forecast(
        PLANT, SeriesKey("market", "price_per_kwh"), START - timedelta(microseconds=1), grid, value, "naive"
    )
    return [old, new, other]


def scores() -> list[ForecastScore]:
    """Return scores of one series by issue then model: two products, one without quantiles."""
    key = SeriesKey("home01", "power_kw")
    return [
        ForecastScore(PLANT, key, "median", ROLLING, START, 30, 0.1 + 0.2, 1 / 3, 0.8),
        ForecastScore(PLANT, key, "median", ROLLING, START + timedelta(microseconds=1), 29, 1e-300),
        ForecastScore(PLANT, key, "theta", MEMBER, START, 30, 0.5),
    ]


def champions() -> list[Champion]:
    """Return two champions of one series, an hour apart, and one of another."""
    home, market = SeriesKey("home01", "power_kw"), SeriesKey("market", "price_per_kwh")
    return [
        Champion(PLANT, home, "median", START, START - HOUR, "run-1", "", ODD_WORDS),
        Champion(PLANT, home, "theta", START + HOUR, START, "run-1", "a.model", "better by 5 %"),
        Champion(PLANT, market, "median", START - timedelta(microseconds=1), START - HOUR, "run-1", "b.model", "first"),
    ]


def schedule() -> Schedule:
    """Return a plan of three steps, two assets and one site."""
    rng = np.random.default_rng(11)
    steps, assets, sites = 3, 2, 1
    limit = np.array([["none", "soc_max"], ["discharge_max_kw", ODD_WORDS], ["", "none"]], dtype=object)
    return Schedule(
        plant=PLANT,
        issued_at=START,
        grid=TimeGrid(START, 900, steps),
        status=PlanStatus.OPTIMAL,
        objective=0.1 + 0.2,
        parts={"energy_cost": 1 / 3, "wear_cost": 0.0, "terminal_value": -1e-17},
        asset_ids=("home01-battery", "home01-pv"),
        site_ids=("home01",),
        asset_site=(0, 0),
        power_kw=rng.normal(size=(steps, assets)),
        soc=np.array([[0.5, np.nan], [0.4, np.nan], [0.3, np.nan]]),
        import_kw=rng.random((steps, sites)),
        export_kw=rng.random((steps, sites)),
        curtailed_kw=np.zeros((steps, sites)),
        marginal_value_per_kwh=np.full((steps, assets), np.nan),
        energy_price_per_kwh=rng.random((steps, sites)),
        code=np.array([[ReasonCode.HOLD, ReasonCode.RULE], [5, 6], [7, 8]], dtype=np.int64),
        limit=limit,
        method="linear",
        solve_time_s=0.0123,
    )


def infeasible_schedule() -> Schedule:
    """Return a later plan that failed, with its conflicts and the plan of least violation."""
    empty = np.empty((0, 0))
    conflict = Conflict("export_max_kw", START + timedelta(seconds=900), 0.7, "home01 cannot export this much")
    return Schedule(
        plant=PLANT,
        issued_at=START + timedelta(hours=1, microseconds=123),
        grid=TimeGrid(START, 900, 0),
        status=PlanStatus.INFEASIBLE,
        objective=None,
        parts={},
        asset_ids=(),
        site_ids=(),
        asset_site=(),
        power_kw=empty,
        soc=empty,
        import_kw=empty,
        export_kw=empty,
        curtailed_kw=empty,
        marginal_value_per_kwh=empty,
        energy_price_per_kwh=empty,
        code=np.empty((0, 0), dtype=np.int64),
        limit=np.empty((0, 0), dtype=object),
        method="linear",
        message=ODD_WORDS,
        conflicts=(conflict,),
        least_violation=schedule(),
    )


def commands() -> list[Command]:
    """Return three commands in order of their steps."""
    return [
        Command("c1", PLANT, "home01-battery", START - HOUR, START, START + HOUR, -1 / 3),
        Command("c2", PLANT, "home01-battery", START, START + HOUR, START + 2 * HOUR, 2.5, 0.0, None, may_reverse=True),
        Command("c3", PLANT, "home01-battery", START, START + 2 * HOUR, START + 3 * HOUR, 0.0, None, 1e-9),
    ]


def acks() -> list[Ack]:
    """Return three answers in order of time."""
    asset = "home01-battery"
    return [
        Ack("c1", PLANT, asset, START + HOUR, AckStatus.EXECUTED, -1 / 3),
        Ack("c2", PLANT, asset, START + timedelta(hours=2, microseconds=1), AckStatus.LIMITED, 2.0, ODD_WORDS),
        Ack("c3", PLANT, asset, START + 3 * HOUR, AckStatus.EXPIRED, None, "too late"),
    ]


def award() -> Award:
    """Return an award of one hour in quarter-hours."""
    return Award("o1", PLANT, "day-ahead", TimeGrid(START, 900, 4), np.array([1.0, 0.0, -0.5, 1 / 3]), np.full(4, 0.05))


def events() -> list[Event]:
    """Return two events in order of time."""
    facts = {"asset": "home01", "values": [1, 2.5, None, True], "nested": {"word": ODD_WORDS}}
    return [
        Event(PLANT, START, "plan.fallback", Severity.WARNING, "the rule took over", facts),
        Event(PLANT, START + timedelta(microseconds=1), "store.full", Severity.ERROR, ODD_WORDS),
    ]
