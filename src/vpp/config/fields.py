"""Field types shared by the shapes of a plant file, each with its range in words."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import time
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from vpp.core.errors import InvalidInputError, UnknownNameError, nearest_names
from vpp.core.time import check_resolution, parse_duration_s, zone
from vpp.core.units import parse_energy_kwh, parse_power_kw

LONGEST_STEP_S = 3600
STRATEGIES = ("linear", "rule", "no_battery")
LATER_STRATEGIES = ("stochastic", "cvar", "robust", "mpc", "distributed", "admm")
"""Strategies that are announced but not built; the linear plan is used, with a warning."""

_NOT_SLUG = re.compile(r"[^a-z0-9_-]+")


class Model(BaseModel):
    """A section of the file: frozen, and unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, allow_inf_nan=False)


def _text_read_by(parse: Callable[[str], float]) -> BeforeValidator:
    def read(value: Any) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return parse(value)
        except InvalidInputError as fault:
            raise ValueError(fault.expected) from fault

    return BeforeValidator(read)


def _planned_resolution(value: int) -> int:
    try:
        check_resolution(value)
    except InvalidInputError as fault:
        raise ValueError(fault.expected) from fault
    if value > LONGEST_STEP_S:
        raise ValueError("at most 1h")
    return value


def _strategy(value: str) -> str:
    if value not in STRATEGIES and value not in LATER_STRATEGIES:
        raise ValueError(f"a known strategy; did you mean {', '.join(nearest_names(value, STRATEGIES) or STRATEGIES)}")
    return value


def _clock(value: Any) -> Any:
    # YAML 1.1 reads an unquoted 13:00 as the sexagesimal number 780: minutes of the day
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 24 * 60:
        return time(value // 60, value % 60)
    return value


def _zone_name(value: Any) -> Any:
    if isinstance(value, str):
        try:
            zone(value)
        except UnknownNameError as fault:
            near = ", ".join(fault.nearest) or "an IANA name such as Europe/Amsterdam"
            raise ValueError(f"a known time zone; nearest: {near}") from fault
    return value


def slug(text: str) -> str:
    """Return a lower-case slug of a display name.

    >>> slug("Battery Storage 1")
    'battery-storage-1'
    """
    return _NOT_SLUG.sub("-", text.strip().lower()).strip("-") or "unnamed"


PowerKw = Annotated[float, _text_read_by(parse_power_kw), Field(ge=0.0, description="power [kW], 0 or more")]
EnergyKwh = Annotated[float, _text_read_by(parse_energy_kwh), Field(gt=0.0, description="energy [kWh], above 0")]
Fraction = Annotated[float, Field(ge=0.0, le=1.0, description="a fraction, 0 to 1")]
Efficiency = Annotated[float, Field(gt=0.0, le=1.0, description="an efficiency, above 0 to 1")]
Price = Annotated[float, Field(ge=-100.0, le=100.0, description="a price [currency/kWh], -100 to 100")]
Cost = Annotated[float, Field(ge=0.0, le=100.0, description="a cost [currency/kWh], 0 to 100")]
DurationS = Annotated[int, _text_read_by(parse_duration_s), Field(gt=0, description="a duration such as 36h or 15min")]
ResolutionS = Annotated[DurationS, AfterValidator(_planned_resolution)]
StrategyName = Annotated[str, AfterValidator(_strategy)]
ClockTime = Annotated[time, BeforeValidator(_clock), Field(description="a local time of day such as 13:00")]
ZoneName = Annotated[str, BeforeValidator(_zone_name), Field(description="an IANA time zone, e.g. Europe/Amsterdam")]
Slug = Annotated[
    str,
    Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$", description="a lower-case slug of letters, digits, '-' and '_'"),
]
