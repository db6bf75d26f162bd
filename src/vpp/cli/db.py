"""``vpp db``: the care of a store. Each command opens it by its URL, does one thing, and says what it did."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vpp.cli.shared import JsonOption, console, error_console, optional_time, print_json, writable_target

if TYPE_CHECKING:
    from vpp.runtime.keeping import Health

Progress = Callable[[str, int, int], None]

StoreOption = Annotated[
    str,
    typer.Option(
        "--store", envvar="VPP_STORE", help="sqlite:///plant.db or postgresql://user:password@host:5432/database."
    ),
]
BackupArgument = Annotated[Path, typer.Argument(help="The copy; its note stands beside it under the name + .json.")]
PlantOption = Annotated[str | None, typer.Option(help="Readings of one plant.")]

app = typer.Typer(
    help="Care for a store: upgrade, check, backup, restore, retain, refresh, export, import.", no_args_is_help=True
)


@app.command()
def upgrade(
    store: StoreOption,
    timescale: Annotated[
        bool, typer.Option("--timescale", help="In a new database: install TimescaleDB and make a hypertable.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Bring the store to the newest schema. A step that was broken off is taken up again."""
    from vpp.runtime import keeping

    with _bar() as progress:
        done = asdict(keeping.upgrade(store, with_timescale=timescale, progress=progress))
    if json:
        print_json(done)
        return
    before = done["before"] or "nothing"
    typer.echo(f"schema {done['version']}" + ("" if before == done["version"] else f", before: {before}"))
    if done["timescale"]["version"] is not None:
        console().print(_timescale_table(done["timescale"]))


@app.command()
def check(
    store: StoreOption,
    sample: Annotated[int, typer.Option(min=0, help="Days of series to compare with their readings.")] = 200,
    seed: Annotated[int, typer.Option(min=0, help="Of the sample.")] = 0,
    json: JsonOption = False,
) -> None:
    """Check that what is kept is whole; exit with 1 when it is not. Nothing is changed."""
    from vpp.runtime import keeping

    with _bar() as progress:
        health = keeping.check(store, sample=sample, seed=seed, progress=progress)
    if json:
        print_json(_health_document(health))
    else:
        _print_health(health)
    if not health.ok:
        raise typer.Exit(1)


@app.command()
def backup(copy: BackupArgument, store: StoreOption, json: JsonOption = False) -> None:
    """Copy the store as it is at one moment, while others write. Nothing is overwritten."""
    from vpp.runtime import keeping
    from vpp.runtime.clock import WallClock

    writable_target(copy, field="copy")
    with _bar() as progress:
        note = keeping.back_up(store, copy, now=WallClock().now(), progress=progress)
    _print_note(copy, asdict(note), json=json)


@app.command()
def restore(copy: BackupArgument, store: StoreOption, json: JsonOption = False) -> None:
    """Make a store of a copy, where there is none yet, after its checksum was compared; then count its rows."""
    from vpp.runtime import keeping

    with _bar() as progress:
        note = keeping.restore(copy, store, progress=progress)
    _print_note(copy, asdict(note), json=json)


@app.command()
def retain(
    store: StoreOption,
    days: Annotated[int, typer.Option(min=1, help="Whole days of readings to keep, before today (UTC).")],
    yes: Annotated[bool, typer.Option("--yes", help="Drop them; without it, only say what would be dropped.")] = False,
    json: JsonOption = False,
) -> None:
    """Drop readings that are older, after they were rolled up; the roll-ups stay. What is dropped is gone."""
    from vpp.runtime import keeping
    from vpp.runtime.clock import WallClock

    cut = keeping.what_is_old(store, days, now=WallClock().now())
    told: dict[str, Any] = {"before": cut.before.isoformat(), "rows": cut.rows, "dropped": yes}
    if yes:
        with _bar() as progress:
            done = keeping.retain(store, cut, progress=progress)
        told |= {"parts": done.parts, "rows_deleted": done.rows}
    if json:
        print_json(told)
    elif yes:
        typer.echo(f"dropped {cut.rows:,} readings before {cut.before:%Y-%m-%d} UTC; their roll-ups stay")
    else:
        typer.echo(f"{cut.rows:,} readings before {cut.before:%Y-%m-%d} UTC would be dropped; say --yes to drop them")


