"""Resources in one standard form, and the market that their aggregator bids energy and regulation to.

Every resource is a store, hour by hour: ``E after = retention * E + gain @ charge - drain @ discharge + drift``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vpp.core.errors import InvalidInputError, SeriesMismatchError
from vpp.optimization.problem import Floats

PROBABILITY_TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Resources:
    """N resources in standard form over T hours, as columns.

    Parameters
    ----------
    charge_max_kw, discharge_max_kw : float arrays, shape (N, T)
        Largest terminal powers, 0 or more.
    energy_min_kwh, energy_max_kwh : float arrays, shape (N, T)
        Band of the store at the end of each hour.
    energy_initial_kwh : float array, shape (N,)
        Stored at the start.
    retention : float array, shape (N,)
        Share of the store that is left after an hour, 0 to 1.
    charge_gain, discharge_drain : float arrays, shape (N, N)
        Energy that store n gains (loses) per kWh that resource j charges (discharges); off the diagonal they couple
        resources, such as the stages of a factory.
    drift_kwh : float array, shape (N, T)
        What enters a store by itself, such as warmth from outside; any sign.
    charge_cost_per_kwh, discharge_cost_per_kwh : float arrays, shape (N,)
        Cost of charging (discharging) at the terminals [currency/kWh].
    regulates : bool array, shape (N,)
        False for a resource whose power cannot follow the signal within the hour.
    """

    charge_max_kw: Floats
    discharge_max_kw: Floats
    energy_min_kwh: Floats
    energy_max_kwh: Floats
    energy_initial_kwh: Floats
    retention: Floats
    charge_gain: Floats
    discharge_drain: Floats
    drift_kwh: Floats
    charge_cost_per_kwh: Floats
    discharge_cost_per_kwh: Floats
    regulates: NDArray[np.bool_]

    def __post_init__(self) -> None:
        """Check shapes and ranges, naming the field, the value and the range."""
        if self.charge_max_kw.ndim != 2 or 0 in self.charge_max_kw.shape:
            raise SeriesMismatchError("charge_max_kw", self.charge_max_kw.shape, "shape (resources, hours)")
        count, hours = self.charge_max_kw.shape
        shapes: dict[tuple[int, ...], tuple[str, ...]] = {
            (count, hours): ("charge_max_kw", "discharge_max_kw", "energy_min_kwh", "energy_max_kwh", "drift_kwh"),
            (count, count): ("charge_gain", "discharge_drain"),
            (count,): (
                *("energy_initial_kwh", "retention", "charge_cost_per_kwh", "discharge_cost_per_kwh", "regulates"),
            ),
        }
        names = {name: shape for shape, group in shapes.items() for name in group}
        for name, shape in names.items():
            _check_array(name, getattr(self, name), shape)
        for name in ("charge_max_kw", "discharge_max_kw"):
            if not (getattr(self, name) >= 0.0).all():
                raise InvalidInputError(name, float(getattr(self, name).min()), "0 or more [kW]")
        if not ((self.retention >= 0.0) & (self.retention <= 1.0)).all():
            raise InvalidInputError("retention", self.retention.tolist(), "shares, 0 to 1")
        if not (self.energy_min_kwh <= self.energy_max_kwh).all():
            where = np.argwhere(self.energy_min_kwh > self.energy_max_kwh)[0].tolist()
            raise InvalidInputError(f"energy_min_kwh{where}", "above energy_max_kwh", "at most energy_max_kwh")

    @property
    def count(self) -> int:
        """The number N of resources."""
        return int(self.charge_max_kw.shape[0])

    @property
    def hours(self) -> int:
        """The number T of hours."""
        return int(self.charge_max_kw.shape[1])

    def only(self, chosen: slice) -> Resources:
        """Return some of the resources; what couples them to the others is lost."""
        square = (chosen, chosen)
        return Resources(
            charge_max_kw=self.charge_max_kw[chosen],
            discharge_max_kw=self.discharge_max_kw[chosen],
            energy_min_kwh=self.energy_min_kwh[chosen],
            energy_max_kwh=self.energy_max_kwh[chosen],
            energy_initial_kwh=self.energy_initial_kwh[chosen],
            retention=self.retention[chosen],
            charge_gain=self.charge_gain[square],
            discharge_drain=self.discharge_drain[square],
            drift_kwh=self.drift_kwh[chosen],
            charge_cost_per_kwh=self.charge_cost_per_kwh[chosen],
            discharge_cost_per_kwh=self.discharge_cost_per_kwh[chosen],
            regulates=self.regulates[chosen],
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RegulationMarket:
    """Prices and the signal of T hours.

    Parameters
    ----------
    energy_price_per_kwh : float array, shape (T,)
        Of energy [currency/kWh].
    capacity_price_per_kw, mileage_price_per_kw : float arrays, shape (T,)
        Paid per kW of regulation held for the hour, and per kW and unit of mileage [currency/kW].
    mileage : float array, shape (T,)
        Expected travel of the signal in the hour, 0 or more.
    performance : float
        Score that scales the pay for regulation, 0 to 1.
    signal : float array, shape (K,)
        Values of the signal, ascending from -1 to 1; positive asks for power toward the grid.
    probability : float array, shape (T, K)
        Share of each hour at each value; every hour sums to 1.
    sustain_h : float
        Time that full signal, either way, must last [h], 0 to 1.
    """

    energy_price_per_kwh: Floats
    capacity_price_per_kw: Floats
    mileage_price_per_kw: Floats
    mileage: Floats
    performance: float
    signal: Floats
    probability: Floats
    sustain_h: float

    def __post_init__(self) -> None:
        """Check shapes and ranges, naming the field, the value and the range."""
        hours, values = self.energy_price_per_kwh.size, self.signal.size
        for name in ("energy_price_per_kwh", "capacity_price_per_kw", "mileage_price_per_kw", "mileage"):
            _check_array(name, getattr(self, name), (hours,))
        _check_array("signal", self.signal, (values,))
        _check_array("probability", self.probability, (hours, values))
        if values < 2 or (np.diff(self.signal) <= 0.0).any() or (self.signal[0], self.signal[-1]) != (-1.0, 1.0):
            raise InvalidInputError("signal", self.signal.tolist(), "values that ascend from -1 to 1")
        off = np.abs(self.probability.sum(axis=1) - 1.0).max() > PROBABILITY_TOLERANCE
        if off or (self.probability < 0.0).any():
            raise InvalidInputError(
                "probability", self.probability.sum(axis=1).tolist(), "0 or more, each hour sums to 1"
            )
        for name in ("performance", "sustain_h"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise InvalidInputError(name, getattr(self, name), "0 to 1")


def _check_array(name: str, value: NDArray[Any], shape: tuple[int, ...]) -> None:
    """Refuse an array of another shape, or with a number that is not finite."""
    if value.shape != shape:
        raise SeriesMismatchError(name, value.shape, f"shape {shape}")
    if not np.isfinite(value).all():
        where = np.argwhere(~np.isfinite(value))[0].tolist()
        raise InvalidInputError(f"{name}{where}", float(value[tuple(where)]), "a finite number")
