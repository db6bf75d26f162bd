"""Write docs/reference from the code itself: commands, plant file, HTTP interface, errors and codes.

``python scripts/make_reference.py`` writes; ``--check`` compares and exits with 1 when a page is not true any more.
A command, setting, route, error or code without a description is an error here.
"""

from __future__ import annotations

import argparse
import inspect
import sys
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any

import typer.main
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from vpp.api.app import create_app
from vpp.api.auth import new_token
from vpp.cli.main import app
from vpp.config.edge_file import EdgeFile
from vpp.config.plant_file import PlantFile
from vpp.config.resources_file import ResourcesFile
from vpp.core import errors
from vpp.core.messages import AckStatus, PlanStatus, Quality, ReasonCode, Severity
from vpp.edge.buffer_file import FullDiskError, HaltedError
from vpp.edge.driver import DriverError
from vpp.edge.sync.uplink import RefusedError, UnreachableTargetError
from vpp.streams.columns import RepairKind
from vpp.streams.quality import FaultKind
from vpp.streams.wire import WireError

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "reference"
OF_ROOMS = (DriverError, FullDiskError, HaltedError, RefusedError, UnreachableTargetError, WireError)
"""Errors that only one room knows."""
NOTE = "<!-- written by scripts/make_reference.py; edit the code, then run it -->\n\n"


def main() -> int:
    """Write or check every page; return the exit code."""
    parser = argparse.ArgumentParser(description="Write docs/reference from the code.")
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    check = parser.parse_args().check
    stale = []
    for name, text in pages().items():
        path = FOLDER / name
        if check:
            if not path.exists() or path.read_text(encoding="utf-8") != text:
                stale.append(name)
            continue
        FOLDER.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    if stale:
        print(f"not true any more: {', '.join(stale)}; run python scripts/make_reference.py", file=sys.stderr)
    return 1 if stale else 0


def pages() -> dict[str, str]:
    """Return every page by its file name."""
    return {
        "commands.md": NOTE + "# Commands\n\n" + "\n".join(_commands()),
        "plant-file.md": NOTE + "# The plant file\n\n" + "\n".join(_plant_file()),
        "gateway-file.md": NOTE + "# The gateway file\n\n" + "\n".join(_gateway_file()),
        "http.md": NOTE + "# HTTP interface\n\n" + "\n".join(_routes()),
        "errors.md": NOTE + "# Errors, statuses and codes\n\n" + "\n".join(_errors()),
    }


def _described(what: str, text: str | None) -> str:
    if not text or not text.strip():
        message = f"{what} has no description"
        raise SystemExit(message)
    return " ".join(text.split())


def _commands() -> Iterator[str]:
    yield "Every command says more with `--help`. Exit codes: 0 done, 1 done with a negative answer, 2 refused.\n"
    root = typer.main.get_command(app)
    for path, command in _leaves(root, "vpp"):
        yield f"## `{path}`\n\n{_described(path, command.help)}\n"
        rows = []
        for parameter in command.params:
            if parameter.name == "help":
                continue
            names = ", ".join(f"`{name}`" for name in getattr(parameter, "opts", []))
            shown = f"`{parameter.name.upper()}`" if parameter.param_type_name == "argument" else names
            rows.append(f"| {shown} | {_described(f'{path} {parameter.name}', getattr(parameter, 'help', None))} |")
        if rows:
            yield "| option | meaning |\n| --- | --- |\n" + "\n".join(rows) + "\n"


def _leaves(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    children = getattr(command, "commands", None)
    if children is None:
        yield path, command
        return
    for name, child in sorted(children.items()):
        yield from _leaves(child, f"{path} {name}")


def _plant_file() -> Iterator[str]:
    yield (
        "YAML, JSON or TOML. Powers are kW, energies kWh; a text may carry its unit (`5 MW`, `20 kWh`). "
        "Durations are texts such as `36h` or `15min`. Unknown keys are errors. "
        "`vpp config schema` prints the JSON Schema of the full shape.\n"
    )
    for title, model in (("The full shape", PlantFile), ("The short shape", ResourcesFile)):
        yield f"## {title}\n\n{_described(title, model.__doc__)}\n"
        yield "| field | default | meaning |\n| --- | --- | --- |\n" + "\n".join(_field_rows(model, "")) + "\n"


def _gateway_file() -> Iterator[str]:
    yield "What `vpp edge run FILE` reads: YAML, JSON or TOML; `vpp edge init` writes one. Unknown keys are errors.\n"
    yield "| field | default | meaning |\n| --- | --- | --- |\n" + "\n".join(_field_rows(EdgeFile, "")) + "\n"


def _field_rows(model: type[BaseModel], prefix: str) -> Iterator[str]:
    for name, field in model.model_fields.items():
        path = f"{prefix}{field.alias or name}"
        many = "tuple[" in str(field.annotation)
        inner = _models(field.annotation)
        described = _described(path, field.description or (inner[0].__doc__ if inner else _kind_text(field, name)))
        yield f"| `{path}{'[]' if many and inner else ''}` | {_default(field)} | {described} |"
        for found in inner:
            kind = next(
                (f.annotation.__args__[0] for n, f in found.model_fields.items() if n in ("kind", "type")), None
            )
            part = f"{path}[]" if many else path
            yield from _field_rows(found, f"{part}({kind})." if kind else f"{part}.")


def _kind_text(field: FieldInfo, name: str) -> str | None:
    if name in ("kind", "type"):
        return f"what it is: {field.annotation.__args__[0]}"
    if name == "id":
        return "slug, unique in the plant; readings are named after it"
    for part in field.metadata:
        text = getattr(part, "description", None)
        if text:
            return str(text)
    return None


def _models(annotation: Any) -> list[type[BaseModel]]:
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for part in getattr(annotation, "__args__", ()) for found in _models(part)]


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.default
    return "as below" if isinstance(value, BaseModel) else f"`{value}`"


def _routes() -> Iterator[str]:
    document = create_app({}, token=new_token()).openapi()
    yield _described("the interface", document["info"].get("description")) + "\n"
    yield "| route | what it does |\n| --- | --- |"
    for path, operations in sorted(document["paths"].items()):
        for method, operation in operations.items():
            yield f"| `{method.upper()} {path}` | {_described(f'{method} {path}', operation.get('summary'))} |"
    yield "| `WS /api/v1/plants/{plant}/live` | Ticks, schedules, readings and events as they happen |\n"


def _errors() -> Iterator[str]:
    yield "## Errors\n\nEvery error has the root `VppError` and carries its facts as fields.\n"
    yield "| error | meaning |\n| --- | --- |"
    of_rooms = {kind.__name__: kind for kind in OF_ROOMS}
    for name, kind in sorted({**vars(errors), **of_rooms}.items()):
        if inspect.isclass(kind) and issubclass(kind, errors.VppError):
            yield f"| `{name}` | {_described(name, _first_paragraph(kind))} |"
    for kind in (PlanStatus, ReasonCode, AckStatus, Severity, Quality, RepairKind, FaultKind):
        yield f"\n## `{kind.__name__}`\n\n{_described(kind.__name__, _first_paragraph(kind))}\n"
        yield ", ".join(f"`{_wire(member)}`" for member in kind) + "\n"


def _first_paragraph(documented: type) -> str:
    return (documented.__doc__ or "").split("\n\n", maxsplit=1)[0]


def _wire(member: Enum) -> str:
    return str(member.value) if isinstance(member.value, str) else member.name.lower()


if __name__ == "__main__":
    sys.exit(main())
