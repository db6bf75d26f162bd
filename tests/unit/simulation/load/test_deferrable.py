"""Deferrable machines and the pulses they are made of."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpp.core.errors import InvalidInputError, SeriesMismatchError
from vpp.simulation.load import DeferrableRuns, deferrable_load
from vpp.simulation.load.pulses import pulse_power


def runs(earliest=1.0, latest=6.0, energy=3.0, power=2.0):
    return DeferrableRuns(np.array([0]), *(np.array([value]) for value in (earliest, latest, energy, power)))


@given(share=st.floats(0.0, 1.0), resolution=st.sampled_from([60, 900, 3600]))
def test_a_run_has_its_energy_wherever_it_starts(share, resolution):
    machine = runs()
    start = machine.earliest_h + share * machine.slack_h
    duration_h = resolution / 3600
    found = deferrable_load(machine, duration_h=duration_h, shape=(8 * 3600 // resolution, 1), start_h=start)
    assert found.sum() * duration_h == pytest.approx(3.0, abs=1e-9)
    assert found.max() <= 2.0 + 1e-9
    at = np.arange(found.shape[0]) * duration_h
    outside = (at + duration_h <= 1.0) | (at >= 6.0)
    assert np.abs(found[outside]).max() < 1e-9


def test_a_run_that_does_not_fit_is_refused():
    with pytest.raises(InvalidInputError, match=r"runs\.energy_kwh\[0\].*11.*10 kWh"):
        runs(energy=11.0)
    assert runs(energy=10.0).slack_h[0] == 0.0
    with pytest.raises(InvalidInputError, match=r"start_h\[0\].*5.*1 to 4\.5"):
        deferrable_load(runs(), duration_h=1.0, shape=(8, 1), start_h=[5.0])
    with pytest.raises(InvalidInputError, match=r"runs\.power_kw"):
        runs(power=0.0)
    with pytest.raises(InvalidInputError, match=r"runs\.energy_kwh"):
        runs(energy=-1.0)
    with pytest.raises(SeriesMismatchError, match=r"runs\.latest_h"):
        DeferrableRuns(np.array([0]), np.array([1.0]), np.array([1.0, 2.0]), np.array([1.0]), np.array([1.0]))


@given(
    st.lists(
        st.tuples(st.floats(-5.0, 15.0), st.floats(0.0, 6.0), st.floats(0.0, 9.0), st.integers(0, 2)), max_size=12
    ),
    st.sampled_from([0.1, 0.5, 1.0]),
)  # fmt: skip
def test_pulses_against_a_slow_count(pulses, duration_h):
    steps = round(10.0 / duration_h)
    rows = np.array(pulses, dtype=float).reshape(-1, 4)
    begin, end = rows[:, 0], rows[:, 0] + rows[:, 1]
    units = rows[:, 3].astype(int)
    found = pulse_power(begin, end, rows[:, 2], units, duration_h=duration_h, shape=(steps, 3))
    expected = np.zeros((steps, 3))
    for first, last, power, unit in zip(begin, end, rows[:, 2], units, strict=True):
        for step in range(steps):
            inside = min(last, (step + 1) * duration_h) - max(first, step * duration_h)
            expected[step, unit] += power * max(inside, 0.0) / duration_h
    np.testing.assert_allclose(found, expected, atol=1e-9)
