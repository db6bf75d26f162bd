"""Frequency response: signs, limits, ramps, the scalar and the fleet path."""

from __future__ import annotations

from dataclasses import replace
from math import inf, isnan, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpp.core.assets import Battery
from vpp.core.curves import DROOP_CURVES, FREQUENCY_CURVES, frequency_curve
from vpp.core.errors import InvalidInputError, SeriesMismatchError
from vpp.core.extras import compiled
from vpp.core.storage import StorageLimits, execute, power_band_kw
from vpp.dispatch import response
from vpp.dispatch.response import FleetResponse, FrequencyService, respond, respond_in_a_loop, respond_in_numpy

BATTERY = Battery(id="b", capacity_kwh=100.0, charge_max_kw=50.0, discharge_max_kw=60.0, soc_min=0.1, soc_max=0.9)
NAMES = [*FREQUENCY_CURVES, *DROOP_CURVES]
SOC = st.floats(0.0, 1.0)
BASELINE = st.floats(-60.0, 60.0)


@pytest.fixture(autouse=True, scope="module")
def _warm() -> None:
    response._kernel()  # compiled once, outside what is timed


def service(name: str = "FCR_CE", *, contracted_kw: float = 40.0, **fields: float) -> FrequencyService:
    made = FrequencyService.of_battery(BATTERY, frequency_curve(name), contracted_kw=contracted_kw, hold_s=1.0)
    return replace(made, **fields)


def frequencies(name: str) -> st.SearchStrategy[float]:
    nominal = frequency_curve(name).nominal
    return st.floats(nominal - 4.0, nominal + 4.0)


@pytest.mark.parametrize(
    ("name", "frequency_hz", "power_kw"),
    [
        ("FCR_CE", 49.9, 20.0),
        ("FCR_CE", 49.995, 0.0),
        ("FCR_CE", 50.1, -20.0),
        ("DC", 49.65, 21.0),
        ("IEEE1547_droop", 59.85, 40.0 * 0.038),
        ("IEEE1547_droop", 60.1, -40.0 * 0.064 / 3.0),
    ],
)
def test_the_contract_times_the_curve(name: str, frequency_hz: float, power_kw: float) -> None:
    assert respond(frequency_hz, service(name), soc=0.5) == pytest.approx(power_kw, abs=1e-9)


@pytest.mark.parametrize(("nominal_hz", "name"), [(50.0, "FCR_CE"), (60.0, "IEEE1547_droop"), (60.0, "ERCOT_droop")])
def test_an_under_frequency_discharges(nominal_hz: float, name: str) -> None:
    # at 59.85 Hz another platform charged
    assert respond(nominal_hz - 0.15, service(name), soc=0.5) > 0.0
    assert respond(nominal_hz + 0.15, service(name), soc=0.5) < 0.0


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data(), soc=SOC, baseline_kw=BASELINE, contracted_kw=st.floats(0.0, 200.0))
def test_the_answer_keeps_every_limit(
    name: str, data: st.DataObject, soc: float, baseline_kw: float, contracted_kw: float
) -> None:
    device = service(name, contracted_kw=contracted_kw)
    power_kw = respond(data.draw(frequencies(name)), device, soc=soc, baseline_kw=baseline_kw)
    assert -50.0 <= power_kw <= 60.0
    assert power_kw <= 0.0 or soc > BATTERY.soc_min
    assert power_kw >= 0.0 or soc < BATTERY.soc_max


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data(), soc=SOC, baseline_kw=BASELINE)
def test_the_answer_never_rises_with_the_frequency(
    name: str, data: st.DataObject, soc: float, baseline_kw: float
) -> None:
    low, high = sorted((data.draw(frequencies(name)), data.draw(frequencies(name))))
    device = service(name)
    # a curve in floats may step up by an ulp between two neighbours
    above, below = (respond(f, device, soc=soc, baseline_kw=baseline_kw) for f in (low, high))
    assert above >= below - 1e-9


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data(), soc=SOC, baseline_kw=BASELINE)
def test_the_answer_never_points_the_wrong_way(name: str, data: st.DataObject, soc: float, baseline_kw: float) -> None:
    device, frequency_hz = service(name), data.draw(frequencies(name))
    lowest, highest = device.band_kw(soc)
    before_kw = min(max(baseline_kw, lowest), highest)
    change_kw = respond(frequency_hz, device, soc=soc, baseline_kw=baseline_kw) - before_kw
    assert change_kw * (device.curve.nominal - frequency_hz) >= -1e-9


