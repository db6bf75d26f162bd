"""``vpp ingest``: take what plants tell on a bus, judge it, and keep it."""

from __future__ import annotations

from typing import Annotated

import typer

from vpp.cli.shared import load_valid


def ingest(
    plants: Annotated[
        list[str], typer.Argument(metavar="PLANT...", help="Built-in plants or plant files whose parcels are taken.")
    ],
    bus: Annotated[str, typer.Option(help="Where parcels come from, e.g. mqtt://host:1883 or kafka://host:9092.")],
    store: Annotated[
        str, typer.Option(help="Where they are kept, e.g. sqlite:///plant.db or postgresql://user@host/vpp.")
    ],
    group: Annotated[
        str, typer.Option(help="Consumers of one group share the work; on Kafka by partitions.")
    ] = "vpp-ingest",
    name: Annotated[
        str, typer.Option(help="Name of this process; every one of a group needs its own, and keeps it.")
    ] = "ingest",
    metrics_port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="Serve /metrics and /health on 127.0.0.1 here; 0 takes any free port."),
    ] = None,
    sink: Annotated[
        list[str] | None, typer.Option(help="Copy what was kept here too, e.g. mongodb://host/vpp; again for more.")
    ] = None,
    batch: Annotated[int, typer.Option(min=1, help="Commit at the latest after so many messages.")] = 10_000,
    linger: Annotated[float, typer.Option(min=0.0, help="Commit at the latest after so many seconds.")] = 0.2,
    oldest_days: Annotated[
        float, typer.Option(min=0.001, help="Refuse readings that are older than so many days.")
    ] = 400.0,
    late_after: Annotated[
        float, typer.Option(min=0.0, help="Flag readings that arrive so many seconds after their time.")
    ] = 7200.0,
) -> None:
    """Keep what devices tell: read, judge, store, and only then acknowledge.

    What is impossible goes to quarantine with its reason, what is doubtful is kept with a flag; docs/ingest.md has the
    rules. While the store fails nothing is acknowledged. SIGTERM or Ctrl-C finishes the batch in hand; exit code 1
    when it could not be kept.
    """
    from vpp.runtime.ingestion.judge import ClockRules
    from vpp.runtime.ingestion.running import IngestPlan, run_ingestion
    from vpp.runtime.ingestion.service import IngestSettings

    clock = ClockRules(oldest_days=oldest_days, late_after_s=late_after)
    plan = IngestPlan(
        plants=tuple(load_valid(plant).plant for plant in plants),
        bus=bus,
        store=store,
        group=group,
        name=name,
        metrics_port=metrics_port,
        sinks=tuple(sink or ()),
        settings=IngestSettings(most_readings=batch, linger_s=linger, clock=clock),
    )
    if not run_ingestion(plan, on_ready=lambda port: _tell(len(plan.plants), port)):
        typer.secho("vpp: the last batch was not kept; nothing of it was acknowledged", fg=typer.colors.RED, err=True)
        raise typer.Exit(1)


def _tell(count: int, port: int | None) -> None:
    typer.echo(f"ingesting for {count} plant{'s' if count > 1 else ''}; Ctrl-C stops", err=True)
    if port is not None:
        typer.echo(f"metrics at http://127.0.0.1:{port}/metrics, health at http://127.0.0.1:{port}/health", err=True)
