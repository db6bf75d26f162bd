"""Stochastic problems for tests: one that says everything by default, and random ones that leave nothing out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from vpp.core.assets import Battery
from vpp.optimization.stochastic.problem import StochasticProblem

Make = Callable[..., StochasticProblem]


@pytest.fixture(scope="session")
def make() -> Make:
    """Return a function that makes a problem of flat series; what is given broadcasts to (scenarios, steps)."""

    def problem(steps: int = 4, scenarios: int = 3, **given: Any) -> StochasticProblem:
        battery = Battery(id="battery", capacity_kwh=10.0, charge_max_kw=5.0, discharge_max_kw=5.0)
        batteries = given.pop("batteries", (battery,))
        facts: dict[str, Any] = {
            "fixed_kw": -1.0,
            "curtailable_kw": 0.0,
            "import_price_per_kwh": 0.3,
            "export_price_per_kwh": 0.1,
        }
        for name, value in facts.items():
            array = np.asarray(given.pop(name, value), dtype=np.float64)
            facts[name] = np.broadcast_to(array, (scenarios, steps)).copy()
        facts["initial_soc"] = np.array([item.soc_initial for item in batteries])
        return StochasticProblem(**({"batteries": batteries, "duration_h": 1.0} | facts | given))

    return problem


@pytest.fixture(scope="session")
def make_random(make: Make) -> Callable[[int], StochasticProblem]:
    """Return a function that makes a small problem out of a seed; odd seeds have negative prices."""

    def problem(seed: int) -> StochasticProblem:
        rng = np.random.default_rng(seed)
        steps, scenarios, count = (int(rng.integers(1, top)) for top in (7, 9, 4))
        batteries = tuple(
            Battery(
                id=f"battery{i}",
                capacity_kwh=float(rng.uniform(1.0, 15.0)),
                charge_max_kw=float(rng.choice([0.0, 2.0, 5.0])),
                discharge_max_kw=float(rng.choice([0.0, 2.0, 5.0])),
                charge_efficiency=float(rng.choice([1.0, 0.9, 0.8])),
                discharge_efficiency=float(rng.choice([1.0, 0.95, 0.85])),
                backup_soc=float(rng.choice([0.0, 0.4])),
                wear_cost_per_kwh=float(rng.choice([0.0, 0.01])),
            )
            for i in range(count)
        )
        base = rng.uniform(-0.2 if seed % 2 else 0.02, 0.4, (scenarios, steps))
        limits = [np.inf, 6.0, 3.5]
        return make(
            steps,
            scenarios,
            batteries=batteries,
            initial_soc=rng.uniform(0.1, 0.9, count),
            duration_h=float(rng.choice([0.25, 1.0])),
            fixed_kw=rng.uniform(-4.0, 4.0, (scenarios, steps)),
            curtailable_kw=rng.uniform(0.0, 3.0, (scenarios, steps)) if seed % 4 else 0.0,
            import_price_per_kwh=base + rng.choice([0.0, 0.05, 0.2]),
            export_price_per_kwh=base,
            import_max_kw=float(rng.choice(limits)),
            export_max_kw=float(rng.choice(limits)),
            terminal_value_per_kwh=rng.uniform(0.0, 0.3, count),
            probability=rng.dirichlet(np.ones(scenarios)) if seed % 3 else None,
        )

    return problem
