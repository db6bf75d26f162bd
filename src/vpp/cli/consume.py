"""``vpp consume``: what travels on a bus, parcel by parcel."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from vpp.cli.shared import console
from vpp.core.messages import Channel, Parcel
from vpp.core.time import parse_duration_s

BusOption = Annotated[str, typer.Option(help="The bus, e.g. mqtt://host:1883 or kafka://host:9092.")]


def consume(
    bus: BusOption,
    plant: Annotated[
        list[str] | None, typer.Option(help="Only parcels of this plant; may be repeated. Default: of all.")
    ] = None,
    channel: Annotated[
        list[Channel] | None, typer.Option(help="Only parcels of this channel; may be repeated. Default: telemetry.")
    ] = None,
    count: Annotated[int | None, typer.Option(min=1, help="Stop after so many parcels.")] = None,
    wait: Annotated[
        str | None, typer.Option(help="Stop when nothing came for so long, e.g. 10s; default: never.")
    ] = None,
    group: Annotated[
        str | None,
        typer.Option(
            help="Take parcels as a member of this group: they are shared out and come once. Default: look on."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per parcel.")] = False,
) -> None:
    """Print what travels on a bus. Without a group it looks on and takes nothing from anybody.

    With --json every parcel is one line: plant, source, channel, kind, and its payload as JSON where it is JSON, else
    as text. Ctrl-C stops.
    """
    from vpp.runtime.consuming import parcels_of

    wait_s = None if wait is None else float(parse_duration_s(wait, field="--wait"))
    out = console()
    channels = channel or (Channel.TELEMETRY,)
    for parcel in parcels_of(bus, plants=plant or (), channels=channels, group=group, most=count, wait_s=wait_s):
        if as_json:
            typer.echo(json.dumps(_document(parcel), separators=(",", ":")))
        else:
            out.print(_line(parcel), markup=False, highlight=False, soft_wrap=True)


def _document(parcel: Parcel) -> dict[str, Any]:
    return {
        "plant": parcel.plant,
        "source": parcel.source,
        "channel": str(parcel.channel),
        "kind": parcel.kind,
        "payload": _read(parcel.payload),
    }


def _read(payload: bytes) -> Any:
    """Return a payload as JSON where it is that and can be told again, else as text."""
    try:
        return json.loads(payload, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return payload.decode("utf-8", errors="replace")


def _refuse(word: str) -> None:
    raise ValueError(word)


def _line(parcel: Parcel) -> str:
    kind = f" ({parcel.kind})" if parcel.channel is Channel.TELEMETRY else ""
    text = parcel.payload.decode("utf-8", errors="replace")
    return f"{parcel.plant}/{parcel.source} {parcel.channel}{kind}  {text}"
