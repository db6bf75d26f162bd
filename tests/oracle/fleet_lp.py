"""Fleets for tests and benchmarks, and their relaxation as one linear program with every battery in it."""

from __future__ import annotations

from typing import Any

import highspy
import numpy as np

from vpp.core.storage import StorageLimits
from vpp.optimization.fleet import FleetProblem


def day_fleet(batteries: int, *, steps: int = 96, seed: int = 3, **given: Any) -> FleetProblem:
    """Return a day of batteries that all differ, with load and generation, under limits that bind."""
    rng, hours = np.random.default_rng(seed), 24.0 / steps
    hour = np.arange(steps) * hours
    price = 0.10 + 0.05 * np.sin((hour - 14.0) / 6.0 * np.pi) + 0.05 * np.exp(-(((hour - 19.0) / 2.5) ** 2))
    price += 0.015 * rng.standard_normal(steps) - 0.06 * np.exp(-(((hour - 13.0) / 3.0) ** 2))
    capacity = rng.uniform(5.0, 15.0, batteries)
    charge, discharge = capacity * rng.uniform(0.3, 0.7, batteries), capacity * rng.uniform(0.3, 0.7, batteries)
    evening, morning = np.exp(-(((hour - 19.0) / 2.5) ** 2)), np.exp(-(((hour - 8.0) / 1.5) ** 2))
    load = batteries * (0.6 + 0.5 * evening + 0.25 * morning) * (1.0 + 0.08 * rng.standard_normal(steps))
    sun = np.clip(3.0 * np.exp(-(((hour - 13.0) / 2.8) ** 2)) * (1.0 + 0.15 * rng.standard_normal(steps)), 0.0, None)
    generation = batteries * (
        sun * ((hour > 5.0) & (hour < 21.0)) + 0.2 * np.abs(1.0 + 0.4 * rng.standard_normal(steps))
    )
    sell = np.maximum(price - 0.01, 0.005)
    start = capacity * rng.uniform(0.2, 0.8, batteries)
    facts: dict[str, Any] = {
        "duration_h": hours,
        "limits": StorageLimits(
            0.1 * capacity,
            0.95 * capacity,
            charge,
            discharge,
            rng.uniform(0.93, 0.975, batteries),
            rng.uniform(0.93, 0.975, batteries),
        ),
        "initial_energy_kwh": start,
        "final_energy_min_kwh": start,
        "wear_cost_per_kwh": rng.uniform(0.01, 0.05, batteries),
        "import_price_per_kwh": np.maximum(price + 0.05, sell + 0.02),
        "export_price_per_kwh": sell,
        "fixed_kw": -load,
        "curtailable_kw": generation,
        "import_max_kw": float(load.max() + 0.4 * charge.sum()),
        "export_max_kw": float(max(0.5 * generation.max(), 0.3 * discharge.sum())),
    }
    return FleetProblem(**(facts | given))


def arrays(problem: FleetProblem) -> dict[str, np.ndarray]:
    """Return the program by columns: charge, discharge, energy (N, T) each, then imports, exports, use (T)."""
    table, bus, hours = problem.table, problem.bus, problem.duration_h
    count, steps = problem.batteries, problem.steps
    own = np.arange(count * steps).reshape(count, steps)
    shared = np.broadcast_to(count * steps + np.arange(steps), (count, steps))
    ones = np.ones((count, steps))
    blocks = [
        (np.stack([own, shared], -1), np.stack([-hours * table.charge_efficiency[:, None] * ones, -ones], -1)),
        (np.stack([own, shared], -1), np.stack([hours / table.discharge_efficiency[:, None] * ones, ones], -1)),
    ]
    index = [block[0].reshape(-1, 2) for block in blocks]
    value = [block[1].reshape(-1, 2) for block in blocks]
    # the last step's energy meets no next balance; its second entry is a zero
    following = np.concatenate([own[:, 1:], own[:, -1:]], axis=1)
    energy_index, energy_value = np.stack([own, following], -1), np.stack([ones, -ones], -1)
    starts = np.arange(2 * count * steps + 1) * 2
    flat_index, flat_value = [part.ravel() for part in index], [part.ravel() for part in value]
    keep = np.ones((count, steps, 2), dtype=bool)
    keep[:, -1, 1] = False
    lengths = keep.sum(axis=2).ravel()
    flat_index.append(energy_index[keep])
    flat_value.append(energy_value[keep])
    starts = np.concatenate([starts, starts[-1] + np.cumsum(lengths)])
    rows = count * steps + np.arange(steps)
    for sign in (1.0, -1.0, 1.0):
        flat_index.append(rows)
        flat_value.append(np.full(steps, sign))
        starts = np.concatenate([starts, starts[-1] + np.arange(1, steps + 1)])
    zero = np.zeros((count, steps))
    worth = zero.copy()
    worth[:, -1] = -table.terminal_value_per_kwh
    bottom = np.repeat(table.energy_min_kwh[:, None], steps, axis=1)
    bottom[:, -1] = np.maximum(bottom[:, -1], table.final_energy_min_kwh)
    right = np.zeros((count, steps))
    right[:, 0] = table.initial_energy_kwh
    spread = np.ones(steps)
    return {
        "cost": np.concatenate(
            [
                zero.ravel(),
                np.outer(hours * table.wear_cost_per_kwh, spread).ravel(),
                worth.ravel(),
                hours * bus.import_price_per_kwh,
                -hours * bus.export_price_per_kwh,
                np.zeros(steps),
            ]
        ),
        "low": np.concatenate([zero.ravel(), zero.ravel(), bottom.ravel(), np.zeros(3 * steps)]),
        "high": np.concatenate(
            [
                np.outer(table.charge_max_kw, spread).ravel(),
                np.outer(table.discharge_max_kw, spread).ravel(),
                np.outer(table.energy_max_kwh, spread).ravel(),
                bus.import_max_kw,
                bus.export_max_kw,
                bus.curtailable_kw,
            ]
        ),
        "right": np.concatenate([right.ravel(), -bus.fixed_kw]),
        "start": starts.astype(np.int32),
        "index": np.concatenate(flat_index).astype(np.int32),
        "value": np.concatenate(flat_value),
    }


def loaded(problem: FleetProblem, **options: Any) -> Any:
    """Return a HiGHS object that holds the program."""
    highs, program = highspy.Highs(), arrays(problem)
    for name, value in ({"output_flag": False, "threads": 1} | options).items():
        highs.setOptionValue(name, value)
    by_column, minimise = 1, 1
    highs.passModel(
        program["cost"].size,
        program["right"].size,
        program["index"].size,
        by_column,
        minimise,
        0.0,
        program["cost"],
        program["low"],
        program["high"],
        program["right"],
        program["right"],
        program["start"],
        program["index"],
        program["value"],
        np.zeros(program["cost"].size, dtype=np.int32),
    )
    return highs


def relaxed_cost(problem: FleetProblem) -> float | None:
    """Return the least cost of the relaxation, None when infeasible."""
    highs = loaded(problem)
    highs.run()
    if highs.getModelStatus() == highspy.HighsModelStatus.kOptimal:
        return float(highs.getInfo().objective_function_value)
    assert highs.getModelStatus() == highspy.HighsModelStatus.kInfeasible
    return None
