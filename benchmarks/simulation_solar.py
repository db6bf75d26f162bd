"""How long a year of hours of photovoltaics at 1,000 distinct places takes, beside a loop over pvlib's ModelChain.

CPU seconds of one process, sun position included on both sides; the loop runs a sample of the sites, spread over the
fleet, and is scaled to all of them. Energies of the sample must agree within 0.1 %. Weather is made before the clock.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pandas as pd
from pvlib.location import Location
from pvlib.modelchain import ModelChain
from pvlib.pvsystem import Array, FixedMount, PVSystem
from pvlib.temperature import TEMPERATURE_MODEL_PARAMETERS

from vpp.core.time import TimeGrid, parse_time
from vpp.core.units import KILO
from vpp.simulation.solar import SolarArrays, solar_power
from vpp.simulation.weather import Places, Weather, synthetic_weather

AGREEMENT = 1e-3
BAR_S = 8.0
BAR_RATIO = 6.0
Row = dict[str, Any]


def run(*, sites: int = 1000, sample: int = 16, repeats: int = 3) -> list[Row]:
    """Return one row."""
    places, arrays, grid = fleet(sites)
    began = time.process_time()
    weather = synthetic_weather(places, grid, seed=1)
    weather_s = time.process_time() - began
    chosen = np.linspace(0, sites - 1, sample).astype(int)
    pipeline_s, chain_s = [], []
    for _ in range(repeats):
        began = time.process_time()
        made = solar_power(arrays, places, weather)
        pipeline_s.append(time.process_time() - began)
        began = time.process_time()
        energies = np.array([chain_kwh(arrays, places, weather, site) for site in chosen])
        chain_s.append((time.process_time() - began) * sites / sample)
    ours = made.ac_kw[:, chosen].sum(axis=0) * grid.duration_h
    apart = float(np.abs(ours / energies - 1.0).max())
    if apart > AGREEMENT:
        message = f"energies differ by {apart:.2%}: not the same plant"
        raise AssertionError(message)
    seconds, loop_s = float(np.median(pipeline_s)), float(np.median(chain_s))
    return [
        {
            "work": f"{sites:,} places x {len(grid)} h",
            "pipeline_s": seconds,
            "bar_s": BAR_S,
            "model_chain_s": loop_s,
            "model_chain_over_pipeline": loop_s / seconds,
            "bar_ratio": BAR_RATIO,
            "sites_in_the_loop": sample,
            "largest_difference_percent": 100.0 * apart,
            "weather_s": weather_s,
        }
    ]


def fleet(sites: int) -> tuple[Places, SolarArrays, TimeGrid]:
    """Return arrays of all orientations at distinct places of both hemispheres, and a year of hours."""
    rng = np.random.default_rng(3)
    places = Places(rng.uniform(-55, 65, sites), rng.uniform(-180, 180, sites), rng.uniform(0, 2000, sites))
    size = rng.uniform(3, 12, sites)
    arrays = SolarArrays(
        dc_rated_kw=size,
        ac_rated_kw=size / rng.uniform(1.0, 1.4, sites),
        tilt_deg=rng.uniform(0, 60, sites),
        azimuth_deg=np.where(places.latitudes < 0.0, rng.uniform(-90, 90, sites) % 360, rng.uniform(90, 270, sites)),
        degradation_per_year=0.0,
    )
    return places, arrays, TimeGrid(parse_time("2023-01-01T00:00Z"), 3600, 8760)


def chain_kwh(arrays: SolarArrays, places: Places, weather: Weather, site: int) -> float:
    """Return the energy of one site by ModelChain with the same settings."""
    moments = pd.to_datetime(weather.grid.times_s + weather.grid.resolution_s // 2, unit="s", utc=True)
    frame = pd.DataFrame(
        {
            "ghi": weather.ghi_w_m2[:, site],
            "dni": weather.dni_w_m2[:, site],
            "dhi": weather.dhi_w_m2[:, site],
            "temp_air": weather.temperature_c[:, site],
            "wind_speed": weather.wind_speed_m_s[:, site],
        },
        index=moments,
    )
    efficiency = float(arrays.of("inverter_efficiency")[site])
    array = Array(
        FixedMount(float(arrays.of("tilt_deg")[site]), float(arrays.of("azimuth_deg")[site])),
        module_parameters={"pdc0": KILO * arrays.of("dc_rated_kw")[site], "gamma_pdc": -0.004},
        temperature_model_parameters=TEMPERATURE_MODEL_PARAMETERS["sapm"]["open_rack_glass_glass"],
    )
    inverter = {"pdc0": KILO * arrays.of("ac_rated_kw")[site] / efficiency, "eta_inv_nom": efficiency}
    chain = ModelChain(
        PVSystem([array], inverter_parameters=inverter),
        Location(places.latitudes[site], places.longitudes[site], "UTC", places.altitudes_m[site]),
        aoi_model="physical",
        spectral_model="no_loss",
        transposition_model=arrays.sky_model,
        losses_model="pvwatts",
    )
    chain.run_model(frame)
    return float(np.nansum(chain.results.ac)) * weather.grid.duration_h / KILO


if __name__ == "__main__":
    import json

    print(json.dumps(run(), indent=1))
