"""Photovoltaics: what arrays make of the weather."""

from vpp.simulation.solar.arrays import SolarArrays
from vpp.simulation.solar.plant import SolarYield, solar_power

__all__ = ["SolarArrays", "SolarYield", "solar_power"]
