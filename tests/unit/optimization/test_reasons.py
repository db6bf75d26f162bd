"""Reasons on every step: each motive in the situation that makes it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpp.core.messages.planned import PlanStatus, ReasonCode
from vpp.optimization.linear import LinearPlanner
from vpp.optimization.reasons import LIMITS

CASES = {
    "surplus stored for the evening": (
        {"fixed_kw": [3.0, -3.0], "soc": 0.0},
        [(ReasonCode.CHARGE_SURPLUS, "none"), (ReasonCode.DISCHARGE_LOAD, "soc_min")],
    ),
    "bought cheap, sold dear": (
        {"import_price_per_kwh": [0.1, 0.6], "export_price_per_kwh": [0.05, 0.5], "soc": 0.2, "worth": 0.3},
        [(ReasonCode.CHARGE_CHEAP, "charge_max_kw"), (ReasonCode.DISCHARGE_EXPORT, "discharge_max_kw")],
    ),
    "full while it is cheap": (
        {"import_price_per_kwh": [0.1, 0.6], "fixed_kw": [-1.0, -9.0], "soc": 1.0, "worth": 0.25},
        [(ReasonCode.HOLD_FULL, "soc_max"), (ReasonCode.DISCHARGE_LOAD, "discharge_max_kw")],
    ),
    "empty while it is dear": (
        {"import_price_per_kwh": [0.6, 0.6], "fixed_kw": -1.0, "soc": 0.0},
        [(ReasonCode.HOLD_EMPTY, "soc_min"), (ReasonCode.HOLD_EMPTY, "soc_min")],
    ),
    "kept for a dearer hour": (
        {"import_price_per_kwh": [0.3, 0.6], "fixed_kw": [-1.0, -9.0], "soc": 0.6, "worth": 0.3},
        [(ReasonCode.HOLD, "none"), (ReasonCode.DISCHARGE_LOAD, "discharge_max_kw")],
    ),
    "no spread to earn": (
        {"import_price_per_kwh": [0.3, 0.29], "export_price_per_kwh": 0.0, "fixed_kw": 0.0, "soc": 0.0},
        [(ReasonCode.HOLD_NO_SPREAD, "none"), (ReasonCode.HOLD_NO_SPREAD, "none")],
    ),
    "the connection stops the charging": (
        {"import_price_per_kwh": [0.1, 0.6], "fixed_kw": [-1.0, -5.0], "import_max_kw": 4.5, "soc": 0.0},
        [(ReasonCode.CHARGE_CHEAP, "import_max_kw"), (ReasonCode.DISCHARGE_LOAD, "soc_min")],
    ),
    "the connection stops the sale": (
        {"export_price_per_kwh": [0.5, 0.1], "import_price_per_kwh": 0.6, "export_max_kw": 2.0, "soc": 1.0},
        [(ReasonCode.DISCHARGE_EXPORT, "export_max_kw"), (ReasonCode.DISCHARGE_EXPORT, "export_max_kw")],
    ),
    "the reserve is refilled, then kept": (
        {"import_price_per_kwh": 0.3, "fixed_kw": -1.0, "soc": 0.3, "backup_soc": 0.5},
        [(ReasonCode.KEEP_BACKUP, "none"), (ReasonCode.KEEP_BACKUP, "backup_soc")],
    ),
    "what was sold is delivered": (
        {"committed_kw": [np.nan, 2.0], "imbalance_spread_per_kwh": 1.0, "worth": 0.2, "soc": 0.5},
        [(ReasonCode.HOLD, "none"), (ReasonCode.FOLLOW_COMMITMENT, "none")],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_each_motive(problems, name):
    given_facts, expected = CASES[name]
    facts = dict(given_facts)
    soc = facts.pop("soc")
    unit = problems.battery(soc_initial=soc, backup_soc=facts.pop("backup_soc", 0.0))
    worth = facts.pop("worth", 0.0)
    problem = problems.problem(2, batteries=(unit,), terminal_value_per_kwh=worth, **facts)
    schedule = LinearPlanner().plan(problem)
    found = [(ReasonCode(int(schedule.code[t, 0])), str(schedule.limit[t, 0])) for t in range(2)]
    assert found == expected


@given(seed=st.integers(0, 100_000))
def test_reasons_agree_with_what_is_done(problems, seed):
    schedule = LinearPlanner().plan(problems.random_problem(seed))
    if schedule.status is PlanStatus.INFEASIBLE:
        return
    assert set(schedule.limit.ravel()) <= set(LIMITS)
    acts = {ReasonCode.FOLLOW_COMMITMENT, ReasonCode.KEEP_BACKUP}
    for power, code in zip(schedule.power_kw.ravel(), schedule.code.ravel(), strict=True):
        name = ReasonCode(int(code)).name
        if power < 0.0:
            assert name.startswith("CHARGE") or ReasonCode(int(code)) in acts
        elif power > 0.0:
            assert name.startswith("DISCHARGE") or ReasonCode(int(code)) is ReasonCode.FOLLOW_COMMITMENT
        else:
            assert name.startswith("HOLD") or name == "KEEP_BACKUP"
