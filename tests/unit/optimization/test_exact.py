"""The mixed-integer program: only on request, under a time limit, never dearer than the repair, and honest."""

from __future__ import annotations

import numpy as np
import pytest

from vpp.core.errors import InvalidInputError
from vpp.core.messages.planned import PlanStatus
from vpp.optimization import exact, modes
from vpp.optimization.exact import Found
from vpp.optimization.flexible import DeferrableRun
from vpp.optimization.linear import METHOD, METHOD_SEARCHED, LinearPlanner
from vpp.optimization.matrix import build

# of random mixtures that feed in above the price of drawing: the repair by sign is not the best
WORSE_BY_SIGN = (0, 8, 18, 44, 84, 262)


@pytest.mark.parametrize("seed", WORSE_BY_SIGN)
def test_the_search_beats_the_repair_and_keeps_the_bound(mixtures, seed):
    problem = mixtures.random_mixture(seed, feed_in_above=True)
    repaired, searched = LinearPlanner().plan(problem), LinearPlanner(exact_directions=True).plan(problem)
    assert searched.status is PlanStatus.OPTIMAL
    assert searched.method == METHOD_SEARCHED
    assert searched.objective < repaired.objective - 1e-6
    assert searched.bound == pytest.approx(repaired.bound)
    assert searched.objective >= searched.bound - 1e-7
    gap = searched.objective - searched.bound
    assert f"proved it the least cost ({gap:.4g} above the relaxation)" in searched.message


def test_nothing_is_searched_where_the_relaxation_is_a_plan(problems, monkeypatch):
    def never(*_, **__):
        raise AssertionError("a relaxation that is a plan needs no search")

    monkeypatch.setattr(modes, "search", never)
    schedule = LinearPlanner(exact_directions=True).plan(problems.problem(4, import_price_per_kwh=[0.1, 0.4, 0.2, 0.5]))
    assert schedule.method == METHOD
    assert schedule.message == ""


def test_past_its_time_limit_the_repair_stays_with_what_is_proved(mixtures, monkeypatch):
    problem = mixtures.random_mixture(WORSE_BY_SIGN[1], feed_in_above=True)
    repaired = LinearPlanner().plan(problem)
    nothing = Found(None, repaired.objective - 0.5, finished=False, closed=np.zeros(0, dtype=np.int32))
    monkeypatch.setattr(modes, "search", lambda *_, **__: nothing)
    schedule = LinearPlanner(exact_directions=True).plan(problem)
    assert schedule.objective == pytest.approx(repaired.objective)
    assert "the search stopped in time, at most 0.5 above the least cost" in schedule.message


def test_the_time_limit_reaches_the_solver(mixtures):
    problem = mixtures.random_mixture(WORSE_BY_SIGN[0], feed_in_above=True)
    found = exact.search(problem, build(problem), time_limit_s=0.0)
    assert not found.finished
    assert found.value is None


def test_runs_that_only_whole_starts_make_infeasible_are_infeasible(problems):
    # two runs of 3 kW in two hours under 4 kW fit one after the other; three do not fit at all
    runs = tuple(DeferrableRun(asset_id=f"run{i}", earliest_step=0, end_step=2, profile_kw=(3.0,)) for i in range(3))
    facts = {"batteries": (), "import_max_kw": 4.0}
    two = LinearPlanner().plan(problems.problem(2, deferrable_runs=runs[:2], **facts))
    assert two.status is PlanStatus.OPTIMAL
    assert two.import_kw[:, 0] == pytest.approx([3.0, 3.0])
    three = LinearPlanner().plan(problems.problem(2, deferrable_runs=runs, **facts))
    assert three.status is PlanStatus.INFEASIBLE
    assert three.conflicts[0].name == "import_max_kw at site0"
    # half-and-half would draw 3 kW; whole runs draw 0 and 4.5 or miss by as much as they must
    odd = tuple(DeferrableRun(asset_id=f"odd{i}", earliest_step=0, end_step=2, profile_kw=(2.0,)) for i in range(3))
    whole = LinearPlanner().plan(problems.problem(2, deferrable_runs=odd, batteries=(), import_max_kw=3.0))
    assert whole.status is PlanStatus.INFEASIBLE
    assert whole.least_violation.import_kw.max() == pytest.approx(4.0)


def test_a_time_limit_below_zero_is_refused():
    with pytest.raises(InvalidInputError, match="mip_time_limit_s: got 0"):
        LinearPlanner(exact_directions=True, mip_time_limit_s=0.0)
