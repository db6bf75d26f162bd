"""Businesses: open by the clock, quiet at the weekend, parts that sum."""

from __future__ import annotations

import numpy as np
import pytest

from vpp.core.errors import InvalidInputError, SeriesMismatchError
from vpp.simulation.load import OFFICE, SHAPES, BusinessShape, business_load

AT = np.arange(14 * 96) / 4.0
CLOCK = {"hour_of_day": AT % 24.0, "weekday": (AT // 24.0).astype(int) % 7, "duration_h": 0.25}


def load(shape, *, businesses=30, seed=1, temperature_c=None, peak_kw=100.0):
    outdoor = np.full(AT.size, 15.0) if temperature_c is None else temperature_c
    return business_load(shape, businesses=businesses, peak_kw=peak_kw, temperature_c=outdoor, seed=seed, **CLOCK)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_shapes_follow_clock_and_week(shape):
    found = load(shape)
    assert (found.load_kw == found.base_kw + found.work_kw + found.cooling_kw).all()
    assert found.load_kw.min() >= 0.0
    noon, night = (CLOCK["hour_of_day"] == 12.0), (CLOCK["hour_of_day"] == 3.0)
    workday = CLOCK["weekday"] < 5
    assert found.load_kw[noon & workday].mean() == pytest.approx(100.0, rel=0.05)
    assert found.load_kw[night].mean() == pytest.approx(100.0 * shape.base_share)
    sunday = noon & (CLOCK["weekday"] == 6)
    expected = shape.base_share + (1.0 - shape.base_share) * shape.weekend_share[1]
    assert found.load_kw[sunday].mean() == pytest.approx(100.0 * expected, rel=0.1)


def test_seeds_and_chunks():
    whole = load(OFFICE)
    assert load(OFFICE).load_kw.tobytes() == whole.load_kw.tobytes()
    assert load(OFFICE, seed=2).load_kw.tobytes() != whole.load_kw.tobytes()
    chunk = load(OFFICE, businesses=np.array([29, 4]))
    assert chunk.load_kw.tobytes() == np.ascontiguousarray(whole.load_kw[:, [29, 4]]).tobytes()


def test_heat_costs_cooling_and_only_while_open():
    hot = load(OFFICE, temperature_c=np.full(AT.size, 28.0))
    open_now = hot.work_kw > 0.0
    assert hot.cooling_kw[~open_now].max() == 0.0
    assert hot.cooling_kw.max() == pytest.approx(75.0 * 0.3)


def test_noise_has_its_memory():
    shape = BusinessShape(
        opens_hour=0.0, closes_hour=24.0, weekend_share=(1.0, 1.0), base_share=0.0, noise_share=0.1, noise_h=2.0,
        spread_h=0.0, ramp_h=0.01,
    )  # fmt: skip
    noise = load(shape, businesses=60).work_kw - 100.0
    assert noise.std() == pytest.approx(10.0, rel=0.05)
    kept = (noise[1:] * noise[:-1]).mean() / (noise**2).mean()
    assert kept == pytest.approx(np.exp(-0.25 / 2.0), abs=0.02)


def test_what_cannot_be_is_refused():
    with pytest.raises(InvalidInputError, match="opens_hour"):
        BusinessShape(opens_hour=18.0, closes_hour=9.0, weekend_share=(0.0, 0.0), base_share=0.2)
    with pytest.raises(InvalidInputError, match="base_share"):
        BusinessShape(opens_hour=8.0, closes_hour=9.0, weekend_share=(0.0, 0.0), base_share=1.2)
    with pytest.raises(InvalidInputError, match="weekend_share"):
        BusinessShape(opens_hour=8.0, closes_hour=9.0, weekend_share=(0.0, 2.0), base_share=0.2)
    with pytest.raises(InvalidInputError, match="peak_kw"):
        load(OFFICE, peak_kw=-1.0)
    with pytest.raises(SeriesMismatchError, match="temperature_c"):
        load(OFFICE, temperature_c=np.zeros(3))
