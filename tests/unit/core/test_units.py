"""Units: every conversion and its inverse, and how quantities are read."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpp.core import units
from vpp.core.errors import InvalidInputError

FINITE = st.floats(min_value=-1e12, max_value=1e12, allow_subnormal=False)
PAIRS = [
    (units.kw_from_w, units.w_from_kw),
    (units.kw_from_mw, units.mw_from_kw),
    (units.kwh_from_mwh, units.mwh_from_kwh),
    (units.price_per_kwh_from_mwh, units.price_per_mwh_from_kwh),
    (units.fraction_from_percent, units.percent_from_fraction),
]


@pytest.mark.parametrize(
    ("convert", "given_value", "expected"),
    [
        (units.kw_from_w, 800.0, 0.8),
        (units.w_from_kw, 0.8, 800.0),
        (units.kw_from_mw, 2.5, 2500.0),
        (units.mw_from_kw, 2500.0, 2.5),
        (units.kwh_from_mwh, 20.0, 20_000.0),
        (units.mwh_from_kwh, 13.5, 0.0135),
        (units.price_per_kwh_from_mwh, 85.0, 0.085),
        (units.price_per_kwh_from_mwh, -500.0, -0.5),
        (units.price_per_mwh_from_kwh, 0.085, 85.0),
        (units.fraction_from_percent, 90.0, 0.9),
        (units.percent_from_fraction, 0.9, 90.0),
        (units.hours_from_seconds, 900.0, 0.25),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_conversions(convert: Callable[[float], float], given_value: float, expected: float) -> None:
    assert convert(given_value) == pytest.approx(expected, rel=1e-15)


@pytest.mark.parametrize(("there", "back"), PAIRS, ids=lambda function: function.__name__)
@given(value=FINITE)
def test_there_and_back(there: Callable[[float], float], back: Callable[[float], float], value: float) -> None:
    assert back(there(value)) == pytest.approx(value, rel=1e-15, abs=1e-300)


@pytest.mark.parametrize(("there", "back"), PAIRS, ids=lambda function: function.__name__)
def test_arrays_convert_as_their_members_do(there: Callable, back: Callable) -> None:
    values = np.array([-3.0, 0.0, 7.25])
    np.testing.assert_array_equal(there(values), [there(float(value)) for value in values])
    np.testing.assert_allclose(back(there(values)), values, rtol=1e-15)


@given(power_kw=FINITE, duration_h=st.floats(min_value=1 / 3600, max_value=8760.0))
def test_energy_and_mean_power_are_inverse(power_kw: float, duration_h: float) -> None:
    energy = units.energy_kwh(power_kw, duration_h)
    assert units.mean_power_kw(energy, duration_h) == pytest.approx(power_kw, rel=1e-14, abs=1e-300)


@pytest.mark.parametrize("duration_h", [0.0, -0.25, float("nan")])
def test_mean_power_needs_a_positive_duration(duration_h: float) -> None:
    with pytest.raises(InvalidInputError, match=r"duration_h: got .*, expected a positive duration \[h\]"):
        units.mean_power_kw(1.0, duration_h)


@pytest.mark.parametrize(
    ("text", "power_kw"),
    [
        (5, 5.0),
        (0.0, 0.0),
        (-2.5, -2.5),
        ("5 kW", 5.0),
        ("5kW", 5.0),
        ("5 KW", 5.0),
        ("800 W", 0.8),
        ("2.5 MW", 2500.0),
        ("1 GW", 1e6),
        ("1e-3 MW", 1.0),
        ("  -7. kW ", -7.0),
    ],
)
def test_power_is_read(text: str | float, power_kw: float) -> None:
    assert units.parse_power_kw(text) == pytest.approx(power_kw, rel=1e-15)


@pytest.mark.parametrize(
    ("text", "energy_kwh"), [(13.5, 13.5), ("13.5 kWh", 13.5), ("20 MWh", 2e4), ("500 Wh", 0.5), ("1 GWh", 1e6)]
)
def test_energy_is_read(text: str | float, energy_kwh: float) -> None:
    assert units.parse_energy_kwh(text) == pytest.approx(energy_kwh, rel=1e-15)


@pytest.mark.parametrize("text", ["", "5", "five kW", "5 kWh", "5 mW", "5 kw", "kW", "5 kW and more", "nan kW", True])
def test_what_is_no_power_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError, match=r"battery\.charge_max_kw: got .*'5 kW'"):
        units.parse_power_kw(text, field="battery.charge_max_kw")


@pytest.mark.parametrize("text", ["5 kW", "5 W", False])
def test_what_is_no_energy_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError, match="'5 kWh'"):
        units.parse_energy_kwh(text)


@given(power_kw=st.floats(min_value=-1e9, max_value=1e9, allow_subnormal=False))
def test_a_printed_power_reads_back(power_kw: float) -> None:
    assert units.parse_power_kw(f"{power_kw!r} kW") == power_kw
