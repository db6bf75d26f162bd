"""Batteries of a plant without a planner: surplus is stored, load is served, one battery after the other.

The rule asks a power of each step that hangs on the meter alone, not on the state of charge; the battery's own limits
cut it. Invariant: for simple batteries the answer is that of ``SimpleBattery.run``, only faster.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vpp.core.assets import Battery
from vpp.core.storage import StorageLimits
from vpp.simulation.battery import CELLS, BatteryRecord, PhysicalBattery, SimpleBattery
from vpp.simulation.plant.runs import BatteryRun

Floats = NDArray[np.float64]
_ONE_BY_ONE = 8


def kept_soc(battery: Battery) -> float:
    """Return the level under which the rule does not discharge: its band's floor or its backup."""
    return max(battery.soc_min, battery.backup_soc)


def run_battery(
    battery: Battery, request_kw: Floats, must_kw: Floats, outdoor_c: Floats, *, duration_h: float, floor: float
) -> BatteryRun:
    """Return what a battery does with a requested power in T steps, of whichever fidelity.

    Parameters
    ----------
    battery : Battery
        With its state of charge at the start.
    request_kw : float array, shape (T,)
        Requested; positive discharges.
    must_kw : float array, shape (T,)
        Part of it that a simple battery serves under the floor too, 0 or more.
    outdoor_c : float array, shape (T,)
        Temperature around it, where the battery does not state its own.
    duration_h : float
        Length of a step [h].
    floor : float
        State of charge under which it does not discharge (0-1).
    """
    if battery.model == "physical":
        return _physical(battery, request_kw, outdoor_c, duration_h=duration_h, floor=floor)
    start_kwh = battery.soc_initial * battery.capacity_kwh
    energy, power, drained = follow(
        request_kw[:, None],
        np.array([start_kwh]),
        battery.limits,
        floor_kwh=floor * battery.capacity_kwh,
        standby_kw=battery.standby_kw,
        duration_h=duration_h,
        must_kw=must_kw[:, None],
    )
    stored, done = energy[:, 0], power[:, 0]
    before = np.concatenate(([start_kwh], stored[:-1]))
    moved = np.abs(before - drained[:, 0] - stored)
    unknown = np.full(done.size, np.nan)
    return BatteryRun(
        power_kw=done,
        soc=stored / battery.capacity_kwh,
        stored_kwh=stored,
        loss_kwh=before - stored - done * duration_h,
        voltage_v=unknown,
        temperature_c=unknown,
        equivalent_full_cycles=0.5 * np.cumsum(moved) / battery.capacity_kwh,
        state_of_health=np.ones(done.size),
    )


def follow(
    request_kw: Floats,
    energy_kwh: Floats,
    limits: StorageLimits,
    *,
    floor_kwh: ArrayLike,
    standby_kw: ArrayLike,
    duration_h: float,
    must_kw: ArrayLike = 0.0,
) -> tuple[Floats, Floats, Floats]:
    """Hold requested powers one after the other in simple batteries, cut to what they can do.

    Parameters
    ----------
    request_kw : float array, shape (T, A)
        Positive discharges; it must not hang on the state of charge.
    energy_kwh : float array, shape (A,)
        Stored at the start.
    limits : StorageLimits
        Of each battery, floats or arrays of shape (A,).
    floor_kwh, standby_kw : float or array, shape (A,)
        Energy under which nothing is discharged, and power that the electronics draw down to the band's floor.
    duration_h : float
        Length of a step [h].
    must_kw : float or array, shape (T, A)
        Part of a request to discharge, 0 or more, that is served under the floor too, down to the band's.

    Returns
    -------
    energy_kwh, power_kw, drained_kwh : float arrays, shape (T, A)
        Stored at the end of each step, power at the terminals, energy that the electronics took.
    """
    shape = request_kw.shape
    into = np.asarray(limits.charge_efficiency) * duration_h
    out = duration_h / np.asarray(limits.discharge_efficiency)
    wanted = np.clip(request_kw, -np.asarray(limits.charge_max_kw), limits.discharge_max_kw)
    change = np.where(wanted < 0.0, -wanted * into, -wanted * out)
    must = np.broadcast_to(np.asarray(must_kw, dtype=np.float64) * out, shape)
    low, high, floor, idle = (
        np.broadcast_to(np.asarray(value, dtype=np.float64), shape[1:])
        for value in (limits.energy_min_kwh, limits.energy_max_kwh, floor_kwh, np.asarray(standby_kw) * duration_h)
    )
    stored, kept = np.empty(shape), np.empty(shape)
    if shape[1] <= _ONE_BY_ONE:
        for unit in range(shape[1]):
            edges = (float(low[unit]), float(high[unit]), float(floor[unit]), float(idle[unit]))
            asked_kwh = change[:, unit], must[:, unit]
            stored[:, unit], kept[:, unit] = _one_follows(*asked_kwh, float(energy_kwh[unit]), edges)
    else:
        now = np.asarray(energy_kwh, dtype=np.float64)
        for step, asked in enumerate(change):
            rest = now - np.minimum(idle, np.maximum(now - low, 0.0))
            after = rest + asked
            down = np.minimum(np.maximum(after, np.minimum(floor, np.maximum(rest - must[step], low))), rest)
            now = np.where(asked >= 0.0, np.maximum(np.minimum(after, high), rest), down)
            kept[step], stored[step] = rest, now
    moved = stored - kept
    power = np.where(moved > 0.0, -moved / into, -moved / out)
    before = np.concatenate((np.asarray(energy_kwh)[None, :], stored[:-1]))
    return stored, power + 0.0, before - kept


