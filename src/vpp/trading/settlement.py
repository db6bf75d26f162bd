"""The statement of a window: one definition of money for every strategy that is compared.

cost = energy bought - energy sold + deviation fees + wear - value of the energy left at the end.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vpp.core.errors import SeriesMismatchError

Floats = NDArray[np.float64]

SMALLEST_STAKE = 0.01
"""Below this share of the cost without control there is nothing to win, and no share is stated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """What was measured over a window of T steps, S meters and A batteries.

    Parameters
    ----------
    duration_h : float
        Length of a step [h].
    grid_kw : float array, shape (T, S)
        Power at the meters; positive feeds in.
    battery_kw : float array, shape (T, A)
        Power of the batteries; positive discharges.
    energy_start_kwh, energy_end_kwh : float arrays, shape (A,)
        Stored energy before the first and after the last step.
    committed_kw : float array, shape (T, S)
        Position sold ahead; NaN where none was.
    """

    duration_h: float
    grid_kw: Floats
    battery_kw: Floats
    energy_start_kwh: Floats
    energy_end_kwh: Floats
    committed_kw: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """What things cost over the same window.

    Parameters
    ----------
    import_price_per_kwh, export_price_per_kwh : float arrays, shape (T, S)
        Prices at the meters [currency/kWh].
    imbalance_spread_per_kwh : float
        Paid per kWh of deviation from the position sold.
    wear_cost_per_kwh : float array, shape (A,)
        Wear per kWh discharged.
    energy_value_per_kwh : float array, shape (A,)
        Worth of a kWh left in the store at the end, the same for every strategy.
    """

    import_price_per_kwh: Floats
    export_price_per_kwh: Floats
    imbalance_spread_per_kwh: float
    wear_cost_per_kwh: Floats
    energy_value_per_kwh: Floats


@dataclass(frozen=True, slots=True)
class Statement:
    """Money of a window [currency].

    Parameters
    ----------
    energy_cost : float
        Energy bought minus energy sold.
    imbalance_cost : float
        Fees for missing the position sold.
    wear_cost : float
        Wear of the batteries.
    terminal_value : float
        Worth of the energy gained in the stores over the window (negative when drained).
    step_cost : float array, shape (T,)
        Energy, deviation and wear of each step; sums to ``cost + terminal_value``.
    """

    energy_cost: float
    imbalance_cost: float
    wear_cost: float
    terminal_value: float
    step_cost: Floats

    @property
    def cost(self) -> float:
        """The one figure that strategies are compared by."""
        return self.energy_cost + self.imbalance_cost + self.wear_cost - self.terminal_value


def settle(delivered: Delivered, rates: Rates) -> Statement:
    """Return the statement of what was delivered at given rates.

    Raises
    ------
    SeriesMismatchError
        When prices and powers do not share their shape.
    """
    grid = delivered.grid_kw
    if rates.import_price_per_kwh.shape != grid.shape or rates.export_price_per_kwh.shape != grid.shape:
        raise SeriesMismatchError(
            "import_price_per_kwh", rates.import_price_per_kwh.shape, f"the shape of grid_kw {grid.shape}"
        )
    hours = delivered.duration_h
    bought = np.maximum(-grid, 0.0) * rates.import_price_per_kwh
    sold = np.maximum(grid, 0.0) * rates.export_price_per_kwh
    energy = (bought - sold).sum(axis=1) * hours
    missed = np.where(np.isnan(delivered.committed_kw), 0.0, np.abs(grid - delivered.committed_kw))
    imbalance = missed.sum(axis=1) * hours * rates.imbalance_spread_per_kwh
    wear = (np.maximum(delivered.battery_kw, 0.0) * rates.wear_cost_per_kwh).sum(axis=1) * hours
    gained = delivered.energy_end_kwh - delivered.energy_start_kwh
    return Statement(
        energy_cost=float(energy.sum()),
        imbalance_cost=float(imbalance.sum()),
        wear_cost=float(wear.sum()),
        terminal_value=float((gained * rates.energy_value_per_kwh).sum()),
        step_cost=energy + imbalance + wear,
    )


def share_of_perfect_foresight(
    cost: float, *, no_control_cost: float, perfect_cost: float
) -> tuple[float | None, str | None]:
    """Return the share of the possible saving that a strategy earned, or None and the reason.

    The share is (no control - cost) / (no control - perfect foresight); it is not stated when the possible
    saving is under 1% of the cost without control.

    >>> share_of_perfect_foresight(60.0, no_control_cost=100.0, perfect_cost=50.0)
    (0.8, None)
    """
    stake = no_control_cost - perfect_cost
    if stake < SMALLEST_STAKE * abs(no_control_cost) or stake <= 0.0:
        return None, "perfect foresight would save less than 1% of the cost without control"
    return (no_control_cost - cost) / stake, None
