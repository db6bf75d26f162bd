from __future__ import annotations

from math import copysign
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpp.core.errors import InvalidInputError
from vpp.edge.drivers.conversion import Conversion


@pytest.mark.parametrize(
    ("conversion", "number", "value"),
    [
        # one row for each direction of each unit, and zero
        (Conversion("W"), 1500.0, 1.5),
        (Conversion("W"), -1500.0, -1.5),
        (Conversion("W", positive="from_grid"), 1500.0, -1.5),
        (Conversion("W", positive="from_grid"), -1500.0, 1.5),
        (Conversion("W", positive="from_grid"), 0.0, 0.0),
        (Conversion("kW"), 2.0, 2.0),
        (Conversion("kW", positive="from_grid"), 2.0, -2.0),
        (Conversion("MW"), 0.25, 250.0),
        (Conversion("W", scale=10.0), 150.0, 1.5),
        (Conversion("W", scale=0.1, positive="from_grid"), 15_000.0, -1.5),
        (Conversion("percent_of_full", full_kw=8.0), 25.0, 2.0),
        (Conversion("percent_of_full", full_kw=8.0, positive="from_grid"), 100.0, -8.0),
        (Conversion("percent"), 55.0, 0.55),
        (Conversion("percent", scale=0.1), 1000.0, 1.0),
        (Conversion("Wh"), 500.0, 0.5),
        (Conversion("kWh"), 7.0, 7.0),
        (Conversion("MWh"), 7.0, 7000.0),
        (Conversion("plain"), 49.98, 49.98),
    ],
)
def test_a_number_becomes_the_houses_and_the_devices_again(conversion: Conversion, number: float, value: float) -> None:
    assert conversion.to_house(number) == pytest.approx(value, abs=1e-12)
    assert conversion.to_device(value) == pytest.approx(number, abs=1e-9)
    assert copysign(1.0, conversion.to_house(0.0)) == 1.0
    assert copysign(1.0, conversion.to_device(0.0)) == 1.0


@given(
    st.sampled_from(["W", "kW", "MW", "percent", "Wh", "plain"]),
    st.floats(-1e6, 1e6).filter(lambda scale: abs(scale) > 1e-6),
    st.sampled_from(["toward_grid", "from_grid"]),
    st.floats(-1e9, 1e9),
)
def test_there_and_back(unit: Any, scale: float, positive: Any, number: float) -> None:
    conversion = Conversion(unit, scale, positive)
    assert conversion.to_device(conversion.to_house(number)) == pytest.approx(number, rel=1e-12, abs=1e-300)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"unit": "kw"}, "unit"),
        ({"scale": 0.0}, "scale"),
        ({"scale": float("nan")}, "scale"),
        ({"positive": "import"}, "positive"),
        ({"unit": "percent_of_full"}, "full_kw"),
        ({"unit": "percent_of_full", "full_kw": 0.0}, "full_kw"),
        ({"unit": "W", "full_kw": 5.0}, "full_kw"),
    ],
)
def test_what_cannot_be_is_refused_by_name(fields: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        Conversion(**fields)
    assert caught.value.field == field
