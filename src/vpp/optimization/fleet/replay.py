"""From a mix of answers to what every battery does: one direction at a time, within its limits, and what it costs.

A battery follows the mix of the energies of its answers, which is always within its band, and takes the shortest way
there: it never charges and discharges at once. Where that would feed in more than the connection takes, discharging is
held back by one share for all, and the energy kept is given back later.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from vpp.optimization.fleet.oracle import Oracle
from vpp.optimization.fleet.problem import Bus, FleetTable, Floats

SPAN = 4096
# of the fleet's power: what a solver's tolerance may leave of a limit
LIMIT_TOLERANCE = 1e-7


@dataclass(frozen=True, slots=True, eq=False)
class BusPlan:
    """What the bus does with the fleet's power: columns of shape (T,) in kW, its cost, and what no limit allows."""

    import_kw: Floats
    export_kw: Floats
    used_kw: Floats
    excess_kw: Floats
    cost: float


def settle_bus(bus: Bus, power_kw: Floats, *, duration_h: float) -> BusPlan:
    """Return the cheapest use of generation and connection for the fleet's power (T)."""
    surplus = bus.fixed_kw + power_kw
    low, high = np.maximum(surplus, -bus.import_max_kw), np.minimum(surplus + bus.curtailable_kw, bus.export_max_kw)
    least, most = np.minimum(low, high), np.maximum(low, high)
    exchange = np.clip(0.0, least, most)
    exchange = np.where(bus.export_price_per_kwh >= 0.0, high, np.where(bus.import_price_per_kwh <= 0.0, low, exchange))
    # only a broken limit turns the order round: then what must flow does
    above = np.maximum(surplus - bus.export_max_kw, 0.0)
    below = np.maximum(-bus.import_max_kw - surplus - bus.curtailable_kw, 0.0)
    exchange = np.where(above > 0.0, surplus, np.where(below > 0.0, surplus + bus.curtailable_kw, exchange))
    into, out = np.maximum(-exchange, 0.0), np.maximum(exchange, 0.0)
    cost = duration_h * float(into @ bus.import_price_per_kwh - out @ bus.export_price_per_kwh)
    return BusPlan(into, out, np.clip(exchange - surplus, 0.0, bus.curtailable_kw), above + below, cost)


@dataclass(frozen=True, slots=True, eq=False)
class Recipe:
    """How to make every battery's plan: prices (K, T), shares by group (K, G), and the shares held back (T) or None."""

    oracle: Oracle
    table: FleetTable
    prices: Floats
    weight: Floats
    held_back: Floats | None = None

    def mixed_energy_kwh(self, first: int, last: int) -> Floats:
        """Return the mix of the energies of the answers, shape (last - first, T)."""
        steps = self.oracle.bus.fixed_kw.size
        energy = np.zeros((last - first, steps))
        for price, weight in zip(self.prices, self.weight, strict=True):
            self.oracle.blend(price, np.ascontiguousarray(weight), (first, last), energy)
        low, high = self.table.energy_min_kwh[first:last, None], self.table.energy_max_kwh[first:last, None]
        energy = np.clip(energy, low, high)
        energy[:, -1] = np.maximum(energy[:, -1], self.table.final_energy_min_kwh[first:last])
        return energy

    def replay(self, first: int, last: int) -> tuple[Floats, Floats]:
        """Return power [kW], positive discharges, and energy [kWh] of some batteries, shape (last - first, T)."""
        mixed = self.mixed_energy_kwh(first, last)
        table = self.table.take(np.arange(first, last))
        power, before = np.empty_like(mixed), table.initial_energy_kwh
        for step in range(mixed.shape[1]):
            share = 0.0 if self.held_back is None else float(self.held_back[step])
            power[:, step] = _toward(table, before, mixed[:, step], hours=self.oracle.duration_h)
            if share > 0.0:
                power[:, step] -= share * np.maximum(power[:, step], 0.0)
            before = _after(table, before, power[:, step], hours=self.oracle.duration_h)
            mixed[:, step] = before
        return power, mixed

    def totals(self) -> tuple[Floats, float]:
        """Return the fleet's power (T) and its own cost: wear less the value of what is left."""
        power, cost, hours = np.zeros(self.oracle.bus.fixed_kw.size), 0.0, self.oracle.duration_h
        for first in range(0, self.oracle.batteries, SPAN):
            last = min(first + SPAN, self.oracle.batteries)
            each, energy = self.replay(first, last)
            power += each.sum(axis=0)
            cost += hours * float(self.table.wear_cost_per_kwh[first:last] @ np.maximum(each, 0.0).sum(axis=1))
            cost -= float(self.table.terminal_value_per_kwh[first:last] @ energy[:, -1])
        return power, cost

    def within_limits(self) -> Recipe:
        """Return the recipe with discharging held back where the connection would not take it."""
        bus, table, hours = self.oracle.bus, self.table, self.oracle.duration_h
        # every battery at once, step by step: what is held back now decides what the next step gives
        mixed, before = self.mixed_energy_kwh(0, self.oracle.batteries), table.initial_energy_kwh
        held = np.zeros(mixed.shape[1])
        for step in range(mixed.shape[1]):
            power = _toward(table, before, mixed[:, step], hours=hours)
            above = bus.fixed_kw[step] + float(power.sum()) - bus.export_max_kw[step]
            out = np.maximum(power, 0.0)
            if above > 0.0 and out.any():
                held[step] = min(above / float(out.sum()), 1.0)
                power -= held[step] * out
            before = _after(table, before, power, hours=hours)
        return replace(self, held_back=held)


def _toward(table: FleetTable, before: Floats, target: Floats, *, hours: float) -> Floats:
    """Return the powers that bring the batteries to their targets, as far as they can."""
    change = (target - before) / hours
    into = np.minimum(np.maximum(change, 0.0) / table.charge_efficiency, table.charge_max_kw)
    power: Floats = np.minimum(np.maximum(-change, 0.0) * table.discharge_efficiency, table.discharge_max_kw) - into
    return power


def _after(table: FleetTable, before: Floats, power: Floats, *, hours: float) -> Floats:
    """Return the energies after a step; rounding at an edge of the band is brought to it."""
    stored = np.maximum(-power, 0.0) * table.charge_efficiency - np.maximum(power, 0.0) / table.discharge_efficiency
    return np.clip(before + hours * stored, table.energy_min_kwh, table.energy_max_kwh)
