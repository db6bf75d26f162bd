from __future__ import annotations

import pytest

from vpp.core.errors import UnknownNameError
from vpp.forecasting import ForecastSettings
from vpp.forecasting.needs import COSTS
from vpp.forecasting.registry import models
from vpp.forecasting.training.candidate import Candidate, candidates

SETTINGS = ForecastSettings()


def test_by_default_all_but_the_heavy_ones_take_part_cheapest_first() -> None:
    found, _ = candidates((), SETTINGS)
    costs = [COSTS.index(one.spec.needs.cost) for one in found]
    assert costs == sorted(costs)
    assert {one.name for one in found} >= {"theta", "seasonal_naive_24h"}
    assert not {one.name for one in found} & {"prophet", "random_forest", "nbeats"}


def test_members_of_the_combination_are_not_run_twice() -> None:
    assert "theta" not in {one.name for one in candidates((), SETTINGS, members=("theta",))[0]}
    assert candidates(("theta", "median"), SETTINGS, members=("theta",)) == ((), ())


def test_what_is_not_installed_is_left_out_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vpp.forecasting.training.candidate.find_spec", lambda _name: None)
    found, left_out = candidates(("prophet", "theta"), SETTINGS)
    assert [one.name for one in found] == ["theta"]
    assert left_out == ("prophet: prophet is not installed; pip install 'vpp[prophet]'",)


def test_all_names_every_one_and_an_unknown_one_is_refused() -> None:
    found, left_out = candidates(("all",), SETTINGS)
    exogenous = {name for name, spec in models().items() if spec.needs.exogenous}
    assert len(found) + len(left_out) == len(models()) - len(exogenous)
    with pytest.raises(UnknownNameError, match="did you mean: theta"):
        candidates(("tetha",), SETTINGS)


def test_needs_are_kept() -> None:
    mstl = Candidate("mstl", "mstl")
    assert mstl.answers_for("load", 21.0)
    assert not mstl.answers_for("load", 20.9)
    assert not Candidate("weather_trees", "weather_trees").answers_for("wind", 100.0)