@app.command()
def refresh(
    store: StoreOption,
    everything: Annotated[bool, typer.Option("--all", help="Make all roll-ups anew from the readings.")] = False,
    json: JsonOption = False,
) -> None:
    """Bring the roll-ups up to date. Answers are right without it; with it they come faster."""
    from vpp.runtime import keeping

    with _bar() as progress:
        hours = keeping.refresh(store, everything=everything, progress=progress)
    if json:
        print_json({"hours": hours})
    else:
        typer.echo(f"rolled up {hours:,} hours of series")


@app.command("export")
def export_file(
    path: Annotated[Path, typer.Argument(help="File to write: .csv, .jsonl or .parquet.")],
    store: StoreOption,
    plant: PlantOption = None,
    start: Annotated[str | None, typer.Option("--from", help="First moment, ISO 8601 with a zone.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="Last moment (exclusive), ISO 8601 with a zone.")] = None,
    json: JsonOption = False,
) -> None:
    """Write readings to a file: every revision, with its three times and its quality flags."""
    from vpp.runtime import keeping

    writable_target(path, field="path")
    choice = keeping.choice_of(plant, optional_time(start, field="--from"), optional_time(end, field="--to"))
    with _bar() as progress:
        rows = keeping.export_rows(store, path, choice, progress=progress)
    if json:
        print_json({"path": str(path), "rows": rows})
    else:
        typer.echo(f"wrote {rows:,} rows to {path}")


@app.command("import")
def import_file(
    path: Annotated[Path, typer.Argument(help="File to read: .csv, .jsonl or .parquet.")],
    store: StoreOption,
    plant: Annotated[str | None, typer.Option(help="Plant of all rows, where the file does not say it.")] = None,
    arrived: Annotated[
        str | None, typer.Option(help="When the rows arrived, where the file does not say it; default: now.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Keep the readings of a file. All of it is checked before the first row is kept; the same again adds nothing."""
    from vpp.runtime import keeping
    from vpp.runtime.clock import WallClock

    arrived_at = optional_time(arrived, field="--arrived") or WallClock().now()
    with _bar() as progress:
        done = keeping.import_file(store, path, plant=plant, now=arrived_at, progress=progress)
    if json:
        print_json(asdict(done))
    else:
        typer.echo(f"kept {done.new:,} new of {done.rows:,} rows of {path}")


@contextmanager
def _bar() -> Iterator[Progress]:
    """Show how far a command is on standard error, and only where someone is looking."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    errors = error_console()
    bars = Progress(
        TextColumn("{task.description:<12}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        console=errors, transient=True, disable=not errors.is_terminal,
    )  # fmt: skip
    with bars:
        task = bars.add_task("opening", total=None)
        yield lambda what, done, total: bars.update(task, description=what, completed=done, total=total or None)


def _print_note(copy: Path, note: dict[str, Any], *, json: bool) -> None:
    if json:
        print_json({"copy": str(copy), **note})
        return
    rows = sum(note["rows"].values())
    typer.echo(f"{copy}: {rows:,} rows of {len(note['rows'])} tables, made at {note['made_at']}")
    typer.echo(f"sha256 {note['sha256']}")


def _health_document(health: Health) -> dict[str, Any]:
    dropped = health.dropped_before
    return {
        "ok": health.ok,
        "version": health.version,
        "database": health.database,
        "dropped_before": None if dropped is None else dropped.isoformat(),
        "findings": [asdict(finding) for finding in health.findings],
        "timescale": asdict(health.timescale),
    }


def _print_health(health: Health) -> None:
    from rich.table import Table

    table = Table(title=f"{health.database}, schema {health.version}", title_justify="left")
    for heading in ("check", "", "found"):
        table.add_column(heading)
    for finding in health.findings:
        table.add_row(finding.check, "ok" if finding.ok else "[red]bad[/red]", finding.detail)
    out = console()
    out.print(table)
    if health.dropped_before is not None:
        out.print(f"Readings before {health.dropped_before:%Y-%m-%d} UTC were dropped; their roll-ups are final.")
    if health.timescale.version is not None or health.timescale.available is not None:
        out.print(_timescale_table(asdict(health.timescale)))


def _timescale_table(capabilities: dict[str, Any]) -> Any:
    from rich.table import Table

    table = Table(title="TimescaleDB, as tried here", title_justify="left", show_header=False)
    for name, value in capabilities.items():
        table.add_row(name.replace("_", " "), {True: "yes", False: "no", None: "none"}.get(value, str(value)))
    return table
