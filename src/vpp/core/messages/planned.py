"""What is planned, and why: schedules with a reason on every step.

A schedule holds columns over steps and assets; its reasons are made when asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, StrEnum

import numpy as np
from numpy.typing import NDArray

from vpp.core.errors import InvalidInputError, UnknownNameError
from vpp.core.time import TimeGrid

Floats = NDArray[np.float64]


class PlanStatus(StrEnum):
    """How a plan came about. FEASIBLE keeps every limit and claims no least cost; all but OPTIMAL say why."""

    OPTIMAL = "optimal"
    FEASIBLE = "feasible"
    INFEASIBLE = "infeasible"
    FALLBACK_USED = "fallback_used"
    TIMEOUT = "timeout"
    FAILED = "failed"


class ReasonCode(IntEnum):
    """Why an asset does what it does in a step. The name is the wire form, in lower case."""

    HOLD = 0
    HOLD_NO_SPREAD = 1
    HOLD_FULL = 2
    HOLD_EMPTY = 3
    CHARGE_SURPLUS = 4
    CHARGE_CHEAP = 5
    DISCHARGE_LOAD = 6
    DISCHARGE_EXPORT = 7
    FOLLOW_COMMITMENT = 8
    KEEP_BACKUP = 9
    LEAST_VIOLATION = 10
    RULE = 11
    EV_DEPARTURE = 12
    DEADLINE = 13
    COMFORT = 14
    PREHEAT = 15
    DEFERRED = 16
    RUN = 17
    NOT_AVAILABLE = 18
    RESERVE = 19


@dataclass(frozen=True, slots=True)
class Reason:
    """Why one asset does what it does in one step.

    Parameters
    ----------
    code : ReasonCode
        The motive.
    limit : str
        The limit that binds, e.g. ``soc_max``, ``discharge_max_kw``, ``export_max_kw``; ``none`` when none does.
    marginal_value_per_kwh : float or None
        Worth of one more kWh stored in the asset at the end of the step [currency/kWh].
    alternative_power_kw : float or None
        What the asset could have done instead (positive discharges).
    alternative_cost : float or None
        How much dearer the whole plan would be had the alternative been forced [currency]; None when not computed.
    """

    code: ReasonCode
    limit: str
    marginal_value_per_kwh: float | None
    alternative_power_kw: float | None = None
    alternative_cost: float | None = None


@dataclass(frozen=True, slots=True)
class Conflict:
    """A limit that cannot hold together with the others, and by how much it was missed in the nearest plan."""

    name: str
    time: datetime
    violation_kw: float
    message: str


@dataclass(frozen=True, slots=True)
class Schedule:
    """A plan: what every controllable asset does in every step, and why.

    Parameters
    ----------
    plant : str
        Plant id.
    issued_at : datetime
        Moment of decision.
    grid : TimeGrid
        The T steps planned.
    status : PlanStatus
        How it came about.
    objective : float or None
        Cost of the horizon it claims [currency]: the sum of ``parts``; None without a plan.
    parts : mapping of str to float
        ``energy_cost``, ``wear_cost``, ``imbalance_cost``, ``penalty_cost`` and ``terminal_value`` (subtracted), and
        where the problem has such: ``shortfall_cost`` (energy missing in cars and deferrable loads),
        ``discomfort_cost`` (houses outside their band), ``demand_charge_cost`` (on the peak above the one already
        reached), ``carbon_cost`` and ``reserve_revenue`` (subtracted) [currency].
    asset_ids, site_ids : tuple of str
        The A controllable assets and the S sites, naming the columns below; batteries first, then charging points,
        deferrable loads, heat pumps and runs, which only consume.
    asset_site : tuple of int
        Site index of each asset.
    power_kw : float array, shape (T, A)
        Terminal power; positive discharges.
    soc : float array, shape (T, A)
        State of charge at the END of each step (0-1); NaN for assets that store nothing.
    import_kw, export_kw : float arrays, shape (T, S)
        Meter exchange, non-negative.
    curtailed_kw : float array, shape (T, S)
        Generation left unused, non-negative.
    marginal_value_per_kwh : float array, shape (T, A)
        Worth of one more kWh stored at the end of the step: in the battery, in the car (or served to the load), as heat
        in the house; NaN when not known.
    energy_price_per_kwh : float array, shape (T, S)
        Worth of one more kWh at the meter's bus in the step; NaN when not known.
    code : int array, shape (T, A)
        ``ReasonCode`` of each step.
    limit : object array of str, shape (T, A)
        The limit that binds.
    method : str
        What solved it.
    message : str
        Why it is not optimal, and which goals it misses, in words; empty when there is nothing to say.
    solve_time_s : float
        Time spent.
    bound : float or None
        Proven lower bound of the cost of any plan [currency], without the exclusion of opposite directions and of
        runs that start in parts;
        None when nothing was proven.
    conflicts : tuple of Conflict
        For an infeasible input: the limits that clash.
    least_violation : Schedule or None
        For an infeasible input: the plan that breaks the limits least.
    reserve_up_kw, reserve_down_kw : float array, shape (T, A), or None
        Power held ready; None without reserve.
    temperature_c : float array, shape (T, A), or None
        Of the house at the end of each step, NaN for what is no heat pump; None without one.
    goals_missed : mapping of str to float
        ``<asset>.energy_kwh`` and ``<asset>.comfort_kh`` [K h]: by how much a goal is missed, above 0; empty when all
        are met. Missing a goal at its price is no violation: the status stays.
    """

    plant: str
    issued_at: datetime
    grid: TimeGrid
    status: PlanStatus
    objective: float | None
    parts: Mapping[str, float]
    asset_ids: tuple[str, ...]
    site_ids: tuple[str, ...]
    asset_site: tuple[int, ...]
    power_kw: Floats
    soc: Floats
    import_kw: Floats
    export_kw: Floats
    curtailed_kw: Floats
    marginal_value_per_kwh: Floats
    energy_price_per_kwh: Floats
    code: NDArray[np.int64]
    limit: NDArray[np.object_]
    method: str
    message: str = ""
    solve_time_s: float = 0.0
    bound: float | None = None
    conflicts: tuple[Conflict, ...] = ()
    least_violation: Schedule | None = None
    reserve_up_kw: Floats | None = None
    reserve_down_kw: Floats | None = None
    temperature_c: Floats | None = None
    goals_missed: Mapping[str, float] = field(default_factory=dict)

    @property
    def usable(self) -> bool:
        """True when there is a plan to execute."""
        return self.status in (PlanStatus.OPTIMAL, PlanStatus.FEASIBLE, PlanStatus.FALLBACK_USED)

    def column(self, asset_id: str) -> int:
        """Return the column of an asset; an unknown id names the nearest."""
        if asset_id not in self.asset_ids:
            raise UnknownNameError("controllable asset", asset_id, self.asset_ids)
        return self.asset_ids.index(asset_id)

    def reason(self, asset_id: str, step: int) -> Reason:
        """Return why an asset does what it does in a step, without the alternative's cost."""
        column = self.column(asset_id)
        if not 0 <= step < self.grid.count:
            raise InvalidInputError("step", step, f"0 to {self.grid.count - 1}")
        value = float(self.marginal_value_per_kwh[step, column])
        return Reason(
            ReasonCode(int(self.code[step, column])),
            str(self.limit[step, column]),
            None if np.isnan(value) else value,
        )

    def explain(self, asset_id: str, time: datetime) -> tuple[str, Reason]:
        """Return why an asset does what it does at a time, in a sentence and as data.

        ``vpp.optimization.explain`` adds, from the problem behind the plan, prices and what another power would cost.
        """
        step = self.grid.index(time)
        reason = self.reason(asset_id, step)
        power_kw = float(self.power_kw[step, self.column(asset_id)])
        if np.isnan(power_kw):
            return f"{asset_id} has no plan: {self.message or self.status}.", reason
        does = "holds" if power_kw == 0.0 else f"{'gives' if power_kw > 0.0 else 'takes'} {abs(power_kw):.3g} kW"
        words = [f"{asset_id} {does} ({reason.code.name.lower().replace('_', ' ')})"]
        if reason.limit != "none":
            words.append(f"{reason.limit} binds")
        if reason.marginal_value_per_kwh is not None:
            words.append(f"one more kWh in it would be worth {reason.marginal_value_per_kwh:.3g}")
        return "; ".join(words) + ".", reason
