"""``vpp up``: run a plant and its page on this machine."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vpp.cli.shared import PlantArgument, load_valid, optional_time
from vpp.core.errors import VppError

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
) -> None:
    """Run a plant: forecast, plan, dispatch, and show it on a page.

    A built-in plant replays its recorded past as live telemetry. Your own plant runs on the clock, fed by readings
    posted to the API or dropped into the inbox; with --speed or --from it replays the history its file names, with
    --simulated a simulated one.
    """
    from vpp.api.app import create_app, page_link
    from vpp.api.auth import new_token
    from vpp.api.serve import serve
    from vpp.config import BUILTIN_PLANTS
    from vpp.runtime.inbox import Inbox
    from vpp.runtime.view import PlantView

    config = load_valid(plant)
    replays = plant in BUILTIN_PLANTS or speed is not None or start is not None or simulated
    with tempfile.TemporaryDirectory(prefix="vpp-") as scratch:
        kept = _open(store, config, Path(scratch) if replays else None)
        live = _begin(config, kept, replays=replays, speed=speed, start=start, seed=seed if simulated else None)
        if not replays:
            folder = inbox or (config.path.parent if config.path else Path()) / "inbox"
            Inbox(folder, live).watch()
            typer.echo(f"Drop CSV or Parquet files into {folder}")
        token = new_token()
        app = create_app({live.setup.plant.id: PlantView(live)}, token=token)
        live.begin()
        try:
            serve(app, port=port, on_ready=lambda address: _tell(live, page_link(app, address), token))
        finally:
            live.stop()


def _open(url: str | None, config: VPPConfig, scratch: Path | None) -> Store:
    from vpp.runtime.build import open_store
    from vpp.runtime.workplace import home_of, store_url

    if url is not None:
        return open_store(url)
    if scratch is not None:
        return open_store(f"sqlite:///{scratch / 'replay.db'}")
    return open_store(store_url(config, home_of(config, builtin=False)))


def _begin(
    config: VPPConfig, store: Store, *, replays: bool, speed: float | None, start: str | None, seed: int | None
) -> LivePlant:
    from vpp.runtime.live import start_live, start_replay

    try:
        if seed is not None:
            from vpp.runtime.simulation_live import start_simulated

            begin = optional_time(start, field="--from")
            return start_simulated(
                config, store, speed=DEFAULT_SPEED if speed is None else speed, start=begin, seed=seed
            )
        if replays:
            return start_replay(
                config,
                store,
                speed=DEFAULT_SPEED if speed is None else speed,
                start=optional_time(start, field="--from"),
            )
        from vpp.runtime.workplace import home_of, models_folder

        return start_live(config, store, models=models_folder(config, home_of(config, builtin=False)))
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
