"""A fleet as columns: N batteries behind one bus that limits them together, and nothing about how it is planned."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf, isfinite

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vpp.core.errors import InvalidInputError, SeriesMismatchError
from vpp.core.storage import StorageLimits

Floats = NDArray[np.float64]
BAND_TOLERANCE_KWH = 1e-9
# a meter never needs more than everything behind it at once; one spare kW keeps that bound from ever binding
SPARE_KW = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class FleetTable:
    """The batteries as checked columns, each a contiguous float array of shape (N,)."""

    charge_max_kw: Floats
    discharge_max_kw: Floats
    charge_efficiency: Floats
    discharge_efficiency: Floats
    wear_cost_per_kwh: Floats
    energy_min_kwh: Floats
    energy_max_kwh: Floats
    initial_energy_kwh: Floats
    final_energy_min_kwh: Floats
    terminal_value_per_kwh: Floats

    def take(self, which: NDArray[np.int64]) -> FleetTable:
        """Return some of the batteries."""
        return FleetTable(*(getattr(self, name)[which] for name in self.__dataclass_fields__))


@dataclass(frozen=True, slots=True, eq=False)
class Bus:
    """What the batteries share, as checked columns of shape (T,), in kW and currency/kWh; limits are finite."""

    import_price_per_kwh: Floats
    export_price_per_kwh: Floats
    fixed_kw: Floats
    curtailable_kw: Floats
    import_max_kw: Floats
    export_max_kw: Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FleetProblem:
    """N batteries over T steps under shared import and export limits.

    Parameters
    ----------
    duration_h : float
        Length of a step [h], above 0.
    limits : StorageLimits
        Of the batteries: arrays of shape (N,) or numbers that hold for all; energies [kWh], powers [kW], one-way
        efficiencies. At least one is an array.
    initial_energy_kwh : float array, shape (N,)
        Energy at the start, within the band [kWh].
    final_energy_min_kwh : float array, shape (N,), or None
        Energy to end with at least, at most the top of the band [kWh]; None asks for nothing.
    wear_cost_per_kwh : float or array, shape (N,)
        Paid per kWh discharged, 0 or more; charging wears nothing.
    terminal_value_per_kwh : float or array, shape (N,)
        Worth of a kWh stored at the end [currency/kWh].
    import_price_per_kwh, export_price_per_kwh : float arrays, shape (T,)
        Paid per kWh drawn, earned per kWh fed in [currency/kWh]; feeding in never pays more than drawing costs.
    fixed_kw : float array, shape (T,)
        Power on the bus that is not controlled, positive toward the grid.
    curtailable_kw : float array, shape (T,), or None
        Generation that may be left unused, 0 or more; not in ``fixed_kw``.
    import_max_kw, export_max_kw : float
        Limits of the shared connection, 0 or more; infinity for none.

    Raises
    ------
    InvalidInputError, SeriesMismatchError
        Naming field, value and range.
    """

    duration_h: float
    limits: StorageLimits
    initial_energy_kwh: ArrayLike
    import_price_per_kwh: ArrayLike
    export_price_per_kwh: ArrayLike
    fixed_kw: ArrayLike
    final_energy_min_kwh: ArrayLike | None = None
    wear_cost_per_kwh: ArrayLike = 0.0
    terminal_value_per_kwh: ArrayLike = 0.0
    curtailable_kw: ArrayLike | None = None
    import_max_kw: float = inf
    export_max_kw: float = inf
    table: FleetTable = field(init=False, repr=False)
    bus: Bus = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Check everything and keep it as columns."""
        if not (isfinite(self.duration_h) and self.duration_h > 0.0):
            raise InvalidInputError("duration_h", self.duration_h, "a positive duration [h]")
        object.__setattr__(self, "table", self._table())
        object.__setattr__(self, "bus", self._bus())

    @property
    def batteries(self) -> int:
        """Number of batteries, N."""
        return self.table.charge_max_kw.size

    @property
    def steps(self) -> int:
        """Number of steps, T."""
        return self.bus.fixed_kw.size

    def _table(self) -> FleetTable:
        """Return the batteries as columns, checked."""
        start = np.asarray(self.initial_energy_kwh, dtype=np.float64)
        if start.ndim != 1 or not start.size:
            raise SeriesMismatchError("initial_energy_kwh", start.shape, "one value per battery, at least one")
        column: dict[str, Floats] = {}
        given = {name: getattr(self.limits, name) for name in self.limits.__dataclass_fields__}
        end = given["energy_min_kwh"] if self.final_energy_min_kwh is None else self.final_energy_min_kwh
        given |= {
            "wear_cost_per_kwh": self.wear_cost_per_kwh,
            "initial_energy_kwh": start,
            "final_energy_min_kwh": end,
            "terminal_value_per_kwh": self.terminal_value_per_kwh,
        }
        for name, value in given.items():
            column[name] = _spread(name, value, start.size)
        _inside("wear_cost_per_kwh", column["wear_cost_per_kwh"], low=0.0)
        low, high = column["energy_min_kwh"], column["energy_max_kwh"]
        slack = BAND_TOLERANCE_KWH * np.maximum(1.0, high)
        _inside("initial_energy_kwh", column["initial_energy_kwh"], low=low - slack, high=high + slack)
        _inside("final_energy_min_kwh", column["final_energy_min_kwh"], high=high + slack)
        for name in ("initial_energy_kwh", "final_energy_min_kwh"):
            column[name] = np.clip(column[name], low, high)
        return FleetTable(**{name: column[name] for name in FleetTable.__dataclass_fields__})

    def _bus(self) -> Bus:
        """Return the shared columns, checked, with limits that are finite and bind no differently."""
        fixed = np.ascontiguousarray(self.fixed_kw, dtype=np.float64)
        if fixed.ndim != 1 or not fixed.size:
            raise SeriesMismatchError("fixed_kw", fixed.shape, "one value per step, at least one")
        steps = fixed.size
        spare = (
            np.zeros(steps) if self.curtailable_kw is None else _spread("curtailable_kw", self.curtailable_kw, steps)
        )
        buy = _series("import_price_per_kwh", self.import_price_per_kwh, steps)
        sell = _series("export_price_per_kwh", self.export_price_per_kwh, steps)
        _inside("fixed_kw", fixed)
        _inside("curtailable_kw", spare, low=0.0)
        _inside("export_price_per_kwh", sell, high=buy, words="at most the import price of the step")
        for name in ("import_max_kw", "export_max_kw"):
            if not getattr(self, name) >= 0.0:
                raise InvalidInputError(name, getattr(self, name), "0 or more [kW], infinity for no limit")
        most_in = np.maximum(self.table.charge_max_kw.sum() - fixed, 0.0) + SPARE_KW
        most_out = np.maximum(self.table.discharge_max_kw.sum() + fixed + spare, 0.0) + SPARE_KW
        return Bus(
            buy, sell, fixed, spare, np.minimum(self.import_max_kw, most_in), np.minimum(self.export_max_kw, most_out)
        )