@given(soc=SOC, hold_s=st.floats(1.0, 7200.0), under=st.booleans())
def test_what_is_answered_can_be_held(soc: float, hold_s: float, under: bool) -> None:
    device = FrequencyService.of_battery(BATTERY, frequency_curve("FCR_CE"), contracted_kw=60.0, hold_s=hold_s)
    power_kw = respond(49.0 if under else 51.0, device, soc=soc)
    done = execute(soc * 100.0, power_kw, BATTERY.limits, duration_h=hold_s / 3600.0)
    assert float(done.power_kw) == pytest.approx(power_kw, abs=1e-6)


@given(soc=SOC, hold_s=st.floats(1.0, 7200.0))
def test_the_band_is_that_of_the_energy_balance(soc: float, hold_s: float) -> None:
    device = FrequencyService.of_battery(BATTERY, frequency_curve("FCR_CE"), contracted_kw=60.0, hold_s=hold_s)
    lowest, highest = power_band_kw(soc * 100.0, BATTERY.limits, duration_h=hold_s / 3600.0)
    assert device.band_kw(soc) == pytest.approx((float(lowest), float(highest)), abs=1e-6)


def test_the_ramp_holds_the_answer_back_and_the_limits_stand_above_it() -> None:
    slow = service(ramp_kw_per_s=5.0)
    assert respond(49.8, slow, soc=0.5, previous_kw=0.0, elapsed_s=1.0) == 5.0
    assert respond(50.2, slow, soc=0.5, previous_kw=3.0, elapsed_s=1.0) == -2.0
    assert respond(49.8, slow, soc=0.5, previous_kw=38.0, elapsed_s=1.0) == 40.0
    assert respond(49.8, slow, soc=0.5, previous_kw=7.0, elapsed_s=-1.0) == 7.0
    # an empty store stops at once, whatever the ramp says
    assert respond(49.8, slow, soc=0.1, previous_kw=40.0, elapsed_s=1.0) == 0.0


def test_what_is_not_known_gets_no_answer() -> None:
    assert isnan(respond(nan, service(), soc=0.5))
    assert isnan(respond(49.8, service(), soc=nan))
    assert isnan(respond(49.8, service(), soc=0.5, baseline_kw=nan))


def test_headroom_is_what_can_be_promised() -> None:
    # 200 kW of reserve were promised elsewhere, of which 86 were there
    device = FrequencyService.of_battery(BATTERY, frequency_curve("FCR_CE"), contracted_kw=60.0)
    down_kw, up_kw = device.headroom_kw(0.2, baseline_kw=10.0)
    assert up_kw == pytest.approx(0.1 * 100.0 * BATTERY.discharge_efficiency * 4.0 - 10.0)
    assert down_kw == 60.0
    assert device.headroom_kw(0.1, baseline_kw=10.0)[1] == 0.0


def test_a_device_without_a_store_has_only_power_limits() -> None:
    device = FrequencyService(
        curve=frequency_curve("FCR_CE"), contracted_kw=10.0, charge_max_kw=0.0, discharge_max_kw=8.0
    )
    assert respond(49.8, device, soc=0.5) == 8.0
    assert respond(50.2, device, soc=0.5) == 0.0
    assert respond(50.2, device, soc=0.5, baseline_kw=7.0) == 0.0


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("contracted_kw", -1.0),
        ("contracted_kw", nan),
        ("charge_max_kw", -1.0),
        ("soc_min", 0.95),
        ("ramp_kw_per_s", 0.0),
        ("ramp_kw_per_s", nan),
    ],
)
def test_a_service_out_of_range_is_refused(field: str, value: float) -> None:
    with pytest.raises(InvalidInputError, match=field):
        service(**{field: value})


@pytest.mark.parametrize("hold_s", [None, 0.0, inf, nan])
def test_a_time_to_hold_is_needed(hold_s: float | None) -> None:
    with pytest.raises(InvalidInputError, match="hold_s"):
        FrequencyService.of_battery(BATTERY, frequency_curve("FCR_N"), contracted_kw=1.0, hold_s=hold_s)
    with pytest.raises(InvalidInputError, match="hold_s"):
        FleetResponse.of(frequency_curve("FCR_N"), [1.0], BATTERY.limits, energy_kwh=[50.0], hold_s=hold_s)


