"""Plants: from weather to meter as columns, step by step behind the port of a device, or a hundred thousand at once."""

from vpp.simulation.plant.runs import PlantRun
from vpp.simulation.plant.simulate import simulate

__all__ = ["PlantRun", "simulate"]
