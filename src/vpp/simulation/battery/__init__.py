"""Batteries in two fidelities behind one interface, with ageing and safety limits."""

from vpp.simulation.battery.cell import CELLS, LFP, NMC, Cell
from vpp.simulation.battery.model import LIMITS, BatteryModel, BatteryRecord, BatteryStep
from vpp.simulation.battery.physical import PhysicalBattery, PhysicalState, SafetyLimits
from vpp.simulation.battery.simple import SimpleBattery, SimpleState

__all__ = [
    "CELLS",
    "LFP",
    "LIMITS",
    "NMC",
    "BatteryModel",
    "BatteryRecord",
    "BatteryStep",
    "Cell",
    "PhysicalBattery",
    "PhysicalState",
    "SafetyLimits",
    "SimpleBattery",
    "SimpleState",
]
