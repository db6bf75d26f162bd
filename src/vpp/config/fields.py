"""Field types shared by the shapes of a plant file, each with its range in words.

Invariant: whatever is wrong with a value, the finding says what it must be, with the range.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from datetime import time
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
    WrapValidator,
)

from vpp.core.errors import InvalidInputError, UnknownNameError, nearest_names
from vpp.core.time import check_resolution, parse_duration_s, zone
from vpp.core.units import (
    PERCENT,
    SECONDS_PER_DAY,
    SECONDS_PER_HOUR,
    fraction_from_percent,
    parse_energy_kwh,
    parse_power_kw,
)

SHORTEST_STEP_S = 60
LONGEST_STEP_S = SECONDS_PER_HOUR
LONGEST_HORIZON_S = 14 * SECONDS_PER_DAY
LONGEST_CADENCE_S = 366 * SECONDS_PER_DAY
LONGEST_SLUG = 63
STRATEGIES = ("linear", "auto", "pulp", "rule", "no_battery")
LATER_STRATEGIES = ("stochastic", "cvar", "robust", "mpc", "distributed", "admm")
"""Methods of ``vpp.optimization`` that a plant file cannot name yet; the linear plan is used, with a warning."""

_NOT_SLUG = re.compile(r"[^a-z0-9_-]+")
_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)(?::00)?")
_MINUTES_PER_DAY = 24 * 60


class Model(BaseModel):
    """A section of the file: frozen, and unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, allow_inf_nan=False)


