"""Columns and rows of what a plant shares or is billed for beyond energy.

Columns: one ``peak`` per site with a demand charge (kW above the peak so far); in the elastic form
``portfolio_import_excess`` and ``portfolio_export_excess``.
Rows: ``portfolio`` (net exchange of all sites), ``peak`` (imports of each site and step).
"""

from __future__ import annotations

import numpy as np

from vpp.optimization.layout import Additions, Entries, Matrix
from vpp.optimization.penalties import violation_per_kwh
from vpp.optimization.problem import PlanProblem


def shared_sizes(additions: Additions, steps: int, *, elastic: bool) -> tuple[dict[str, int], dict[str, int]]:
    """Return the lengths of the blocks of columns and of rows."""
    excess = steps if elastic and additions.portfolio else 0
    peaks = len(additions.peaks)
    columns = {"peak": peaks, "portfolio_import_excess": excess, "portfolio_export_excess": excess}
    return columns, {"portfolio": steps if additions.portfolio else 0, "peak": peaks * steps}


def put_exchange(entries: Entries, row: np.ndarray[tuple[int, ...], np.dtype[np.int64]], *, sign: float) -> None:
    """Add the net feed-in of all sites, and what it may exceed its limit by, to a row of each step."""
    names = {"exports": 1.0, "imports": -1.0}
    if entries.structure.elastic:
        names |= {"export_excess": 1.0, "import_excess": -1.0}
        names |= {"portfolio_export_excess": -1.0, "portfolio_import_excess": 1.0}
    for name, value in names.items():
        entries.put(entries.column(name), row, sign * value)


def put_shared(additions: Additions, entries: Entries) -> None:
    """Add the coefficients of portfolio limits and peaks."""
    if additions.portfolio:
        put_exchange(entries, entries.row("portfolio"), sign=1.0)
    if additions.peaks:
        here, rows = list(additions.peaks), entries.row("peak")
        entries.put(entries.column("imports")[here], rows, 1.0)
        if entries.structure.elastic:
            entries.put(entries.column("import_excess")[here], rows, 1.0)
        entries.put(entries.single_columns("peak")[:, None], rows, -1.0)


def fill_shared(problem: PlanProblem, matrix: Matrix, additions: Additions) -> None:
    """Write the limits, the peaks so far and their prices."""
    layout = matrix.layout
    if additions.portfolio:
        layout.row_block(matrix.row_lower, "portfolio")[:] = -problem.portfolio_import_max_kw
        layout.row_block(matrix.row_upper, "portfolio")[:] = problem.portfolio_export_max_kw
    if additions.peaks:
        here = list(additions.peaks)
        assert problem.demand_charge_per_kw is not None
        so_far = np.zeros(len(problem.site_ids)) if problem.peak_so_far_kw is None else problem.peak_so_far_kw
        matrix.cost[layout.columns["peak"]] = problem.demand_charge_per_kw[here]
        matrix.upper[layout.columns["peak"]] = np.inf
        layout.row_block(matrix.row_lower, "peak")[:] = -np.inf
        layout.row_block(matrix.row_upper, "peak")[:] = so_far[here, None]
    if additions.portfolio and layout.structure.elastic:
        weight = problem.grid.duration_h * float(violation_per_kwh(problem).max())
        for name in ("portfolio_import_excess", "portfolio_export_excess"):
            layout.block(matrix.cost, name)[:] = weight
            layout.block(matrix.upper, name)[:] = np.inf
