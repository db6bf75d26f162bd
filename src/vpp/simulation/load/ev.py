"""Electric cars: when they are plugged in, what they need, and what they draw.

Invariant: a car draws only while it is plugged in, never above its charger's limit, and never more than it needs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri

from vpp.core.errors import InvalidInputError, SeriesMismatchError
from vpp.simulation.load.day import DAY_BEGINS_H, Days
from vpp.simulation.load.ev_settings import HOME, EvSettings, SessionShape
from vpp.simulation.load.pulses import pulse_power
from vpp.simulation.load.streams import drawn, numbers

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
_DRAWS = 4


@dataclass(frozen=True, slots=True)
class EvSessions:
    """N sessions of S cars, by day and car.

    Parameters
    ----------
    car : int array, shape (N,)
        Position of the car among those asked for, 0 to S - 1.
    arrival_h, departure_h : float array, shape (N,)
        From the grid's start; sessions of a car do not overlap, and may reach beyond the grid on either side.
    energy_kwh : float array, shape (N,)
        What the battery needs until departure, 0 or more.
    """

    car: Integers
    arrival_h: Floats
    departure_h: Floats
    energy_kwh: Floats

    def __post_init__(self) -> None:
        """Check that the columns fit together."""
        for name in ("arrival_h", "departure_h", "energy_kwh"):
            if getattr(self, name).shape != self.car.shape:
                raise SeriesMismatchError(f"sessions.{name}", getattr(self, name).shape, f"{self.car.shape}, as car")
        if not (self.departure_h >= self.arrival_h).all():
            raise InvalidInputError("sessions.departure_h", float(self.departure_h.min()), "at or after arrival_h")
        if not (self.energy_kwh >= 0.0).all():
            raise InvalidInputError("sessions.energy_kwh", float(self.energy_kwh.min()), "0 or more [kWh]")


@dataclass(frozen=True, slots=True)
class EvCharging:
    """What cars drew.

    Parameters
    ----------
    load_kw : float array, shape (T, S)
        Mean power of every step, 0 or more.
    plugged : float array, shape (T, S)
        Share of every step in which the car is plugged in (0-1).
    delivered_kwh, unmet_kwh : float array, shape (N,)
        Energy that each session's battery got by departure, and what it still lacked; together what it needed.
    """

    load_kw: Floats
    plugged: Floats
    delivered_kwh: Floats
    unmet_kwh: Floats


def ev_sessions(
    settings: EvSettings = HOME,
    *,
    cars: int | ArrayLike,
    hour_of_day: ArrayLike,
    weekday: ArrayLike,
    duration_h: float,
    seed: int,
) -> EvSessions:
    """Return the sessions that begin on the days of a grid.

    Parameters
    ----------
    settings : EvSettings
        The population: ``HOME``, ``WORKPLACE`` or another.
    cars : int or int array, shape (S,)
        How many, or the numbers of the cars in their fleet.
    hour_of_day, weekday : array, shape (T,)
        Local clock at the start of each step.
    duration_h : float
        Length of a step, above 0 to 1.
    seed : int
        Of the whole simulation.
    """
    units = numbers("cars", cars)
    days = Days.of(hour_of_day, weekday, duration_h=duration_h)
    uniforms = drawn(seed, "ev", units, traits=0, days=days.begins_h.size, per_day=_DRAWS).days.astype(np.float64)
    free_from_h = np.full(units.size, -np.inf)
    columns: list[tuple[Integers, Floats, Floats, Floats]] = []
    for day, begins_h in enumerate(days.begins_h.tolist()):
        works = days.weekday[day] < 5
        shape = settings.weekday if works else settings.weekend
        share = settings.weekday_share if works else settings.weekend_share
        arrival, stay, energy = _session(shape, uniforms[day])
        arrival += begins_h - DAY_BEGINS_H
        # a car that is still plugged in does not arrive
        comes = (uniforms[day, :, 3] < share) & (arrival >= free_from_h)
        free_from_h = np.where(comes, arrival + stay, free_from_h)
        car = np.flatnonzero(comes)
        columns.append((car, arrival[car], (arrival + stay)[car], energy[car]))
    return EvSessions(*(np.concatenate(parts) for parts in zip(*columns, strict=True)))


def ev_charging(
    sessions: EvSessions,
    *,
    max_kw: ArrayLike,
    charge_efficiency: ArrayLike,
    duration_h: float,
    shape: tuple[int, int],
) -> EvCharging:
    """Return what cars draw that charge at full power from the moment they arrive.

    Parameters
    ----------
    sessions : EvSessions
        N sessions of S cars.
    max_kw, charge_efficiency : float or array, shape (N,)
        Of each session: limit of charger and car, above 0; one-way, in (0, 1].
    duration_h : float
        Length of a step.
    shape : tuple of int
        Steps and cars, (T, S).
    """
    hours = sessions.departure_h - sessions.arrival_h
    delivered = np.minimum(
        sessions.energy_kwh, deliverable_kwh(hours, max_kw=max_kw, charge_efficiency=charge_efficiency)
    )
    power = np.broadcast_to(np.asarray(max_kw, dtype=np.float64), sessions.car.shape)
    begin, until = sessions.arrival_h, delivered / (power * np.asarray(charge_efficiency))
    load = pulse_power(begin, begin + until, power, sessions.car, duration_h=duration_h, shape=shape)
    present = np.ones(sessions.car.size)
    plugged = pulse_power(begin, sessions.departure_h, present, sessions.car, duration_h=duration_h, shape=shape)
    return EvCharging(load, plugged, delivered, sessions.energy_kwh - delivered)


def charge_step(
    needed_kwh: ArrayLike,
    request_kw: ArrayLike,
    *,
    max_kw: ArrayLike,
    charge_efficiency: ArrayLike,
    plugged: ArrayLike,
    duration_h: float,
) -> tuple[Floats, Floats]:
    """Return the mean power [kW] of one controlled step and the energy still needed after it [kWh].

    Parameters
    ----------
    needed_kwh : float or array
        Still missing in the battery at the start, 0 or more.
    request_kw : float or array
        Power asked for while plugged in; beyond 0 to ``max_kw`` it is cut.
    max_kw, charge_efficiency : float or array
        Limit, and one-way efficiency in (0, 1].
    plugged : float or array
        Share of the step in which the car is plugged in (0-1).
    duration_h : float
        Length of the step, above 0.

    Examples
    --------
    >>> power, left = charge_step(1.0, 7.2, max_kw=7.2, charge_efficiency=0.9, plugged=1.0, duration_h=0.25)
    >>> round(float(power), 6), round(float(left), 6)
    (4.444444, 0.0)
    """
    if not duration_h > 0.0:
        raise InvalidInputError("duration_h", duration_h, "a positive duration [h]")
    _check_limits(max_kw, charge_efficiency)
    needed, one_way = np.asarray(needed_kwh, dtype=np.float64), np.asarray(charge_efficiency)
    most = np.clip(request_kw, 0.0, max_kw) * np.asarray(plugged)
    power = np.minimum(most, needed / (one_way * duration_h))
    return np.asarray(power), np.maximum(needed - power * one_way * duration_h, 0.0)


def minimum_hours(energy_kwh: ArrayLike, *, max_kw: ArrayLike, charge_efficiency: ArrayLike) -> Floats:
    """Return the shortest time [h] in which an energy can be charged.

    >>> round(float(minimum_hours(30.0, max_kw=7.2, charge_efficiency=0.9)), 4)
    4.6296
    """
    _check_limits(max_kw, charge_efficiency)
    return np.asarray(np.asarray(energy_kwh) / (np.asarray(max_kw) * np.asarray(charge_efficiency)))


def deliverable_kwh(hours: ArrayLike, *, max_kw: ArrayLike, charge_efficiency: ArrayLike) -> Floats:
    """Return the most energy [kWh] that a battery can get in some hours.

    >>> round(float(deliverable_kwh(2.0, max_kw=7.2, charge_efficiency=0.9)), 4)
    12.96
    """
    _check_limits(max_kw, charge_efficiency)
    return np.asarray(np.asarray(hours) * np.asarray(max_kw) * np.asarray(charge_efficiency))


def _check_limits(max_kw: ArrayLike, charge_efficiency: ArrayLike) -> None:
    if not np.all(np.asarray(max_kw) > 0.0):
        raise InvalidInputError("max_kw", max_kw, "above 0 [kW]")
    one_way = np.asarray(charge_efficiency)
    if not np.all((one_way > 0.0) & (one_way <= 1.0)):
        raise InvalidInputError("charge_efficiency", charge_efficiency, "a one-way efficiency in (0, 1]")


def _session(shape: SessionShape, uniforms: Floats) -> tuple[Floats, Floats, Floats]:
    """Return arrival hour, stay and energy of one day, arrays of shape (S,); the fourth uniform stays for others."""
    # float32 uniforms may be exactly 0, where the normal has no value
    inside = np.clip(uniforms[:, :3], 1e-7, 1.0 - 1e-7)
    first, second, third = ndtri(inside).T
    # written out: a matrix product may round differently for another number of cars
    root = np.linalg.cholesky(shape.copula)
    stay = root[1, 0] * first + root[1, 1] * second
    energy = root[2, 0] * first + root[2, 1] * second + root[2, 2] * third
    return (
        np.interp(ndtr(first), shape.levels, shape.arrival_hour),
        np.interp(ndtr(stay), shape.levels, shape.stay_h),
        np.interp(ndtr(energy), shape.levels, shape.energy_kwh),
    )
