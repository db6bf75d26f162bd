"""An aggregator's bid of energy and regulation, over resources that share nothing but a form.

Every resource, battery, car, thermostat load or chain of industrial stages, is a store in standard form:
``E after = retention * E + gain @ charge - drain @ discharge + drift``. The bid of each hour is an energy and a
regulation capacity; the signal takes known values with known chances, and at each of them the resources together
follow ``energy bid + signal * regulation bid``. At full signal, either way, each store must last the sustain time.
Source: Chen, Lyu, Guo and Su, Applied Energy 361 (2024) 122876, doi:10.1016/j.apenergy.2024.122876.
"""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from vpp.core.errors import SeriesMismatchError
from vpp.core.messages.planned import PlanStatus
from vpp.optimization.problem import Floats
from vpp.optimization.regulation_problem import RegulationMarket, Resources
from vpp.optimization.solver import SolveStatus
from vpp.optimization.sparse_program import Entries, ProgramSolver, SparseProgram, compress

_STATUS = {
    SolveStatus.OPTIMAL: PlanStatus.OPTIMAL,
    SolveStatus.INFEASIBLE: PlanStatus.INFEASIBLE,
    SolveStatus.TIME_LIMIT: PlanStatus.TIMEOUT,
}


@dataclass(frozen=True, slots=True, eq=False)
class RegulationBid:
    """What to offer.

    Parameters
    ----------
    status : PlanStatus
        OPTIMAL; INFEASIBLE, TIMEOUT or FAILED without a bid, every figure then NaN.
    energy_kw, regulation_kw : float arrays, shape (T,)
        Bids of each hour; positive energy sells, regulation is 0 or more.
    profit : float
        Expected, of all hours [currency].
    power_kw : float array, shape (N, T)
        Expected terminal power of each resource, positive discharges.
    energy_kwh : float array, shape (N, T)
        Expected store at the end of each hour.
    message : str
        Why there is none; empty when there is.
    solve_time_s : float
        Time spent.
    """

    status: PlanStatus
    energy_kw: Floats
    regulation_kw: Floats
    profit: float
    power_kw: Floats
    energy_kwh: Floats
    message: str
    solve_time_s: float


def bid_energy_and_regulation(
    resources: Resources, market: RegulationMarket, *, as_published: bool = False, time_limit_s: float = 60.0
) -> RegulationBid:
    """Return the bid of greatest expected profit, by the interior point.

    Parameters
    ----------
    resources, market : Resources, RegulationMarket
        Over the same T hours.
    as_published : bool
        The authors' program lets full charging lower the store in the sustain condition (a minus where the store
        rises); True keeps that, to reproduce their figures. False has the store rise.
    time_limit_s : float
        Above 0.

    Raises
    ------
    SeriesMismatchError
        When the hours differ.

    Examples
    --------
    >>> one = np.ones((1, 2))
    >>> battery = Resources(
    ...     charge_max_kw=one, discharge_max_kw=one, energy_min_kwh=0 * one, energy_max_kwh=2 * one,
    ...     energy_initial_kwh=np.ones(1), retention=np.ones(1), charge_gain=np.eye(1), discharge_drain=np.eye(1),
    ...     drift_kwh=0 * one, charge_cost_per_kwh=np.zeros(1), discharge_cost_per_kwh=np.zeros(1),
    ...     regulates=np.ones(1, dtype=bool),
    ... )
    >>> market = RegulationMarket(
    ...     energy_price_per_kwh=np.zeros(2), capacity_price_per_kw=np.ones(2), mileage_price_per_kw=np.zeros(2),
    ...     mileage=np.zeros(2), performance=1.0, signal=np.array([-1.0, 1.0]), probability=np.full((2, 2), 0.5),
    ...     sustain_h=0.5,
    ... )
    >>> bid = bid_energy_and_regulation(battery, market)
    >>> bid.regulation_kw.round(3).tolist(), round(bid.profit, 3)
    ([1.0, 1.0], 2.0)
    """
    began_s = perf_counter()
    if market.energy_price_per_kwh.size != resources.hours:
        expected = f"{resources.hours} hours, as the resources have"
        raise SeriesMismatchError("energy_price_per_kwh", market.energy_price_per_kwh.shape, expected)
    table = _Columns(resources, market)
    solver = ProgramSolver(interior=True)
    solver.load_program(_program(resources, market, table, as_published=as_published))
    solution = solver.run(time_limit_s=time_limit_s)
    if solution.status is not SolveStatus.OPTIMAL:
        status = _STATUS.get(solution.status, PlanStatus.FAILED)
        per_hour, per_resource = np.full(resources.hours, np.nan), np.full(resources.charge_max_kw.shape, np.nan)
        why, spent_s = f"the solver stopped: {solution.detail}", perf_counter() - began_s
        return RegulationBid(status, per_hour, per_hour, np.nan, per_resource, per_resource, why, spent_s)
    hours, value = resources.hours, solution.value
    power = np.zeros(resources.charge_max_kw.shape)
    np.add.at(power, (table.resource, table.hour), table.sign * table.share * value[table.first :])
    energy = value[2 * hours : table.first].reshape(resources.count, hours)
    return RegulationBid(
        PlanStatus.OPTIMAL,
        value[:hours],
        value[hours : 2 * hours],
        -solution.objective,
        power,
        energy,
        "",
        perf_counter() - began_s,
    )


