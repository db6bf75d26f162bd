from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from vpp.core.errors import InvalidInputError, UnknownNameError, VppError
from vpp.runtime.posted import MOST_ROWS, readings_of
from vpp.runtime.setup import Setup

NOW = datetime(2024, 5, 6, 12, tzinfo=UTC)
GOOD = {"source": "load", "metric": "power_kw", "time": "2024-05-06T11:45:00Z", "value": -1.5}


@pytest.mark.parametrize(
    "row",
    [
        GOOD,
        GOOD | {"value": 0},
        GOOD | {"value": 0.05, "time": "2024-05-06T13:45:00+02:00"},
        GOOD | {"time": datetime(2024, 5, 6, 11, 45, tzinfo=UTC)},
        GOOD | {"source": "pv", "value": 6.0},
        GOOD | {"source": "pv", "value": -0.1},
        GOOD | {"source": "battery", "value": -7.5},
        GOOD | {"source": "battery", "metric": "soc", "value": 1.0},
        GOOD | {"source": "house", "value": 12.0},
        GOOD | {"source": "market", "metric": "price_per_kwh", "value": -0.2, "time": "2024-05-07T21:45:00Z"},
    ],
)
def test_a_sound_row_is_taken_as_it_is(home: Callable[..., Setup], row: dict[str, Any]) -> None:
    (reading,) = readings_of([row], home(), now=NOW).rows()
    assert (reading.plant, reading.key.source, reading.key.metric) == ("home", row["source"], row["metric"])
    assert reading.value == row["value"]
    assert reading.arrived_at == reading.issued_at == NOW


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"value": None}, r"readings\[1\]\.value.*finite number"),
        ({"value": "1.5"}, r"readings\[1\]\.value: got '1\.5'"),
        ({"value": True}, r"readings\[1\]\.value: got True"),
        ({"value": float("nan")}, "finite number"),
        ({"value": float("-inf")}, "finite number"),
        ({"value": 10**400}, "finite number"),
        ({"value": 1.5}, "consumption is negative"),
        ({"value": -15.1}, "-15 to 0 kW"),
        ({"value": -1500.0}, r"got -1500\.0"),
        ({"source": "pv", "value": -1.0}, "generation is positive"),
        ({"source": "pv", "value": 6.1}, "0 to 6 kW"),
        ({"source": "battery", "value": 7.6}, "positive discharges"),
        ({"source": "battery", "metric": "soc", "value": 50}, "fraction, 0 to 1"),
        ({"source": "battery", "metric": "soc", "value": -0.01}, "fraction, 0 to 1"),
        ({"source": "market", "metric": "price", "value": 0.1}, "price_per_kwh"),
        ({"source": "load", "metric": "soc", "value": 0.1}, "power_kw"),
        ({"source": "house", "metric": "soc", "value": 0.1}, "power_kw"),
        ({"source": "lod"}, "did you mean: load"),
        ({"source": None}, "source"),
        ({"metric": None}, "power_kw"),
        ({"time": "2024-05-06T11:45:00"}, r"readings\[1\]\.time.*zone"),
        ({"time": "noon"}, "ISO 8601"),
        ({"time": None}, "ISO 8601"),
        ({"time": 1_715_000_000}, "ISO 8601"),
        ({"time": "2024-05-06T11:50:00Z"}, "start of a step of 900 s"),
        ({"time": "2024-05-06T11:45:00.5Z"}, "start of a step of 900 s"),
        ({"time": "2024-05-06T12:15:00Z"}, "no later than"),
    ],
)
def test_one_bad_row_refuses_all_and_is_named(home: Callable[..., Setup], change: dict[str, Any], words: str) -> None:
    with pytest.raises(VppError, match=words):
        readings_of([GOOD, GOOD | change], home(), now=NOW)


def test_a_missing_field_is_a_fault_not_a_crash(home: Callable[..., Setup]) -> None:
    for name in GOOD:
        row = {key: value for key, value in GOOD.items() if key != name}
        with pytest.raises((InvalidInputError, UnknownNameError)):
            readings_of([row], home(), now=NOW)


def test_the_number_of_rows_is_bounded(home: Callable[..., Setup]) -> None:
    for rows in ([], [GOOD] * (MOST_ROWS + 1)):
        with pytest.raises(InvalidInputError, match=f"1 to {MOST_ROWS} rows"):
            readings_of(rows, home(), now=NOW)
