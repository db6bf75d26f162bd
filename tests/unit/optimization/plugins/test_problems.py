"""Problems from plain data: every wrong field is named with its value and range, before any solve."""

from __future__ import annotations

import math

import numpy as np
import pytest

from vpp.core.errors import InvalidInputError, SeriesMismatchError
from vpp.optimization import create_distributed_problem, create_realtime_problem, create_stochastic_problem

DAY = {
    "base_prices": [0.1, 0.2, 0.3],
    "renewable_forecast": [1.0, 0.0, 2.0],
    "load_forecast": [3.0, 3.0, 3.0],
    "battery_capacity": 10.0,
    "max_power": 5.0,
    "efficiency": 0.95,
    "time_step": 1.0,
}
SITE = {"site_id": "a", "total_capacity": 10.0, "available_capacity": 8.0, "marginal_cost": 0.1}


def test_defaults_are_as_documented() -> None:
    case = create_stochastic_problem(DAY)
    assert case.price.shape == (10, 3)
    assert (case.initial_soc, case.min_soc, case.max_soc, case.final_soc_min) == (0.5, 0.0, 1.0, 0.5)
    assert case.probability.sum() == pytest.approx(1.0)
    assert (case.renewable >= 0.0).all()


def test_the_horizon_follows_the_prices() -> None:
    week = DAY | {"base_prices": [0.1] * 168, "renewable_forecast": [0.0] * 168, "load_forecast": [1.0] * 168}
    assert create_stochastic_problem(week | {"time_horizon": 24}).steps == 168


def test_the_seed_decides_the_scenarios() -> None:
    first, again, other = (create_stochastic_problem(DAY, 50, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(first.price, again.price)
    assert not np.array_equal(first.price, other.price)


def test_errors_persist_over_time() -> None:
    flat = {"base_prices": [1.0] * 200, "renewable_forecast": [0.0] * 200, "load_forecast": [0.0] * 200}
    case = create_stochastic_problem(DAY | flat, 400, {"price_volatility": 0.2}, seed=3)
    errors = case.price - 1.0
    assert errors.std() == pytest.approx(0.2, rel=0.05)
    assert np.corrcoef(errors[:, :-1].ravel(), errors[:, 1:].ravel())[0, 1] == pytest.approx(0.9, abs=0.02)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"base_prices": [0.1, math.nan, 0.3]}, InvalidInputError, r"base_prices\[1\]"),
        ({"base_prices": []}, InvalidInputError, "at least one price"),
        ({"base_prices": "cheap"}, InvalidInputError, "a list of numbers"),
        ({"load_forecast": [1.0]}, SeriesMismatchError, "load_forecast.*3 values"),
        ({"renewable_forecast": [1.0, -1.0, 0.0]}, InvalidInputError, r"renewable_forecast\[1\]"),
        ({"battery_capacity": -5.0}, InvalidInputError, "battery_capacity.*0 or more"),
        ({"efficiency": 1.2}, InvalidInputError, "efficiency: got 1.2"),
        ({"efficiency": True}, InvalidInputError, "efficiency"),
        ({"initial_soc": 1.5}, InvalidInputError, "initial_soc"),
        ({"min_soc": 0.6, "max_soc": 0.5}, InvalidInputError, "max_soc"),
        ({"time_step": 0.0}, InvalidInputError, "time_step"),
        ({"max_power": math.inf}, InvalidInputError, "max_power"),
        ({"batery_capacity": 1.0}, InvalidInputError, "nearest: battery_capacity"),
    ],
)
def test_wrong_base_data(change: dict[str, object], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        create_stochastic_problem(DAY | change)


@pytest.mark.parametrize("missing", ["base_prices", "battery_capacity", "max_power", "efficiency", "time_step"])
def test_what_is_required(missing: str) -> None:
    with pytest.raises(InvalidInputError, match=f"{missing}.*required"):
        create_stochastic_problem({name: value for name, value in DAY.items() if name != missing})


@pytest.mark.parametrize(("frequency", "nominal"), [(49.9, 50.0), (59.85, 60.0), (54.9, 50.0), (55.1, 60.0)])
def test_the_nominal_frequency_is_the_nearer(frequency: float, nominal: float) -> None:
    assert create_realtime_problem({"grid_frequency": frequency}).nominal_hz == nominal


def test_what_is_not_measured_is_assumed_and_counted() -> None:
    assert create_realtime_problem({}).known == 0.0
    assert create_realtime_problem({"grid_frequency": 50.0, "battery_soc": 0.4, "total_load": 1.0}).known == 0.5


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"grid_frequency": math.nan}, "grid_frequency"),
        ({"grid_frequency": 5.0}, "40 to 70"),
        ({"battery_soc": 50.0}, "battery_soc: got 50.0"),
        ({"frequency": 50.0}, "nearest: grid_frequency"),
    ],
)
def test_wrong_states(state: dict[str, float], words: str) -> None:
    with pytest.raises(InvalidInputError, match=words):
        create_realtime_problem(state)


@pytest.mark.parametrize(
    ("sites", "targets", "words"),
    [
        ([], {}, "at least one site"),
        ([SITE, SITE], {}, r"sites_data\[1\]\.site_id"),
        ([SITE | {"available_capacity": 11.0}], {}, r"sites_data\[0\]\.available_capacity.*0 to 10"),
        ([SITE | {"marginal_cost": None}], {}, "marginal_cost"),
        ([SITE], {"total_power": -1.0}, "total_power"),
        ([SITE], {"power": 1.0}, "coordination_targets.power"),
    ],
)
def test_wrong_sites(sites: list[dict[str, object]], targets: dict[str, float], words: str) -> None:
    with pytest.raises(InvalidInputError, match=words):
        create_distributed_problem(sites, targets)


def test_site_ids_may_be_numbers() -> None:
    assert create_distributed_problem([SITE | {"site_id": 7}, SITE | {"site_id": 8}]).site_ids == (7, 8)
