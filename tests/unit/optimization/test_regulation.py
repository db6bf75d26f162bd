"""Bids of energy and regulation: what one store can sustain, and what bad input says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from vpp.core.errors import InvalidInputError, SeriesMismatchError
from vpp.core.messages.planned import PlanStatus
from vpp.optimization.regulation import bid_energy_and_regulation
from vpp.optimization.regulation_problem import RegulationMarket, Resources


def store(hours=3, **given):
    """One lossless battery of 2 kWh and 4 kW, half full."""
    one = np.ones((1, hours))
    facts = {
        "charge_max_kw": 4.0 * one,
        "discharge_max_kw": 4.0 * one,
        "energy_min_kwh": 0.0 * one,
        "energy_max_kwh": 2.0 * one,
        "energy_initial_kwh": np.ones(1),
        "retention": np.ones(1),
        "charge_gain": np.eye(1),
        "discharge_drain": np.eye(1),
        "drift_kwh": 0.0 * one,
        "charge_cost_per_kwh": np.zeros(1),
        "discharge_cost_per_kwh": np.zeros(1),
        "regulates": np.ones(1, dtype=np.bool_),
    }
    return Resources(**(facts | given))


def market(hours=3, **given):
    """Free energy, regulation paid 1 per kW, a signal that is as often up as down."""
    facts = {
        "energy_price_per_kwh": np.zeros(hours),
        "capacity_price_per_kw": np.ones(hours),
        "mileage_price_per_kw": np.zeros(hours),
        "mileage": np.zeros(hours),
        "performance": 1.0,
        "signal": np.array([-1.0, 0.0, 1.0]),
        "probability": np.full((hours, 3), 1.0 / 3.0),
        "sustain_h": 0.5,
    }
    return RegulationMarket(**(facts | given))


def test_the_store_bounds_what_is_sustained():
    # 1 kWh of energy and 1 kWh of room last half an hour at 2 kW, either way
    bid = bid_energy_and_regulation(store(), market())
    assert bid.status is PlanStatus.OPTIMAL
    np.testing.assert_allclose(bid.regulation_kw, 2.0, atol=1e-5)
    assert bid.profit == pytest.approx(6.0, abs=1e-5)
    np.testing.assert_allclose(bid.energy_kwh, 1.0, atol=1e-5)


def test_power_bounds_a_large_store():
    bid = bid_energy_and_regulation(
        store(energy_max_kwh=np.full((1, 3), 50.0), energy_initial_kwh=np.full(1, 25.0)), market()
    )
    np.testing.assert_allclose(bid.regulation_kw, 4.0, atol=1e-5)


def test_a_full_store_charges_on_in_the_published_program_only():
    full = store(energy_initial_kwh=np.full(1, 2.0), charge_gain=np.eye(1) * 0.9)
    physical = bid_energy_and_regulation(full, market(1 + 2))
    published = bid_energy_and_regulation(full, market(3), as_published=True)
    assert published.profit > physical.profit + 0.1


def test_what_cannot_follow_earns_by_energy_alone():
    still = store(regulates=np.zeros(1, dtype=np.bool_))
    bid = bid_energy_and_regulation(still, market(energy_price_per_kwh=np.array([0.1, 0.5, 0.2])))
    np.testing.assert_allclose(bid.regulation_kw, 0.0, atol=1e-5)
    # 1 kWh bought at 0.1 on top of the 1 kWh there, both sold at 0.5
    assert bid.profit == pytest.approx(2 * 0.5 - 0.1, abs=1e-5)
    np.testing.assert_allclose(bid.power_kw.sum(axis=0), bid.energy_kw, atol=1e-5)


def test_pay_is_capacity_mileage_score_and_the_energy_of_the_signal():
    skewed = np.tile([0.25, 0.25, 0.5], (1, 1))
    paid = market(
        1,
        energy_price_per_kwh=np.array([0.4]),
        mileage_price_per_kw=np.array([0.1]),
        mileage=np.array([5.0]),
        performance=0.8,
        probability=skewed,
    )
    # nothing follows below: energy sold ahead and energy of the signal come out of the 1 kWh that is there
    large = store(1, energy_max_kwh=np.full((1, 1), 99.0), energy_initial_kwh=np.full(1, 50.0))
    bid = bid_energy_and_regulation(large, paid)
    # R = 4 - P and a drift of a quarter: 0.4 P + (0.8 * 1.5 + 0.1) R is best at P = 0, R = 4
    assert bid.profit == pytest.approx(4 * (0.8 * 1.5 + 0.1), abs=1e-4)


def test_a_store_that_must_fill_faster_than_it_can_is_infeasible():
    bid = bid_energy_and_regulation(
        store(energy_min_kwh=np.array([[0.0, 0.0, 2.0]]), charge_max_kw=np.zeros((1, 3))), market()
    )
    assert bid.status is PlanStatus.INFEASIBLE
    assert np.isnan(bid.profit)
    assert bid.message


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (lambda: store(charge_max_kw=np.zeros(3)), "charge_max_kw"),
        (lambda: store(charge_max_kw=-np.ones((1, 3))), "charge_max_kw"),
        (lambda: store(drift_kwh=np.full((1, 3), np.nan)), "drift_kwh[0, 0]"),
        (lambda: store(retention=np.full(1, 1.1)), "retention"),
        (lambda: store(energy_min_kwh=np.full((1, 3), 3.0)), "energy_min_kwh[0, 0]"),
        (lambda: store(charge_gain=np.ones((2, 2))), "charge_gain"),
        (lambda: market(signal=np.array([-1.0, 1.0, 0.0])), "signal"),
        (lambda: market(probability=np.full((3, 3), 0.5)), "probability"),
        (lambda: market(performance=1.5), "performance"),
        (lambda: market(sustain_h=-0.5), "sustain_h"),
        (lambda: market(mileage=np.zeros(2)), "mileage"),
        (lambda: bid_energy_and_regulation(store(2), market(3)), "energy_price_per_kwh"),
    ],
)
def test_bad_input_names_the_field(call, field):
    with pytest.raises(InvalidInputError) as caught:
        call()
    assert caught.value.field == field


def test_hours_must_match():
    with pytest.raises(SeriesMismatchError):
        bid_energy_and_regulation(store(2), market(3))


def test_some_of_the_resources():
    pair = {
        name: np.concatenate([value, value])
        for name, value in ((field, getattr(store(), field)) for field in Resources.__dataclass_fields__)
        if name not in ("charge_gain", "discharge_drain")
    }
    both = replace(store(), **pair, charge_gain=np.eye(2), discharge_drain=np.eye(2))
    assert both.only(slice(1, 2)).count == 1
    assert bid_energy_and_regulation(both, market()).profit == pytest.approx(12.0, abs=1e-4)
