"""Electric cars: sessions in order, and charging that keeps every limit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpp.core.errors import InvalidInputError, SeriesMismatchError
from vpp.simulation.load import HOME, WORKPLACE, EvSessions, charge_step, ev_charging, ev_sessions
from vpp.simulation.load.ev import deliverable_kwh, minimum_hours


def clock(days=14, resolution_s=900):
    at = np.arange(days * 86_400 // resolution_s) * resolution_s / 3600.0
    return {"hour_of_day": at % 24.0, "weekday": (at // 24.0).astype(int) % 7, "duration_h": resolution_s / 3600.0}


@pytest.mark.parametrize("settings", [HOME, WORKPLACE], ids=["home", "workplace"])
def test_a_car_draws_what_it_needs_while_it_is_there_and_no_more(settings):
    sessions = ev_sessions(settings, cars=200, seed=1, **clock())
    done = ev_charging(
        sessions,
        max_kw=settings.max_kw,
        charge_efficiency=settings.charge_efficiency,
        duration_h=0.25,
        shape=(1344, 200),
    )
    assert done.load_kw.min() >= 0.0
    assert (done.load_kw <= settings.max_kw * done.plugged + 1e-9).all()
    assert done.plugged.max() <= 1.0 + 1e-9
    assert (done.delivered_kwh <= sessions.energy_kwh).all()
    np.testing.assert_allclose(done.delivered_kwh + done.unmet_kwh, sessions.energy_kwh, rtol=1e-12)
    inside = (sessions.arrival_h >= 0.0) & (sessions.departure_h <= 336.0)
    assert done.unmet_kwh[inside].any()
    whole = np.bincount(sessions.car[inside], weights=done.delivered_kwh[inside], minlength=200)
    across = np.unique(sessions.car[~inside])
    drawn = done.load_kw.sum(axis=0) * 0.25 * settings.charge_efficiency
    alone = np.setdiff1d(np.arange(200), across)
    np.testing.assert_allclose(drawn[alone], whole[alone], rtol=1e-9)


def test_sessions_of_a_car_do_not_overlap():
    sessions = ev_sessions(WORKPLACE, cars=300, seed=2, **clock(28))
    order = np.lexsort((sessions.arrival_h, sessions.car))
    same = sessions.car[order][1:] == sessions.car[order][:-1]
    assert (sessions.arrival_h[order][1:] >= sessions.departure_h[order][:-1])[same].all()
    assert same.sum() > 1000


def test_seeds_and_chunks():
    whole, again = (ev_sessions(HOME, cars=40, seed=3, **clock()) for _ in range(2))
    assert whole.energy_kwh.tobytes() == again.energy_kwh.tobytes()
    other = ev_sessions(HOME, cars=40, seed=4, **clock())
    assert other.energy_kwh.tobytes() != whole.energy_kwh.tobytes()
    chunk = ev_sessions(HOME, cars=np.array([7, 31]), seed=3, **clock())
    for position, number in enumerate((7, 31)):
        for name in ("arrival_h", "departure_h", "energy_kwh"):
            mine = getattr(chunk, name)[chunk.car == position]
            assert mine.tobytes() == getattr(whole, name)[whole.car == number].tobytes()


def test_home_cars_charge_at_night_and_work_cars_by_day():
    hour = clock()["hour_of_day"]
    shares = []
    for settings in (HOME, WORKPLACE):
        sessions = ev_sessions(settings, cars=300, seed=5, **clock())
        done = ev_charging(sessions, max_kw=7.0, charge_efficiency=0.9, duration_h=0.25, shape=(1344, 300))
        by_day = done.load_kw[(hour >= 8.0) & (hour < 16.0)].sum()
        shares.append(by_day / done.load_kw.sum())
    assert shares[0] < 0.15
    assert shares[1] > 0.5


@given(
    need=st.floats(0.0, 80.0), hours=st.floats(0.0, 20.0), limit=st.floats(1.0, 22.0), efficiency=st.floats(0.5, 1.0),
    arrival=st.floats(0.0, 20.0), resolution=st.sampled_from([60, 300, 900, 3600]),
)  # fmt: skip
def test_one_session_at_any_resolution(need, hours, limit, efficiency, arrival, resolution):
    sessions = EvSessions(np.array([0]), np.array([arrival]), np.array([arrival + hours]), np.array([need]))
    duration_h, steps = resolution / 3600, 48 * 3600 // resolution
    done = ev_charging(sessions, max_kw=limit, charge_efficiency=efficiency, duration_h=duration_h, shape=(steps, 1))
    stay = float(sessions.departure_h[0] - arrival)
    got = min(need, stay * limit * efficiency)
    assert done.delivered_kwh[0] == pytest.approx(got, abs=1e-9)
    assert done.load_kw.sum() * duration_h * efficiency == pytest.approx(got, abs=1e-9)
    assert done.plugged.sum() * duration_h == pytest.approx(stay, abs=1e-9)


@given(st.lists(st.floats(-5.0, 30.0), min_size=1, max_size=40), st.floats(0.0, 1.0))
def test_controlled_charging_stops_when_the_need_is_met(requests, plugged):
    left, drawn = np.array([9.0]), 0.0
    for request in requests:
        power, after = charge_step(
            left, request, max_kw=7.2, charge_efficiency=0.9, plugged=plugged, duration_h=0.25
        )  # fmt: skip
        assert 0.0 <= power[0] <= 7.2 * plugged
        assert 0.0 <= after[0] <= left[0]
        drawn, left = drawn + power[0] * 0.25, after
    assert drawn * 0.9 + left[0] == pytest.approx(9.0, abs=1e-9)


def test_what_cannot_be_is_refused():
    column = np.array([1.0])
    with pytest.raises(InvalidInputError, match="departure_h"):
        EvSessions(np.array([0]), column, column - 1.0, column)
    with pytest.raises(InvalidInputError, match="energy_kwh"):
        EvSessions(np.array([0]), column, column, -column)
    with pytest.raises(SeriesMismatchError, match="energy_kwh"):
        EvSessions(np.array([0]), column, column, np.array([1.0, 2.0]))
    with pytest.raises(InvalidInputError, match="max_kw"):
        minimum_hours(1.0, max_kw=0.0, charge_efficiency=0.9)
    with pytest.raises(InvalidInputError, match="charge_efficiency"):
        deliverable_kwh(1.0, max_kw=1.0, charge_efficiency=1.2)
    with pytest.raises(InvalidInputError, match="duration_h"):
        charge_step(1.0, 1.0, max_kw=1.0, charge_efficiency=1.0, plugged=1.0, duration_h=0.0)
    with pytest.raises(InvalidInputError, match=r"ev\.weekday_share"):
        replace(HOME, weekday_share=1.2)
    with pytest.raises(InvalidInputError, match=r"ev\.stay_h"):
        replace(HOME.weekday, stay_h=(3.0, 2.0, 11.5, 13.25, 14.75, 16.0, 20.0))
    with pytest.raises(InvalidInputError, match=r"ev\.levels"):
        replace(HOME.weekday, levels=(0.1, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0))
    with pytest.raises(InvalidInputError, match=r"ev\.arrival_stay"):
        replace(HOME.weekday, arrival_stay=0.9, arrival_energy=0.9, stay_energy=-0.9)
