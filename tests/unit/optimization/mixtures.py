"""Planning problems with every asset kind and every shared limit, in mixtures that leave nothing out."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from vpp.core.assets import HeatPump
from vpp.optimization.flexible import DeferrableLoad, DeferrableRun, EvSession, HeatedHouse
from vpp.optimization.problem import PlanProblem
from vpp.optimization.reserve import Reserve
from vpp.optimization.wear import WearCurve


def _problems() -> ModuleType:
    spec = importlib.util.spec_from_file_location("planning_problems", Path(__file__).with_name("problems.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


problems = _problems()


def random_mixture(seed: int, *, runs: bool = True, feed_in_above: bool = False) -> PlanProblem:
    """A small problem with about half of everything; ``runs`` allows machines that do not pause."""
    base = problems.random_problem(seed, feed_in_above=feed_in_above)
    rng = np.random.default_rng(seed + 1_000_000)
    steps, sites = base.grid.count, len(base.site_ids)
    facts: dict[str, Any] = {}
    if rng.random() < 0.5:
        facts["ev_sessions"] = tuple(_session(f"car{i}", rng, steps, sites) for i in range(rng.integers(1, 3)))
    if rng.random() < 0.4:
        facts["deferrable_loads"] = (_load("pool", rng, steps, sites),)
    if rng.random() < 0.5:
        facts["heated_houses"] = tuple(_house(f"heat{i}", rng, steps, sites) for i in range(rng.integers(1, 3)))
    if runs and rng.random() < 0.4:
        facts["deferrable_runs"] = tuple(_run(f"washer{i}", rng, steps, sites) for i in range(rng.integers(1, 3)))
    if rng.random() < 0.4:
        facts["portfolio_import_max_kw"] = float(rng.uniform(4.0, 15.0))
        facts["portfolio_export_max_kw"] = float(rng.choice([np.inf, rng.uniform(3.0, 12.0)]))
    if rng.random() < 0.4:
        facts["demand_charge_per_kw"] = rng.choice([0.0, 0.2, 2.0], sites)
        facts["peak_so_far_kw"] = rng.uniform(0.0, 3.0, sites) if rng.random() < 0.5 else None
    if rng.random() < 0.4:
        facts["carbon_price_per_kg"] = float(rng.choice([0.0, 0.1]))
        facts["carbon_kg_per_kwh"] = rng.uniform(0.0, 0.8, (steps, sites))
    if rng.random() < 0.5:
        facts["reserve"] = random_reserve(rng, steps)
    if rng.random() < 0.4:
        curves = [WearCurve(cost_per_kwh=tuple(np.sort(rng.uniform(0.0, 0.2, rng.integers(1, 5))))) for _ in range(3)]
        facts["wear_curves"] = tuple(curves[i] if rng.random() < 0.7 else None for i in range(len(base.batteries)))
    return replace(base, **facts)


def random_reserve(rng: np.random.Generator, steps: int) -> Reserve:
    """Sold up or down, or owed in small amounts, or both."""
    owed = rng.uniform(0.0, 0.4, steps) if rng.random() < 0.3 else None
    return Reserve(
        sustain_h=float(rng.choice([0.25, 1.0, 2.0])),
        up_price_per_kwh=rng.uniform(0.0, 0.1, steps) if rng.random() < 0.7 else None,
        down_price_per_kwh=rng.uniform(0.0, 0.1, steps) if rng.random() < 0.7 else None,
        up_required_kw=owed,
        up_max_kw=np.full(steps, 3.0) if rng.random() < 0.3 else None,
    )


def _window(rng: np.random.Generator, steps: int) -> tuple[int, int]:
    first = int(rng.integers(0, steps))
    return first, int(rng.integers(first + 1, steps + 1))


def _price(rng: np.random.Generator) -> float | None:
    return None if rng.random() < 0.6 else float(rng.uniform(0.0, 0.6))


def _session(name: str, rng: np.random.Generator, steps: int, sites: int) -> EvSession:
    first, last = _window(rng, steps)
    return EvSession(
        asset_id=name,
        site=int(rng.integers(0, sites)),
        arrival_step=first,
        departure_step=last,
        energy_needed_kwh=float(rng.uniform(0.0, 8.0)),
        charge_max_kw=float(rng.choice([0.0, 2.0, 7.2])),
        charge_efficiency=float(rng.choice([0.9, 1.0])),
        shortfall_cost_per_kwh=_price(rng),
    )


def _load(name: str, rng: np.random.Generator, steps: int, sites: int) -> DeferrableLoad:
    first, last = _window(rng, steps)
    return DeferrableLoad(
        asset_id=name,
        site=int(rng.integers(0, sites)),
        earliest_step=first,
        end_step=last,
        energy_needed_kwh=float(rng.uniform(0.0, 4.0)),
        power_max_kw=float(rng.choice([1.0, 3.0])),
        shortfall_cost_per_kwh=_price(rng),
    )


def _run(name: str, rng: np.random.Generator, steps: int, sites: int) -> DeferrableRun:
    first, last = _window(rng, steps)
    length = int(rng.integers(1, last - first + 1))
    profile = tuple(float(power) for power in rng.choice([0.0, 1.0, 2.0], length))
    site = int(rng.integers(0, sites))
    return DeferrableRun(asset_id=name, site=site, earliest_step=first, end_step=last, profile_kw=profile)


def _house(name: str, rng: np.random.Generator, steps: int, sites: int) -> HeatedHouse:
    return HeatedHouse(
        heat_pump=HeatPump(
            id=name,
            rated_kw=float(rng.choice([1.0, 3.0, 5.0])),
            thermal_resistance_k_per_kw=float(rng.choice([2.0, 4.0])),
            thermal_capacity_kwh_per_k=float(rng.choice([2.0, 10.0])),
        ),
        site=int(rng.integers(0, sites)),
        initial_temperature_c=float(rng.uniform(18.5, 23.0)),
        outdoor_temperature_c=rng.uniform(-8.0, 18.0, steps),
        gains_kw=rng.uniform(0.0, 0.6, steps) if rng.random() < 0.5 else None,
        discomfort_cost_per_kh=_price(rng),
    )
