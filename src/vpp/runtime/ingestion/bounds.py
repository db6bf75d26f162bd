"""Bounds: what a reading of each series can be, what it can hardly be, and what it has lost its unit at.

What is impossible is refused; what is doubtful is kept with a flag. Posted rows and telemetry share these numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, isfinite

from vpp.core.assets import Asset, Battery, EvCharger, Load, Plant, Site, SolarArray, WindTurbine
from vpp.core.errors import InvalidInputError, UnknownNameError
from vpp.core.messages import (
    CARBON_KG_PER_KWH,
    EXPORT_PRICE_PER_KWH,
    MARKET,
    POWER_KW,
    PRICE_PER_KWH,
    SOC,
    Quality,
    SeriesKey,
)
from vpp.streams.scale import (
    RANGE_TOLERANCE,
    SLIP_OF_OWN,
    SLIP_OF_RATING,
    SLIP_OF_USUAL,
    bound_kw,
    rated_kw,
    standby_of_rating,
)

IMPOSSIBLE_OF_RATING = 1.5
"""Up to here an array at the edge of a cloud or a motor that starts may come; beyond, no device does."""
NOISE_KW = 0.05
"""What the offset of a meter may be, against the direction of its device."""
HIGHEST_POWER_KW = 1e9
"""More than any country's power system holds."""
HIGHEST_PRICE = 1e3  # house: allow-1000, a bound of plausible prices per kWh
USUAL_PRICE = 5.0
"""European day-ahead auctions end at 4 or 5 per kWh, balancing rarely goes beyond; retail stays below 1."""
HIGHEST_CARBON = 3.0
"""The dirtiest lignite plant emits less than 2 kg/kWh."""
_MOST_COMPARED = 200
_UNITS_OF_MONEY = frozenset({"EUR", "USD", "GBP", "CHF", "CAD", "AUD", "NZD", "SGD"})
_PRICES = (PRICE_PER_KWH, EXPORT_PRICE_PER_KWH)
MARKET_METRICS = (*_PRICES, CARBON_KG_PER_KWH)


@dataclass(frozen=True, slots=True)
class Bounds:
    """What the readings of one series may be.

    Parameters
    ----------
    low, high : float
        Outside of them a value is impossible, in the metric's unit.
    doubt_low, doubt_high : float
        Outside of them it is doubtful.
    slip : float
        Magnitude from which an impossible value is one in another unit.
    words : str
        The range in words.
    unit_words : str
        Which unit it probably is in.
    scale : float
        What the series reaches; infinite when it must be learnt.
    steady : bool
        True for what does not go from next to nothing to much of its scale in one reading.
    of_own : float
        Multiple of what the series has reached so far that is doubtful; infinite when its rating is known.
    ahead : bool
        True for what may hold in the future: prices are published ahead.
    doubt : Quality
        Flag of what is doubtful.
    """

    low: float
    high: float
    doubt_low: float
    doubt_high: float
    slip: float
    words: str
    unit_words: str = "W in place of kW?"
    scale: float = inf
    steady: bool = False
    of_own: float = inf
    ahead: bool = False
    doubt: Quality = Quality.OUT_OF_RANGE


_OTHERS = {
    "reactive_power_kvar": Bounds(-HIGHEST_POWER_KW, HIGHEST_POWER_KW, -inf, inf, inf, "a reactive power [kvar]"),
    "voltage_v": Bounds(0.0, 1e6, -inf, inf, inf, "0 to 1e6 V"),
    "current_a": Bounds(-1e6, 1e6, -inf, inf, inf, "-1e6 to 1e6 A"),
    "frequency_hz": Bounds(0.0, 100.0, 45.0, 65.0, inf, "0 to 100 Hz"),
    "temperature_c": Bounds(-90.0, 250.0, -60.0, 120.0, 250.0, "-90 to 250 degC", "kelvin in place of degC?"),
    "energy_kwh": Bounds(-1e12, 1e12, -inf, inf, inf, "-1e12 to 1e12 kWh"),
    "irradiance_w_per_m2": Bounds(-20.0, 2000.0, -10.0, 1500.0, inf, "-20 to 2000 W/m2"),
    "wind_speed_m_per_s": Bounds(0.0, 120.0, 0.0, 60.0, inf, "0 to 120 m/s"),
}
"""Quantities that any asset or site may report beside its power."""


