"""``vpp forecast``: what every source of a plant will do next, by the models that `vpp train` promoted."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from vpp.cli.forecast_evaluate import evaluate
from vpp.cli.rounds import AtOption, DataOption, FolderOption, StoreOption, cadence_s, run_rounds
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
)
from vpp.core.time import parse_duration_s

if TYPE_CHECKING:
    from vpp.core.messages import Forecast
    from vpp.runtime.inference import Issued

DEFAULT_EVERY = "5m"
ISSUE = "issue"
DIGITS = 2
WITHOUT_DIGITS = 100.0


class _IssueByDefault(TyperGroup):
    """`vpp forecast homes --once` means `vpp forecast issue homes --once`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the name of the usual command in front where none is given."""
        if args and args[0] not in (*self.commands, "--help"):
            args = [ISSUE, *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_IssueByDefault,
    help="Forecast every source of a plant (`vpp forecast PLANT --once`), or evaluate models on the past.",
    no_args_is_help=True,
)
app.command("evaluate")(evaluate)


@app.command(ISSUE)
def issue(
    plant: PlantArgument,
    once: Annotated[bool, typer.Option("--once", help="Forecast once and exit.")] = False,
    every: Annotated[str | None, typer.Option(help="Forecast again and again, e.g. 5m, the default.")] = None,
    horizon: Annotated[str, typer.Option(help="How far, e.g. 30h: made at 18:00 it reaches tomorrow's end.")] = "30h",
    resolution: Annotated[str, typer.Option(help="Length of a step, e.g. 1h, 15min.")] = "1h",
    store: StoreOption = None,
    state: FolderOption = None,
    data: DataOption = None,
    at: AtOption = None,
    json: JsonOption = False,
) -> None:
    """Forecast every source by its champion; the command's name may be left out: `vpp forecast PLANT`.

    Kept in the store with the time of issue: the next hours, the next local day in quarter-hours, and what each model
    said. Without a champion naive members answer and the forecast says so.
    """
    from vpp.config import BUILTIN_PLANTS
    from vpp.runtime.inference import InferenceService
    from vpp.runtime.workplace import open_workplace

    every_s = cadence_s(once, every, default=DEFAULT_EVERY)
    horizon_s = parse_duration_s(horizon, field="--horizon")
    resolution_s = parse_duration_s(resolution, field="--resolution")
    moment = optional_time(at, field="--at")
    config = load_valid(plant)
    place = open_workplace(config, builtin=plant in BUILTIN_PLANTS, store=store, folder=state, data=data, at=moment)
    try:
        service = InferenceService(place, horizon_s=horizon_s, resolution_s=resolution_s)

        def issued(now: datetime) -> None:
            with error_console().status("forecasting"):
                found = service.run(now)
            for note in found.notes:
                print_note(note)
            if json:
                print_json(found.document())
            else:
                _print(found, place.setup.timezone.key)

        run_rounds(issued, place.clock, every_s, until=place.until)
    finally:
        place.store.close()


def _print(found: Issued, zone: str) -> None:
    from rich.markup import escape
    from rich.table import Table

    table = Table(
        title=escape(f"{found.plant}: issued at {found.at:%Y-%m-%d %H:%M} UTC"),
        caption=f"means, 80 % interval in brackets; tomorrow: the local day in {zone}",
        caption_justify="left",
    )
    table.add_column("source", no_wrap=True)
    table.add_column("model", no_wrap=True)
    hours = (found.forecasts[0].grid.end - found.forecasts[0].grid.start).total_seconds() / parse_duration_s("1h")
    for heading in (f"next {hours:g} h", "tomorrow"):
        table.add_column(heading, justify="right", no_wrap=True)
    flagged = any(forecast.flags for forecast in found.forecasts)
    if flagged:
        table.add_column("flags")
    for rolling, day in zip(found.forecasts, found.day_ahead, strict=True):
        flags = [", ".join(rolling.flags)] if flagged else []
        table.add_row(_name(rolling), rolling.model, _mean(rolling), _mean(day, ends=False), *flags)
    console().print(table)


def _name(forecast: Forecast) -> str:
    source, metric = forecast.key.source, forecast.key.metric
    return f"{source} kW" if metric == "power_kw" else f"{source} {metric}"


def _mean(forecast: Forecast, *, ends: bool = True) -> str:
    digits = (
        1 if abs(forecast.value).max() >= WITHOUT_DIGITS else DIGITS if abs(forecast.value).max() >= 1.0 else 2 * DIGITS
    )
    mean = rounded(forecast.value.mean(), digits=digits)
    if not ends or not {0.1, 0.9} <= set(forecast.levels):
        return mean
    both = (forecast.quantiles[forecast.levels.index(level)].mean() for level in (0.1, 0.9))
    return f"{mean} ({' to '.join(rounded(end, digits=digits) for end in both)})"
