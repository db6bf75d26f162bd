"""The statement: equal to an obvious slow reference, additive over steps and meters, and honest about shares."""

from __future__ import annotations

from dataclasses import replace
from math import isnan, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpp.core.errors import SeriesMismatchError
from vpp.trading.settlement import Delivered, Rates, Statement, settle, share_of_perfect_foresight


def by_hand(done: Delivered, rates: Rates) -> tuple[float, float, float, float]:
    """Walk every step, meter and battery."""
    energy = imbalance = wear = terminal = 0.0
    for t in range(done.grid_kw.shape[0]):
        for s in range(done.grid_kw.shape[1]):
            kwh = float(done.grid_kw[t, s]) * done.duration_h
            energy -= kwh * float((rates.export_price_per_kwh if kwh > 0 else rates.import_price_per_kwh)[t, s])
            sold = float(done.committed_kw[t, s])
            if not isnan(sold):
                imbalance += abs(kwh - sold * done.duration_h) * rates.imbalance_spread_per_kwh
        for b in range(done.battery_kw.shape[1]):
            if done.battery_kw[t, b] > 0:
                wear += float(done.battery_kw[t, b]) * done.duration_h * float(rates.wear_cost_per_kwh[b])
    for b in range(done.battery_kw.shape[1]):
        left = float(done.energy_end_kwh[b] - done.energy_start_kwh[b])
        terminal += left * float(rates.energy_value_per_kwh[b])
    return energy, imbalance, wear, terminal


def parts(statement: Statement) -> tuple[float, float, float, float]:
    return statement.energy_cost, statement.imbalance_cost, statement.wear_cost, statement.terminal_value


def window(seed: int, steps: int, sites: int, batteries: int) -> tuple[Delivered, Rates]:
    rng = np.random.default_rng(seed)
    wide, deep = (steps, sites), (steps, batteries)
    done = Delivered(
        duration_h=float(rng.choice([0.25, 0.5, 1.0])),
        grid_kw=rng.uniform(-50, 50, wide),
        battery_kw=rng.uniform(-10, 10, deep),
        energy_start_kwh=rng.uniform(0, 20, batteries),
        energy_end_kwh=rng.uniform(0, 20, batteries),
        committed_kw=np.where(rng.random(wide) < 0.5, np.nan, rng.uniform(-50, 50, wide)),
    )
    rates = Rates(
        import_price_per_kwh=rng.uniform(-0.1, 0.5, wide),
        export_price_per_kwh=rng.uniform(-0.1, 0.3, wide),
        imbalance_spread_per_kwh=float(rng.uniform(0, 0.05)),
        wear_cost_per_kwh=rng.uniform(0, 0.05, batteries),
        energy_value_per_kwh=rng.uniform(0, 0.3, batteries),
    )
    return done, rates


def single(grid_kw: float, battery_kw: float = 0.0, committed_kw: float = nan, end_kwh: float = 5.0) -> Statement:
    done = Delivered(
        duration_h=0.5,
        grid_kw=np.array([[grid_kw]]),
        battery_kw=np.array([[battery_kw]]),
        energy_start_kwh=np.array([5.0]),
        energy_end_kwh=np.array([end_kwh]),
        committed_kw=np.array([[committed_kw]]),
    )
    rates = Rates(
        import_price_per_kwh=np.array([[0.4]]),
        export_price_per_kwh=np.array([[0.1]]),
        imbalance_spread_per_kwh=0.01,
        wear_cost_per_kwh=np.array([0.03]),
        energy_value_per_kwh=np.array([0.2]),
    )
    return settle(done, rates)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"grid_kw": -2.0}, (0.4, 0.0, 0.0, 0.0)),
        ({"grid_kw": 2.0}, (-0.1, 0.0, 0.0, 0.0)),
        ({"grid_kw": 0.0}, (0.0, 0.0, 0.0, 0.0)),
        ({"grid_kw": 2.0, "committed_kw": 2.0}, (-0.1, 0.0, 0.0, 0.0)),
        ({"grid_kw": 2.0, "committed_kw": 5.0}, (-0.1, 0.015, 0.0, 0.0)),
        ({"grid_kw": 2.0, "committed_kw": -1.0}, (-0.1, 0.015, 0.0, 0.0)),
        ({"grid_kw": 0.0, "battery_kw": 4.0}, (0.0, 0.0, 0.06, 0.0)),
        ({"grid_kw": 0.0, "battery_kw": -4.0}, (0.0, 0.0, 0.0, 0.0)),
        ({"grid_kw": 0.0, "end_kwh": 7.0}, (0.0, 0.0, 0.0, 0.4)),
        ({"grid_kw": 0.0, "end_kwh": 4.0}, (0.0, 0.0, 0.0, -0.2)),
    ],
)
def test_one_step_by_hand(arguments: dict[str, float], expected: tuple[float, ...]) -> None:
    statement = single(**arguments)
    assert parts(statement) == pytest.approx(expected, abs=1e-12)
    energy, imbalance, wear, terminal = expected
    assert statement.cost == pytest.approx(energy + imbalance + wear - terminal)


