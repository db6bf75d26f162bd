"""The wire: what is encoded comes back exactly; what is wrong is named; nothing else ever happens."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, timedelta, timezone
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpp.core.errors import InvalidInputError, NaiveTimeError
from vpp.core.messages import Ack, AckStatus, Channel, Command, Parcel, Readings, SeriesKey
from vpp.core.time import epoch_s, from_epoch_s, parse_time
from vpp.streams.wire import (
    LARGEST,
    MOST_BYTES,
    NO_SEQUENCE,
    NodeStatus,
    Telemetry,
    WireError,
    decode_ack,
    decode_command,
    decode_status,
    decode_telemetry,
    encode_ack,
    encode_command,
    encode_status,
    encode_telemetry,
)

AT = parse_time("2026-11-20T15:00:00Z")
AT_S = epoch_s(AT)
ROW = {"asset": "home01_battery", "metric": "power_kw", "time": "2026-11-20T15:00:00Z", "value": -1.25}
ROWS = {"schema": 2, "boot": "9f2c", "sequence": 17, "issued_at": "2026-11-20T15:00:05Z", "readings": [ROW]}
COLUMNS = {
    "schema": 2,
    "boot": "9f2c",
    "sequence": 18,
    "issued_at": "2026-11-20T15:00:05Z",
    "times": ["2026-11-20T15:00:00Z", "2026-11-20T15:15:00+00:00"],
    "series": [
        {"asset": "pv", "metric": "power_kw", "values": [1, None]},
        {"asset": "battery", "metric": "soc", "values": [0.5, 0.25]},
    ],
}
SINGLE = {"schema": 1, "source": "pv", "boot": "9f2c", "sequence": 3, "metric": "power_kw",
          "time": "2026-11-20T15:00:00Z", "value": 4.5}  # fmt: skip


def decoded(document: Any) -> Telemetry:
    payload = document if isinstance(document, bytes) else json.dumps(document).encode()
    return decode_telemetry(Parcel("homes", "home01", Channel.TELEMETRY, payload))


def fault_of(document: Any) -> WireError:
    with pytest.raises(WireError) as caught:
        decoded(document)
    return caught.value


def cells(told: Telemetry) -> set[tuple[str, str, int, float]]:
    return set(zip(told.assets, told.metrics, told.times_s, told.values, strict=True))


def test_rows() -> None:
    assert decoded(ROWS) == Telemetry(2, "9f2c", 17, AT_S + 5, ["home01_battery"], ["power_kw"], [AT_S], [-1.25], "")


def test_columns_leave_out_what_is_not_known() -> None:
    told = decoded(COLUMNS)
    assert cells(told) == {
        ("pv", "power_kw", AT_S, 1.0),
        ("battery", "soc", AT_S, 0.5),
        ("battery", "soc", AT_S + 900, 0.25),
    }


def test_schema_1_counts_as_issued_at_its_time() -> None:
    assert decoded(SINGLE) == Telemetry(1, "9f2c", 3, AT_S, ["pv"], ["power_kw"], [AT_S], [4.5], "")


def test_schema_1_may_leave_out_its_sequence_but_not_half_of_it() -> None:
    bare = {name: value for name, value in SINGLE.items() if name not in ("boot", "sequence")}
    assert decoded(bare)[1:3] == ("", NO_SEQUENCE)
    assert fault_of({**bare, "boot": "9f2c"}).reason == "schema"
    assert fault_of({**bare, "sequence": 1}).reason == "schema"


@pytest.mark.parametrize(
    ("time", "second"),
    [
        ("2026-11-20T15:00:00.999999Z", AT_S),
        ("2026-11-20T16:00:00+01:00", AT_S),
        ("1970-01-01T00:00:00Z", 0),
        ("1969-12-31T23:59:59.5Z", -1),
        ("0001-01-01T00:00:00+23:59", -62_135_596_800 - 86_340),
        ("9999-12-31T23:59:59-23:59", 253_402_300_799 + 86_340),
    ],
)
def test_times_are_cut_to_the_second_before(time: str, second: int) -> None:
    assert decoded({**ROWS, "readings": [{**ROW, "time": time}]}).times_s == [second]


def test_unknown_fields_are_kept_beside_what_is_known() -> None:
    told = decoded({**ROWS, "firmware": {"version": [1, 2]}, "readings": [ROW, {**ROW, "phase": "a\u0000"}]})
    assert json.loads(told.extra) == {"firmware": {"version": [1, 2]}, "readings": {"1": {"phase": "a\u0000"}}}
    assert told.values == [-1.25, -1.25]
    assert told.extra.isascii()
    assert json.loads(decoded({**SINGLE, "unit": "kW"}).extra) == {"unit": "kW"}
    assert json.loads(decoded({**COLUMNS, "n": 1}).extra) == {"n": 1}


def test_the_sequence_of_keys_and_escapes_do_not_matter() -> None:
    shuffled = dict(reversed(ROWS.items()))
    assert decoded(shuffled) == decoded(ROWS)
    escaped = json.dumps(ROWS).replace("home01_battery", "home01\\u005fbattery").encode()
    assert decoded(escaped) == decoded(ROWS)


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in ROWS.items() if key != name}


@pytest.mark.parametrize(
    ("document", "reason", "words"),
    [
        (b"", "json", "character 0"),
        (b"\x00\x01", "json", "character 0"),
        (b'{"schema": 2', "json", "JSON"),
        (b"\xff\xfe" + json.dumps(ROWS).encode(), "encoding", "UTF-8"),
        (json.dumps(ROWS).encode().replace(b"9f2c", b"\xc3("), "encoding", "byte 23"),
        (b"[" * 100_000, "json", "nested less deeply"),
        (b'{"schema":2,"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "json", "nested less deeply"),
        (b" " * (MOST_BYTES + 1), "size", "at most 1048576"),
        (b"{" * 20_000_000, "size", "20000000 bytes"),
        (b"[]", "schema", "an object"),
        (b"17", "schema", "an object"),
        (b'{"schema":2,"schema":2}', "json", "schema: got 'the key stands twice'"),
        (json.dumps(ROWS)[:-1].encode() + b',"boot":"other"}', "json", "boot"),
        (json.dumps(ROWS).encode().replace(b'"value"', b'"value": 1, "value"'), "json", "value"),
        (without("schema"), "schema", "got None, expected 1 or 2"),
        ({**ROWS, "schema": 3}, "schema", "got 3, expected 1 or 2"),
        ({**ROWS, "schema": True}, "schema", "got True"),
        ({**ROWS, "schema": "2"}, "schema", "got '2'"),
        ({**ROWS, "schema": [2]}, "schema", "a list of 1"),
        (without("boot"), "schema", "missing required field boot"),
        (without("readings"), "schema", "readings, or times with series"),
        ({**ROWS, "times": [], "series": []}, "schema", "either of the two forms"),
        ({**COLUMNS, "times": COLUMNS["times"][:1]}, "schema", "one for each of 1 times"),
        ({**ROWS, "boot": ""}, "name", "boot: got ''"),
        ({**ROWS, "boot": "b" * 65}, "name", "length <= 64"),
        ({**ROWS, "boot": "a\u0000"}, "name", "printable"),
        ({**ROWS, "sequence": -1}, "number", "sequence: got -1"),
        ({**ROWS, "sequence": 2**63}, "number", "sequence"),
        ({**ROWS, "sequence": True}, "number", "sequence: got True"),
        ({**ROWS, "sequence": 1.5}, "number", "sequence: got 1.5"),
        ({**ROWS, "issued_at": "2026-11-20T15:00:05"}, "clock", "timezone"),
        ({**ROWS, "readings": [ROW, {**ROW, "time": "yesterday"}]}, "clock", "readings[1].time: got 'yesterday'"),
        ({**ROWS, "readings": [{**ROW, "time": 1_700_000_000}]}, "clock", "readings[0].time"),
        ({**ROWS, "readings": [{**ROW, "asset": 5}]}, "name", "readings[0].asset: got 5"),
        ({**ROWS, "readings": [{**ROW, "asset": ""}]}, "name", "readings[0].asset"),
        ({**ROWS, "readings": [{**ROW, "asset": "a\ud800"}]}, "name", "printable"),
        ({**ROWS, "readings": [{**ROW, "value": True}]}, "number", "readings[0].value: got True"),
        ({**ROWS, "readings": [{**ROW, "value": "1"}]}, "number", "readings[0].value: got '1'"),
        ({**ROWS, "readings": [{**ROW, "value": None}]}, "number", "readings[0].value: got None"),
        ({**ROWS, "readings": [{**ROW, "value": float("nan")}]}, "number", "NaN"),
        ({**ROWS, "readings": [{**ROW, "value": float("-inf")}]}, "number", "-Infinity"),
        ({**ROWS, "readings": [{**ROW, "value": 1e308}]}, "range", "readings[0].value: got 1e+308"),
        ({**ROWS, "readings": [{**ROW, "value": 10**40}]}, "range", "readings[0].value"),
        ({**ROWS, "readings": [{**ROW, "value": 10**400}]}, "number", "readings[0].value"),
        (json.dumps(ROWS).encode().replace(b"-1.25", b"1e999"), "number", "1e999"),
        (json.dumps(ROWS).encode().replace(b"-1.25", b"1" * 5000), "number", "thousands of digits"),
        (json.dumps({**ROWS, "x": 0}).encode().replace(b'"x": 0', b'"x": 1e999'), "number", "1e999"),
        ({**ROWS, "readings": [17]}, "schema", "readings[0]: got 17"),
        ({**ROWS, "readings": ROW}, "schema", "readings: got 'an object of 4'"),
        ({**COLUMNS, "series": [{"asset": "a", "metric": "b", "values": [0, 1e16]}]}, "range", "series[0].values[1]"),
        ({**SINGLE, "value": LARGEST}, "range", "value: got 1000000000000000.0"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(document: Any, reason: str, words: str) -> None:
    fault = fault_of(document)
    assert fault.reason == reason
    assert words in str(fault)
    assert len(str(fault)) < 500


def test_a_long_value_is_not_repeated_in_the_message() -> None:
    fault = fault_of({**ROWS, "readings": [{**ROW, "asset": "a" * 100_000}]})
    assert fault.reason == "name"
    assert len(str(fault)) < 300


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
FIELDS = st.sampled_from(
    ["schema", "boot", "sequence", "issued_at", "readings", "times", "series", "source", "metric", "time", "value",
     "asset", "values", "unheard"]
)  # fmt: skip


def decode_anything(payload: bytes) -> None:
    reasons = set()
    for decode in (lambda: decoded(payload), lambda: decode_command(payload), lambda: decode_ack(payload),
                   lambda: decode_status(payload)):  # fmt: skip
        try:
            decode()
        except WireError as fault:
            reasons.add(fault.reason)
    assert reasons <= {"size", "encoding", "json", "schema", "name", "number", "range", "clock"}


@given(st.binary(max_size=200))
def test_any_bytes_end_in_an_answer_or_a_wire_error(payload: bytes) -> None:
    decode_anything(payload)


@given(st.sampled_from([ROWS, COLUMNS, SINGLE]), FIELDS, JSON_VALUES, st.integers(0, 3))
def test_any_field_replaced_ends_in_an_answer_or_a_wire_error(
    whole: dict[str, Any], name: str, value: Any, depth: int
) -> None:
    document = json.loads(json.dumps(whole))
    target = document
    for key in ("readings", "series")[: depth % 3]:
        if isinstance(document.get(key), list):
            target = document[key][0]
    target[name] = value
    decode_anything(json.dumps(document).encode())


@given(st.sampled_from([ROWS, COLUMNS, SINGLE]), st.integers(0, 400), st.binary(max_size=3), st.integers(0, 3))
def test_any_bytes_changed_end_in_an_answer_or_a_wire_error(
    whole: dict[str, Any], place: int, put: bytes, cut: int
) -> None:
    payload = json.dumps(whole).encode()
    decode_anything(payload[:place] + put + payload[place + cut :])


@given(
    st.lists(
        st.tuples(
            st.integers(0, 3),
            st.integers(-(10**9), 4 * 10**9),
            st.floats(-LARGEST, LARGEST, exclude_min=True, exclude_max=True),
        ),
        min_size=1,
        max_size=40,
    ),
    st.integers(0, 2**63 - 1),
)
def test_readings_come_back_exactly(rows: list[tuple[int, int, float]], sequence: int) -> None:
    keys = tuple(SeriesKey(f"asset{i}", "power_kw" if i % 2 else "soc") for i in range(4))
    series, times_s, values = (list(column) for column in zip(*rows, strict=True))
    readings = Readings(
        "homes",
        keys,
        np.array(series),
        np.array(times_s),
        np.full(len(rows), AT_S),
        np.full(len(rows), AT_S),
        np.array(values),
        np.zeros(len(rows), dtype=np.int64),
    )
    told = decoded(encode_telemetry(readings, boot="b", sequence=sequence))
    want = [(keys[i].source, keys[i].metric, at_s, value) for i, at_s, value in rows]
    got = list(zip(told.assets, told.metrics, told.times_s, told.values, strict=True))
    assert sorted(map(str, got)) == sorted(map(str, want))  # as text, for which -0.0 is not 0.0
    assert (told.boot, told.sequence, told.issued_s) == ("b", sequence, AT_S)


def table(steps: int) -> Readings:
    keys = (SeriesKey("pv", "power_kw"), SeriesKey("battery", "soc"))
    values = np.arange(2.0 * steps).reshape(steps, 2)
    return Readings.from_table("homes", keys, AT_S + 900 * np.arange(steps), values, arrived_s=AT_S)


def test_a_full_table_goes_in_columns_and_a_moment_in_rows() -> None:
    assert "readings" in json.loads(encode_telemetry(table(1), boot="b", sequence=0))
    bulk = encode_telemetry(table(500), boot="b", sequence=0)
    assert "series" in json.loads(bulk)
    assert len(cells(decoded(bulk))) == 1000


def test_what_cannot_be_sent_is_refused_before_it_is_sent() -> None:
    empty = Readings.from_table("homes", (), np.array([], dtype=np.int64), np.empty((0, 0)), arrived_s=0)
    with pytest.raises(InvalidInputError, match="at least one"):
        encode_telemetry(empty, boot="b", sequence=0)
    with pytest.raises(InvalidInputError, match="in parts"):
        encode_telemetry(table(60_000), boot="b", sequence=0)


NAMES = st.text(st.characters(categories=("L", "N", "P")), min_size=1, max_size=20)
MOMENTS = st.datetimes(timezones=st.just(UTC))
NUMBERS = st.floats(-1e14, 1e14)
COMMANDS = st.builds(
    lambda start, length_s, **rest: Command(start=start, end=start + timedelta(seconds=length_s), **rest),
    start=st.integers(0, 4 * 10**9).map(from_epoch_s),
    length_s=st.integers(1, 10**6),
    id=NAMES,
    plant=NAMES,
    asset_id=NAMES,
    issued_at=MOMENTS,
    power_kw=NUMBERS,
    grid_floor_kw=st.none() | NUMBERS,
    grid_ceiling_kw=st.none() | NUMBERS,
    may_reverse=st.booleans(),
)
ACKS = st.builds(
    Ack, NAMES, NAMES, NAMES, MOMENTS, st.sampled_from(AckStatus), st.none() | NUMBERS, st.text(max_size=50)
)
FACTS = st.dictionaries(NAMES, st.none() | st.booleans() | NUMBERS | st.integers(-(2**53), 2**53) | NAMES, max_size=4)
STATUSES = st.builds(NodeStatus, NAMES, NAMES, NAMES, st.booleans(), MOMENTS, FACTS)


@given(COMMANDS, ACKS, STATUSES)
def test_orders_come_back_exactly(command: Command, ack: Ack, status: NodeStatus) -> None:
    assert decode_command(encode_command(command)) == command
    assert decode_ack(encode_ack(ack)) == ack
    assert decode_status(encode_status(status)) == status


COMMAND = Command("c1", "homes", "battery", AT, AT, AT + timedelta(minutes=15), -2.0)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"signature": "ab"}, "schema"),
        ({"schema": 1}, "schema"),
        ({"schema": 2.0}, "schema"),
        ({"end": "2026-11-20T15:00:00Z"}, "clock"),
        ({"start": "2026-11-20T15:00:00"}, "clock"),
        ({"power_kw": 1e300}, "range"),
        ({"power_kw": None}, "number"),
        ({"power_kw": True}, "number"),
        ({"may_reverse": 1}, "schema"),
        ({"asset_id": "a\u0007"}, "name"),
    ],
)
def test_a_command_that_is_not_wholly_understood_is_refused(change: dict[str, Any], reason: str) -> None:
    document = {**json.loads(encode_command(COMMAND)), **change}
    with pytest.raises(WireError) as caught:
        decode_command(json.dumps(document).encode())
    assert caught.value.reason == reason


def test_answers_and_status_may_say_more_than_is_known() -> None:
    ack = Ack("c1", "homes", "battery", AT, AckStatus.EXECUTED, -2.0)
    assert decode_ack(encode_ack(ack)[:-1] + b',"more":1}') == ack
    status = NodeStatus("homes", "home01", "9f2c", True, AT, {"buffered": 3})
    assert decode_status(encode_status(status)[:-1] + b',"more":1}') == status


def test_what_would_not_come_back_is_not_encoded() -> None:
    with pytest.raises(InvalidInputError, match="power_kw: got nan"):
        encode_command(replace(COMMAND, power_kw=float("nan")))
    with pytest.raises(NaiveTimeError):
        encode_status(NodeStatus("homes", "home01", "9f2c", True, AT.replace(tzinfo=None)))


def test_other_zones_come_back_as_utc() -> None:
    east = timezone(timedelta(hours=2))
    status = NodeStatus("homes", "home01", "9f2c", True, AT.astimezone(east))
    assert decode_status(encode_status(status)).at.tzinfo is UTC
