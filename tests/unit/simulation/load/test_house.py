"""Houses and heat pumps: exact at any step, switching at the limit and not after it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpp.core.errors import InvalidInputError, SeriesMismatchError
from vpp.simulation.load import House, cop_of_air_source, heat_pump_load

HOUSE = House(resistance_k_per_kw=2.0, capacity_kwh_per_k=10.0)


@given(
    start=st.floats(-10.0, 40.0), heat=st.floats(0.0, 20.0), outdoor=st.floats(-20.0, 40.0),
    cut=st.floats(0.0, 1.0), hours=st.floats(1e-3, 50.0),
)  # fmt: skip
def test_a_step_may_be_cut_and_energy_closes(start, heat, outdoor, cut, hours):
    held = {"heat_kw": heat, "outdoor_c": outdoor}
    whole = HOUSE.temperature_after(start, duration_h=hours, **held)
    first = HOUSE.temperature_after(start, duration_h=hours * cut, **held)
    assert HOUSE.temperature_after(first, duration_h=hours * (1.0 - cut), **held) == pytest.approx(whole, abs=1e-9)
    # heat lost: the integral of (T - outdoor) / R with T = steady + (start - steady) exp(-t / tau)
    steady = outdoor + 2.0 * heat
    lost = ((steady - outdoor) * hours + (start - steady) * 20.0 * (1.0 - np.exp(-hours / 20.0))) / 2.0
    assert heat * hours - lost == pytest.approx(10.0 * (whole - start), abs=1e-7)


@pytest.mark.parametrize(("duration_h", "hours"), [(1 / 60, 40), (0.25, 200), (1.0, 200)])
def test_the_thermostat_keeps_its_band_and_its_duty(duration_h, hours):
    steps = round(hours / duration_h)
    outdoor = np.zeros((steps, 2))
    done = heat_pump_load(
        HOUSE, rated_kw=[5.0, 5.0], outdoor_c=outdoor, cop=3.0, duration_h=duration_h, initial_c=[20.0, 21.5]
    )
    assert done.indoor_c.min() >= 20.0 - 1e-9
    assert done.indoor_c.max() <= 22.0 + 1e-9
    assert done.load_kw.mean() == pytest.approx(3.5035474, rel=3.0 / hours + 0.02)
    assert done.load_kw.max() <= 5.0 + 1e-12
    np.testing.assert_allclose(done.heat_kw, 3.0 * done.load_kw)
    loss_kwh = (done.heat_kw.sum(axis=0) * duration_h) - 10.0 * (done.indoor_c[-1] - [20.0, 21.5])
    mean_c = loss_kwh * 2.0 / hours
    assert ((mean_c > 20.0) & (mean_c < 22.0)).all()


def test_switching_falls_inside_a_step():
    done = heat_pump_load(HOUSE, rated_kw=5.0, outdoor_c=np.zeros((7, 1)), cop=3.0, duration_h=1.0, initial_c=20.0)
    # on for 4.463 h, off for 1.906 h, on again
    np.testing.assert_allclose(
        done.load_kw[:, 0], [5.0, 5.0, 5.0, 5.0, 5.0 * 0.462871026, 0.0, 5.0 * 0.630925345], atol=1e-6
    )
    assert done.running[:, 0].tolist() == [True, True, True, True, False, False, True]


def test_a_pump_too_weak_runs_all_the_time_and_a_warm_day_needs_none():
    cold = heat_pump_load(HOUSE, rated_kw=1.0, outdoor_c=np.full((48, 1), -10.0), cop=2.0, duration_h=1.0)
    assert cold.load_kw[-1, 0] == 1.0
    assert cold.indoor_c[-1, 0] < 10.0
    warm = heat_pump_load(HOUSE, rated_kw=1.0, outdoor_c=np.full((48, 1), 25.0), cop=2.0, duration_h=1.0)
    assert not warm.load_kw.any()
    sunny = heat_pump_load(HOUSE, rated_kw=5.0, outdoor_c=np.zeros((48, 1)), cop=3.0, duration_h=1.0, gains_kw=12.0)
    assert not sunny.load_kw.any()


def test_performance_falls_with_the_cold():
    outdoor = np.linspace(-30.0, 40.0, 71)
    cop = cop_of_air_source(outdoor)
    assert (np.diff(cop) >= 0.0).all()
    assert cop[0] == pytest.approx(6.81 - 0.121 * 60 + 0.00063 * 3600)
    assert cop[-1] == pytest.approx(6.81 - 0.121 * 15 + 0.00063 * 225)


def test_when_a_temperature_is_reached():
    held = {"heat_kw": 15.0, "outdoor_c": 0.0}
    assert HOUSE.hours_until(22.0, 20.0, **held) == pytest.approx(4.462871026)
    assert HOUSE.hours_until(20.0, 20.0, **held) == 0.0
    assert HOUSE.hours_until(19.0, 20.0, **held) == np.inf
    assert HOUSE.hours_until(31.0, 20.0, **held) == np.inf


def test_what_cannot_be_is_refused():
    with pytest.raises(InvalidInputError, match=r"house\.resistance_k_per_kw"):
        House(0.0, 10.0)
    good = {"rated_kw": 5.0, "outdoor_c": np.zeros((2, 1)), "cop": 3.0, "duration_h": 1.0}
    for change, message in (
        ({"cop": 0.0}, "cop"),
        ({"rated_kw": -1.0}, "rated_kw"),
        ({"low_c": 23.0}, "high_c"),
        ({"duration_h": 0.0}, "duration_h"),
    ):
        with pytest.raises(InvalidInputError, match=message):
            heat_pump_load(HOUSE, **{**good, **change})
    with pytest.raises(InvalidInputError, match=r"duration_h.*1\.0.*switches"):
        heat_pump_load(House(2.0, 1e-3), **{**good, "outdoor_c": np.full((1, 1), 15.0)})
    with pytest.raises(SeriesMismatchError, match="outdoor_c"):
        heat_pump_load(HOUSE, **{**good, "outdoor_c": np.zeros(3)})
