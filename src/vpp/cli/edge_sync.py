"""``vpp edge sync``: bring what a gateway's buffer holds to the platform or into a table."""

from __future__ import annotations

import os
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vpp.cli.shared import JsonOption, error_console, print_json
from vpp.core.assets import check_slug
from vpp.core.errors import InvalidInputError

if TYPE_CHECKING:
    import threading

    from vpp.core.ports import Clock
    from vpp.runtime.syncing import InfluxSource, Syncing, SyncReport, SyncStatus

INCOMPLETE = 1
INFLUX_PROGRESS = "vpp-influxdb.sync"


def sync(
    buffer: Annotated[
        Path | None, typer.Option(help="The gateway's buffer, as `vpp edge run --buffer` made it.")
    ] = None,
    influxdb: Annotated[
        bool,
        typer.Option("--influxdb", help="Read InfluxDB in its place; INFLUXDB_URL, _TOKEN, _ORG, _BUCKET say where."),
    ] = False,
    plant: Annotated[str | None, typer.Option(help="With --influxdb: whose rows.")] = None,
    node: Annotated[str | None, typer.Option(help="With --influxdb: the node in whose name they are brought.")] = None,
    progress: Annotated[
        Path | None, typer.Option(help="Where progress is kept; beside the buffer, or vpp-influxdb.sync.")
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(
            help="A platform (http://127.0.0.1:8000, with VPP_TOKEN) or a table (postgrest+https://host/table, with "
            "SUPABASE_KEY); by default the project that SUPABASE_URL and SUPABASE_KEY name."
        ),
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="Bring what there is and end; the default.")] = False,
    continuous: Annotated[bool, typer.Option("--continuous", help="Bring what comes until stopped.")] = False,
    interval: Annotated[float, typer.Option(min=0.1, help="With --continuous: seconds between passes.")] = 60.0,
    status: Annotated[
        bool, typer.Option("--status", help="Tell how far the target has come, and bring nothing.")
    ] = False,
    verify: Annotated[
        bool, typer.Option("--verify", help="Read a table back and compare it row by row with the buffer.")
    ] = False,
    batch: Annotated[
        int | None, typer.Option(min=1, max=100_000, help="Rows at a time; SYNC_BATCH_SIZE or 500 by default.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Bring what a gateway measured to the platform, or into a PostgREST or Supabase table.

    It goes on where it ended, whatever happened between: nothing is lost, and nothing is there twice. Rows that the
    target will not take are set aside and named, and the exit code is 1.
    """
    from vpp.runtime.clock import WallClock
    from vpp.runtime.ingestion.running import until_asked_to_stop
    from vpp.runtime.syncing import Source, Syncing, buffer_source

    source: Source
    if influxdb == (buffer is not None):
        raise InvalidInputError("--buffer, --influxdb", "both" if influxdb else "neither", "one of them")
    if sum((once, continuous, status, verify)) > 1:
        raise InvalidInputError("--once, --continuous, --status, --verify", "several", "one of them")
    with until_asked_to_stop() as stopping:
        clock = WallClock()
        if buffer is not None:
            source, kept = buffer_source(buffer)
        else:
            source, kept = _influx(plant, node, clock), Path(INFLUX_PROGRESS)
        with closing(source):
            syncing = Syncing(
                source,
                progress or kept,
                target,
                environment=os.environ,
                clock=clock,
                batch=batch,
                stopping=stopping,
            )
            with closing(syncing):
                if status:
                    _tell_status(syncing, as_json=as_json)
                elif verify:
                    _verify(syncing, as_json=as_json)
                elif continuous:
                    syncing.service.run(interval, stopping, on_pass=lambda report: _tell_pass(report, as_json=as_json))
                else:
                    _once(syncing, stopping, as_json=as_json)


def _influx(plant: str | None, node: str | None, clock: Clock) -> InfluxSource:
    from vpp.runtime.syncing import influx_source

    if not plant or not node:
        raise InvalidInputError("--plant, --node", (plant, node), "both, for InfluxDB does not tell them apart")
    return influx_source(
        os.environ, plant=check_slug(plant, field="--plant"), node=check_slug(node, field="--node"), clock=clock
    )


def _once(syncing: Syncing, stopping: threading.Event, *, as_json: bool) -> None:
    with error_console().status("reading the buffer") as line:
        report = syncing.service.once(
            stopping=stopping, on_batch=lambda so_far: line.update(f"{so_far.rows:,} rows brought")
        )
    if as_json:
        print_json(_document(report))
    else:
        typer.echo(_words(report))
    if report.aside:
        for words in syncing.aside(most=5):
            typer.secho(words, fg=typer.colors.YELLOW, err=True)
        raise typer.Exit(INCOMPLETE)


def _tell_pass(report: SyncReport, *, as_json: bool) -> None:
    if as_json:
        print_json(_document(report))
    elif report.messages:
        typer.echo(_words(report))


def _tell_status(syncing: Syncing, *, as_json: bool) -> None:
    found = syncing.status()
    if as_json:
        print_json({"target": syncing.target.name, **_status_document(found), "set_aside": syncing.aside()})
        return
    standing = found.standing
    typer.echo(f"plant {found.plant}, target {syncing.target.name}")
    moved = "never yet" if standing.moved_at is None else f"last at {standing.moved_at:%Y-%m-%d %H:%M:%S} UTC"
    waiting = "" if found.waiting is None else f"; {found.waiting:,} messages wait"
    typer.echo(f"{standing.rows:,} rows brought, {moved}{waiting}")
    if found.remote_rows is not None:
        typer.echo(f"{found.remote_rows:,} rows of the plant in the table")
    if standing.aside:
        typer.secho(f"{standing.aside:,} set aside:", fg=typer.colors.YELLOW)
        for words in syncing.aside(most=5):
            typer.echo(f"  {words}")


def _verify(syncing: Syncing, *, as_json: bool) -> None:
    found = syncing.verify()
    if as_json:
        print_json(found._asdict())
    else:
        typer.echo(f"lost {found.lost}, twice {found.twice}, altered {found.altered}")
    if any(found):
        raise typer.Exit(INCOMPLETE)


def _words(report: SyncReport) -> str:
    aside = f", {report.aside:,} set aside" if report.aside else ""
    return f"{report.messages:,} messages with {report.rows:,} rows brought{aside}; position {report.standing.position}"


def _document(report: SyncReport) -> dict[str, Any]:
    return {
        "messages": report.messages,
        "rows": report.rows,
        "aside": report.aside,
        "position": report.standing.position,
    }


def _status_document(found: SyncStatus) -> dict[str, Any]:
    document = asdict(found)
    moved_at = found.standing.moved_at
    document["standing"]["moved_at"] = None if moved_at is None else moved_at.isoformat()
    return document
