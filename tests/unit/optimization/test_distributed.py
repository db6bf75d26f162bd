"""Exchange ADMM: limits always, targets met exactly, bounds that hold, residuals told. Known answers: tests/oracle."""

from __future__ import annotations

from itertools import product
from math import inf, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpp.core.errors import InvalidInputError, SeriesMismatchError
from vpp.core.messages.planned import PlanStatus
from vpp.optimization import exchange
from vpp.optimization.distributed import ExchangeSettings, SiteOffers, exchange_dispatch
from vpp.optimization.exchange import cost_per_h, onto_target


@pytest.fixture(autouse=True, scope="module")
def _warm() -> None:
    exchange.fast_agree()  # compiled once, outside what is timed


@st.composite
def sites(draw: st.DrawFn) -> tuple[SiteOffers, float, float]:
    """Return sites and a feasible target."""
    count = draw(st.integers(1, 6))

    def column(low: float, high: float) -> np.ndarray:
        return np.array(draw(st.lists(st.floats(low, high), min_size=count, max_size=count)))

    minimum = draw(st.sampled_from([0.0, 5.0, -20.0]))
    offers = SiteOffers(
        minimum + column(0.0, 100.0),
        column(-5.0, 5.0),
        quadratic_per_kw2h=draw(st.sampled_from([0.0, 0.01, 1.0])),
        minimum_kw=minimum,
        reserve_max_kw=column(0.0, 120.0),
        reserve_cost_per_kwh=column(0.0, 2.0),
    )
    table = offers.table
    least, most = table[exchange.MINIMUM].sum(), table[exchange.AVAILABLE].sum()
    energy = float(least + draw(st.floats(0.0, 1.0)) * (most - least))
    reserve = draw(st.floats(0.0, 1.0)) * min(table[exchange.RESERVE_MAX].sum(), most - energy)
    return offers, energy, max(float(reserve), 0.0)


def check_limits(offers: SiteOffers, power: np.ndarray, reserve: np.ndarray, *, target: tuple[float, float]) -> None:
    table = offers.table
    scale = 1e-9 * (1.0 + np.abs(table[exchange.AVAILABLE]).sum())
    assert (power + reserve <= table[exchange.AVAILABLE]).all()
    assert (power >= table[exchange.MINIMUM] - scale).all()
    assert (reserve >= -scale).all()
    assert (reserve <= table[exchange.RESERVE_MAX] + scale).all()
    assert (float(power.sum()), float(reserve.sum())) == pytest.approx(target, abs=scale)


@given(case=sites(), rounds_max=st.sampled_from([1, 7, 300]))
def test_limits_and_target_hold_after_any_number_of_rounds(
    case: tuple[SiteOffers, float, float], rounds_max: int
) -> None:
    offers, energy, reserve = case
    answer = exchange_dispatch(
        offers, energy_kw=energy, reserve_kw=reserve, settings=ExchangeSettings(rounds_max=rounds_max)
    )
    assert answer.status in (PlanStatus.OPTIMAL, PlanStatus.FEASIBLE)
    check_limits(offers, answer.power_kw, answer.reserve_kw, target=(energy, reserve))
    cost = cost_per_h(offers.table, np.stack([answer.power_kw, answer.reserve_kw]))
    assert answer.cost_per_h == pytest.approx(cost)
    assert answer.bound_per_h <= answer.cost_per_h + 1e-7 * (1.0 + abs(answer.cost_per_h))
    assert 1 <= answer.rounds <= rounds_max
    assert (answer.status is PlanStatus.OPTIMAL) == (answer.gap <= 1e-4)
    assert (answer.message == "") == (answer.status is PlanStatus.OPTIMAL)


