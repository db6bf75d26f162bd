"""Loads of a plant by profile: homes, businesses and data centres of the size the plant file states."""

from __future__ import annotations

from dataclasses import replace
from math import inf, isfinite

import numpy as np
from numpy.typing import NDArray

from vpp.core.assets import Load
from vpp.simulation.load import SHAPES, DataCentre, HouseholdSettings, business_load, data_centre_load, household_load
from vpp.simulation.load.household import AVERAGE_YEAR_H
from vpp.simulation.plant.consumption import number_of
from vpp.simulation.plant.degree_hours import degree_hours
from vpp.simulation.plant.runs import LoadRun
from vpp.simulation.plant.surroundings import World

Floats = NDArray[np.float64]
LARGEST_HOUSEHOLD_KW = 30.0
HOUSEHOLD_KWH = 4000.0
COOLING_FRACTION = 0.1
PLATEAU_SHARE = 0.8
"""A business that is fully at work draws this share of its largest power; noise and warm days take the rest."""
UNKNOWN_PEAK_KW = 50.0
_WARMEST_C = 35.0
_WEEK_H = 7 * 24


def profile_of(load: Load) -> str:
    """Return what draws, as stated or by size."""
    if load.profile is not None:
        return load.profile
    return "household" if load.peak_kw == inf or load.peak_kw <= LARGEST_HOUSEHOLD_KW else "plant"


def run_load(load: Load, world: World, *, seed: int) -> LoadRun:
    """Return what a load draws, with its parts; never more than its largest power."""
    profile = profile_of(load)
    if profile == "household":
        parts = _household(load, world, seed)
    elif profile == "data_centre":
        parts = _data_centre(load, world, seed)
    else:
        parts = _business(load, profile, world, seed)
    total = sum(parts.values(), np.zeros(world.grid.count))
    if isfinite(load.peak_kw):
        kept = np.divide(load.peak_kw, total, out=np.ones_like(total), where=total > load.peak_kw)
        parts = {name: part * kept for name, part in parts.items()}
        total = sum(parts.values(), np.zeros(world.grid.count))
    return LoadRun(0.0 - total, parts)


def household_settings(load: Load, world: World) -> tuple[HouseholdSettings, float]:
    """Return the home, and its energy in a year without heating and cooling [kWh]."""
    annual = load.annual_energy_kwh or HOUSEHOLD_KWH
    heating = load.heating_fraction or 0.0
    cooling = COOLING_FRACTION if load.cooling_fraction is None else load.cooling_fraction
    if load.cooling_fraction is None:
        cooling = min(cooling, 1.0 - heating)
    usual = HouseholdSettings()
    cold, warm = degree_hours(world.place, below_c=usual.heating_below_c, above_c=usual.cooling_from_c)
    heating_kw_per_k = heating * annual / cold if cold > 0.0 else 0.0
    cooling_kw_per_k = cooling * annual / warm if warm > 0.0 else 0.0
    largest_kw = max(40.0 * heating_kw_per_k, 15.0 * cooling_kw_per_k, usual.climate_rated_kw)
    settings = replace(
        usual,
        heating_kw_per_k=heating_kw_per_k,
        cooling_kw_per_k=cooling_kw_per_k,
        climate_rated_kw=largest_kw,
        climate_spread=0.0,
        empty_share=1.0,
    )
    return settings, annual * max(1.0 - heating - cooling, 0.0)


def _household(load: Load, world: World, seed: int) -> dict[str, Floats]:
    settings, rest_kwh = household_settings(load, world)
    done = household_load(
        settings,
        homes=number_of(load.id),
        hour_of_day=world.clock.hour_of_day,
        weekday=world.clock.weekday,
        temperature_c=world.temperature_c,
        ghi_w_m2=world.ghi_w_m2,
        duration_h=world.grid.duration_h,
        seed=seed,
        annual_energy_kwh=rest_kwh,
    )
    return {
        "base_kw": done.base_kw[:, 0].copy(),
        "appliances_kw": done.appliances_kw[:, 0],
        "lighting_kw": done.lighting_kw[:, 0],
        "hvac_kw": done.climate_kw[:, 0],
    }


def _business(load: Load, profile: str, world: World, seed: int) -> dict[str, Floats]:
    shape = SHAPES[profile]
    if load.annual_energy_kwh is not None:
        hours = np.arange(_WEEK_H, dtype=np.float64)
        steady = replace(shape, noise_share=0.0, spread_h=0.0)
        week = business_load(
            steady,
            businesses=1,
            peak_kw=1.0,
            hour_of_day=hours % 24.0,
            weekday=hours // 24.0,
            temperature_c=np.full(_WEEK_H, shape.cooling_from_c),
            duration_h=1.0,
            seed=0,
        )
        plateau_kw = load.annual_energy_kwh / AVERAGE_YEAR_H / float(week.load_kw.mean())
    else:
        plateau_kw = PLATEAU_SHARE * load.peak_kw if isfinite(load.peak_kw) else UNKNOWN_PEAK_KW
    done = business_load(
        shape,
        businesses=number_of(load.id),
        peak_kw=plateau_kw,
        hour_of_day=world.clock.hour_of_day,
        weekday=world.clock.weekday,
        temperature_c=world.temperature_c,
        duration_h=world.grid.duration_h,
        seed=seed,
    )
    return {"base_kw": done.base_kw[:, 0], "process_kw": done.work_kw[:, 0], "hvac_kw": done.cooling_kw[:, 0]}


def _data_centre(load: Load, world: World, seed: int) -> dict[str, Floats]:
    usual = DataCentre(rated_kw=1.0)
    if load.annual_energy_kwh is not None:
        busy = usual.idle_share + (1.0 - usual.idle_share) * usual.utilisation
        rated_kw = load.annual_energy_kwh / AVERAGE_YEAR_H / (busy * float(usual.pue(usual.free_cooling_c)))
    else:
        peak_kw = load.peak_kw if isfinite(load.peak_kw) else UNKNOWN_PEAK_KW
        rated_kw = peak_kw / float(usual.pue(_WARMEST_C))
    if rated_kw <= 0.0:
        return {"base_kw": np.zeros(world.grid.count)}
    centre = replace(usual, rated_kw=rated_kw, job_kw=max(rated_kw / 100.0, 1e-6))
    done = data_centre_load(
        centre,
        nodes=number_of(load.id),
        temperature_c=world.temperature_c,
        duration_h=world.grid.duration_h,
        seed=seed,
    )
    return {"base_kw": done.losses_kw[:, 0], "process_kw": done.computing_kw[:, 0], "hvac_kw": done.cooling_kw[:, 0]}
