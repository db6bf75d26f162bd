"""Parameters of arrays: ranges at both ends, lengths, names, parts."""

from __future__ import annotations

import numpy as np
import pytest

from vpp.core.errors import InvalidInputError, SeriesMismatchError, UnknownNameError
from vpp.simulation.solar import SolarArrays
from vpp.simulation.solar.arrays import _RANGES


@pytest.mark.parametrize("name", _RANGES)
def test_each_range_is_checked_at_both_ends(name: str) -> None:
    low, high, unit, low_open = _RANGES[name]
    allowed = {"dc_rated_kw": 1.0}
    lowest = np.nextafter(low, np.inf) if low_open else low
    for inside in (lowest, high):
        SolarArrays(**allowed | {"ac_rated_kw": 1.0, name: inside})
    for outside in (np.nextafter(lowest, -np.inf), np.nextafter(high, np.inf), np.nan):
        with pytest.raises(InvalidInputError, match=f"arrays.{name}: got") as caught:
            SolarArrays(**allowed | {"ac_rated_kw": 1.0, name: outside})
        assert unit in caught.value.expected


def test_scalars_count_for_every_site_and_parts_keep_the_rest() -> None:
    arrays = SolarArrays(
        dc_rated_kw=[1.0, 2.0, 3.0], tilt_deg=10.0, sky_model="perez", horizon_deg=[[0, 1], [2, 3], [4, 5]]
    )
    part = arrays.part(1, 3)
    assert len(part) == 2
    assert part.sky_model == "perez"
    np.testing.assert_array_equal(part.of("dc_rated_kw"), [2.0, 3.0])
    np.testing.assert_array_equal(part.of("tilt_deg"), [10.0, 10.0])
    np.testing.assert_array_equal(part.horizon, [[2, 3], [4, 5]])
    np.testing.assert_allclose(part.of("ac_rated_kw"), np.array([2.0, 3.0]) / 1.2)


def test_one_horizon_counts_for_every_site() -> None:
    assert SolarArrays(dc_rated_kw=[1.0, 2.0], horizon_deg=[0.0, 10.0, 5.0]).horizon.shape == (2, 3)
    assert SolarArrays(dc_rated_kw=1.0).horizon is None


@pytest.mark.parametrize(
    ("given", "fault", "message"),
    [
        ({"dc_rated_kw": [1.0, -1.0]}, InvalidInputError, r"dc_rated_kw\[1\]: got -1.0, expected 0 to 1e\+07 \[kW\]"),
        ({"dc_rated_kw": 0.0}, InvalidInputError, "arrays.ac_rated_kw: got 0.0, expected more than 0 up to"),
        ({"tilt_deg": [1.0, 2.0, 3.0]}, SeriesMismatchError, "one number for all sites, or arrays of one length"),
        ({"horizon_deg": [[0, 1], [0, 1], [0, 1]]}, SeriesMismatchError, "horizon_deg"),
        ({"horizon_deg": [5.0]}, InvalidInputError, r"arrays.horizon_deg: got 'shape \(1, 1\)', expected two or more"),
        ({"horizon_deg": [0.0, 91.0]}, InvalidInputError, r"arrays.horizon_deg\[0\]\[1\]: got 91.0"),
        ({"sky_model": "hay-davies"}, UnknownNameError, "no sky model called 'hay-davies'; did you mean: haydavies"),
        ({"cell_model": "noct"}, UnknownNameError, "no cell model called 'noct'"),
        ({"mounting": "roof"}, UnknownNameError, "no mounting called 'roof'"),
    ],
)  # fmt: skip
def test_faults_are_told(given: dict, fault: type[Exception], message: str) -> None:
    with pytest.raises(fault, match=message):
        SolarArrays(**{"dc_rated_kw": [1.0, 2.0]} | given)
