"""Every counter that Prometheus can read is told in the docs, with the name it is read under."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from vpp.runtime.ingestion.counting import METRICS

DOCS = Path(__file__).resolve().parents[2] / "docs"
SOURCE = Path(__file__).resolve().parents[2] / "src" / "vpp"


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_every_counter_of_ingestion_is_documented(metric: object) -> None:
    assert f"`{metric.name}`" in (DOCS / "ingest.md").read_text(encoding="utf-8")  # type: ignore[attr-defined]


def test_every_counter_of_the_gateway_is_documented() -> None:
    page = (DOCS / "edge.md").read_text(encoding="utf-8")
    named = {
        name
        for path in SOURCE.rglob("*.py")
        for name in re.findall(r"\"(vpp_edge_[a-z_]+)\"", path.read_text(encoding="utf-8"))
    }
    assert len(named) > 10
    assert sorted(name for name in named if f"`{name}`" not in page) == []
