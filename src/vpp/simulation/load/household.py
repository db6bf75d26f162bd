"""Households: what people at home draw, from standby to cooling, as seeded days of single events.

Events, schedules and thermostats live in continuous time, so a home's events are the same at any resolution.
Invariant: the parts sum to the load; a home's numbers depend on the seed and its own number alone, not on the chunk
it is drawn in.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from vpp.core.errors import InvalidInputError, SeriesMismatchError
from vpp.simulation.load import climate_control, occupancy
from vpp.simulation.load.climate_control import climate_power, lagged
from vpp.simulation.load.day import DAY_BEGINS_H, HOURS, Days
from vpp.simulation.load.household_settings import Appliance, HouseholdSettings
from vpp.simulation.load.occupancy import Schedules, active_at, own_shift_h, schedules
from vpp.simulation.load.pulses import pulse_power
from vpp.simulation.load.streams import Draws, drawn, numbers

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
AVERAGE_YEAR_H = 8766.0
DAYLIGHT_W_M2 = 100.0
"""Irradiance outside at which nobody needs a lamp; half of it is half a lamp."""
SHORTEST_RUN, RUN_RANGE = 0.4, 1.2
TRIAL_HOMES = 2000
NORMAL = NormalDist()
SIZE, BASE = 0, 1
_OWN = slice(2, 2 + occupancy.TRAITS)
_CLIMATE = slice(2 + occupancy.TRAITS, 2 + occupancy.TRAITS + climate_control.TRAITS)
TRAITS = _CLIMATE.stop
DAY_DRAWS = occupancy.DAY_DRAWS + 1


@dataclass(frozen=True, slots=True)
class HouseholdLoad:
    """What S homes draw in T steps [kW], non-negative arrays of shape (T, S); ``load_kw`` is the sum of the parts."""

    load_kw: Floats
    base_kw: Floats
    appliances_kw: Floats
    lighting_kw: Floats
    climate_kw: Floats
    active: NDArray[np.bool_]


class Events(NamedTuple):
    """Runs of appliances: day, home, hours since the day began, length [h] and power [kW], arrays of shape (N,)."""

    day: Integers
    home: Integers
    clock_h: Floats
    run_h: Floats
    power_kw: Floats


def household_load(
    settings: HouseholdSettings | None = None,
    *,
    homes: int | ArrayLike,
    hour_of_day: ArrayLike,
    weekday: ArrayLike,
    temperature_c: ArrayLike,
    ghi_w_m2: ArrayLike,
    duration_h: float,
    seed: int,
    annual_energy_kwh: ArrayLike | None = None,
    dtype: DTypeLike = np.float64,
) -> HouseholdLoad:
    """Return what homes draw.

    Parameters
    ----------
    settings : HouseholdSettings or None
        The population; None for the defaults.
    homes : int or int array, shape (S,)
        How many, or the numbers of the homes in their fleet.
    hour_of_day, weekday : array, shape (T,)
        Local clock at the start of each step: 0 to below 24, and 0 (Monday) to 6.
    temperature_c, ghi_w_m2 : array, shape (T,) or (T, S)
        Outdoor temperature, and irradiance on the ground (the daylight).
    duration_h : float
        Length of a step, 1/3600 to 1.
    seed : int
        Of the whole simulation.
    annual_energy_kwh : float or array, shape (S,), optional
        Energy expected in a year without heating and cooling, for homes whose size is known.
    dtype : float32 or float64
        Of the results.

    Raises
    ------
    InvalidInputError
        For a value outside its range, or NaN in the weather.
    SeriesMismatchError
        For arrays that do not fit together.

    Examples
    --------
    >>> hours = np.arange(24)
    >>> load = household_load(
    ...     homes=2, hour_of_day=hours, weekday=np.zeros(24), temperature_c=np.full(24, 20.0),
    ...     ghi_w_m2=np.zeros(24), duration_h=1.0, seed=1,
    ... )
    >>> load.load_kw.shape, bool((load.load_kw >= load.base_kw).all())
    ((24, 2), True)
    """
    settings = settings or HouseholdSettings()
    units = numbers("homes", homes)
    days = Days.of(hour_of_day, weekday, duration_h=duration_h)
    shape = (days.day.size, units.size)
    outdoor = _weather("temperature_c", temperature_c, shape)
    bright = _weather("ghi_w_m2", ghi_w_m2, shape)
    draws = drawn(seed, "household", units, traits=TRAITS, **_sizes(settings, days))
    mean_kw = _mean_kw(settings, draws, annual_energy_kwh)
    plan = schedules(settings, draws.traits[:, _OWN], draws.days[..., : occupancy.DAY_DRAWS], days.weekday)
    active = active_at(plan, days.day, days.clock_h[:, None], slice(None))
    expected = _expected(settings)

    found = _events(settings, draws, plan)
    begin_h = days.begins_h[found.day] + found.clock_h
    power = found.power_kw * (mean_kw * _appliance_share(settings) / expected.appliances_kw)[found.home]
    events = pulse_power(begin_h, begin_h + found.run_h, power, found.home, duration_h=duration_h, shape=shape)
    lamps_kw = mean_kw * settings.lighting_share / expected.lighting
    parts = (
        np.broadcast_to(_base_kw(settings, draws, mean_kw), shape),
        events,
        active * np.clip(1.0 - bright / DAYLIGHT_W_M2, 0.0, 1.0) * lamps_kw,
        climate_power(
            settings,
            lagged(outdoor, inertia_h=settings.inertia_h, duration_h=duration_h),
            active,
            draws.traits[:, _CLIMATE],
            draws.days[days.day, :, occupancy.DAY_DRAWS],
            duration_h=duration_h,
        ),
    )
    base, appliances, lighting, climate = (part.astype(dtype) for part in parts)
    return HouseholdLoad(base + appliances + lighting + climate, base, appliances, lighting, climate, active)


def _slots(appliance: Appliance) -> int:
    """Return the most runs a day can have."""
    return int(np.ceil(appliance.runs_per_day + 2.0 * appliance.runs_per_day**0.5))


def _sizes(settings: HouseholdSettings, days: Days) -> dict[str, int]:
    slots = sum(_slots(appliance) for appliance in settings.appliances)
    return {
        "habits": slots + len(settings.appliances),
        "days": days.begins_h.size,
        "per_day": DAY_DRAWS + 3 * slots,
    }


def _appliance_share(settings: HouseholdSettings) -> float:
    return 1.0 - settings.base_share - settings.lighting_share


def _mean_kw(settings: HouseholdSettings, draws: Draws, annual_energy_kwh: ArrayLike | None) -> Floats:
    """Return the mean power expected of each home without heating and cooling, shape (S,)."""
    count = draws.traits.shape[0]
    if annual_energy_kwh is None:
        spread = settings.size_spread
        size = np.exp(spread * draws.traits[:, SIZE] - 0.5 * spread**2)
        return np.asarray(settings.annual_energy_kwh * size / AVERAGE_YEAR_H)
    given = np.asarray(annual_energy_kwh, dtype=np.float64)
    if given.shape not in ((), (count,)):
        raise SeriesMismatchError("annual_energy_kwh", given.shape, f"one number, or one per home ({count})")
    if not ((given >= 0.0) & np.isfinite(given)).all():
        raise InvalidInputError("annual_energy_kwh", annual_energy_kwh, "0 or more [kWh]")
    return np.broadcast_to(given, (count,)) / AVERAGE_YEAR_H


def _base_kw(settings: HouseholdSettings, draws: Draws, mean_kw: Floats) -> Floats:
    level = np.maximum(1.0 + settings.base_spread * draws.traits[:, BASE], 0.0)
    return np.asarray(mean_kw * settings.base_share * level / _mean_of_cut_normal(settings.base_spread))


def _mean_of_cut_normal(spread: float) -> float:
    """Return the mean of max(1 + spread * z, 0) for a standard normal z."""
    if spread == 0.0:
        return 1.0
    at = 1.0 / spread
    below = NORMAL.cdf(at)
    return below + spread * NORMAL.pdf(at)


def _events(settings: HouseholdSettings, draws: Draws, plan: Schedules) -> Events:
    """Return the runs of every appliance: slots that are taken, and begin while somebody is there to begin them."""
    found, column, habit = list[Events](), DAY_DRAWS, len(settings.appliances)
    # a home that comes home late also eats and washes late: no hour is everybody's
    shift_h = own_shift_h(settings, draws.traits[:, _OWN])
    for rank, appliance in enumerate(settings.appliances):
        slots = _slots(appliance)
        taken, at, length = (draws.days[..., column + i * slots : column + (i + 1) * slots] for i in range(3))
        usual = draws.habits[:, habit : habit + slots]
        column, habit = column + 3 * slots, habit + slots
        owned = draws.habits[:, rank] < appliance.owned_share
        day, home, slot = np.nonzero((taken < appliance.runs_per_day / slots) & owned[:, None])
        kept_to = appliance.habit
        when = kept_to * usual[home, slot] + (1.0 - kept_to) * at[day, home, slot]
        clock_h = _begin_h(appliance, when) + shift_h[home]
        if appliance.needs_people:
            kept = active_at(plan, day, clock_h, home)
            day, home, slot, clock_h = day[kept], home[kept], slot[kept], clock_h[kept]
        run_h = appliance.run_h * (SHORTEST_RUN + RUN_RANGE * length[day, home, slot].astype(np.float64))
        found.append(Events(day, home, clock_h, run_h, np.full(run_h.size, appliance.power_kw)))
    if not found:
        none = np.empty(0, dtype=np.int64)
        return Events(none, none, *3 * (np.empty(0),))
    return Events(*(np.concatenate(columns) for columns in zip(*found, strict=True)))


def _begin_h(appliance: Appliance, uniform: NDArray[np.float32]) -> Floats:
    """Return beginnings, hours since four, by the inverse of the windows' distribution."""
    hours, shares, total = [DAY_BEGINS_H], [0.0], 0.0
    for begin, end, weight in appliance.windows:
        hours += [begin, end]
        shares += [total, total + weight]
        total += weight
    return np.asarray(np.interp(uniform * total, shares, hours) - DAY_BEGINS_H)


