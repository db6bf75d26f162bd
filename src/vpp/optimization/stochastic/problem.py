"""The two-stage problem as columns: batteries behind one meter, and what may happen there.

First stage, before anything is known: the schedule of the batteries. Second stage, in each scenario: what is drawn, fed
in and curtailed. Signs as everywhere: positive flows toward the grid.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from vpp.core.assets import Battery
from vpp.core.errors import InvalidInputError, SeriesMismatchError
from vpp.optimization.matrix import battery_table
from vpp.optimization.problem import Floats
from vpp.optimization.stochastic.measures import check_level, check_probability

BAND_TOLERANCE_KWH = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Risk:
    """What is minimised: ``(1 - weight) * expected cost + weight * CVaR``.

    Parameters
    ----------
    weight : float
        0 looks at the expectation alone, 1 at the tail alone.
    level : float
        Confidence of the CVaR, 0 to below 1: 0.95 is the mean of the worst 5%.
    """

    weight: float = 0.5
    level: float = 0.95

    def __post_init__(self) -> None:
        """Check both ranges."""
        if not 0.0 <= self.weight <= 1.0:
            raise InvalidInputError("weight", self.weight, "the share of the CVaR in the objective, 0 to 1")
        check_level(self.level)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StochasticProblem:
    """Batteries behind one meter for T steps, under S scenarios.

    Parameters
    ----------
    batteries : tuple of Battery
        The A batteries. A backup level is kept like ``soc_min``; a battery that starts below it may stay there and
        goes no lower.
    initial_soc : float array, shape (A,)
        State of charge at the start, inside the battery's band.
    duration_h : float
        Length of a step [h], above 0.
    fixed_kw : float array, shape (S, T)
        Power that is not controlled: firm generation minus consumption.
    curtailable_kw : float array, shape (S, T)
        Generation that may be left unused, 0 or more; not contained in ``fixed_kw``.
    import_price_per_kwh, export_price_per_kwh : float arrays, shape (S, T)
        Paid per kWh drawn, earned per kWh fed in [currency/kWh]; any sign, feeding in never above drawing.
    import_max_kw, export_max_kw : float
        Limits of the connection, kept in every scenario; infinity for none.
    terminal_value_per_kwh : float array, shape (A,), or None
        Worth of a kWh stored at the end [currency/kWh]; None: 0.
    final_soc_min : float array, shape (A,), or None
        State of charge to end with at least (0-1), kept hard; None asks for nothing.
    probability : float array, shape (S,), or None
        Of each scenario, summing to 1; None: all alike.
    injection_min_kw, injection_max_kw : float arrays, shape (T,), or None
        Further limits of the batteries' power together, such as those of ``robust``.

    Attributes
    ----------
    weights : float array, shape (S,)
        Probability of each scenario.
    injection_band_kw : two float arrays, shape (T,)
        The least and the most the batteries may inject together; empty where the first is above the second.
    """

    batteries: tuple[Battery, ...]
    initial_soc: Floats
    duration_h: float
    fixed_kw: Floats
    curtailable_kw: Floats
    import_price_per_kwh: Floats
    export_price_per_kwh: Floats
    import_max_kw: float = np.inf
    export_max_kw: float = np.inf
    terminal_value_per_kwh: Floats | None = None
    final_soc_min: Floats | None = None
    probability: Floats | None = None
    injection_min_kw: Floats | None = None
    injection_max_kw: Floats | None = None
    weights: Floats = field(init=False)
    injection_band_kw: tuple[Floats, Floats] = field(init=False)

    def __post_init__(self) -> None:
        """Check shapes and ranges, naming the field, the value and the range."""
        if not (np.isfinite(self.duration_h) and self.duration_h > 0.0):
            raise InvalidInputError("duration_h", self.duration_h, "a positive duration [h]")
        if self.fixed_kw.ndim != 2 or 0 in self.fixed_kw.shape:
            raise SeriesMismatchError("fixed_kw", self.fixed_kw.shape, "shape (scenarios, steps), one or more of each")
        self._check_series()
        for name in ("import_max_kw", "export_max_kw"):
            if not getattr(self, name) >= 0.0:
                raise InvalidInputError(name, getattr(self, name), "0 or more [kW], infinity for no limit")
        object.__setattr__(self, "weights", check_probability(self.probability, self.scenarios))
        self._check_batteries()
        object.__setattr__(self, "injection_band_kw", self._injection_band_kw())

    @property
    def scenarios(self) -> int:
        """The number S of scenarios."""
        return int(self.fixed_kw.shape[0])

    @property
    def steps(self) -> int:
        """The number T of steps."""
        return int(self.fixed_kw.shape[1])

    @property
    def initial_energy_kwh(self) -> Floats:
        """Energy stored at the start, shape (A,)."""
        table = battery_table(self.batteries)
        return np.clip(self.initial_soc * table.capacity_kwh, table.energy_min_kwh, table.energy_max_kwh)

    @property
    def terminal_values(self) -> Floats:
        """Worth of a kWh stored at the end, shape (A,); zeros where none is stated."""
        if self.terminal_value_per_kwh is None:
            return np.zeros(len(self.batteries))
        return self.terminal_value_per_kwh

    def energy_floor_kwh(self) -> Floats:
        """Return the least energy at the end of each step, shape (A, T)."""
        table = battery_table(self.batteries)
        backup = np.minimum(table.backup_kwh, self.initial_energy_kwh)
        floor = np.repeat(np.maximum(table.energy_min_kwh, backup)[:, None], self.steps, axis=1)
        if self.final_soc_min is not None:
            floor[:, -1] = np.maximum(floor[:, -1], self.final_soc_min * table.capacity_kwh)
        return floor

    def _injection_band_kw(self) -> tuple[Floats, Floats]:
        """Return the least and the most the batteries may inject together per step, two arrays of shape (T,).

        Within it the meter keeps its limits in every scenario. The ratings are part of it, so it is always finite.
        """
        table = battery_table(self.batteries)
        low = np.full(self.steps, -float(table.charge_max_kw.sum()))
        high = np.full(self.steps, float(table.discharge_max_kw.sum()))
        if np.isfinite(self.import_max_kw):
            available = self.fixed_kw + self.curtailable_kw
            low = np.maximum(low, -self.import_max_kw - available.min(axis=0))
        if np.isfinite(self.export_max_kw):
            high = np.minimum(high, self.export_max_kw - self.fixed_kw.max(axis=0))
        if self.injection_min_kw is not None:
            low = np.maximum(low, self.injection_min_kw)
        if self.injection_max_kw is not None:
            high = np.minimum(high, self.injection_max_kw)
        return low, high

    def _check_series(self) -> None:
        shape = self.fixed_kw.shape
        for name in ("fixed_kw", "curtailable_kw", "import_price_per_kwh", "export_price_per_kwh"):
            value = getattr(self, name)
            if value.shape != shape:
                raise SeriesMismatchError(name, value.shape, f"shape {shape}, as fixed_kw has it")
            # a sum is finite unless an entry is not (or the values are absurd): one fast pass over large arrays
            if not np.isfinite(value.sum()):
                where = np.argwhere(~np.isfinite(value))
                first = tuple(int(i) for i in where[0]) if where.size else (0, 0)
                raise InvalidInputError(f"{name}{list(first)}", float(value[first]), "a finite number")
        if float(self.curtailable_kw.min()) < 0.0:
            raise InvalidInputError("curtailable_kw", float(self.curtailable_kw.min()), "0 or more [kW]")
        above = float((self.export_price_per_kwh - self.import_price_per_kwh).max())
        if above > 0.0:
            excess = f"{above:g} above import_price_per_kwh"
            raise InvalidInputError("export_price_per_kwh", excess, "at most import_price_per_kwh in every scenario")
        for name in ("injection_min_kw", "injection_max_kw"):
            band = getattr(self, name)
            if band is not None and band.shape != (shape[1],):
                raise SeriesMismatchError(name, band.shape, f"shape ({shape[1]},), one for each step")
            if band is not None and np.isnan(band).any():
                raise InvalidInputError(name, band.tolist(), "powers [kW], infinite for no limit")

    def _check_batteries(self) -> None:
        count, table = len(self.batteries), battery_table(self.batteries)
        if not count:
            raise InvalidInputError("batteries", self.batteries, "at least one battery")
        highest = table.energy_max_kwh / table.capacity_kwh
        lowest = table.energy_min_kwh / table.capacity_kwh
        for name, floor in (("initial_soc", lowest), ("final_soc_min", np.zeros(count))):
            value = getattr(self, name)
            if value is None:
                continue
            if value.shape != (count,):
                raise SeriesMismatchError(name, value.shape, f"shape ({count},), one for each battery")
            slack = BAND_TOLERANCE_KWH / table.capacity_kwh
            if not ((value >= floor - slack) & (value <= highest + slack)).all():
                expected = f"fractions, {floor.tolist()} to {highest.tolist()}"
                raise InvalidInputError(name, value.tolist(), expected)
        worth = self.terminal_value_per_kwh
        if worth is not None and worth.shape != (count,):
            raise SeriesMismatchError("terminal_value_per_kwh", worth.shape, f"shape ({count},)")
        if worth is not None and not np.isfinite(worth).all():
            raise InvalidInputError("terminal_value_per_kwh", worth.tolist(), "finite numbers [currency/kWh]")
