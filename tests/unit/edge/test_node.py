"""A node: commands to set-points to answers; and that nothing it is sent makes a device pass its limits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from math import inf, nan
from random import Random

import pytest

from vpp.core.messages import POWER_KW, Ack, AckStatus, Command
from vpp.edge.limits import AssetLimits
from vpp.edge.node import Node
from vpp.edge.steering import Why
from vpp.edge.worker import Telling, Told

NOW = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
STORE = AssetLimits(asset_id="store", low_kw=-4.0, high_kw=5.0, safe_kw=0.0)
ROOF = AssetLimits(asset_id="roof", low_kw=0.0, high_kw=8.0, safe_kw=8.0, is_generator=True)


def at(now_s: float) -> datetime:
    return NOW + timedelta(seconds=now_s)


def command(power_kw: float, *, asset: str = "store", name: str = "c1", start_s: float = 0.0, end_s: float = 900.0,
            issued_s: float = 0.0) -> Command:  # fmt: skip
    return Command(name, "homes", asset, at(issued_s), at(start_s), at(end_s), power_kw)


@pytest.fixture
def node() -> Node:
    return Node("homes", "home01", {"store": STORE, "roof": ROOF}, head_end_timeout_s=60.0, hold_s=5.0, now_s=0.0)


def tick(node: Node, now_s: float) -> tuple[dict[str, Telling], list[Ack]]:
    tellings, answers = node.tick(now=at(now_s), now_s=now_s)
    return {one.asset_id: one for one in tellings}, [ack for _, ack in answers]


def obey(node: Node, telling: Telling, now_s: float, **told: object) -> list[Ack]:
    done = replace(Told(telling, measured_kw=telling.power_kw, is_exact=True), **told)
    return [ack for _, ack in node.told(done, now=at(now_s), now_s=now_s)]


def test_it_begins_with_the_safe_set_points(node: Node) -> None:
    tellings, answers = tick(node, 0.0)
    assert {asset: (one.power_kw, one.why) for asset, one in tellings.items()} == {
        "store": (0.0, Why.SAFE),
        "roof": (8.0, Why.SAFE),
    }
    assert answers == []
    assert tick(node, 1.0) == ({}, [])


def test_a_command_is_told_answered_with_what_was_measured_and_lapses(node: Node) -> None:
    tick(node, 0.0)
    assert node.take(command(2.0, end_s=30.0), now=at(1.0), now_s=1.0) is None
    tellings, _ = tick(node, 1.0)
    assert tellings["store"].power_kw == 2.0
    (ack,) = obey(node, tellings["store"], 1.1)
    assert (ack.command_id, ack.status, ack.power_kw) == ("c1", AckStatus.EXECUTED, 2.0)
    assert tick(node, 34.9)[0] == {}
    assert tick(node, 35.1)[0]["store"].why is Why.SAFE


def test_a_command_for_later_waits_and_is_answered_when_it_starts(node: Node) -> None:
    tick(node, 0.0)
    assert node.take(command(2.0, start_s=10.0), now=at(1.0), now_s=1.0) is None
    assert tick(node, 9.9) == ({}, [])
    assert tick(node, 10.0)[0]["store"].order is not None


def test_the_same_power_again_is_told_again_so_that_it_can_be_answered(node: Node) -> None:
    tick(node, 0.0)
    for name, issued_s in (("c1", 0.0), ("c2", 1.0)):
        node.take(command(2.0, name=name, issued_s=issued_s), now=at(issued_s), now_s=issued_s)
        (ack,) = obey(node, tick(node, issued_s)[0]["store"], issued_s)
        assert ack.command_id == name


@pytest.mark.parametrize(
    ("asset", "asked", "told", "status", "words"),
    [
        ("store", 9.0, {}, AckStatus.LIMITED, "allows -4 to 5 kW"),
        ("store", 3.0, {"measured_kw": 1.0}, AckStatus.LIMITED, "told 3.000 kW, the device gives 1.000 kW"),
        ("store", 3.0, {"measured_kw": 1.0, "is_exact": False}, AckStatus.EXECUTED, ""),
        ("roof", 6.0, {"measured_kw": 1.0}, AckStatus.EXECUTED, ""),
        ("roof", 6.0, {"measured_kw": 7.0}, AckStatus.LIMITED, "the device gives 7.000 kW"),
        ("store", 3.0, {"fault": "no answer"}, AckStatus.REFUSED, "no answer"),
    ],
)
def test_the_answer_says_what_became_of_it(
    node: Node, asset: str, asked: float, told: dict[str, object], status: AckStatus, words: str
) -> None:
    tick(node, 0.0)
    node.take(command(asked, asset=asset), now=at(1.0), now_s=1.0)
    (ack,) = obey(node, tick(node, 1.0)[0][asset], 1.0, **told)
    assert ack.status is status
    assert words in ack.message


def test_a_command_that_a_device_refused_is_not_executed_later(node: Node) -> None:
    tick(node, 0.0)
    node.take(command(3.0), now=at(1.0), now_s=1.0)
    obey(node, tick(node, 1.0)[0]["store"], 1.0, fault="no answer")
    assert tick(node, 2.0)[0]["store"].power_kw == 0.0


def test_a_command_whose_device_hangs_expires(node: Node) -> None:
    tick(node, 0.0)
    node.take(command(3.0, end_s=30.0), now=at(1.0), now_s=1.0)
    told = tick(node, 1.0)[0]["store"]
    (ack,) = tick(node, 30.0)[1]
    assert (ack.status, ack.message) == (AckStatus.EXPIRED, "the device did not answer by its end")
    assert obey(node, told, 31.0) == []


def test_a_slew_limit_is_told_in_the_answer() -> None:
    slow = replace(STORE, slew_kw_per_min=60.0)
    node = Node("homes", "home01", {"store": slow}, head_end_timeout_s=60.0, hold_s=5.0, now_s=0.0)
    tick(node, 0.0)
    node.take(command(3.0), now=at(1.0), now_s=1.0)
    (ack,) = obey(node, tick(node, 1.0)[0]["store"], 1.0)
    assert (ack.status, ack.message) == (AckStatus.LIMITED, "at 1.000 kW on its way to 3.000 kW")
    assert [tick(node, 2.0)[0]["store"].power_kw, tick(node, 3.0)[0]["store"].power_kw] == [2.0, 3.0]


@pytest.mark.parametrize("heard_s", [0.0, 17.0, 59.0])
def test_silence_makes_every_asset_safe_one_tick_after_the_timeout_and_a_command_ends_it(
    node: Node, heard_s: float
) -> None:
    node.take(command(3.0, end_s=100_000.0), now=at(heard_s), now_s=heard_s)
    node.take(command(2.0, name="c2", asset="roof", end_s=100_000.0), now=at(heard_s), now_s=heard_s)
    tick(node, heard_s)
    assert tick(node, heard_s + 60.0)[0] == {}
    assert not node.is_silent
    tellings, _ = tick(node, heard_s + 60.25)
    assert node.is_silent
    assert {asset: one.power_kw for asset, one in tellings.items()} == {"store": 0.0, "roof": 8.0}
    later_s = heard_s + 100.0
    node.take(command(1.0, name="c3", issued_s=later_s, end_s=100_000.0), now=at(later_s), now_s=later_s)
    assert tick(node, later_s)[0]["store"].power_kw == 1.0


def test_setting_the_clock_neither_ends_nor_prolongs_a_command(node: Node) -> None:
    node.take(command(3.0, end_s=30.0), now=at(0.0), now_s=0.0)
    tellings, answers = node.tick(now=at(3600.0), now_s=1.0)
    assert {one.asset_id: one.power_kw for one in tellings}["store"] == 3.0
    assert answers == []
    tellings, _ = node.tick(now=at(-3600.0), now_s=36.0)
    assert [(one.asset_id, one.why) for one in tellings] == [("store", Why.SAFE)]


def test_a_battery_follows_the_meter_where_it_may(node: Node) -> None:
    tick(node, 0.0)
    node.take(replace(command(1.0), grid_floor_kw=0.0), now=at(1.0), now_s=1.0)
    obey(node, tick(node, 1.0)[0]["store"], 1.0)
    for source, value in (("home01", -2.0), ("store", 1.0)):
        node.measured(source, POWER_KW, value, 2.0)
    assert tick(node, 2.0)[0]["store"].power_kw == 3.0
    # a meter that was not read for long is not followed
    assert tick(node, 40.0)[0]["store"].power_kw == 1.0


def fuzzed(count: int, seed: int) -> Iterator[tuple[float, Command]]:
    """Yield commands at their arrival, hostile in every field."""
    rng = Random(seed)
    now_s = 0.0
    for index in range(count):
        now_s += rng.choices([0.0, 0.05, 0.5, 3.0, 40.0], [40, 30, 20, 9, 1])[0]
        start_s = now_s + rng.choice([0.0, 0.0, 0.0, -5.0, 1.0, 30.0])
        issued_s = now_s - rng.choice([0.0, 0.0, 1.0, 600.0, -3600.0])
        power_kw = rng.choice([5.0, -4.0, 0.0, 99.0, -99.0, 1e300, nan, inf, rng.gauss(0.0, 5.0)])
        yield (
            now_s,
            Command(
                f"c{index}",
                rng.choice(["homes", "homes", "homes", "homes", "other"]),
                rng.choice(["store", "store", "roof", "other"]),
                at(issued_s),
                at(start_s),
                at(start_s + rng.choice([900.0, 60.0, 0.5, 0.0, -1.0])),
                power_kw,
                grid_floor_kw=rng.choice([0.0, -3.0, 50.0]) if rng.random() < 0.2 else None,
                grid_ceiling_kw=rng.choice([0.0, 3.0, -50.0]) if rng.random() < 0.2 else None,
                may_reverse=rng.random() < 0.5,
            ),
        )


def test_ten_thousand_hostile_commands_make_no_device_pass_its_limits() -> None:
    limits = {
        "store": replace(STORE, slew_kw_per_min=120.0, most_flips=4, flip_window_s=60.0, most_commands_per_min=20),
        "roof": ROOF,
    }
    node = Node("homes", "home01", limits, head_end_timeout_s=30.0, hold_s=5.0, now_s=0.0)
    rng = Random(1)
    log: dict[str, list[tuple[float, float]]] = {"store": [], "roof": []}
    taken: list[tuple[float, str]] = []
    answers = 0
    for now_s, one in fuzzed(10_000, seed=2):
        if (refused := node.take(one, now=at(now_s), now_s=now_s)) is None:
            taken.append((now_s, one.asset_id))
        else:
            assert refused.status in (AckStatus.REFUSED, AckStatus.EXPIRED)
        if rng.random() < 0.3:
            node.measured("home01", POWER_KW, rng.gauss(0.0, 8.0), now_s)
            node.measured("store", POWER_KW, rng.gauss(0.0, 3.0), now_s)
        tellings, lapsed = tick(node, now_s)
        answers += len(lapsed)
        for asset, telling in tellings.items():
            log[asset].append((now_s, telling.power_kw))
            answers += len(obey(node, telling, now_s, fault="hangs" if rng.random() < 0.05 else ""))
    assert len(taken) > 500
    assert all(-4.0 <= kw <= 5.0 for _, kw in log["store"])
    assert all(0.0 <= kw <= 8.0 for _, kw in log["roof"])
    for (before_s, before), (later_s, later) in pairwise(log["store"]):
        assert abs(later - before) <= 2.0 + 1e-9
        assert later_s - before_s >= 1.0
    signs = [(s, kw > 0) for s, kw in log["store"] if kw]
    flips = [s for (_, was), (s, now) in pairwise(signs) if was != now]
    assert flips
    assert all(sum(s - 60.0 < other <= s for other in flips) <= 4 for s in flips)
    of_store = [s for s, asset in taken if asset == "store"]
    assert all(sum(s - 60.0 < other <= s for other in of_store) <= 20 for s in of_store)
    assert answers + len(node._pending) == len(taken)
