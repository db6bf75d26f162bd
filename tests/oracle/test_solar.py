"""Oracle of photovoltaics: pvlib's ModelChain with the same settings, and the year of hours that was re-run with it.

The pipeline and the chain share pvlib's functions but no line of how they are put together: geometry, order of losses,
night and clipping are each their own.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pvlib.location import Location
from pvlib.modelchain import ModelChain
from pvlib.pvsystem import Array, FixedMount, PVSystem
from pvlib.temperature import TEMPERATURE_MODEL_PARAMETERS

from vpp.core.time import TimeGrid, parse_time
from vpp.core.units import w_from_kw
from vpp.simulation.solar import SolarArrays, solar_power
from vpp.simulation.solar.calibrated import CalibratedPlant, fontana, golden, luxembourg
from vpp.simulation.weather import Places, Weather, sun_position, synthetic_weather
from vpp.simulation.weather.sky import clear_sky
from vpp.simulation.weather.sun import middles_s

AGREEMENT = 1e-3
SITES = {
    "Tucson": (32.2, -110.9, 700.0, 30.0, 180.0),
    "Sydney": (-33.9, 151.2, 20.0, 25.0, 5.0),
    "Quito": (-0.2, -78.5, 2850.0, 10.0, 90.0),
    "Tromso": (69.6, 18.9, 10.0, 60.0, 200.0),
    "Amsterdam, west": (52.4, 4.9, 0.0, 35.0, 270.0),
    "Amsterdam, wall": (52.4, 4.9, 0.0, 90.0, 135.0),
    "Amsterdam, flat": (52.4, 4.9, 0.0, 0.0, 180.0),
}
CELLS = {
    "sapm": ("sapm", "open_rack_glass_glass"),
    "pvsyst": ("pvsyst", "freestanding"),
}


def chain_ac_kw(weather: Weather, arrays: SolarArrays, site: int, *, cell: str = "sapm") -> np.ndarray:
    latitude, longitude, altitude, tilt, azimuth = list(SITES.values())[site]
    frame = pd.DataFrame(
        {
            "ghi": weather.ghi_w_m2[:, site], "dni": weather.dni_w_m2[:, site], "dhi": weather.dhi_w_m2[:, site],
            "temp_air": weather.temperature_c[:, site], "wind_speed": weather.wind_speed_m_s[:, site],
        },
        index=pd.to_datetime(middles_s(weather.grid), unit="s", utc=True),
    )  # fmt: skip
    family, mounting = CELLS[cell]
    array = Array(
        FixedMount(tilt, azimuth),
        module_parameters={"pdc0": 5000.0, "gamma_pdc": -0.004},
        temperature_model_parameters=TEMPERATURE_MODEL_PARAMETERS[family][mounting],
    )
    rated_w = w_from_kw(arrays.of("ac_rated_kw")[0]) / 0.96
    chain = ModelChain(
        PVSystem([array], inverter_parameters={"pdc0": rated_w, "eta_inv_nom": 0.96}),
        Location(latitude, longitude, "UTC", altitude), aoi_model="physical", spectral_model="no_loss",
        temperature_model=cell, transposition_model=arrays.sky_model, losses_model="pvwatts",
    )  # fmt: skip
    chain.run_model(frame)
    return np.asarray(chain.results.ac.fillna(0.0)) / 1000.0


@pytest.fixture(scope="module")
def places() -> Places:
    columns = np.array(list(SITES.values())).T
    return Places(columns[0], columns[1], columns[2])


@pytest.fixture(scope="module")
def weather(places: Places) -> Weather:
    return synthetic_weather(places, TimeGrid(parse_time("2023-01-01T00:00Z"), 3600, 8760), seed=11)


@pytest.mark.parametrize(
    ("sky", "cell"),
    [("haydavies", "sapm"), ("perez", "sapm"), ("perez-driesse", "sapm"), ("haydavies", "pvsyst")],
)
def test_a_year_at_every_site_is_that_of_the_model_chain(sky: Any, cell: Any, places: Places, weather: Weather) -> None:
    columns = np.array(list(SITES.values())).T
    arrays = SolarArrays(
        dc_rated_kw=5.0, ac_rated_kw=3.84, tilt_deg=columns[3], azimuth_deg=columns[4], degradation_per_year=0.0,
        sky_model=sky, cell_model=cell,
    )  # fmt: skip
    ours = solar_power(arrays, places, weather).ac_kw
    for site, name in enumerate(SITES):
        theirs = chain_ac_kw(weather, arrays, site, cell=cell)
        assert theirs.sum() > 500.0
        assert ours[:, site].sum() == pytest.approx(theirs.sum(), rel=AGREEMENT), name
        # hour by hour too, but for hours at the horizon
        np.testing.assert_allclose(ours[:, site], theirs, atol=0.02, err_msg=name)


def shape(power: np.ndarray, per_hour: int) -> dict[str, float]:
    """Return what the acceptance of simulated against measured power looks at."""
    ramps = np.abs(power[per_hour:] - power[:-per_hour])

    def autocorrelation(steps: int) -> float:
        return float(np.corrcoef(power[:-steps], power[steps:])[0, 1])

    return {
        "mean": float(power.mean()),
        **{f"quantile {level}": float(np.quantile(power, level)) for level in (0.75, 0.9, 0.95, 0.99)},
        "after 1 h": autocorrelation(per_hour),
        "after 24 h": autocorrelation(24 * per_hour),
        "ramp": float(np.quantile(ramps, 0.95)),
    }


def measured(shared: Path, name: str, column: str | None) -> np.ndarray:
    path = shared / "data" / name
    if not path.exists():
        pytest.skip(f"no {name} in ../shared/data")
    table = pd.read_csv(path, index_col=0)
    if column is None:  # the homes whose channel is whole
        return np.asarray(table.drop(columns=["home14", "home15"]).mean(axis=1))
    return np.asarray(table[column], dtype=np.float64)


@pytest.mark.parametrize(
    ("plant", "name", "column", "to_kw", "start", "resolution_s"),
    [
        (fontana(5), "fontana_homes_2016_17/pv_kw.csv.gz", None, 1.0, "2016-08-01T07:00Z", 3600),
        (luxembourg(40), "lu_delu_2020/lu_15min.csv.gz", "pv_mwh", 4000.0, "2020-01-05T23:00Z", 900),
        (golden(), "pv_serf_east_2016/ac_power_15min.csv.gz", "ac_power", 0.001, "2016-07-01T07:00Z", 900),
    ],
    ids=["Fontana", "Luxembourg", "Golden"],
)
def test_calibrated_plants_have_the_shape_of_what_was_measured(
    plant: CalibratedPlant, name: str, column: str | None, to_kw: float, start: str, resolution_s: int, shared: Path
) -> None:
    power = to_kw * np.maximum(measured(shared, name, column), 0.0)
    size, skip = 3600 // resolution_s, power.size % (3600 // resolution_s)
    hourly = power[: power.size - skip].reshape(-1, size).mean(axis=1)
    expected = shape(hourly, 1)
    grid = TimeGrid(parse_time(start), 3600, hourly.size)
    shapes = []
    for seed in (101, 102, 103):  # not those of the fit
        weather = synthetic_weather(plant.places, grid, seed=seed, climate=plant.climate)
        made = solar_power(plant.arrays, plant.places, weather).ac_kw
        shapes.append(shape(made.mean(axis=1) if column is None else made.sum(axis=1), 1))
    for one, wanted in expected.items():
        found = np.mean([row[one] for row in shapes])
        tolerance = {"abs": 0.1} if one.startswith("after") else {"rel": 0.2 if one == "ramp" else 0.1}
        assert found == pytest.approx(wanted, **tolerance), one


def test_the_year_that_was_re_run(shared: Path) -> None:
    case = json.loads((shared / "reference" / "pv.json").read_text(encoding="utf-8"))["modelchain_case"]
    # the case takes instants on the hour of UTC-7; the middles of our steps are to be those
    grid = TimeGrid(parse_time("2022-12-31T23:30-07:00"), 3600, 8760)
    place = Places(case["lat"], case["lon"], case["alt"])
    sun = sun_position(place, grid)
    sky = clear_sky(place, grid, sun.zenith_deg, np.full((8760, 1), 3.0))
    even = np.ones((8760, 1))
    weather = Weather(
        grid, sky.ghi_w_m2, sky.dni_w_m2, sky.dhi_w_m2, case["temp_air"] * even, case["wind"] * even, 94_000.0 * even
    )
    arrays = SolarArrays(
        dc_rated_kw=case["pdc0"] / 1000.0,
        ac_rated_kw=case["inverter_pdc0"] * case["eta"] / 1000.0,
        inverter_efficiency=case["eta"],
        tilt_deg=case["tilt"],
        azimuth_deg=case["az"],
        temperature_coefficient_per_c=case["gamma"],
        degradation_per_year=0.0,
        sky_model="perez",
    )
    made = w_from_kw(solar_power(arrays, place, weather).ac_kw[:, 0])
    assert made.sum() / 1000.0 == pytest.approx(case["annual_kWh"], rel=case["tol_rel"])
    assert made.max() == pytest.approx(case["max_W"], rel=1e-9)
    assert np.isclose(made, case["max_W"]).sum() == pytest.approx(case["clipped_hours"], abs=1)
    for day, expected in (("2023-06-21", "jun21_noon_W"), ("2023-12-21", "dec21_noon_W")):
        noon = made[grid.index(parse_time(f"{day}T12:00-07:00"))]
        assert noon == pytest.approx(case[expected], rel=1e-4)
