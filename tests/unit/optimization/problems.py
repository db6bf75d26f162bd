"""Planning problems for tests: one that says everything by default, and random ones that leave nothing out."""

from __future__ import annotations

from typing import Any

import numpy as np

from vpp.core.assets import Battery
from vpp.core.time import TimeGrid, parse_time
from vpp.optimization.problem import PlanProblem

START = parse_time("2016-08-01T00:00:00Z")
DAY_PRICES = [0.06, 0.05, 0.04, 0.08, 0.12, 0.15, 0.18, 0.20, 0.22, 0.15, 0.10, 0.08] * 2


def battery(name: str = "battery", **given: Any) -> Battery:
    """A 10 kWh battery of 5 kW with a full band, unless told otherwise."""
    facts: dict[str, Any] = {
        "capacity_kwh": 10.0,
        "charge_max_kw": 5.0,
        "discharge_max_kw": 5.0,
        "charge_efficiency": 0.9,
        "discharge_efficiency": 0.9,
        "soc_min": 0.0,
        "soc_max": 1.0,
        "soc_initial": 0.5,
    }
    return Battery(id=name, **(facts | given))


def problem(steps: int = 4, sites: int = 1, *, resolution_s: int = 3600, **given: Any) -> PlanProblem:
    """A problem of flat series; whatever is given replaces them and broadcasts to its shape."""
    batteries = given.pop("batteries", tuple(battery(f"battery{i}") for i in range(sites)))
    facts: dict[str, Any] = {
        "fixed_kw": 0.0,
        "curtailable_kw": 0.0,
        "import_price_per_kwh": 0.3,
        "export_price_per_kwh": 0.1,
        "committed_kw": np.nan,
        "import_max_kw": np.inf,
        "export_max_kw": np.inf,
        "initial_soc": [item.soc_initial for item in batteries],
        "terminal_value_per_kwh": 0.0,
        "price_known": True,
        "imbalance_spread_per_kwh": 0.0,
        "battery_site": tuple(range(len(batteries))),
    } | given
    shapes = {
        "fixed_kw": (steps, sites),
        "curtailable_kw": (steps, sites),
        "import_price_per_kwh": (steps, sites),
        "export_price_per_kwh": (steps, sites),
        "committed_kw": (steps, sites),
        "import_max_kw": (sites,),
        "export_max_kw": (sites,),
        "initial_soc": (len(batteries),),
        "terminal_value_per_kwh": (len(batteries),),
    }
    for name, shape in shapes.items():
        value = np.asarray(facts[name], dtype=np.float64)
        if value.ndim == 1 and len(shape) == 2:
            value = value[:, None]
        facts[name] = np.broadcast_to(value, shape).copy()
    facts["price_known"] = np.broadcast_to(np.asarray(facts["price_known"]), (steps,)).copy()
    return PlanProblem(
        plant="plant",
        issued_at=START,
        grid=TimeGrid(START, resolution_s, steps),
        site_ids=tuple(f"site{i}" for i in range(sites)),
        batteries=batteries,
        **facts,
    )


def random_battery(name: str, rng: np.random.Generator) -> Battery:
    """Any battery: without losses, without power, with a reserve, with wear, or with none of it."""
    low = float(rng.choice([0.0, 0.1, 0.2]))
    high = float(rng.choice([0.8, 0.9, 1.0]))
    efficiency = float(rng.choice([1.0, 0.95, 0.9, 0.8]))
    return battery(
        name,
        capacity_kwh=float(rng.uniform(1.0, 15.0)),
        charge_max_kw=float(rng.choice([0.0, 2.0, 5.0])),
        discharge_max_kw=float(rng.choice([0.0, 2.0, 5.0])),
        charge_efficiency=efficiency,
        discharge_efficiency=float(rng.choice([efficiency, 1.0])),
        soc_min=low,
        soc_max=high,
        soc_initial=float(rng.choice([low, high, rng.uniform(low, high)])),
        backup_soc=float(rng.choice([0.0, 0.0, 0.4])),
        wear_cost_per_kwh=float(rng.choice([0.0, 0.01, 0.03])),
    )


def random_problem(seed: int, *, feed_in_above: bool = False) -> PlanProblem:
    """A small problem of one to three sites; ``feed_in_above`` lets feeding in pay more than drawing costs."""
    rng = np.random.default_rng(seed)
    steps, sites = int(rng.integers(1, 9)), int(rng.integers(1, 4))
    count = int(rng.integers(1, 4))
    batteries = tuple(random_battery(f"battery{i}", rng) for i in range(count))
    base = rng.uniform(-0.2 if rng.random() < 0.5 else 0.02, 0.4, (steps, sites))
    margin = rng.choice([0.0, 0.05, 0.2])
    outside = rng.random() < 0.2
    fixed = rng.uniform(-4.0, 4.0, (steps, sites))
    wide = rng.random() < 0.5
    sold = np.where(rng.random((steps, sites)) < 0.5, rng.uniform(-3.0, 3.0, (steps, sites)), np.nan)
    return problem(
        steps,
        sites,
        resolution_s=int(rng.choice([900, 1800, 3600])),
        batteries=batteries,
        battery_site=tuple(int(i) for i in rng.integers(0, sites, count)),
        initial_soc=rng.uniform(0.0, 1.0, count) if outside else [item.soc_initial for item in batteries],
        fixed_kw=fixed,
        curtailable_kw=rng.uniform(0.0, 3.0, (steps, sites)) if rng.random() < 0.5 else 0.0,
        import_price_per_kwh=base + margin,
        export_price_per_kwh=base + (2.0 * margin if feed_in_above else 0.0),
        import_max_kw=np.inf if wide else float(rng.choice([6.0, 2.5])),
        export_max_kw=np.inf if wide else float(rng.choice([5.0, 2.5])),
        terminal_value_per_kwh=rng.uniform(0.0, 0.3, count),
        committed_kw=sold if rng.random() < 0.5 else np.nan,
        imbalance_spread_per_kwh=float(rng.choice([0.0, 0.01, 0.3])),
    )
