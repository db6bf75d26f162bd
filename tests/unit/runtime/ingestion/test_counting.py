from __future__ import annotations

import re

import pytest

from vpp.core.errors import UnknownNameError
from vpp.runtime.ingestion.counting import METRICS, IngestCounts


def test_names_follow_the_convention_of_prometheus() -> None:
    for info in METRICS:
        assert re.fullmatch(r"vpp_ingest_[a-z_]+", info.name)
        assert info.name.endswith("_total") == (info.kind == "counter")
        assert info.meaning.endswith(".")


def test_everything_exposed_is_declared_and_the_other_way_round() -> None:
    counts = IngestCounts()
    counts.add("refusals_total", 1, "clock")
    exposed = set(re.findall(r"^# TYPE (\S+) ", counts.text().decode(), re.MULTILINE))
    made = {name for name in exposed if name.endswith("_created")}
    assert exposed - made == {info.name for info in METRICS}


def test_what_is_counted_is_told_in_all_forms() -> None:
    counts = IngestCounts()
    counts.add("messages_total", 2)
    counts.add("messages_total", 3)
    counts.add("refusals_total", 4, "json")
    counts.set("lag_seconds", 1.5)
    counts.observe("commit_seconds", 0.03)
    assert counts.get("messages_total") == 5
    assert counts.get("refusals_total:json") == 4
    assert counts.get("refusals_total:size") == 0
    assert counts.snapshot()["lag_seconds"] == 1.5
    text = counts.text().decode()
    assert "vpp_ingest_messages_total 5.0" in text
    assert 'vpp_ingest_refusals_total{reason="json"} 4.0' in text
    assert 'vpp_ingest_commit_seconds_bucket{le="0.05"} 1.0' in text


def test_two_services_in_one_process_do_not_mix() -> None:
    first, second = IngestCounts(), IngestCounts()
    first.add("messages_total")
    assert second.get("messages_total") == 0
    assert b"vpp_ingest_messages_total 0.0" in second.text()


def test_a_name_that_is_not_declared_is_refused_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="did you mean: messages_total"):
        IngestCounts().add("mesages_total")
