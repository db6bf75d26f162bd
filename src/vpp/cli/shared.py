"""What several commands share: loading a valid plant, reading times, consoles, JSON on standard output."""

from __future__ import annotations

import json
import os
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vpp.core.errors import InvalidInputError
from vpp.core.time import parse_time

if TYPE_CHECKING:
    from rich.console import Console

    from vpp.config import VPPConfig

PlantArgument = Annotated[str, typer.Argument(help="A built-in plant (homes, wholesale) or a plant file.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output.")]


def load_valid(plant: str) -> VPPConfig:
    """Return a plant's configuration, or say everything that is wrong with it and exit with 2."""
    from vpp.config import VPPConfig

    config = VPPConfig.load(plant)
    report = config.validate()
    for issue in report.warnings:
        typer.secho(f"warning: {issue}", fg=typer.colors.YELLOW, err=True)
    if not report.is_valid:
        count = len(report.errors)
        typer.secho(f"{plant}: {count} error{'s' if count > 1 else ''}", fg=typer.colors.RED, err=True)
        for issue in report.errors:
            typer.echo(f"  {issue}", err=True)
        raise typer.Exit(2)
    return config


def optional_time(text: str | None, *, field: str) -> datetime | None:
    """Return a time given with its zone, or None when none was given."""
    return None if text is None else parse_time(text, field=field)


def console() -> Console:
    """Return the console for people, on standard output."""
    from rich.console import Console

    return Console()


def error_console() -> Console:
    """Return the console for progress and notes, on standard error."""
    from rich.console import Console

    return Console(stderr=True)


def print_json(document: Any) -> None:
    """Print one JSON document on standard output; numbers that are not finite are an error, not a word."""
    typer.echo(json.dumps(document, indent=2, allow_nan=False))


def print_note(text: str) -> None:
    """Print a line on standard error that the reader should know of, though nothing is refused."""
    typer.secho(f"note: {text}", fg=typer.colors.YELLOW, err=True)


def rounded(value: float, *, sign: bool = False, digits: int = 2) -> str:
    """Return a number for people, without a minus before zero.

    >>> rounded(-0.001), rounded(1234.5), rounded(0.004, sign=True), rounded(-59989.7, digits=0)
    ('0.00', '1,234.50', '0.00', '-59,990')
    """
    near = round(float(value), digits) + 0.0
    return f"{near:+,.{digits}f}" if sign and near else f"{near:,.{digits}f}"


def writable_target(path: Path, *, field: str) -> Path:
    """Return where a file is to be written, or refuse it before the work that would be lost."""
    if path.is_dir():
        raise InvalidInputError(field, str(path), "a file, not a folder")
    if not path.parent.is_dir():
        raise InvalidInputError(field, str(path), "a file in a folder that exists")
    if not os.access(path.parent, os.W_OK):
        raise InvalidInputError(field, str(path), "a file in a folder that may be written to")
    return path
