"""``vpp up``: run a plant and its page on this machine."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vpp.cli.shared import PlantArgument, load_valid, optional_time
from vpp.core.errors import InvalidInputError, VppError

if TYPE_CHECKING:
    from vpp.config import VPPConfig
    from vpp.core.ports import Store
    from vpp.runtime.live import LivePlant

DEFAULT_SPEED = 1800.0


def up(
    plant: PlantArgument = "homes",
    speed: Annotated[
        float | None, typer.Option(help="Replay: seconds of data per second; 1800 is an hour in two seconds.")
    ] = None,
    start: Annotated[str | None, typer.Option("--from", help="Replay: first moment, ISO 8601 with zone.")] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on 127.0.0.1; 0 takes any that is free.")] = 8000,
    store: Annotated[
        str | None, typer.Option(help="Where to keep data, e.g. sqlite:///plant.db; a replay keeps nothing by default.")
    ] = None,
    inbox: Annotated[
        Path | None,
        typer.Option(help="Folder watched for CSV and Parquet files; by default inbox beside the plant file."),
    ] = None,
    simulated: Annotated[
        bool, typer.Option("--simulated", help="Run on a simulated world of four weeks; no measurements are needed.")
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the simulated world.")] = 0,
    bus: Annotated[
        str | None,
        typer.Option(help="Listen to the plant's nodes here and send them commands, e.g. mqtt://127.0.0.1:1883."),
    ] = None,
    redis: Annotated[
        str | None,
        typer.Option(help="Share live messages and frequent answers with other processes: redis://127.0.0.1:6379/0."),
    ] = None,
) -> None:
    """Run a plant: forecast, plan, dispatch, and show it on a page.

    A built-in plant replays its recorded past as live telemetry. Your own plant runs on the clock, fed by readings
    posted to the API or dropped into the inbox; with --speed or --from it replays the history its file names, with
    --simulated a simulated one. With --bus any plant runs on the clock: what its nodes tell is kept as vpp ingest
    keeps it, and where the plant file says control, commands go out to the node of each site and answers come back.
    """
    from vpp.api.app import create_app, page_link
    from vpp.api.auth import new_token
    from vpp.api.serve import serve
    from vpp.config import BUILTIN_PLANTS
    from vpp.runtime.inbox import Inbox
    from vpp.runtime.relay_cache import open_view

    config = load_valid(plant)
    replays = (plant in BUILTIN_PLANTS and bus is None) or speed is not None or start is not None or simulated
    if bus is not None and replays:
        raise InvalidInputError("--bus", "a bus and a replay", "one of them: leave out --speed, --from and --simulated")
    home = Path() if replays else _home(config, builtin=plant in BUILTIN_PLANTS)
    with tempfile.TemporaryDirectory(prefix="vpp-") as scratch:
        kept = _open(store, config, Path(scratch) if replays else None, home)
        if replays:
            live = _replay(config, kept, speed=speed, start=start, seed=seed if simulated else None)
        else:
            live = _live(config, kept, home, bus)
            folder = inbox or home / "inbox"
            Inbox(folder, live).watch()
            typer.echo(f"Drop CSV or Parquet files into {folder}")
        token = new_token()
        try:
            with open_view(live, redis) as view:
                app = create_app({live.setup.plant.id: view}, token=token)
                live.begin()
                serve(app, port=port, on_ready=lambda address: _tell(live, page_link(app, address), token))
        finally:
            live.stop()


def _home(config: VPPConfig, *, builtin: bool) -> Path:
    from vpp.runtime.workplace import home_of

    return home_of(config, builtin=builtin)


def _open(url: str | None, config: VPPConfig, scratch: Path | None, home: Path) -> Store:
    from vpp.runtime.build import open_store
    from vpp.runtime.workplace import store_url

    if url is not None:
        return open_store(url)
    if scratch is not None:
        return open_store(f"sqlite:///{scratch / 'replay.db'}")
    return open_store(store_url(config, home))


def _live(config: VPPConfig, store: Store, home: Path, bus: str | None) -> LivePlant:
    from vpp.runtime.ingestion.running import open_listening_bus
    from vpp.runtime.live import start_live
    from vpp.runtime.workplace import models_folder

    opened = None
    try:
        if bus is not None:
            opened = open_listening_bus(bus, config.plant.id)
        return start_live(config, store, models=models_folder(config, home), bus=opened)
    except VppError:
        if opened is not None:
            opened.close()
        store.close()
        raise


def _replay(config: VPPConfig, store: Store, *, speed: float | None, start: str | None, seed: int | None) -> LivePlant:
    from vpp.runtime.live import start_replay

    try:
        begin = optional_time(start, field="--from")
        chosen = DEFAULT_SPEED if speed is None else speed
        if seed is not None:
            from vpp.runtime.simulation_live import start_simulated

            return start_simulated(config, store, speed=chosen, start=begin, seed=seed)
        return start_replay(config, store, speed=chosen, start=begin)
    except VppError:
        store.close()
        raise


def _tell(live: LivePlant, link: str, token: str) -> None:
    setup = live.setup
    how = "live" if live.speed is None else f"replaying from {live.start:%Y-%m-%d %H:%M} UTC at {live.speed:g}x"
    advice = "" if setup.control else ", advice only"
    typer.echo(f"{setup.plant.name}: {how}{advice}")
    typer.secho(f"Open {link}", bold=True)
    typer.echo(f"(the link signs in one browser, once; scripts: Authorization: Bearer {token})")
    typer.echo("Ctrl-C stops.")