class _Columns:
    """The power columns: one for each resource, hour, direction and value of the signal where there is power at all.

    A resource that does not regulate has one column for all values. Every attribute is an array over the columns.
    """

    def __init__(self, resources: Resources, market: RegulationMarket) -> None:
        values = market.signal.size
        blocks = []
        for sign, limit in ((1.0, resources.discharge_max_kw), (-1.0, resources.charge_max_kw)):
            resource, hour = np.nonzero(limit > 0.0)
            follows = resources.regulates[resource]
            repeats = np.where(follows, values, 1)
            within = np.arange(repeats.sum()) - np.repeat(np.cumsum(repeats) - repeats, repeats)
            every = np.repeat(~follows, repeats)
            blocks.append(
                (np.repeat(resource, repeats), np.repeat(hour, repeats), within, every, np.full(every.size, sign))
            )
        self.resource, self.hour, self.value, self.every, self.sign = (
            np.concatenate([block[field] for block in blocks]) for field in range(5)
        )
        self.first = 2 * resources.hours + resources.count * resources.hours
        self.share = np.where(self.every, 1.0, market.probability[self.hour, self.value])

    @property
    def at(self) -> NDArray[np.intp]:
        """Position of each column in the program."""
        return self.first + np.arange(self.share.size)


def _program(resources: Resources, market: RegulationMarket, table: _Columns, *, as_published: bool) -> SparseProgram:
    """Return the program: bids, stores and powers; rows follow the signal, move the stores and sustain full signal."""
    hours, count, values = resources.hours, resources.count, market.signal.size
    drift = (market.probability @ market.signal) * market.energy_price_per_kwh
    pay = market.performance * (market.capacity_price_per_kw + market.mileage_price_per_kw * market.mileage) + drift
    powers = np.where(table.sign > 0.0, resources.discharge_cost_per_kwh[table.resource], 0.0)
    powers += np.where(table.sign < 0.0, resources.charge_cost_per_kwh[table.resource], 0.0)
    limit = np.where(table.sign > 0.0, resources.discharge_max_kw[table.resource, table.hour], 0.0)
    limit += np.where(table.sign < 0.0, resources.charge_max_kw[table.resource, table.hour], 0.0)
    infinite, stores = np.full(hours, np.inf), count * hours
    cost = np.concatenate([-market.energy_price_per_kwh, -pay, np.zeros(stores), table.share * powers])
    lower = np.concatenate([-infinite, np.zeros(hours), resources.energy_min_kwh.ravel(), np.zeros(limit.size)])
    upper = np.concatenate([infinite, infinite, resources.energy_max_kwh.ravel(), limit])
    kept = 1.0 - market.sustain_h * (1.0 - resources.retention)
    # the first hour begins with what is stored, which stands on the right-hand side
    balance = resources.drift_kwh.copy()
    balance[:, 0] += resources.retention * resources.energy_initial_kwh
    before = np.maximum(np.arange(hours) - 1, 0)
    least = resources.energy_min_kwh[:, before] - market.sustain_h * resources.drift_kwh
    most = resources.energy_max_kwh[:, before] - market.sustain_h * resources.drift_kwh
    for bound in (least, most):
        bound[:, 0] -= kept * resources.energy_initial_kwh
    follow, free = np.zeros(hours * values), np.full(stores, np.inf)
    entries = _entries(resources, market, table, kept=kept, as_published=as_published)
    start, index, value = compress(entries, cost.size)
    return SparseProgram(
        cost,
        lower,
        upper,
        np.concatenate([follow, balance.ravel(), least.ravel(), -free]),
        np.concatenate([follow, balance.ravel(), free, most.ravel()]),
        start,
        index,
        value,
    )


def _entries(
    resources: Resources, market: RegulationMarket, table: _Columns, *, kept: Floats, as_published: bool
) -> list[Entries]:
    """Return the non-zeros, block by block."""
    hours, values, stores = resources.hours, market.signal.size, resources.count * resources.hours
    cell = np.arange(hours * values)
    store = np.arange(stores)
    balance, least, most = (hours * values + block * stores for block in range(3))
    later = store[store % hours != 0]
    retention, left = np.repeat(resources.retention, hours), np.repeat(kept, hours)
    follow = _follow(table, values)
    entries: list[Entries] = [
        (cell, cell // values, np.ones(cell.size)),
        (cell, hours + cell // values, np.tile(market.signal, hours)),
        (table.hour[follow[0]] * values + follow[1], table.at[follow[0]], -table.sign[follow[0]]),
        (balance + store, 2 * hours + store, np.ones(stores)),
        (balance + later, 2 * hours + later - 1, -retention[later]),
        (least + later, 2 * hours + later - 1, left[later]),
        (most + later, 2 * hours + later - 1, left[later]),
    ]
    charging = -market.sustain_h if as_published else market.sustain_h
    for matrix, sign, last, row, sustained in (
        (resources.discharge_drain, 1.0, values - 1, least, -market.sustain_h),
        (resources.charge_gain, -1.0, 0, most, charging),
    ):
        for resource in range(resources.count):
            affected = np.flatnonzero(matrix[:, resource])
            mine = np.flatnonzero((table.resource == resource) & (table.sign == sign))
            if not affected.size or not mine.size:
                continue
            gain = np.repeat(matrix[affected, resource], mine.size)
            where = (affected[:, None] * hours + table.hour[mine]).ravel()
            column = np.tile(table.at[mine], affected.size)
            entries.append((balance + where, column, sign * gain * np.tile(table.share[mine], affected.size)))
            full = np.tile(table.every[mine] | (table.value[mine] == last), affected.size)
            entries.append((row + where[full], column[full], sustained * gain[full]))
    return entries


def _follow(table: _Columns, values: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the pairs of power column and value of the signal at which it stands."""
    repeats = np.where(table.every, values, 1)
    column = np.repeat(np.arange(repeats.size), repeats)
    within = np.arange(repeats.sum()) - np.repeat(np.cumsum(repeats) - repeats, repeats)
    return column, np.where(table.every[column], within, table.value[column])
