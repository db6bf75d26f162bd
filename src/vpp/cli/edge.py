"""``vpp edge``: the gateway beside the devices."""

from __future__ import annotations

import logging
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vpp.cli import edge_sync
from vpp.cli.shared import writable_target
from vpp.core.errors import InvalidInputError

if TYPE_CHECKING:
    from vpp.config.edge_file import EdgeFile
    from vpp.runtime.gateway_service import GatewayService

app = typer.Typer(no_args_is_help=True, help="The gateway: polls devices, buffers, sends, executes commands.")
app.command("sync")(edge_sync.sync)


@app.command("run")
def run(
    gateway: Annotated[
        str, typer.Argument(help="A gateway file (vpp edge init writes one), a built-in plant or a plant file.")
    ],
    node: Annotated[
        list[str] | None, typer.Option(help="Site it is the gateway of; repeat it; all by default.")
    ] = None,
    bus: Annotated[str | None, typer.Option(help="Address of the bus, e.g. mqtt://127.0.0.1:1883.")] = None,
    buffer: Annotated[Path | None, typer.Option(help="SQLite file in which readings wait.")] = None,
    driver: Annotated[
        str | None, typer.Option(help="Use this driver alone: simulated, or replay of the plant's history.")
    ] = None,
    status_port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="Port of the status page on 127.0.0.1; 0 takes any that is free."),
    ] = None,
    sparkplug: Annotated[bool, typer.Option("--sparkplug", help="Publish by Sparkplug B too.")] = False,
    home_assistant: Annotated[
        bool, typer.Option("--home-assistant", help="Publish to Home Assistant too, with discovery.")
    ] = False,
    enable_influxdb: Annotated[
        bool,
        typer.Option("--enable-influxdb", help="Write to InfluxDB too; INFLUXDB_URL, _TOKEN, _ORG, _BUCKET say where."),
    ] = False,
) -> None:
    """Run a gateway until Ctrl-C: poll devices, keep readings until they arrived, execute commands within bounds.

    With a built-in plant it runs on simulated devices. While the broker is away readings wait in the buffer; while
    nobody commands, batteries rest and generation is not curtailed.
    """
    from vpp.runtime.gateway_service import GatewayService

    given: dict[str, Any] = {"nodes": tuple(node) if node else None, "bus": bus, "driver": driver, "buffer": buffer}
    file, base = _settings(gateway, {name: value for name, value in given.items() if value is not None})
    publishers = {"sparkplug": sparkplug, "home_assistant": home_assistant, "influxdb": enable_influxdb}
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO)
    service = GatewayService(file, base=base, also=[name for name, wanted in publishers.items() if wanted])
    page = file.status_page
    port = status_port if status_port is not None else None if page is None else page.port
    service.begin()
    try:
        _tell(service)
        _serve(service, port)
    finally:
        service.stop()
    if service.failed.is_set():
        raise typer.Exit(1)


@app.command("init")
def init(
    path: Annotated[Path, typer.Argument(help="Where to write it.")] = Path("gateway.yaml"),
    force: Annotated[bool, typer.Option("--force", help="Overwrite a file that is there.")] = False,
) -> None:
    """Write a commented gateway file to start from."""
    from vpp.config.edge_file import SAMPLE

    where = writable_target(path, field="path")
    if where.exists() and not force:
        raise InvalidInputError("path", str(where), "a file that is not there yet; --force overwrites it")
    where.write_text(SAMPLE, encoding="utf-8")
    typer.echo(f"Wrote {where}. Start it: vpp edge run {where}")


def _settings(name: str, given: dict[str, Any]) -> tuple[EdgeFile, Path]:
    """Return the settings of a gateway file or of a plant, and the folder that file names count from."""
    from vpp.config import BUILTIN_PLANTS
    from vpp.config.edge_file import edge_file
    from vpp.config.reading import read_mapping

    content: dict[str, Any] = {"plant": name}
    base = Path()
    if name not in BUILTIN_PLANTS:
        path = Path(name)
        found = read_mapping(path)
        base = path.parent
        content = {"plant": path.name} if "sites" in found or "resources" in found else found
    content = dict(content)
    if "driver" in given:
        content["drivers"] = [{"kind": given.pop("driver"), "interval_s": 5}]
    if "buffer" in given:
        where = given.pop("buffer")
        content["buffer"] = {**(content.get("buffer") or {}), "path": str(where.absolute())}
    return edge_file({**content, **given}, where=name), base


def _serve(service: GatewayService, port: int | None) -> None:
    """Show the status page until told to stop; without a page, wait."""
    from vpp.api.edge_status import create_status_app
    from vpp.api.serve import serve
    from vpp.runtime.gateway_view import metrics_text, view_of

    gateway, stopping = service.gateway, threading.Event()
    if port is None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stopping.set())
        while not (stopping.wait(0.5) or service.failed.is_set()):
            continue
        return
    page = create_status_app(lambda: view_of(gateway), lambda: metrics_text(gateway))
    serve(page, port=port, on_ready=lambda address: typer.echo(f"Status page: {address}"), stop=service.failed)


def _tell(service: GatewayService) -> None:
    gateway = service.gateway
    nodes = ", ".join(gateway.nodes)
    drivers = ", ".join(worker.name for worker in gateway.workers)
    typer.echo(f"Gateway of {gateway.plant}: {nodes}; drivers: {drivers}")
    typer.echo(f"Safe set-points after {gateway.settings.head_end_timeout_s:g} s without a command")
    typer.echo("Ctrl-C stops.")
