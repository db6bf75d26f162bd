"""Wind against ../shared/reference: windpowerlib's answers, closed forms, and IEA Wind Task 37's case study 1."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vpp.core.units import kw_from_w, mwh_from_kwh
from vpp.simulation.wind.air import barometric_density, ideal_gas_density, log_law
from vpp.simulation.wind.catalogue import farm_efficiency, power_curve
from vpp.simulation.wind.correction import power_in_air, power_of_coefficient, smoothed, yaw_factor
from vpp.simulation.wind.curve import PowerCurve
from vpp.simulation.wind.farm import FarmLayout, farm_power, waked_speeds
from vpp.simulation.wind.wake import GaussianWake, jensen_deficit

ZERO_C = 273.15
EXACT = 1e-8


def read(shared: Path, name: str) -> dict[str, Any]:
    path = shared / "reference" / name
    if not path.exists():
        pytest.skip(f"no {name} in ../shared/reference")
    answer: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return answer


@pytest.fixture(scope="module")
def wind(shared: Path) -> dict[str, Any]:
    return read(shared, "wind.json")


@pytest.fixture(scope="module")
def iea37(shared: Path) -> dict[str, Any]:
    return read(shared, "iea37_cs1.json")


def test_every_row_is_tested_or_left_out_on_purpose(wind: dict[str, Any]) -> None:
    tested = {
        "log_profile", "barometric_density", "ideal_gas_density", "power_curve", "power_curve_density", "cp_curve",
        "E126_4200_curve", "smooth_TI_0p5", "dena_mean_reduced", "jensen_closed_form", "yaw_cosine",
    }  # fmt: skip
    # FLORIS' wake models are richer than those of the house; 36 and 64 turbines come without a layout
    left_out = {"floris_4_7_nrel5MW", "floris_timeseries", "iea37_cs1_AEP_MWh", "pywake_note", "source", "tol"}
    assert set(wind) == tested | left_out


def test_log_profile(wind: dict[str, Any]) -> None:
    row = wind["log_profile"]
    answer = log_law(row["v"], height_m=row["h"], hub_height_m=row["hub"], roughness_m=row["z0"])
    assert answer == pytest.approx(row["expected"], rel=EXACT)


@pytest.mark.parametrize(
    ("name", "density"), [("barometric_density", barometric_density), ("ideal_gas_density", ideal_gas_density)]
)
def test_density(wind: dict[str, Any], name: str, density: Any) -> None:
    row = wind["barometric_density"]
    answer = density(row["p"], np.array(row["T_hub"]) - ZERO_C, rise_m=row["hub"] - row["p_height"])
    assert answer == pytest.approx(wind[name]["expected"], rel=EXACT)


def test_power_curve_and_its_density(wind: dict[str, Any]) -> None:
    row, denser = wind["power_curve"], wind["power_curve_density"]
    curve = PowerCurve("reference", np.array(row["curve_v"]), kw_from_w(np.array(row["curve_P"])), diameter_m=1.0)
    assert curve.power(row["v"]) == pytest.approx(kw_from_w(np.array(row["expected"])), rel=EXACT)
    answer = power_in_air(curve, denser["v"], denser["rho"])
    assert answer == pytest.approx(kw_from_w(np.array(denser["expected"])), rel=EXACT)


def test_power_coefficients(wind: dict[str, Any]) -> None:
    row = wind["cp_curve"]
    answer = power_of_coefficient(
        row["v"],
        row["rho"],
        diameter_m=row["D"],
        coefficient_wind_speed_m_s=row["cp_v"],
        coefficient=row["cp"],
    )
    assert answer == pytest.approx(kw_from_w(np.array(row["expected"])), rel=EXACT)


def test_catalogue(wind: dict[str, Any]) -> None:
    row = wind["E126_4200_curve"]
    curve = power_curve("E-126/4200")
    assert curve.power(row["v"]) == pytest.approx(kw_from_w(np.array(row["P_W"])), rel=EXACT)


def test_turbulence(wind: dict[str, Any]) -> None:
    row = wind["smooth_TI_0p5"]
    answer = smoothed(power_curve("E-126/4200"), 0.5).power(row["v"])
    assert answer == pytest.approx(kw_from_w(np.array(row["P"])), rel=EXACT)


def test_farm_efficiency(wind: dict[str, Any]) -> None:
    row = wind["dena_mean_reduced"]
    speeds = np.array(row["v"], dtype=np.float64)
    assert speeds * np.interp(speeds, *farm_efficiency("dena_mean")) == pytest.approx(row["expected"], rel=EXACT)


def test_jensen(wind: dict[str, Any]) -> None:
    for row in wind["jensen_closed_form"]:
        missing = jensen_deficit(row["dist_D"] * 80.0, 0.0, diameter_m=80.0, thrust=row["ct"], expansion=row["k"])
        assert 1.0 - float(missing) == pytest.approx(row["ws_ratio"], rel=EXACT)
    # the momentum-theory values that the reference sets beside PyWake's own induction
    missing = jensen_deficit(np.array([5.0, 7.0, 10.0]), 0.0, diameter_m=1.0, thrust=0.793, expansion=0.1)
    assert 10.0 * (1.0 - missing) == pytest.approx([8.63743, 9.05377, 9.39441], abs=5e-6)


def test_yaw(wind: dict[str, Any]) -> None:
    row = wind["yaw_cosine"]
    assert yaw_factor(row["yaw_deg"]) == pytest.approx(row["power_ratio_cos_p1p88"], rel=EXACT)


def iea37_layout(case: dict[str, Any], curve: PowerCurve) -> FarmLayout:
    place = np.array(case["layouts"]["16"])
    return FarmLayout(east_m=place[:, 0], north_m=place[:, 1], curve=curve, thrust=8.0 / 9.0)


def cubic(case: dict[str, Any], points: int) -> PowerCurve:
    """Return the case's cubic rise from cut-in to rated as a table."""
    cut_in, rated = case["cut_in"], case["rated_ws"]
    rise = np.linspace(cut_in, rated, points)
    speeds = np.append(rise, case["cut_out"])
    power = case["rated_MW"] * 1e3 * np.minimum((speeds - cut_in) / (rated - cut_in), 1.0) ** 3
    return PowerCurve("IEA 3.35 MW", speeds, power, diameter_m=case["rotor_D"])


def test_iea37_annual_energy_from_waked_speeds(iea37: dict[str, Any]) -> None:
    speeds = waked_speeds(
        iea37_layout(iea37, cubic(iea37, 50)), np.full(16, iea37["wind_speed"]), np.array(iea37["wd"]),
        wake=GaussianWake(),
    )  # fmt: skip
    share = np.clip((speeds - iea37["cut_in"]) / (iea37["rated_ws"] - iea37["cut_in"]), 0.0, 1.0) ** 3
    energy_mwh = float(np.array(iea37["wind_rose_freq"]) @ (iea37["rated_MW"] * share).sum(axis=1)) * 8760.0
    assert energy_mwh == pytest.approx(iea37["aep_MWh"]["16"], rel=1e-8)


def test_iea37_annual_energy_of_the_farm(iea37: dict[str, Any]) -> None:
    layout = iea37_layout(iea37, cubic(iea37, 60_001))
    answer = farm_power(layout, np.full(16, iea37["wind_speed"]), np.array(iea37["wd"]))
    energy_mwh = mwh_from_kwh(float(np.array(iea37["wind_rose_freq"]) @ answer.power_kw.sum(axis=1)) * 8760.0)
    assert energy_mwh == pytest.approx(iea37["aep_MWh"]["16"], rel=1e-8)
