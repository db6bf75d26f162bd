"""What a plan's steps would have cost otherwise, and why they are as they are, in plain English.

Alternatives are exact: the other power is forced and the site's program solved again, hot.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np

from vpp.core.messages.planned import Reason, ReasonCode, Schedule
from vpp.core.units import PERCENT
from vpp.optimization.alternatives import alternatives
from vpp.optimization.flexible_words import FLEXIBLE_LIMIT_WORDS, flexible_lead
from vpp.optimization.problem import PlanProblem

__all__ = ["Explanation", "alternatives", "explain", "explanations", "sentence"]

SMALLEST_SAID = 0.005
"""A difference that would be rounded to nothing is called none."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why one asset does what it does in one step.

    Parameters
    ----------
    asset_id : str
        Which asset.
    time : datetime
        Start of the step.
    power_kw : float
        Terminal power planned, positive discharges; NaN without a plan.
    soc : float
        State of charge at the end of the step (0-1); NaN for an asset that stores nothing.
    reason : Reason
        As data, with the cheapest alternative and how much dearer it is; None where that was not computed.
    currency : str
        Of every price and cost.
    words : str
        The same as one to three sentences.
    """

    asset_id: str
    time: datetime
    power_kw: float
    soc: float
    reason: Reason
    currency: str
    words: str

    @property
    def data(self) -> dict[str, Any]:
        """Everything but the words as plain values; None where there is no figure."""
        reason = self.reason
        return {
            "asset": self.asset_id,
            "time": self.time.isoformat().replace("+00:00", "Z"),
            "power_kw": _known(self.power_kw),
            "soc": _known(self.soc),
            "code": reason.code.name.lower(),
            "limit": reason.limit,
            "marginal_value_per_kwh": reason.marginal_value_per_kwh,
            "alternative_power_kw": reason.alternative_power_kw,
            "alternative_cost": reason.alternative_cost,
            "currency": self.currency,
        }


def _known(value: float) -> float | None:
    """Return a figure, None for NaN."""
    return None if np.isnan(value) else float(value)


def explain(
    problem: PlanProblem,
    schedule: Schedule,
    asset_id: str,
    time: datetime,
    currency: str,
    *,
    time_limit_s: float = 30.0,
) -> Explanation:
    """Return why an asset does what it does at a time, in words and as data, with the cost of the alternative.

    Parameters
    ----------
    problem, schedule : PlanProblem, Schedule
        A schedule, and the problem it was made for.
    asset_id, time : str, datetime
        Which asset, and any moment of the step; aware.
    currency : str
        Code of the prices, e.g. ``USD``.
    time_limit_s : float
        For the alternative, which is solved exactly; past it, it is left out.

    Raises
    ------
    UnknownNameError, InvalidInputError
        For an asset or a time that the schedule does not have.
    """
    pair = (schedule.grid.index(time), schedule.column(asset_id))
    return explanations(problem, schedule, currency, pairs=[pair], time_limit_s=time_limit_s)[0]


def explanations(
    problem: PlanProblem,
    schedule: Schedule,
    currency: str,
    *,
    pairs: Sequence[tuple[int, int]] | None = None,
    most: int = 2000,
    time_limit_s: float = 30.0,
) -> tuple[Explanation, ...]:
    """Return why assets do what they do, step by step; parameters as for ``alternatives``.

    Steps beyond ``most`` or past the time limit are explained too, without an alternative.
    """
    chosen = list(pairs) if pairs is not None else [(int(s), int(a)) for s, a in np.ndindex(*schedule.power_kw.shape)]
    powers, costs = alternatives(problem, schedule, pairs=chosen, most=most, time_limit_s=time_limit_s)
    found = []
    for step, column in chosen:
        asset_id, other_kw, cost = schedule.asset_ids[column], _known(powers[step, column]), _known(costs[step, column])
        reason = replace(schedule.reason(asset_id, step), alternative_power_kw=other_kw, alternative_cost=cost)
        power_kw, soc = float(schedule.power_kw[step, column]), float(schedule.soc[step, column])
        words = sentence(
            problem,
            schedule,
            asset_id,
            step,
            currency=currency,
            alternative_power_kw=other_kw,
            alternative_cost=cost,
        )
        found.append(Explanation(asset_id, schedule.grid.time(step), power_kw, soc, reason, currency, words))
    return tuple(found)


_LIMIT_WORDS = {
    "soc_max": "It stops at its upper charge level.",
    "soc_min": "It stops at its lower charge level.",
    "charge_max_kw": "It cannot charge faster.",
    "discharge_max_kw": "It cannot discharge faster.",
    "import_max_kw": "The connection can draw no more.",
    "export_max_kw": "The connection can feed in no more.",
    "backup_soc": "It stops at the reserve kept for outages.",
} | FLEXIBLE_LIMIT_WORDS


def sentence(
    problem: PlanProblem,
    schedule: Schedule,
    asset_id: str,
    step: int,
    *,
    currency: str,
    alternative_power_kw: float | None = None,
    alternative_cost: float | None = None,
) -> str:
    """Return why an asset does what it does in a step, as one to three sentences.

    Parameters
    ----------
    problem, schedule : PlanProblem, Schedule
        A schedule with a plan, and the problem it was made for.
    asset_id, step : str, int
        Which asset and step.
    currency : str
        Code of the prices, e.g. ``USD``.
    alternative_power_kw, alternative_cost : float, optional
        From ``alternatives``; None or NaN leaves that sentence out.

    Raises
    ------
    UnknownNameError, InvalidInputError
        For an asset or a step that the schedule does not have.
    """
    reason = schedule.reason(asset_id, step)
    column = schedule.column(asset_id)
    if np.isnan(schedule.power_kw[step, column]):
        return f"There is no plan: {schedule.message}."
    words = [_lead(problem, schedule, reason.code, step=step, column=column, currency=currency)]
    if schedule.power_kw[step, column] != 0.0 and reason.limit in _LIMIT_WORDS:
        words.append(_LIMIT_WORDS[reason.limit])
    if alternative_power_kw is not None and alternative_cost is not None and np.isfinite(alternative_cost):
        more = "the same" if alternative_cost < SMALLEST_SAID else f"{alternative_cost:.2f} {currency} more"
        words.append(f"{_action(alternative_power_kw)} instead would cost {more}.")
    return " ".join(words)


def _action(power_kw: float) -> str:
    """Return a power as a verb: positive discharges."""
    if power_kw == 0.0:
        return "Holding"
    return f"{'Discharging' if power_kw > 0.0 else 'Charging'} {abs(power_kw):.3g} kW"


def _lead(problem: PlanProblem, schedule: Schedule, code: ReasonCode, *, step: int, column: int, currency: str) -> str:
    """Return the motive in words, with the prices that make it."""
    if column >= len(problem.batteries):
        return flexible_lead(problem, schedule, code, step=step, column=column, currency=currency)
    site = problem.battery_site[column]
    doing = _action(float(schedule.power_kw[step, column]))
    value = f"{schedule.marginal_value_per_kwh[step, column]:.3g} {currency}"
    here = f"{schedule.energy_price_per_kwh[step, site]:.3g} {currency}"
    buy = f"{problem.import_price_per_kwh[step, site]:.3g} {currency}"
    sell = f"{problem.export_price_per_kwh[step, site]:.3g} {currency}"
    level = f"{PERCENT * schedule.soc[step, column]:.0f}%"
    sold = f"{problem.committed_kw[step, site]:.4g} kW"
    miss = f"{problem.imbalance_spread_per_kwh:.3g} {currency}"
    words = {
        ReasonCode.CHARGE_SURPLUS: f"from surplus: a kWh stored is worth {value} later; fed in it would earn {sell}.",
        ReasonCode.CHARGE_CHEAP: f"while energy is cheap: a kWh drawn costs {buy}; stored it is worth {value} later.",
        ReasonCode.DISCHARGE_LOAD: f"to cover consumption: a kWh drawn would cost {buy}; kept it is worth {value}.",
        ReasonCode.DISCHARGE_EXPORT: f"into the grid: a kWh fed in earns {sell}; kept it is worth {value}.",
        ReasonCode.FOLLOW_COMMITMENT: f"to deliver the {sold} sold ahead: a kWh missed costs {miss}.",
        ReasonCode.LEAST_VIOLATION: "so that the connection limits are broken as little as possible.",
        ReasonCode.RULE: "by the rule of cheap and dear hours.",
        ReasonCode.HOLD_FULL: f"at {level}: the battery is full, though a kWh more would be worth storing.",
        ReasonCode.HOLD_EMPTY: f"at {level}: the battery is empty, though a kWh here is worth {here}.",
        ReasonCode.HOLD: f"at {level}: a kWh kept is worth {value} later, one used now {here} before losses and wear.",
        ReasonCode.HOLD_NO_SPREAD: f"at {level}: a kWh here is worth {here}, stored {value}: too little for losses.",
        ReasonCode.KEEP_BACKUP: f"at {level}: the reserve kept for outages comes first.",
        ReasonCode.RESERVE: f"at {level}: what it could do is promised as reserve.",
    }
    return f"{doing} {words.get(code, code.name.lower().replace('_', ' ') + '.')}"
