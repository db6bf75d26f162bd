"""Generators of a plant in its weather: parameters of the plant file become those of the models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vpp.core.assets import SolarArray, WindTurbine
from vpp.core.errors import UnknownNameError
from vpp.simulation.plant.runs import SolarRun, WindRun
from vpp.simulation.plant.surroundings import World
from vpp.simulation.solar import SolarArrays, solar_power
from vpp.simulation.solar.arrays import DC_OVER_AC, LOSSES
from vpp.simulation.wind.catalogue import turbine_types
from vpp.simulation.wind.turbines import Turbines, wind_power

Floats = NDArray[np.float64]
HUB_M, SMALL_HUB_M, SMALL_KW = 100.0, 20.0, 100.0
LEAST_KW = 1e-6


def solar_arrays(arrays: Sequence[SolarArray], *, latitude_deg: float) -> SolarArrays:
    """Return the model of a plant's arrays, in their order.

    What the plant file calls its loss stands for all of PVWatts' losses but dirt.
    """
    south = 180.0 if latitude_deg >= 0.0 else 0.0
    inverters = [max(a.peak_kw / DC_OVER_AC, LEAST_KW) if a.inverter_kw is None else a.inverter_kw for a in arrays]
    others: dict[str, Any] = dict.fromkeys((name for name in LOSSES if name not in ("soiling", "wiring")), 0.0)
    return SolarArrays(
        dc_rated_kw=np.array([a.peak_kw for a in arrays]),
        ac_rated_kw=np.array(inverters),
        tilt_deg=np.array([a.tilt_deg for a in arrays]),
        azimuth_deg=np.array([south if a.azimuth_deg is None else a.azimuth_deg for a in arrays]),
        temperature_coefficient_per_c=np.array([a.temperature_coefficient_per_c for a in arrays]),
        inverter_efficiency=np.array([a.inverter_efficiency for a in arrays]),
        age_years=np.array([a.age_years for a in arrays]),
        degradation_per_year=np.array([a.degradation_per_year for a in arrays]),
        **others,
        soiling=np.array([a.soiling_fraction for a in arrays]),
        wiring=np.array([a.loss_fraction for a in arrays]),
    )


def run_solar(arrays: Sequence[SolarArray], world: World) -> dict[str, SolarRun]:
    """Return what every array makes, before curtailment."""
    if not arrays:
        return {}
    model = solar_arrays(arrays, latitude_deg=float(world.place.latitudes[0]))
    made = solar_power(model, world.place, world.weather, sun=world.sun)
    columns = (made.ac_kw, made.ac_kw, made.poa_w_m2, made.cell_temperature_c)
    return {array.id: SolarRun(*(column[:, i].copy() for column in columns)) for i, array in enumerate(arrays)}


def run_wind(turbines: Sequence[WindTurbine], world: World, *, seed: int) -> dict[str, WindRun]:
    """Return what every turbine makes, before curtailment.

    Raises
    ------
    UnknownNameError
        For a turbine type that the catalogue does not have; the nearest are named.
    """
    made = {}
    for turbine in turbines:
        if turbine.turbine_type is not None and turbine.turbine_type not in turbine_types():
            raise UnknownNameError(f"{turbine.id}.turbine_type", turbine.turbine_type, turbine_types())
        hub_m = turbine.hub_height_m or (SMALL_HUB_M if turbine.rated_kw < SMALL_KW else HUB_M)
        model = Turbines.of(
            [turbine.turbine_type],
            [max(turbine.rated_kw, LEAST_KW)],
            hub_height_m=hub_m,
            roughness_m=turbine.roughness_m,
        )
        weather = world.weather
        done = wind_power(
            model,
            world.grid,
            wind_speed_m_s=weather.wind_speed_m_s,
            temperature_c=weather.temperature_c,
            pressure_pa=weather.pressure_pa,
            seed=seed,
            names=[turbine.id],
        )
        power = done.power_kw[:, 0]
        made[turbine.id] = WindRun(power, power, done.hub_speed_m_s[:, 0])
    return made
