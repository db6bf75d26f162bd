"""Dispatching: the step of the schedule that begins now -> commands to devices -> their proof in the store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

import numpy as np

from vpp.core.messages import Ack, Command, Schedule
from vpp.core.ports import Device, Store
from vpp.dispatch.commands import commands_for_step
from vpp.dispatch.following import MeterStep
from vpp.dispatch.tracking import CommandTracker
from vpp.optimization.problem import PlanProblem
from vpp.runtime.planning import Issued
from vpp.runtime.setup import Setup


class DispatchService:
    """Sends the commands of each step and tracks them to their answers.

    Parameters
    ----------
    setup : Setup
        The plant; nothing is sent while its ``control`` is false.
    devices : sequence of Device
        Who obeys. A command for an asset of none of them is kept to be read, and expires unanswered.
    store : Store
        Commands are kept before they are sent, answers when they come.
    follow_meter : bool
        False sends bare set-points, without leave to follow the meter.
    """

    def __init__(self, setup: Setup, devices: Sequence[Device], store: Store, *, follow_meter: bool = True) -> None:
        self._setup = setup
        self._store = store
        self._follow_meter = follow_meter
        self._device: Mapping[str, Device] = {asset: device for device in devices for asset in device.asset_ids}
        self._batteries = frozenset(battery.id for battery in setup.plant.batteries)
        self.tracker = CommandTracker()

    def run(self, now: datetime, plan: Issued | None) -> list[Command]:
        """Send the commands of the step that begins at ``now``; return them."""
        if not self._setup.control or plan is None or not plan.schedule.usable:
            return []
        schedule, problem = plan.schedule, plan.problem
        if not schedule.grid.start <= now < schedule.grid.end:
            return []
        step = schedule.grid.index(now)
        commands = commands_for_step(
            schedule, step, plant=self._setup.plant, issued_at=now, meters=meters_of(schedule, problem, step)
        )
        if not self._follow_meter:
            commands = [_bare(command) if command.asset_id in self._batteries else command for command in commands]
        self._store.write_commands(commands)
        self.tracker.sent(commands)
        for command in commands:
            if command.asset_id in self._device:
                self._device[command.asset_id].execute(command)
        return commands

    def take(self, acks: Sequence[Ack], now: datetime) -> list[Ack]:
        """Keep the answers that close a command, and the expiry of those that got none."""
        closed = self.tracker.answered(acks, now=now)
        if closed:
            self._store.write_acks(closed)
        return closed


def meters_of(schedule: Schedule, problem: PlanProblem, step: int) -> list[MeterStep]:
    """Return each site's meter in a step as planned, with its prices."""
    return [
        MeterStep(
            grid_kw=float(schedule.export_kw[step, site] - schedule.import_kw[step, site]),
            import_price_per_kwh=float(problem.import_price_per_kwh[step, site]),
            export_price_per_kwh=float(problem.export_price_per_kwh[step, site]),
            imbalance_spread_per_kwh=(
                problem.imbalance_spread_per_kwh if np.isfinite(problem.committed_kw[step, site]) else 0.0
            ),
        )
        for site in range(len(schedule.site_ids))
    ]


def _bare(command: Command) -> Command:
    return replace(command, grid_floor_kw=None, grid_ceiling_kw=None, may_reverse=False)
