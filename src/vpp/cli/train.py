"""``vpp train``: compare models on the past, promote who wins, and keep the champions up to date."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from vpp.cli.rounds import AtOption, Bar, DataOption, FolderOption, StoreOption, cadence_s, run_rounds, whole_hours
from vpp.cli.shared import JsonOption, PlantArgument, console, load_valid, optional_time, print_json, print_note
from vpp.core.time import parse_duration_s

if TYPE_CHECKING:
    from vpp.runtime.training_report import TrainingReport

DEFAULT_EVERY = "60m"
COMBINATION = "median"
STARTED = "started"


def train(
    plant: PlantArgument,
    once: Annotated[bool, typer.Option("--once", help="Train once and exit.")] = False,
    every: Annotated[str | None, typer.Option(help="Train again and again, e.g. 60m, the default.")] = None,
    models: Annotated[
        str | None, typer.Option(help="Models to compare, e.g. theta,lear; all for every one; default: all but heavy.")
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="Compare all models even where that is not due.")] = False,
    folds: Annotated[int, typer.Option(help="Weeks of daily origins to compare on; the first only makes bands.")] = 4,
    horizon: Annotated[str, typer.Option(help="How far to forecast in the comparison.")] = "30h",
    deadline: Annotated[
        str | None, typer.Option(help="Longest time of one run, e.g. 10min; dear models are left out first.")
    ] = None,
    tune: Annotated[
        str | None, typer.Option(help="Look for better tree sizes for so long per group, e.g. 5min; off by default.")
    ] = None,
    workers: Annotated[int | None, typer.Option(help="Processes; default: one per core.")] = None,
    engine: Annotated[str, typer.Option(help="pool, ray (extra `ray`) or serial.")] = "pool",
    group: Annotated[int, typer.Option(help="Series trained together; bounds the memory.")] = 50,
    store: StoreOption = None,
    state: FolderOption = None,
    data: DataOption = None,
    at: AtOption = None,
    tracking_uri: Annotated[
        str | None,
        typer.Option(help="MLflow server or database; default: MLFLOW_TRACKING_URI, else a file beside the models."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Train the forecasts of a plant: score, refit, compare, promote.

    Hourly runs are cheap: issued forecasts are scored, models look at what is new.
    Daily they are fitted anew. Weekly, for new sources and when errors rise for good, all models are compared.

    The combination serves unless a single model beats it beyond noise. A run that was killed goes on where it stopped.
    """
    from vpp.config import BUILTIN_PLANTS
    from vpp.runtime.training import TrainingSettings, engine_of, training_service
    from vpp.runtime.workplace import open_workplace

    every_s = cadence_s(once, every, default=DEFAULT_EVERY)
    settings = TrainingSettings(
        models=tuple(name.strip() for name in models.split(",") if name.strip()) if models else (),
        folds=folds,
        horizon_h=whole_hours(horizon, field="--horizon"),
        group=group,
        full=full,
        tune_s=0.0 if tune is None else float(parse_duration_s(tune, field="--tune")),
        deadline_s=None if deadline is None else float(parse_duration_s(deadline, field="--deadline")),
    )
    chosen = engine_of(engine, workers=workers)
    moment = optional_time(at, field="--at")
    config = load_valid(plant)
    place = open_workplace(config, builtin=plant in BUILTIN_PLANTS, store=store, folder=state, data=data, at=moment)
    try:
        with Bar() as bar:
            service = training_service(place, chosen, settings, tracking_uri=tracking_uri, progress=bar.update)

            def trained(now: datetime) -> None:
                report = service.run(now)
                bar.clear()
                for note in report.notes:
                    print_note(note)
                if json:
                    print_json(report.document())
                else:
                    _print(report)

            run_rounds(trained, place.clock, every_s, until=place.until)
    finally:
        place.store.close()


def _print(report: TrainingReport) -> None:
    from rich.markup import escape
    from rich.table import Table

    title = f"{report.plant}: trained as of {report.as_of:%Y-%m-%d %H:%M} UTC"
    table = Table(title=escape(title + (", a run that had been stopped went on" if report.resumed else "")))
    for heading in ("source", "champion", "done"):
        table.add_column(heading, no_wrap=True)
    compared = any(one.pinball is not None for one in report.sources)
    for heading in ("MAE", "pinball", "in 80 %") if compared else ():
        table.add_column(heading, justify="right", no_wrap=True)
    for one in report.sources:
        cells = [_short(one.mae), _short(one.pinball), _short(one.coverage_80, share=True)] if compared else []
        table.add_row(str(one.key), one.champion, one.done, *cells)
    console().print(table)
    for one in report.sources:
        if one.champion != COMBINATION:
            console().print(escape(f"{one.key}: {one.champion} serves: {one.reason}"))
    started = sum(one.done == STARTED for one in report.sources)
    if started:
        console().print(f"{started} sources could not be compared in time; until then naive members answer")
    if compared:
        console().print(
            f"{COMBINATION} = the combination of several models; a single one serves only\n"
            "where it was better beyond noise. MAE and pinball: hourly means over the\n"
            "folds, in the unit of the series; --json says more.",
            style="dim",
        )
    told = [f"{report.scored} stored forecasts scored"]
    if report.skipped:
        told.append(f"{report.skipped} comparisons left out by the deadline; the next run goes on with them")
    told.append(f"{report.cpu_s:.1f} CPU seconds, {report.wall_s:.1f} s")
    console().print("; ".join(told), style="dim")
    for key, words in report.drifted.items():
        console().print(f"{key}: {words}; compared anew", style="yellow")
    if report.left_out:
        console().print("not compared: " + "; ".join(report.left_out), style="dim")


def _short(value: float | None, *, share: bool = False) -> str:
    if value is None:
        return "-"
    return f"{value:.0%}" if share else f"{value:.4g}"
