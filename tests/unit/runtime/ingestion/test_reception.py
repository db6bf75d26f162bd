from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np
import pytest

from vpp.core.assets import Plant
from vpp.core.messages import NO_ORIGIN, Ack, AckStatus, Channel, Origin, Parcel, Quality
from vpp.runtime.ingestion.reception import Reception
from vpp.streams.wire import NodeStatus, encode_ack, encode_status

Maker = Callable[..., Parcel]


def raw(payload: bytes, channel: Channel = Channel.TELEMETRY, *, plant: str = "home", source: str = "house") -> Parcel:
    return Parcel(plant, source, channel, payload)


def test_a_sound_message_becomes_readings_with_their_origin(home: Plant, parcel: Maker, now: datetime) -> None:
    time = "2026-11-20T15:00:00Z"
    told = parcel(("load", "power_kw", time, -1.5), ("battery", "soc", time, 0.5), sequence=7)
    received = Reception([home]).receive([told], now)
    (rows,) = received.delivery.readings
    assert [(str(row.key), row.value, row.quality) for row in rows.rows()] == [
        ("load/power_kw", -1.5, Quality.GOOD),
        ("battery/soc", 0.5, Quality.GOOD),
    ]
    assert {(row.plant, row.time.isoformat()) for row in rows.rows()} == {("home", "2026-11-20T15:00:00+00:00")}
    assert {row.issued_at for row in rows.rows()} == {datetime(2026, 11, 20, 15, 0, 5, tzinfo=UTC)}
    assert {row.arrived_at for row in rows.rows()} == {now}
    assert received.delivery.origins == (Origin("home", "house", "b1", 7),)
    assert received.delivery.message[0].tolist() == [0, 0]
    assert (received.readings, received.flagged, received.refused) == (2, 0, {})


def test_of_a_message_that_is_wrong_in_part_the_good_is_kept(home: Plant, parcel: Maker, now: datetime) -> None:
    time = "2026-11-20T15:00:00Z"
    told = parcel(
        ("load", "power_kw", time, -1.5),
        ("load", "power_kw", time, -1500.0),
        ("lod", "power_kw", time, -1.0),
        ("pv", "power_kw", "2026-11-21T15:00:00Z", 1.0),
        ("pv", "voltage", time, 230.0),
        ("pv", "power_kw", "1970-01-01T00:00:00Z", 1.0),
        ("pv", "power_kw", time, 4.9),
    )
    received = Reception([home]).receive([told], now)
    (rows,) = received.delivery.readings
    assert rows.value.tolist() == [-1.5, 4.9]
    assert rows.quality.tolist() == [0, int(Quality.OUT_OF_RANGE)]
    assert received.flagged == 1
    refusals = {json.loads(one.payload)["value"]: one for one in received.delivery.refusals}
    assert received.refused == {"name": 2, "unit": 1, "clock": 2}
    assert refusals[-1500.0].reason == "unit"
    assert "got -1500.0, expected -15 to 0 kW" in refusals[-1500.0].message
    assert json.loads(refusals[-1500.0].payload) == {
        "boot": "b1",
        "sequence": 0,
        "asset": "load",
        "metric": "power_kw",
        "time": "2026-11-20T15:00:00+00:00",
        "value": -1500.0,
    }
    assert "did you mean: load" in refusals[-1.0].message
    assert len({one.digest for one in received.delivery.refusals}) == 5


def test_minus_zero_is_zero(home: Plant, parcel: Maker, now: datetime) -> None:
    received = Reception([home]).receive([parcel(("pv", "power_kw", "2026-11-20T15:00:00Z", -0.0))], now)
    assert not np.signbit(received.delivery.readings[0].value[0])


def test_a_message_without_a_sequence_is_kept_without_an_origin(home: Plant, now: datetime) -> None:
    payload = b'{"schema":1,"source":"pv","metric":"power_kw","time":"2026-11-20T15:00:00Z","value":1.0}'
    delivery = Reception([home]).receive([raw(payload)], now).delivery
    assert delivery.origins == ()
    assert delivery.message[0].tolist() == [NO_ORIGIN]
    assert len(delivery.readings[0]) == 1


def test_unknown_fields_travel_with_the_origin(home: Plant, now: datetime) -> None:
    payload = (
        b'{"schema":2,"boot":"b","sequence":1,"issued_at":"2026-11-20T15:00:00Z","firmware":"9.1",'
        b'"readings":[{"asset":"pv","metric":"power_kw","time":"2026-11-20T15:00:00Z","value":1.0}]}'
    )
    (origin,) = Reception([home]).receive([raw(payload)], now).delivery.origins
    assert json.loads(origin.extra) == {"firmware": "9.1"}


def test_a_device_ahead_of_time_did_not_issue_after_the_arrival(home: Plant, parcel: Maker, now: datetime) -> None:
    rows = Reception([home]).receive([parcel(issued_at="2026-11-21T15:00:00Z")], now).delivery.readings[0]
    assert rows.issued_s.tolist() == rows.arrived_s.tolist()


