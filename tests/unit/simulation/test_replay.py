"""The replayed plant: what was recorded happens whatever is commanded; steps are told once, after they have ended."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpp.core.assets import Battery, GridConnection, Load, Plant, Site, SolarArray
from vpp.core.errors import InvalidInputError
from vpp.core.messages import POWER_KW, SOC, Ack, AckStatus, Command, Readings, SeriesKey
from vpp.core.ports import Device, SeriesTable
from vpp.core.time import TimeGrid
from vpp.simulation.replay import ReplayedPlant

START = datetime(2016, 8, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
BATTERY = Battery(
    id="b", capacity_kwh=10.0, charge_max_kw=5.0, discharge_max_kw=5.0, charge_efficiency=0.9, discharge_efficiency=0.8
)
PLANT = Plant(
    id="p",
    name="P",
    timezone="UTC",
    currency="EUR",
    sites=(
        Site(
            id="home",
            assets=(Load(id="load"), SolarArray(id="pv", peak_kw=4.0, curtailable=True), BATTERY),
            connection=GridConnection(export_max_kw=3.0),
        ),
        Site(id="shop", assets=(Load(id="till"),)),
    ),
)
KEYS = tuple(SeriesKey(name, POWER_KW) for name in ("load", "pv", "till"))


def table(rows: list[list[float]], resolution_s: int = 3600) -> SeriesTable:
    return SeriesTable(TimeGrid(START, resolution_s, len(rows)), KEYS, np.array(rows, dtype=np.float64))


def replayed(*rows: list[float], **options: object) -> ReplayedPlant:
    return ReplayedPlant(PLANT, table(list(rows) or [[-1.0, 0.0, -2.0]] * 4), **options)


def command(hour: int, power_kw: float, *, asset: str = "b", **follow: float) -> Command:
    start = START + hour * HOUR
    return Command(f"{asset}-{hour}-{power_kw}", "p", asset, START, start, start + HOUR, power_kw, **follow)


def values(readings: Readings | None) -> dict[tuple[str, str, int], float]:
    assert readings is not None
    return {(row.key.source, row.key.metric, (row.time - START) // HOUR): row.value for row in readings.rows()}


def power(readings: Readings | None, source: str, hour: int = 0) -> float:
    return values(readings)[source, POWER_KW, hour]


def test_it_is_a_device() -> None:
    device = replayed()
    assert isinstance(device, Device)
    assert device.asset_ids == ("load", "pv", "b", "till")


@pytest.mark.parametrize(
    ("minutes", "steps"), [(0, 0), (59, 0), (60, 1), (61, 1), (119, 1), (180, 3), (240, 4), (9999, 4)]
)
def test_a_step_is_told_only_after_it_has_ended(minutes: int, steps: int) -> None:
    readings, acks = replayed().poll(START + timedelta(minutes=minutes))
    assert acks == []
    if steps == 0:
        assert readings is None
    else:
        assert {hour for _, _, hour in values(readings)} == set(range(steps))
        assert (readings.arrived_s == readings.time_s + 3600).all()


def test_a_step_is_told_once() -> None:
    device = replayed()
    assert device.poll(START + 2 * HOUR)[0] is not None
    assert device.poll(START + 2 * HOUR) == (None, [])
    assert device.poll(START + 1 * HOUR) == (None, [])
    assert {hour for _, _, hour in values(device.poll(START + 3 * HOUR)[0])} == {2}


def test_the_meters_of_a_site_with_and_without_a_battery() -> None:
    device = replayed([-1.0, 0.5, -2.0])
    device.execute(command(0, 2.0))
    readings, _ = device.poll(START + HOUR)
    assert power(readings, "home") == pytest.approx(1.5)
    assert power(readings, "shop") == pytest.approx(-2.0)
    assert values(readings)["b", SOC, 0] == pytest.approx(0.25)  # at the end of the step


@pytest.mark.parametrize(
    ("power_kw", "follow", "status", "done_kw"),
    [
        (2.0, {}, AckStatus.EXECUTED, 2.0),
        (-4.0, {}, AckStatus.EXECUTED, -4.0),
        (3.2, {}, AckStatus.EXECUTED, 3.2),
        (3.3, {}, AckStatus.LIMITED, 3.2),
        (-5.0, {}, AckStatus.LIMITED, -40 / 9),
        (9.0, {}, AckStatus.LIMITED, 3.2),
        (2.0, {"grid_floor_kw": 0.0, "grid_ceiling_kw": 0.0}, AckStatus.EXECUTED, 1.0),
        (0.0, {"grid_floor_kw": 0.0}, AckStatus.EXECUTED, 1.0),
        (2.0, {"grid_ceiling_kw": 0.0}, AckStatus.EXECUTED, 1.0),
    ],
)
def test_an_answer_says_what_was_measured(power_kw: float, follow: dict, status: AckStatus, done_kw: float) -> None:
    device = replayed()
    device.execute(command(0, power_kw, **follow))
    readings, (ack,) = device.poll(START + HOUR)
    assert (ack.command_id, ack.plant, ack.asset_id, ack.at) == (f"b-0-{power_kw}", "p", "b", START + HOUR)
    assert ack.status is status
    assert ack.power_kw == pytest.approx(done_kw)
    assert ack.power_kw == power(readings, "b")
    assert (ack.message == "") == (status is AckStatus.EXECUTED)


def test_a_command_ends_with_its_step() -> None:
    device = replayed()
    device.execute(command(1, 1.0))
    readings, acks = device.poll(START + 4 * HOUR)
    assert [power(readings, "b", hour) for hour in range(4)] == [0.0, 1.0, 0.0, 0.0]
    assert len(acks) == 1


def test_a_command_for_a_step_that_is_over_does_nothing() -> None:
    device = replayed()
    device.poll(START + 2 * HOUR)
    device.execute(command(1, 1.0))
    readings, acks = device.poll(START + 4 * HOUR)
    assert [power(readings, "b", hour) for hour in (2, 3)] == [0.0, 0.0]
    assert acks == []


def test_the_later_of_two_commands_holds() -> None:
    device = replayed()
    device.execute(command(0, 1.0, grid_floor_kw=5.0))
    device.execute(command(0, 2.0))
    readings, acks = device.poll(START + HOUR)
    assert power(readings, "b") == 2.0
    assert {ack.command_id for ack in acks} == {"b-0-1.0", "b-0-2.0"}


# --- generation


@pytest.mark.parametrize(
    ("power_kw", "follow", "pv_kw", "home_kw"),
    [
        (0.0, {}, 0.0, -1.0),  # capped while the site draws
        (4.0, {"grid_ceiling_kw": 0.0}, 1.0, 0.0),  # kept from feeding in
        (4.0, {}, 3.5, 2.5),
    ],
)
def test_a_generator_is_curtailed(power_kw: float, follow: dict, pv_kw: float, home_kw: float) -> None:
    device = replayed([-1.0, 3.5, 0.0])
    device.execute(command(0, power_kw, asset="pv", **follow))
    readings, (ack,) = device.poll(START + HOUR)
    assert power(readings, "pv") == pytest.approx(pv_kw)
    assert power(readings, "home") == pytest.approx(home_kw)
    assert ack.status is AckStatus.EXECUTED


def test_the_export_limit_needs_no_command() -> None:
    readings, acks = replayed([-0.5, 4.0, 0.0]).poll(START + HOUR)
    assert power(readings, "pv") == pytest.approx(3.5)
    assert power(readings, "home") == pytest.approx(3.0)
    assert acks == []


def test_a_generator_is_capped_at_its_set_point() -> None:
    device = replayed([-1.0, 3.5, 0.0])
    device.execute(command(0, 2.0, asset="pv"))
    readings, _ = device.poll(START + HOUR)
    assert power(readings, "pv") == pytest.approx(2.0)


def test_a_command_to_a_load_changes_nothing() -> None:
    device = replayed([-1.0, 2.0, 0.0])
    device.execute(command(0, 0.0, asset="load"))
    readings, _ = device.poll(START + HOUR)
    assert power(readings, "pv") == pytest.approx(2.0)


# --- recordings


def test_a_hole_is_bridged_for_the_physics_and_not_reported() -> None:
    device = replayed([-1.0, 0.0, -2.0], [np.nan, 0.0, -2.0], [-3.0, 0.0, -2.0])
    told = values(device.poll(START + 3 * HOUR)[0])
    assert ("load", POWER_KW, 1) not in told
    assert told["home", POWER_KW, 1] == pytest.approx(-2.0)  # halfway


@pytest.mark.parametrize(("missing", "refused"), [(24, False), (25, True)])
def test_a_hole_of_more_than_a_day_is_refused(missing: int, refused: bool) -> None:
    rows = [[-1.0, 0.0, -2.0], *[[np.nan, 0.0, -2.0]] * missing, [-1.0, 0.0, -2.0]]
    if not refused:
        assert replayed(*rows).poll(START + timedelta(days=9))[0] is not None
        return
    with pytest.raises(InvalidInputError, match=r"2016-08-01T01:00:00\+00:00.*without gaps longer than a day"):
        replayed(*rows)


@pytest.mark.parametrize("row", [0, 2])
def test_an_open_end_is_refused(row: int) -> None:
    rows = [[-1.0, 0.0, -2.0] for _ in range(3)]
    rows[row][0] = np.nan
    with pytest.raises(InvalidInputError, match="recorded"):
        replayed(*rows)


def test_an_asset_without_a_recording_is_refused() -> None:
    recorded = SeriesTable(TimeGrid(START, 3600, 1), KEYS[:2], np.zeros((1, 2)))
    with pytest.raises(InvalidInputError, match="recorded: got 'till', expected a recording of till/power_kw"):
        ReplayedPlant(PLANT, recorded)


def test_the_start_may_be_given() -> None:
    assert replayed().energy_kwh.tolist() == [5.0]
    assert replayed(soc_initial={"b": 0.9}).energy_kwh.tolist() == [9.0]


# --- properties


@given(seed=st.integers(0, 2**32 - 1), chunks=st.lists(st.integers(0, 5), min_size=1, max_size=6))
def test_every_meter_is_the_sum_of_its_assets_and_energy_is_conserved(seed: int, chunks: list[int]) -> None:
    rng = np.random.default_rng(seed)
    count = max(sum(chunks), 1)
    rows = np.column_stack([-rng.uniform(0, 6, count), rng.uniform(0, 4, count), -rng.uniform(0, 3, count)])
    device = ReplayedPlant(PLANT, table(rows.tolist()))
    told: dict[tuple[str, str, int], float] = {}
    acks: list[Ack] = []
    for hour in range(count):
        if rng.random() < 0.8:
            follow = {} if rng.random() < 0.5 else {"grid_floor_kw": 0.0, "grid_ceiling_kw": 0.0}
            device.execute(command(hour, float(rng.uniform(-6, 6)), **follow))
        if rng.random() < 0.3:
            device.execute(command(hour, 0.0, asset="pv"))
    hours = 0
    for chunk in [*chunks, count]:
        hours = min(hours + chunk, count)
        readings, answers = device.poll(START + hours * HOUR)
        if readings is not None:
            told |= values(readings)
        acks += answers
    energy, through = 5.0, 0.0
    for hour in range(count):
        b, pv = told["b", POWER_KW, hour], told["pv", POWER_KW, hour]
        assert told["home", POWER_KW, hour] == pytest.approx(rows[hour, 0] + pv + b, abs=1e-9)
        assert told["shop", POWER_KW, hour] == pytest.approx(rows[hour, 2], abs=1e-12)
        assert -1e-12 <= pv <= rows[hour, 1] + 1e-12
        energy += max(-b, 0) * 0.9 - max(b, 0) / 0.8
        through += abs(b)
        assert told["b", SOC, hour] * 10.0 == pytest.approx(energy, abs=1e-9 * max(through, 1.0))
        assert 0.1 - 1e-12 <= told["b", SOC, hour] <= 0.9 + 1e-12
    assert len(acks) == len({ack.command_id for ack in acks})
    assert all(told["b", POWER_KW, int(a.command_id.split("-")[1])] == a.power_kw for a in acks if a.asset_id == "b")
