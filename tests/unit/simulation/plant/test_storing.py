"""The rule's fast batteries are the simple model's, and both ways to step them are one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpp.core.storage import StorageLimits
from vpp.simulation.battery import SimpleBattery
from vpp.simulation.plant import storing
from vpp.simulation.plant.storing import follow

POWERS = st.lists(st.floats(-12.0, 12.0), min_size=1, max_size=60)


@given(POWERS, st.floats(0.1, 0.9), st.floats(0.0, 0.5), st.floats(0.7, 1.0))
def test_they_are_those_of_the_simple_model(powers: list[float], soc: float, standby_kw: float, one_way: float) -> None:
    model = SimpleBattery(
        capacity_kwh=10.0, charge_max_kw=5.0, discharge_max_kw=4.0, charge_efficiency=one_way,
        discharge_efficiency=one_way, soc_min=0.1, soc_max=0.9, standby_kw=standby_kw,
    )  # fmt: skip
    request = np.array(powers)[:, None]
    expected = model.run(model.initial(soc), request, duration_h=0.5).record
    stored, power, drained = follow(
        request, np.array([soc * 10.0]), model.limits, floor_kwh=1.0, standby_kw=standby_kw, duration_h=0.5
    )
    np.testing.assert_allclose(stored, expected.stored_kwh, atol=1e-9)
    np.testing.assert_allclose(power, expected.power_kw, atol=1e-9)
    assert (drained >= 0.0).all()


@given(POWERS, st.floats(0.0, 1.0), st.floats(0.0, 6.0))
def test_one_by_one_and_side_by_side_agree(powers: list[float], soc: float, must_kw: float) -> None:
    units = storing._ONE_BY_ONE + 1
    request = np.tile(np.array(powers)[:, None], units)
    limits = StorageLimits(1.0, 9.0, 5.0, 4.0, 0.95, 0.9)
    rest = {"floor_kwh": 4.0, "standby_kw": 0.1, "duration_h": 0.25, "must_kw": must_kw}
    together = follow(request, np.full(units, 10.0 * soc), limits, **rest)
    alone = follow(request[:, :1], np.array([10.0 * soc]), limits, **rest)
    for many, one in zip(together, alone, strict=True):
        assert (many == one).all()


def test_what_must_be_served_goes_under_the_floor_and_no_further_than_the_band() -> None:
    limits = StorageLimits(1.0, 9.0, 5.0, 5.0, 1.0, 1.0)
    stored, power, _ = follow(
        np.full((4, 1), 4.0), np.array([6.0]), limits, floor_kwh=5.0, standby_kw=0.0, duration_h=1.0, must_kw=1.5
    )
    assert stored[:, 0].tolist() == [4.5, 3.0, 1.5, 1.0]
    assert power[:, 0] == pytest.approx([1.5, 1.5, 1.5, 0.5])
