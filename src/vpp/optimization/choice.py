"""From a solution of the program to what it decides, and from the choices of sites to that of the plant."""

from __future__ import annotations

import numpy as np

from vpp.optimization.flexible_outcome import FlexibleAssets, flexible_assets
from vpp.optimization.layout import Matrix
from vpp.optimization.modes import Exclusive
from vpp.optimization.outcome import Choice
from vpp.optimization.problem import Floats, PlanProblem
from vpp.optimization.wear_columns import segment_worth


def choice_of(problem: PlanProblem, matrix: Matrix, answer: Exclusive) -> Choice:
    """Return powers and prices from a solution of the program."""
    layout, solution = matrix.layout, answer.solution
    power = layout.block(solution.value, "discharge") - layout.block(solution.value, "charge")
    curtailed = np.zeros((len(problem.site_ids), problem.grid.count))
    curtailed[list(layout.structure.curtail)] = layout.block(solution.value, "curtail")
    # a right-hand side that grows by one is energy that arrives for nothing: its worth is the cost it takes away
    worth, price = -layout.row_block(solution.row_dual, "balance"), layout.row_block(solution.row_dual, "bus")
    added = layout.structure.additions
    if added is not None and added.wear:
        # a kWh more may lie in any segment; the balance alone prices the deepest
        worth = worth + segment_worth(layout, added, solution.row_dual)
    choice = Choice(power.T, curtailed.T, worth.T, price.T / -problem.grid.duration_h)
    if added is None:
        return choice
    reserve = {way: layout.block(solution.value, f"reserve_{way}").T for way in added.reserve}
    if not problem.flexible:
        return Choice(*_fields(choice), reserve_kw=reserve)
    assets = flexible_assets(problem)
    return Choice(
        *_fields(choice),
        flexible_kw=_flexible_kw(problem, matrix, solution.value, assets),
        flexible_value_per_kwh=_flexible_worth(problem, matrix, solution.row_dual, assets),
        reserve_kw=reserve,
    )


def _fields(choice: Choice) -> tuple[Floats, Floats, Floats | None, Floats | None]:
    return choice.power_kw, choice.curtailed_kw, choice.value_per_kwh, choice.price_per_kwh


def _flexible_kw(problem: PlanProblem, matrix: Matrix, value: Floats, assets: FlexibleAssets) -> Floats:
    """Return the consumption of each flexible asset, shape (T, F)."""
    layout, power = matrix.layout, np.zeros((problem.grid.count, len(assets.ids)))
    for column, course in zip(assets.goal, layout.block(value, "goal"), strict=True):
        power[:, column] += course
    for column, course in zip(assets.house, layout.block(value, "heat"), strict=True):
        power[:, column] = course
    shares = layout.block(value, "run")
    for run, column, share in zip(problem.deferrable_runs, assets.run, shares, strict=True):
        power[:, column] = np.convolve(share, run.profile_kw)[: problem.grid.count]
    return power


def _flexible_worth(problem: PlanProblem, matrix: Matrix, row_dual: Floats, assets: FlexibleAssets) -> Floats:
    """Return the worth of one more kWh in a car while it is there, served to a load, or as heat in a house, (T, F)."""
    layout, worth = matrix.layout, np.full((problem.grid.count, len(assets.ids)), np.nan)
    needed = row_dual[layout.rows["goal"]].tolist()
    for goal, column, price in zip(problem.goals, assets.goal, needed, strict=True):
        worth[goal.window[0] : goal.window[1], column] = price
    for house, column, dual in zip(
        problem.heated_houses, assets.house, layout.row_block(row_dual, "house"), strict=True
    ):
        worth[:, column] = -dual / house.heat_pump.thermal_capacity_kwh_per_k
    return worth


def joined(problem: PlanProblem, choices: list[Choice]) -> Choice:
    """Return the choices of the sites, in order, as one of the whole problem."""
    if len(choices) == 1:
        return choices[0]
    # parts hold their batteries site by site; the problem may not
    order = np.argsort(np.argsort(np.array(problem.battery_site), kind="stable"), kind="stable")
    values = [choice.value_per_kwh for choice in choices if choice.value_per_kwh is not None]
    prices = [choice.price_per_kwh for choice in choices if choice.price_per_kwh is not None]
    flexible = [choice.flexible_kw for choice in choices if choice.flexible_kw is not None]
    worths = [choice.flexible_value_per_kwh for choice in choices if choice.flexible_value_per_kwh is not None]
    places = np.argsort(np.argsort(np.array(flexible_assets(problem).sites), kind="stable"), kind="stable")
    return Choice(
        np.concatenate([choice.power_kw for choice in choices], axis=1)[:, order],
        np.concatenate([choice.curtailed_kw for choice in choices], axis=1),
        np.concatenate(values, axis=1)[:, order],
        np.concatenate(prices, axis=1),
        np.concatenate(flexible, axis=1)[:, places] if flexible else None,
        np.concatenate(worths, axis=1)[:, places] if worths else None,
    )
