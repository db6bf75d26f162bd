"""Merit order: by hand, proved optimal by its own prices, and the same on every path. The LP stands in tests/oracle."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, isnan, nan
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpp.core.errors import InvalidInputError, SeriesMismatchError
from vpp.core.messages.planned import PlanStatus
from vpp.optimization import loading
from vpp.optimization.loading import load_by_selection, load_few, load_in_numpy, load_many
from vpp.optimization.merit import FEW, MeritDispatch, merit_order


@pytest.fixture(autouse=True, scope="module")
def _warm() -> None:
    loading._kernel()  # compiled once, outside what is timed


@dataclass(frozen=True)
class Case:
    available: list[float]
    cost: list[float]
    energy: float
    reserve: float
    most: list[float]
    reserve_cost: list[float]
    minimum: list[float]

    def solve(self) -> MeritDispatch:
        return merit_order(
            self.available,
            self.cost,
            energy_kw=self.energy,
            reserve_kw=self.reserve,
            reserve_max_kw=self.most,
            reserve_cost_per_kwh=self.reserve_cost,
            minimum_kw=self.minimum,
        )

    def dual(self, energy_price: float, reserve_price: float) -> float:
        """Return the bound on the cost that two prices prove: what every site would do at them alone."""
        total = energy_price * self.energy + reserve_price * self.reserve
        for most, cost, cap, reserve_cost, least in zip(
            self.available, self.cost, self.most, self.reserve_cost, self.minimum, strict=True
        ):
            held = min(cap, most - least)
            margin = max(reserve_price - reserve_cost, 0.0)
            corners = ((least, held), (most - held, held), (most, 0.0))
            total += min((cost - energy_price) * power - margin * reserve for power, reserve in corners)
        return total


@st.composite
def cases(draw: st.DrawFn) -> Case:
    count = draw(st.integers(1, 8))

    def column(values: st.SearchStrategy[float]) -> list[float]:
        return draw(st.lists(values, min_size=count, max_size=count))

    room, minimum = column(st.floats(0.0, 100.0)), column(st.sampled_from([0.0, 0.0, 5.0, -20.0]))
    most = column(st.sampled_from([0.0, 10.0, 50.0, 1e9]))
    # few different costs: ties are where an order goes wrong
    cost = column(st.one_of(st.sampled_from([-1.0, 0.0, 1.0, 2.0]), st.floats(-5.0, 5.0)))
    reserve_cost = column(st.one_of(st.sampled_from([0.0, 1.0]), st.floats(0.0, 5.0)))
    energy = sum(minimum) + draw(st.floats(0.0, 1.2)) * sum(room)
    reserve = draw(st.floats(0.0, 1.2)) * sum(min(a, b) for a, b in zip(most, room, strict=True))
    available = [a + b for a, b in zip(room, minimum, strict=True)]
    return Case(available, cost, energy, reserve, most, reserve_cost, minimum)


def check_limits(case: Case, answer: MeritDispatch, *, energy_kw: float, reserve_kw: float) -> None:
    power, reserve = np.array(answer.power_kw), np.array(answer.reserve_kw)
    scale = 1e-9 * (1.0 + sum(map(abs, case.available)))
    assert (power + reserve <= np.array(case.available)).all()
    assert (power >= np.array(case.minimum) - scale).all()
    assert ((reserve >= 0.0) & (reserve <= np.array(case.most) + scale)).all()
    assert power.sum() == pytest.approx(energy_kw, abs=scale)
    assert reserve.sum() == pytest.approx(reserve_kw, abs=scale)


@given(case=cases())
def test_limits_hold_and_prices_prove_the_optimum(case: Case) -> None:
    answer = case.solve()
    if answer.status is PlanStatus.INFEASIBLE:
        assert answer.nearest is not None
        assert all(isnan(value) for value in (*answer.power_kw, *answer.reserve_kw, answer.cost_per_h))
        check_limits(case, answer.nearest, energy_kw=answer.feasible_energy_kw, reserve_kw=answer.feasible_reserve_kw)
        return
    check_limits(case, answer, energy_kw=case.energy, reserve_kw=case.reserve)
    if not isnan(answer.energy_price_per_kwh):
        bound = case.dual(answer.energy_price_per_kwh, np.nan_to_num(answer.reserve_price_per_kwh))
        assert answer.cost_per_h == pytest.approx(bound, abs=1e-7 * (1.0 + abs(bound)))


@given(case=cases())
def test_the_feasible_target_is_the_most_there_is(case: Case) -> None:
    answer = case.solve()
    least, most = sum(case.minimum), sum(case.available)
    energy = min(max(case.energy, least), most)
    held = sum(min(a, b - c) for a, b, c in zip(case.most, case.available, case.minimum, strict=True))
    assert answer.feasible_energy_kw == pytest.approx(energy, abs=1e-6)
    assert answer.feasible_reserve_kw == pytest.approx(min(case.reserve, held, most - energy), abs=1e-6)
    missed_kw = max(abs(case.energy - energy), case.reserve - answer.feasible_reserve_kw)
    if missed_kw > 1e-5:
        assert answer.status is PlanStatus.INFEASIBLE


def test_an_infeasible_target_says_so_and_what_there_is() -> None:
    # another platform met -0.28 of 800 kW and called it success
    answer = merit_order([100.0, 50.0], [0.1, 0.2], energy_kw=800.0, reserve_kw=20.0)
    assert answer.status is PlanStatus.INFEASIBLE
    assert (answer.feasible_energy_kw, answer.feasible_reserve_kw) == (150.0, 0.0)
    assert "800 kW of energy and 20 kW of reserve" in answer.message
    assert "150 kW and beside it 0 kW are feasible" in answer.message
    assert answer.nearest is not None
    assert answer.nearest.power_kw == [100.0, 50.0]
    assert len(answer.power_kw) == 2


def test_a_reserve_that_is_not_there_is_not_promised() -> None:
    answer = merit_order([100.0, 86.0], [0.1, 0.2], energy_kw=100.0, reserve_kw=200.0)
    assert answer.status is PlanStatus.INFEASIBLE
    assert answer.feasible_reserve_kw == 86.0


def test_less_than_the_minimum_is_infeasible_too() -> None:
    answer = merit_order([100.0], [0.1], energy_kw=10.0, minimum_kw=[30.0])
    assert (answer.status, answer.feasible_energy_kw) == (PlanStatus.INFEASIBLE, 30.0)
    assert merit_order([10.0], [0.1], energy_kw=-5.0, minimum_kw=[-20.0]).power_kw == [-5.0]


def test_energy_moves_to_where_reserve_cannot_be_held() -> None:
    answer = merit_order(
        [60.0, 60.0, 60.0],
        [0.1, 0.2, 0.5],
        energy_kw=100.0,
        reserve_kw=50.0,
        reserve_max_kw=[60.0, 30.0, 5.0],
        reserve_cost_per_kwh=[0.0, 0.01, 0.02],
    )
    # 5 kW directly at the dear site, 20 kW at the middle one's free capacity, the rest moved away from the middle one
    # (0.5 - 0.2 + 0.01) as far as it may hold, then from the cheap one (0.5 - 0.1)
    assert answer.power_kw == pytest.approx([45.0, 30.0, 25.0])
    assert answer.reserve_kw == pytest.approx([15.0, 30.0, 5.0])
    assert answer.reserve_price_per_kwh == pytest.approx(0.4)
    assert answer.energy_price_per_kwh == pytest.approx(0.5)


@pytest.mark.parametrize("count", [1, FEW, FEW + 1, 500])
@pytest.mark.parametrize("share", [0.0, 1e-6, 0.3, 0.999, 1.0])
def test_every_path_of_loading_costs_the_same(count: int, share: float) -> None:
    rng = np.random.default_rng(count)
    room, cost = rng.uniform(0.0, 10.0, count), rng.choice([rng.uniform(-1.0, 1.0), 0.5, 2.0, 1e6], count)
    need = share * float(room.sum())
    order = sorted(range(count), key=cost.tolist().__getitem__)
    few, price = load_few(order, cost.tolist(), room.tolist(), need)
    spent = float(cost @ few)
    plain = np.zeros(count)
    for power, other, total in (
        load_many(cost, room, need),
        load_in_numpy(cost, room, need),
        (plain, *load_by_selection(cost, room, need, plain)),
    ):
        assert total == pytest.approx(spent, rel=1e-9, abs=1e-9)
        assert power.sum() == pytest.approx(need, rel=1e-12, abs=1e-12)
        assert ((power >= 0.0) & (power <= room)).all()
        assert other == pytest.approx(price, nan_ok=True)


@pytest.mark.parametrize("cost", [[1e-300 * i for i in range(100)], [2.0**i for i in range(100)], [7.0] * 100])
def test_selection_ends_whatever_the_costs(cost: list[float]) -> None:
    room, power = np.ones(100), np.zeros(100)
    price, _ = load_by_selection(np.array(cost), room, 50.0, power)
    assert power.sum() == 50.0
    assert price == pytest.approx(cost[49], abs=1e-290)


def test_without_numba_a_sort_does_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "_kernel", lambda: None)
    rng = np.random.default_rng(3)
    room, cost = rng.uniform(1.0, 10.0, 200), rng.uniform(0.0, 1.0, 200)
    answer = merit_order(room, cost, energy_kw=500.0)
    assert answer.cost_per_h == pytest.approx(load_in_numpy(cost, room, 500.0)[2])


@pytest.mark.parametrize("count", [5, 200])
def test_lists_and_arrays_are_the_same_columns(count: int) -> None:
    rng = np.random.default_rng(count)
    room, cost = rng.uniform(1.0, 10.0, count), rng.uniform(0.0, 1.0, count)
    columns: dict[str, Any] = {"minimum_kw": np.full(count, 0.5), "reserve_max_kw": 0.3 * room}
    energy_kw = 0.6 * float(room.sum())
    for reserve_kw in (0.0, 0.2 * energy_kw):
        some = merit_order(room, cost, energy_kw=energy_kw, reserve_kw=reserve_kw, **columns)
        plain = {name: values.tolist() for name, values in columns.items()}
        same = merit_order(room.tolist(), cost.tolist(), energy_kw=energy_kw, reserve_kw=reserve_kw, **plain)
        np.testing.assert_allclose(some.power_kw, same.power_kw, atol=1e-9)
        np.testing.assert_allclose(some.reserve_kw, same.reserve_kw, atol=1e-9)
        assert some.cost_per_h == pytest.approx(same.cost_per_h)


@pytest.mark.parametrize("count", [2, FEW + 2])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("available_kw", nan),
        ("available_kw", -1.0),
        ("available_kw", inf),
        ("cost_per_kwh", nan),
        ("cost_per_kwh", -inf),
        ("minimum_kw", 11.0),
        ("minimum_kw", nan),
        ("reserve_max_kw", -1.0),
        ("reserve_cost_per_kwh", -0.1),
    ],
)
def test_a_bad_figure_is_named_with_its_site(count: int, name: str, value: float) -> None:
    columns = {"available_kw": [10.0] * count, "cost_per_kwh": [0.1] * count}
    columns |= {name: [*columns.get(name, [0.0] * count)[:-1], value]}
    reserve_kw = 1.0 if name.startswith("reserve") else 0.0
    available, cost = columns.pop("available_kw"), columns.pop("cost_per_kwh")
    with pytest.raises(InvalidInputError, match=rf"\[{count - 1}\]: got"):
        merit_order(available, cost, energy_kw=5.0, reserve_kw=reserve_kw, **columns)


def test_targets_and_lengths_are_checked() -> None:
    with pytest.raises(InvalidInputError, match="energy_kw"):
        merit_order([1.0], [1.0], energy_kw=nan)
    with pytest.raises(InvalidInputError, match="reserve_kw"):
        merit_order([1.0], [1.0], energy_kw=0.0, reserve_kw=-1.0)
    with pytest.raises(SeriesMismatchError, match="cost_per_kwh: got 1, expected 2 entries"):
        merit_order([1.0, 2.0], [1.0], energy_kw=0.0)
    with pytest.raises(SeriesMismatchError, match="available_kw"):
        merit_order([], [], energy_kw=0.0)
