"""Commands: one step of a schedule, shared among its assets as set-points that expire with the step."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from vpp.core.assets import Battery, Plant
from vpp.core.messages import Command, Schedule
from vpp.dispatch.following import MeterStep, follow_by_rule, follow_by_value

Floats = NDArray[np.float64]


def commands_for_step(
    schedule: Schedule, step: int, *, plant: Plant, issued_at: datetime, meters: Sequence[MeterStep]
) -> list[Command]:
    """Return the commands of one step of a usable schedule.

    Parameters
    ----------
    schedule : Schedule
        The plan.
    step : int
        Which step, 0 to T - 1.
    plant : Plant
        For the batteries' facts.
    issued_at : datetime
        Moment of issue.
    meters : sequence of MeterStep, length S
        The sites' meters in this step, in the order of ``schedule.site_ids``.

    Returns
    -------
    list of Command
        One per battery, and one per curtailable generator of a site where the plan leaves generation unused.
    """
    start = schedule.grid.time(step)
    end = schedule.grid.time(step + 1)
    stem = f"{int(start.timestamp())}"
    commands = []
    for column, asset_id in enumerate(schedule.asset_ids):
        battery = plant.asset(asset_id)
        if not isinstance(battery, Battery):
            continue
        power_kw = float(schedule.power_kw[step, column])
        value = float(schedule.marginal_value_per_kwh[step, column])
        meter = meters[schedule.asset_site[column]]
        follows = (
            follow_by_rule(power_kw, meter) if np.isnan(value) else follow_by_value(battery, power_kw, value, meter)
        )
        commands.append(
            Command(
                id=f"{asset_id}-{stem}",
                plant=schedule.plant,
                asset_id=asset_id,
                issued_at=issued_at,
                start=start,
                end=end,
                power_kw=power_kw,
                grid_floor_kw=follows.floor_kw,
                grid_ceiling_kw=follows.ceiling_kw,
                may_reverse=follows.may_reverse,
            )
        )
    return commands + _curtailments(schedule, step, plant=plant, issued_at=issued_at)


def _curtailments(schedule: Schedule, step: int, *, plant: Plant, issued_at: datetime) -> list[Command]:
    """Command the curtailable generators of sites where the plan leaves generation unused.

    They keep the grid power from rising above the planned one, and make up what the load takes more than forecast.
    """
    start, end = schedule.grid.time(step), schedule.grid.time(step + 1)
    stem = f"{int(start.timestamp())}"
    commands = []
    for column, site_id in enumerate(schedule.site_ids):
        if float(schedule.curtailed_kw[step, column]) <= 0.0:
            continue
        grid_kw = float(schedule.export_kw[step, column] - schedule.import_kw[step, column])
        commands += [
            Command(
                id=f"{generator.id}-{stem}",
                plant=schedule.plant,
                asset_id=generator.id,
                issued_at=issued_at,
                start=start,
                end=end,
                power_kw=generator.peak_kw,
                grid_ceiling_kw=grid_kw,
            )
            for generator in plant.site(site_id).generators
            if generator.curtailable
        ]
    return commands
