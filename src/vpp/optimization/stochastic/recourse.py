"""The second stage in closed form: what a scenario costs once the batteries' power is given.

With ``a = fixed + injection`` firm and ``a + curtailable`` at most, the meter can exchange anything between. Its cost
is convex, with its least point at the target: the export limit where feeding in earns, nothing where it costs, the
import limit where even drawing earns. The best exchange is the target, clipped to what is possible.
Invariant: inside the injection band that exchange keeps the limits of the meter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from vpp.optimization.problem import Floats
from vpp.optimization.stochastic.measures import tail_weights
from vpp.optimization.stochastic.problem import Risk, StochasticProblem

# at the edge of the band rounding must not carry an exchange past its target, where the tangent is another
HAIR_KW = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """What an injection costs, and how that changes with it.

    Parameters
    ----------
    injection_kw : float array, shape (T,)
        Power of the batteries together; positive discharges.
    scenario_costs : float array, shape (S,)
        Cost of the meter's exchange in each scenario [currency].
    expected, expected_slope : float arrays, shape (T,)
        Expected cost of each step [currency], and its subgradient [currency/kW].
    tail, tail_slope : float, float array of shape (T,)
        CVaR of the exchange [currency], and its subgradient.
    tail_weight : float array, shape (S,)
        Weights of the scenarios in the CVaR; zeros where the risk leaves it out.
    """

    injection_kw: Floats
    scenario_costs: Floats
    expected: Floats
    expected_slope: Floats
    tail: float
    tail_slope: Floats
    tail_weight: Floats

    def objective(self, risk: Risk) -> float:
        """Return the blend of expectation and tail [currency]."""
        return (1.0 - risk.weight) * float(self.expected.sum()) + risk.weight * self.tail


class _Tables(NamedTuple):
    """What the second stage reads, arrays of shape (T, S); ``target`` is None where nothing is ever curtailed."""

    import_price: Floats
    export_price: Floats
    firm: Floats
    most: Floats
    target: Floats | None


class Recourse:
    """The second stage of one problem: buffers of shape (T, S), made once and reused at every evaluation.

    Parameters
    ----------
    tables : _Tables
        Powers and prices; made by ``of``.
    weights : float array, shape (S,)
        Of the scenarios, summing to 1.
    risk : Risk
        Tells whether the tail is looked at, and at which level.
    duration_h : float
        Length of a step [h].
    """

    def __init__(self, tables: _Tables, weights: Floats, risk: Risk, *, duration_h: float) -> None:
        self._tables, self._weights, self._risk, self._hours = tables, weights, risk, duration_h
        self._exchange, self._price, self._cost = (np.empty_like(tables.firm) for _ in range(3))

    @classmethod
    def of(cls, problem: StochasticProblem, risk: Risk) -> Recourse:
        """Return the second stage of a problem."""
        import_price = np.ascontiguousarray(problem.import_price_per_kwh.T)
        export_price = np.ascontiguousarray(problem.export_price_per_kwh.T)
        firm = np.ascontiguousarray(problem.fixed_kw.T)
        curtailable = problem.curtailable_kw.T
        most, target = (firm + curtailable, None) if curtailable.any() else (firm, None)
        _, highest = problem.injection_band_kw
        # with nothing to curtail, or nothing that would ever be, all that is available is fed in
        fits = float((most + highest[:, None]).max()) <= problem.export_max_kw
        if most is not firm and not (fits and float(export_price.min()) >= 0.0):
            held = np.where(import_price < 0.0, -problem.import_max_kw - HAIR_KW, 0.0)
            target = np.where(export_price >= 0.0, problem.export_max_kw + HAIR_KW, held)
        tables = _Tables(import_price, export_price, firm, most, target)
        return cls(tables, problem.weights, risk, duration_h=problem.duration_h)

    def under(self, weights: Floats) -> Recourse:
        """Return the second stage under other weights of the scenarios, without those that have none."""
        chosen = np.flatnonzero(weights)
        held = self._tables
        tables = _Tables(
            held.import_price[:, chosen],
            held.export_price[:, chosen],
            held.firm[:, chosen],
            held.most[:, chosen],
            None if held.target is None else held.target[:, chosen],
        )
        return Recourse(tables, weights[chosen], Risk(weight=0.0), duration_h=self._hours)

    def exchange_kw(self, injection_kw: Floats) -> Floats:
        """Return the best exchange at the meter, shape (T, S); a buffer, valid until the next call."""
        tables = self._tables
        exchange = np.add(tables.most, injection_kw[:, None], out=self._exchange)
        if tables.target is not None:
            firm = np.add(tables.firm, injection_kw[:, None], out=self._cost)
            np.maximum(firm, tables.target, out=firm)
            np.minimum(exchange, firm, out=exchange)
        return exchange

    def evaluate(self, injection_kw: Floats) -> Evaluation:
        """Return cost and subgradients at an injection inside the band, shape (T,)."""
        exchange, tables, risk = self.exchange_kw(injection_kw), self._tables, self._risk
        price = self._price
        np.copyto(price, tables.export_price)
        np.copyto(price, tables.import_price, where=exchange < 0.0)
        cost = np.multiply(price, exchange, out=self._cost)
        scenario_costs = cost.sum(axis=0)
        scenario_costs *= -self._hours
        expected = cost @ self._weights
        expected *= -self._hours
        if tables.target is not None:
            # held at its target, the exchange does not follow the injection
            held = exchange == tables.target
            held &= tables.most != tables.firm
            price[held] = 0.0
        slope = price @ self._weights
        slope *= -self._hours
        tail, tail_slope, weight = 0.0, np.zeros_like(slope), np.zeros_like(self._weights)
        if risk.weight > 0.0:
            weight = tail_weights(scenario_costs, self._weights, risk.level)
            chosen = np.flatnonzero(weight)
            tail = float(weight[chosen] @ scenario_costs[chosen])
            tail_slope = price[:, chosen] @ weight[chosen]
            tail_slope *= -self._hours
        return Evaluation(injection_kw, scenario_costs, expected, slope, tail, tail_slope, weight)
