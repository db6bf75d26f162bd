"""Meter values of a charger into the house's units and sign: what a car draws is negative.

Import is what flows to the car, so ``power_kw`` is export less import. Phases are added up where no total is told.
Source: OCPP 1.6 edition 2, sections 7.31 to 7.44; OCPP 2.0.1 part 2, MeterValueType, SampledValueType.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import isfinite
from typing import Any

from vpp.core.errors import InvalidInputError
from vpp.core.messages import POWER_KW, SOC
from vpp.core.time import parse_time
from vpp.core.units import fraction_from_percent, kw_from_w
from vpp.edge.drivers.metrics import ENERGY_EXPORT_KWH, ENERGY_IMPORT_KWH

OLDEST = timedelta(days=7)
"""How long a charger may have kept a value while it was offline."""
AHEAD = timedelta(minutes=1)
_LARGEST_MULTIPLIER = 12
_DEFAULT_MEASURAND = "Energy.Active.Import.Register"
_MEASURANDS = (
    "Power.Active.Import",
    "Power.Active.Export",
    _DEFAULT_MEASURAND,
    "Energy.Active.Export.Register",
    "SoC",
)
_PHASES = {"L1": 1, "L1-N": 1, "L2": 2, "L2-N": 2, "L3": 3, "L3-N": 3}
_KILO_OF_ONE = {"W": kw_from_w(1.0), "kW": 1.0, "Wh": kw_from_w(1.0), "kWh": 1.0}
_SOC_UNITS = ("Percent", "%")


@dataclass(frozen=True, slots=True)
class MeterSample:
    """What a charger measured at one moment, by metric, in the house's units and sign."""

    time: datetime
    values: Mapping[str, float]


def samples(told: Sequence[Mapping[str, Any]], *, arrived: datetime) -> tuple[list[MeterSample], list[str]]:
    """Return what meter values say, and in words what had to be left out.

    Parameters
    ----------
    told : sequence of mapping
        The ``meterValue`` list of either version, with its keys in snake case.
    arrived : datetime
        When it came; a time far from it is no time.
    """
    made: list[MeterSample] = []
    faults: list[str] = []
    for one in told:
        try:
            at = _time(str(one.get("timestamp")), arrived)
        except InvalidInputError as fault:
            faults.append(str(fault))
            continue
        values = _values(one.get("sampled_value") or (), faults)
        if values:
            made.append(MeterSample(at, values))
    return made, faults


def _time(text: str, arrived: datetime) -> datetime:
    at = parse_time(text, field="timestamp")
    if not arrived - OLDEST <= at <= arrived + AHEAD:
        raise InvalidInputError("timestamp", text, f"within {OLDEST.days} days before {arrived.isoformat()}")
    return at


def _values(sampled: Sequence[Mapping[str, Any]], faults: list[str]) -> dict[str, float]:
    totals: dict[str, float] = {}
    phases: dict[str, dict[int, float]] = {}
    for one in sampled:
        measurand = one.get("measurand") or _DEFAULT_MEASURAND
        phase = one.get("phase")
        if measurand not in _MEASURANDS or (phase is not None and phase not in _PHASES):
            continue
        if measurand != "SoC" and one.get("location") not in (None, "Outlet"):
            continue
        try:
            value = _number(one, measurand)
        except InvalidInputError as fault:
            faults.append(str(fault))
            continue
        if phase is None:
            totals[measurand] = value
        else:
            phases.setdefault(measurand, {})[_PHASES[phase]] = value
    found = {measurand: sum(by_phase.values()) for measurand, by_phase in phases.items()} | totals
    return _in_the_house(found)


def _in_the_house(found: Mapping[str, float]) -> dict[str, float]:
    values: dict[str, float] = {}
    drawn, fed = found.get("Power.Active.Import"), found.get("Power.Active.Export")
    if drawn is not None or fed is not None:
        values[POWER_KW] = (fed or 0.0) - (drawn or 0.0)
    for measurand, metric in (
        ("SoC", SOC),
        (_DEFAULT_MEASURAND, ENERGY_IMPORT_KWH),
        ("Energy.Active.Export.Register", ENERGY_EXPORT_KWH),
    ):
        if measurand in found:
            values[metric] = found[measurand]
    return values


def _number(one: Mapping[str, Any], measurand: str) -> float:
    if one.get("format") == "SignedData":
        raise InvalidInputError(measurand, "signed data", "a plain number; set the charger to send raw values")
    try:
        value = float(one["value"])
    except (KeyError, TypeError, ValueError) as fault:
        raise InvalidInputError(measurand, one.get("value"), "a number") from fault
    unit, multiplier = _unit(one)
    if not -_LARGEST_MULTIPLIER <= multiplier <= _LARGEST_MULTIPLIER:
        raise InvalidInputError(f"{measurand}.multiplier", multiplier, f"at most {_LARGEST_MULTIPLIER} either way")
    value *= 10.0**multiplier
    if measurand == "SoC":
        if unit not in (None, *_SOC_UNITS) or not 0.0 <= value <= 100.0:
            raise InvalidInputError(measurand, f"{value:g} {unit}", "0 to 100 Percent")
        return fraction_from_percent(value)
    default = "W" if measurand.startswith("Power") else "Wh"
    kilo = _KILO_OF_ONE.get(unit or default)
    if kilo is None or (unit or default).endswith("h") != default.endswith("h"):
        raise InvalidInputError(f"{measurand}.unit", unit, f"{default} or k{default}")
    if not (isfinite(value) and value >= 0.0):
        raise InvalidInputError(measurand, value, f"0 or more [{unit or default}]; the other direction is told apart")
    return value * kilo


def _unit(one: Mapping[str, Any]) -> tuple[str | None, int]:
    measure = one.get("unit_of_measure")
    if isinstance(measure, Mapping):
        return measure.get("unit"), int(measure.get("multiplier") or 0)
    return one.get("unit"), 0