@given(case=sites(), data=st.data())
def test_any_answers_of_the_sites_can_be_put_on_a_feasible_target(
    case: tuple[SiteOffers, float, float], data: st.DataObject
) -> None:
    offers, energy, reserve = case
    table = offers.table
    share = np.array(data.draw(st.lists(st.floats(0.0, 1.0), min_size=table.shape[1], max_size=table.shape[1])))
    power = table[exchange.MINIMUM] + share * (table[exchange.AVAILABLE] - table[exchange.MINIMUM])
    held = data.draw(st.floats(0.0, 1.0)) * np.minimum(table[exchange.RESERVE_MAX], table[exchange.AVAILABLE] - power)
    state = np.stack([power, held])
    onto_target(table, state, energy, reserve)
    check_limits(offers, *state, target=(energy, reserve))


@pytest.mark.parametrize("quadratic", [0.0, 0.02, 0.5])
@pytest.mark.parametrize("seed", range(4))
def test_one_sites_answer_is_the_least_of_all_points(quadratic: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    table = np.array([[quadratic], [rng.uniform(-2, 2)], [rng.uniform(0, 1)], [-5.0], [10.0], [rng.uniform(0, 15)]])
    penalty, wanted, wanted_reserve = rng.uniform(0.05, 1.0), rng.uniform(-10, 15), rng.uniform(-5, 15)

    def cost(power: float, reserve: float) -> float:
        own = quadratic * power**2 + table[1, 0] * power + table[2, 0] * reserve
        return own + penalty / 2.0 * ((power - wanted) ** 2 + (reserve - wanted_reserve) ** 2)

    power, reserve = exchange.answer(table, 0, penalty, wanted, wanted_reserve)
    assert -5.0 <= power <= 10.0
    assert 0.0 <= reserve <= table[5, 0]
    assert power + reserve <= 10.0 + 1e-12
    for other, held in product(np.linspace(-5.0, 10.0, 151), np.linspace(0.0, float(table[5, 0]), 61)):
        if other + held <= 10.0:
            assert cost(power, reserve) <= cost(other, held) + 1e-9


def five_generators(**fields: float) -> SiteOffers:
    return SiteOffers(
        [12.0, 12.0, 5.0, 5.0, 5.0],
        [16.15, 16.1, 16.4, 16.2, 16.6],
        quadratic_per_kw2h=[0.03, 0.0177, 0.0235, 0.0635, 0.022],
        **fields,
    )


def test_residuals_and_penalties_of_every_round_are_told() -> None:
    answer = exchange_dispatch(five_generators(), energy_kw=29.0, settings=ExchangeSettings(penalty_per_kw2h=0.001))
    assert answer.primal_residual_kw.shape == answer.dual_residual_per_kwh.shape == (answer.rounds,)
    assert answer.primal_residual_kw[-1] < 1e-3 < answer.primal_residual_kw[0]
    # a first rho far too small is doubled until the residuals balance
    assert answer.penalty_per_kw2h[0] == 0.001
    assert answer.penalty_per_kw2h[-1] > 0.001
    assert abs(answer.projection_cost_per_h) < 1e-2


def test_rounds_that_begin_at_the_right_price_are_fewer() -> None:
    cold = exchange_dispatch(five_generators(), energy_kw=29.0)
    warm = exchange_dispatch(five_generators(), energy_kw=29.0, prices_per_kwh=(cold.energy_price_per_kwh, 0.0))
    assert warm.rounds < cold.rounds
    np.testing.assert_allclose(warm.power_kw, cold.power_kw, atol=1e-2)


def test_reserve_changes_who_runs() -> None:
    offers = SiteOffers([100.0, 100.0], [0.1, 0.3], quadratic_per_kw2h=1e-5, reserve_max_kw=[50.0, 0.0])
    answer = exchange_dispatch(offers, energy_kw=90.0, reserve_kw=40.0)
    assert answer.status is PlanStatus.OPTIMAL
    np.testing.assert_allclose(answer.power_kw, [60.0, 30.0], atol=0.05)
    np.testing.assert_allclose(answer.reserve_kw, [40.0, 0.0], atol=1e-6)
    assert answer.reserve_price_per_kwh == pytest.approx(0.2, abs=0.01)


def test_an_infeasible_target_says_so_and_what_there_is() -> None:
    answer = exchange_dispatch(five_generators(), energy_kw=800.0, reserve_kw=3.0)
    assert answer.status is PlanStatus.INFEASIBLE
    assert (answer.feasible_energy_kw, answer.feasible_reserve_kw) == (39.0, 0.0)
    assert "800 kW of energy and 3 kW of reserve" in answer.message
    assert np.isnan(answer.power_kw).all()
    assert answer.rounds == 0
    assert answer.nearest is not None
    np.testing.assert_allclose(answer.nearest.power_kw, [12.0, 12.0, 5.0, 5.0, 5.0])
    assert np.isnan(answer.gap)


def test_a_reserve_that_is_not_there_is_not_promised() -> None:
    answer = exchange_dispatch(SiteOffers([100.0, 86.0], [0.1, 0.2]), energy_kw=100.0, reserve_kw=200.0)
    assert (answer.status, answer.feasible_reserve_kw) == (PlanStatus.INFEASIBLE, 86.0)
    assert answer.nearest is not None
    assert answer.nearest.reserve_kw.sum() == pytest.approx(86.0)


def test_the_compiled_rounds_and_the_plain_ones_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    fast = exchange_dispatch(five_generators(reserve_max_kw=2.0), energy_kw=29.0, reserve_kw=4.0)
    monkeypatch.setattr(exchange, "find_spec", lambda name: None)
    monkeypatch.setattr(exchange, "compiled", lambda function, signature: None)
    assert exchange.fast_agree.__wrapped__() is exchange.agree
    monkeypatch.setattr(exchange, "fast_agree", lambda: exchange.agree)
    plain = exchange_dispatch(five_generators(reserve_max_kw=2.0), energy_kw=29.0, reserve_kw=4.0)
    assert fast.rounds == plain.rounds
    np.testing.assert_allclose(fast.power_kw, plain.power_kw, atol=1e-9)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"cost_per_kwh": [0.1, nan]}, r"cost_per_kwh\[1\]: got nan"),
        ({"quadratic_per_kw2h": -1.0}, r"quadratic_per_kw2h\[0\]: got -1"),
        ({"reserve_cost_per_kwh": [0.0, -1.0]}, r"reserve_cost_per_kwh\[1\]"),
        ({"minimum_kw": [0.0, 11.0]}, r"available_kw\[1\]: got 10.0, expected minimum_kw \(11.0\)"),
        ({"available_kw": [10.0, inf]}, r"available_kw\[1\]: got inf"),
        ({"reserve_max_kw": [1.0, 2.0, 3.0]}, r"reserve_max_kw: got \(3,\)"),
        ({"available_kw": []}, "available_kw"),
    ],
)
def test_a_bad_figure_is_named_with_its_site(fields: dict, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        SiteOffers(**({"available_kw": [10.0, 10.0], "cost_per_kwh": [0.1, 0.2]} | fields))


def test_targets_and_settings_are_checked() -> None:
    with pytest.raises(InvalidInputError, match="energy_kw"):
        exchange_dispatch(five_generators(), energy_kw=nan)
    with pytest.raises(InvalidInputError, match="reserve_kw"):
        exchange_dispatch(five_generators(), energy_kw=1.0, reserve_kw=-1.0)
    for field in ("penalty_per_kw2h", "primal_tolerance_kw", "gap_tolerance"):
        with pytest.raises(InvalidInputError, match=field):
            ExchangeSettings(**{field: 0.0})
    with pytest.raises(InvalidInputError, match="rounds_max"):
        ExchangeSettings(rounds_max=0)
    with pytest.raises(SeriesMismatchError):
        SiteOffers([[1.0]], [1.0])
