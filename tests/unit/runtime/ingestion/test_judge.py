from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pytest

from vpp.config import VPPConfig
from vpp.core.assets import Plant
from vpp.core.errors import InvalidInputError, UnknownNameError
from vpp.core.messages import MARKET, SOC, Quality
from vpp.core.time import epoch_s, from_epoch_s
from vpp.core.units import SECONDS_PER_DAY, price_per_mwh_from_kwh, w_from_kw
from vpp.runtime.build import read_history
from vpp.runtime.ingestion.judge import ClockRules, Judge, Verdict
from vpp.runtime.setup import setup_of

DOUBT = int(Quality.OUT_OF_RANGE)
SLIP = int(Quality.UNIT_SUSPECT)
LATE = int(Quality.LATE)


def judged(judge: Judge, now: datetime, *rows: tuple[str, str, float, float]) -> list[tuple[int, int]]:
    """Judge rows (source, metric, seconds before now, value)."""
    series = np.array([judge.index(source, metric) for source, metric, _, _ in rows])
    times_s = np.array([epoch_s(now) - int(age_s) for _, _, age_s, _ in rows])
    verdict, quality = judge.judge(series, times_s, np.array([value for *_, value in rows]), now)
    return list(zip(verdict.tolist(), quality.tolist(), strict=True))


@pytest.mark.parametrize(
    ("source", "metric", "value", "verdict", "quality"),
    [
        ("load", "power_kw", -1.5, Verdict.KEPT, 0),
        ("load", "power_kw", -12.0, Verdict.KEPT, 0),
        ("load", "power_kw", -12.1, Verdict.KEPT, DOUBT),
        ("load", "power_kw", -15.1, Verdict.RANGE, 0),
        ("load", "power_kw", -1500.0, Verdict.UNIT, 0),
        ("load", "power_kw", 0.04, Verdict.KEPT, 0),
        ("load", "power_kw", 0.1, Verdict.KEPT, DOUBT),
        ("load", "power_kw", 1.5, Verdict.RANGE, 0),
        ("pv", "power_kw", 4.8, Verdict.KEPT, 0),
        ("pv", "power_kw", 4.9, Verdict.KEPT, DOUBT),
        ("pv", "power_kw", -0.01, Verdict.KEPT, 0),
        ("pv", "power_kw", -0.3, Verdict.KEPT, DOUBT),
        ("pv", "power_kw", -1.0, Verdict.RANGE, 0),
        ("pv", "power_kw", 3000.0, Verdict.UNIT, 0),
        ("battery", "power_kw", -7.5, Verdict.KEPT, DOUBT),
        ("battery", "power_kw", 5000.0, Verdict.UNIT, 0),
        ("battery", "soc", 1.0, Verdict.KEPT, 0),
        ("battery", "soc", 55.0, Verdict.UNIT, 0),
        ("battery", "soc", -0.01, Verdict.RANGE, 0),
        ("house", "power_kw", -21.0, Verdict.KEPT, DOUBT),
        ("house", "power_kw", -900.0, Verdict.UNIT, 0),
        ("market", "price_per_kwh", 0.3, Verdict.KEPT, 0),
        ("market", "price_per_kwh", 45.0, Verdict.KEPT, SLIP),
        ("market", "carbon_kg_per_kwh", 300.0, Verdict.UNIT, 0),
        ("house", "frequency_hz", 50.02, Verdict.KEPT, 0),
        ("house", "frequency_hz", 5.0, Verdict.KEPT, DOUBT),
        ("unrated", "power_kw", -1e308, Verdict.UNIT, 0),
        ("load", "power_kw", float("nan"), Verdict.RANGE, 0),
        ("house", "power_kw", float("inf"), Verdict.UNIT, 0),
    ],
)
def test_the_table_of_rules(
    home: Plant, now: datetime, source: str, metric: str, value: float, verdict: Verdict, quality: int
) -> None:
    ((told, flags),) = judged(Judge(home), now, (source, metric, 10, value))
    assert told == verdict
    if verdict == Verdict.KEPT:
        assert flags == quality


@pytest.mark.parametrize(
    ("source", "age_s", "verdict", "quality"),
    [
        ("load", -300, Verdict.KEPT, 0),
        ("load", -301, Verdict.CLOCK, 0),
        ("load", 7200, Verdict.KEPT, 0),
        ("load", 7201, Verdict.KEPT, LATE),
        ("load", 400 * SECONDS_PER_DAY, Verdict.KEPT, LATE),
        ("load", 400 * SECONDS_PER_DAY + 1, Verdict.CLOCK, 0),
        ("market", -SECONDS_PER_DAY, Verdict.KEPT, 0),
        ("market", -401 * SECONDS_PER_DAY, Verdict.CLOCK, 0),
    ],
)
def test_which_times_are_taken(
    home: Plant, now: datetime, source: str, age_s: int, verdict: Verdict, quality: int
) -> None:
    metric = "price_per_kwh" if source == MARKET else "power_kw"
    ((told, flags),) = judged(Judge(home), now, (source, metric, age_s, 0.0))
    assert told == verdict
    if verdict == Verdict.KEPT:
        assert flags == quality


def test_the_fault_says_value_range_and_unit(home: Plant, now: datetime) -> None:
    judge = Judge(home)
    number = judge.index("load", "power_kw")
    words = str(judge.fault(number, 0, -1500.0, Verdict.UNIT, now, where="readings[3]"))
    assert words.startswith("readings[3].value: got -1500.0, expected -15 to 0 kW")
    assert "W in place of kW?" in words
    late = str(judge.fault(number, 10**15, -1.0, Verdict.CLOCK, now, where="reading"))
    assert late.startswith("reading.time: got '1000000000000000 s after 1970'")


