"""Simulation of a plant file: whole spans for files, single moments for a stream.

Invariant: what a plant does at a moment of a stream depends on the plant, the seed and the resolution alone, not on
when somebody began to look: streams live in blocks of four weeks (a week under five minutes, a day under one) that lie
at fixed times. Every block begins anew with the states of charge the plant file states.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from vpp.config import VPPConfig
from vpp.core.errors import InvalidInputError
from vpp.core.time import epoch_s, floor_time, from_epoch_s
from vpp.core.units import SECONDS_PER_DAY, SECONDS_PER_HOUR
from vpp.runtime.setup import setup_of
from vpp.runtime.simulation_prices import SitePrices, prices_of
from vpp.runtime.simulation_record import RecordColumns, record_columns, records
from vpp.simulation.plant import PlantRun, simulate

MOST_STEPS = 2_000_000
_BLOCK_DAYS = ((300, 28), (60, 7), (1, 1))
"""Length of a block by the shortest step it is for."""
_FIRST_MONDAY_S = 4 * SECONDS_PER_DAY
DEFAULT_SEED = 0


class PlantSimulation:
    """A plant file, ready to be simulated.

    Parameters
    ----------
    config : VPPConfig
        A valid plant file.
    seed : int
        Seed, 0 or more.
    resolution_s : int, optional
        Length of a step [s], 1 to 3600, divides a day; by default the one the plant is planned with.

    Raises
    ------
    InvalidInputError
        When the file is not valid or the resolution is out of its range.
    """

    def __init__(self, config: VPPConfig, *, seed: int = DEFAULT_SEED, resolution_s: int | None = None) -> None:
        self.config = config
        self.setup = setup_of(config)
        self.seed = seed
        self.resolution_s = self.setup.resolution_s if resolution_s is None else resolution_s
        if not 1 <= self.resolution_s <= SECONDS_PER_HOUR or SECONDS_PER_DAY % self.resolution_s:
            raise InvalidInputError("--resolution", f"{self.resolution_s} s", "1s to 1h, a part of a day")
        if seed < 0:
            raise InvalidInputError("--seed", seed, "a whole number of 0 or more")
        self._block: tuple[datetime, tuple[RecordColumns, ...]] | None = None

    def run(self, start: datetime, end: datetime) -> PlantRun:
        """Return what the plant does in a span of whole steps."""
        steps = (end - start).total_seconds() / self.resolution_s
        if steps > MOST_STEPS:
            raise InvalidInputError("--end", end.isoformat(), f"at most {MOST_STEPS} steps; simulate the span in parts")
        if steps < 1:
            raise InvalidInputError("--end", end.isoformat(), f"a time after the start, {start.isoformat()}")
        return simulate(self.setup.plant, start, end, self.resolution_s, seed=self.seed)

    def prices(self, run: PlantRun) -> SitePrices:
        """Return what a kWh costs and earns at the meters in the steps of a run."""
        demand_charge_per_kw = self.config.file.prices.demand_charge_per_kw
        return prices_of(self.setup, run.grid, run.outside, demand_charge_per_kw=demand_charge_per_kw)

    def columns(self, run: PlantRun) -> tuple[RecordColumns, ...]:
        """Return the run in the export format, one table per site."""
        prices = self.prices(run)
        return tuple(record_columns(site, run, prices) for site in self.setup.plant.sites)

    def records(self, run: PlantRun) -> Iterator[dict[str, Any]]:
        """Yield the records of a run by time, then site."""
        return records(self.columns(run))

    def at(self, moment: datetime) -> list[dict[str, Any]]:
        """Return the record of every site for the step of a stream that holds a moment."""
        start = floor_time(moment, self.resolution_s)
        span_s = next(days for shortest_s, days in _BLOCK_DAYS if self.resolution_s >= shortest_s) * SECONDS_PER_DAY
        into_s = (epoch_s(start) - _FIRST_MONDAY_S) % span_s
        begin = from_epoch_s(epoch_s(start) - into_s)
        if self._block is None or self._block[0] != begin:
            end = begin + timedelta(seconds=span_s)
            block = simulate(
                self.setup.plant, begin, end, self.resolution_s, seed=self.seed, episode=epoch_s(begin) // span_s
            )
            self._block = begin, self.columns(block)
        step = into_s // self.resolution_s
        return [record for table in self._block[1] for record in records((table.rows(step, step + 1),))]
