"""``vpp backtest``: forecast, plan, execute and score on recorded data, beside simpler strategies."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self

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
from vpp.runtime.names import STRATEGY_NAMES

if TYPE_CHECKING:
    from vpp.runtime.backtest import BacktestResult

USUAL = ("optimal", "feasible")
WITHOUT_DIGITS = 10_000
"""From this cost on a table shows no digits behind the point."""


def backtest(
    plant: PlantArgument,
    days: Annotated[int, typer.Option(min=1, help="Length of the window in local days.")] = 14,
    start: Annotated[str | None, typer.Option(help="First moment, ISO 8601 with zone; default: the last days.")] = None,
    data: Annotated[Path | None, typer.Option(help="CSV or Parquet of readings, instead of the plant's own.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write a self-contained report with plots to this file.")] = None,
    json: JsonOption = False,
) -> None:
    """Run the plan on recorded data and set its cost beside no battery, a rule, yesterday, and perfect foresight."""
    from vpp.runtime.backtest import backtest as run
    from vpp.runtime.build import read_history
    from vpp.runtime.setup import setup_of

    config = load_valid(plant)
    if html is not None:
        writable_target(html, field="--html")
    begin = optional_time(start, field="--start")
    table = None if data is None else read_history(config, setup_of(config), data, on_note=print_note)
    with _Progress() as progress:
        result = run(config, days=days, start=begin, table=table, progress=progress.update)
    if html is not None:
        from vpp.runtime.report import write_report

        write_report(result, html)
    if json:
        print_json(_document(result))
    else:
        _print_table(result)
        if html is not None:
            console().print(f"Report: {html}")


class _Progress:
    """One bar per strategy, on standard error, and only where someone is looking."""

    def __init__(self) -> None:
        from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

        self._bars = Progress(
            TextColumn("{task.description:<26}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"),
            TimeElapsedColumn(), console=error_console(), transient=True,
        )  # fmt: skip
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def update(self, strategy: str, share: float) -> None:
        """Show how far a strategy is, 0 to 1."""
        if strategy not in self._tasks:
            self._tasks[strategy] = self._bars.add_task(STRATEGY_NAMES.get(strategy, strategy), total=1.0)
        self._bars.update(self._tasks[strategy], completed=share)


def _document(result: BacktestResult) -> dict[str, Any]:
    from vpp.runtime.documents import moment, number

    return {
        "plant": result.plant,
        "start": moment(result.grid.start),
        "end": moment(result.grid.end),
        "currency": result.currency,
        "resolution_s": result.grid.resolution_s,
        "strategies": {
            name: {
                "cost": number(one.statement.cost),
                "energy_cost": number(one.statement.energy_cost),
                "imbalance_cost": number(one.statement.imbalance_cost),
                "wear_cost": number(one.statement.wear_cost),
                "terminal_value": number(one.statement.terminal_value),
                "share_of_perfect_foresight": None if one.share is None else number(one.share),
                "share_reason": one.share_reason,
                "plans": dict(one.plans),
            }
            for name, one in result.strategies.items()
        },
    }


def _print_table(result: BacktestResult) -> None:
    from rich.markup import escape
    from rich.table import Table

    days = (result.grid.end - result.grid.start).days
    span = f"{days} day{'s' if days > 1 else ''} from {result.grid.start:%Y-%m-%d %H:%M} UTC"
    table = Table(title=escape(f"{result.name}: {span}, in {result.currency}"))
    table.add_column("strategy")
    fees = any(one.statement.imbalance_cost for one in result.strategies.values())
    headings = ["cost", "energy", *(["fees"] if fees else []), "wear", "left", "share"]
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    digits = 0 if max(abs(one.statement.cost) for one in result.strategies.values()) >= WITHOUT_DIGITS else 2
    for name, one in result.strategies.items():
        money = one.statement
        cells = [money.cost, money.energy_cost, *([money.imbalance_cost] if fees else []), money.wear_cost]
        share = "-" if one.share is None else f"{one.share:.1%}"
        row = [rounded(cell, digits=digits) for cell in (*cells, -money.terminal_value)]
        table.add_row(STRATEGY_NAMES[name], *row, share, style="bold" if name == "plan" else "")
    console().print(table)
    for name, one in result.strategies.items():
        missed = {status: count for status, count in one.plans.items() if status not in USUAL}
        if missed:
            told = ", ".join(f"{count} {status.replace('_', ' ')}" for status, count in missed.items())
            console().print(f"{STRATEGY_NAMES[name]}: of {sum(one.plans.values())} plans {told}", style="yellow")
    console().print(
        "cost = energy bought - energy sold + fees for missing the position sold + wear\n"
        "       - value of the energy left in the batteries\n"
        "share = of what perfect foresight would save",
        style="dim",
    )
