"""``vpp plan``: one plan from a plant file and a file of readings."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vpp.cli.shared import (
    JsonOption,
    PlantArgument,
    console,
    error_console,
    load_valid,
    optional_time,
    print_json,
    print_note,
    rounded,
    writable_target,
)
from vpp.core.time import parse_duration_s

if TYPE_CHECKING:
    from vpp.core.messages import Schedule
    from vpp.runtime.once import OncePlanned

SHOWN_STEPS = 48
MOST_COLUMNS = 3
"""Batteries shown one by one; of more, their total."""


def plan(
    plant: PlantArgument,
    data: Annotated[Path, typer.Option(help="CSV or Parquet: time, <asset-id>_kw, price_per_kwh, ...")],
    at: Annotated[
        str | None, typer.Option(help="Moment of decision, ISO 8601 with zone; default: after the last measurement.")
    ] = None,
    horizon: Annotated[
        str | None, typer.Option(help="How far to plan, e.g. 36h; default: as the plant file says.")
    ] = None,
    save: Annotated[
        Path | None, typer.Option(help="Save the whole decision to this file, for `vpp explain`, e.g. monday.vpp.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Make one plan from your own readings and say why each battery does what it does.

    Exit code 1 means that no feasible plan exists; the plan that breaks the limits least is shown with the conflict.
    """
    from vpp.runtime.once import plan_once

    config = load_valid(plant)
    if save is not None:
        writable_target(save, field="--save")
    ahead = None if horizon is None else timedelta(seconds=parse_duration_s(horizon, field="--horizon"))
    with error_console().status("planning"):
        planned = plan_once(config, data, at=optional_time(at, field="--at"), horizon=ahead)
        document = planned.document() if json else None
    for note in planned.notes:
        print_note(note)
    if save is not None:
        from vpp.runtime.bundles import save_plan

        typer.echo(f"saved {save} (sha256 {save_plan(planned, save)})", err=True)
    if document is not None:
        print_json(document)
    else:
        _print(planned)
    if not planned.schedule.usable:
        typer.secho(f"vpp: {planned.schedule.status}: {planned.schedule.message}", fg=typer.colors.RED, err=True)
        raise typer.Exit(1)


def _print(planned: OncePlanned) -> None:
    from rich.markup import escape
    from rich.table import Table

    schedule, setup = planned.schedule, planned.setup
    title = f"{setup.plant.name}: {schedule.status}"
    if schedule.objective is not None:
        title += f", {rounded(schedule.objective)} {setup.plant.currency} over {schedule.grid.count} steps"
    shown = schedule if schedule.usable or schedule.least_violation is None else schedule.least_violation
    if shown is not schedule:
        title += "; the plan that breaks the limits least:"
    table = Table(title=escape(title), caption=f"times on the clock of {setup.timezone.key}", caption_justify="left")
    table.add_column("time", no_wrap=True)
    for heading in ("import kW", "export kW"):
        table.add_column(heading, justify="right")
    single = len(shown.asset_ids) <= MOST_COLUMNS
    for name in shown.asset_ids if single else (f"{len(shown.asset_ids)} batteries",):
        table.add_column(f"{name} kW", justify="right")
        table.add_column("soc", justify="right")
        if single:
            table.add_column("why")
    steps = shown.grid.count if shown.import_kw.size else 0
    for step in range(min(steps, SHOWN_STEPS)):
        cells = [f"{shown.grid.time(step).astimezone(setup.timezone):%a %H:%M}"]
        cells += [rounded(shown.import_kw[step].sum()), rounded(shown.export_kw[step].sum())]
        table.add_row(*cells, *(_one_by_one(shown, step) if single else _together(planned, shown, step)))
    console().print(table)
    if steps > SHOWN_STEPS:
        console().print(f"{steps - SHOWN_STEPS} more steps; --json prints them all", style="dim")


def _one_by_one(shown: Schedule, step: int) -> list[str]:
    cells = []
    for column, asset in enumerate(shown.asset_ids):
        reason = shown.reason(asset, step).code.name.lower().replace("_", " ")
        cells += [rounded(shown.power_kw[step, column], sign=True), f"{shown.soc[step, column]:.0%}", reason]
    return cells


def _together(planned: OncePlanned, shown: Schedule, step: int) -> list[str]:
    capacity = [battery.capacity_kwh for battery in planned.problem.batteries]
    soc = float(shown.soc[step] @ capacity) / sum(capacity)
    return [rounded(shown.power_kw[step].sum(), sign=True), f"{soc:.0%}"]
