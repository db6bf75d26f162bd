"""Data-centre nodes: jobs within the rating, cooling by the weather, parts that sum."""

from __future__ import annotations

import numpy as np
import pytest

from vpp.core.errors import InvalidInputError, SeriesMismatchError
from vpp.simulation.load import DataCentre, data_centre_load

CENTRE = DataCentre(rated_kw=200.0)


def test_parts_sum_and_computing_stays_in_its_rating():
    outdoor = np.linspace(0.0, 40.0, 500)
    found = data_centre_load(CENTRE, nodes=8, temperature_c=outdoor, duration_h=0.25, seed=1)
    assert (found.load_kw == found.computing_kw + found.cooling_kw + found.losses_kw).all()
    assert found.computing_kw.max() <= 200.0
    assert found.computing_kw.min() >= 200.0 * CENTRE.idle_share
    np.testing.assert_allclose(found.load_kw / found.computing_kw, np.repeat(CENTRE.pue(outdoor)[:, None], 8, axis=1))


def test_jobs_use_what_they_should():
    small = DataCentre(rated_kw=1e4, utilisation=0.4)
    found = data_centre_load(small, nodes=4, temperature_c=np.zeros(2000), duration_h=0.25, seed=2)
    assert found.computing_kw.mean() == pytest.approx(1e4 * (0.35 + 0.65 * 0.4), rel=0.02)
    # as busy at the start as later: jobs began before
    assert found.computing_kw[:20].mean() == pytest.approx(found.computing_kw.mean(), rel=0.05)


def test_seeds_and_chunks():
    outdoor = np.full(100, 20.0)
    whole = data_centre_load(CENTRE, nodes=6, temperature_c=outdoor, duration_h=1.0, seed=3).load_kw
    chunk = data_centre_load(CENTRE, nodes=np.array([5]), temperature_c=outdoor, duration_h=1.0, seed=3).load_kw
    assert chunk.tobytes() == np.ascontiguousarray(whole[:, [5]]).tobytes()
    other = data_centre_load(CENTRE, nodes=6, temperature_c=outdoor, duration_h=1.0, seed=4).load_kw
    assert not np.allclose(whole, other)


def test_what_cannot_be_is_refused():
    with pytest.raises(InvalidInputError, match=r"data_centre\.utilisation.*1\.5.*0 to 1"):
        DataCentre(rated_kw=1.0, utilisation=1.5)
    with pytest.raises(InvalidInputError, match=r"data_centre\.rated_kw"):
        DataCentre(rated_kw=0.0)
    with pytest.raises(InvalidInputError, match="duration_h"):
        data_centre_load(CENTRE, nodes=1, temperature_c=np.zeros(3), duration_h=0.0, seed=1)
    with pytest.raises(SeriesMismatchError, match="temperature_c"):
        data_centre_load(CENTRE, nodes=2, temperature_c=np.zeros((3, 5)), duration_h=1.0, seed=1)
