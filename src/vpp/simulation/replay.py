"""A plant replayed from measurements: recorded loads and generation, simulated batteries, the ``Device`` port.

What was recorded is the outside world: it happens whatever is commanded. The batteries are simulated on top of it.
Invariant: a step is reported only after it has ended, and its commands are those that named it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from vpp.core.assets import Battery, Plant
from vpp.core.errors import InvalidInputError
from vpp.core.messages import POWER_KW, SOC, Ack, AckStatus, Command, Readings, SeriesKey
from vpp.core.ports import SeriesTable
from vpp.core.series import fill_short_gaps
from vpp.core.time import epoch_s
from vpp.core.units import SECONDS_PER_DAY
from vpp.simulation.sites import SetPoints, SiteBank, SitesStep

Floats = NDArray[np.float64]
_OBEYED_KW = 1e-6


class ReplayedPlant:
    """A ``Device`` that is the whole plant.

    Parameters
    ----------
    plant : Plant
        Its sites.
    recorded : SeriesTable
        Power of every asset but the batteries [kW], positive toward the grid. Steps that were not recorded (NaN) are
        bridged for the physics and not reported.
    soc_initial : mapping of str to float, optional
        State of charge of the batteries at the start; by default as the plant states it.

    Raises
    ------
    InvalidInputError
        When an asset has no recording, or a gap is longer than a day.
    """

    def __init__(self, plant: Plant, recorded: SeriesTable, *, soc_initial: Mapping[str, float] | None = None) -> None:
        self.plant = plant
        self.asset_ids = tuple(asset.id for asset in plant.assets)
        self._grid = recorded.grid
        self._bank = SiteBank(plant)
        self._points: dict[int, list[Command]] = {}
        self._done = 0
        self._sources = tuple(a for a in plant.assets if not isinstance(a, Battery))
        measured = np.column_stack([_column(recorded, asset.id) for asset in self._sources]) if self._sources else None
        self._measured = np.empty((recorded.grid.count, 0)) if measured is None else measured
        self._true = _bridged(self._measured, recorded)
        self._site_of = np.array(
            [plant.sites.index(plant.site_of(asset.id)) for asset in self._sources], dtype=np.int64
        )
        self._curtailable = np.array([getattr(asset, "curtailable", False) for asset in self._sources], dtype=bool)
        self._fixed_kw = self._site_sum(self._true[:, ~self._curtailable], self._site_of[~self._curtailable])
        start = soc_initial or {}
        capacity = np.array([battery.capacity_kwh for battery in plant.batteries])
        self._capacity_kwh = capacity
        self.energy_kwh = capacity * np.array([start.get(b.id, b.soc_initial) for b in plant.batteries])
        self._battery_index = {battery.id: i for i, battery in enumerate(plant.batteries)}
        self._keys = (
            *(SeriesKey(asset.id, POWER_KW) for asset in self._sources),
            *(SeriesKey(battery.id, POWER_KW) for battery in plant.batteries),
            *(SeriesKey(battery.id, SOC) for battery in plant.batteries),
            *(SeriesKey(site.id, POWER_KW) for site in plant.sites),
        )

    def execute(self, command: Command) -> None:
        """Take a command for the step it names; a later command for the same asset and step replaces it."""
        self._points.setdefault(epoch_s(command.start), []).append(command)

    def poll(self, now: datetime) -> tuple[Readings | None, Sequence[Ack]]:
        """Return the readings of steps that ended by ``now`` and were not reported, and the answers to their commands.

        State of charge is that at the end of the step it is stamped with.
        """
        ended = min((epoch_s(now) - self._grid.start_s) // self._grid.resolution_s, self._grid.count)
        if ended <= self._done:
            return None, []
        rows, acks = [], []
        first = self._done
        for index in range(first, ended):
            row, answers = self._step(index, now)
            rows.append(row)
            acks += answers
        self._done = ended
        times_s = self._grid.start_s + self._grid.resolution_s * np.arange(first, ended, dtype=np.int64)
        readings = Readings.from_table(
            self.plant.id, self._keys, times_s, np.array(rows), arrived_s=times_s + self._grid.resolution_s
        )
        return readings, acks

    def _step(self, index: int, now: datetime) -> tuple[Floats, list[Ack]]:
        commands = self._points.pop(self._grid.start_s + index * self._grid.resolution_s, [])
        points, caps_kw = self._set_points(commands)
        free = self._curtailable
        capped = np.minimum(self._true[index, free], caps_kw[free])
        made_by_site = self._site_sum(capped[None, :], self._site_of[free])[0]
        done = self._bank.step(
            self.energy_kwh,
            points,
            fixed_kw=self._fixed_kw[index],
            curtailable_kw=made_by_site,
            duration_h=self._grid.duration_h,
        )
        self.energy_kwh = done.energy_kwh
        kept = np.divide(
            made_by_site - done.curtailed_kw, made_by_site, out=np.ones_like(made_by_site), where=made_by_site > 0.0
        )
        sources = self._measured[index].copy()
        sources[free] = np.where(np.isnan(sources[free]), np.nan, capped * kept[self._site_of[free]])
        row = np.concatenate((sources, done.battery_kw, done.energy_kwh / self._capacity_kwh, done.grid_kw))
        return row, self._answers(commands, done, sources, now)

    def _set_points(self, commands: Sequence[Command]) -> tuple[SetPoints, Floats]:
        """Return what batteries and meters were told, and the cap of every recorded asset [kW]."""
        points = SetPoints.idle(batteries=len(self._battery_index), sites=len(self.plant.sites))
        caps_kw = np.full(len(self._sources), np.inf)
        for command in commands:
            i = self._battery_index.get(command.asset_id)
            if i is not None:
                points.battery_kw[i] = command.power_kw
                points.floor_kw[i] = -np.inf if command.grid_floor_kw is None else command.grid_floor_kw
                points.ceiling_kw[i] = np.inf if command.grid_ceiling_kw is None else command.grid_ceiling_kw
                points.may_reverse[i] = command.may_reverse
            elif (source := self._obeying(command.asset_id)) is not None:
                caps_kw[source] = max(command.power_kw, 0.0)
                if command.grid_ceiling_kw is not None:
                    points.generation_ceiling_kw[self._site_of[source]] = command.grid_ceiling_kw
        return points, caps_kw

    def _obeying(self, asset_id: str) -> int | None:
        """Return the index of a curtailable generator; None for an asset that takes no commands."""
        index = next((i for i, asset in enumerate(self._sources) if asset.id == asset_id), None)
        return index if index is not None and self._curtailable[index] else None

    def _answers(self, commands: Sequence[Command], done: SitesStep, sources: Floats, now: datetime) -> list[Ack]:
        answers = []
        for command in commands:
            i = self._battery_index.get(command.asset_id)
            source = self._obeying(command.asset_id)
            if i is not None:
                answers.append(battery_answer(command, float(done.battery_kw[i]), now))
            elif source is not None:
                measured = None if np.isnan(sources[source]) else float(sources[source])
                answers.append(Ack(command.id, command.plant, command.asset_id, now, AckStatus.EXECUTED, measured))
            else:
                why = f"{command.asset_id} takes no commands"
                answers.append(Ack(command.id, command.plant, command.asset_id, now, AckStatus.REFUSED, None, why))
        return answers

    def _site_sum(self, columns: Floats, sites: NDArray[np.int64]) -> Floats:
        total = np.zeros((columns.shape[0], len(self.plant.sites)))
        for column, site in enumerate(sites):
            total[:, site] += columns[:, column]
        return total


def battery_answer(command: Command, power_kw: float, now: datetime) -> Ack:
    """Return what a battery answers that was told one power and held another."""
    follows = command.grid_floor_kw is not None or command.grid_ceiling_kw is not None
    if follows or abs(power_kw - command.power_kw) <= _OBEYED_KW:
        return Ack(command.id, command.plant, command.asset_id, now, AckStatus.EXECUTED, power_kw)
    why = f"asked for {command.power_kw:.3f} kW, a limit left {power_kw:.3f} kW"
    return Ack(command.id, command.plant, command.asset_id, now, AckStatus.LIMITED, power_kw, why)


def _column(recorded: SeriesTable, asset_id: str) -> Floats:
    key = SeriesKey(asset_id, POWER_KW)
    if key not in recorded.keys:
        raise InvalidInputError("recorded", asset_id, f"a recording of {key}")
    return recorded.column(key)


def _bridged(measured: Floats, recorded: SeriesTable) -> Floats:
    """Return the recordings without gaps; the physics needs a value in every step."""
    longest = SECONDS_PER_DAY // recorded.grid.resolution_s
    filled = np.empty_like(measured)
    for column in range(measured.shape[1]):
        bridged, _ = fill_short_gaps(measured[:, column], longest=longest)
        if np.isnan(bridged).any():
            first = recorded.grid.time(int(np.flatnonzero(np.isnan(bridged))[0]))
            raise InvalidInputError("recorded", first.isoformat(), "recordings without gaps longer than a day")
        filled[:, column] = bridged
    return filled