def test_a_leap_from_next_to_nothing_is_a_slip_and_the_sun_coming_up_is_not(home: Plant, now: datetime) -> None:
    rises = [("pv", "power_kw", 3600 - 60 * minute, 0.02 * 1.25**minute) for minute in range(24)]
    assert all(told == (0, 0) for told in judged(Judge(home), now, *rises))
    slipped = judged(
        Judge(home),
        now,
        ("pv", "power_kw", 180, 0.003),
        ("pv", "power_kw", 120, w_from_kw(0.0035)),
        ("pv", "power_kw", 60, 0.004),
    )
    assert slipped == [(0, 0), (0, SLIP), (0, 0)]


def test_what_was_before_is_remembered_between_batches_and_order_does_not_matter(home: Plant, now: datetime) -> None:
    rows = [("pv", "power_kw", 180, 0.003), ("pv", "power_kw", 120, 3.5), ("pv", "power_kw", 60, 0.004)]
    judge = Judge(home)
    one_by_one = [judged(judge, now, row)[0] for row in rows]
    assert one_by_one == [(0, 0), (0, SLIP), (0, 0)]
    assert judged(Judge(home), now, rows[2], rows[1], rows[0]) == [one_by_one[2], one_by_one[1], one_by_one[0]]


def test_machines_may_leap(home: Plant, now: datetime) -> None:
    rows = [("car", "power_kw", 120, -0.05), ("car", "power_kw", 60, -11.0), ("battery", "power_kw", 60, 5.0)]
    assert judged(Judge(home), now, *rows) == [(0, 0)] * 3


def test_a_load_without_rating_is_judged_by_what_it_reached(home: Plant, now: datetime) -> None:
    judge = Judge(home)
    rng = np.random.default_rng(1)
    usual = [("unrated", "power_kw", 3500 - 10 * i, -float(rng.uniform(0.2, 3.0))) for i in range(200)]
    assert all(told == (0, 0) for told in judged(judge, now, *usual))
    assert judged(judge, now, ("unrated", "power_kw", 2, -8.0)) == [(0, 0)]
    assert judged(judge, now, ("unrated", "power_kw", 1, -90.0)) == [(0, SLIP)]


def test_a_slip_among_the_first_readings_does_not_become_the_measure(home: Plant, now: datetime) -> None:
    judge = Judge(home)
    for i in range(150):
        value = -400.0 if i == 20 else -0.5
        judged(judge, now, ("unrated", "power_kw", 3000 - i, value))
    assert judged(judge, now, ("unrated", "power_kw", 1, -100.0)) == [(0, SLIP)]


def test_unknown_names_are_remembered_but_not_without_end(home: Plant) -> None:
    judge = Judge(home)
    for i in range(1000):
        with pytest.raises(UnknownNameError):
            judge.index(f"nobody{i}", "power_kw")
    with pytest.raises(UnknownNameError) as first:
        judge.index("nobody999", "power_kw")
    with pytest.raises(UnknownNameError) as second:
        judge.index("nobody999", "power_kw")
    assert first.value is second.value
    assert judge.keys == []


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="oldest_days"):
        ClockRules(oldest_days=0.0)
    with pytest.raises(InvalidInputError, match="late_after_s"):
        ClockRules(late_after_s=-1.0)


def _caught(plant: str, slips: int, seed: int) -> tuple[int, int, int, int]:
    """Feed a built-in plant's measured year day by day; return slips caught and planted, false alarms and readings."""
    config = VPPConfig.load(plant)
    table = read_history(config, setup_of(config))
    value = table.value.copy()
    rng = np.random.default_rng(seed)
    # A zero in another unit is the same zero; the first readings are what a series is learnt from.
    candidates = np.argwhere(np.isfinite(value) & (value != 0.0) & (np.arange(len(value))[:, None] > 200))
    chosen = candidates[rng.choice(len(candidates), slips, replace=False)]
    planted = np.zeros(value.shape, dtype=bool)
    planted[chosen[:, 0], chosen[:, 1]] = True
    for column, key in enumerate(table.keys):
        slip = price_per_mwh_from_kwh if key.source == MARKET else w_from_kw
        assert key.metric != SOC
        value[planted[:, column], column] = slip(value[planted[:, column], column])
    judge = Judge(config.plant)
    series = np.array([judge.index(key.source, key.metric) for key in table.keys])
    told = np.zeros(value.shape, dtype=bool)
    day = SECONDS_PER_DAY // table.grid.resolution_s
    for start in range(0, len(value), day):
        rows, columns = np.nonzero(np.isfinite(value[start : start + day]))
        times_s = table.grid.times_s[start : start + day][rows]
        now = from_epoch_s(int(times_s.max())) + timedelta(minutes=10)
        verdict, quality = judge.judge(series[columns], times_s, value[start + rows, columns], now)
        told[start + rows, columns] = (verdict != 0) | ((quality & ~LATE) != 0)
    measured = np.isfinite(value) & ~planted
    return int(told[planted].sum()), slips, int(told[measured].sum()), int(measured.sum())


def test_slips_of_unit_are_seen_and_real_measurements_left_alone() -> None:
    caught, planted, alarms, readings = np.sum([_caught(name, 500, 7) for name in ("homes", "wholesale")], axis=0)
    assert planted == 1000
    assert caught >= 0.99 * planted
    assert alarms <= 0.001 * readings


def test_percent_for_fraction_is_always_seen_above_one_percent(home: Plant, now: datetime) -> None:
    soc = np.random.default_rng(3).uniform(0.011, 1.0, 1000)
    rows = [("battery", "soc", 3000 - i, 100.0 * float(value)) for i, value in enumerate(soc)]
    assert {told for told, _ in judged(Judge(home), now, *rows)} == {Verdict.UNIT}
