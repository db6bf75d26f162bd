"""``vpp bridge``: what one bus brings is put on another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from vpp.cli.shared import error_console, print_json
from vpp.core.messages import Channel

if TYPE_CHECKING:
    from vpp.runtime.bridging import BridgeCounts


def bridge(
    origin: Annotated[str, typer.Option("--from", help="The bus that brings, e.g. mqtt://host:1883.")],
    destination: Annotated[str, typer.Option("--to", help="The bus that takes, e.g. kafka://host:9092.")],
    plant: Annotated[
        list[str] | None, typer.Option(help="Only parcels of this plant; may be repeated. Default: of all.")
    ] = None,
    channel: Annotated[
        list[Channel] | None,
        typer.Option(help="Only parcels of this channel; may be repeated. Default: telemetry, status, ack."),
    ] = None,
    name: Annotated[
        str, typer.Option(help="Name at the origin: what it keeps for an absent bridge goes by it.")
    ] = "vpp-bridge",
    as_json: Annotated[bool, typer.Option("--json", help="Print the totals as one JSON document at the end.")] = False,
) -> None:
    """Carry parcels from one bus to another, e.g. from MQTT at the edge to Kafka behind it.

    A parcel is acknowledged to the first bus once the second holds it. Killed at any moment the bridge loses nothing;
    some parcels go over twice, and ingestion knows them again. SIGTERM or Ctrl-C stops it after the batch in hand.
    """
    from dataclasses import asdict

    from vpp.runtime.bridging import UPWARD, run_bridge
    from vpp.runtime.ingestion.running import until_asked_to_stop

    with until_asked_to_stop() as stopped, error_console().status("connecting") as status:

        def show(counts: BridgeCounts) -> None:
            status.update(f"{counts.carried} parcels carried, {counts.faults} faults")

        counts = run_bridge(
            origin,
            destination,
            stopped,
            plants=plant or (),
            channels=channel or UPWARD,
            name=name,
            on_ready=lambda: typer.echo("bridging; Ctrl-C stops", err=True),
            on_progress=show,
        )
    if as_json:
        print_json(asdict(counts))
    else:
        typer.echo(f"carried {counts.carried} parcels", err=True)
