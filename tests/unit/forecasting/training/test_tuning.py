from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from vpp.core.errors import InvalidInputError
from vpp.core.ports import SeriesTable
from vpp.forecasting import ForecastSettings, SeriesProfile
from vpp.forecasting.training import tuning
from vpp.forecasting.training.evidence import Evidence, Group
from vpp.forecasting.training.folds import rolling_folds

Plant = Callable[..., SeriesTable]


@pytest.fixture
def group(plant: Plant, profiles: tuple[SeriesProfile, ...], zone: ZoneInfo) -> Group:
    history = plant(40)
    return Group("home", zone, profiles, history, rolling_folds(history.grid, zone, folds=4), 30)


def test_the_usual_sizes_are_tried_first_and_only_early_folds_are_seen(
    group: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, int]] = []
    until = group.folds[len(group.folds) // 2 - 1].origins[-1] + group.steps

    def count_trees(early: Group, candidate: tuning.Candidate) -> Evidence:
        """Stand in for the fits: the more trees, the better."""
        shape = candidate.settings.trees["load"]
        seen.append((shape.trees, early.origins[-1] + early.steps))
        return Evidence(candidate.name, tuning.actuals(early) + 1.0 / shape.trees)

    monkeypatch.setattr(tuning, "of_single", count_trees)
    found = tuning.tune(group, ForecastSettings(), budget_s=0.3)
    assert found is not None
    candidate, trials = found
    assert seen[0][0] == 80
    assert trials == len(seen)
    assert {end for _, end in seen} == {until}
    assert candidate.settings.trees["wind"].trees == max(trees for trees, _ in seen)
    assert candidate.name == "trees_tuned"


def test_one_fold_leaves_nothing_to_judge_on(group: Group) -> None:
    assert tuning.tune(replace(group, folds=group.folds[:1]), ForecastSettings(), budget_s=1.0) is None
    with pytest.raises(InvalidInputError, match=r"budget_s: got 0\.0, expected seconds above 0"):
        tuning.tune(group, ForecastSettings(), budget_s=0.0)


def test_a_tuned_candidate_can_be_made(group: Group) -> None:
    settings = tuning.shaped(ForecastSettings(), tuning.TreeShape(trees=3, leaves=4))
    one = replace(group, folds=group.folds[-1:])
    value = tuning.of_single(one, tuning.Candidate(tuning.TUNED, tuning.TUNABLE, settings)).value
    assert value.shape == (7, 30, 4)
    assert np.isfinite(value).any()
