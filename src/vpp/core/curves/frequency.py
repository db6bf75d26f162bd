"""Frequency: products of the system operators and the droops of standards, in per unit of the contracted power."""

from __future__ import annotations

from math import nan

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vpp.core.curves.shape import FrequencyTrigger, ResponseCurve
from vpp.core.errors import InvalidInputError, UnknownNameError

Floats = NDArray[np.float64]
_MINUTE_S = 60.0


def droop_curve(
    name: str,
    *,
    nominal_hz: float,
    dead_band_hz: float,
    droop: float,
    source: str,
    dead_band_deducted: bool = False,
    confirmed: bool = True,
    full_s: float | None = None,
) -> ResponseCurve:
    """Return a droop as a curve: the change of power [pu of rating] that a frequency asks for.

    Parameters
    ----------
    name, source : str
        Name of the setting and where it comes from.
    nominal_hz, dead_band_hz : float
        Nominal frequency and half dead band [Hz], 0 or more; a response begins at the edge of the band.
    droop : float
        Per-unit droop, above 0: the frequency change, per unit of nominal, that asks for the whole rating.
    dead_band_deducted : bool
        True where the whole rating is asked for at ``nominal * droop`` from nominal (BAL-001-TRE); False where it is
        that far from the edge of the dead band (IEEE 1547).
    confirmed : bool
        False while a figure rests on memory.
    full_s : float or None
        Time to the full response [s].

    Returns
    -------
    ResponseCurve
        Positive under the dead band, negative over it.

    Raises
    ------
    InvalidInputError
        When the dead band or the droop leaves no slope.

    Examples
    --------
    >>> curve = droop_curve("mine", nominal_hz=60.0, dead_band_hz=0.036, droop=0.05, source="an example")
    >>> round(curve(59.85), 6), curve(60.03)
    (0.038, 0.0)
    """
    whole_hz = nominal_hz * droop + (0.0 if dead_band_deducted else dead_band_hz)
    if not 0.0 <= dead_band_hz < whole_hz:
        raise InvalidInputError("dead_band_hz", dead_band_hz, f"0 or more and below {whole_hz} Hz, the whole response")
    low, high = nominal_hz - dead_band_hz, nominal_hz + dead_band_hz
    inner = ((low, 0.0), (high, 0.0)) if dead_band_hz > 0.0 else ((nominal_hz, 0.0),)
    return ResponseCurve(
        name,
        ((nominal_hz - whole_hz, 1.0), *inner, (nominal_hz + whole_hz, -1.0)),
        nominal_hz,
        source,
        confirmed=confirmed,
        full_s=full_s,
    )


FREQUENCY_CURVES: dict[str, ResponseCurve] = {
    curve.name: curve
    for curve in (
        ResponseCurve(
            "FCR_CE",
            ((49.8, 1.0), (50.2, -1.0)),
            50.0,
            "EU 2017/1485 Art. 154 and Annex V; regelleistung.net",
            dead_band=0.01,
            full_s=30.0,
            sustain_s=15.0 * _MINUTE_S,
        ),
        ResponseCurve(
            "DC",
            ((49.5, 1.0), (49.8, 0.05), (49.985, 0.0), (50.015, 0.0), (50.2, -0.05), (50.5, -1.0)),
            50.0,
            "NESO Dynamic Containment product page",
            full_s=1.0,
            sustain_s=15.0 * _MINUTE_S,
        ),
        ResponseCurve(
            "DM",
            ((49.8, 1.0), (49.9, 0.05), (49.985, 0.0), (50.015, 0.0), (50.1, -0.05), (50.2, -1.0)),
            50.0,
            "NESO Dynamic Moderation; breakpoints to be confirmed",
            confirmed=False,
            full_s=1.0,
            sustain_s=30.0 * _MINUTE_S,
        ),
        ResponseCurve(
            "DR",
            ((49.8, 1.0), (49.985, 0.0), (50.015, 0.0), (50.2, -1.0)),
            50.0,
            "NESO Dynamic Regulation; breakpoints to be confirmed",
            confirmed=False,
            full_s=10.0,
            sustain_s=60.0 * _MINUTE_S,
        ),
        ResponseCurve("FCR_N", ((49.9, 1.0), (50.1, -1.0)), 50.0, "Nordic FCR technical requirements"),
        ResponseCurve("FCR_D_up", ((49.5, 1.0), (49.9, 0.0)), 50.0, "Nordic FCR technical requirements"),
    )
}

