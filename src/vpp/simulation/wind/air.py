"""Air at hub height: wind speed from a lower height, and density from pressure and temperature."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vpp.core.errors import InvalidInputError
from vpp.simulation.wind.curve import STANDARD_DENSITY_KG_M3

Floats = NDArray[np.float64]

ZERO_C_IN_K = 273.15
GAS_CONSTANT_J_KG_K = 287.058
_STANDARD_TEMPERATURE_K = 288.15
_STANDARD_PRESSURE_PA = 101_330.0
_PRESSURE_FALL_PA_M = 12.5
_LAPSE_K_M = 0.0065


def log_law(
    wind_speed_m_s: ArrayLike, *, height_m: ArrayLike, hub_height_m: ArrayLike, roughness_m: ArrayLike
) -> Floats:
    """Return the wind speed at hub height by the logarithmic profile of neutral air.

    Parameters
    ----------
    wind_speed_m_s : float array, shape (T, S)
        Wind speed at ``height_m``, 0 or more.
    height_m, hub_height_m : float or array, shape (S,)
        Heights above ground [m], above the roughness length.
    roughness_m : float or array, shape (S,)
        Roughness length, above 0 [m]: 0.0002 open water, 0.03 grass, 0.1 farmland, 1 forest.

    Raises
    ------
    InvalidInputError
        When a height does not stand above the roughness length.

    Examples
    --------
    >>> log_law([5.0, 6.5], height_m=10.0, hub_height_m=100.0, roughness_m=0.15).round(8).tolist()
    [7.74136523, 10.0637748]
    """
    roughness = np.asarray(roughness_m, dtype=np.float64)
    if not (roughness > 0.0).all():
        raise InvalidInputError("roughness_m", roughness_m, "above 0 [m]")
    for name, height in (("height_m", height_m), ("hub_height_m", hub_height_m)):
        if not (np.asarray(height) > roughness).all():
            raise InvalidInputError(name, height, f"above roughness_m ({roughness_m!r}) [m]")
    rise = np.log(np.asarray(hub_height_m) / roughness) / np.log(np.asarray(height_m) / roughness)
    return np.asarray(np.asarray(wind_speed_m_s, dtype=np.float64) * rise, dtype=np.float64)


def power_law(
    wind_speed_m_s: ArrayLike, *, height_m: ArrayLike, hub_height_m: ArrayLike, exponent: ArrayLike = 1.0 / 7.0
) -> Floats:
    """Return the wind speed at hub height by Hellman's power law; 1/7 fits open land, 1/9 the sea.

    Raises
    ------
    InvalidInputError
        When a height is not above 0 or the exponent lies outside 0 to 1.

    Examples
    --------
    >>> power_law([5.0], height_m=10.0, hub_height_m=1280.0).round(9).tolist()
    [10.0]
    """
    for name, height in (("height_m", height_m), ("hub_height_m", hub_height_m)):
        if not (np.asarray(height) > 0.0).all():
            raise InvalidInputError(name, height, "above 0 [m]")
    if not ((np.asarray(exponent) >= 0.0) & (np.asarray(exponent) <= 1.0)).all():
        raise InvalidInputError("exponent", exponent, "0 to 1")
    rise = (np.asarray(hub_height_m) / np.asarray(height_m)) ** np.asarray(exponent)
    return np.asarray(np.asarray(wind_speed_m_s, dtype=np.float64) * rise, dtype=np.float64)


def hub_temperature_c(temperature_c: ArrayLike, *, height_m: ArrayLike, hub_height_m: ArrayLike) -> Floats:
    """Return the temperature at hub height: 6.5 K less per 1 km up (standard atmosphere, ISO 2533)."""
    rise_m = np.asarray(hub_height_m, dtype=np.float64) - np.asarray(height_m)
    return np.asarray(np.asarray(temperature_c) - _LAPSE_K_M * rise_m, dtype=np.float64)


def barometric_density(pressure_pa: ArrayLike, temperature_c: ArrayLike, *, rise_m: ArrayLike = 0.0) -> Floats:
    """Return the density of air at hub height by the barometric height equation.

    Parameters
    ----------
    pressure_pa : float array, shape (T, S)
        Pressure at the lower height, above 0.
    temperature_c : float array, shape (T, S)
        Temperature at hub height, above -273.15.
    rise_m : float or array, shape (S,)
        Hub height less the height of the pressure; the pressure falls by 1 hPa every 8 m.

    Returns
    -------
    float array
        Density [kg/m3] (Hau, Windkraftanlagen, 4th ed. 2008, p. 560).

    Examples
    --------
    >>> barometric_density([101125.0], [-6.15], rise_m=100.0).round(8).tolist()
    [1.30305336]
    """
    pressure, kelvin = _at_hub(pressure_pa, temperature_c, rise_m)
    return pressure * STANDARD_DENSITY_KG_M3 * _STANDARD_TEMPERATURE_K / (_STANDARD_PRESSURE_PA * kelvin)


def ideal_gas_density(pressure_pa: ArrayLike, temperature_c: ArrayLike, *, rise_m: ArrayLike = 0.0) -> Floats:
    """Return the density of dry air at hub height [kg/m3] by the ideal gas law; parameters as barometric_density."""
    pressure, kelvin = _at_hub(pressure_pa, temperature_c, rise_m)
    return pressure / (GAS_CONSTANT_J_KG_K * kelvin)


def _at_hub(pressure_pa: ArrayLike, temperature_c: ArrayLike, rise_m: ArrayLike) -> tuple[Floats, Floats]:
    pressure = np.asarray(pressure_pa, dtype=np.float64) - _PRESSURE_FALL_PA_M * np.asarray(rise_m)
    kelvin = np.asarray(temperature_c, dtype=np.float64) + ZERO_C_IN_K
    if (pressure <= 0.0).any():
        raise InvalidInputError("pressure_pa", float(pressure.min()), "above 0 at hub height [Pa]")
    if (kelvin <= 0.0).any():
        raise InvalidInputError("temperature_c", float(kelvin.min() - ZERO_C_IN_K), f"above -{ZERO_C_IN_K} [C]")
    return pressure, kelvin
