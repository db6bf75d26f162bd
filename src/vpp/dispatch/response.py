"""Frequency response: what a device, or a fleet of them, delivers at a measured frequency.

Pure: the answer follows from the frequency and what is passed in. Positive power flows toward the grid, so an
under-frequency raises the power and an over-frequency lowers it, from whatever set-point the device had.
Invariant: the answer keeps the power limits and what the state of charge can hold for ``hold_s``; it never rises with
the frequency. Where the frequency or the state of charge is unknown (NaN) there is no answer: NaN.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf, isnan, nan

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vpp.core.assets import Battery
from vpp.core.curves import ResponseCurve
from vpp.core.errors import InvalidInputError, SeriesMismatchError
from vpp.core.extras import compiled
from vpp.core.storage import StorageLimits, power_band_kw
from vpp.core.units import SECONDS_PER_HOUR

Floats = NDArray[np.float64]
Kernel = Callable[[float, Floats, Floats], None]
BASELINE, CONTRACTED, LOWEST, HIGHEST = range(4)


@dataclass(frozen=True, slots=True, kw_only=True)
class FrequencyService:
    """One device under one product: what does not change from one measurement to the next.

    Parameters
    ----------
    curve : ResponseCurve
        The product's curve, per unit of ``contracted_kw``.
    contracted_kw : float
        Power promised in each direction the curve asks for, 0 or more.
    charge_max_kw, discharge_max_kw : float
        Largest powers at the terminals, 0 or more.
    soc_min, soc_max : float
        Band of the state of charge (0-1).
    charge_kw_per_soc, discharge_kw_per_soc : float
        Power that each unit of free or filled state of charge can hold until it is used up [kW]; infinity for a
        device without a store.
    ramp_kw_per_s : float
        Largest change of power, above 0.
    """

    curve: ResponseCurve
    contracted_kw: float
    charge_max_kw: float
    discharge_max_kw: float
    soc_min: float = 0.0
    soc_max: float = 1.0
    charge_kw_per_soc: float = inf
    discharge_kw_per_soc: float = inf
    ramp_kw_per_s: float = inf

    def __post_init__(self) -> None:
        """Check every range."""
        names = ("contracted_kw", "charge_max_kw", "discharge_max_kw", "charge_kw_per_soc", "discharge_kw_per_soc")
        for name in names:
            if not getattr(self, name) >= 0.0:
                raise InvalidInputError(name, getattr(self, name), "0 or more [kW]")
        if not 0.0 <= self.soc_min <= self.soc_max <= 1.0:
            raise InvalidInputError("soc_min", self.soc_min, f"a fraction, 0 to soc_max ({self.soc_max})")
        if not self.ramp_kw_per_s > 0.0:
            raise InvalidInputError("ramp_kw_per_s", self.ramp_kw_per_s, "above 0 [kW/s]")

    @classmethod
    def of_battery(
        cls,
        battery: Battery,
        curve: ResponseCurve,
        *,
        contracted_kw: float,
        hold_s: float | None = None,
        ramp_kw_per_s: float = inf,
    ) -> FrequencyService:
        """Return the service of a battery that must hold what it answers for ``hold_s``.

        Parameters
        ----------
        battery : Battery
            The device.
        curve : ResponseCurve
            The product.
        contracted_kw : float
            Power promised, 0 or more.
        hold_s : float or None
            Time for which an answer must last on the energy stored [s], above 0; None takes the product's own. A
            control loop that answers again in a second may pass 1.0: then a battery runs down to its limit.
        ramp_kw_per_s : float
            Largest change of power.

        Raises
        ------
        InvalidInputError
            When a value is out of range, or the product states no time and none is given.
        """
        hold = curve.sustain_s if hold_s is None else hold_s
        if hold is None or not 0.0 < hold < inf:
            raise InvalidInputError("hold_s", hold, f"a time above 0 [s]; {curve.name} may state none of its own")
        per_hour = SECONDS_PER_HOUR / hold
        return cls(
            curve=curve,
            contracted_kw=contracted_kw,
            charge_max_kw=battery.charge_max_kw,
            discharge_max_kw=battery.discharge_max_kw,
            soc_min=battery.soc_min,
            soc_max=battery.soc_max,
            charge_kw_per_soc=battery.capacity_kwh / battery.charge_efficiency * per_hour,
            discharge_kw_per_soc=battery.capacity_kwh * battery.discharge_efficiency * per_hour,
            ramp_kw_per_s=ramp_kw_per_s,
        )

    def band_kw(self, soc: float) -> tuple[float, float]:
        """Return the lowest and highest power [kW] that the device can hold at a state of charge."""
        filled, free = soc - self.soc_min, self.soc_max - soc
        # an empty side answers 0 before it is multiplied: 0 times infinity is no power
        highest = filled * self.discharge_kw_per_soc if filled > 0.0 else 0.0
        lowest = -free * self.charge_kw_per_soc if free > 0.0 else 0.0
        if highest > self.discharge_max_kw:
            highest = self.discharge_max_kw
        if lowest < -self.charge_max_kw:
            lowest = -self.charge_max_kw
        return lowest, highest

    def headroom_kw(self, soc: float, *, baseline_kw: float = 0.0) -> tuple[float, float]:
        """Return how far the device can lower and raise its power from a set-point [kW], both 0 or more.

        What was contracted beyond it is not there to be delivered.
        """
        lowest, highest = self.band_kw(soc)
        return max(baseline_kw - lowest, 0.0), max(highest - baseline_kw, 0.0)


def respond(
    frequency_hz: float,
    service: FrequencyService,
    *,
    soc: float,
    baseline_kw: float = 0.0,
    previous_kw: float | None = None,
    elapsed_s: float = 0.0,
) -> float:
    """Return the power of one device at a frequency, in plain Python: about half a microsecond.

    Parameters
    ----------
    frequency_hz : float
        Measured frequency.
    service : FrequencyService
        The device and its product.
    soc : float
        State of charge (0-1); any number for a device without a store.
    baseline_kw : float
        Set-point that the response is added to, positive toward the grid.
    previous_kw : float or None
        Power until now; None when the ramp does not bind.
    elapsed_s : float
        Time since ``previous_kw`` [s], 0 or more.

    Returns
    -------
    float
        Power [kW], positive toward the grid. The limits stand above the ramp: what the store does not hold is not
        delivered, however fast it ends. NaN where the frequency or the state of charge is NaN.

    Examples
    --------
    >>> from vpp.core.curves import frequency_curve
    >>> battery = Battery(id="b", capacity_kwh=100.0, charge_max_kw=50.0, discharge_max_kw=50.0)
    >>> service = FrequencyService.of_battery(battery, frequency_curve("FCR_CE"), contracted_kw=40.0)
    >>> round(respond(49.9, service, soc=0.5), 6), round(respond(50.1, service, soc=0.5), 6)
    (20.0, -20.0)
    """
    power_kw = baseline_kw + service.contracted_kw * service.curve(frequency_hz)
    if isnan(power_kw) or isnan(soc):
        return nan
    if previous_kw is not None:
        reach_kw = service.ramp_kw_per_s * elapsed_s if elapsed_s > 0.0 else 0.0
        if power_kw > previous_kw + reach_kw:
            power_kw = previous_kw + reach_kw
        elif power_kw < previous_kw - reach_kw:
            power_kw = previous_kw - reach_kw
    lowest, highest = service.band_kw(soc)
    if power_kw > highest:
        return highest
    return lowest if power_kw < lowest else power_kw


@dataclass(frozen=True, slots=True, eq=False)
class FleetResponse:
    """N devices under one product and one frequency, with everything precomputed that the frequency does not change.

    Parameters
    ----------
    curve : ResponseCurve
        The product's curve.
    table : float array, shape (4, N), C-contiguous
        Rows BASELINE, CONTRACTED, LOWEST and HIGHEST [kW]; made by ``FleetResponse.of``.

    Examples
    --------
    >>> from vpp.core.curves import frequency_curve
    >>> limits = StorageLimits(0.0, [10.0, 10.0], 5.0, 5.0, 1.0, 1.0)
    >>> fleet = FleetResponse.of(frequency_curve("FCR_CE"), [4.0, 4.0], limits, energy_kwh=[5.0, 0.0])
    >>> fleet.respond(49.9).round(6).tolist()
    [2.0, 0.0]
    """

    curve: ResponseCurve
    table: Floats

    def __post_init__(self) -> None:
        """Check the layout, and compile before the first event."""
        if self.table.ndim != 2 or self.table.shape[0] != HIGHEST + 1 or not self.table.flags.c_contiguous:
            raise SeriesMismatchError("table", self.table.shape, "shape (4, N), C-contiguous")
        _kernel()

    @classmethod
    def of(
        cls,
        curve: ResponseCurve,
        contracted_kw: ArrayLike,
        limits: StorageLimits,
        *,
        energy_kwh: ArrayLike,
        hold_s: float | None = None,
        baseline_kw: ArrayLike = 0.0,
    ) -> FleetResponse:
        """Return the response of a fleet with the energy it holds now; make it anew when that has changed.

        Parameters
        ----------
        curve : ResponseCurve
            The product.
        contracted_kw : float array, shape (N,)
            Power promised by each device, 0 or more.
        limits : StorageLimits
            Limits of the fleet, broadcast to N.
        energy_kwh : float array, shape (N,)
            Energy stored; NaN where unknown, and then that device answers NaN.
        hold_s : float or None
            Time an answer must last on the energy stored [s], above 0; None takes the product's own.
        baseline_kw : float or array, shape (N,)
            Set-points that the response is added to.

        Raises
        ------
        InvalidInputError
            When a contract is negative, or no time to hold is known.
        """
        hold = curve.sustain_s if hold_s is None else hold_s
        if hold is None or not 0.0 < hold < inf:
            raise InvalidInputError("hold_s", hold, f"a time above 0 [s]; {curve.name} may state none of its own")
        contracted = np.asarray(contracted_kw, dtype=np.float64)
        if not (contracted >= 0.0).all():
            raise InvalidInputError("contracted_kw", float(contracted.min()), "0 or more [kW]")
        lowest, highest = power_band_kw(energy_kwh, limits, duration_h=hold / SECONDS_PER_HOUR)
        baseline = np.asarray(baseline_kw, dtype=np.float64)
        table = np.stack(np.broadcast_arrays(baseline, contracted, lowest, highest))
        # the compiled loop compares, and NaN compares false: an unknown energy must reach the answer as NaN
        table[BASELINE][np.isnan(table[LOWEST]) | np.isnan(table[HIGHEST])] = nan
        return cls(curve, np.ascontiguousarray(table))

    def respond(self, frequency_hz: float, *, out: Floats | None = None) -> Floats:
        """Return the power of every device [kW] at one frequency, into ``out`` where given, shape (N,)."""
        answer = np.empty(self.table.shape[1]) if out is None else out
        per_unit = self.curve(frequency_hz)
        kernel = _kernel()
        if kernel is None:
            respond_in_numpy(per_unit, self.table, answer)
        else:
            kernel(per_unit, self.table, answer)
        return answer

    def respond_each(self, frequency_hz: ArrayLike) -> Floats:
        """Return the power of every device [kW], each at its own measured frequency, shape (N,)."""
        power = self.table[BASELINE] + self.table[CONTRACTED] * self.curve.response(frequency_hz)
        return np.asarray(np.minimum(np.maximum(power, self.table[LOWEST]), self.table[HIGHEST]), dtype=np.float64)

    def ramped(self, power_kw: Floats, previous_kw: Floats, *, reach_kw: Floats | float) -> Floats:
        """Return answers held within ``reach_kw`` (ramp times elapsed time) of the power until now, and the limits."""
        power = np.minimum(np.maximum(power_kw, previous_kw - reach_kw), previous_kw + reach_kw)
        return np.asarray(np.minimum(np.maximum(power, self.table[LOWEST]), self.table[HIGHEST]), dtype=np.float64)

    @property
    def headroom_kw(self) -> tuple[Floats, Floats]:
        """How far each device can lower and raise its power from its baseline [kW], each shape (N,), 0 or more."""
        baseline, _, lowest, highest = self.table
        return np.maximum(baseline - lowest, 0.0), np.maximum(highest - baseline, 0.0)


def respond_in_numpy(per_unit: float, table: Floats, out: Floats) -> None:
    """Fill ``out`` with the fleet's answer to one per-unit response: the twin of the compiled loop."""
    np.multiply(table[CONTRACTED], per_unit, out=out)
    np.add(out, table[BASELINE], out=out)
    np.maximum(out, table[LOWEST], out=out)
    np.minimum(out, table[HIGHEST], out=out)


def respond_in_a_loop(per_unit: float, table: Floats, out: Floats) -> None:
    """Fill ``out`` device by device; compiled where numba is installed."""
    for device in range(table.shape[1]):
        power_kw = table[0, device] + table[1, device] * per_unit
        low_kw, high_kw = table[2, device], table[3, device]
        power_kw = low_kw if power_kw < low_kw else power_kw
        out[device] = high_kw if power_kw > high_kw else power_kw


def _kernel() -> Kernel | None:
    return compiled(respond_in_a_loop, "void(float64, float64[:,::1], float64[::1])")