_ERCOT = "ERCOT BAL-001-TRE-2; figures to be confirmed"
_DROOP_FIGURES = (
    ("IEEE1547_droop", 0.036, 0.05, "IEEE 1547-2018 default, as in OpenDER"),
    ("ERCOT_droop", 0.017, 0.05, _ERCOT),
    ("ERCOT_droop_mechanical", 0.034, 0.05, _ERCOT),
    ("ERCOT_droop_combined_cycle", 0.017, 0.04, _ERCOT),
)

DROOP_CURVES: dict[str, ResponseCurve] = {
    name: droop_curve(
        name,
        nominal_hz=60.0,
        dead_band_hz=dead_band_hz,
        droop=droop,
        source=source,
        dead_band_deducted=source is _ERCOT,
        confirmed=source is not _ERCOT,
        full_s=None if source is _ERCOT else 5.0,
    )
    for name, dead_band_hz, droop, source in _DROOP_FIGURES
}

# no row of the references checks a mirror, so it stands apart from the published products
_MIRRORED: dict[str, ResponseCurve] = {
    "FCR_D_down": ResponseCurve(
        "FCR_D_down",
        ((50.1, 0.0), (50.5, -1.0)),
        50.0,
        "FCR_D_up mirrored about 50 Hz; to be confirmed",
        confirmed=False,
    )
}

FREQUENCY_TRIGGERS: dict[str, FrequencyTrigger] = {
    trigger.name: trigger
    for trigger in (
        FrequencyTrigger(
            name="ERCOT_FFR",
            trigger_hz=59.85,
            nominal_hz=60.0,
            full_s=0.25,
            hold_s=15.0 * _MINUTE_S,
            source="NPRR863: 15 cycles, 15 minutes; 59.85 Hz to be confirmed",
            confirmed=False,
        ),
        FrequencyTrigger(
            name="ERCOT_UFR",
            trigger_hz=59.7,
            nominal_hz=60.0,
            full_s=0.5,
            source="NPRR828/863: 59.70 Hz; 30 cycles to be confirmed; load stays off until recalled",
            confirmed=False,
        ),
    )
}


def frequency_curve(name: str) -> ResponseCurve:
    """Return a frequency product's or a droop's curve by name, e.g. ``FCR_CE`` or ``IEEE1547_droop``."""
    known = FREQUENCY_CURVES | _MIRRORED | DROOP_CURVES
    if name not in known:
        raise UnknownNameError("frequency curve", name, known)
    return known[name]


def frequency_trigger(name: str) -> FrequencyTrigger:
    """Return a product that is released by a trigger, by name, e.g. ``ERCOT_FFR``."""
    if name not in FREQUENCY_TRIGGERS:
        raise UnknownNameError("frequency trigger", name, FREQUENCY_TRIGGERS)
    return FREQUENCY_TRIGGERS[name]


def droop_1547(
    frequency_hz: ArrayLike,
    power_before_pu: ArrayLike,
    *,
    power_min_pu: ArrayLike = 0.0,
    power_available_pu: ArrayLike = 1.0,
    nominal_hz: float = 60.0,
    dead_band_hz: float = 0.036,
    droop: float = 0.05,
) -> Floats:
    """Return the active power [pu] that IEEE 1547-2018's frequency droop asks for.

    Parameters
    ----------
    frequency_hz : float or array
        Measured frequency.
    power_before_pu : float or array
        Power before the event, per unit of rating; positive toward the grid.
    power_min_pu, power_available_pu : float or array
        Bounds of the answer [pu].
    nominal_hz, dead_band_hz, droop : float
        Nominal frequency [Hz], half dead band [Hz], per-unit droop.

    Returns
    -------
    float array
        Power after the response [pu]; NaN where the frequency is NaN.

    Raises
    ------
    InvalidInputError
        When the power before the event lies outside its bounds: the answer would then point the wrong way.

    Examples
    --------
    >>> round(float(droop_1547(60.1, 0.8)), 6)
    0.778667
    """
    frequency = np.asarray(frequency_hz, dtype=np.float64)
    slope_hz = nominal_hz * droop
    over = np.maximum(frequency - (nominal_hz + dead_band_hz), 0.0) / slope_hz
    under = np.maximum((nominal_hz - dead_band_hz) - frequency, 0.0) / slope_hz
    before = np.asarray(power_before_pu, dtype=np.float64)
    if not np.all((before >= np.asarray(power_min_pu)) & (before <= np.asarray(power_available_pu))):
        raise InvalidInputError("power_before_pu", power_before_pu, "power_min_pu to power_available_pu")
    lowered = np.where(over > 0.0, np.maximum(before - over, power_min_pu), before)
    answer = np.where(under > 0.0, np.minimum(before + under, power_available_pu), lowered)
    return np.asarray(np.where(np.isnan(frequency), nan, answer), dtype=np.float64)
