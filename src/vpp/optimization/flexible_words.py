"""Why a car, a house or a machine does what it does, in plain English."""

from __future__ import annotations

import numpy as np

from vpp.core.messages.planned import ReasonCode, Schedule
from vpp.optimization.flexible import EvSession
from vpp.optimization.problem import PlanProblem

FLEXIBLE_LIMIT_WORDS = {
    "energy_needed_kwh": "It then has what it needs.",
    "rated_kw": "It cannot draw more.",
    "temperature_min_c": "The house is at the lower edge of its comfort band.",
    "temperature_max_c": "The house is at the upper edge of its comfort band.",
    "portfolio_import_max_kw": "The portfolio can draw no more.",
    "portfolio_export_max_kw": "The portfolio can feed in no more.",
    "reserve": "The rest is held as reserve.",
}


def flexible_lead(
    problem: PlanProblem, schedule: Schedule, code: ReasonCode, *, step: int, column: int, currency: str
) -> str:
    """Return the motive of a flexible asset in words, with the prices that make it."""
    asset_id, site = schedule.asset_ids[column], schedule.asset_site[column]
    power = -float(schedule.power_kw[step, column])
    doing = f"Drawing {power:.3g} kW" if power > 0.0 else "Waiting"
    price = float(schedule.energy_price_per_kwh[step, site])
    here = "" if np.isnan(price) else f" at {price:.3g} {currency} a kWh"
    sell = f"{problem.export_price_per_kwh[step, site]:.3g} {currency}"
    warm = "" if schedule.temperature_c is None else f" ({schedule.temperature_c[step, column]:.3g} degC)"
    leaves = [one for one in problem.ev_sessions if one.asset_id == asset_id and step < one.departure_step]
    by = f" at {problem.grid.time(leaves[0].departure_step):%H:%M} UTC" if leaves else ""
    heated = any(house.asset_id == asset_id for house in problem.heated_houses)
    car = any(isinstance(one, EvSession) and one.asset_id == asset_id for one in problem.goals)
    away = "no car is there." if car else "outside its window."
    full = f"the house is as warm as it may be{warm}." if heated else "it has what it needs."
    words = {
        ReasonCode.CHARGE_SURPLUS: f"from surplus: fed in it would earn {sell} a kWh.",
        ReasonCode.CHARGE_CHEAP: f"now, because no better time is left to it{here}.",
        ReasonCode.EV_DEPARTURE: f"without pause, because the car leaves{by} and needs it all.",
        ReasonCode.DEADLINE: "without pause, because its window ends and it needs it all.",
        ReasonCode.COMFORT: f"to keep the house in its comfort band{warm}.",
        ReasonCode.PREHEAT: f"to heat ahead while energy is cheap{here}{warm}.",
        ReasonCode.DEFERRED: f"for a better time: energy here is dearer{here}.",
        ReasonCode.RUN: "in the run that started where it costs least in all.",
        ReasonCode.NOT_AVAILABLE: away,
        ReasonCode.HOLD_FULL: full,
        ReasonCode.LEAST_VIOLATION: "so that limits are broken as little as possible.",
        ReasonCode.RULE: "as it does when nobody plans it.",
    }
    return f"{doing}{':' if power <= 0.0 else ''} {words.get(code, code.name.lower().replace('_', ' ') + '.')}"