def fleet(count: int, name: str = "DC", *, seed: int = 0) -> tuple[FleetResponse, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    contracted, soc, baseline = rng.uniform(0.0, 80.0, count), rng.uniform(0.0, 1.0, count), rng.uniform(-60, 60, count)
    soc[: count // 4] = 0.1
    soc[count // 4 : count // 2] = 0.9
    made = FleetResponse.of(
        frequency_curve(name), contracted, BATTERY.limits, energy_kwh=100.0 * soc, hold_s=60.0, baseline_kw=baseline
    )
    return made, contracted, soc, baseline


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("offset_hz", [-0.4, -0.1, -0.005, 0.0, 0.15, 2.0])
def test_a_fleet_is_its_devices(name: str, offset_hz: float) -> None:
    made, contracted, soc, baseline = fleet(24, name)
    frequency_hz = made.curve.nominal + offset_hz
    alone = [
        respond(
            frequency_hz,
            FrequencyService.of_battery(BATTERY, made.curve, contracted_kw=contracted[i], hold_s=60.0),
            soc=soc[i],
            baseline_kw=baseline[i],
        )
        for i in range(24)
    ]
    np.testing.assert_allclose(made.respond(frequency_hz), alone, atol=1e-9)
    np.testing.assert_allclose(made.respond_each(np.full(24, frequency_hz)), alone, atol=1e-9)


def test_the_compiled_loop_and_its_twins_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    made, *_ = fleet(257)
    fast, slow, plain = made.respond(49.65), np.empty(257), np.empty(257)
    respond_in_numpy(made.curve(49.65), made.table, slow)
    respond_in_a_loop(made.curve(49.65), made.table, plain)
    np.testing.assert_allclose(fast, slow, atol=1e-12)
    np.testing.assert_allclose(fast, plain, atol=1e-12)
    monkeypatch.setattr(response, "_kernel", lambda: None)
    np.testing.assert_array_equal(made.respond(49.65), slow)


def test_without_numba_nothing_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vpp.core.extras.find_spec", lambda name: None)
    assert compiled(lambda x: x, "float64(float64)") is None


def test_a_fleet_answers_into_the_array_it_is_given() -> None:
    made, *_ = fleet(8)
    out = np.empty(8)
    assert made.respond(49.7, out=out) is out


def test_unknown_energy_or_frequency_is_nan_for_whom_it_concerns() -> None:
    made = FleetResponse.of(
        frequency_curve("FCR_CE"), [10.0, 10.0], BATTERY.limits, energy_kwh=[nan, 50.0], baseline_kw=1.0
    )
    np.testing.assert_array_equal(made.respond(49.8), [nan, 11.0])
    np.testing.assert_array_equal(made.respond_each([49.8, nan]), [nan, nan])
    assert np.isnan(made.respond(nan)).all()


def test_a_fleet_keeps_ramps_and_states_its_headroom() -> None:
    limits = StorageLimits(0.0, 10.0, 5.0, 5.0, 1.0, 1.0)
    made = FleetResponse.of(
        frequency_curve("FCR_CE"), [5.0, 5.0], limits, energy_kwh=[10.0, 0.0], hold_s=60.0, baseline_kw=[1.0, 0.0]
    )
    np.testing.assert_allclose(made.ramped(made.respond(49.8), np.array([0.0, 2.0]), reach_kw=1.0), [1.0, 0.0])
    down_kw, up_kw = made.headroom_kw
    np.testing.assert_allclose(down_kw, [1.0, 5.0])
    np.testing.assert_allclose(up_kw, [4.0, 0.0])


def test_a_fleet_refuses_a_negative_contract_and_another_layout() -> None:
    with pytest.raises(InvalidInputError, match="contracted_kw"):
        FleetResponse.of(frequency_curve("DC"), [-1.0], BATTERY.limits, energy_kwh=[5.0])
    with pytest.raises(SeriesMismatchError, match="table"):
        FleetResponse(frequency_curve("DC"), np.zeros((3, 2)))
