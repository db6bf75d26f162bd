"""Faults on demand: a device that loses, freezes, bends or misdates what it measures, or does not do as it is told.

A fault acts in windows of time, stated or drawn. Invariant: without faults a device is what it was; the same seed gives
the same windows, however often it is polled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from vpp.core.errors import InvalidInputError, UnknownNameError
from vpp.core.messages import POWER_KW, SOC, Ack, AckStatus, Command, Readings
from vpp.core.ports import Device
from vpp.core.time import epoch_s, require_aware
from vpp.core.units import KILO, SECONDS_PER_DAY, SECONDS_PER_HOUR
from vpp.simulation.seeds import generator

Floats = NDArray[np.float64]
FaultKind = Literal["dropout", "stuck", "drift", "unit_slip", "clock_skew", "refuse", "half_obey"]
_ON_COMMANDS = ("refuse", "half_obey")
LONGEST_H = 24.0
"""Longest drawn window: a moment has to look at its own day and the one before only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One way to fail.

    Parameters
    ----------
    kind : str
        dropout (readings are missing), stuck (the last value again), drift (a growing error), unit_slip (kW reported
        in W), clock_skew (readings are stamped off), refuse (commands are not executed), half_obey (half of what was
        asked is done).
    start, end : datetime or None
        When it acts, end exclusive; both None for windows drawn at random.
    per_day : float
        Mean number of random windows a day, 0 or more.
    mean_h : float
        Their mean length [h], above 0 to 24.
    sources : tuple of str
        Assets and sites concerned; empty for all.
    per_hour : float
        Drift: share of the value added per hour since its window opened.
    skew_s : int
        Clock skew: whole seconds added to the stamps.

    Examples
    --------
    >>> Fault(kind="stuk")
    Traceback (most recent call last):
    ...
    vpp.core.errors.UnknownNameError: no fault called 'stuk'; did you mean: stuck
    """

    kind: FaultKind
    start: datetime | None = None
    end: datetime | None = None
    per_day: float = 0.0
    mean_h: float = 1.0
    sources: tuple[str, ...] = ()
    per_hour: float = 0.02
    skew_s: int = 300

    def __post_init__(self) -> None:
        """Check every range."""
        if self.kind not in get_args(FaultKind):
            raise UnknownNameError("fault", self.kind, get_args(FaultKind))
        for name in ("start", "end"):
            given = getattr(self, name)
            if given is not None:
                object.__setattr__(self, name, require_aware(given, field=f"fault.{name}"))
        if (self.start is None) != (self.end is None) or (self.start and self.end and self.start >= self.end):
            raise InvalidInputError("fault.end", self.end, "a time after start; leave out both for random windows")
        if not 0.0 <= self.per_day <= 100.0 or (self.start is not None and self.per_day):
            raise InvalidInputError("fault.per_day", self.per_day, "0 to 100, and 0 where start and end are stated")
        if not 0.0 < self.mean_h <= LONGEST_H:
            raise InvalidInputError("fault.mean_h", self.mean_h, f"above 0 to {LONGEST_H:g} [h]")


class FaultyDevice:
    """A ``Device`` around another that has faults.

    Parameters
    ----------
    device : Device
        What is measured and commanded.
    faults : sequence of Fault
        They act one after the other, in this order.
    seed : int
        Seed of the random windows, 0 or more.
    """

    def __init__(self, device: Device, faults: Sequence[Fault], *, seed: int) -> None:
        self.device = device
        self.asset_ids = device.asset_ids
        self._faults = tuple(enumerate(faults))
        self._seed = seed
        self._frozen: dict[tuple[int, str, str, int], float] = {}
        self._refused: list[Command] = []
        self._windows = lru_cache(maxsize=4096)(self._drawn)

    def execute(self, command: Command) -> None:
        """Hand a command on, as far as it is obeyed."""
        for number, fault in self._faults:
            if fault.kind not in _ON_COMMANDS or (fault.sources and command.asset_id not in fault.sources):
                continue
            if self._opened_s(number, fault, epoch_s(command.start)) is None:
                continue
            if fault.kind == "refuse":
                self._refused.append(command)
                return
            command = replace(command, power_kw=0.5 * command.power_kw, grid_floor_kw=None, grid_ceiling_kw=None)
        self.device.execute(command)

    def poll(self, now: datetime) -> tuple[Readings | None, Sequence[Ack]]:
        """Return what the device measured, as far as it gets through, and its answers."""
        readings, acks = self.device.poll(now)
        why = "the device refused"
        told = [
            Ack(command.id, command.plant, command.asset_id, now, AckStatus.REFUSED, None, why)
            for command in self._refused
        ]
        self._refused.clear()
        return (None if readings is None else self._reported(readings)), [*acks, *told]

    def _reported(self, readings: Readings) -> Readings | None:
        value, time_s = readings.value.copy(), readings.time_s.copy()
        kept = np.ones(value.size, dtype=bool)
        for number, fault in self._faults:
            if fault.kind in _ON_COMMANDS:
                continue
            for row in range(value.size):
                key = readings.keys[int(readings.series[row])]
                opened = self._opened_s(number, fault, int(readings.time_s[row]))
                if opened is None or (fault.sources and key.source not in fault.sources):
                    continue
                if fault.kind == "dropout":
                    kept[row] = False
                elif fault.kind == "clock_skew":
                    time_s[row] += fault.skew_s
                elif fault.kind == "stuck":
                    value[row] = self._frozen.setdefault((number, key.source, key.metric, opened), float(value[row]))
                elif fault.kind == "drift":
                    hours = (int(readings.time_s[row]) - opened) / SECONDS_PER_HOUR
                    value[row] *= 1.0 + fault.per_hour * hours
                    value[row] = float(np.clip(value[row], 0.0, 1.0)) if key.metric == SOC else value[row]
                elif key.metric == POWER_KW:
                    value[row] *= KILO
        if not kept.any():
            return None
        return Readings(
            readings.plant,
            readings.keys,
            readings.series[kept],
            time_s[kept],
            readings.issued_s[kept],
            readings.arrived_s[kept],
            value[kept],
            readings.quality[kept],
        )

    def _opened_s(self, number: int, fault: Fault, at_s: int) -> int | None:
        """Return when the window opened that a moment lies in, None outside of all."""
        if fault.start is not None and fault.end is not None:
            return epoch_s(fault.start) if epoch_s(fault.start) <= at_s < epoch_s(fault.end) else None
        today = at_s // SECONDS_PER_DAY
        for day in (today - 1, today):
            for begin_s, end_s in self._windows(number, fault, day):
                if begin_s <= at_s < end_s:
                    return begin_s
        return None

    def _drawn(self, number: int, fault: Fault, day: int) -> tuple[tuple[int, int], ...]:
        """Return the random windows that open on a day (since the epoch), in order."""
        if not fault.per_day or day < 0:
            return ()
        source = generator(self._seed, "fault", number, day)
        count = int(source.poisson(fault.per_day))
        begins = np.sort(source.random(count)) * SECONDS_PER_DAY + day * SECONDS_PER_DAY
        lengths = np.minimum(source.exponential(fault.mean_h, count), LONGEST_H) * SECONDS_PER_HOUR
        ends = (begins + lengths).astype(np.int64)
        return tuple(zip(begins.astype(np.int64).tolist(), ends.tolist(), strict=True))
