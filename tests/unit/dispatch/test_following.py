"""Following the meter: a battery leaves its set-point exactly where that pays, given the value of a stored kWh."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from vpp.core.assets import Battery
from vpp.dispatch.following import MeterStep, follow_by_rule, follow_by_value

BATTERY = Battery(
    id="b", capacity_kwh=10.0, charge_max_kw=5.0, discharge_max_kw=5.0, charge_efficiency=0.9, discharge_efficiency=0.8,
    wear_cost_per_kwh=0.03,
)  # fmt: skip
LITTLE_KW = 1e-3


@dataclass(frozen=True)
class Step:
    """One hour as planned: the slow reference counts its money."""

    power_kw: float
    value: float
    meter: MeterStep
    committed: bool

    def cost(self, power_kw: float, grid_kw: float) -> float:
        bought = max(-grid_kw, 0.0) * self.meter.import_price_per_kwh
        sold = max(grid_kw, 0.0) * self.meter.export_price_per_kwh
        missed = abs(grid_kw - self.meter.grid_kw) * self.meter.imbalance_spread_per_kwh if self.committed else 0.0
        wear = max(power_kw, 0.0) * BATTERY.wear_cost_per_kwh
        stored = max(-power_kw, 0.0) * BATTERY.charge_efficiency
        stored -= max(power_kw, 0.0) / BATTERY.discharge_efficiency
        return bought - sold + missed + wear - self.value * stored

    def gain(self, grid_kw: float, deviation_kw: float) -> float:
        """Return what taking up a deviation saves per kWh, at a grid power, against leaving it to the meter."""
        left = self.cost(self.power_kw, grid_kw + deviation_kw)
        taken = self.cost(self.power_kw - deviation_kw, grid_kw)
        return (left - taken) / abs(deviation_kw)


def step(power: float, value: float, grid: float, dear: float, cheap: float, spread: float = 0.0) -> Step:
    meter = MeterStep(
        grid_kw=grid, import_price_per_kwh=dear, export_price_per_kwh=cheap, imbalance_spread_per_kwh=spread
    )
    return Step(power, value, meter, spread > 0.0)


# give up a stored kWh: value / 0.8 + 0.03 per kWh delivered; keep one: 0.9 * value per kWh charged
@pytest.mark.parametrize(
    ("case", "floor", "ceiling"),
    [
        # a home that covers its load, energy dear: a deficit is served, a surplus kept
        (step(1.0, 0.2, 0.0, 0.5, 0.05), 0.0, 0.0),
        # the same with energy cheap now: a deficit is bought; a surplus spares the battery
        (step(1.0, 0.4, 0.0, 0.5, 0.05), None, 0.0),
        # stored energy worth nothing: everything may go
        (step(1.0, 0.0, 0.0, 0.5, 0.05), 0.0, None),
        # charging from surplus
        (step(-1.0, 0.2, 0.0, 0.5, 0.05), 0.0, 0.0),
        (step(-1.0, 0.2, 0.0, 0.15, 0.05), None, 0.0),
        # charging from the grid in a cheap hour: a deficit stays, a surplus replaces what is bought only if that pays
        (step(-2.0, 0.2, -3.0, 0.15, 0.05), None, -3.0),
        (step(-2.0, 0.2, -3.0, 0.30, 0.05), -3.0, 0.0),
        (step(-2.0, 0.02, -3.0, 0.30, 0.05), -3.0, None),
        # discharging into the grid in a dear hour
        (step(3.0, 0.2, 2.0, 0.50, 0.40), 2.0, None),
        (step(3.0, 0.2, 2.0, 0.50, 0.05), 0.0, 2.0),
        (step(3.0, 0.5, 2.0, 0.50, 0.05), None, 2.0),
        # idle: raising costs a discharge, lowering earns a charge
        (step(0.0, 0.2, 0.0, 0.29, 0.17), 0.0, 0.0),
        (step(0.0, 0.2, 0.0, 0.27, 0.19), None, None),
        # a position sold: the fee on deviations makes the battery keep it
        (step(0.0, 0.2, 1.0, 0.27, 0.27), None, None),
        (step(0.0, 0.2, 1.0, 0.27, 0.27, 0.02), 1.0, None),
        (step(0.0, 0.2, 1.0, 0.19, 0.19, 0.005), None, None),
        (step(0.0, 0.2, 1.0, 0.19, 0.19, 0.02), None, 1.0),
        (step(0.0, 0.2, 1.0, 0.25, 0.25, 0.10), 1.0, 1.0),
    ],
)
def test_by_hand(case: Step, floor: float | None, ceiling: float | None) -> None:
    follows = follow_by_value(BATTERY, case.power_kw, case.value, case.meter)
    assert (follows.floor_kw, follows.ceiling_kw) == (floor, ceiling)


prices = st.floats(-0.2, 0.6)


@given(
    power=st.sampled_from([-2.0, 0.0, 2.0]),
    value=st.floats(-0.1, 0.5),
    grid=st.sampled_from([-3.0, 0.0, 3.0]),
    price=prices,
    margin=st.floats(0.0, 0.4),
    spread=st.sampled_from([0.0, 0.01, 0.1]),
)
def test_it_acts_exactly_where_it_pays(
    power: float, value: float, grid: float, price: float, margin: float, spread: float
) -> None:
    case = step(power, value, grid, price + margin, price, spread)
    follows = follow_by_value(BATTERY, power, value, case.meter)
    floor, ceiling = follows.floor_kw, follows.ceiling_kw
    deficit, surplus = case.gain(grid, -LITTLE_KW), case.gain(grid, LITTLE_KW)
    beyond_deficit = case.gain(0.0, -LITTLE_KW) if grid > 0.0 else deficit
    beyond_surplus = case.gain(0.0, LITTLE_KW) if grid < 0.0 else surplus
    assume(min(abs(gain) for gain in (deficit, surplus, beyond_deficit, beyond_surplus)) > 1e-6)
    assert floor == (grid if deficit > 0.0 else 0.0 if beyond_deficit > 0.0 else None)
    assert ceiling == (grid if surplus > 0.0 else 0.0 if beyond_surplus > 0.0 else None)


@given(
    power=st.floats(-5, 5), value=st.floats(-1, 1), grid=st.floats(-9, 9), price=prices, margin=st.floats(0.0, 1.0),
    spread=st.floats(0.0, 0.2),
)  # fmt: skip
def test_a_floor_is_never_above_its_ceiling_and_neither_makes_the_plan_move(
    power: float, value: float, grid: float, price: float, margin: float, spread: float
) -> None:
    case = step(power, value, grid, price + margin, price, spread)
    follows = follow_by_value(BATTERY, power, value, case.meter)
    floor, ceiling = follows.floor_kw, follows.ceiling_kw
    assert floor is None or floor <= grid
    assert ceiling is None or ceiling >= grid


@pytest.mark.parametrize(
    ("power", "grid", "dear", "cheap", "expected"),
    [
        (1.0, 0.0, 0.5, 0.05, (0.0, 0.0)),  # serves the load
        (1.0, -2.0, 0.5, 0.05, (0.0, 0.0)),
        (1.0, 2.0, 0.5, 0.05, (None, None)),  # sells: the meter is left alone
        (-1.0, 0.0, 0.5, 0.05, (0.0, 0.0)),  # takes up surplus
        (-1.0, 2.0, 0.5, 0.05, (0.0, 0.0)),
        (-1.0, -2.0, 0.5, 0.05, (None, 0.0)),  # charges from the grid: goes on, and takes surplus too
        (0.0, 0.0, 0.5, 0.05, (None, 0.0)),
        (0.0, 3.0, 0.5, 0.05, (None, 0.0)),
        (1.0, 0.0, 0.3, 0.3, (None, None)),  # nothing to gain between equal prices
        (-1.0, 0.0, 0.3, 0.4, (None, None)),
        (0.0, 0.0, 0.3, 0.3 - 1e-12, (None, None)),
    ],
)
def test_by_rule(
    power: float, grid: float, dear: float, cheap: float, expected: tuple[float | None, float | None]
) -> None:
    follows = follow_by_rule(power, step(power, 0.0, grid, dear, cheap).meter)
    assert (follows.floor_kw, follows.ceiling_kw, follows.may_reverse) == (*expected, False)


@pytest.mark.parametrize(
    ("case", "reverses"),
    [
        # charging from surplus that fails to come: discharging 0.2 / 0.8 + 0.03 = 0.28 pays at 0.50, not at 0.20
        (step(-1.0, 0.2, 0.0, 0.50, 0.05), True),
        (step(-1.0, 0.2, 0.0, 0.20, 0.05), False),
        # discharging for a load that goes away: charging keeps 0.18, which beats feeding in at 0.05, not at 0.19
        (step(1.0, 0.2, 0.0, 0.50, 0.05), True),
        (step(1.0, 0.2, 0.0, 0.50, 0.19), False),
        # at rest there is nothing to reverse
        (step(0.0, 0.2, 0.0, 0.50, 0.05), False),
    ],
)
def test_it_turns_round_only_where_the_other_direction_pays(case: Step, reverses: bool) -> None:
    assert follow_by_value(BATTERY, case.power_kw, case.value, case.meter).may_reverse is reverses
