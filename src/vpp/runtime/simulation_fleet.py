"""A fleet of homes around a plant's place, on its clock."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from vpp.core.time import TimeGrid
from vpp.runtime.simulation import PlantSimulation
from vpp.simulation.plant.fleet import FleetChunk, simulate_fleet
from vpp.simulation.plant.surroundings import place_of


def fleet_of(simulation: PlantSimulation, homes: int, start: datetime, end: datetime) -> Iterator[FleetChunk]:
    """Yield so many homes chunk by chunk; what they are like does not hang on the plant's own assets."""
    setup = simulation.setup
    grid = TimeGrid.between(start, end, simulation.resolution_s)
    return simulate_fleet(homes, grid, centre=place_of(setup.plant), timezone=setup.timezone, seed=simulation.seed)
