"""Two views of one plant over a real Redis: sockets of one hear the other, and frequent answers are shared."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from vpp.api import live as live_module
from vpp.api.app import create_app
from vpp.config import VPPConfig
from vpp.core.errors import InvalidInputError
from vpp.runtime.build import open_store
from vpp.runtime.clock import DataClock
from vpp.runtime.live import LivePlant, start_replay
from vpp.runtime.relay_cache import SharedView, open_view
from vpp.runtime.view import PlantView

with warnings.catch_warnings():
    # it asks for httpx2 in place of httpx, which nothing else here needs
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient

pytestmark = pytest.mark.server
TOKEN = "Zr2kq1Wm9vXcT7yHs4Lb0NpEgJd8UfAo"
BEGIN = datetime.fromisoformat("2016-08-15T00:00:00Z")


@pytest.fixture(scope="module")
def plants() -> Iterator[list[LivePlant]]:
    """The built-in homes twice, as in two processes over one store."""
    store = open_store("memory://")
    found = []
    for _ in range(2):
        found.append(start_replay(VPPConfig.load("homes"), store))
        found[-1].clock = DataClock(BEGIN)
    yield found
    store.close()


def test_a_socket_of_one_process_hears_what_happens_in_the_other(plants, redis_server, monkeypatch) -> None:
    monkeypatch.setattr(live_module, "WAIT_S", 0.05)
    with open_view(plants[0], redis_server.url) as here, open_view(plants[1], redis_server.url) as there:
        client = TestClient(
            create_app({"homes": here}, token=TOKEN),
            base_url="http://127.0.0.1:8000",
            headers={"Authorization": f"Bearer {TOKEN}"},
        )
        with client.websocket_connect("ws://127.0.0.1:8000/api/v1/plants/homes/live") as heard:
            assert heard.receive_json()["topic"] == "hello"
            row = {"source": "home01_load", "metric": "power_kw", "time": "2016-08-14T17:00:00Z", "value": -1.25}
            there.post_readings([row])
            assert heard.receive_json() == {"topic": "readings", "count": 1}


def test_answers_are_shared_equal_and_fresh_after_a_change(plants, redis_server) -> None:
    with open_view(plants[0], redis_server.url) as here, open_view(plants[1], redis_server.url) as there:
        assert isinstance(here, SharedView)
        plain = PlantView(plants[0])
        assert here.assets() == there.assets() == plain.assets()
        span = (BEGIN - timedelta(days=1), BEGIN)
        assert here.overview(*span) == there.overview(*span) == plain.overview(*span)
        assert here.overview(*span, site="home01") == plain.overview(*span, site="home01") != plain.overview(*span)
        assert there._cache.hits == 2
        row = {"source": "home01_load", "metric": "power_kw", "time": "2016-08-14T18:00:00Z", "value": -3.5}
        here.post_readings([row])
        assert here.assets() == plain.assets()
        deadline = time.monotonic() + 5.0
        while there.assets() != plain.assets():
            assert time.monotonic() < deadline
            time.sleep(0.02)


def test_without_a_url_nothing_is_shared_and_a_wrong_one_is_refused(plants) -> None:
    with open_view(plants[0], None) as view:
        assert type(view) is PlantView
    with pytest.raises(InvalidInputError, match="redis"), open_view(plants[0], "http://127.0.0.1"):
        pass