def bounds_of(plant: Plant, key: SeriesKey, *, where: str = "") -> Bounds:
    """Return what the readings of a series may be.

    Parameters
    ----------
    plant : Plant
        Whose series it is.
    key : SeriesKey
        Asset, site or ``market``, and metric.
    where : str
        Path of the row for the message, e.g. ``readings[3]``.

    Raises
    ------
    UnknownNameError
        When the plant has no such source; the nearest are named.
    InvalidInputError
        When the source has no such metric; those it may have are named.

    Examples
    --------
    >>> from vpp.core.assets import Battery, Plant, Site
    >>> battery = Battery(id="battery", capacity_kwh=10.0, charge_max_kw=5.0, discharge_max_kw=5.0)
    >>> plant = Plant(id="home", name="", timezone="UTC", currency="EUR", sites=(Site(id="house", assets=(battery,)),))
    >>> bounds_of(plant, SeriesKey("battery", "power_kw")).high
    7.5
    """
    prefix = f"{where}." if where else ""
    if key.source == MARKET:
        _require_metric(prefix, key.metric, MARKET_METRICS)
        return _carbon() if key.metric == CARBON_KG_PER_KWH else _price(plant.currency)
    for site in plant.sites:
        if site.id == key.source:
            _require_metric(prefix, key.metric, (POWER_KW, *_OTHERS))
            return _OTHERS.get(key.metric) or _meter(plant, site)
        for asset in site.assets:
            if asset.id == key.source:
                return _of_asset(plant, asset, key.metric, prefix)
    raise UnknownNameError(f"source ({prefix}source)" if where else "source", key.source, _like(plant, key.source))


def _like(plant: Plant, name: str) -> list[str]:
    """Return names to look for the nearest among: of a large plant those alike at the start, for looking takes long."""
    known = [*(asset.id for asset in plant.assets), *(site.id for site in plant.sites), MARKET]
    return known if len(known) <= _MOST_COMPARED else [one for one in known if one[:3] == name[:3]][:_MOST_COMPARED]


def _of_asset(plant: Plant, asset: Asset, metric: str, prefix: str) -> Bounds:
    stores = isinstance(asset, (Battery, EvCharger))
    _require_metric(prefix, metric, (POWER_KW, *((SOC,) if stores else ()), *_OTHERS))
    if metric == SOC:
        return Bounds(0.0, 1.0, 0.0, 1.0, 1.0, "a state of charge as a fraction, 0 to 1", "percent in place of it?")
    return _OTHERS.get(metric) or _power(plant, asset)


def _power(plant: Plant, asset: Asset) -> Bounds:
    rating, stated = bound_kw(plant, asset), isfinite(rated_kw(asset))
    scale = rating if isfinite(rating) else HIGHEST_POWER_KW
    most = scale * (IMPOSSIBLE_OF_RATING if stated else SLIP_OF_RATING)
    doubt, slip = RANGE_TOLERANCE * scale, SLIP_OF_RATING * scale
    standby = standby_of_rating(asset) * scale if stated else 0.0
    if isinstance(asset, Battery):
        return Bounds(-most, most, -doubt, doubt, slip, f"{-most:g} to {most:g} kW, positive discharges", scale=scale)
    if isinstance(asset, (SolarArray, WindTurbine)):
        words = f"0 to {most:g} kW: generation is positive toward the grid"
        low = -NOISE_KW * most - NOISE_KW
        return Bounds(low, most, -standby - NOISE_KW / 2.0, doubt, slip, words, scale=scale, steady=True)
    words = f"{-most:g} to 0 kW: power is positive toward the grid, so consumption is negative"
    return Bounds(
        -most,
        NOISE_KW + standby,
        -doubt,
        NOISE_KW,
        slip,
        words,
        scale=rating if stated else inf,
        steady=isinstance(asset, Load),
        of_own=inf if stated else SLIP_OF_USUAL,
    )


def _meter(plant: Plant, site: Site) -> Bounds:
    """Return the bounds of a site's power: its connection's, else what stands behind it can draw and feed."""
    consumed = sum(bound_kw(plant, asset) for asset in site.consumers)
    charged = sum(battery.charge_max_kw for battery in site.batteries)
    discharged = sum(battery.discharge_max_kw for battery in site.batteries)
    generated = sum(asset.peak_kw for asset in site.generators)
    draw, feed = site.connection.import_max_kw, site.connection.export_max_kw
    draw = min(draw if isfinite(draw) else consumed + charged, HIGHEST_POWER_KW)
    feed = min(feed if isfinite(feed) else generated + discharged, HIGHEST_POWER_KW)
    most = SLIP_OF_RATING * max(draw, feed)
    return Bounds(
        -most,
        most,
        -RANGE_TOLERANCE * draw - NOISE_KW,
        RANGE_TOLERANCE * feed + NOISE_KW,
        most,
        f"the meter's power, {-most:g} to {most:g} kW, positive when feeding in",
    )


def _price(currency: str) -> Bounds:
    usual = USUAL_PRICE if currency in _UNITS_OF_MONEY else inf
    return Bounds(
        -HIGHEST_PRICE,
        HIGHEST_PRICE,
        -usual,
        usual,
        HIGHEST_PRICE,
        "a price per kWh, -1000 to 1000",
        "a price per MWh?",
        of_own=SLIP_OF_OWN,
        ahead=True,
        doubt=Quality.UNIT_SUSPECT,
    )


def _carbon() -> Bounds:
    return Bounds(
        0.0, HIGHEST_CARBON, 0.0, HIGHEST_CARBON, HIGHEST_CARBON, "0 to 3 kg/kWh", "g in place of kg?", ahead=True
    )


def _require_metric(prefix: str, metric: str, known: tuple[str, ...]) -> None:
    if metric not in known:
        raise InvalidInputError(f"{prefix}metric", metric, f"one of {', '.join(known)}")
