"""What the fields of one asset must be to each other: settings that contradict, or that nothing would take."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from vpp.config.report import ConfigIssue
from vpp.core.errors import InvalidInputError
from vpp.core.units import parse_energy_kwh, parse_power_kw

_OF_THE_MODEL = {"chemistry": "physical", "ambient_c": "physical", "standby_kw": "simple"}
"""Fields of a battery that only one of its models takes."""
_USUAL_CAR_KWH = 60.0
_LARGEST_HOUSEHOLD_KW = 30.0


def physics_clashes(path: str, kind: str, asset: dict[str, Any], *, capacity: Any) -> Iterator[ConfigIssue]:
    """Yield every clash between the fields of one asset, in either shape."""
    if kind == "battery":
        yield from _battery(path, asset)
    elif kind == "load":
        yield from _load(path, asset)
    elif kind == "ev_charger":
        yield from _car(path, asset, capacity)
    elif kind == "heat_pump":
        low, high = number(asset.get("temperature_min_c", 20.0)), number(asset.get("temperature_max_c", 22.0))
        if low is not None and high is not None and low >= high:
            yield ConfigIssue(f"{path}.temperature_max_c", high, f"must be above temperature_min_c, {low:g}")
    elif kind == "flexible_load":
        yield from _machine(path, asset)


def _battery(path: str, asset: dict[str, Any]) -> Iterator[ConfigIssue]:
    model = asset.get("model", "simple")
    for field, owner in _OF_THE_MODEL.items():
        if asset.get(field) is not None and model in ("simple", "physical") and model != owner:
            yield ConfigIssue(f"{path}.{field}", asset[field], f"belongs to model: {owner}; this battery's is {model}")


def _load(path: str, asset: dict[str, Any]) -> Iterator[ConfigIssue]:
    peaks = [_power(asset.get(name)) for name in ("peak_kw", "peak_power", "max_power", "rated_power")]
    peak_kw = next((peak for peak in peaks if peak is not None), None)
    usual = "household" if peak_kw is None or peak_kw <= _LARGEST_HOUSEHOLD_KW else "plant"
    profile = asset.get("profile") or usual
    shares = {name: number(asset.get(name)) for name in ("heating_fraction", "cooling_fraction")}
    for name, share in shares.items():
        if share is not None and profile != "household":
            yield ConfigIssue(f"{path}.{name}", share, f"belongs to profile: household; this load's is {profile}")
    total = sum(share for share in shares.values() if share is not None)
    if total > 1.0:
        yield ConfigIssue(
            f"{path}.heating_fraction", shares["heating_fraction"], "must be at most 1 with cooling_fraction"
        )


def _car(path: str, asset: dict[str, Any], capacity: Any) -> Iterator[ConfigIssue]:
    needed = number(asset.get("energy_per_session_kwh"))
    holds = _USUAL_CAR_KWH if capacity is None else _energy(capacity)
    if needed is not None and holds is not None and needed > holds:
        yield ConfigIssue(
            f"{path}.energy_per_session_kwh", needed, f"must be at most what the car's battery holds, {holds:g} kWh"
        )


def _machine(path: str, asset: dict[str, Any]) -> Iterator[ConfigIssue]:
    energy, power = _energy(asset.get("energy_kwh_per_day")), _power(asset.get("rated_kw"))
    begin, end = number(asset.get("earliest_hour", 0.0)), number(asset.get("latest_hour", 24.0))
    if energy is None or power is None or begin is None or end is None:
        return
    window_h = (end - begin) % 24.0 or 24.0
    if energy > window_h * power:
        most = f"must be at most {window_h:g} h of rated_kw, {window_h * power:g}"
        yield ConfigIssue(f"{path}.energy_kwh_per_day", asset.get("energy_kwh_per_day"), most)


def number(value: Any) -> float | None:
    """Return a finite number of the file, None for anything else."""
    usable = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if usable else None


def _power(value: Any) -> float | None:
    return _quantity(value, parse_power_kw)


def _energy(value: Any) -> float | None:
    return _quantity(value, parse_energy_kwh)


def _quantity(value: Any, parse: Any) -> float | None:
    if not isinstance(value, str):
        return number(value)
    try:
        return number(parse(value))
    except (InvalidInputError, OverflowError):
        return None
