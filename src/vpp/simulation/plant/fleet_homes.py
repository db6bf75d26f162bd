"""Homes of a fleet drawn from stated distributions: who has what, and how large.

Invariant: what home number n is depends on the seed and n alone: neither on how many there are nor on chunks.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from vpp.core.errors import InvalidInputError
from vpp.simulation.seeds import generator
from vpp.simulation.weather import Places

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
BLOCK = 1024
"""Homes are drawn by blocks of this many, each from its own stream."""
NEIGHBOURHOODS = 64
"""Homes share the weather of so many places: sites some kilometres apart."""
_KM_PER_DEG = 111.2


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetMix:
    """Who has what.

    Parameters
    ----------
    solar_share, ev_share, heat_pump_share : float
        Homes with a roof array, a car, a heat pump (0-1).
    battery_share : float
        Homes with a roof array that have a battery too (0-1).
    solar_median_kw, solar_spread : float
        Lognormal size of the array: median above 0, standard deviation of the logarithm; cut to 1.5 to 15 kW.
    tilt_deg, tilt_spread_deg, azimuth_spread_deg : float
        Normal tilt (cut to 5 to 60) and orientation around the equator's side (cut to 120 to either side).
    battery_kwh : tuple of float
        Sizes, equally likely; power is half the capacity per hour.
    charger_kw : tuple of float
        Chargers, equally likely.
    heat_pump_kw : tuple of two floats
        Rated power, uniform.
    radius_km : float
        The homes' neighbourhoods lie evenly in a disc of this radius, 0 to 500.
    """

    solar_share: float = 0.4
    battery_share: float = 0.5
    ev_share: float = 0.3
    heat_pump_share: float = 0.25
    solar_median_kw: float = 5.0
    solar_spread: float = 0.35
    tilt_deg: float = 30.0
    tilt_spread_deg: float = 10.0
    azimuth_spread_deg: float = 45.0
    battery_kwh: tuple[float, ...] = (5.0, 7.5, 10.0, 13.5)
    charger_kw: tuple[float, ...] = (3.7, 7.4, 11.0)
    heat_pump_kw: tuple[float, float] = (2.0, 5.0)
    radius_km: float = 40.0

    def __post_init__(self) -> None:
        """Check every range."""
        ranges = {
            "solar_share": (0.0, 1.0),
            "battery_share": (0.0, 1.0),
            "ev_share": (0.0, 1.0),
            "heat_pump_share": (0.0, 1.0),
            "solar_median_kw": (0.1, 100.0),
            "solar_spread": (0.0, 1.5),
            "tilt_deg": (0.0, 90.0),
            "tilt_spread_deg": (0.0, 45.0),
            "azimuth_spread_deg": (0.0, 180.0),
            "radius_km": (0.0, 500.0),
        }
        for name, (low, high) in ranges.items():
            if not low <= getattr(self, name) <= high:
                raise InvalidInputError(f"fleet.{name}", getattr(self, name), f"{low:g} to {high:g}")
        for name in ("battery_kwh", "charger_kw", "heat_pump_kw"):
            if not getattr(self, name) or min(getattr(self, name)) <= 0.0:
                raise InvalidInputError(f"fleet.{name}", getattr(self, name), "sizes above 0, one or more")


@dataclass(frozen=True, slots=True)
class FleetHomes:
    """Homes as columns, shape (S,); 0 where a home has none of a thing."""

    number: Integers
    neighbourhood: Integers
    solar_kw: Floats
    tilt_deg: Floats
    azimuth_deg: Floats
    battery_kwh: Floats
    charger_kw: Floats
    heat_pump_kw: Floats
    resistance_k_per_kw: Floats
    capacity_kwh_per_k: Floats

    def part(self, rows: slice) -> FleetHomes:
        """Return some of the homes."""
        return FleetHomes(*(getattr(self, one.name)[rows] for one in fields(self)))


def fleet_homes(first: int, stop: int, mix: FleetMix, *, latitude_deg: float, seed: int) -> FleetHomes:
    """Return homes number ``first`` to before ``stop``."""
    blocks = range(first // BLOCK, (stop - 1) // BLOCK + 1)
    drawn = [_block(block, mix, latitude_deg, seed) for block in blocks]
    whole = FleetHomes(*(np.concatenate([getattr(one, part.name) for one in drawn]) for part in fields(FleetHomes)))
    begin = blocks.start * BLOCK
    return whole.part(slice(first - begin, stop - begin))


def neighbourhoods(centre: Places, mix: FleetMix, *, seed: int) -> Places:
    """Return where the homes stand: places spread evenly over a disc."""
    source = generator(seed, "fleet-places")
    away_km = mix.radius_km * np.sqrt(source.random(NEIGHBOURHOODS))
    angle = 2.0 * np.pi * source.random(NEIGHBOURHOODS)
    latitude = centre.latitudes[0] + away_km * np.sin(angle) / _KM_PER_DEG
    shrink = np.maximum(np.cos(np.radians(centre.latitudes[0])), 0.05)
    longitude = centre.longitudes[0] + away_km * np.cos(angle) / (_KM_PER_DEG * shrink)
    return Places(np.clip(latitude, -90.0, 90.0), (longitude + 180.0) % 360.0 - 180.0, centre.altitudes_m[0])


def _block(block: int, mix: FleetMix, latitude_deg: float, seed: int) -> FleetHomes:
    source = generator(seed, "fleet", block)
    # every column is drawn for every home, so that one share does not move the others
    owns = source.random((4, BLOCK))
    normal = source.standard_normal((5, BLOCK))
    uniform = source.random((4, BLOCK))
    solar = owns[0] < mix.solar_share
    kilowatts = np.clip(mix.solar_median_kw * np.exp(mix.solar_spread * normal[0]), 1.5, 15.0)
    turned = np.clip(mix.azimuth_spread_deg * normal[2], -120.0, 120.0)
    low_kw, high_kw = mix.heat_pump_kw[0], mix.heat_pump_kw[-1]
    return FleetHomes(
        number=block * BLOCK + np.arange(BLOCK, dtype=np.int64),
        neighbourhood=(uniform[0] * NEIGHBOURHOODS).astype(np.int64),
        solar_kw=np.where(solar, kilowatts, 0.0),
        tilt_deg=np.clip(mix.tilt_deg + mix.tilt_spread_deg * normal[1], 5.0, 60.0),
        azimuth_deg=((180.0 if latitude_deg >= 0.0 else 0.0) + turned) % 360.0,
        battery_kwh=np.where(solar & (owns[1] < mix.battery_share), _one_of(mix.battery_kwh, uniform[1]), 0.0),
        charger_kw=np.where(owns[2] < mix.ev_share, _one_of(mix.charger_kw, uniform[2]), 0.0),
        heat_pump_kw=np.where(owns[3] < mix.heat_pump_share, low_kw + (high_kw - low_kw) * uniform[3], 0.0),
        resistance_k_per_kw=np.clip(5.0 * np.exp(0.3 * normal[3]), 2.0, 12.0),
        capacity_kwh_per_k=np.clip(8.0 * np.exp(0.3 * normal[4]), 3.0, 20.0),
    )


def _one_of(sizes: tuple[float, ...], uniform: Floats) -> Floats:
    return np.asarray(sizes)[(uniform * len(sizes)).astype(np.int64)]
