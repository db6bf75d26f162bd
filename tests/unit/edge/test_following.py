"""Following the meter: as the simulation of a site does it, and shared among several batteries."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from vpp.core.messages import Command
from vpp.edge.following import capped_kw, followed_kw

START = datetime(2026, 11, 20, tzinfo=UTC)


def command(*, floor: float | None = None, ceiling: float | None = None, may_reverse: bool = False) -> Command:
    return Command("c", "p", "store", START, START, START + timedelta(hours=1), 0.0, floor, ceiling, may_reverse)


@pytest.mark.parametrize(
    ("order", "power_kw", "grid_kw", "followers", "follows_kw"),
    [
        (command(), 2.0, -9.0, 1, 2.0),
        (command(floor=0.0), 2.0, 1.0, 1, 2.0),
        (command(floor=0.0), 2.0, -3.0, 1, 5.0),
        (command(floor=0.0), 2.0, -3.0, 2, 3.5),
        (command(ceiling=0.0), -2.0, 3.0, 1, -5.0),
        (command(ceiling=0.0), 2.0, 5.0, 1, 0.0),
        (command(ceiling=0.0, may_reverse=True), 2.0, 5.0, 1, -3.0),
        (command(floor=0.0), -2.0, -5.0, 1, 0.0),
        (command(floor=0.0, may_reverse=True), -2.0, -5.0, 1, 3.0),
        (command(floor=-1.0, ceiling=1.0), 0.0, 4.0, 1, -3.0),
    ],
)
def test_a_battery_keeps_the_grid_within_floor_and_ceiling(
    order: Command, power_kw: float, grid_kw: float, followers: int, follows_kw: float
) -> None:
    assert followed_kw(order, power_kw, held_grid_kw=grid_kw, followers=followers) == follows_kw


@pytest.mark.parametrize(
    ("order", "made_kw", "grid_kw", "cap_kw"),
    [
        (command(), 4.0, 9.0, 5.0),
        (command(ceiling=2.0), 4.0, 3.0, 3.0),
        (command(ceiling=2.0), 4.0, 1.0, 5.0),
        (command(ceiling=0.0), 1.0, 3.0, 0.0),
    ],
)
def test_a_generator_keeps_the_grid_below_the_ceiling(
    order: Command, made_kw: float, grid_kw: float, cap_kw: float
) -> None:
    assert capped_kw(order, 5.0, made_kw=made_kw, grid_kw=grid_kw) == cap_kw
