"""A long span in one request: few values of many, none altered."""

from __future__ import annotations

import math

import pytest

from vpp.core.errors import InvalidInputError
from vpp.runtime.sampled import MOST_CELLS, check_cells

READINGS = "/api/v1/plants/two/readings"
KEY = "home01_load/power_kw"
SPAN = {"start": "2016-08-05T00:00:00Z", "end": "2016-08-15T00:00:00Z", "key": [KEY]}


def test_the_mean_says_nothing_of_steps(script) -> None:
    assert set(script.get(READINGS, params=SPAN).json()) == {"start", "resolution_s", "series"}


@pytest.mark.parametrize("sampling", ["minmax", "lttb"])
def test_values_are_kept_as_they_were_measured(script, sampling: str) -> None:
    whole = script.get(READINGS, params=SPAN).json()["series"][KEY]
    answer = script.get(READINGS, params={**SPAN, "sampling": sampling, "most_points": 30}).json()
    steps, values = answer["steps"][KEY], answer["series"][KEY]
    assert answer["resolution_s"] == 3600
    assert 20 <= len(values) == len(steps) <= 30
    assert values == [whole[step] for step in steps]
    assert (steps[0], steps[-1]) == (0, len(whole) - 1)
    if sampling == "minmax":
        known = [value for value in whole if value is not None]
        assert {min(known), max(known)} <= set(values)
    every = script.get(READINGS, params={**SPAN, "sampling": sampling}).json()
    assert every["steps"][KEY] == list(range(len(whole)))


def test_a_gap_is_told(script) -> None:
    span = {"start": "2016-08-10T00:00:00Z", "end": "2016-08-20T00:00:00Z", "key": [KEY]}
    answer = script.get(READINGS, params={**span, "sampling": "lttb", "most_points": 20}).json()
    assert answer["series"][KEY][-1] is None
    assert math.isfinite(answer["series"][KEY][0])


def test_what_is_refused(script) -> None:
    assert script.get(READINGS, params={**SPAN, "sampling": "every"}).status_code == 422
    few = script.get(READINGS, params={**SPAN, "sampling": "lttb", "most_points": 9})
    assert few.status_code == 422
    assert "10 or more" in few.text
    check_cells(MOST_CELLS, 1)
    with pytest.raises(InvalidInputError, match="ask for fewer series, a shorter span, or sampling=mean"):
        check_cells(MOST_CELLS // 2 + 1, 2)
