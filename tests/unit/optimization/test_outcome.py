"""A choice comes to what the storage balance would do with it."""

from __future__ import annotations

import numpy as np
import pytest

from vpp.optimization.outcome import Choice, outcome_of


def choice(problem, power_kw):
    return Choice(np.array(power_kw, dtype=np.float64)[:, None], np.zeros_like(problem.fixed_kw))


def test_simplex_noise_is_nothing(problems):
    problem = problems.problem(2)
    outcome = outcome_of(problem, choice(problem, [1e-12, -1e-10]))
    assert (outcome.power_kw == 0.0).all()
    assert outcome.objective == 0.0


def test_a_choice_over_the_limits_is_cut_as_the_balance_cuts_it(problems):
    problem = problems.problem(3, import_price_per_kwh=0.3)
    outcome = outcome_of(problem, choice(problem, [-9.0, -5.0, 5.0]))
    # 5 kWh of room take 5 / 0.9 kW: 5 by rating, then the rest
    assert outcome.power_kw[:, 0] == pytest.approx([-5.0, -5.0 / 9.0, 5.0])
    assert outcome.energy_kwh[:, 0] == pytest.approx([9.5, 10.0, 10.0 - 5.0 / 0.9])
    assert outcome.import_kw[:, 0] == pytest.approx([5.0, 5.0 / 9.0, 0.0])


def test_every_part_of_the_money(problems):
    unit = problems.battery(wear_cost_per_kwh=0.02, backup_soc=0.5)
    problem = problems.problem(
        1,
        batteries=(unit,),
        resolution_s=1800,
        fixed_kw=1.0,
        terminal_value_per_kwh=0.2,
        committed_kw=2.0,
        imbalance_spread_per_kwh=0.5,
    )
    outcome = outcome_of(problem, choice(problem, [1.8]))
    # half an hour of 2.8 kW fed in at 0.1, 0.8 kW beyond what was sold, 1 kWh out of a store that was at its reserve
    penalty = 2.0 * (0.3 + 2.0 * 0.5 + 0.02) / 0.9
    expected = {
        "energy_cost": -0.14,
        "wear_cost": 0.018,
        "imbalance_cost": 0.2,
        "penalty_cost": penalty,
        "terminal_value": 0.8,
    }
    assert outcome.parts == pytest.approx(expected)
    assert outcome.objective == pytest.approx(-0.14 + 0.018 + 0.2 + penalty - 0.8)
