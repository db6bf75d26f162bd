"""Flexible consumers of a horizon: cars that leave, houses that stay warm, machines that may wait.

Each says what it needs by when; how that is met belongs to the plan. Powers here are consumption, non-negative; a
schedule shows them negative. Steps count from the start of the horizon; a window holds its first step, not its last.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, inf, isfinite
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from vpp.core.assets import HeatPump, check_slug
from vpp.core.errors import InvalidInputError

Floats = NDArray[np.float64]


def require(owner: str, field: str, value: float, *, low: float = 0.0, high: float = inf, unit: str = "") -> None:
    """Refuse a number outside [low, high] or without end, naming owner, field, value and range."""
    if not (isfinite(value) and low <= value <= high):
        upper = f" to {high:g}" if high != inf else " or more"
        raise InvalidInputError(f"{owner}.{field}", value, f"{low:g}{upper}{f' [{unit}]' if unit else ''}")


def _require_window(owner: str, names: tuple[str, str], first: int, last: int) -> None:
    if first < 0:
        raise InvalidInputError(f"{owner}.{names[0]}", first, "a step of the horizon, 0 or more")
    if last <= first:
        raise InvalidInputError(f"{owner}.{names[1]}", last, f"a step after {names[0]} ({first})")


@dataclass(frozen=True, slots=True, kw_only=True)
class EvSession:
    """A car at a charging point from ``arrival_step`` until the start of ``departure_step``.

    The energy is a goal: what the session cannot deliver is a shortfall at a stated price, never more than is needed.

    Parameters
    ----------
    asset_id : str
        Charging point; several sessions of one point follow one another.
    site : int
        Index of its site.
    arrival_step, departure_step : int
        Plugged in for ``arrival_step <= step < departure_step``. A car that leaves after the horizon states what it
        needs by the horizon's end.
    energy_needed_kwh : float
        At the car's battery, 0 or more.
    charge_max_kw : float
        At the charging point, 0 or more.
    charge_efficiency : float
        From charging point to battery, in (0, 1].
    shortfall_cost_per_kwh : float or None
        Price of a kWh missing in the car [currency/kWh], 0 or more; None: above all that a kWh can earn at its site,
        so that energy is missing only where nothing else is feasible, or where another goal needs it as much.
    """

    asset_id: str
    site: int = 0
    arrival_step: int
    departure_step: int
    energy_needed_kwh: float
    charge_max_kw: float
    charge_efficiency: float = 0.9
    shortfall_cost_per_kwh: float | None = None

    def __post_init__(self) -> None:
        """Check every range."""
        check_slug(self.asset_id, field="ev_sessions.asset_id")
        _require_window(self.asset_id, ("arrival_step", "departure_step"), self.arrival_step, self.departure_step)
        require(self.asset_id, "energy_needed_kwh", self.energy_needed_kwh, unit="kWh")
        require(self.asset_id, "charge_max_kw", self.charge_max_kw, unit="kW")
        require(self.asset_id, "charge_efficiency", self.charge_efficiency, low=1e-3, high=1.0)
        if self.shortfall_cost_per_kwh is not None:
            require(self.asset_id, "shortfall_cost_per_kwh", self.shortfall_cost_per_kwh)

    @property
    def window(self) -> tuple[int, int]:
        """First step, and the one after the last."""
        return self.arrival_step, self.departure_step


@dataclass(frozen=True, slots=True, kw_only=True)
class DeferrableLoad:
    """A machine that needs energy within a window and may pause: an ``EvSession`` without losses.

    Parameters
    ----------
    asset_id, site : str, int
        The machine and the index of its site.
    earliest_step, end_step : int
        May run for ``earliest_step <= step < end_step``.
    energy_needed_kwh : float
        At its terminals, 0 or more.
    power_max_kw : float
        0 or more.
    shortfall_cost_per_kwh : float or None
        Price of a kWh not served, as in ``EvSession``.
    """

    asset_id: str
    site: int = 0
    earliest_step: int
    end_step: int
    energy_needed_kwh: float
    power_max_kw: float
    shortfall_cost_per_kwh: float | None = None

    def __post_init__(self) -> None:
        """Check every range."""
        check_slug(self.asset_id, field="deferrable_loads.asset_id")
        _require_window(self.asset_id, ("earliest_step", "end_step"), self.earliest_step, self.end_step)
        require(self.asset_id, "energy_needed_kwh", self.energy_needed_kwh, unit="kWh")
        require(self.asset_id, "power_max_kw", self.power_max_kw, unit="kW")
        if self.shortfall_cost_per_kwh is not None:
            require(self.asset_id, "shortfall_cost_per_kwh", self.shortfall_cost_per_kwh)

    @property
    def window(self) -> tuple[int, int]:
        """First step, and the one after the last."""
        return self.earliest_step, self.end_step

    @property
    def charge_max_kw(self) -> float:
        """Largest power; the name it shares with a car."""
        return self.power_max_kw

    @property
    def charge_efficiency(self) -> float:
        """No losses; the name it shares with a car."""
        return 1.0


Goal: TypeAlias = EvSession | DeferrableLoad


@dataclass(frozen=True, slots=True, kw_only=True)
class DeferrableRun:
    """A machine that runs once through a fixed profile without a pause, starting somewhere in a window.

    Parameters
    ----------
    asset_id, site : str, int
        The machine and the index of its site.
    earliest_step, end_step : int
        Starts at ``earliest_step`` or later and is done before ``end_step``.
    profile_kw : tuple of float
        Power of each step of the run, 0 or more; at most as long as the window.
    """

    asset_id: str
    site: int = 0
    earliest_step: int
    end_step: int
    profile_kw: tuple[float, ...]

    def __post_init__(self) -> None:
        """Check every range."""
        check_slug(self.asset_id, field="deferrable_runs.asset_id")
        _require_window(self.asset_id, ("earliest_step", "end_step"), self.earliest_step, self.end_step)
        if not 1 <= len(self.profile_kw) <= self.end_step - self.earliest_step:
            room = self.end_step - self.earliest_step
            raise InvalidInputError(f"{self.asset_id}.profile_kw", len(self.profile_kw), f"1 to {room} steps long")
        for step, power in enumerate(self.profile_kw):
            require(self.asset_id, f"profile_kw[{step}]", power, unit="kW")

    @property
    def window(self) -> tuple[int, int]:
        """First step, and the one after the last."""
        return self.earliest_step, self.end_step

    @property
    def starts(self) -> range:
        """Steps at which the run may start."""
        return range(self.earliest_step, self.end_step - len(self.profile_kw) + 1)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HeatedHouse:
    """A heat pump, its house, and the weather of the horizon. The comfort band is a goal at a stated price.

    The house is one resistance and one capacity, stepped exactly (facts/models.md section 4)::

        T+ = a T + (1 - a) (T_outdoor + R (COP P + gains)),   a = exp(-dt / (R C))

    Parameters
    ----------
    heat_pump : HeatPump
        Rated power, COP, resistance, capacity and comfort band.
    site : int
        Index of its site.
    initial_temperature_c : float
        Of the house at the start, -50 to 60.
    outdoor_temperature_c : float array, shape (T,)
        Forecast [degC].
    gains_kw : float array, shape (T,), or None
        Other heat, from sun and people [kW thermal]; None for none.
    discomfort_cost_per_kh : float or None
        Price of a kelvin outside the band for an hour [currency/(K h)], read at the end of each step, 0 or more;
        None: twice the dearest energy that could warm the house by as much in that step, so that the band is left only
        where that heat is not to be had, or only by heating so far ahead that most of it would be lost.
    """

    heat_pump: HeatPump
    site: int = 0
    initial_temperature_c: float
    outdoor_temperature_c: Floats
    gains_kw: Floats | None = None
    discomfort_cost_per_kh: float | None = None

    def __post_init__(self) -> None:
        """Check what does not depend on the horizon."""
        require(self.asset_id, "initial_temperature_c", self.initial_temperature_c, low=-50.0, high=60.0, unit="degC")
        if self.discomfort_cost_per_kh is not None:
            require(self.asset_id, "discomfort_cost_per_kh", self.discomfort_cost_per_kh)

    @property
    def asset_id(self) -> str:
        """Id of the heat pump."""
        return self.heat_pump.id

    @property
    def gains(self) -> Floats:
        """Other heat of each step [kW thermal]."""
        return np.zeros(self.outdoor_temperature_c.shape) if self.gains_kw is None else self.gains_kw


def temperature_kept(heat_pump: HeatPump, duration_h: float) -> float:
    """Return the share of a temperature difference that a house keeps over a step, exp(-dt / (R C)).

    >>> round(temperature_kept(HeatPump(id="heat", rated_kw=5.0), 1.0), 9)
    0.951229425
    """
    return exp(-duration_h / (heat_pump.thermal_resistance_k_per_kw * heat_pump.thermal_capacity_kwh_per_k))


def warming_k_per_kw(heat_pump: HeatPump, duration_h: float) -> float:
    """Return by how much a kW of electricity held for a step warms the house at its end [K/kW]."""
    steady = heat_pump.thermal_resistance_k_per_kw * heat_pump.cop
    return (1.0 - temperature_kept(heat_pump, duration_h)) * steady


def house_temperature_c(house: HeatedHouse, power_kw: Floats, *, duration_h: float) -> Floats:
    """Return the temperature at the end of each step for the consumption of each step, shape (T,).

    >>> house = HeatedHouse(
    ...     heat_pump=HeatPump(id="heat", rated_kw=5.0),
    ...     initial_temperature_c=20.0,
    ...     outdoor_temperature_c=np.zeros(10),
    ... )
    >>> house_temperature_c(house, np.full(10, 5.0), duration_h=1.0)[[0, 4, 9]].round(9).tolist()
    [20.487705755, 22.211992169, 23.934693403]
    """
    pump, kept = house.heat_pump, temperature_kept(house.heat_pump, duration_h)
    steady = house.outdoor_temperature_c + pump.thermal_resistance_k_per_kw * (pump.cop * power_kw + house.gains)
    temperature, now = np.empty(power_kw.size), house.initial_temperature_c
    for step, target in enumerate(steady.tolist()):
        now = kept * now + (1.0 - kept) * target
        temperature[step] = now
    return temperature
