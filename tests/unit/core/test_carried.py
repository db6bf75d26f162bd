"""Parcels, origins, refusals and deliveries: what is refused at once, and what tells one from another."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from vpp.core.errors import InvalidInputError, SeriesMismatchError
from vpp.core.messages import KINDS, NO_ORIGIN, Channel, Delivery, Origin, Parcel, Readings, Refusal, SeriesKey
from vpp.core.ports import Aggregates
from vpp.core.time import parse_time

REFUSAL = Refusal("homes", "home01", parse_time("2026-01-01T00:00Z"), "json", "no JSON: ...", b"{")


def readings(count: int) -> Readings:
    keys = (SeriesKey("home01_load", "power_kw"),)
    return Readings.from_table("homes", keys, np.arange(count) * 900, -np.ones((count, 1)), arrived_s=count * 900)


@pytest.mark.parametrize("sequence", [-1, -(2**40)])
def test_a_sequence_counts_from_zero(sequence: int) -> None:
    with pytest.raises(InvalidInputError, match=f"sequence: got {sequence}, expected 0 or more"):
        Origin("homes", "home01", "b1", sequence)


def test_a_boot_has_a_name() -> None:
    with pytest.raises(InvalidInputError, match="boot: got '', expected a name"):
        Origin("homes", "home01", "", 0)


def test_unknown_fields_are_not_part_of_who_a_message_is() -> None:
    one = Origin("homes", "home01", "b1", 7, '{"firmware": "2.1"}')
    assert one == Origin("homes", "home01", "b1", 7)
    assert len({one, Origin("homes", "home01", "b1", 7)}) == 1
    assert one != Origin("homes", "home01", "b2", 7)


@pytest.mark.parametrize(
    "other",
    [
        replace(REFUSAL, plant="wholesale"),
        replace(REFUSAL, source="home02"),
        replace(REFUSAL, reason="schema"),
        replace(REFUSAL, payload=b"{}"),
        # The parts may not run into one another.
        replace(REFUSAL, plant="home", source="shome01"),
    ],
)
def test_another_refusal_has_another_digest(other: Refusal) -> None:
    assert other.digest != REFUSAL.digest


def test_the_same_thing_delivered_later_is_the_same_refusal() -> None:
    later = replace(REFUSAL, arrived_at=parse_time("2026-01-02T00:00Z"), message="told otherwise")
    assert later.digest == REFUSAL.digest
    assert len(REFUSAL.digest) == 32


def test_a_delivery_says_of_every_row_which_message_it_is_from() -> None:
    rows = readings(3)
    origin = Origin("homes", "home01", "b1", 0)
    kept = Delivery((origin,), (rows,), (np.array([0, 0, NO_ORIGIN]),))
    assert kept.refusals == ()
    with pytest.raises(SeriesMismatchError, match=r"got \(2,\), expected the shape of the readings, \(3,\)"):
        Delivery((origin,), (rows,), (np.array([0, 0]),))
    with pytest.raises(SeriesMismatchError, match="one array for each of 1"):
        Delivery((origin,), (rows,), ())


def test_a_parcel_is_general_unless_it_says_more() -> None:
    parcel = Parcel("homes", "home01", Channel.TELEMETRY, b"{}")
    assert parcel.kind in KINDS
    assert str(parcel.channel) == "telemetry"


def test_the_mean_of_buckets() -> None:
    buckets = Aggregates(
        SeriesKey("home01_load", "power_kw"),
        60,
        np.array([0, 60]),
        np.array([2, 4]),
        np.array([-3.0, 2.0]),
        np.array([-2.0, 0.0]),
        np.array([-1.0, 1.0]),
    )
    assert buckets.mean.tolist() == [-1.5, 0.5]