def _series(name: str, value: ArrayLike, steps: int) -> Floats:
    """Return one value per step."""
    series = np.ascontiguousarray(value, dtype=np.float64)
    if series.shape != (steps,):
        raise SeriesMismatchError(name, series.shape, f"one value for each of the {steps} steps")
    _inside(name, series)
    return series


def _spread(name: str, value: ArrayLike, count: int) -> Floats:
    """Return a column of finite numbers from one number or one per row."""
    given = np.asarray(value, dtype=np.float64)
    if given.shape not in ((), (count,)):
        raise SeriesMismatchError(name, given.shape, f"one number, or {count} of them")
    column = np.ascontiguousarray(np.broadcast_to(given, (count,)))
    _inside(name, column)
    return column


def _inside(
    name: str, column: Floats, *, low: float | Floats = -inf, high: float | Floats = inf, words: str = ""
) -> None:
    """Refuse a column that is not finite and within [low, high], naming the first offender."""
    good = np.isfinite(column) & (column >= low) & (column <= high)
    if good.all():
        return
    at = int(np.flatnonzero(~good)[0])
    least, most = (float(np.broadcast_to(edge, column.shape)[at]) for edge in (low, high))
    expected = words or f"a finite number, {least:g} to {most:g}"
    raise InvalidInputError(f"{name}[{at}]", float(column[at]), expected)
