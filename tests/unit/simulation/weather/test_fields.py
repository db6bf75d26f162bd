"""Fields in space and time: unit variance, persistence, decay with distance, resolutions, chunks, seeds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpp.core.time import TimeGrid, parse_time
from vpp.simulation.weather.fields import Mode, draw, spatial_weights, step_means, step_variance
from vpp.simulation.weather.places import Places

MODES = (Mode(86_400.0, 300.0, 0.7), Mode(1800.0, 10.0, 0.3))


def grid(resolution_s: int = 3600, count: int = 4000) -> TimeGrid:
    return TimeGrid(parse_time("2023-01-01T00:00Z"), resolution_s, count)


def line(*kilometres: float) -> Places:
    return Places(np.zeros(len(kilometres)), np.array(kilometres) / 111.195)


def test_weights_have_the_exponential_correlation() -> None:
    distances = np.array([0.0, 30.0, 100.0, 300.0, 1500.0])
    places = line(*distances)
    mode = Mode(3600.0, 100.0, 1.0)
    found = np.mean([(w := spatial_weights(mode, places, seed=s, name="x")) @ w[0] for s in range(40)], axis=0)
    np.testing.assert_allclose(found, np.exp(-distances / 100.0), atol=0.06)
    assert (np.diff(found[:4]) < 0.0).all()


@pytest.mark.parametrize("seed", range(5))
def test_one_realisation_strays_little(seed: int) -> None:
    distances = np.linspace(0.0, 500.0, 60)
    weights = spatial_weights(Mode(3600.0, 100.0, 1.0), line(*distances), seed=seed, name="x")
    assert np.sqrt(np.mean((weights @ weights[0] - np.exp(-distances / 100.0)) ** 2)) < 0.2


@given(seed=st.integers(0, 2**32), range_km=st.floats(0.01, 5000.0), share=st.floats(0.0, 1.0))
def test_every_site_has_the_mode_s_variance(seed: int, range_km: float, share: float) -> None:
    places = Places([-90.0, 0.0, 51.0], [0.0, 179.0, -3.0])
    weights = spatial_weights(Mode(60.0, range_km, share), places, seed=seed, name="x")
    np.testing.assert_allclose((weights**2).sum(axis=1), share, atol=1e-12)


@pytest.mark.parametrize("ratio", [1e-4, 0.02, 0.5, 3.0, 200.0])
def test_step_means_have_the_closed_form_s_moments(ratio: float) -> None:
    series = step_means(np.random.default_rng(0), 60, 20_000, ratio)
    expected = Mode(1.0, 1.0, 1.0).step_variance(ratio)
    assert series.var() == pytest.approx(expected, rel=0.05)
    if ratio >= 0.02:
        following = 2.0 * (np.cosh(ratio) - 1.0) * np.exp(-ratio) / ratio**2
        assert (series[1:] * series[:-1]).mean() == pytest.approx(following, abs=0.05 * expected)


def test_means_of_a_finer_run_have_the_coarser_run_s_statistics() -> None:
    coarse = step_means(np.random.default_rng(1), 100, 4000, 0.8)
    fine = step_means(np.random.default_rng(2), 500, 4000, 0.16).reshape(100, 5, 4000).mean(axis=1)
    assert fine.var() == pytest.approx(coarse.var(), rel=0.02)
    assert (fine[1:] * fine[:-1]).mean() == pytest.approx((coarse[1:] * coarse[:-1]).mean(), rel=0.04)


def test_the_variance_of_a_step_falls_with_its_length() -> None:
    variances = [step_variance(MODES, resolution_s) for resolution_s in (1, 60, 900, 3600)]
    assert variances[0] == pytest.approx(1.0, abs=1e-3)
    assert variances == sorted(variances, reverse=True)
    assert draw(MODES, line(0.0), grid(), seed=3, name="x").var() == pytest.approx(variances[-1], rel=0.2)


def test_same_seed_same_bytes_and_chunks_change_nothing() -> None:
    places = Places(np.linspace(-60, 60, 150), np.linspace(-170, 170, 150))
    whole = draw(MODES, places, grid(count=50), seed=7, name="x")
    parts = [draw(MODES, places.part(i, min(i + 37, 150)), grid(count=50), seed=7, name="x") for i in range(0, 150, 37)]
    assert np.concatenate(parts, axis=1).tobytes() == whole.tobytes()
    assert not np.array_equal(whole, draw(MODES, places, grid(count=50), seed=8, name="x"))
    assert not np.array_equal(whole, draw(MODES, places, grid(count=50), seed=7, name="y"))
