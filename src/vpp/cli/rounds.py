"""What commands share that do something once or again and again: options, the cadence, a bar."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Self

import typer

from vpp.cli.shared import error_console
from vpp.core.errors import InvalidInputError, VppError
from vpp.core.time import parse_duration_s

if TYPE_CHECKING:
    from vpp.core.ports import Clock

StoreOption = Annotated[
    str | None, typer.Option(help="Where the plant's data are kept; default: <plant-id>.db beside the plant file.")
]
FolderOption = Annotated[
    Path | None, typer.Option(help="Folder of the fitted models; default: <plant-id>-models beside the plant file.")
]
DataOption = Annotated[
    Path | None, typer.Option(help="CSV or Parquet of readings to put into the store first; its end is then now.")
]
AtOption = Annotated[
    str | None, typer.Option(help="Moment of decision, ISO 8601 with zone; default: now, or the end of recorded data.")
]


def cadence_s(once: bool, every: str | None, *, default: str) -> int | None:
    """Return the cadence asked for [s], None for once."""
    if once and every is not None:
        raise InvalidInputError("--every", every, "not together with --once")
    return None if once else parse_duration_s(every or default, field="--every")


def whole_hours(text: str, *, field: str) -> int:
    """Return a duration of whole hours."""
    hours, rest = divmod(parse_duration_s(text, field=field), parse_duration_s("1h"))
    if rest:
        raise InvalidInputError(field, text, "whole hours, e.g. 30h")
    return hours


def run_rounds(
    action: Callable[[datetime], None], clock: Clock, every_s: int | None, *, until: datetime | None
) -> None:
    """Act once, or at every step of a cadence; then a round that fails is told and the next one is tried."""
    from vpp.runtime.cadence import repeat

    if every_s is None:
        action(clock.now())
    else:
        repeat(action, clock, every_s, until=until, on_fault=_tell)


def _tell(fault: VppError) -> None:
    typer.secho(f"vpp: {fault}", fg=typer.colors.RED, err=True)


class Bar:
    """One bar on standard error, only where someone is looking."""

    def __init__(self) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

        self._bars = Progress(
            TextColumn("{task.description:<32}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
            console=error_console(), transient=True,
        )  # fmt: skip
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def update(self, what: str, done: int, of: int) -> None:
        """Show what is done, and how much of it."""
        if self._task is None:
            self._task = self._bars.add_task(what, total=of)
        self._bars.update(self._task, description=what, completed=done, total=of)

    def clear(self) -> None:
        """Take the bar away before something else is printed."""
        if self._task is not None:
            self._bars.remove_task(self._task)
            self._task = None
