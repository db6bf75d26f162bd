"""Model predictive control as a plug-in: plan a few steps ahead on expected prices, keep the first, move on."""

from __future__ import annotations

from time import perf_counter
from typing import ClassVar

import numpy as np

from vpp.core.errors import InvalidInputError
from vpp.core.storage import StorageLimits, execute
from vpp.optimization.kernel.arbitrage import arbitrage
from vpp.optimization.plugins.battery_day import battery_of, needed_kwh
from vpp.optimization.plugins.problems import StochasticCase
from vpp.optimization.plugins.result import OptimizationResult
from vpp.optimization.plugins.stochastic import StochasticPlugin


class ModelPredictiveControlPlugin(StochasticPlugin):
    """Receding horizon: every step is planned exactly over the next steps, and only its first power is kept.

    Energy left at the end of the look-ahead is worth the mean price seen in it, so that a short sight does not sell
    everything; the final state of charge stays within reach.

    Parameters
    ----------
    prediction_horizon : int
        Steps looked ahead, 1 or more.
    risk_level : float
        Of the risk measures reported.
    """

    name: ClassVar[str] = "mpc"

    def __init__(self, prediction_horizon: int = 10, risk_level: float = 0.05) -> None:
        super().__init__(risk_level)
        if prediction_horizon < 1 or int(prediction_horizon) != prediction_horizon:
            raise InvalidInputError("prediction_horizon", prediction_horizon, "1 step or more")
        self.prediction_horizon = int(prediction_horizon)

    def plan(self, case: StochasticCase, time_limit_s: float) -> OptimizationResult:
        """Plan step by step; out of time, the steps left follow the last plan."""
        began_s = perf_counter()
        battery, needed = battery_of(case), needed_kwh(case)
        limits: StorageLimits = battery.limits
        price = case.probability @ case.price
        stored = case.initial_soc * battery.capacity_kwh
        power = np.zeros(case.steps)
        for step in range(case.steps):
            stop = min(step + self.prediction_horizon, case.steps)
            if perf_counter() - began_s > time_limit_s:
                stop = case.steps
            ahead = price[step:stop]
            last = stop == case.steps
            best = arbitrage(
                ahead,
                duration_h=case.time_step,
                limits=limits,
                initial_energy_kwh=stored,
                final_energy_min_kwh=max(float(needed[stop - 1]), case.min_soc * battery.capacity_kwh),
                terminal_value_per_kwh=0.0 if last else float(ahead.mean()) * case.efficiency,
            )
            power[step:stop] = best.power_kw
            done = execute(stored, power[step], limits, duration_h=case.time_step)
            stored = float(done.energy_kwh)
        return self.answer(case, power, began_s=began_s, iterations=case.steps)
