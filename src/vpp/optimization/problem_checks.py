"""What a problem's optional columns must be, said before any solve with field, value and range."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vpp.core.errors import InvalidInputError, SeriesMismatchError
from vpp.optimization.flexible import HeatedHouse, require

if TYPE_CHECKING:
    from vpp.optimization.problem import PlanProblem

Floats = NDArray[np.float64]


def check_additions(problem: PlanProblem) -> None:
    """Check whatever optional columns a problem has."""
    for name in ("portfolio_import_max_kw", "portfolio_export_max_kw"):
        value = getattr(problem, name)
        if not value >= 0.0:
            raise InvalidInputError(name, value, "0 or more [kW], infinity for no limit")
    if problem.flexible:
        _check_flexible(problem)
    _check_charges(problem)
    if problem.reserve is not None:
        problem.reserve.check(problem.grid.count)
    if problem.wear_curves and len(problem.wear_curves) != len(problem.batteries):
        expected = f"{len(problem.batteries)} curves, one for each battery (None for flat wear), or none"
        raise InvalidInputError("wear_curves", len(problem.wear_curves), expected)


def _check_charges(problem: PlanProblem) -> None:
    """Check demand charge and carbon price."""
    steps, sites = problem.grid.count, len(problem.site_ids)
    if problem.carbon_price_per_kg != 0.0:
        require("problem", "carbon_price_per_kg", problem.carbon_price_per_kg)
    for name, shape in (
        ("demand_charge_per_kw", (sites,)),
        ("peak_so_far_kw", (sites,)),
        ("carbon_kg_per_kwh", (steps, sites)),
    ):
        value: Floats | None = getattr(problem, name)
        if value is not None:
            _check_series(name, value, shape)


def _check_series(name: str, value: Floats, shape: tuple[int, ...], *, low: float | None = 0.0) -> None:
    """Refuse another shape, and numbers that are not finite or below ``low``."""
    if value.shape != shape:
        raise SeriesMismatchError(name, value.shape, f"shape {shape}")
    good = np.isfinite(value) if low is None else np.isfinite(value) & (value >= low)
    if not good.all():
        where = tuple(int(i) for i in np.argwhere(~good)[0])
        expected = "a finite number" if low is None else f"a finite number, {low:g} or more"
        raise InvalidInputError(f"{name}{list(where)}", float(value[where]), expected)


def _check_flexible(problem: PlanProblem) -> None:
    """Check sites, windows and ids of the flexible consumers."""
    steps, sites = problem.grid.count, len(problem.site_ids)
    for one in (*problem.goals, *problem.heated_houses, *problem.deferrable_runs):
        if not 0 <= one.site < sites:
            raise InvalidInputError(f"{one.asset_id}.site", one.site, f"an index of {sites} sites")
        if not isinstance(one, HeatedHouse) and one.window[1] > steps:
            raise InvalidInputError(f"{one.asset_id}.window", one.window, f"within the horizon, 0 to {steps}")
    for house in problem.heated_houses:
        _check_series(f"{house.asset_id}.outdoor_temperature_c", house.outdoor_temperature_c, (steps,), low=-100.0)
        _check_series(f"{house.asset_id}.gains_kw", house.gains, (steps,), low=None)
    _check_ids(problem)


def _check_ids(problem: PlanProblem) -> None:
    """Refuse an id used twice, except by sessions of one charging point that follow one another."""
    sessions: dict[str, list[tuple[int, int, int]]] = {}
    for one in problem.ev_sessions:
        sessions.setdefault(one.asset_id, []).append((*one.window, one.site))
    for asset_id, windows in sessions.items():
        for before, after in pairwise(sorted(windows)):
            if after[0] < before[1] or after[2] != before[2]:
                expected = "sessions of one point that do not overlap, at one site"
                raise InvalidInputError(f"ev_sessions.{asset_id}", windows, expected)
    seen = {battery.id for battery in problem.batteries}
    others = [house.asset_id for house in problem.heated_houses]
    others += [load.asset_id for load in problem.deferrable_loads]
    others += [run.asset_id for run in problem.deferrable_runs]
    for asset_id in (*sessions, *others):
        if asset_id in seen:
            raise InvalidInputError("asset_id", asset_id, "an id used once among the problem's assets")
        seen.add(asset_id)
