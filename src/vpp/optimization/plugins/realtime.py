"""The real-time rule: frequency, voltage and limits answered in closed form, within microseconds.

Frequency below nominal asks for positive power (discharge), above it for negative power.
"""

from __future__ import annotations

from functools import lru_cache
from time import perf_counter
from typing import ClassVar

from vpp.core.curves import VOLT_VAR_CURVES, VOLT_WATT_CURVES, ResponseCurve, frequency_curve
from vpp.core.errors import InvalidInputError
from vpp.optimization.plugins.plugin import OptimizationPlugin
from vpp.optimization.plugins.problems import Problem, RealtimeCase
from vpp.optimization.plugins.result import OptimizationResult, OptimizationStatus

FULL_RESPONSE_HZ = 0.2
"""Deviation that calls for full power: the FCR of continental Europe (EU 2017/1485, Annex V)."""
DEAD_BAND_60_HZ = 0.036
"""Half dead band at 60 Hz: IEEE 1547-2018."""
OVER_FREQUENCY_SHARE_PER_HZ = 0.4
"""Generation lowered per Hz beyond the full response: 5% droop at 50 Hz (LFSM-O, EU 2016/631 Art. 13)."""
SHEDDING_BELOW = 0.98
"""Share of nominal frequency below which load is shed: 49.0 and 58.8 Hz (EU 2017/2196, Annex)."""
SHEDDING_STEP_HZ, SHEDDING_SHARE, SHEDDING_MOST = 0.2, 0.1, 0.5


class RealtimeRules(OptimizationPlugin):
    """Droop response of the battery, Volt-Watt, limits of the connection, and load shedding in an emergency."""

    name: ClassVar[str] = "realtime_rules"
    kinds: ClassVar[tuple[str, ...]] = ("realtime",)
    bounded_time: ClassVar[bool] = True

    def solve(self, problem: Problem, timeout_ms: float = 5000.0) -> OptimizationResult:  # noqa: ARG002, microseconds
        """Return the set-points; ``confidence`` is the share of the six measurements that was given, not assumed."""
        if not isinstance(problem, RealtimeCase):
            raise InvalidInputError("problem.kind", problem.kind, "realtime")
        began_s = perf_counter()
        solution, cost = respond(problem)
        return OptimizationResult(
            OptimizationStatus.SUCCESS, cost, solution, perf_counter() - began_s, None, None, {}, False, _INFO
        )


_ROUNDING = 1e-9
_INFO = {"method": "droop, volt-watt, limits, shedding by rule"}
_VOLT_WATT, _VOLT_VAR = VOLT_WATT_CURVES["B"], VOLT_VAR_CURVES["B"]


@lru_cache(maxsize=16)
def _droop(nominal_hz: float) -> ResponseCurve:
    """Return FCR of continental Europe, elsewhere of the same shape, at 60 Hz with a wider dead band."""
    fcr = frequency_curve("FCR_CE")
    if nominal_hz == fcr.nominal:
        return fcr
    points = ((nominal_hz - FULL_RESPONSE_HZ, 1.0), (nominal_hz + FULL_RESPONSE_HZ, -1.0))
    dead_band_hz = DEAD_BAND_60_HZ if nominal_hz == 60.0 else fcr.dead_band
    return ResponseCurve(f"{fcr.name} shape", points, nominal_hz, fcr.source, dead_band=dead_band_hz)


def respond(case: RealtimeCase) -> tuple[dict[str, float | bool | str], float | None]:
    """Return the real-time solution and its cost per hour [currency/h], None where no price is known.

    ``battery_power_setpoint`` [kW] is positive when discharging; ``renewable_curtailment`` and ``load_shedding`` [kW]
    are non-negative.
    """
    deviation_hz = case.nominal_hz - case.frequency_hz
    response = _droop(case.nominal_hz)(case.frequency_hz)
    most = case.max_power_kw if case.soc > case.min_soc else 0.0
    least = -case.max_power_kw if case.soc < case.max_soc else 0.0
    power = min(max(case.max_power_kw * response, least), most)
    curtailed = shed = 0.0
    if deviation_hz < -FULL_RESPONSE_HZ:
        share = min(OVER_FREQUENCY_SHARE_PER_HZ * (-deviation_hz - FULL_RESPONSE_HZ), 1.0)
        curtailed = case.renewable_kw * share
    elif case.frequency_hz < SHEDDING_BELOW * case.nominal_hz:
        steps = int((SHEDDING_BELOW * case.nominal_hz - case.frequency_hz) / SHEDDING_STEP_HZ + _ROUNDING) + 1
        shed = case.load_kw * min(SHEDDING_SHARE * steps, SHEDDING_MOST)
    curtailed = max(curtailed, case.renewable_kw * (1.0 - _VOLT_WATT(case.voltage_pu)))
    grid = case.renewable_kw - curtailed - case.load_kw + shed + power
    if grid > case.export_max_kw:
        curtailed, power = _hold_export(case, curtailed, power, grid - case.export_max_kw, least)
    elif -grid > case.import_max_kw:
        lift = min(-grid - case.import_max_kw, most - power)
        power += lift
        shed += min(-grid - lift - case.import_max_kw, case.load_kw - shed)
    grid = case.renewable_kw - curtailed - case.load_kw + shed + power
    solution: dict[str, float | bool | str] = {
        "battery_power_setpoint": power,
        "renewable_curtailment": curtailed,
        "load_shedding": shed,
        "frequency_response_active": response != 0.0,
        "voltage_support_active": _VOLT_VAR(case.voltage_pu) != 0.0,
        "confidence": case.known,
        "method": "rules",
    }
    return solution, None if case.price_per_kwh is None else -grid * case.price_per_kwh


def _hold_export(
    case: RealtimeCase, curtailed: float, power: float, excess: float, least: float
) -> tuple[float, float]:
    """Take an excess off the generation first, then off the battery."""
    more = min(excess, case.renewable_kw - curtailed)
    return curtailed + more, max(power - (excess - more), least)
