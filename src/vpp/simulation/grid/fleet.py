"""Fleets on frequency: devices that answer it by one curve, summed exactly however many they are.

Each device answers ``clip(contracted * curve(f), -lower_max, raise_max)`` through a first-order lag. Under one curve
the sum of all targets is a piecewise-linear function of frequency, and devices that share a time constant follow the
sum of their targets as one: nothing is approximated by stepping the fleet as a whole.
Sign: positive is power toward the grid.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.signal import lfilter

from vpp.core.curves import ResponseCurve
from vpp.core.errors import InvalidInputError

Floats = NDArray[np.float64]

_STEP_HZ = 1e-9


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class FrequencyFleet:
    """N devices under one curve and one time constant.

    Parameters
    ----------
    name : str
        What the fleet is called.
    curve : ResponseCurve
        The curve, per unit of what is contracted; never rising with the frequency.
    contracted_kw : float or array, shape (N,)
        Power at the whole response, 0 or more.
    time_constant_s : float
        Time constant of the devices' lag [s], 0 (at once) or more.
    raise_max_kw, lower_max_kw : float or array, shape (N,)
        Headroom of each device from its set-point, 0 or more; infinity where the contract alone binds.

    Examples
    --------
    >>> from vpp.core.curves import frequency_curve
    >>> fleet = FrequencyFleet(
    ...     name="homes", curve=frequency_curve("FCR_CE"), contracted_kw=[4.0, 4.0], raise_max_kw=[9.0, 1.0]
    ... )
    >>> round(fleet.target_kw(49.9), 9), fleet.device_targets_kw([49.9]).round(9).tolist()
    (3.0, [[2.0, 1.0]])
    """

    name: str
    curve: ResponseCurve
    contracted_kw: ArrayLike
    time_constant_s: float = 0.0
    raise_max_kw: ArrayLike = np.inf
    lower_max_kw: ArrayLike = np.inf
    _knots_hz: list[float] = field(init=False, repr=False, default_factory=list)
    _targets_kw: list[float] = field(init=False, repr=False, default_factory=list)
    _slopes: list[float] = field(init=False, repr=False, default_factory=list)

    def __post_init__(self) -> None:
        """Check every range and lay the sum of the targets out over frequency."""
        for name in ("contracted_kw", "raise_max_kw", "lower_max_kw"):
            if not (np.asarray(getattr(self, name), dtype=np.float64) >= 0.0).all():
                raise InvalidInputError(name, getattr(self, name), "0 or more [kW]")
        if not np.isfinite(self.contracted_kw).all():
            raise InvalidInputError("contracted_kw", self.contracted_kw, "a finite power [kW]")
        if not 0.0 <= self.time_constant_s < np.inf:
            raise InvalidInputError("time_constant_s", self.time_constant_s, "0 or more [s]")
        if any(later > sooner for (_, sooner), (_, later) in pairwise(self.curve.points)):
            raise InvalidInputError("curve", self.curve.name, "a response that never rises with the frequency")
        contracted, most, least = np.atleast_1d(
            *np.broadcast_arrays(
                *(np.asarray(a, dtype=np.float64) for a in (self.contracted_kw, self.raise_max_kw, self.lower_max_kw))
            )
        )
        for name, values in (("contracted_kw", contracted), ("raise_max_kw", most), ("lower_max_kw", least)):
            object.__setattr__(self, name, values)
        knots, targets = _over_frequency(self.curve, _Sum(contracted, least, most))
        slopes = [0.0, *(np.diff(targets) / np.diff(knots)).tolist(), 0.0]
        object.__setattr__(self, "_knots_hz", knots.tolist())
        object.__setattr__(self, "_targets_kw", [float(targets[0]), *targets.tolist()])
        object.__setattr__(self, "_slopes", slopes)

    def target_kw(self, frequency_hz: float) -> float:
        """Return the sum of what the devices aim at, at one frequency: one look-up, whatever their number."""
        return self.target_and_slope(frequency_hz)[0]

    def target_and_slope(self, frequency_hz: float) -> tuple[float, float]:
        """Return the sum of what the devices aim at [kW] and how it changes [kW/Hz]."""
        at = bisect_right(self._knots_hz, frequency_hz)
        slope = self._slopes[at]
        return self._targets_kw[at] + slope * (frequency_hz - self._knots_hz[at - 1 if at else 0]), slope

    def device_targets_kw(self, frequency_hz: ArrayLike) -> Floats:
        """Return what each device aims at [kW], shape (T, N) for T frequencies."""
        asked = np.asarray(self.contracted_kw) * self.curve.response(frequency_hz)[..., None]
        return np.asarray(np.clip(asked, -np.asarray(self.lower_max_kw), self.raise_max_kw), dtype=np.float64)

    def device_powers_kw(self, frequency_hz: Floats, *, step_s: float = 1.0) -> Floats:
        """Return the power of each device [kW] along a path of frequency, from rest, shape (T, N)."""
        targets = self.device_targets_kw(frequency_hz)
        kept = self.kept(step_s)
        return np.asarray(lfilter([1.0 - kept], [1.0, -kept], targets, axis=0), dtype=np.float64)

    def kept(self, step_s: float) -> float:
        """Return the share of the gap to its target that a device still has after a step."""
        return float(np.exp(-step_s / self.time_constant_s)) if self.time_constant_s > 0.0 else 0.0


@dataclass(frozen=True, slots=True, eq=False)
class _Sum:
    """``sum_i clip(c_i s, -l_i, u_i)`` as a function of the response ``s``."""

    contracted: Floats
    least: Floats
    most: Floats

    def knots(self) -> Floats:
        """Return the responses at which some device reaches a limit or the sum changes sides, ascending in -1 to 1."""
        able = self.contracted > 0.0
        shares = self.contracted[able]
        limits: Floats = np.unique(np.concatenate([-self.least[able] / shares, self.most[able] / shares, [0.0]]))
        return limits[np.abs(limits) < 1.0]

    def at(self, responses: Floats) -> Floats:
        """Return the sum at each response, by sorted limits and running sums."""
        up = _one_side(self.contracted, self.most, np.maximum(responses, 0.0))
        return up - _one_side(self.contracted, self.least, np.maximum(-responses, 0.0))


def _one_side(contracted: Floats, limit: Floats, responses: Floats) -> Floats:
    able = contracted > 0.0
    share, limit = contracted[able], limit[able]
    order = np.argsort(limit / share, kind="stable")
    reached = (limit / share)[order]
    full = np.append(0.0, np.cumsum(limit[order]))
    free = np.append(share.sum(), share.sum() - np.cumsum(share[order]))
    count = np.searchsorted(reached, responses, side="left")
    # where nobody is at a limit yet, infinite limits must not enter the sum
    held = np.where(count > 0, full[count], 0.0)
    return np.asarray(held + np.maximum(free[count], 0.0) * responses, dtype=np.float64)


def _over_frequency(curve: ResponseCurve, total: _Sum) -> tuple[Floats, Floats]:
    """Return the frequencies where the sum of the targets bends, ascending, and the sum at each."""
    points = _with_dead_band(curve)
    levels = total.knots()
    knots, responses = [points[0][0]], [points[0][1]]
    for (f0, s0), (f1, s1) in pairwise(points):
        # responses fall as the frequency rises; a step at the edge of a dead band has no room for bends
        between = levels[(levels < s0) & (levels > s1)][::-1] if f1 - f0 > _STEP_HZ else levels[:0]
        knots += [*(f0 + (s0 - between) / (s0 - s1) * (f1 - f0)).tolist(), f1]
        responses += [*between.tolist(), s1]
    hz = np.array(knots)
    distinct = np.append(True, np.diff(hz) > 0.0)
    return hz[distinct], total.at(np.array(responses))[distinct]


def _with_dead_band(curve: ResponseCurve) -> list[tuple[float, float]]:
    """Return the curve's points with the steps at the edges of its dead band as very steep segments."""
    points = [(float(f), float(s)) for f, s in curve.points]
    if not curve.dead_band > 0.0:
        return points
    low, high = curve.nominal - curve.dead_band, curve.nominal + curve.dead_band
    below, above = float(np.nextafter(low, -np.inf)), float(np.nextafter(high, np.inf))
    at_low, at_high = curve.response([below, above]).tolist()
    inner = [(below, at_low), (low, 0.0), (high, 0.0), (above, at_high)]
    return [*(p for p in points if p[0] < below), *inner, *(p for p in points if p[0] > above)]
