from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpp.core.errors import InvalidInputError
from vpp.core.time import parse_time
from vpp.edge.drivers.payload_path import LARGEST_PAYLOAD, document, number_at, time_at


@pytest.mark.parametrize(
    ("payload", "path", "value"),
    [
        (b"12.5", "", 12.5),
        (b" -3 ", "", -3.0),
        (b'"7.5"', "", 7.5),
        (b'{"power": 4}', "power", 4.0),
        (b'{"a": {"b": [1, {"c": -2e3}]}}', "a.b.1.c", -2000.0),
        (b"[5, 6]", "1", 6.0),
        (b"-0.0", "", 0.0),
    ],
)
def test_a_number_is_found(payload: bytes, path: str, value: float) -> None:
    assert number_at(document(payload), path) == value


@pytest.mark.parametrize(
    ("payload", "path"),
    [
        (b"", ""),
        (b"on", ""),
        (b"null", ""),
        (b"true", ""),
        (b"NaN", ""),
        (b'"nan"', ""),
        (b'"inf"', ""),
        (b"1e999", ""),
        (b"1" * 400, ""),
        (b"\xff\xfe", ""),
        (b"{}", "power"),
        (b"[1]", "1"),
        (b"[1]", "-1"),
        (b'{"a": 1}', "a.b"),
        (b'{"a": {}}', "a"),
        (b"[" * 100_000, ""),
        (b" " * LARGEST_PAYLOAD + b"1", ""),
    ],
)
def test_what_is_no_number_is_refused(payload: bytes, path: str) -> None:
    with pytest.raises(InvalidInputError):
        number_at(document(payload), path)


@given(st.binary(max_size=200), st.text(max_size=10))
def test_no_payload_breaks_it(payload: bytes, path: str) -> None:
    with suppress(InvalidInputError):
        number_at(document(payload), path)


@pytest.mark.parametrize(
    ("payload", "time"),
    [
        (b'{"t": "2026-06-01T14:00:00+02:00"}', "2026-06-01T12:00:00Z"),
        (b'{"t": 1780315200}', "2026-06-01T12:00:00Z"),
        (b'{"t": "2026-06-01T12:00:00"}', None),
        (b'{"t": 1780315200000}', None),
        (b'{"t": -1}', None),
        (b'{"t": "noon"}', None),
        (b"{}", None),
    ],
)
def test_a_time_has_a_zone_and_a_unit(payload: bytes, time: str | None) -> None:
    if time is None:
        with pytest.raises(InvalidInputError):
            time_at(document(payload), "t")
    else:
        assert time_at(document(payload), "t") == parse_time(time)
