"""Curves: how grid services answer frequency and voltage. Pure functions of the measured quantity.

Sign: positive is power toward the grid, so under-frequency asks for positive power and under-voltage for positive
(capacitive) reactive power. Values are per unit of the contracted or rated power. A curve whose points rest on memory
says so by ``confirmed=False``.
"""

from vpp.core.curves.frequency import (
    DROOP_CURVES,
    FREQUENCY_CURVES,
    FREQUENCY_TRIGGERS,
    droop_1547,
    droop_curve,
    frequency_curve,
    frequency_trigger,
)
from vpp.core.curves.shape import FrequencyTrigger, ResponseCurve
from vpp.core.curves.voltage import VOLT_VAR_CURVES, VOLT_WATT_CURVES, WATT_VAR_CURVES, volt_watt_curve

__all__ = [
    "DROOP_CURVES",
    "FREQUENCY_CURVES",
    "FREQUENCY_TRIGGERS",
    "VOLT_VAR_CURVES",
    "VOLT_WATT_CURVES",
    "WATT_VAR_CURVES",
    "FrequencyTrigger",
    "ResponseCurve",
    "droop_1547",
    "droop_curve",
    "frequency_curve",
    "frequency_trigger",
    "volt_watt_curve",
]