def _one_follows(
    change: Floats, must: Floats, now: float, edges: tuple[float, float, float, float]
) -> tuple[Floats, Floats]:
    """Return what one battery holds after each step, and what its electronics had left of it before.

    Plain numbers: for a few batteries they are several times as fast as arrays.
    """
    low, high, floor, idle = edges
    stored, kept = [], []
    for asked, needed in zip(change.tolist(), must.tolist(), strict=True):
        rest = now - min(idle, max(now - low, 0.0))
        after = rest + asked
        if asked >= 0.0:
            now = max(min(after, high), rest)
        else:
            now = min(max(after, min(floor, max(rest - needed, low))), rest)
        kept.append(rest)
        stored.append(now)
    return np.array(stored), np.array(kept)


def _physical(
    battery: Battery, request_kw: Floats, outdoor_c: Floats, *, duration_h: float, floor: float
) -> BatteryRun:
    model = physical_model(battery, floor=floor)
    ambient = outdoor_c if battery.ambient_c is None else np.full(request_kw.size, battery.ambient_c)
    start = model.initial(battery.soc_initial, temperature_c=float(ambient[0]))
    done = model.run(start, request_kw[:, None], duration_h=duration_h, ambient_c=ambient[:, None])
    return run_of(done.record)


def physical_model(battery: Battery, *, floor: float) -> PhysicalBattery:
    """Return one physical battery whose band begins at a floor, or at where it starts if that is lower."""
    return PhysicalBattery(
        cell=CELLS[battery.chemistry],
        capacity_kwh=battery.capacity_kwh,
        charge_max_kw=battery.charge_max_kw,
        discharge_max_kw=battery.discharge_max_kw,
        soc_min=min(floor, battery.soc_initial),
        soc_max=battery.soc_max,
    )


def simple_model(battery: Battery, *, floor: float) -> SimpleBattery:
    """Return one simple battery whose band begins at a floor, or at where it starts if that is lower."""
    return SimpleBattery(
        capacity_kwh=battery.capacity_kwh,
        charge_max_kw=battery.charge_max_kw,
        discharge_max_kw=battery.discharge_max_kw,
        charge_efficiency=battery.charge_efficiency,
        discharge_efficiency=battery.discharge_efficiency,
        soc_min=min(floor, battery.soc_initial),
        soc_max=battery.soc_max,
        standby_kw=battery.standby_kw,
    )


def run_of(record: BatteryRecord, column: int = 0) -> BatteryRun:
    """Return one battery's columns of a record of many steps."""
    return BatteryRun(
        power_kw=record.power_kw[:, column],
        soc=record.soc[:, column],
        stored_kwh=record.stored_kwh[:, column],
        loss_kwh=record.loss_kwh[:, column],
        voltage_v=record.voltage_v[:, column],
        temperature_c=record.temperature_c[:, column],
        equivalent_full_cycles=record.equivalent_full_cycles[:, column],
        state_of_health=record.state_of_health[:, column],
    )
