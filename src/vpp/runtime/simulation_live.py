"""A plant that runs on a simulated world: what ``vpp up --simulated`` starts where there are no measurements yet."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from vpp.config import VPPConfig
from vpp.core.ports import Store
from vpp.core.time import floor_time
from vpp.core.units import SECONDS_PER_DAY
from vpp.runtime.clock import WallClock
from vpp.runtime.live import REPLAY_HISTORY, REPLAY_SPEED, LivePlant, start_replay
from vpp.runtime.setup import setup_of
from vpp.simulation.plant import simulate
from vpp.simulation.plant.device import SimulatedPlant
from vpp.simulation.plant.faults import Fault, FaultyDevice

SIMULATED_DAYS = 28


def start_simulated(
    config: VPPConfig,
    store: Store,
    *,
    speed: float = REPLAY_SPEED,
    start: datetime | None = None,
    seed: int = 0,
    days: int = SIMULATED_DAYS,
    faults: Sequence[Fault] = (),
) -> LivePlant:
    """Return a plant whose loads, generation and prices are simulated, with simulated batteries; not begun yet.

    Parameters
    ----------
    config : VPPConfig
        A valid plant file; it needs no history.
    store : Store
        Filled with the 14 days before ``start``.
    speed : float
        Seconds of simulated time per second of wall, above 0.
    start : datetime, optional
        Where it begins; by default the midnight (UTC) before the present.
    seed : int
        Seed of the world, 0 or more.
    days : int
        How long it lasts, 1 or more.
    faults : sequence of Fault, optional
        What goes wrong with its measurements and commands.
    """
    setup = setup_of(config)
    begin = floor_time(WallClock().now(), SECONDS_PER_DAY) if start is None else floor_time(start, setup.resolution_s)
    run = simulate(setup.plant, begin - REPLAY_HISTORY, begin + timedelta(days=days), setup.resolution_s, seed=seed)
    # the same world once more, behind the port of a device that obeys; its past is told by the table
    device = SimulatedPlant(setup.plant, run.grid, seed=seed)
    device.skip_to(begin)
    told = FaultyDevice(device, faults, seed=seed) if faults else device
    return start_replay(config, store, speed=speed, start=begin, table=run.table(batteries=False), device=told)
