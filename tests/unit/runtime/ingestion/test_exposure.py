from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from vpp.core.errors import InvalidInputError
from vpp.runtime.ingestion.counting import IngestCounts
from vpp.runtime.ingestion.exposure import Exposure


class Service:
    fault: str | None = None

    def __init__(self) -> None:
        self.counts = IngestCounts()
        self.exposure = Exposure(0, metrics=self.counts.text, fault=lambda: self.fault)

    def get(self, path: str) -> tuple[int, str, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.exposure.port}{path}", timeout=5.0) as answer:
                return answer.status, answer.headers["Content-Type"], answer.read().decode()
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, refused.headers["Content-Type"], refused.read().decode()


@pytest.fixture
def service() -> Iterator[Service]:
    service = Service()
    yield service
    service.exposure.close()


def test_metrics_are_served_as_text(service: Service) -> None:
    service.counts.add("messages_total", 7)
    status, kind, text = service.get("/metrics")
    assert status == 200
    assert kind.startswith("text/plain")
    assert "vpp_ingest_messages_total 7.0" in text


def test_health_turns_red_while_something_is_wrong(service: Service) -> None:
    assert (service.get("/health")[0], json.loads(service.get("/health")[2])["status"]) == (200, "ok")
    service.fault = "the disk is full"
    status, kind, text = service.get("/health")
    assert (status, kind) == (503, "application/json")
    assert json.loads(text) == {"status": "failing", "fault": "the disk is full"}


def test_any_other_path_names_those_that_are(service: Service) -> None:
    status, _, text = service.get("/")
    assert status == 404
    assert "/metrics" in text


def test_a_port_in_use_is_refused(service: Service) -> None:
    with pytest.raises(InvalidInputError, match="a free port"):
        Exposure(service.exposure.port, metrics=lambda: b"", fault=lambda: None)
