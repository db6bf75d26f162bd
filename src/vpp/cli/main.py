"""The ``vpp`` command: its parts, and how errors become messages and exit codes.

Exit codes: 0 done, 1 done with a negative answer (no feasible plan, a failed check), 2 refused (bad input).
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from vpp import __version__
from vpp.cli import (
    backtest,
    bridge,
    config,
    consume,
    db,
    doctor,
    edge,
    explain,
    features,
    forecast,
    ingest,
    init,
    plan,
    produce,
    simulate,
    top,
    train,
    up,
)
from vpp.core.errors import VppError

REFUSED = 2
INTERRUPTED = 130

app = typer.Typer(
    name="vpp",
    help="Many small energy assets, one power plant: simulate, forecast, plan, dispatch, and show why.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("up")(up.up)
app.command("plan")(plan.plan)
app.command("explain")(explain.explain)
app.command("backtest")(backtest.backtest)
app.command("simulate")(simulate.simulate)
app.command("train")(train.train)
app.add_typer(forecast.app, name="forecast")
app.command("features")(features.features)
app.command("produce")(produce.produce)
app.command("consume")(consume.consume)
app.command("bridge")(bridge.bridge)
app.command("ingest")(ingest.ingest)
app.command("top")(top.top)
app.add_typer(db.app, name="db")
app.command("init")(init.init)
app.command("doctor")(doctor.doctor)
app.add_typer(edge.app, name="edge")
app.add_typer(config.app, name="config")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"vpp {__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Many small energy assets, one power plant."""


def run() -> None:
    """Run the command line; every refusal is one message on standard error and exit code 2."""
    try:
        app()
    except VppError as fault:
        typer.secho(f"vpp: {fault}", fg=typer.colors.RED, err=True)
        sys.exit(REFUSED)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