def _weather(name: str, value: ArrayLike, shape: tuple[int, int]) -> Floats:
    given = np.asarray(value, dtype=np.float64)
    column = given[:, None] if given.ndim == 1 else given
    if column.shape not in ((shape[0], 1), shape):
        raise SeriesMismatchError(name, given.shape, f"({shape[0]},) or {shape}, one row per step")
    if not np.isfinite(column).all():
        raise InvalidInputError(name, float("nan"), "finite numbers; fill holes before")
    return column


class _Expected(NamedTuple):
    appliances_kw: float
    lighting: float


@cache
def _expected(settings: HouseholdSettings) -> _Expected:
    """Return the means of appliances at nominal power and of lamps that are on, over a trial population and week."""
    hours = DAY_BEGINS_H + np.arange(7 * 24, dtype=np.float64)
    days = Days.of(hours % 24.0, (hours // 24.0).astype(np.int64) % 7, duration_h=1.0)
    trial = np.arange(TRIAL_HOMES, dtype=np.int64)
    draws = drawn(0, "trial", trial, traits=TRAITS, **_sizes(settings, days))
    plan = schedules(settings, draws.traits[:, _OWN], draws.days[..., : occupancy.DAY_DRAWS], days.weekday)
    found = _events(settings, draws, plan)
    used_kwh = float((found.run_h * found.power_kw).sum()) / (7 * trial.size)
    active = active_at(plan, days.day, days.clock_h[:, None], slice(None))
    dark = np.abs(hours % 24.0 - 12.5) > 6.0
    return _Expected(max(used_kwh / HOURS, 1e-12), max(float((active & dark[:, None]).mean()), 1e-12))
