"""``vpp simulate``: a plant that is not there, from weather to meter."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self

import typer

from vpp.cli.shared import PlantArgument, error_console, load_valid, print_note, writable_target
from vpp.core.errors import InvalidInputError
from vpp.core.time import parse_duration_s, parse_time

if TYPE_CHECKING:
    from datetime import datetime

    from vpp.runtime.simulation import PlantSimulation
    from vpp.runtime.simulation_bus import SimulationPublisher

DEFAULT_INTERVAL = "5s"
DEFAULT_SCHEDULE = "15min"


def simulate(
    plant: PlantArgument,
    once: Annotated[bool, typer.Option("--once", help="Tell the present step once; the default.")] = False,
    continuous: Annotated[bool, typer.Option("--continuous", help="Tell it again after every interval.")] = False,
    scheduled: Annotated[
        bool, typer.Option("--scheduled", help="Tell it on every multiple of the interval on the clock (UTC).")
    ] = False,
    historical: Annotated[
        bool, typer.Option("--historical", help="Tell the whole span from --start to --end.")
    ] = False,
    interval: Annotated[
        str | None, typer.Option(help="Time between two tellings, e.g. 5s or 15min; default 5s, scheduled 15min.")
    ] = None,
    count: Annotated[
        int | None, typer.Option(min=1, help="Stop after so many tellings; without it Ctrl-C stops.")
    ] = None,
    start: Annotated[str | None, typer.Option(help="First moment of the span, ISO 8601 with zone.")] = None,
    end: Annotated[str | None, typer.Option(help="End of the span (exclusive), ISO 8601 with zone.")] = None,
    output: Annotated[
        Path | None, typer.Option(help="Write the span to this .jsonl, .csv or .parquet file, not to standard output.")
    ] = None,
    resolution: Annotated[
        str | None, typer.Option(help="Length of a step, 1s to 1h; default: as planned, or as the interval asks.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same plant; another seed, another one.")] = 0,
    fleet: Annotated[
        int | None, typer.Option(min=1, help="So many homes around the plant's place instead, to a .parquet file.")
    ] = None,
    bus: Annotated[
        str | None, typer.Option(help="Publish to this bus too, e.g. mqtt://host:1883 or kafka://host:9092.")
    ] = None,
) -> None:
    """Simulate a plant: weather, generation, loads, batteries, prices, meters.

    One JSON record per site and time on standard output; docs/simulation.md says what is in it, and in which signs.
    """
    from vpp.runtime.simulation import PlantSimulation

    mode = _mode(once=once, continuous=continuous, scheduled=scheduled, historical=historical)
    _check_options(mode, interval=interval, count=count, start=start, end=end, output=output, fleet=fleet, bus=bus)
    config = load_valid(plant)
    step_s = None if resolution is None else parse_duration_s(resolution, field="--resolution")
    if mode in ("continuous", "scheduled"):
        words = interval or (DEFAULT_INTERVAL if mode == "continuous" else DEFAULT_SCHEDULE)
        _stream(config, words, aligned=mode == "scheduled", count=count, seed=seed, step_s=step_s, bus=bus)
        return
    simulation = PlantSimulation(config, seed=seed, resolution_s=step_s)
    _note_place(simulation)
    if mode == "once":
        _once(simulation, bus)
    elif fleet is not None and output is not None:
        _fleet(simulation, fleet, *_span(start, end), output)
    else:
        _historical(simulation, *_span(start, end), output)


def _mode(**asked: bool) -> str:
    chosen = [name for name, wanted in asked.items() if wanted]
    if len(chosen) > 1:
        given = ", ".join(f"--{name}" for name in chosen)
        raise InvalidInputError("mode", given, "one of --once, --continuous, --scheduled, --historical")
    return chosen[0] if chosen else "once"


def _check_options(mode: str, **given: Any) -> None:
    """Refuse what a mode would not look at."""
    takes = {
        "interval": ("continuous", "scheduled"),
        "count": ("continuous", "scheduled"),
        "bus": ("once", "continuous", "scheduled"),
        "start": ("historical",),
        "end": ("historical",),
        "output": ("historical",),
        "fleet": ("historical",),
    }
    for name, modes in takes.items():
        if given[name] is not None and mode not in modes:
            wanted = " or ".join(f"--{one}" for one in modes)
            raise InvalidInputError(f"--{name}", given[name], f"to stand with {wanted}")
    if mode == "historical":
        for name in ("start", "end"):
            if given[name] is None:
                raise InvalidInputError(f"--{name}", None, "an ISO 8601 time with a zone, e.g. 2024-06-01T00:00Z")
        if given["fleet"] is not None and given["output"] is None:
            raise InvalidInputError("--output", None, "a .parquet file for the fleet")


def _span(start: str | None, end: str | None) -> tuple[datetime, datetime]:
    return parse_time(start or "", field="--start"), parse_time(end or "", field="--end")


def _note_place(simulation: PlantSimulation) -> None:
    plant = simulation.setup.plant
    if plant.latitude_deg is None:
        print_note(f"the plant file states no latitude and longitude; 50 degrees north in {plant.timezone} is taken")


def _once(simulation: PlantSimulation, bus: str | None) -> None:
    from vpp.runtime.clock import WallClock

    now = WallClock().now()
    with error_console().status("simulating"):
        told = simulation.at(now)
    with _opened(bus, simulation) as publisher:
        _tell(simulation, told, publisher)


def _stream(
    config: Any, interval: str, *, aligned: bool, count: int | None, seed: int, step_s: int | None, bus: str | None
) -> None:
    from vpp.runtime.clock import WallClock
    from vpp.runtime.simulation import PlantSimulation
    from vpp.runtime.simulation_stream import resolution_for, stream

    interval_s = parse_duration_s(interval, field="--interval")
    simulation = PlantSimulation(config, seed=seed, resolution_s=step_s or resolution_for(interval_s))
    _note_place(simulation)
    with _opened(bus, simulation) as publisher:
        for told in stream(simulation, WallClock(), interval_s=interval_s, aligned=aligned, count=count):
            _tell(simulation, told, publisher)


@contextmanager
def _opened(url: str | None, simulation: PlantSimulation) -> Iterator[SimulationPublisher | None]:
    """Yield what publishes to a bus, or None where none is asked for."""
    if url is None:
        yield None
        return
    from vpp.runtime.simulation_bus import SimulationPublisher

    with closing(SimulationPublisher(url, simulation.setup.plant.id)) as publisher:
        yield publisher


def _tell(simulation: PlantSimulation, records: list[dict[str, Any]], publisher: SimulationPublisher | None) -> None:
    import json

    for record in records:
        typer.echo(json.dumps(record, separators=(",", ":"), allow_nan=False))
    if publisher is not None:
        from vpp.core.time import epoch_s

        stamp_s = epoch_s(parse_time(records[0]["timestamp"]))
        count = publisher.publish(records, issued_s=stamp_s + simulation.resolution_s)
        typer.echo(f"published {count} readings", err=True)


def _historical(simulation: PlantSimulation, start: datetime, end: datetime, output: Path | None) -> None:
    from vpp.runtime.simulation_files import check_suffix, json_lines, write_records

    if output is not None:
        writable_target(check_suffix(output), field="--output")
    with error_console().status("simulating"):
        tables = simulation.columns(simulation.run(start, end))
    if output is None:
        for line in json_lines(tables):
            typer.echo(line)
        return
    with _Progress("writing") as progress:
        rows = write_records(tables, output, progress=progress.update)
    typer.echo(f"wrote {rows} records to {output}", err=True)


def _fleet(simulation: PlantSimulation, homes: int, start: datetime, end: datetime, output: Path) -> None:
    from vpp.runtime.simulation_files import check_suffix, write_fleet
    from vpp.runtime.simulation_fleet import fleet_of

    writable_target(check_suffix(output, known=(".parquet",)), field="--output")
    chunks = fleet_of(simulation, homes, start, end)
    with _Progress("homes") as progress:
        rows = write_fleet(chunks, output, homes=homes, progress=progress.update)
    typer.echo(f"wrote {rows} rows of {homes} homes to {output}", err=True)


class _Progress:
    """A bar on standard error, and only where someone is looking."""

    def __init__(self, what: str) -> None:
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        console = error_console()
        self._bars = Progress(
            TextColumn(f"{what:<10}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"), TimeElapsedColumn(),
            console=console, transient=True, disable=not console.is_terminal,
        )  # fmt: skip
        self._task = self._bars.add_task(what, total=None)

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def update(self, done: int, everything: int) -> None:
        self._bars.update(self._task, completed=done, total=everything)
