"""Consistency: what the fields of a plant file must be to each other, found even while other fields are wrong.

Works on the raw content and passes over what the single fields already refuse, so that one look finds everything.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

from vpp.config.fields import slug
from vpp.config.physics_consistency import physics_clashes
from vpp.config.prices_file import TimeOfUsePeriod
from vpp.config.report import ConfigIssue
from vpp.core.errors import InvalidInputError
from vpp.core.messages import MARKET
from vpp.core.time import DEFAULT_RESOLUTION_S, parse_duration_s
from vpp.core.units import SECONDS_PER_HOUR, parse_power_kw

_MINUTES_PER_DAY = 24 * 60
_CADENCES = ("horizon", "plan_every", "forecast_every", "refit_every")
_FULL_SOC = {"low": "soc_min", "high": "soc_max", "start": "soc_initial"}
_SHORT_SOC = {"low": "min_soc", "high": "max_soc", "start": "initial_soc"}
_POWERS = ("max_power", "peak_power", "rated_power")
_POWER_OF = {
    "battery": "max_power",
    "solar": "peak_power",
    "wind": "rated_power",
    "ev_charger": "max_power",
    "heat_pump": "rated_power",
}
"""The largest power each type of resource must state; any of the three names will do."""


def inconsistencies(raw: dict[str, Any]) -> tuple[ConfigIssue, ...]:
    """Return every clash between fields, in either shape."""
    found = [*_ids(raw), *_tariffs(raw), *_planning(raw)]
    if "resources" in raw and "sites" in raw:
        found.append(ConfigIssue("resources", None, "give either sites or resources, not both"))
    for i, resource in enumerate(_sections(raw.get("resources"))):
        found += _resource(f"resources[{i}]", resource)
    for i, site in enumerate(_sections(raw.get("sites"))):
        for j, asset in enumerate(_sections(site.get("assets"))):
            found += _asset(f"sites[{i}].assets[{j}]", asset)
    return tuple(found)


def _ids(raw: dict[str, Any]) -> Iterator[ConfigIssue]:
    named: list[tuple[str, Any]] = []
    for i, resource in enumerate(_sections(raw.get("resources"))):
        name = resource.get("name")
        named.append((f"resources[{i}].name", slug(name) if isinstance(name, str) else None))
    if not named:
        for i, site in enumerate(_sections(raw.get("sites"))):
            named.append((f"sites[{i}].id", site.get("id")))
            named += [(f"sites[{i}].assets[{j}].id", a.get("id")) for j, a in enumerate(_sections(site.get("assets")))]
    first: dict[str, str] = {}
    for path, name in named:
        if not isinstance(name, str):
            continue
        if name == MARKET:
            yield ConfigIssue(path, name, "is reserved for prices; choose another")
        elif name in first:
            yield ConfigIssue(path, name, f"must be used once; the same id stands at {first[name]}")
        first.setdefault(name, path)


def _tariffs(raw: dict[str, Any]) -> Iterator[ConfigIssue]:
    prices = _section(raw.get("prices"))
    for side in ("import", "export"):
        tariff = prices.get(side)
        if not isinstance(tariff, dict):
            continue
        given = [key for key in ("price_per_kwh", "time_of_use") if tariff.get(key) is not None]
        given += ["spot"] if tariff.get("spot") not in (None, False) else []
        if len(given) != 1:
            named = f"; found {', '.join(given)}" if given else ""
            yield ConfigIssue(
                f"prices.{side}", None, f"must hold exactly one of price_per_kwh, time_of_use and spot: true{named}"
            )
    if isinstance(prices.get("day_ahead"), dict) and prices.get("published") is None:
        yield ConfigIssue("prices.published", None, "is required when the plant sells day-ahead")


def _planning(raw: dict[str, Any]) -> Iterator[ConfigIssue]:
    hours = _number(_section(raw.get("optimization")).get("time_horizon"))
    if hours is not None and (hours * SECONDS_PER_HOUR) % DEFAULT_RESOLUTION_S:
        yield ConfigIssue("optimization.time_horizon", hours, "must be a multiple of 0.25 hours")
    planning = _section(raw.get("planning"))
    step_s = _seconds(planning.get("resolution", planning.get("resolution_s", DEFAULT_RESOLUTION_S)))
    for name in _CADENCES:
        for key in (name, f"{name}_s"):
            seconds = _seconds(planning.get(key))
            if seconds and step_s and seconds % step_s:
                yield ConfigIssue(
                    f"planning.{key}", planning[key], f"must be a multiple of the resolution, {step_s / 60:g} min"
                )


def _resource(path: str, resource: dict[str, Any]) -> Iterator[ConfigIssue]:
    kind = resource.get("type")
    if kind == "battery":
        yield from _soc(path, resource, **_SHORT_SOC)
    if isinstance(kind, str):
        yield from physics_clashes(path, kind, resource, capacity=resource.get("capacity"))
    powers = {key: power for key in _POWERS if (power := _power(resource.get(key))) is not None}
    if len(set(powers.values())) > 1:
        yield ConfigIssue(path, None, f"must state one largest power; {' and '.join(powers)} disagree")
    if isinstance(kind, str) and kind in _POWER_OF and all(resource.get(key) is None for key in _POWERS):
        yield ConfigIssue(f"{path}.{_POWER_OF[kind]}", None, "is required: the largest power [kW]")


def _asset(path: str, asset: dict[str, Any]) -> Iterator[ConfigIssue]:
    if asset.get("kind") == "battery":
        yield from _soc(path, asset, **_FULL_SOC)
        sides = [asset.get(key) for key in ("charge_max_kw", "discharge_max_kw")]
        if asset.get("power_kw") is None and None in sides:
            yield ConfigIssue(f"{path}.power_kw", None, "is required, or both charge_max_kw and discharge_max_kw")
    kind = asset.get("kind")
    if isinstance(kind, str):
        yield from physics_clashes(path, kind, asset, capacity=asset.get("capacity_kwh"))


def _soc(path: str, battery: dict[str, Any], *, low: str, high: str, start: str) -> Iterator[ConfigIssue]:
    floor, ceiling = _level(battery.get(low, 0.1)), _level(battery.get(high, 0.9))
    initial, backup = _level(battery.get(start, 0.5)), _level(battery.get("backup_soc", 0.0))
    if floor is None or ceiling is None:
        return
    if floor > ceiling:
        yield ConfigIssue(f"{path}.{low}", floor, f"must be at most {high}, {ceiling:g}")
    elif initial is not None and not floor <= initial <= ceiling:
        assumed = "" if start in battery else " (0.5 when left out)"
        yield ConfigIssue(f"{path}.{start}", initial, f"must be from {low} {floor:g} to {high} {ceiling:g}{assumed}")
    if backup is not None and backup > ceiling:
        yield ConfigIssue(f"{path}.backup_soc", backup, f"must be at most {high}, {ceiling:g}")


def uncovered_time(periods: tuple[TimeOfUsePeriod, ...]) -> str | None:
    """Return, in words, the first local time that no line of a time-of-use tariff covers."""
    marks = sorted({0, *(minute for period in periods for minute in _span(period))} - {_MINUTES_PER_DAY})
    for month in range(1, 13):
        for days in ("weekdays", "weekends"):
            for minute in marks:
                if not any(_fits(period, month, days, minute) for period in periods):
                    return f"month {month}, {days}, {minute // 60:02d}:{minute % 60:02d}"
    return None


def _span(period: TimeOfUsePeriod) -> tuple[int, int]:
    start = 0 if period.start is None else period.start.hour * 60 + period.start.minute
    end = _MINUTES_PER_DAY if period.end is None else period.end.hour * 60 + period.end.minute
    return start, end


def _fits(period: TimeOfUsePeriod, month: int, days: str, minute: int) -> bool:
    start, end = _span(period)
    by_clock = start <= minute < end if start < end else minute >= start or minute < end
    return by_clock and month in period.months and period.days in ("all", days)


def _sections(value: Any) -> list[dict[str, Any]]:
    return [_section(part) for part in value] if isinstance(value, list) else []


def _section(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _number(value: Any) -> float | None:
    usable = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if usable else None


def _level(value: Any) -> float | None:
    level = _number(value)
    return level if level is not None and 0.0 <= level <= 1.0 else None


def _read(value: Any, parse: Callable[[str], float]) -> float | None:
    if not isinstance(value, str):
        return _number(value)
    try:
        return _number(parse(value))
    except (InvalidInputError, OverflowError):
        return None


def _power(value: Any) -> float | None:
    return _read(value, parse_power_kw)


def _seconds(value: Any) -> float | None:
    seconds = _read(value, parse_duration_s)
    return seconds if seconds is not None and seconds > 0.0 else None
