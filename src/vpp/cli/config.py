"""``vpp config``: check a plant file, or print its JSON Schema."""

from __future__ import annotations

import typer

from vpp.cli.shared import JsonOption, PlantArgument, print_json

app = typer.Typer(help="Check a plant file, or print its schema.", no_args_is_help=True)


@app.command()
def validate(plant: PlantArgument, json: JsonOption = False) -> None:
    """Check a plant file and print every fault at once, with its path, value and range. Exit code 2 on errors."""
    from vpp.config import VPPConfig

    report = VPPConfig.load(plant).validate()
    if json:
        print_json(
            {
                "is_valid": report.is_valid,
                "errors": [{"path": i.path, "value": i.value, "message": i.message} for i in report.errors],
                "warnings": [{"path": i.path, "value": i.value, "message": i.message} for i in report.warnings],
            }
        )
    else:
        for issue in report.errors:
            typer.secho(f"error: {issue}", fg=typer.colors.RED, err=True)
        for issue in report.warnings:
            typer.secho(f"warning: {issue}", fg=typer.colors.YELLOW, err=True)
        if report.is_valid:
            typer.echo(f"{plant} is valid.")
    if not report.is_valid:
        raise typer.Exit(2)


@app.command()
def schema() -> None:
    """Print the JSON Schema of a plant file, for editors that complete and check."""
    from vpp.config import VPPConfig

    print_json(VPPConfig.json_schema())
