"""Drivers without devices: a simulated world that obeys, and a recorded table told again as if measured now."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime, timedelta
from math import ceil

import numpy as np

from vpp.core.assets import Battery, Plant
from vpp.core.errors import InvalidInputError
from vpp.core.messages import POWER_KW, Command, Readings, SeriesKey
from vpp.core.ports import Clock, SeriesTable
from vpp.core.time import TimeGrid, epoch_s, floor_time
from vpp.core.units import SECONDS_PER_DAY, SECONDS_PER_HOUR
from vpp.edge.driver import DriverError, DriverHealth
from vpp.simulation.plant.device import SimulatedPlant

_MOST_BEHIND_S = 120


class SimulatedDriver:
    """The assets of some sites in a simulated world; set-points hold from the next step on.

    Parameters
    ----------
    plant : Plant
        The sites.
    clock : Clock
        The present, when it is opened.
    interval_s : float
        Time between two pollings [s]; a step is the whole number of seconds not below it that divides a day.
    seed : int
        Seed of the world, 0 or more.
    asset_ids : collection of str, optional
        Assets that it reports and that obey; all by default.
    """

    def __init__(
        self, plant: Plant, clock: Clock, *, interval_s: float, seed: int = 0, asset_ids: Collection[str] | None = None
    ) -> None:
        self._plant = plant
        self._clock = clock
        self._seed = seed
        self._step_s = _step_for(interval_s)
        wanted = {asset.id for asset in plant.assets} if asset_ids is None else set(asset_ids)
        sites = {site.id for site in plant.sites}
        self.asset_ids = tuple(asset.id for asset in plant.assets if asset.id in wanted)
        self.controllable = tuple(
            asset.id
            for asset in plant.assets
            if asset.id in wanted and (isinstance(asset, Battery) or getattr(asset, "curtailable", False))
        )
        self._reported = wanted | sites
        self._set_points: dict[str, float] = {}
        self._free_kw: dict[str, float] = {}
        self._world: SimulatedPlant | None = None

    def open(self) -> None:
        """Begin the world of today."""
        self._world = self._new_world(self._clock.now())

    def poll(self, now: datetime) -> Readings | None:
        """Live through the steps that ended by now and return what was measured in them."""
        world = self._opened()
        parts: list[Readings] = []
        if (now - world.now).total_seconds() > self._step_s + _MOST_BEHIND_S:
            world = self._moved_to(now)
        while world.now + timedelta(seconds=self._step_s) <= now:
            if world.ended:
                world = self._moved_to(world.now)
            for asset_id, power_kw in self._set_points.items():
                start = world.now
                end = start + timedelta(seconds=self._step_s)
                world.execute(Command(f"{asset_id}-step", self._plant.id, asset_id, start, start, end, power_kw))
            parts.append(world.step().readings)
        return self._merged(parts)

    def apply(self, asset_id: str, power_kw: float) -> None:
        """Set the terminal power of a battery, or the cap of a generator, from the next step on [kW]."""
        if asset_id not in self.controllable:
            raise DriverError(
                "simulated", asset_id, f"takes no set-point; those that do: {', '.join(self.controllable)}"
            )
        self._set_points[asset_id] = power_kw

    def read_back(self, asset_id: str) -> float:
        """Return what an asset does under its set-point: what its state lets it [kW]."""
        set_kw = self._set_points.get(asset_id, 0.0)
        batteries = [battery.id for battery in self._plant.batteries]
        if asset_id not in batteries:
            return min(set_kw, self._free_kw.get(asset_id, set_kw))
        low, high = self._opened().stores.band_kw(duration_h=self._step_s / SECONDS_PER_HOUR)
        place = batteries.index(asset_id)
        return float(min(max(set_kw, low[place]), high[place]))

    def health(self) -> DriverHealth:
        """Return that a simulated world is well."""
        return DriverHealth(self._world is not None, "" if self._world is not None else "not begun yet")

    def close(self) -> None:
        """End the world."""
        self._world = None

    def _opened(self) -> SimulatedPlant:
        if self._world is None:
            raise DriverError("simulated", "poll", "not opened yet")
        return self._world

    def _new_world(self, moment: datetime) -> SimulatedPlant:
        day = floor_time(moment, SECONDS_PER_DAY)
        grid = TimeGrid(day, self._step_s, SECONDS_PER_DAY // self._step_s)
        world = SimulatedPlant(self._plant, grid, seed=self._seed)
        world.skip_to(floor_time(moment, self._step_s))
        return world

    def _moved_to(self, moment: datetime) -> SimulatedPlant:
        """Return the world at a later moment, its batteries as they were."""
        stores = self._opened().stores
        self._world = self._new_world(moment)
        self._world.stores = stores
        return self._world

    def _merged(self, parts: list[Readings]) -> Readings | None:
        if not parts:
            return None
        first = parts[0]
        if any(part.keys != first.keys for part in parts):
            raise InvalidInputError("keys", "other series", "the same series in every step")
        kept = np.array([key.source in self._reported for key in first.keys], dtype=bool)
        last = parts[-1]
        for row in range(len(last)):
            key = last.keys[int(last.series[row])]
            if key.metric == POWER_KW and key.source not in self._set_points:
                self._free_kw[key.source] = float(last.value[row])
        columns = {
            name: np.concatenate([getattr(part, name)[kept[part.series]] for part in parts])
            for name in ("series", "time_s", "issued_s", "arrived_s", "value", "quality")
        }
        return replace(first, **columns)


class ReplayDriver:
    """A recorded table, told again from its beginning: each polling gives the values that held then, stamped now.

    Parameters
    ----------
    plant : str
        Plant id.
    table : SeriesTable
        What was recorded; it begins anew after its end.
    sources : collection of str
        Assets and sites of which it tells.
    speed : float
        Seconds of data per second, above 0.
    clock : Clock
        The present, when it is opened.
    """

    controllable: tuple[str, ...] = ()

    def __init__(self, plant: str, table: SeriesTable, sources: Collection[str], *, speed: float, clock: Clock) -> None:
        columns = [i for i, key in enumerate(table.keys) if key.source in sources]
        if not columns or not table.grid.count:
            raise InvalidInputError(
                "replay", ", ".join(map(str, table.keys)) or "nothing", "a recording of these assets"
            )
        self._plant = plant
        self._clock = clock
        self._keys: tuple[SeriesKey, ...] = tuple(table.keys[i] for i in columns)
        self._value = table.value[:, columns]
        self._grid = table.grid
        self._speed = speed
        self._began: datetime | None = None
        self._told_s = -1
        self.asset_ids = tuple(dict.fromkeys(key.source for key in self._keys))

    def open(self) -> None:
        """Begin with the first row."""
        self._began = self._clock.now()

    def poll(self, now: datetime) -> Readings | None:
        """Return the values of the row that holds now; None within the same second."""
        if self._began is None:
            raise DriverError("replay", "poll", "not opened yet")
        at_s = epoch_s(now)
        if at_s <= self._told_s:
            return None
        self._told_s = at_s
        passed_s = max((now - self._began).total_seconds(), 0.0) * self._speed
        row = int(passed_s // self._grid.resolution_s) % self._grid.count
        times_s = np.array([at_s], dtype=np.int64)
        readings = Readings.from_table(self._plant, self._keys, times_s, self._value[row : row + 1], arrived_s=at_s)
        return readings if len(readings) else None

    def apply(self, asset_id: str, power_kw: float) -> None:
        """Refuse: the past obeys nobody."""
        raise DriverError("replay", asset_id, f"{power_kw:g} kW: a recording takes no set-point")

    def health(self) -> DriverHealth:
        """Return that a recording is well."""
        return DriverHealth(True)

    def close(self) -> None:
        """Nothing to let go of."""


def _step_for(interval_s: float) -> int:
    """Return the shortest whole seconds that divide a day and are no shorter than an interval.

    >>> _step_for(0.5), _step_for(5.0), _step_for(7.0)
    (1, 5, 8)
    """
    return next(step for step in range(max(ceil(interval_s), 1), SECONDS_PER_DAY) if SECONDS_PER_DAY % step == 0)


def plant_of(plant: Plant, nodes: Collection[str]) -> Plant:
    """Return the part of a plant that stands at some sites."""
    return replace(plant, sites=tuple(site for site in plant.sites if site.id in nodes))
