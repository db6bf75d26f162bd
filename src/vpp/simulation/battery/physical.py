"""Physical batteries: Thevenin cells with heat, ageing and safety limits behind a converter.

What closes, at every limit and over any step, to rounding: energy stored before = energy stored after + energy at the
terminals + loss. Stored energy is the integral of the open-circuit voltage over the charge today, plus what the RC
pair holds; the loss is heat in both resistances, heat in the converter, and the charge that went with lost capacity.
Reversible (entropic) heat warms or cools the cells and is drawn from no electrical account.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vpp.core.assets import Battery
from vpp.core.errors import InvalidInputError
from vpp.core.units import SECONDS_PER_HOUR, kw_from_w, w_from_kw
from vpp.simulation.battery import steps, wear
from vpp.simulation.battery.backend import Backend, runner
from vpp.simulation.battery.cell import LFP, ZERO_C_K, Cell
from vpp.simulation.battery.circuit import Tables, area
from vpp.simulation.battery.counting import COLUMNS, DEPTH
from vpp.simulation.battery.model import LIMITS, BatteryRecord, BatteryStep, parameter, requested

Floats = NDArray[np.float64]
ROUNDING_KW = 1e-9


@dataclass(frozen=True, slots=True)
class PhysicalState:
    """Where A physical batteries stand: charge, polarisation, temperature, age, and cycles still open.

    Parameters
    ----------
    columns : float array, shape (A, wear.STATE_COLUMNS)
        See ``wear`` for the columns.
    turning_points : float array, shape (A, DEPTH, COLUMNS)
        The online rainflow's stack, see ``counting``.
    """

    columns: Floats
    turning_points: Floats

    @property
    def soc(self) -> Floats:
        """State of charge (0-1), shape (A,)."""
        return self.columns[:, wear.SOC].copy()

    @property
    def temperature_c(self) -> Floats:
        """Cell temperature, shape (A,)."""
        return self.columns[:, wear.TEMPERATURE_K] - ZERO_C_K


@dataclass(frozen=True, slots=True)
class SafetyLimits:
    """Temperatures between which a battery works; currents fall linearly from derating to trip.

    Parameters
    ----------
    cold_trip_c, cold_derate_c, hot_derate_c, hot_trip_c : float
        Ascending. A tripped battery stays off until its temperature is back between the two derating points.

    Examples
    --------
    >>> SafetyLimits(hot_derate_c=45.0, hot_trip_c=60.0).hot_trip_c
    60.0
    """

    cold_trip_c: float = -20.0
    cold_derate_c: float = 5.0
    hot_derate_c: float = 45.0
    hot_trip_c: float = 60.0

    def __post_init__(self) -> None:
        """Check the order."""
        row = (self.cold_trip_c, self.cold_derate_c, self.hot_derate_c, self.hot_trip_c)
        if not all(low < high for low, high in pairwise(row)):
            raise InvalidInputError("battery.safety", row, "cold trip < cold derate < hot derate < hot trip [C]")


@dataclass(frozen=True, slots=True, kw_only=True)
class PhysicalBattery:
    """A batteries of one kind of cell; every other parameter is one number for all or an array of shape (A,).

    Parameters
    ----------
    count : int
        A, 1 or more.
    cell : Cell
        Kind of cell.
    capacity_kwh : float or array
        Energy between empty and full when new, at open-circuit voltage, above 0.
    charge_max_kw, discharge_max_kw : float or array
        Ratings of the converter at the terminals, 0 or more.
    converter_efficiency : float or array
        One-way, in (0, 1].
    soc_min, soc_max : float or array
        Band of the state of charge (0-1).
    series_cells : int or array
        Cells in series, 1 or more; scales the voltage that is reported.
    safety : SafetyLimits
        Temperatures of derating and trip.
    backend : str or None
        numba or python; None for the fastest installed.

    Examples
    --------
    >>> home = PhysicalBattery(capacity_kwh=10.0, charge_max_kw=5.0, discharge_max_kw=5.0, backend="python")
    >>> record = home.step(home.initial(0.5), 4.0, duration_h=0.25).record
    >>> round(float(record.power_kw[0]), 9), bool(record.temperature_c[0] > 25.0)
    (4.0, True)
    """

    count: int = 1
    cell: Cell = LFP
    capacity_kwh: ArrayLike
    charge_max_kw: ArrayLike
    discharge_max_kw: ArrayLike
    converter_efficiency: ArrayLike = 0.97
    soc_min: ArrayLike = 0.05
    soc_max: ArrayLike = 0.95
    series_cells: ArrayLike = 16
    safety: SafetyLimits = field(default_factory=SafetyLimits)
    backend: Backend | None = None
    _tables: Tables = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Check every range and give every parameter its shape (A,)."""
        if self.count < 1:
            raise InvalidInputError("battery.count", self.count, "1 or more batteries")
        ranges = {
            "capacity_kwh": (0.0, np.inf, "kWh", True),
            "charge_max_kw": (0.0, np.inf, "kW", False),
            "discharge_max_kw": (0.0, np.inf, "kW", False),
            "converter_efficiency": (0.0, 1.0, "one-way", True),
            "soc_min": (0.0, 1.0, "of capacity", False),
            "soc_max": (0.0, 1.0, "of capacity", False),
            "series_cells": (1.0, np.inf, "cells", False),
        }
        for name, (low, high, unit, above) in ranges.items():
            given = getattr(self, name)
            checked = parameter("battery", name, given, self.count, low=low, high=high, unit=unit, above=above)
            object.__setattr__(self, name, checked)
        if not np.all(np.asarray(self.soc_min) <= np.asarray(self.soc_max)):
            raise InvalidInputError("battery.soc_min", self.soc_min, f"at most soc_max ({self.soc_max})")
        object.__setattr__(self, "_tables", self.cell.tables)

    @classmethod
    def of(
        cls, batteries: Sequence[Battery], *, cell: Cell = LFP, safety: SafetyLimits | None = None
    ) -> PhysicalBattery:
        """Return the model of a plant's batteries, in their order.

        What the plant file calls efficiency belongs to the simple fidelity: here cells and converter make it.
        """
        return cls(
            count=len(batteries),
            cell=cell,
            capacity_kwh=np.array([battery.capacity_kwh for battery in batteries]),
            charge_max_kw=np.array([battery.charge_max_kw for battery in batteries]),
            discharge_max_kw=np.array([battery.discharge_max_kw for battery in batteries]),
            soc_min=np.array([battery.soc_min for battery in batteries]),
            soc_max=np.array([battery.soc_max for battery in batteries]),
            safety=safety or SafetyLimits(),
        )

    @property
    def cells(self) -> Floats:
        """Cells in each battery, shape (A,); not whole, so that any capacity can be had."""
        per_cell_kwh = _kwh_from_j(self._tables.capacity_as * self._tables.area_v[-1])
        return np.asarray(self.capacity_kwh) / per_cell_kwh

    def initial(self, soc: ArrayLike = 0.5, *, temperature_c: ArrayLike = 25.0) -> PhysicalState:
        """Return new batteries at rest, at a state of charge inside their bands."""
        start = parameter("battery", "soc", soc, self.count, low=0.0, high=1.0, unit="of capacity")
        if not np.all((start >= np.asarray(self.soc_min)) & (start <= np.asarray(self.soc_max))):
            raise InvalidInputError("battery.soc", soc, f"inside the band, {self.soc_min} to {self.soc_max}")
        columns = np.zeros((self.count, wear.STATE_COLUMNS))
        columns[:, wear.SOC] = start
        warm = parameter("battery", "temperature_c", temperature_c, self.count, low=-60.0, high=100.0, unit="C")
        columns[:, wear.TEMPERATURE_K] = warm + ZERO_C_K
        return PhysicalState(columns, np.zeros((self.count, DEPTH, COLUMNS)))

    def stored_kwh(self, state: PhysicalState) -> Floats:
        """Return the energy stored, by the definition the balance closes with, shape (A,)."""
        tables, columns = self._tables, state.columns
        health = 1.0 - columns[:, wear.CALENDAR_LOSS] - columns[:, wear.CYCLE_LOSS]
        charge_as = tables.capacity_as * np.maximum(health, steps.LEAST_CAPACITY)
        content_v = np.array([area(tables, soc) for soc in columns[:, wear.SOC].tolist()])
        pair_j = 0.5 * tables.rc_tau_s / tables.rc_ohm * columns[:, wear.RC_V] ** 2
        return _kwh_from_j(charge_as * content_v + pair_j) * self.cells

    def step(
        self, state: PhysicalState, request_kw: ArrayLike, *, duration_h: float, ambient_c: ArrayLike = 25.0
    ) -> BatteryStep[PhysicalState]:
        """Hold a requested power for one step."""
        request = requested("request_kw", request_kw, (self.count,))
        return self.run(state, request[None, :], duration_h=duration_h, ambient_c=ambient_c).first()

    def run(
        self, state: PhysicalState, request_kw: ArrayLike, *, duration_h: float, ambient_c: ArrayLike = 25.0
    ) -> BatteryStep[PhysicalState]:
        """Hold requested powers of shape (T, A) one after the other; any length of step from 1 second to 1 hour."""
        given = np.asarray(request_kw, dtype=np.float64)
        request = requested("request_kw", given, (given.shape[0], self.count))
        ambient = np.ascontiguousarray(requested("ambient_c", ambient_c, request.shape) + ZERO_C_K)
        if not 0.0 < duration_h <= 1.0:
            raise InvalidInputError("duration_h", duration_h, "above 0 to 1 [h]")
        rated = np.clip(request, -np.asarray(self.charge_max_kw), self.discharge_max_kw)
        one_way, cells = np.asarray(self.converter_efficiency), self.cells
        inside = np.where(rated > 0.0, rated / one_way, rated * one_way)
        columns, stacks = state.columns.copy(), state.turning_points.copy()
        found = np.empty((steps.RESULTS, *request.shape))
        runner(self.backend)(
            self._tables,
            self._units(),
            columns,
            stacks,
            np.ascontiguousarray(w_from_kw(inside) / cells),
            ambient,
            duration_h * SECONDS_PER_HOUR,
            found,
        )
        record = self._record(found, request, rated, duration_h)
        return BatteryStep(PhysicalState(columns, stacks), record)

    def _record(self, found: Floats, request: Floats, rated: Floats, duration_h: float) -> BatteryRecord:
        one_way, cells = np.asarray(self.converter_efficiency), self.cells
        cell_kwh = _kwh_from_j(found[: steps.STORED_J + 1]) * cells
        direct = cell_kwh[steps.TERMINAL_J]
        outside = np.where(direct > 0.0, direct * one_way, direct / one_way)
        limit = found[steps.LIMIT].astype(np.int8)
        limit[(limit == steps.FREE) & (np.abs(rated - request) > ROUNDING_KW)] = LIMITS.index("power")
        return BatteryRecord(
            power_kw=outside / duration_h,
            loss_kwh=cell_kwh[steps.HEAT_J] + cell_kwh[steps.FADE_J] + (direct - outside),
            fade_kwh=cell_kwh[steps.FADE_J],
            stored_kwh=cell_kwh[steps.STORED_J],
            soc=found[steps.SOC_END],
            voltage_v=found[steps.TERMINAL_V] * np.asarray(self.series_cells),
            temperature_c=found[steps.CELL_K] - ZERO_C_K,
            equivalent_full_cycles=found[steps.CYCLES],
            state_of_health=found[steps.HEALTH],
            resistance_growth=found[steps.GROWTH],
            limit=limit,
        )

    def _units(self) -> Floats:
        units = np.empty((self.count, steps.UNIT_COLUMNS))
        units[:, steps.SOC_MIN], units[:, steps.SOC_MAX] = self.soc_min, self.soc_max
        units[:, steps.CHARGE_A] = self.cell.charge_c_rate_max * self.cell.capacity_ah
        units[:, steps.DISCHARGE_A] = self.cell.discharge_c_rate_max * self.cell.capacity_ah
        safety = self.safety
        units[:, steps.COLD_TRIP_K] = safety.cold_trip_c + ZERO_C_K
        units[:, steps.COLD_DERATE_K] = safety.cold_derate_c + ZERO_C_K
        units[:, steps.HOT_DERATE_K] = safety.hot_derate_c + ZERO_C_K
        units[:, steps.HOT_TRIP_K] = safety.hot_trip_c + ZERO_C_K
        return units


def _kwh_from_j(energy_j: Floats) -> Floats:
    return np.asarray(kw_from_w(energy_j) / SECONDS_PER_HOUR)
