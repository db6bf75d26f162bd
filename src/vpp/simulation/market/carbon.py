"""Carbon: how much CO2 a kWh from the grid stands for, by hour, season and chance."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from vpp.core.time import TimeGrid
from vpp.simulation.market.fitted import CALIFORNIA_2016
from vpp.simulation.market.process import SeasonalProcess, hours_of
from vpp.simulation.seeds import generator

Floats = NDArray[np.float64]


def carbon_intensity(
    grid: TimeGrid, *, timezone: ZoneInfo, seed: int, process: SeasonalProcess = CALIFORNIA_2016
) -> Floats:
    """Return the carbon intensity of the grid.

    Parameters
    ----------
    grid : TimeGrid
        The steps, T of them.
    timezone : ZoneInfo
        The clock that people and sun keep there.
    seed : int
        Seed of the simulation.
    process : SeasonalProcess
        What the intensity is like [kg/kWh]; ``fit_process`` makes one of an hourly series.

    Returns
    -------
    float array, shape (T,)
        kg CO2 per kWh, 0 or more; the steps of an hour share its value.

    Examples
    --------
    >>> from vpp.core.time import parse_time, zone
    >>> year = TimeGrid(parse_time("2024-01-01T00:00Z"), 3600, 8784)
    >>> intensity = carbon_intensity(year, timezone=zone("America/Los_Angeles"), seed=1)
    >>> bool(0.14 < intensity.mean() < 0.18)
    True
    """
    hours_s, hour_of_step = hours_of(grid)
    hourly = process.sample(hours_s, timezone=timezone, rng=generator(seed, "carbon"))
    return np.maximum(hourly, 0.0)[hour_of_step]
