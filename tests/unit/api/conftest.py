"""A real plant of two homes that has run for a few steps, and applications that serve it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from importlib.resources import files
from pathlib import Path

import pandas as pd
import pytest
import yaml
from fastapi import FastAPI

from vpp.api.app import create_app
from vpp.api.auth import Access
from vpp.config import VPPConfig
from vpp.runtime.build import open_store
from vpp.runtime.clock import DataClock
from vpp.runtime.live import LivePlant, start_replay
from vpp.runtime.view import PlantView

with warnings.catch_warnings():
    # it asks for httpx2 in place of httpx, which nothing else here needs
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient

TOKEN = "Zr2kq1Wm9vXcT7yHs4Lb0NpEgJd8UfAo"
ADDRESS = "http://127.0.0.1:8000"
STEPS = 5


class Seconds:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@dataclass
class Server:
    """An application with everything a test may turn."""

    app: FastAPI
    access: Access
    seconds: Seconds

    def client(self, *, token: str | None = None, address: str = ADDRESS) -> TestClient:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        return TestClient(self.app, base_url=address, headers=headers, raise_server_exceptions=False)

    def signed_in(self) -> TestClient:
        client = self.client()
        assert client.post("/api/v1/session", json={"code": self.access.new_code()}).status_code == 204
        return client


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LivePlant]:
    """Two of the built-in homes, replayed by hand for a few steps."""
    folder = Path(str(files("vpp.config") / "plants" / "homes"))
    plant = yaml.safe_load((folder / "plant.yaml").read_text(encoding="utf-8"))
    plant |= {"id": "two", "sites": plant["sites"][:2]}
    path = tmp_path_factory.mktemp("plant") / "plant.yaml"
    history = pd.read_parquet(folder / "history.parquet")
    others = [name for name in history.columns if name.startswith("home") and name[:6] not in ("home01", "home02")]
    history.drop(columns=others).head(16 * 24).to_parquet(path.parent / "history.parquet")
    path.write_text(yaml.safe_dump(plant), encoding="utf-8")
    live = start_replay(VPPConfig.from_file(path), open_store("memory://"))
    for step in range(STEPS):
        live.observe(live.assembly.loop.tick(live.start + step * timedelta(hours=1)))
    live.clock = DataClock(live.start + (STEPS - 0.5) * timedelta(hours=1))
    yield live
    live.stop()


@pytest.fixture
def view(live: LivePlant) -> PlantView:
    return PlantView(live)


@pytest.fixture
def make_server(view: PlantView) -> Callable[..., Server]:
    def make(**views: PlantView) -> Server:
        seconds = Seconds()
        access = Access(TOKEN, now_s=seconds)
        return Server(create_app(views or {"two": view}, token=TOKEN, access=access), access, seconds)

    return make


@pytest.fixture
def server(make_server: Callable[..., Server]) -> Server:
    return make_server()


@pytest.fixture
def script(server: Server) -> TestClient:
    """A script that carries the token."""
    return server.client(token=TOKEN)
