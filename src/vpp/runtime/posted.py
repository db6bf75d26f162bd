"""Posted readings: rows from outside become readings of the house, all or none."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from vpp.core.assets import Battery, SolarArray, WindTurbine
from vpp.core.errors import InvalidInputError, UnknownNameError
from vpp.core.messages import (
    CARBON_KG_PER_KWH,
    EXPORT_PRICE_PER_KWH,
    MARKET,
    POWER_KW,
    PRICE_PER_KWH,
    SOC,
    Reading,
    Readings,
    SeriesKey,
)
from vpp.core.time import epoch_s, parse_time
from vpp.runtime.setup import Setup

MOST_ROWS = 50_000
MARKET_METRICS = (PRICE_PER_KWH, EXPORT_PRICE_PER_KWH, CARBON_KG_PER_KWH)
FUTURE_ALLOWED = timedelta(minutes=5)
_PLAUSIBLE_OVER_PEAK = 1.5
_HIGHEST_PRICE = 1e3  # house: allow-1000, a bound of plausible prices per kWh
_NOISE_KW = 0.05
_LARGEST = sys.float_info.max


def readings_of(rows: Sequence[Mapping[str, Any]], setup: Setup, *, now: datetime) -> Readings:
    """Return posted rows as readings.

    Parameters
    ----------
    rows : sequence of mappings
        ``source`` (asset, site or ``market``), ``metric`` (``power_kw`` positive toward the grid, ``soc``,
        ``price_per_kwh``, ...), ``time`` (start of a step of the plant, with zone) and ``value``.
    setup : Setup
        The plant.
    now : datetime
        Arrival; measurements may not lie further ahead than five minutes, prices may.

    Raises
    ------
    InvalidInputError
        When a row is wrong: its index, field, value and range are named. Nothing is kept then.
    UnknownNameError
        When a row names an unknown source.
    """
    if not 0 < len(rows) <= MOST_ROWS:
        raise InvalidInputError("readings", len(rows), f"1 to {MOST_ROWS} rows")
    return Readings.of(_reading(index, row, setup, now) for index, row in enumerate(rows))


def _reading(index: int, row: Mapping[str, Any], setup: Setup, now: datetime) -> Reading:
    where = f"readings[{index}]"
    key = SeriesKey(str(row.get("source")), str(row.get("metric")))
    value = row.get("value")
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not -_LARGEST <= value <= _LARGEST:
        raise InvalidInputError(f"{where}.value", value, "a finite number")
    time = row.get("time")
    moment = parse_time(time, field=f"{where}.time") if isinstance(time, str) else time
    if not isinstance(moment, datetime):
        raise InvalidInputError(f"{where}.time", time, "an ISO 8601 time with a zone")
    if epoch_s(moment) % setup.resolution_s or moment.microsecond:
        raise InvalidInputError(
            f"{where}.time", moment.isoformat(), f"the start of a step of {setup.resolution_s} s; post means over steps"
        )
    if key.source != MARKET and moment > now + FUTURE_ALLOWED:
        raise InvalidInputError(f"{where}.time", moment.isoformat(), f"a time no later than {now.isoformat()}")
    _check_value(where, key, float(value), setup)
    return Reading(setup.plant.id, key, moment, float(value), issued_at=now, arrived_at=now)


def _check_value(where: str, key: SeriesKey, value: float, setup: Setup) -> None:
    low, high, words = _range_of(where, key, setup)
    if not low <= value <= high:
        raise InvalidInputError(f"{where}.value", value, words)


def _range_of(where: str, key: SeriesKey, setup: Setup) -> tuple[float, float, str]:
    if key.source == MARKET:
        if key.metric not in MARKET_METRICS:
            raise InvalidInputError(f"{where}.metric", key.metric, f"one of {', '.join(MARKET_METRICS)}")
        return -_HIGHEST_PRICE, _HIGHEST_PRICE, "a price or intensity per kWh"
    if any(site.id == key.source for site in setup.plant.sites):
        _one_of(where, key.metric, (POWER_KW,))
        return -math.inf, math.inf, "the meter's power [kW], positive when feeding in"
    if key.source not in {asset.id for asset in setup.plant.assets}:
        raise UnknownNameError(
            f"source ({where}.source)", key.source, [*(asset.id for asset in setup.plant.assets), MARKET]
        )
    asset = setup.plant.asset(key.source)
    if isinstance(asset, Battery):
        _one_of(where, key.metric, (POWER_KW, SOC))
        if key.metric == SOC:
            return 0.0, 1.0, "a state of charge as a fraction, 0 to 1"
        high = max(asset.discharge_max_kw, asset.charge_max_kw) * _PLAUSIBLE_OVER_PEAK
        return -high, high, f"{-high:g} to {high:g} kW, positive discharges"
    _one_of(where, key.metric, (POWER_KW,))
    high = asset.peak_kw * _PLAUSIBLE_OVER_PEAK
    if isinstance(asset, (SolarArray, WindTurbine)):
        return -_NOISE_KW * high - _NOISE_KW, high, f"0 to {high:g} kW: generation is positive toward the grid"
    return -high, _NOISE_KW, f"{-high:g} to 0 kW: power is positive toward the grid, so consumption is negative"


def _one_of(where: str, metric: str, known: tuple[str, ...]) -> None:
    if metric not in known:
        raise InvalidInputError(f"{where}.metric", metric, f"one of {', '.join(known)}")
