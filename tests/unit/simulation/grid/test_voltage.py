"""Voltage: the tap changer as a state machine, load, seeds, statistics."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpp.core.errors import InvalidInputError, SeriesMismatchError
from vpp.core.time import TimeGrid, parse_time
from vpp.simulation.grid.voltage import Feeder, daily_load, simulate_voltage, tap_positions

BERLIN = ZoneInfo("Europe/Berlin")
START = parse_time("2024-01-01T00:00Z")
DAY = TimeGrid(START, 1, 86_400)
HOUR = TimeGrid(START, 1, 3600)
STEPS = Feeder(tap_step_pu=0.01, band_pu=0.01, tap_delay_s=3.0, tap_most=2)


@pytest.mark.parametrize(
    ("voltage", "taps"),
    [
        ([0.989] * 3, [0, 0, 0]),  # the wait ends with the third second
        ([0.989] * 5, [0, 0, 0, 1, 1]),
        ([0.989, 0.989, 1.0, 0.989, 0.989], [0] * 5),  # a return to the band begins the wait anew
        ([0.989, 0.989, 1.02, 0.989, 0.989], [0] * 5),  # so does the other side
        ([1.011] * 5, [0, 0, 0, -1, -1]),
        ([0.96] * 12, [0] * 3 + [1] * 3 + [2] * 6),  # one at a time, and never beyond the range
        ([1.0099] * 9, [0] * 9),  # inside the band nothing moves
        ([0.985] * 5 + [1.01] * 6, [0] * 3 + [1] * 5 + [0] * 3),
        ([], []),
    ],
)
def test_rows(voltage: list[float], taps: list[int]) -> None:
    assert tap_positions(voltage, STEPS).tolist() == taps


def second_by_second(voltage: list[float], feeder: Feeder, step_s: float) -> list[int]:
    tap, low, high, taps = 0, 0, 0, []
    wait = max(1, int(np.ceil(feeder.tap_delay_s / step_s)))
    for value in voltage:
        taps.append(tap)
        error = value - feeder.set_point_pu + feeder.tap_step_pu * tap
        low = low + 1 if error < -feeder.band_pu and tap < feeder.tap_most else 0
        high = high + 1 if error > feeder.band_pu and tap > -feeder.tap_most else 0
        if low >= wait or high >= wait:
            tap += 1 if low >= wait else -1
            low = high = 0
    return taps


@given(st.lists(st.sampled_from([0.95, 0.975, 0.985, 1.0, 1.015, 1.03, 1.05]), max_size=80), st.integers(0, 7))
def test_like_a_loop(voltage: list[float], delay_s: int) -> None:
    feeder = Feeder(tap_step_pu=0.01, band_pu=0.01, tap_delay_s=float(delay_s), tap_most=3)
    for step_s in (1.0, 2.0):
        assert tap_positions(voltage, feeder, step_s=step_s).tolist() == second_by_second(voltage, feeder, step_s)


def test_the_tap_changer_holds_a_sagging_feeder() -> None:
    quiet = {"drift_pu": 0.0, "flicker_pu": 0.0, "load_drop_pu": 0.2}
    free = simulate_voltage(
        HOUR, [0], seed=0, timezone=BERLIN, feeder=Feeder(**quiet, tap_step_pu=0.0), load_pu=np.ones(3600)
    )
    held = simulate_voltage(HOUR, [0], seed=0, timezone=BERLIN, feeder=Feeder(**quiet), load_pu=np.ones(3600))
    assert free.voltage_pu[-1, 0] == pytest.approx(0.9)
    assert (free.tap == 0).all()
    assert held.voltage_pu[-1, 0] >= 1.0 - Feeder().band_pu
    assert np.abs(np.diff(held.tap[:, 0])).max() == 1


def test_load_lowers_and_feeding_back_raises_the_voltage() -> None:
    feeder = Feeder(drift_pu=0.0, flicker_pu=0.0, tap_step_pu=0.0, load_drop_pu=0.04)
    load = np.stack([np.full(3600, 1.0), np.full(3600, -0.5)], axis=1)
    answer = simulate_voltage(HOUR, ["a", "b"], seed=0, timezone=BERLIN, feeder=feeder, load_pu=load)
    assert answer.voltage_pu[0] == pytest.approx([0.98, 1.04])


def test_a_day_is_like_a_measured_day() -> None:
    """The measured day: standard deviation 0.0116 pu, autocorrelation 0.92 at 5 and 0.78 at 15 minutes."""
    trace = simulate_voltage(DAY, range(6), seed=1, timezone=BERLIN)
    assert trace.voltage_pu.std(axis=0).mean() == pytest.approx(0.0116, rel=0.15)
    assert np.abs(trace.voltage_pu.mean() - 1.0) < 0.005
    assert 0.95 < trace.voltage_pu.min() < trace.voltage_pu.max() < 1.05
    for lag, least in ((300, 0.83), (900, 0.6)):
        assert np.mean([np.corrcoef(v[lag:], v[:-lag])[0, 1] for v in trace.voltage_pu.T]) > least


def test_same_seed_same_bytes_and_own_random_numbers() -> None:
    first, again = (simulate_voltage(HOUR, ["a", "b"], seed=1, timezone=BERLIN) for _ in range(2))
    assert first.voltage_pu.tobytes() == again.voltage_pu.tobytes()
    alone = simulate_voltage(HOUR, ["b"], seed=1, timezone=BERLIN)
    assert alone.voltage_pu[:, 0].tobytes() == np.ascontiguousarray(first.voltage_pu[:, 1]).tobytes()
    assert not np.array_equal(first.voltage_pu[:, 0], first.voltage_pu[:, 1])
    assert not np.array_equal(alone.voltage_pu, simulate_voltage(HOUR, ["b"], seed=2, timezone=BERLIN).voltage_pu)


def test_the_load_keeps_the_local_clock() -> None:
    quarters = TimeGrid(START, 900, 96)
    winter, summer = (
        daily_load(quarters, BERLIN),
        daily_load(TimeGrid(parse_time("2024-07-01T00:00Z"), 900, 96), BERLIN),
    )
    assert int(winter.argmax()) // 4 in (17, 18)
    assert winter[8:].tolist() == pytest.approx(summer[4:-4].tolist())
    assert ((winter > 0.0) & (winter < 1.0)).all()


def test_faults() -> None:
    with pytest.raises(InvalidInputError, match=r"band_pu: got 0.001, expected 0.0075 \(0.6 of a step\) to 0.2 \[pu\]"):
        Feeder(band_pu=0.001)
    with pytest.raises(InvalidInputError, match=r"set_point_pu: got 1.5, expected 0.9 to 1.1"):
        Feeder(set_point_pu=1.5)
    with pytest.raises(InvalidInputError, match=r"tap_most: got -1"):
        Feeder(tap_most=-1)
    with pytest.raises(InvalidInputError, match=r"drift_time_s: got 0.0"):
        Feeder(drift_time_s=0.0)
    with pytest.raises(SeriesMismatchError, match=r"load_pu: got \(2, 1\)"):
        simulate_voltage(HOUR, ["a"], seed=0, timezone=BERLIN, load_pu=np.ones(2))
