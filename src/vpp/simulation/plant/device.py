"""The simulated plant behind the port every real one has: it takes commands, runs by the clock, reports.

Invariant: a step is reported only after it has ended, and its commands are those that named it; what the world does
depends on the seed alone, not on what is commanded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from vpp.core.assets import Battery, Plant
from vpp.core.errors import InvalidInputError
from vpp.core.messages import POWER_KW, SOC, Ack, AckStatus, Command, Readings, SeriesKey
from vpp.core.time import TimeGrid, epoch_s
from vpp.simulation.plant.runs import AssetRun, SolarRun, WindRun
from vpp.simulation.plant.simulate import free_runs
from vpp.simulation.plant.stores import Stores
from vpp.simulation.plant.surroundings import world_of
from vpp.simulation.replay import battery_answer
from vpp.simulation.sites import SetPoints, SiteBank, SitesStep

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class DeviceStep:
    """What a plant measured in one step, and its answers to the commands for it."""

    readings: Readings
    acks: tuple[Ack, ...]


class SimulatedPlant:
    """A ``Device`` that is a whole simulated plant, clocked from outside.

    Parameters
    ----------
    plant : Plant
        Its sites.
    grid : TimeGrid
        The steps it lives through.
    seed : int
        Seed of its world, 0 or more.

    Examples
    --------
    >>> from vpp.core.assets import Battery, Load, Plant, Site
    >>> from vpp.core.time import parse_time
    >>> battery = Battery(id="store", capacity_kwh=10.0, charge_max_kw=5.0, discharge_max_kw=5.0)
    >>> home = Site(id="home", assets=(Load(id="house"), battery))
    >>> plant = Plant(id="p", name="P", timezone="Europe/Amsterdam", currency="EUR", sites=(home,))
    >>> device = SimulatedPlant(plant, TimeGrid(parse_time("2024-06-01T00:00Z"), 900, 96), seed=1)
    >>> len(device.step().readings)
    4
    """

    def __init__(self, plant: Plant, grid: TimeGrid, *, seed: int) -> None:
        self.plant = plant
        self.grid = grid
        self.asset_ids = tuple(asset.id for asset in plant.assets)
        self._bank = SiteBank(plant)
        self._sources = tuple(asset for asset in plant.assets if not isinstance(asset, Battery))
        self._index = {battery.id: i for i, battery in enumerate(plant.batteries)}
        site_of = {asset.id: i for i, site in enumerate(plant.sites) for asset in site.assets}
        self._site_of = np.array([site_of[asset.id] for asset in self._sources], dtype=np.int64)
        self._free = np.array([getattr(asset, "curtailable", False) for asset in self._sources], dtype=bool)
        self._keys = (
            *(SeriesKey(asset.id, POWER_KW) for asset in self._sources),
            *(SeriesKey(battery.id, POWER_KW) for battery in plant.batteries),
            *(SeriesKey(battery.id, SOC) for battery in plant.batteries),
            *(SeriesKey(site.id, POWER_KW) for site in plant.sites),
        )
        self.reset(seed)

    def reset(self, seed: int) -> None:
        """Begin anew at the first step, in the world of a seed; commands not yet executed are forgotten."""
        world = world_of(self.plant, self.grid, seed=seed)
        runs = free_runs(self.plant, world, seed=seed)
        columns = [_available(runs[asset.id]) for asset in self._sources]
        self._outdoor_c = world.temperature_c
        self._true = np.column_stack(columns) if columns else np.empty((self.grid.count, 0))
        self.stores = Stores(self.plant.batteries, outdoor_c=float(self._outdoor_c[0]))
        self._commands: dict[int, list[Command]] = {}
        self._done = 0

    @property
    def ended(self) -> bool:
        """True when the last step is done."""
        return self._done >= self.grid.count

    @property
    def now(self) -> datetime:
        """Start of the step that comes next."""
        return self.grid.time(self._done)

    def execute(self, command: Command) -> None:
        """Take a command for the step it names; a later command for the same asset and step replaces it."""
        self._commands.setdefault(epoch_s(command.start), []).append(command)

    def skip_to(self, moment: datetime) -> None:
        """Let the world go on unobserved to the step that holds a moment; batteries stay as they are.

        Raises
        ------
        InvalidInputError
            When the moment lies before the present or beyond the last step.
        """
        index = self.grid.index(moment)
        if index < self._done:
            raise InvalidInputError("moment", moment.isoformat(), f"the present, {self.now.isoformat()}, or later")
        self._done = index

    def step(self) -> DeviceStep:
        """Live through the next step and return what was measured in it.

        Raises
        ------
        InvalidInputError
            When the last step is done.
        """
        if self.ended:
            raise InvalidInputError("step", self._done, f"one of {self.grid.count} steps; reset begins anew")
        index = self._done
        row, acks = self._step(index)
        self._done += 1
        times_s = self.grid.times_s[index : index + 1]
        readings = Readings.from_table(
            self.plant.id, self._keys, times_s, row[None, :], arrived_s=times_s + self.grid.resolution_s
        )
        return DeviceStep(readings, tuple(acks))

    def poll(self, now: datetime) -> tuple[Readings | None, Sequence[Ack]]:
        """Return the readings of steps that ended by ``now`` and were not reported, and the answers to their commands.

        State of charge is that at the end of the step it is stamped with.
        """
        until = min((epoch_s(now) - self.grid.start_s) // self.grid.resolution_s, self.grid.count)
        if until <= self._done:
            return None, []
        first, rows, acks = self._done, [], []
        for index in range(first, until):
            row, answers = self._step(index)
            rows.append(row)
            acks += answers
        self._done = until
        times_s = self.grid.times_s[first:until]
        arrived_s = times_s + self.grid.resolution_s
        return Readings.from_table(self.plant.id, self._keys, times_s, np.array(rows), arrived_s=arrived_s), acks

    def _step(self, index: int) -> tuple[Floats, list[Ack]]:
        commands = self._commands.pop(int(self.grid.times_s[index]), [])
        points, caps_kw = self._set_points(commands)
        true, free = self._true[index], self._free
        capped = np.minimum(true[free], caps_kw[free])
        made = self._by_site(capped, self._site_of[free])
        fixed = self._by_site(true[~free], self._site_of[~free])
        done = self._executed(points, fixed, made, index)
        kept = np.divide(made - done.curtailed_kw, made, out=np.ones_like(made), where=made > 0.0)
        sources = true.copy()
        sources[free] = capped * kept[self._site_of[free]]
        acks = self._answers(commands, done, sources, self.grid.time(index + 1))
        return np.concatenate((sources, done.battery_kw, self.stores.soc, done.grid_kw)), acks

    def _executed(self, points: SetPoints, fixed_kw: Floats, made_kw: Floats, index: int) -> SitesStep:
        duration_h = self.grid.duration_h
        band = self.stores.band_kw(duration_h=duration_h)
        wanted, kept = self._bank.settle(band, points, fixed_kw=fixed_kw, curtailable_kw=made_kw)
        power = self.stores.hold(wanted, duration_h=duration_h, outdoor_c=float(self._outdoor_c[index]))
        step = self._bank.metered(power, self.stores.energy_kwh, kept, fixed_kw=fixed_kw, curtailed_kw=made_kw - kept)
        # cells may take less than a plan counts with; what then exceeds the connection is curtailed too
        most_kw = np.minimum(points.generation_ceiling_kw, self._bank.export_max_kw)
        kept = kept - np.clip(step.grid_kw - most_kw, 0.0, kept)
        return self._bank.metered(power, self.stores.energy_kwh, kept, fixed_kw=fixed_kw, curtailed_kw=made_kw - kept)

    def _set_points(self, commands: Sequence[Command]) -> tuple[SetPoints, Floats]:
        """Return what batteries and meters were told, and the cap of every other asset [kW]."""
        points = SetPoints.idle(batteries=len(self._index), sites=len(self.plant.sites))
        caps_kw = np.full(len(self._sources), np.inf)
        for command in commands:
            battery, source = self._index.get(command.asset_id), self._obeying(command.asset_id)
            if battery is not None:
                points.battery_kw[battery] = command.power_kw
                points.floor_kw[battery] = -np.inf if command.grid_floor_kw is None else command.grid_floor_kw
                points.ceiling_kw[battery] = np.inf if command.grid_ceiling_kw is None else command.grid_ceiling_kw
                points.may_reverse[battery] = command.may_reverse
            elif source is not None:
                caps_kw[source] = max(command.power_kw, 0.0)
                if command.grid_ceiling_kw is not None:
                    points.generation_ceiling_kw[self._site_of[source]] = command.grid_ceiling_kw
        return points, caps_kw

    def _obeying(self, asset_id: str) -> int | None:
        """Return the index of a curtailable generator; None for an asset that takes no commands."""
        index = next((i for i, asset in enumerate(self._sources) if asset.id == asset_id), None)
        return index if index is not None and self._free[index] else None

    def _answers(self, commands: Sequence[Command], done: SitesStep, sources: Floats, at: datetime) -> list[Ack]:
        answers = []
        for command in commands:
            battery, source = self._index.get(command.asset_id), self._obeying(command.asset_id)
            if battery is not None:
                answers.append(battery_answer(command, float(done.battery_kw[battery]), at))
            elif source is not None:
                made = float(sources[source])
                answers.append(Ack(command.id, command.plant, command.asset_id, at, AckStatus.EXECUTED, made))
            else:
                why = f"{command.asset_id} takes no commands"
                answers.append(Ack(command.id, command.plant, command.asset_id, at, AckStatus.REFUSED, None, why))
        return answers

    def _by_site(self, powers: Floats, sites: NDArray[np.int64]) -> Floats:
        return np.bincount(sites, weights=powers, minlength=len(self.plant.sites)).astype(np.float64)


def _available(run: AssetRun) -> Floats:
    return run.available_kw if isinstance(run, (SolarRun, WindRun)) else run.power_kw
