"""Turbines: from the wind at a weather station to the power at the terminals, for many sites at once.

Invariant: power is 0 below the cut-in and above the cut-out speed at hub height, and never above the rated power.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vpp.core.errors import InvalidInputError, SeriesMismatchError
from vpp.core.time import TimeGrid
from vpp.simulation.wind.air import barometric_density, hub_temperature_c, log_law
from vpp.simulation.wind.availability import availability
from vpp.simulation.wind.catalogue import power_curve
from vpp.simulation.wind.correction import power_in_air, smoothed, yaw_factor
from vpp.simulation.wind.curve import PowerCurve, generic_power_curve
from vpp.simulation.wind.storm import running_through_storms

Floats = NDArray[np.float64]

WEATHER_HEIGHT_M = 10.0
_PER_TURBINE = {
    "hub_height_m": (1.0, 300.0, "m"),
    "roughness_m": (1e-5, 5.0, "m"),
    "turbulence_intensity": (0.0, 1.0, "fraction"),
    "yaw_misalignment_deg": (-90.0, 90.0, "deg"),
    "storm_restart_fraction": (0.1, 1.0, "of the cut-out speed"),
    "mean_time_between_failures_h": (1.0, np.inf, "h, infinity for never"),
    "mean_time_to_repair_h": (0.0, 1e5, "h"),
}


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Turbines:
    """S turbines, one per site. Every number may be given once for all or as an array of shape (S,).

    Parameters
    ----------
    curves : tuple of PowerCurve
        One per turbine; the same object for the same type, so that types are worked on together.
    hub_height_m : float or array
        Height of the hub above ground, 1 to 300.
    roughness_m : float or array
        Roughness length of the ground, 1e-5 to 5 (0.0002 open water, 0.03 grass, 0.1 farmland).
    turbulence_intensity : float or array
        Turbulence that smooths the power curve, 0 (not smoothed) to 1.
    yaw_misalignment_deg : float or array
        Angle between the wind and the rotor's axis, -90 to 90.
    storm_restart_fraction : float or array
        Share of the cut-out speed at or below which a turbine that a storm has stopped starts again, 0.1 to 1.
    mean_time_between_failures_h, mean_time_to_repair_h : float or array
        Mean running time until a failure (infinity: never) and mean length of an outage.

    Raises
    ------
    InvalidInputError, SeriesMismatchError
        When a value is out of its range, or an array does not have one value per turbine.
    """

    curves: tuple[PowerCurve, ...]
    hub_height_m: ArrayLike = 100.0
    roughness_m: ArrayLike = 0.1
    turbulence_intensity: ArrayLike = 0.0
    yaw_misalignment_deg: ArrayLike = 0.0
    storm_restart_fraction: ArrayLike = 0.84
    mean_time_between_failures_h: ArrayLike = np.inf
    mean_time_to_repair_h: ArrayLike = 48.0

    def __post_init__(self) -> None:
        """Check every range and give every turbine its own value."""
        for field, (low, high, unit) in _PER_TURBINE.items():
            given = np.asarray(getattr(self, field), dtype=np.float64)
            if given.ndim > 1 or given.size not in (1, len(self.curves)):
                raise SeriesMismatchError(field, given.shape, f"one value or {len(self.curves)}, one per turbine")
            if not ((given >= low) & (given <= high)).all():
                raise InvalidInputError(field, getattr(self, field), f"{low:g} to {high:g} [{unit}]")
            object.__setattr__(self, field, np.broadcast_to(given, (len(self.curves),)))

    @classmethod
    def of(cls, types: Sequence[str | None], rated_kw: Sequence[float | None], **parameters: ArrayLike) -> Turbines:
        """Return turbines by type and rated power.

        Parameters
        ----------
        types : sequence of str or None, length S
            Names in the catalogue; None for the generic curve.
        rated_kw : sequence of float or None, length S
            Rated powers, to which the curve is scaled; None keeps the type's own, and then a type is needed.
        **parameters : float or array
            The other fields of ``Turbines``.

        Raises
        ------
        UnknownNameError, InvalidInputError
            For a type that the catalogue does not have, or a turbine with neither type nor rated power.

        Examples
        --------
        >>> pair = Turbines.of(["V80/2000", None], [None, 10.0], hub_height_m=[80.0, 20.0])
        >>> [curve.rated_kw for curve in pair.curves]
        [2000.0, 10.0]
        """
        made: dict[tuple[str | None, float | None], PowerCurve] = {}
        pairs = list(zip(types, rated_kw, strict=True))
        for kind, rated in pairs:
            if (kind, rated) in made:
                continue
            if kind is not None:
                curve = power_curve(kind)
                made[kind, rated] = curve if rated is None else curve.scaled(rated)
            elif rated is not None:
                made[kind, rated] = generic_power_curve(rated)
            else:
                raise InvalidInputError("rated_kw", rated, "a rated power [kW] where no turbine type is given")
        return cls(curves=tuple(made[pair] for pair in pairs), **parameters)

    @property
    def rated_kw(self) -> Floats:
        """Rated powers, shape (S,)."""
        return np.array([curve.rated_kw for curve in self.curves])

    @property
    def cut_out_m_s(self) -> Floats:
        """Cut-out speeds, shape (S,)."""
        return np.array([curve.cut_out_m_s for curve in self.curves])


@dataclass(frozen=True, slots=True, eq=False)
class WindYield:
    """What turbines deliver.

    Parameters
    ----------
    power_kw : float array, shape (T, S)
        Power at the terminals, 0 or more.
    hub_speed_m_s : float array, shape (T, S)
        Wind speed at hub height.
    available : float array, shape (T, S)
        Share of the step in which a turbine is in order (0-1).
    running : bool array, shape (T, S)
        False while storm control holds a turbine still; the last row continues a simulation.
    """

    power_kw: Floats
    hub_speed_m_s: Floats
    available: Floats
    running: NDArray[np.bool_]


def wind_power(
    turbines: Turbines,
    grid: TimeGrid,
    *,
    wind_speed_m_s: ArrayLike,
    temperature_c: ArrayLike = 15.0,
    pressure_pa: ArrayLike = 101_325.0,
    reference_height_m: ArrayLike = WEATHER_HEIGHT_M,
    seed: int = 0,
    names: Sequence[str | int] | None = None,
    running: ArrayLike = True,
) -> WindYield:
    """Return the power of turbines in a weather.

    Wind rises to hub height by the log law; density follows from pressure and temperature; the power curve is
    corrected for it, smoothed by turbulence, lowered by yaw, and stopped by storms and failures.

    Parameters
    ----------
    turbines : Turbines
        S turbines.
    grid : TimeGrid
        The steps, T of them.
    wind_speed_m_s : float array, shape (T, S)
        Wind speed at ``reference_height_m``, 0 or more.
    temperature_c, pressure_pa : float or array, shape (T, S)
        Air temperature at the reference height and pressure at the ground.
    reference_height_m : float or array, shape (S,)
        Height of wind speed and temperature.
    seed : int
        Seed of the failures.
    names : sequence of str or int, length S
        Names of the turbines for their random numbers; their positions when None.
    running : bool or array, shape (S,)
        State of storm control before the first step.

    Returns
    -------
    WindYield
        Power, wind at the hub, availability and state of storm control.

    Raises
    ------
    SeriesMismatchError, InvalidInputError
        When the wind is not one row per step and one column per turbine, or below 0.

    Examples
    --------
    >>> from vpp.core.time import parse_time
    >>> day = TimeGrid(parse_time("2024-01-01T00:00Z"), 3600, 2)
    >>> one = Turbines.of(["E-126/4200"], [None], hub_height_m=135.0)
    >>> wind_power(one, day, wind_speed_m_s=[[4.0], [9.0]]).power_kw.round(1).tolist()
    [[850.3], [4197.8]]
    """
    wind = np.asarray(wind_speed_m_s, dtype=np.float64)
    count = len(turbines.curves)
    if wind.shape != (grid.count, count):
        raise SeriesMismatchError("wind_speed_m_s", wind.shape, f"shape ({grid.count}, {count}): steps, turbines")
    if (wind < 0.0).any():
        raise InvalidInputError("wind_speed_m_s", float(wind.min()), "0 or more [m/s]")
    hub_m = np.asarray(turbines.hub_height_m)
    hub_speed = log_law(wind, height_m=reference_height_m, hub_height_m=hub_m, roughness_m=turbines.roughness_m)
    hub_c = hub_temperature_c(temperature_c, height_m=reference_height_m, hub_height_m=hub_m)
    density = np.broadcast_to(barometric_density(pressure_pa, hub_c, rise_m=hub_m), wind.shape)
    cut_out = turbines.cut_out_m_s
    restart = cut_out * np.asarray(turbines.storm_restart_fraction)
    runs = running_through_storms(hub_speed, cut_out_m_s=cut_out, restart_m_s=restart, running=running)
    share = availability(
        grid,
        range(count) if names is None else names,
        mean_time_between_failures_h=turbines.mean_time_between_failures_h,
        mean_time_to_repair_h=turbines.mean_time_to_repair_h,
        seed=seed,
    )
    power = np.empty_like(wind)
    for curve, columns in _alike(turbines):
        power[:, columns] = power_in_air(curve, hub_speed[:, columns], density[:, columns])
    power *= yaw_factor(turbines.yaw_misalignment_deg) * share * runs
    return WindYield(power, hub_speed, share, runs)


def _alike(turbines: Turbines) -> list[tuple[PowerCurve, NDArray[np.int64]]]:
    """Return each smoothed curve with the columns of the turbines that share it."""
    groups: dict[tuple[int, float], list[int]] = {}
    for column, turbulence in enumerate(np.asarray(turbines.turbulence_intensity).tolist()):
        groups.setdefault((id(turbines.curves[column]), turbulence), []).append(column)
    return [
        (smoothed(turbines.curves[columns[0]], turbulence), np.array(columns))
        for (_, turbulence), columns in groups.items()
    ]
