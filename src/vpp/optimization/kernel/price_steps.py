"""What a storage does at given prices: the steps of an arbitrage, and the answers of a whole fleet to one price series.

Plain Python that numba compiles as it stands, hence without keyword-only parameters.
Powers in kW, non-negative by direction; prices in currency/kWh.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vpp.optimization.kernel.segments import (
    Band,
    Floats,
    Integers,
    Pieces,
    Workspace,
    solve,
    workspace,
)

Directions = NDArray[np.int8]
BOTH, CHARGE_ONLY, DISCHARGE_ONLY = 0, -1, 1


class Unit(NamedTuple):
    """A storage at its terminals; wear is paid per kWh discharged, none per kWh charged."""

    charge_max_kw: float
    discharge_max_kw: float
    charge_efficiency: float
    discharge_efficiency: float
    wear_cost_per_kwh: float
    duration_h: float


class Trades(NamedTuple):
    """Where the trades of one storage are written, each of shape (T,)."""

    energy_kwh: Floats
    charge_kw: Floats
    discharge_kw: Floats


class FleetColumns(NamedTuple):
    """N storages as columns, each of shape (N,); ``group`` is what each is counted in, ``no_floor_kwh`` is empty."""

    charge_max_kw: Floats
    discharge_max_kw: Floats
    charge_efficiency: Floats
    discharge_efficiency: Floats
    wear_cost_per_kwh: Floats
    energy_min_kwh: Floats
    energy_max_kwh: Floats
    initial_energy_kwh: Floats
    final_energy_min_kwh: Floats
    terminal_value_per_kwh: Floats
    group: Integers
    no_floor_kwh: Floats


def price_pieces(unit: Unit, price_per_kwh: Floats, direction: Directions, pieces: Pieces) -> None:
    """Write the steps of a storage that trades at given prices.

    Charging and discharging at once is left open, as in the linear program, unless ``direction`` (T, or empty) closes
    one of them.
    """
    most_in = unit.charge_max_kw * unit.duration_h * unit.charge_efficiency
    most_out = unit.discharge_max_kw * unit.duration_h / unit.discharge_efficiency
    wear, gain = unit.wear_cost_per_kwh, 1.0 / unit.charge_efficiency
    at = 0
    for step in range(price_per_kwh.size):
        pieces.first[step] = at
        price = price_per_kwh[step]
        into, out = most_in, most_out
        if direction.size:
            if direction[step] == DISCHARGE_ONLY:
                into = 0.0
            elif direction[step] == CHARGE_ONLY:
                out = 0.0
        store, release = price * gain, (price - wear) * unit.discharge_efficiency
        pieces.lowest_kwh[step] = -out
        if release <= store:
            if out > 0.0:
                pieces.slope[at], pieces.width[at] = release, out
                at += 1
            if into > 0.0:
                pieces.slope[at], pieces.width[at] = store, into
                at += 1
        else:
            if into > 0.0:
                pieces.slope[at], pieces.width[at] = store, into
                at += 1
            if out > 0.0:
                pieces.slope[at], pieces.width[at] = release, out
                at += 1
    pieces.first[price_per_kwh.size] = at


def powers_of(unit: Unit, price: float, direction: int, change_kwh: float) -> tuple[float, float]:
    """Return the charge and discharge power [kW] of least cost for a change of the stored energy."""
    hours = unit.duration_h
    into, out = unit.charge_max_kw, unit.discharge_max_kw
    kept = unit.charge_efficiency * unit.discharge_efficiency
    # burning energy pays only at negative prices, so dear divisions and tests are left for those
    if price < 0.0 and direction == BOTH and price * (1.0 - kept) < -unit.wear_cost_per_kwh * kept:
        charge = (change_kwh / hours + out / unit.discharge_efficiency) / unit.charge_efficiency
        if charge <= into:
            return max(charge, 0.0), out
        return into, min(
            max((into * unit.charge_efficiency - change_kwh / hours) * unit.discharge_efficiency, 0.0), out
        )
    if change_kwh >= 0.0:
        return min(change_kwh / (unit.charge_efficiency * hours), into), 0.0
    return 0.0, min(-change_kwh * unit.discharge_efficiency / hours, out)


def trade(
    unit: Unit,
    band: Band,
    price_per_kwh: Floats,
    direction: Directions,
    pieces: Pieces,
    work: Workspace,
    trades: Trades,
) -> tuple[float, float]:
    """Write the best energies and powers at given prices.

    Returns the cost, NaN when there is no plan, and the largest power [kW] that runs both ways at once.
    """
    price_pieces(unit, price_per_kwh, direction, pieces)
    if not solve(pieces, band, work, trades.energy_kwh):
        return np.nan, 0.0
    cost, both, before = 0.0, 0.0, band.initial_kwh
    for step in range(price_per_kwh.size):
        way = direction[step] if direction.size else BOTH
        charge, discharge = powers_of(unit, price_per_kwh[step], way, trades.energy_kwh[step] - before)
        before = trades.energy_kwh[step]
        trades.charge_kw[step], trades.discharge_kw[step] = charge, discharge
        both = max(both, min(charge, discharge))
        cost += price_per_kwh[step] * (charge - discharge) + unit.wear_cost_per_kwh * discharge
    return unit.duration_h * cost - band.terminal_value_per_kwh * before, both


def member(fleet: FleetColumns, n: int, duration_h: float) -> tuple[Unit, Band]:
    """Return one storage of a fleet."""
    unit = Unit(
        fleet.charge_max_kw[n],
        fleet.discharge_max_kw[n],
        fleet.charge_efficiency[n],
        fleet.discharge_efficiency[n],
        fleet.wear_cost_per_kwh[n],
        duration_h,
    )
    band = Band(
        fleet.energy_min_kwh[n],
        fleet.energy_max_kwh[n],
        fleet.initial_energy_kwh[n],
        fleet.final_energy_min_kwh[n],
        fleet.terminal_value_per_kwh[n],
        fleet.no_floor_kwh,
        0.0,
    )
    return unit, band


def respond(
    price_per_kwh: Floats,
    fleet: FleetColumns,
    duration_h: float,
    span: tuple[int, int],
    group_power_kw: Floats,
    group_cost: Floats,
) -> int:
    """Add the answer of the storages of a span to a price, by group: net power (G, T) and own cost (G).

    The own cost is wear less what is left at the end. Returns the first storage without any plan, -1 for none.
    """
    steps = price_per_kwh.size
    pieces = Pieces(np.empty(steps + 1, np.int64), np.empty(2 * steps), np.empty(2 * steps), np.empty(steps))
    work = workspace(2 * steps, steps)
    energy, open_both = np.empty(steps), np.empty(0, np.int8)
    for n in range(span[0], span[1]):
        unit, band = member(fleet, n, duration_h)
        price_pieces(unit, price_per_kwh, open_both, pieces)
        if not solve(pieces, band, work, energy):
            return n
        group, wear, before = fleet.group[n], 0.0, band.initial_kwh
        for step in range(steps):
            charge, discharge = powers_of(unit, price_per_kwh[step], BOTH, energy[step] - before)
            before = energy[step]
            group_power_kw[group, step] += discharge - charge
            wear += discharge
        group_cost[group] += duration_h * unit.wear_cost_per_kwh * wear - band.terminal_value_per_kwh * before
    return -1


def blend(
    price_per_kwh: Floats,
    fleet: FleetColumns,
    duration_h: float,
    span: tuple[int, int],
    group_weight: Floats,
    energy_kwh: Floats,
) -> None:
    """Add the answers of a span to a price, weighted by group (G), to its energies (span, T)."""
    steps = price_per_kwh.size
    pieces = Pieces(np.empty(steps + 1, np.int64), np.empty(2 * steps), np.empty(2 * steps), np.empty(steps))
    work = workspace(2 * steps, steps)
    energy, open_both = np.empty(steps), np.empty(0, np.int8)
    for n in range(span[0], span[1]):
        weight = group_weight[fleet.group[n]]
        if weight <= 0.0:
            continue
        unit, band = member(fleet, n, duration_h)
        price_pieces(unit, price_per_kwh, open_both, pieces)
        if solve(pieces, band, work, energy):
            for step in range(steps):
                energy_kwh[n - span[0], step] += weight * energy[step]
