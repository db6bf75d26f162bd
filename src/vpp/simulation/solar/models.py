"""The arithmetic of a photovoltaic plant, step by step, on pvlib's functions; arrays in, arrays out.

Transposition: Hay and Davies 1980, Perez 1990 (https://doi.org/10.1016/0038-092X(90)90055-H) or its continuous form,
Driesse 2024 (https://doi.org/10.1016/j.solener.2023.112093). Glass: De Soto 2006
(https://doi.org/10.1016/j.solener.2005.06.010). Cells: King 2004 (SAND2004-3535), Faiman 2008
(https://doi.org/10.1002/pip.813), PVsyst. Power and inverter: PVWatts 5 (https://doi.org/10.2172/1158421).
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pvlib import iam, inverter, irradiance, pvsystem, temperature

Floats = NDArray[np.float64]
SkyModel = Literal["haydavies", "perez", "perez-driesse"]
CellModel = Literal["sapm", "faiman", "pvsyst"]
Mounting = Literal["open_rack", "close_mount", "insulated_back"]

_SAPM = {
    "open_rack": "open_rack_glass_glass",
    "close_mount": "close_mount_glass_glass",
    "insulated_back": "insulated_back_glass_polymer",
}
_PVSYST = {"open_rack": "freestanding", "close_mount": "semi_integrated", "insulated_back": "insulated"}
_FAIMAN_U0 = {"open_rack": 25.0, "close_mount": 20.0, "insulated_back": 15.0}
_FAIMAN_U1 = {"open_rack": 6.84, "close_mount": 0.0, "insulated_back": 0.0}
"""Faiman's own values in the open; where air reaches one side or none, PVsyst's constants without wind."""
COS_ZENITH_LEAST = 0.01745
"""Cosine of 89 degrees, under which the ratio of beams on plane and ground is held, as in pvlib."""


def sky_diffuse(
    model: SkyModel,
    cos_incidence: Floats,
    tilt_deg: Floats,
    azimuth_deg: Floats,
    zenith_deg: Floats,
    sun_azimuth_deg: Floats,
    *,
    dni_w_m2: Floats,
    dhi_w_m2: Floats,
    extra_w_m2: Floats,
    air_mass: Floats,
) -> Floats:
    """Return the sky's diffuse irradiance on the plane [W/m2].

    Parameters
    ----------
    model : {"haydavies", "perez", "perez-driesse"}
        Which transposition.
    cos_incidence : float array
        Cosine of the angle between sun and the plane's normal.
    tilt_deg, azimuth_deg, zenith_deg, sun_azimuth_deg : float arrays
        Orientation of the plane and position of the sun [deg].
    dni_w_m2, dhi_w_m2, extra_w_m2 : float arrays
        Beam, diffuse and extraterrestrial irradiance.
    air_mass : float array
        Relative air mass; not used by Hay and Davies.
    """
    if model == "haydavies":
        ratio = np.maximum(cos_incidence, 0.0) / np.maximum(np.cos(np.radians(zenith_deg)), COS_ZENITH_LEAST)
        laid = irradiance.haydavies(tilt_deg, azimuth_deg, dhi_w_m2, dni_w_m2, extra_w_m2, projection_ratio=ratio)
        return np.asarray(laid, dtype=np.float64)
    function = irradiance.perez if model == "perez" else irradiance.perez_driesse
    with np.errstate(divide="ignore", invalid="ignore"):  # no diffuse light, no clearness: 0 / 0 is set to 0 below
        found = function(tilt_deg, azimuth_deg, dhi_w_m2, dni_w_m2, extra_w_m2, zenith_deg, sun_azimuth_deg, air_mass)
    return np.asarray(np.nan_to_num(found), dtype=np.float64)


def glass_share(incidence_deg: Floats) -> Floats:
    """Return the share of beam that passes the glass, 1 at normal incidence (De Soto's physical model)."""
    return np.asarray(iam.physical(incidence_deg, n=1.526, K=4.0, L=0.002))


def cell_temperature_c(
    model: CellModel, mounting: Mounting, poa_w_m2: Floats, air_c: Floats, wind_speed_m_s: Floats
) -> Floats:
    """Return the temperature of the cells [degC] at the irradiance on their plane, air temperature and wind."""
    if model == "sapm":
        constants = temperature.TEMPERATURE_MODEL_PARAMETERS["sapm"][_SAPM[mounting]]
        return np.asarray(temperature.sapm_cell(poa_w_m2, air_c, wind_speed_m_s, **constants))
    if model == "pvsyst":
        constants = temperature.TEMPERATURE_MODEL_PARAMETERS["pvsyst"][_PVSYST[mounting]]
        return np.asarray(temperature.pvsyst_cell(poa_w_m2, air_c, wind_speed_m_s, **constants))
    found = temperature.faiman(poa_w_m2, air_c, wind_speed_m_s, u0=_FAIMAN_U0[mounting], u1=_FAIMAN_U1[mounting])
    return np.asarray(found)


def dc_power_kw(effective_w_m2: Floats, cell_c: Floats, rated_kw: Floats, coefficient_per_c: Floats) -> Floats:
    """Return the power of the modules [kW] before losses (PVWatts), 0 or more."""
    power = pvsystem.pvwatts_dc(effective_w_m2, cell_c, rated_kw, coefficient_per_c)
    return np.asarray(np.maximum(power, 0.0), dtype=np.float64)


def ac_power_kw(dc_kw: Floats, ac_rated_kw: Floats, efficiency: Floats) -> Floats:
    """Return the power of the inverter [kW] (PVWatts), clipped at its rating, 0 or more."""
    with np.errstate(divide="ignore", over="ignore"):  # of next to nothing it makes nothing
        power = inverter.pvwatts(dc_kw, ac_rated_kw / efficiency, efficiency)
    return np.asarray(np.minimum(power, ac_rated_kw))  # its own limit is the rating but for rounding


def remaining(degradation_per_year: Floats, years: Floats) -> Floats:
    """Return the share of its first power that an array has after so many years, linear, 0 or more.

    >>> remaining(np.array([0.005]), np.array([0.0, 10.0])).tolist()
    [1.0, 0.95]
    """
    return np.maximum(1.0 - degradation_per_year * years, 0.0)
