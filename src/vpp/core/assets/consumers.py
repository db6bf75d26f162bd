"""Consumers: loads, charging points, heat pumps and machines that can wait."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import ClassVar, Literal, TypeAlias, get_args

from vpp.core.assets.ranges import check_choice, check_optional, check_range, check_slug
from vpp.core.errors import InvalidInputError

LoadProfile = Literal["household", "office", "shop", "plant", "data_centre"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Consumption that is measured, not controlled.

    Parameters
    ----------
    peak_kw : float
        Largest plausible power, 0 or more; infinity when it is not known.
    profile : str or None
        What draws it: household, office, shop, plant or data_centre; by default a household up to 30 kW or where the
        peak is not known, a plant beyond.
    annual_energy_kwh : float or None
        Energy in a usual year, above 0; by default 4000 for a household, else what fits the peak.
    heating_fraction, cooling_fraction : float or None
        Shares of a household's energy that heat and cool it by the weather, 0 to 1 together; 0 and 0.1 by default.
    """

    kind: ClassVar[str] = "load"
    id: str
    peak_kw: float = inf
    profile: LoadProfile | None = None
    annual_energy_kwh: float | None = None
    heating_fraction: float | None = None
    cooling_fraction: float | None = None

    def __post_init__(self) -> None:
        """Check every range."""
        check_slug(self.id)
        check_range(self.id, "peak_kw", self.peak_kw, low=0.0, unit="kW", unlimited=True)
        if self.profile is not None:
            check_choice(self.id, "profile", self.profile, get_args(LoadProfile))
        check_optional(self.id, "annual_energy_kwh", self.annual_energy_kwh, low=1e-3, unit="kWh")
        check_optional(self.id, "heating_fraction", self.heating_fraction, low=0.0, high=1.0)
        check_optional(self.id, "cooling_fraction", self.cooling_fraction, low=0.0, high=1.0)
        if (self.heating_fraction or 0.0) + (self.cooling_fraction or 0.0) > 1.0:
            raise InvalidInputError(
                f"{self.id}.heating_fraction", self.heating_fraction, "at most 1 together with cooling_fraction"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class EvCharger:
    """A charging point and the car it usually serves.

    Parameters
    ----------
    rated_kw : float
        Largest charging power, 0 or more.
    capacity_kwh : float
        Battery of the car, 0 or more; no session needs more.
    charge_efficiency : float
        One-way, 0.001 to 1.
    arrival_hour, departure_hour : float or None
        Usual local hours, 0 to 24; by default home around six in the evening, away around seven.
    energy_per_session_kwh : float or None
        Mean energy that the car's battery needs, 0 or more; about 9 by default.
    sessions_per_week : float or None
        Days on which it is plugged in, 0 to 7; about 4 by default.
    """

    kind: ClassVar[str] = "ev_charger"
    id: str
    rated_kw: float
    capacity_kwh: float = 60.0
    charge_efficiency: float = 0.9
    arrival_hour: float | None = None
    departure_hour: float | None = None
    energy_per_session_kwh: float | None = None
    sessions_per_week: float | None = None

    def __post_init__(self) -> None:
        """Check every range."""
        check_slug(self.id)
        check_range(self.id, "rated_kw", self.rated_kw, low=0.0, unit="kW")
        check_range(self.id, "capacity_kwh", self.capacity_kwh, low=0.0, unit="kWh")
        check_range(self.id, "charge_efficiency", self.charge_efficiency, low=1e-3, high=1.0)
        check_optional(self.id, "arrival_hour", self.arrival_hour, low=0.0, high=24.0, unit="h")
        check_optional(self.id, "departure_hour", self.departure_hour, low=0.0, high=24.0, unit="h")
        check_optional(self.id, "energy_per_session_kwh", self.energy_per_session_kwh, low=0.0, unit="kWh")
        check_optional(self.id, "sessions_per_week", self.sessions_per_week, low=0.0, high=7.0)

    @property
    def peak_kw(self) -> float:
        """Largest power."""
        return self.rated_kw


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatPump:
    """A heat pump and the house it warms, as one resistance and one capacity (1R1C).

    Parameters
    ----------
    rated_kw : float
        Largest electrical power.
    cop : float
        Coefficient of performance, heat per electricity, above 0; in simulations that at 7 degrees outside.
    thermal_resistance_k_per_kw, thermal_capacity_kwh_per_k : float
        The house: indoor minus outdoor temperature per kW of heat, and heat stored per kelvin.
    temperature_min_c, temperature_max_c : float
        Comfort band.
    """

    kind: ClassVar[str] = "heat_pump"
    id: str
    rated_kw: float
    cop: float = 3.0
    thermal_resistance_k_per_kw: float = 2.0
    thermal_capacity_kwh_per_k: float = 10.0
    temperature_min_c: float = 20.0
    temperature_max_c: float = 22.0

    def __post_init__(self) -> None:
        """Check every range."""
        check_slug(self.id)
        check_range(self.id, "rated_kw", self.rated_kw, low=0.0, unit="kW")
        check_range(self.id, "cop", self.cop, low=0.1, high=20.0)
        check_range(self.id, "thermal_resistance_k_per_kw", self.thermal_resistance_k_per_kw, low=1e-3, unit="K/kW")
        check_range(self.id, "thermal_capacity_kwh_per_k", self.thermal_capacity_kwh_per_k, low=1e-3, unit="kWh/K")
        check_range(self.id, "temperature_min_c", self.temperature_min_c, low=-50.0, high=60.0, unit="degC")
        check_range(
            self.id, "temperature_max_c", self.temperature_max_c, low=self.temperature_min_c, high=60.0, unit="degC"
        )

    @property
    def peak_kw(self) -> float:
        """Largest electrical power."""
        return self.rated_kw


@dataclass(frozen=True, slots=True, kw_only=True)
class FlexibleLoad:
    """A machine that must run for a given energy and may choose when.

    Parameters
    ----------
    rated_kw : float
        Power while it runs, 0 or more.
    energy_kwh_per_day : float
        Energy it needs a day, 0 to what fits its window at rated power.
    earliest_hour, latest_hour : float
        Local hours (0 to 24) between which it may run; an end at or before the start lies on the next day.
    """

    kind: ClassVar[str] = "flexible_load"
    id: str
    rated_kw: float
    energy_kwh_per_day: float = 0.0
    earliest_hour: float = 0.0
    latest_hour: float = 24.0

    def __post_init__(self) -> None:
        """Check every range."""
        check_slug(self.id)
        check_range(self.id, "rated_kw", self.rated_kw, low=0.0, unit="kW")
        check_range(self.id, "earliest_hour", self.earliest_hour, low=0.0, high=24.0, unit="h")
        check_range(self.id, "latest_hour", self.latest_hour, low=0.0, high=24.0, unit="h")
        most_kwh = self.window_h * self.rated_kw
        check_range(self.id, "energy_kwh_per_day", self.energy_kwh_per_day, low=0.0, high=most_kwh, unit="kWh")

    @property
    def window_h(self) -> float:
        """Hours between which it may run."""
        return (self.latest_hour - self.earliest_hour) % 24.0 or 24.0

    @property
    def peak_kw(self) -> float:
        """Largest power."""
        return self.rated_kw


Consumer: TypeAlias = Load | EvCharger | HeatPump | FlexibleLoad