def said(words: str, *, hint: Callable[[Any], str] | None = None) -> WrapValidator:
    """Return a validator that says in words what a value must be, whatever is wrong with it; true is no number."""

    def read(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
        try:
            if not isinstance(value, bool):
                return handler(value)
        except ValidationError as fault:
            raise ValueError(f"must be {words}{hint(value) if hint else ''}") from fault
        raise ValueError(f"must be {words}")

    return WrapValidator(read)


def _text_read_by(parse: Callable[[str], float]) -> BeforeValidator:
    def read(value: Any) -> Any:
        try:
            return parse(value) if isinstance(value, str) else value
        except (InvalidInputError, OverflowError) as fault:
            raise ValueError("unreadable") from fault

    return BeforeValidator(read)


def _planned_resolution(value: int) -> int:
    check_resolution(value)
    if not SHORTEST_STEP_S <= value <= LONGEST_STEP_S:
        raise ValueError("outside 1min to 1h")
    return value


def _strategy(value: str) -> str:
    if value not in STRATEGIES and value not in LATER_STRATEGIES:
        near = nearest_names(value, (*STRATEGIES, *LATER_STRATEGIES))
        hint = f"; did you mean {', '.join(near)}" if near else ""
        raise ValueError(f"must be one of {', '.join(STRATEGIES)}{hint}")
    return value


def _clock(value: Any) -> Any:
    # YAML 1.1 reads an unquoted 13:00 as the sexagesimal number 780: minutes of the day
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _MINUTES_PER_DAY:
        return time(*divmod(value, 60))
    match = _CLOCK.fullmatch(value) if isinstance(value, str) else None
    if match is not None:
        return time(int(match.group(1)), int(match.group(2)))
    if isinstance(value, time) and value.tzinfo is None and not value.second and not value.microsecond:
        return value
    raise ValueError("unreadable")


def _zone_name(value: str) -> str:
    try:
        zone(value)
    except UnknownNameError as fault:
        near = f"did you mean {', '.join(fault.nearest)}" if fault.nearest else "e.g. Europe/Amsterdam"
        raise ValueError(f"must be an IANA time zone; {near}") from fault
    return value


def _percent_hint(value: Any) -> str:
    if not isinstance(value, (int, float)) or not 1.0 < float(value) <= PERCENT:
        return ""
    return f"; for {value:g} % write {fraction_from_percent(value):g}"


def slug(text: str) -> str:
    """Return a lower-case slug of a display name, at most 63 characters long.

    >>> slug("Battery Storage 1"), slug("Très _grand_")
    ('battery-storage-1', 'tres-_grand')
    """
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return _NOT_SLUG.sub("-", plain).strip("-_")[:LONGEST_SLUG].strip("-_") or "unnamed"


def _number_or_text(minimum: str, low: float, example: str) -> WithJsonSchema:
    number = {"type": "number", minimum: low}
    return WithJsonSchema({"anyOf": [number, {"type": "string", "examples": [example]}]})


def _seconds_or_text(low_s: int, high_s: int) -> WithJsonSchema:
    seconds = {"type": "integer", "minimum": low_s, "maximum": high_s}
    text = {"type": "string", "pattern": r"^\s*\d+(\.\d+)?\s*(s|sec|min|m|h|d)\s*$"}
    return WithJsonSchema({"anyOf": [seconds, text]})


PowerKw = Annotated[
    float,
    _text_read_by(parse_power_kw),
    Field(ge=0.0),
    said("a power of 0 or more: a number [kW] or a text such as '5 kW'"),
    _number_or_text("minimum", 0.0, "5 kW"),
]
EnergyKwh = Annotated[
    float,
    _text_read_by(parse_energy_kwh),
    Field(ge=1e-9),
    said("an energy above 0: a number [kWh] or a text such as '20 kWh'"),
    _number_or_text("exclusiveMinimum", 0.0, "20 kWh"),
]
DailyEnergyKwh = Annotated[
    float,
    _text_read_by(parse_energy_kwh),
    Field(ge=0.0),
    said("an energy of 0 or more: a number [kWh] or a text such as '8 kWh'"),
    _number_or_text("minimum", 0.0, "8 kWh"),
]
Fraction = Annotated[float, Field(ge=0.0, le=1.0), said("a fraction, 0 to 1", hint=_percent_hint)]
Efficiency = Annotated[float, Field(ge=1e-6, le=1.0), said("an efficiency, above 0 (1e-6) to 1", hint=_percent_hint)]
Cop = Annotated[float, Field(ge=0.1, le=20.0), said("a coefficient of performance, 0.1 to 20")]
Price = Annotated[float, Field(ge=-100.0, le=100.0), said("a price [currency/kWh], -100 to 100")]
Cost = Annotated[float, Field(ge=0.0, le=100.0), said("a cost [currency/kWh], 0 to 100")]
TaxFraction = Annotated[float, Field(ge=0.0, le=2.0), said("a tax as a fraction, 0 to 2")]
Degrees90 = Annotated[float, Field(ge=-90.0, le=90.0), said("degrees, -90 to 90")]
Degrees180 = Annotated[float, Field(ge=-180.0, le=180.0), said("degrees, -180 to 180")]
SolverTimeoutS = Annotated[float, Field(gt=0.0, le=3600.0), said("seconds, above 0 to 3600")]
HorizonS = Annotated[
    int,
    _text_read_by(parse_duration_s),
    Field(ge=SHORTEST_STEP_S, le=LONGEST_HORIZON_S),
    said("a duration of 1min to 14d, such as 36h, or whole seconds"),
    _seconds_or_text(SHORTEST_STEP_S, LONGEST_HORIZON_S),
]
CadenceS = Annotated[
    int,
    _text_read_by(parse_duration_s),
    Field(ge=SHORTEST_STEP_S, le=LONGEST_CADENCE_S),
    said("a duration of 1min to 366d, such as 15min, or whole seconds"),
    _seconds_or_text(SHORTEST_STEP_S, LONGEST_CADENCE_S),
]
ResolutionS = Annotated[
    int,
    _text_read_by(parse_duration_s),
    AfterValidator(_planned_resolution),
    said("a duration of 1min to 1h that divides a day, such as 5min, 15min, 30min or 1h"),
    _seconds_or_text(SHORTEST_STEP_S, LONGEST_STEP_S),
]
StrategyName = Annotated[str, AfterValidator(_strategy)]
ClockTime = Annotated[
    time,
    BeforeValidator(_clock),
    said('a local time of day in quotes, "00:00" to "23:59"'),
    WithJsonSchema({"type": "string", "pattern": r"^([01]?\d|2[0-3]):[0-5]\d$", "examples": ["13:00"]}),
]
ZoneName = Annotated[str, AfterValidator(_zone_name), Field(description="an IANA time zone, e.g. Europe/Amsterdam")]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
_FileName = Annotated[str, Field(min_length=1)]
FileNames = Annotated[
    _FileName | Annotated[tuple[_FileName, ...], Field(min_length=1)],
    said("a file name or a list of file names"),
]
Switch = StrictBool
Slug = Annotated[
    str,
    Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$", description="a lower-case slug of letters, digits, '-' and '_'"),
]