@pytest.mark.parametrize(
    ("broken", "reason", "words"),
    [
        (raw(b""), "json", "JSON"),
        (raw(b"\xff\xfe\x00"), "encoding", "UTF-8"),
        (raw(b"[1]"), "schema", "an object"),
        (raw(b'{"schema":9}'), "schema", "1 or 2"),
        (raw(b"[" * 100_000), "json", ""),
        (raw(b'{"a":' * 100_000), "json", ""),
        (raw(b" " * 20_000_000), "size", "at most 1048576"),
        (raw(b"{}", plant="elsewhere"), "name", "no plant called 'elsewhere'"),
        (raw(b"{}", plant=""), "name", "no plant called ''"),
        (raw(b"{}", source=""), "name", "names the node"),
        (raw(b"{}", Channel.CONTROL), "name", "nodes obey control"),
        (raw(b"{}", Channel.ACK), "schema", ""),
        (raw(b"{}", Channel.STATUS), "schema", ""),
    ],
    ids=range(13),
)
def test_poison_is_put_aside_with_its_reason(
    home: Plant, now: datetime, broken: Parcel, reason: str, words: str
) -> None:
    (refusal,) = Reception([home]).receive([broken], now).delivery.refusals
    assert (refusal.reason, refusal.plant, refusal.source) == (reason, broken.plant, broken.source)
    assert words in refusal.message
    assert len(refusal.payload) <= 65_536
    assert broken.payload.startswith(refusal.payload.split(b" ... cut, ")[0])
    assert refusal.arrived_at == now


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e999", "true", '"1.5"', "null", "1e308", "[1]"])
def test_what_is_no_number_is_never_kept(home: Plant, now: datetime, value: str) -> None:
    readings = f'[{{"asset":"house","metric":"power_kw","time":"2026-11-20T15:00:00Z","value":{value}}}]'
    payload = f'{{"schema":2,"boot":"b","sequence":1,"issued_at":"2026-11-20T15:00:00Z","readings":{readings}}}'
    received = Reception([home]).receive([raw(payload.encode())], now)
    assert sum(len(rows) for rows in received.delivery.readings) == 0
    assert len(received.delivery.refusals) == 1


@pytest.mark.parametrize(
    "time", ["2026-11-20T15:00:00", "noon", "9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+12:00"]
)
def test_times_that_are_none_are_refused(home: Plant, parcel: Maker, now: datetime, time: str) -> None:
    received = Reception([home]).receive([parcel(("pv", "power_kw", time, 1.0))], now)
    assert received.delivery.readings == ()
    assert set(received.refused) <= {"clock", "schema"}
    assert sum(received.refused.values()) == 1


def test_long_payloads_that_begin_alike_are_told_apart(home: Plant, now: datetime) -> None:
    parcels = [raw(b"x" * 2_000_000 + b"%d" % number) for number in (1, 2, 2)]
    refusals = Reception([home]).receive(parcels, now).delivery.refusals
    assert len({refusal.digest for refusal in refusals}) == 2
    assert refusals[0].payload.startswith(b"xxx")
    assert b" ... cut, 2000001 bytes, blake2b " in refusals[0].payload


def test_names_with_control_characters_are_cleaned(home: Plant, now: datetime) -> None:
    (refusal,) = Reception([home]).receive([raw(b"{}", plant="a\x00b", source="c\x1b[2J")], now).delivery.refusals
    assert (refusal.plant, refusal.source) == ("a?b", "c?[2J")
    assert refusal.message.isprintable()


def ack_of(**changes: object) -> Ack:
    fields = {
        "command_id": "c1",
        "plant": "home",
        "asset_id": "battery",
        "at": datetime(2026, 11, 20, 15, 0, 9, tzinfo=UTC),
        "status": AckStatus.EXECUTED,
        "power_kw": 2.5,
    }
    return Ack(**(fields | changes))  # type: ignore[arg-type]


def test_an_answer_is_taken_and_a_false_one_is_not(home: Plant, now: datetime) -> None:
    good = ack_of()
    old, early = datetime(1970, 1, 1, tzinfo=UTC), datetime(2026, 11, 21, tzinfo=UTC)
    bad = [ack_of(plant="other"), ack_of(asset_id="batery"), ack_of(at=old), ack_of(at=early)]
    received = Reception([home]).receive([raw(encode_ack(one), Channel.ACK) for one in [good, *bad]], now)
    assert received.acks == (good,)
    assert [one.reason for one in received.delivery.refusals] == ["name", "name", "clock", "clock"]


def test_a_status_speaks_for_its_own_node_alone(home: Plant, now: datetime) -> None:
    good = NodeStatus("home", "house", "b1", True, now)
    bad = NodeStatus("home", "barn", "b1", False, now)
    received = Reception([home]).receive([raw(encode_status(one), Channel.STATUS) for one in (good, bad)], now)
    assert received.statuses == (good,)
    assert received.refused == {"name": 1}
