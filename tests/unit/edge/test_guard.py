"""The guard's table: what is refused, expired, clipped and taken, with boundary rows."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import inf, nan

import pytest

from vpp.core.messages import AckStatus, Command
from vpp.edge.guard import CLOCK_TOLERANCE_S, Guard
from vpp.edge.limits import AssetLimits

NOW = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
COMMAND = Command("c1", "homes", "store", NOW, NOW, NOW + timedelta(minutes=15), 2.0)
LIMITS = AssetLimits(asset_id="store", low_kw=-4.0, high_kw=5.0, safe_kw=0.0, most_commands_per_min=3)


@pytest.fixture
def guard() -> Guard:
    return Guard("homes", "home01", {"store": LIMITS})


@pytest.mark.parametrize(
    ("power_kw", "status", "set_kw"),
    [
        (5.0, AckStatus.EXECUTED, 5.0),
        (5.001, AckStatus.LIMITED, 5.0),
        (-4.0, AckStatus.EXECUTED, -4.0),
        (-1e308, AckStatus.LIMITED, -4.0),
        (0.0, AckStatus.EXECUTED, 0.0),
    ],
)
def test_power_is_clipped_to_the_bounds(guard: Guard, power_kw: float, status: AckStatus, set_kw: float) -> None:
    verdict = guard.assess(replace(COMMAND, power_kw=power_kw), now=NOW, steady_s=0.0)
    assert (verdict.status, verdict.power_kw) == (status, set_kw)


@pytest.mark.parametrize(
    ("changes", "status", "words"),
    [
        ({"plant": "other"}, AckStatus.REFUSED, "a command for plant 'other'; this is 'homes'"),
        ({"asset_id": "pv"}, AckStatus.REFUSED, "'pv' takes no set-point at node 'home01'"),
        ({"power_kw": nan}, AckStatus.REFUSED, "not finite"),
        ({"power_kw": inf}, AckStatus.REFUSED, "not finite"),
        ({"grid_floor_kw": -inf}, AckStatus.REFUSED, "not finite"),
        ({"end": NOW}, AckStatus.REFUSED, "before it starts"),
        ({"start": NOW - timedelta(hours=1), "end": NOW}, AckStatus.EXPIRED, "before it could be executed"),
        ({"issued_at": NOW + timedelta(seconds=CLOCK_TOLERANCE_S + 1)}, AckStatus.REFUSED, "ahead of this gateway"),
        (
            {"start": NOW + timedelta(days=1, seconds=1), "end": NOW + timedelta(days=2)},
            AckStatus.REFUSED,
            "more than a day ahead",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused(
    guard: Guard, changes: dict[str, object], status: AckStatus, words: str
) -> None:
    verdict = guard.assess(replace(COMMAND, **changes), now=NOW, steady_s=0.0)
    assert verdict.status is status
    assert words in verdict.message
    assert not verdict.is_taken


@pytest.mark.parametrize(
    "changes",
    [
        {"end": NOW + timedelta(microseconds=1)},
        {"issued_at": NOW + timedelta(seconds=CLOCK_TOLERANCE_S)},
        {"start": NOW + timedelta(days=1), "end": NOW + timedelta(days=2)},
    ],
)
def test_the_last_that_still_can_is_taken(guard: Guard, changes: dict[str, object]) -> None:
    assert guard.assess(replace(COMMAND, **changes), now=NOW, steady_s=0.0).is_taken


def test_commands_beyond_the_rate_are_refused_until_a_minute_has_passed(guard: Guard) -> None:
    for second in range(3):
        assert guard.assess(COMMAND, now=NOW, steady_s=float(second)).is_taken
    refused = guard.assess(COMMAND, now=NOW, steady_s=59.9)
    assert refused.message == "more than 3 commands for store within a minute"
    assert guard.assess(COMMAND, now=NOW, steady_s=60.0).is_taken


def test_a_command_that_was_overtaken_is_refused(guard: Guard) -> None:
    newer = replace(COMMAND, id="c2", issued_at=NOW - timedelta(seconds=1))
    older = replace(COMMAND, id="c1", issued_at=NOW - timedelta(seconds=2))
    assert guard.assess(newer, now=NOW, steady_s=0.0).is_taken
    assert "'c2' was issued later" in guard.assess(older, now=NOW, steady_s=1.0).message
    elsewhere = replace(older, start=newer.end, end=newer.end + timedelta(minutes=15))
    assert guard.assess(elsewhere, now=NOW, steady_s=2.0).is_taken
