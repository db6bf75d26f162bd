"""The first stage as rows and columns, shared by the cuts and the extensive form; and schedules as the store does them.

Columns, in order: per battery ``charge``, ``discharge``, ``energy`` (end of step), each of shape (A, T), then the joint
``injection`` of shape (T,). Rows: the ``balance`` of each battery (A, T), then ``injection`` (T,).
Invariant: a schedule that leaves this module runs one direction at a time and follows ``vpp.core.storage``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from vpp.core import storage
from vpp.core.assets import Battery
from vpp.optimization.matrix import BatteryTable, Integers, battery_table
from vpp.optimization.problem import Floats
from vpp.optimization.sparse_program import Entries
from vpp.optimization.stochastic.problem import BAND_TOLERANCE_KWH, StochasticProblem

TOLERANCE_KW = 1e-7


@dataclass(frozen=True, slots=True, eq=False)
class SchedulePart:
    """Where the first stage stands in a program, and its bounds and costs.

    ``entries`` are the non-zeros; ``lower``, ``upper`` and ``cost`` belong to its columns, ``right`` to its rows.
    """

    batteries: int
    steps: int
    entries: tuple[Entries, ...]
    cost: Floats
    lower: Floats
    upper: Floats
    right: Floats

    @property
    def columns(self) -> int:
        """Number of columns."""
        return self.cost.size

    @property
    def rows(self) -> int:
        """Number of rows."""
        return self.right.size

    @property
    def injection(self) -> slice:
        """Columns of the joint injection."""
        return slice(self.columns - self.steps, self.columns)

    def pair(self, value: Floats) -> tuple[Floats, Floats]:
        """Return charge and discharge, two arrays of shape (A, T), out of column values."""
        size = self.batteries * self.steps
        shape = (self.batteries, self.steps)
        return value[:size].reshape(shape), value[size : 2 * size].reshape(shape)

    def columns_of(self, power_kw: Floats, *, energy: Floats) -> Floats:
        """Return column values of a power (A, T), with the energy of the column values ``energy``."""
        size = self.batteries * self.steps
        powers = (np.maximum(-power_kw, 0.0).ravel(), np.maximum(power_kw, 0.0).ravel())
        return np.concatenate([*powers, energy[2 * size : 3 * size], power_kw.sum(axis=0)])


def schedule_part(problem: StochasticProblem) -> SchedulePart:
    """Return the first stage of a problem."""
    table, steps, hours = battery_table(problem.batteries), problem.steps, problem.duration_h
    size = len(problem.batteries) * steps
    cost = np.zeros(3 * size + steps)
    lower, upper = np.zeros_like(cost), np.empty_like(cost)
    cost[size : 2 * size] = np.repeat(hours * table.wear_cost_per_kwh, steps)
    cost[2 * size : 3 * size].reshape(-1, steps)[:, -1] = -problem.terminal_values
    upper[:size] = np.repeat(table.charge_max_kw, steps)
    upper[size : 2 * size] = np.repeat(table.discharge_max_kw, steps)
    lower[2 * size : 3 * size] = problem.energy_floor_kwh().ravel()
    upper[2 * size : 3 * size] = np.repeat(table.energy_max_kwh, steps)
    lower[3 * size :], upper[3 * size :] = problem.injection_band_kw
    right = np.zeros(size + steps)
    right[:size:steps] = problem.initial_energy_kwh
    entries = _entries(problem.batteries, steps, hours)
    return SchedulePart(len(problem.batteries), steps, entries, cost, lower, upper, right)


@lru_cache(maxsize=32)
def _entries(batteries: tuple[Battery, ...], steps: int, hours: float) -> tuple[Entries, ...]:
    """Return the non-zeros: ``energy - energy before - hours * stored = start`` and ``injection = sum of powers``."""
    table, size = battery_table(batteries), len(batteries) * steps
    every = np.arange(size)
    joint = size + np.tile(np.arange(steps), len(batteries))
    inner = np.flatnonzero(every % steps != steps - 1)
    one = np.ones(size)
    return (
        (every, every, np.repeat(-hours * table.charge_efficiency, steps)),
        (joint, every, one),
        (every, size + every, np.repeat(hours / table.discharge_efficiency, steps)),
        (joint, size + every, -one),
        (every, 2 * size + every, one),
        (inner + 1, 2 * size + inner, -one[inner]),
        (size + np.arange(steps), 3 * size + np.arange(steps), np.ones(steps)),
    )


def one_direction(charge_kw: Floats, discharge_kw: Floats, table: BatteryTable) -> Floats:
    """Return the power (A, T) that stores the same with one direction at a time.

    A pair that runs both ways burns energy; without that the terminals draw less or give more, so only a limit on
    feeding in can be in the way.
    """
    stored = charge_kw * table.charge_efficiency[:, None] - discharge_kw / table.discharge_efficiency[:, None]
    # adding 0 makes of -0 a plain 0
    drawn = -np.maximum(stored, 0.0) / table.charge_efficiency[:, None]
    power: Floats = drawn - np.minimum(stored, 0.0) * table.discharge_efficiency[:, None] + 0.0
    return power


def wrong_columns(charge_kw: Floats, discharge_kw: Floats, table: BatteryTable) -> Integers:
    """Return, where a battery runs both ways, the columns of the direction that loses by what is stored."""
    both = np.minimum(charge_kw, discharge_kw) > TOLERANCE_KW
    stored = charge_kw * table.charge_efficiency[:, None] - discharge_kw / table.discharge_efficiency[:, None]
    charge = np.flatnonzero(both & (stored < 0.0))
    discharge = both.size + np.flatnonzero(both & (stored >= 0.0))
    columns: Integers = np.concatenate([charge, discharge]).astype(np.int32)
    return columns


def replay(problem: StochasticProblem, power_kw: Floats) -> tuple[Floats, Floats]:
    """Return power and stored energy (A, T) as the storage balance gives them, cutting what it would cut."""
    table, first = battery_table(problem.batteries), problem.initial_energy_kwh
    power = np.clip(power_kw, -table.charge_max_kw[:, None], table.discharge_max_kw[:, None])
    change = storage.energy_change_kwh(
        power,
        duration_h=problem.duration_h,
        charge_efficiency=table.charge_efficiency[:, None],
        discharge_efficiency=table.discharge_efficiency[:, None],
    )
    energy = first[:, None] + np.cumsum(change, axis=1)
    low, high = table.energy_min_kwh[:, None], table.energy_max_kwh[:, None]
    if ((energy >= low - BAND_TOLERANCE_KWH) & (energy <= high + BAND_TOLERANCE_KWH)).all():
        return power, np.clip(energy, low, high)
    # carried over a limit: the store itself decides, step by step
    limits = storage.StorageLimits(
        table.energy_min_kwh,
        table.energy_max_kwh,
        table.charge_max_kw,
        table.discharge_max_kw,
        table.charge_efficiency,
        table.discharge_efficiency,
    )
    for step in range(problem.steps):
        done = storage.execute(first, power[:, step], limits, duration_h=problem.duration_h)
        power[:, step], energy[:, step], first = done.power_kw, done.energy_kwh, done.energy_kwh
    return power, energy
