"""``vpp explain``: prove a saved decision and say why it is as it is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vpp.cli.shared import JsonOption, console, error_console, optional_time, print_json, rounded

if TYPE_CHECKING:
    from vpp.runtime.bundles import Explained


def explain(
    bundle: Annotated[Path, typer.Argument(help="A file that `vpp plan --save` wrote.")],
    asset: Annotated[str | None, typer.Option(help="One asset; default: all.")] = None,
    at: Annotated[str | None, typer.Option(help="One step, ISO 8601 with zone; default: all.")] = None,
    json: JsonOption = False,
) -> None:
    """Check a saved decision, make its plan again, and say why each asset does what it does.

    Every step is told in words and figures, with what the alternative would have cost.
    Exit code 1 means that the plan made again is another one; a file that was damaged or edited is refused with 2.
    """
    from vpp.runtime.bundles import explain_bundle

    with error_console().status("solving again"):
        explained = explain_bundle(bundle, asset_id=asset, at=optional_time(at, field="--at"))
    if json:
        print_json(explained.document())
    else:
        _print(explained)
    if not explained.comparison.same:
        raise typer.Exit(1)


def _print(explained: Explained) -> None:
    from rich.markup import escape
    from rich.table import Table

    bundle, comparison = explained.bundle, explained.comparison
    schedule, currency = bundle.schedule, bundle.options.currency
    title = f"{schedule.plant}, decided {schedule.issued_at:%Y-%m-%d %H:%M} UTC: {schedule.status}"
    if schedule.objective is not None:
        title += f", {rounded(schedule.objective)} {currency} over {schedule.grid.count} steps"
    if explained.shown is not schedule:
        title += "; the plan that breaks the limits least:"
    clock = bundle.options.timezone
    table = Table(title=escape(title), caption=f"times on the clock of {clock}", caption_justify="left")
    for heading in ("time", "asset"):
        table.add_column(heading, no_wrap=True)
    for heading in ("kW", "instead kW", f"+ {currency}"):
        table.add_column(escape(heading), justify="right")
    table.add_column("why")
    for time, told in zip(explained.local_times, explained.explanations, strict=True):
        other, cost = told.reason.alternative_power_kw, told.reason.alternative_cost
        table.add_row(
            f"{time:%a %H:%M}",
            told.asset_id,
            rounded(told.power_kw, sign=True),
            "" if other is None else rounded(other, sign=True),
            "" if cost is None else rounded(cost),
            escape(told.words),
        )
    console().print(table)
    if schedule.message:
        console().print(escape(schedule.message))
    made_by = ", ".join(f"{name} {version}" for name, version in bundle.versions.items())
    console().print(f"made by {escape(made_by)}", style="dim")
    seal = f"every hash matches; compare this one with that shown when it was saved: sha256 {bundle.content_hash}"
    console().print(seal, soft_wrap=True)
    console().print(escape(comparison.words), style="green" if comparison.same else "red", soft_wrap=True)
