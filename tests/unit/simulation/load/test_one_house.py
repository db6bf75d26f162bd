"""One house in plain numbers does what houses in arrays do."""

from __future__ import annotations

import numpy as np
import pytest

from vpp.core.errors import InvalidInputError
from vpp.simulation.load import House, heat_pump_load, one_heat_pump


@pytest.mark.parametrize("duration_h", [1 / 12, 0.25, 1.0])
@pytest.mark.parametrize("rated_kw", [0.0, 1.0, 4.0])
def test_it_is_the_same_house(duration_h: float, rated_kw: float) -> None:
    source = np.random.default_rng(1)
    outdoor = np.cumsum(source.normal(0.0, 1.0, 300)) + 4.0
    cop = source.uniform(2.0, 4.0, 300)
    house = House(3.0, 4.0)
    band = {"duration_h": duration_h, "initial_c": 21.0, "low_c": 20.0, "high_c": 22.0}
    one = one_heat_pump(house, rated_kw=rated_kw, outdoor_c=outdoor, cop=cop, **band)
    many = heat_pump_load(house, rated_kw=[rated_kw], outdoor_c=outdoor[:, None], cop=cop[:, None], **band)
    for name in ("load_kw", "heat_kw", "indoor_c"):
        np.testing.assert_allclose(getattr(one, name), getattr(many, name), atol=1e-9)
    assert (one.running == many.running).all()


def test_a_band_that_does_not_rise_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="a band that rises"):
        one_heat_pump(
            House(2.0, 2.0),
            rated_kw=1.0,
            outdoor_c=[0.0],
            cop=[3.0],
            duration_h=1.0,
            initial_c=20.0,
            low_c=20.0,
            high_c=20.0,
        )
