"""``vpp features``: a table of what was known at past moments of decision, for training models of one's own."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vpp.cli.shared import JsonOption, PlantArgument, console, error_console, load_valid, print_json, print_note
from vpp.core.errors import InvalidInputError
from vpp.core.time import parse_duration_s

if TYPE_CHECKING:
    from vpp.runtime.feature_source import FeatureSource
    from vpp.runtime.features import FeatureBuilder, FeatureStatus


def features(
    plant: PlantArgument = "homes",
    once: Annotated[bool, typer.Option("--once", help="Bring the table up to date and stop.")] = False,
    continuous: Annotated[bool, typer.Option("--continuous", help="Bring it up to date again and again.")] = False,
    status: Annotated[bool, typer.Option("--status", help="Say how far the table is, and build nothing.")] = False,
    columns: Annotated[bool, typer.Option("--columns", help="Say what each column means, and build nothing.")] = False,
    data: Annotated[
        Path | None, typer.Option(help="CSV or Parquet of readings; default: the history the plant file names.")
    ] = None,
    store: Annotated[
        str | None, typer.Option(help="A running plant's store instead, e.g. sqlite:///plant.db.", envvar="FE_STORE")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the table; default: <plant>-features.", envvar="FE_OUT")
    ] = None,
    export: Annotated[Path | None, typer.Option(help="Also write the whole table as one CSV or Parquet file.")] = None,
    site: Annotated[
        str | None, typer.Option(help="One site, or market for prices; default: all.", envvar="FE_SITE")
    ] = None,
    batch: Annotated[int, typer.Option(min=1, help="Decisions per file.", envvar="FE_BATCH_SIZE")] = 28,
    lookback: Annotated[
        int, typer.Option(min=1, help="Days back from the last measurement.", envvar="FE_LOOKBACK_DAYS")
    ] = 28,
    window: Annotated[float, typer.Option(help="Hours of the rolling statistics.", envvar="FE_WINDOW_HOURS")] = 24.0,
    horizon: Annotated[float, typer.Option(help="Hours ahead of each decision.", envvar="FE_HORIZON_HOURS")] = 30.0,
    each: Annotated[int, typer.Option(help="Hours between decisions, a divisor of 24.", envvar="FE_EVERY_HOURS")] = 6,
    country: Annotated[
        str | None,
        typer.Option(help="Country of the holidays, e.g. NL; default: that of the time zone.", envvar="FE_COUNTRY"),
    ] = None,
    every: Annotated[str, typer.Option(help="With --continuous: time between runs, e.g. 15min.")] = "15min",
    json: JsonOption = False,
) -> None:
    """Build a table of features: for each decision and each hour ahead, what was known, and what then happened.

    Lags and statistics end at the decision, prices and weather are those published by it; the column target is what
    happened. A run that was stopped goes on where it was. Every option can also be set by the variable named beside it.
    """
    from vpp.runtime.feature_source import feature_source
    from vpp.runtime.features import FeatureBuilder, FeatureSettings

    _one_of(once=once, continuous=continuous, status=status, columns=columns)
    if columns:
        _print_columns(json=json)
        return
    pause_s = parse_duration_s(every, field="--every")
    settings = FeatureSettings(
        site=site,
        batch=batch,
        lookback_days=lookback,
        window_h=window,
        horizon_h=horizon,
        every_h=each,
        country=country,
    )
    config = load_valid(plant)
    source = feature_source(config, data=data, store=store, on_note=_unsaid if status else print_note)
    try:
        builder = FeatureBuilder(source.setup, source.store, out or Path(f"{config.plant.id}-features"), settings)
        if not status:
            _build(builder, source, pause_s=pause_s if continuous else None)
        if export is not None:
            rows = builder.export(export)
            typer.echo(f"exported {rows:,} rows to {export}", err=True)
        _print_status(builder.status(), json=json)
    finally:
        source.store.close()


def _unsaid(_note: str) -> None:
    """Keep the notes on the data to the run that uses them."""


def _one_of(**modes: bool) -> None:
    chosen = [f"--{name}" for name, wanted in modes.items() if wanted]
    if len(chosen) != 1:
        known = ", ".join(f"--{name}" for name in modes)
        raise InvalidInputError("features", " ".join(chosen) or "none of them", f"exactly one of {known}")


def _build(builder: FeatureBuilder, source: FeatureSource, *, pause_s: int | None) -> None:
    """Build once, or again and again until interrupted."""
    from vpp.runtime.clock import WallClock

    clock = WallClock()
    while True:
        with error_console().status("building features") as status:
            built = builder.run(source.now(), progress=lambda site, share: status.update(f"{site} {share:.0%}"))
        rows = sum(part.rows for part in built)
        typer.echo(f"built {len(built)} batches, {rows:,} rows", err=True)
        if pause_s is None:
            return
        try:
            clock.sleep_until(clock.now() + timedelta(seconds=pause_s))
        except KeyboardInterrupt:
            return


def _print_columns(*, json: bool) -> None:
    from vpp.runtime.feature_source import column_meanings

    meanings = column_meanings()
    if json:
        print_json(meanings)
        return
    from rich.table import Table

    table = Table(title="columns of the feature table", title_justify="left")
    table.add_column("column", no_wrap=True)
    table.add_column("what it holds")
    for name, about in meanings.items():
        table.add_row(name, about)
    console().print(table)


def _print_status(statuses: list[FeatureStatus], *, json: bool) -> None:
    if json:
        print_json({"sites": {status.site: status.document() for status in statuses}})
        return
    from rich.markup import escape
    from rich.table import Table

    table = Table(title="features", title_justify="left")
    for heading in ("site", "complete up to (UTC)"):
        table.add_column(heading, no_wrap=True)
    for heading in ("files", "still open", "rows"):
        table.add_column(heading, justify="right")
    for status in statuses:
        mark = "nothing yet" if status.watermark is None else f"{status.watermark:%Y-%m-%d %H:%M}"
        table.add_row(escape(status.site), mark, str(status.parts), str(status.open_parts), f"{status.rows:,}")
    console().print(table)
