"""The arithmetic of a plant: every row of the published and re-run cases, through the functions the plant uses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pvlib import irradiance, pvsystem, shading

from vpp.simulation.solar import SolarArrays
from vpp.simulation.solar.models import (
    ac_power_kw,
    cell_temperature_c,
    dc_power_kw,
    glass_share,
    remaining,
    sky_diffuse,
)
from vpp.simulation.solar.shading import row_sky_share


@pytest.fixture(scope="module")
def cases(shared: Path) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads((shared / "reference" / "pv.json").read_text(encoding="utf-8"))
    return answer


def one(value: float) -> np.ndarray:
    return np.array([float(value)])


def test_direct_current(cases: dict[str, Any]) -> None:
    for row in cases["pvwatts_dc"]:
        found = dc_power_kw(one(row["G"]), one(row["Tc"]), one(row["pdc0"]), one(row["gamma"]))
        assert found[0] == pytest.approx(row["expected"], abs=1e-9)


def test_inverter(cases: dict[str, Any]) -> None:
    for row in cases["pvwatts_ac"]:
        rated = one(row["pdc0"] * row["eta_nom"])
        assert ac_power_kw(one(row["pdc"]), rated, one(row["eta_nom"]))[0] == pytest.approx(row["expected"], abs=1e-6)


@pytest.mark.parametrize(("case", "model"), [("sapm_cell", "sapm"), ("pvsyst_cell", "pvsyst"), ("faiman", "faiman")])
def test_cell_temperature(cases: dict[str, Any], case: str, model: Any) -> None:
    for row in cases[case]:
        found = cell_temperature_c(model, "open_rack", one(row["G"]), one(row["Ta"]), one(row["ws"]))
        assert found[0] == pytest.approx(row["expected"], abs=cases["tol"])


def test_glass(cases: dict[str, Any]) -> None:
    case = cases["iam_physical"]
    found = glass_share(np.array(case["aoi"], dtype=float))
    np.testing.assert_allclose(found, case["expected"], atol=1e-6)


def test_masking_angle(cases: dict[str, Any]) -> None:
    for row in cases["masking_angle"]:
        found = shading.masking_angle(row["tilt"], row["gcr"], row["slant"])
        assert found == pytest.approx(row["expected"], abs=cases["tol"])


def test_sky_that_rows_hide(cases: dict[str, Any]) -> None:
    for row in cases["sky_diffuse_passias"]:
        found = 1.0 - row_sky_share(one(row["tilt"]), one(row["gcr"]))
        assert found[0] == pytest.approx(row["loss"], abs=1e-9)


def test_hay_and_davies(cases: dict[str, Any]) -> None:
    case = cases["haydavies"]
    incidence = irradiance.aoi_projection(case["tilt"], case["az"], case["zen"], case["sun_az"])
    found = sky_diffuse(
        "haydavies", one(incidence), one(case["tilt"]), one(case["az"]), one(case["zen"]), one(case["sun_az"]),
        dni_w_m2=one(case["dni"]), dhi_w_m2=one(case["dhi"]), extra_w_m2=one(case["ext"]), air_mass=one(1.5),
    )  # fmt: skip
    assert found[0] == pytest.approx(case["expected"], abs=cases["tol"])


def test_degradation(cases: dict[str, Any]) -> None:
    case = cases["degradation"]
    found = remaining(one(-case["rate_per_year"]), np.array(case["years"], dtype=float))
    np.testing.assert_allclose(found, case["linear"], atol=1e-12)


def test_stated_losses_are_those_of_pvwatts() -> None:
    assert 1.0 - SolarArrays(dc_rated_kw=1.0).kept()[0] == pytest.approx(pvsystem.pvwatts_losses() / 100.0)
    assert SolarArrays(dc_rated_kw=1.0, soiling=0.1).kept()[0] == pytest.approx(
        1.0 - pvsystem.pvwatts_losses(soiling=10.0) / 100.0
    )


@pytest.mark.parametrize("model", ["haydavies", "perez", "perez-driesse"])
def test_no_diffuse_light_gives_none_and_night_gives_no_nan(model: Any) -> None:
    zenith = np.array([30.0, 89.9, 95.0])
    cosine = irradiance.aoi_projection(30.0, 180.0, zenith, 170.0)
    found = sky_diffuse(
        model, cosine, one(30.0), one(180.0), zenith, one(170.0), dni_w_m2=np.array([800.0, 0.0, 0.0]),
        dhi_w_m2=np.zeros(3), extra_w_m2=one(1360.0), air_mass=np.array([1.15, 30.0, np.nan]),
    )  # fmt: skip
    np.testing.assert_array_equal(found, 0.0)


@given(light=st.floats(0.0, 1500.0), air=st.floats(-40.0, 50.0), wind=st.floats(0.0, 40.0))
def test_cells_are_warmer_than_the_air_and_close_mounts_warmer_still(light: float, air: float, wind: float) -> None:
    for model in ("sapm", "faiman", "pvsyst"):
        rack = cell_temperature_c(model, "open_rack", one(light), one(air), one(wind))[0]
        roof = cell_temperature_c(model, "close_mount", one(light), one(air), one(wind))[0]
        assert air <= rack <= roof + 1e-9


@given(power=st.floats(0.0, 20.0), rated=st.floats(0.1, 10.0), efficiency=st.floats(0.5, 1.0))
def test_an_inverter_gives_no_more_than_its_rating_nor_than_it_gets(
    power: float, rated: float, efficiency: float
) -> None:
    found = ac_power_kw(one(power), one(rated), one(efficiency))[0]
    assert 0.0 <= found <= rated
    assert found <= power * 1.0132  # the curve's own peak, at a nominal efficiency of 1


def test_degradation_ends_at_nothing() -> None:
    assert remaining(one(0.1), one(30.0))[0] == 0.0