@given(seed=st.integers(0, 2**32), steps=st.integers(1, 12), sites=st.integers(1, 3), batteries=st.integers(0, 3))
def test_it_equals_the_slow_reference(seed: int, steps: int, sites: int, batteries: int) -> None:
    done, rates = window(seed, steps, sites, batteries)
    statement = settle(done, rates)
    assert parts(statement) == pytest.approx(by_hand(done, rates), rel=1e-9, abs=1e-9)
    assert statement.step_cost.sum() == pytest.approx(statement.cost + statement.terminal_value, rel=1e-9, abs=1e-9)


def rows(done: Delivered, rates: Rates, part: slice) -> Statement:
    cut = replace(
        done, grid_kw=done.grid_kw[part], battery_kw=done.battery_kw[part], committed_kw=done.committed_kw[part]
    )
    return settle(
        cut,
        replace(
            rates,
            import_price_per_kwh=rates.import_price_per_kwh[part],
            export_price_per_kwh=rates.export_price_per_kwh[part],
        ),
    )


@given(seed=st.integers(0, 2**32), steps=st.integers(2, 12), cut=st.integers(1, 11))
def test_the_cost_of_a_window_is_the_sum_over_its_parts(seed: int, steps: int, cut: int) -> None:
    done, rates = window(seed, steps, 2, 2)
    middle = done.energy_start_kwh + 1.0
    cut = min(cut, steps - 1)
    before = rows(replace(done, energy_end_kwh=middle), rates, slice(0, cut))
    after = rows(replace(done, energy_start_kwh=middle), rates, slice(cut, steps))
    assert before.cost + after.cost == pytest.approx(settle(done, rates).cost, rel=1e-9, abs=1e-9)


@given(seed=st.integers(0, 2**32), steps=st.integers(1, 8))
def test_the_cost_of_a_plant_is_the_sum_over_its_meters(seed: int, steps: int) -> None:
    done, rates = window(seed, steps, 3, 3)
    total = 0.0
    for site in range(3):
        one = slice(site, site + 1)
        part = replace(
            done,
            grid_kw=done.grid_kw[:, one],
            battery_kw=done.battery_kw[:, one],
            committed_kw=done.committed_kw[:, one],
            energy_start_kwh=done.energy_start_kwh[one],
            energy_end_kwh=done.energy_end_kwh[one],
        )
        of_part = replace(
            rates,
            import_price_per_kwh=rates.import_price_per_kwh[:, one],
            export_price_per_kwh=rates.export_price_per_kwh[:, one],
            wear_cost_per_kwh=rates.wear_cost_per_kwh[one],
            energy_value_per_kwh=rates.energy_value_per_kwh[one],
        )
        total += settle(part, of_part).cost
    assert total == pytest.approx(settle(done, rates).cost, rel=1e-9, abs=1e-9)


def test_a_deviation_is_dearer_than_keeping_the_position_whichever_way() -> None:
    kept = single(2.0, committed_kw=2.0).cost
    assert single(1.5, committed_kw=2.0).cost - kept == pytest.approx(0.25 * (0.1 + 0.01))
    assert single(2.5, committed_kw=2.0).cost - kept == pytest.approx(-0.25 * (0.1 - 0.01))


@pytest.mark.parametrize("name", ["import_price_per_kwh", "export_price_per_kwh"])
def test_prices_of_another_shape_are_refused(name: str) -> None:
    done, rates = window(1, 4, 2, 1)
    with pytest.raises(SeriesMismatchError, match=r"the shape of grid_kw \(4, 2\)"):
        settle(done, replace(rates, **{name: np.zeros((4, 1))}))


@pytest.mark.parametrize(
    ("cost", "no_control", "perfect", "share"),
    [
        (60.0, 100.0, 50.0, 0.8),
        (100.0, 100.0, 50.0, 0.0),
        (50.0, 100.0, 50.0, 1.0),
        (110.0, 100.0, 50.0, -0.2),  # worse than leaving it alone
        (45.0, 100.0, 50.0, 1.1),
        (-60.0, -50.0, -75.0, 0.4),  # a plant that earns
        (99.5, 100.0, 99.0, 0.5),  # at 1 % it is stated
        (99.5, 100.0, 99.01, None),
        (-50.2, -50.0, -50.4, None),
        (99.0, 100.0, 100.0, None),
        (99.0, 100.0, 101.0, None),
        (-1.0, 0.0, -2.0, 0.5),  # nothing without control: any saving counts
        (0.0, 0.0, 0.0, None),
        (0.0, 0.0, 1.0, None),
    ],
)
def test_shares(cost: float, no_control: float, perfect: float, share: float | None) -> None:
    found, reason = share_of_perfect_foresight(cost, no_control_cost=no_control, perfect_cost=perfect)
    if share is None:
        assert found is None
        assert reason == "perfect foresight would save less than 1% of the cost without control"
    else:
        assert found == pytest.approx(share)
        assert reason is None
