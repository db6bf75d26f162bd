"""Messages: the only things that pass between engines. Each is a frozen value; bulk travels as columns."""

from vpp.core.messages.acted import Ack, AckStatus, Award, Command, Event, Offer, Severity
from vpp.core.messages.judged import DAY_AHEAD, FOLD, MEMBER, ROLLING, Champion, ForecastScore
from vpp.core.messages.measured import (
    CARBON_KG_PER_KWH,
    EXPORT_PRICE_PER_KWH,
    MARKET,
    POWER_FORECAST_KW,
    POWER_KW,
    PRICE_PER_KWH,
    SOC,
    Forecast,
    Quality,
    Reading,
    Readings,
    SeriesKey,
)
from vpp.core.messages.planned import Conflict, PlanStatus, Reason, ReasonCode, Schedule

__all__ = [
    "CARBON_KG_PER_KWH",
    "DAY_AHEAD",
    "EXPORT_PRICE_PER_KWH",
    "FOLD",
    "MARKET",
    "MEMBER",
    "POWER_FORECAST_KW",
    "POWER_KW",
    "PRICE_PER_KWH",
    "ROLLING",
    "SOC",
    "Ack",
    "AckStatus",
    "Award",
    "Champion",
    "Command",
    "Conflict",
    "Event",
    "Forecast",
    "ForecastScore",
    "Offer",
    "PlanStatus",
    "Quality",
    "Reading",
    "Readings",
    "Reason",
    "ReasonCode",
    "Schedule",
    "SeriesKey",
    "Severity",
]
