"""What a population of households is like: appliances, schedules, lighting, heating and cooling."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from vpp.core.errors import InvalidInputError

Windows = tuple[tuple[float, float, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Appliance:
    """One kind of appliance and how it is used.

    Parameters
    ----------
    name : str
        For messages.
    power_kw : float
        While it runs, above 0.
    run_h : float
        Mean length of a run, above 0 to 12; single runs last 0.4 to 1.6 times as long.
    runs_per_day : float
        At most, when somebody is always at home; above 0 to 24.
    windows : tuple of (from, to, weight)
        Local hours (0 to 28, where 25 is one at night) in which runs begin, and how likely each window is.
    needs_people : bool
        True when a run begins only while somebody is at home and awake.
    habit : float
        How much a home keeps to its own hours (0-1): 0 draws every beginning anew, 1 repeats it every day (a timer).
    owned_share : float
        Homes that have one, above 0 to 1.
    """

    name: str
    power_kw: float
    run_h: float
    runs_per_day: float
    windows: Windows = ((4.0, 28.0, 1.0),)
    needs_people: bool = True
    habit: float = 0.5
    owned_share: float = 1.0

    def __post_init__(self) -> None:
        """Check every range."""
        path = f"household.appliances.{self.name}"
        for name, most in (("power_kw", float("inf")), ("run_h", 12.0), ("runs_per_day", 24.0)):
            if not 0.0 < getattr(self, name) <= most:
                raise InvalidInputError(f"{path}.{name}", getattr(self, name), f"above 0 to {most:g}")
        if not 0.0 <= self.habit <= 1.0:
            raise InvalidInputError(f"{path}.habit", self.habit, "0 to 1")
        if not 0.0 < self.owned_share <= 1.0:
            raise InvalidInputError(f"{path}.owned_share", self.owned_share, "above 0 to 1")
        inside = all(4.0 <= begin < end <= 28.0 and weight > 0.0 for begin, end, weight in self.windows)
        ordered = all(one[1] <= other[0] for one, other in pairwise(self.windows))
        if not (self.windows and inside and ordered):
            raise InvalidInputError(f"{path}.windows", self.windows, "ascending windows between 4 and 28 h, weight > 0")


MEALS: Windows = ((6.0, 9.0, 1.0), (11.5, 13.5, 1.0), (17.0, 20.5, 2.0))
CHORES: Windows = ((8.0, 18.0, 1.0), (18.0, 23.0, 1.0))
EVENING: Windows = ((16.0, 23.0, 1.0),)
APPLIANCES = (
    Appliance(name="kitchen", power_kw=1.8, run_h=0.4, runs_per_day=3.5, windows=MEALS),
    Appliance(name="laundry", power_kw=2.5, run_h=1.2, runs_per_day=1.2, windows=CHORES),
    Appliance(name="screens", power_kw=0.3, run_h=2.5, runs_per_day=2.5, windows=EVENING),
    Appliance(name="hot water", power_kw=3.0, run_h=1.5, runs_per_day=0.8, needs_people=False),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class HouseholdSettings:
    """A population of homes.

    Parameters
    ----------
    annual_energy_kwh : float
        Mean of the population without heating and cooling, which follow the weather; above 0.
    size_spread : float
        Standard deviation of the logarithm of a home's energy, 0 to 1.5.
    base_share, lighting_share : float
        Of the annual energy, 0 to 1 together; appliances have the rest.
    base_spread : float
        Standard deviation of a home's standby power per its mean, 0 to 3; below 0 there is none.
    employed_share : float
        Homes that are empty on weekdays (0-1).
    wake_hour, sleep_hour, leave_hour, return_hour : float
        Local hours (4 to 28).
    routine_h : float
        How far a day strays from the home's own hours, 0 to 2; homes differ among themselves by as much.
    cooling_kw_per_k, heating_kw_per_k : float
        Mean electrical power per kelvin beyond ``cooling_from_c`` or ``heating_below_c``, 0 or more.
    cooling_from_c, heating_below_c : float
        Outdoor temperatures.
    climate_spread : float
        Standard deviation of the logarithm of those powers from home to home, 0 to 1.5.
    climate_rated_kw : float
        Power while the compressor runs, above 0.
    climate_cycle_h : float
        On and off once in this time, above 0.
    inertia_h : float
        By which the house lags behind the weather, 0 or more.
    empty_share : float
        Heating and cooling while nobody is up and at home, per that while somebody is (0-1).
    day_spread : float
        How heating and cooling vary from one day to the next, 0 to 1.
    appliances : tuple of Appliance
        What runs in events.

    Examples
    --------
    >>> HouseholdSettings(annual_energy_kwh=3500.0).base_share
    0.3
    """

    annual_energy_kwh: float = 4000.0
    size_spread: float = 0.35
    base_share: float = 0.3
    base_spread: float = 0.5
    lighting_share: float = 0.1
    employed_share: float = 0.6
    wake_hour: float = 6.75
    sleep_hour: float = 23.0
    leave_hour: float = 8.0
    return_hour: float = 17.25
    routine_h: float = 0.75
    cooling_kw_per_k: float = 0.1
    cooling_from_c: float = 23.0
    heating_kw_per_k: float = 0.0
    heating_below_c: float = 14.0
    climate_spread: float = 0.5
    climate_rated_kw: float = 2.5
    climate_cycle_h: float = 0.4
    inertia_h: float = 3.0
    empty_share: float = 0.5
    day_spread: float = 0.5
    appliances: tuple[Appliance, ...] = APPLIANCES

    def __post_init__(self) -> None:
        """Check every range."""
        inf = float("inf")
        ranges = {
            "size_spread": (0.0, 1.5),
            "base_share": (0.0, 1.0),
            "base_spread": (0.0, 3.0),
            "lighting_share": (0.0, 1.0),
            "employed_share": (0.0, 1.0),
            "routine_h": (0.0, 2.0),
            "cooling_kw_per_k": (0.0, inf),
            "cooling_from_c": (-50.0, 60.0),
            "heating_kw_per_k": (0.0, inf),
            "heating_below_c": (-50.0, 60.0),
            "climate_spread": (0.0, 1.5),
            "climate_rated_kw": (1e-3, inf),
            "climate_cycle_h": (1e-2, 24.0),
            "inertia_h": (0.0, 240.0),
            "empty_share": (0.0, 1.0),
            "day_spread": (0.0, 1.0),
            **dict.fromkeys(("wake_hour", "sleep_hour", "leave_hour", "return_hour"), (4.0, 28.0)),
        }
        for name, (low, high) in ranges.items():
            if not low <= getattr(self, name) <= high:
                end = f" to {high:g}" if high < inf else " or more"
                raise InvalidInputError(f"household.{name}", getattr(self, name), f"{low:g}{end}")
        if not 0.0 < self.annual_energy_kwh < inf:
            raise InvalidInputError("household.annual_energy_kwh", self.annual_energy_kwh, "above 0 [kWh]")
        if self.base_share + self.lighting_share > 1.0:
            raise InvalidInputError("household.base_share", self.base_share, "at most 1 together with lighting_share")
        if not self.appliances and self.base_share + self.lighting_share < 1.0:
            raise InvalidInputError("household.appliances", (), "at least one, unless base and lighting take all")

    @classmethod
    def fontana(cls) -> HouseholdSettings:
        """Return the population fitted to eleven measured homes.

        All-electric homes in Fontana, California (EPRI, 2016/17; in CityLearn 2.1.2, MIT), hourly. Fitted by search
        over pooled mean and quantiles, memory at 1, 2, 24 and 168 hours, and ramps. The weather at hand is not that of
        the year measured, so the split between climate and appliances is the fit's, not a measurement.
        """
        appliances = (
            Appliance(name="kitchen", power_kw=1.5, run_h=0.53, runs_per_day=3.4, windows=MEALS, habit=0.68),
            Appliance(name="laundry", power_kw=1.7, run_h=2.1, runs_per_day=0.93, windows=CHORES, habit=0.79),
            Appliance(name="screens", power_kw=0.44, run_h=3.1, runs_per_day=1.8, windows=EVENING, habit=0.42),
            Appliance(
                name="timer",
                power_kw=1.2,
                run_h=3.6,
                runs_per_day=0.79,
                windows=((7.0, 20.0, 1.0),),
                needs_people=False,
                habit=0.87,
                owned_share=0.38,
            ),
        )
        return cls(
            annual_energy_kwh=8200.0,
            size_spread=0.12,
            base_share=0.35,
            base_spread=1.2,
            lighting_share=0.14,
            employed_share=0.1,
            routine_h=0.78,
            cooling_kw_per_k=0.19,
            cooling_from_c=18.0,
            heating_kw_per_k=0.25,
            heating_below_c=11.0,
            climate_spread=0.49,
            climate_rated_kw=3.0,
            inertia_h=1.8,
            empty_share=0.36,
            day_spread=0.03,
            appliances=appliances,
        )
