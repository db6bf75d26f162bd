"""``vpp produce``: a plant's record, a file, or a simulated world, told on a bus."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vpp.cli.shared import PlantArgument, error_console, load_valid, optional_time, print_json, print_note
from vpp.core.errors import InvalidInputError, UnknownNameError
from vpp.core.messages import KINDS

if TYPE_CHECKING:
    from datetime import datetime

    from vpp.core.ports import SeriesTable
    from vpp.runtime.producing import Produced

BusOption = Annotated[str, typer.Option(help="The bus, e.g. mqtt://host:1883 or kafka://host:9092.")]


def produce(
    plant: PlantArgument,
    bus: BusOption,
    source: Annotated[
        Path | None, typer.Option("--from", help="A .csv or .parquet file of readings; default: the plant's history.")
    ] = None,
    simulated: Annotated[bool, typer.Option("--simulated", help="A simulated world instead of a record.")] = False,
    speed: Annotated[
        float, typer.Option(min=0.0, help="Seconds of data per second of wall; 0: as fast as the bus takes it.")
    ] = 0.0,
    start: Annotated[str | None, typer.Option(help="Tell from here on, ISO 8601 with zone.")] = None,
    end: Annotated[str | None, typer.Option(help="Tell up to here (exclusive), ISO 8601 with zone.")] = None,
    now: Annotated[
        bool, typer.Option("--now", help="Tell it as if in the present: to end now at speed 0, else to begin now.")
    ] = False,
    kind: Annotated[
        list[str] | None, typer.Option(help=f"Only sources of this kind ({', '.join(KINDS)}); may be repeated.")
    ] = None,
    count: Annotated[int | None, typer.Option(min=1, help="Stop after so many messages.")] = None,
    steps: Annotated[int, typer.Option(min=1, help="Steps in one message.")] = 1,
    days: Annotated[int, typer.Option(min=1, help="How many days are simulated.")] = 1,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the simulated world.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was published as one JSON document.")] = False,
) -> None:
    """Publish readings on a bus, every asset as a source of its own that counts its messages.

    A step is told once it has ended. docs/streams.md has the addresses and the messages.
    """
    from vpp.runtime.clock import WallClock
    from vpp.runtime.producing import present_for
    from vpp.runtime.producing import produce as publish
    from vpp.runtime.producing_tables import open_target, part_of, recorded, simulated_world

    if simulated and source is not None:
        raise InvalidInputError("--simulated", str(source), "a simulated world or a file, not both")
    kinds = _kinds(kind)
    config = load_valid(plant)
    with error_console().status("reading"):
        table = (
            simulated_world(config, now=WallClock().now(), days=days, seed=seed)
            if simulated
            else recorded(config, source, on_note=print_note)
        )
    table = part_of(table, optional_time(start, field="--start"), optional_time(end, field="--end"))
    starting = present_for(table, WallClock().now(), speed=speed) if now else None
    with open_target(bus) as target, _bar(table, starting) as progress:
        produced = publish(
            table,
            config.plant,
            target,
            speed=speed,
            steps=steps,
            kinds=kinds,
            count=count,
            starting=starting,
            on_progress=progress,
        )
    _tell(produced, as_json=as_json)


def _kinds(asked: list[str] | None) -> tuple[str, ...]:
    for name in asked or ():
        if name not in KINDS:
            raise UnknownNameError("kind of source", name, KINDS)
    return tuple(asked or KINDS)


def _tell(produced: Produced, *, as_json: bool) -> None:
    if as_json:
        until = None if produced.until is None else produced.until.isoformat()
        print_json({"messages": produced.messages, "readings": produced.readings, "until": until})
        return
    typer.echo(f"published {produced.messages} messages with {produced.readings} readings", err=True)


@contextmanager
def _bar(table: SeriesTable, starting: datetime | None) -> Iterator[Callable[[Produced], None]]:
    """Yield what moves a bar on standard error, shown only where someone is looking."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    begin = table.grid.start if starting is None else starting
    length_s = float(table.grid.count * table.grid.resolution_s)
    console = error_console()
    bars = Progress(
        TextColumn("publishing"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"),
        TextColumn("{task.fields[messages]} messages"), TimeElapsedColumn(),
        console=console, transient=True, disable=not console.is_terminal,
    )  # fmt: skip
    task = bars.add_task("publishing", total=length_s, messages=0)

    def move(produced: Produced) -> None:
        done_s = 0.0 if produced.until is None else (produced.until - begin).total_seconds()
        bars.update(task, completed=done_s, messages=produced.messages)

    with bars:
        yield move
