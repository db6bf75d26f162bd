"""What a problem refuses, and the problem of one site."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from vpp.core.errors import InvalidInputError, SeriesMismatchError


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("import_price_per_kwh", np.array([[0.1], [np.nan]]), r"import_price_per_kwh\[1, 0\]: got nan"),
        ("curtailable_kw", np.array([[0.1], [-1.0]]), "0 or more"),
        ("initial_soc", np.array([1.2]), "fractions, 0 to 1"),
        ("committed_kw", np.array([[np.inf], [0.0]]), "finite powers"),
        ("final_soc_min", np.array([1.5]), "0 to soc_max"),
        ("battery_site", (3,), "1 indices of 1 sites"),
        ("imbalance_spread_per_kwh", -0.1, "0 or more"),
    ],
)
def test_a_value_outside_its_range_is_named(problems, field, value, words):
    with pytest.raises(InvalidInputError, match=words):
        replace(problems.problem(2), **{field: value})


@pytest.mark.parametrize("field", ["fixed_kw", "import_max_kw", "initial_soc", "price_known", "final_soc_min"])
def test_a_wrong_shape_is_named(problems, field):
    with pytest.raises(SeriesMismatchError, match=field):
        replace(problems.problem(2), **{field: np.zeros(7)})


def test_a_horizon_has_a_step(problems):
    with pytest.raises(InvalidInputError, match="at least one step"):
        problems.problem(0)


def test_the_problem_of_one_site_holds_its_batteries(problems):
    units = tuple(problems.battery(name) for name in ("a", "b", "c"))
    problem = problems.problem(2, 2, batteries=units, battery_site=(1, 0, 1), fixed_kw=np.array([[1.0, 2.0]] * 2))
    part = problem.at_site(1)
    assert [unit.id for unit in part.batteries] == ["a", "c"]
    assert part.battery_site == (0, 0)
    assert part.site_ids == ("site1",)
    assert part.fixed_kw[:, 0].tolist() == [2.0, 2.0]
