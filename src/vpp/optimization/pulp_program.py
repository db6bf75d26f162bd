"""A matrix written as a PuLP problem: readable names, PuLP's own objects, nothing else.

Invariant: nothing of the formulation is written here, so it cannot drift from the matrix.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vpp.core.extras import require
from vpp.optimization.matrix import Layout, Matrix
from vpp.optimization.problem import Floats

pulp: Any = require("pulp", extra="pulp")

NAME = "vpp"


@dataclass(frozen=True, slots=True)
class Names:
    """What columns and rows are called, in their order."""

    columns: tuple[str, ...]
    rows: tuple[str, ...]


def names_of(
    layout: Layout,
    *,
    sites: Sequence[str] = (),
    times: Sequence[str] = (),
    owners: Mapping[str, Sequence[str]] | None = None,
) -> Names:
    """Return readable names such as ``charge(home_01,2016.08.01T00.00)``, valid in every LP file.

    Parameters
    ----------
    layout : Layout
        Blocks of columns and rows; what stands in a block that is not known here is numbered.
    sites : sequence of str, optional
        Ids of the sites; by default ``site0``, ``site1``, ...
    times : sequence of str, optional
        What the steps are called; by default their numbers.
    owners : mapping of str to sequence of str, optional
        Ids of what has a place in a block, by the block's name, beyond batteries and sites.
    """
    structure = layout.structure
    batteries = _valid([battery.id for battery in structure.batteries])
    metered = _valid(sites) if sites else [f"site{site}" for site in range(structure.sites)]
    known = dict.fromkeys(("charge", "discharge", "energy", "balance"), batteries)
    known |= dict.fromkeys(("imports", "exports", "bus", "import_excess", "export_excess"), metered)
    for name, some in (("low", structure.low), ("high", structure.high)):
        known[name] = [batteries[index] for index in some]
    for name, some in (("curtail", structure.curtail), *((key, structure.sold) for key in ("short", "over", "sold"))):
        known[name] = [metered[index] for index in some]
    known |= {name: _valid(ids) for name, ids in (owners or {}).items()}
    steps = list(times) or [str(step) for step in range(structure.steps)]
    return Names(
        tuple(name for block, where in layout.columns.items() for name in _block_names(block, where, known, steps)),
        tuple(name for block, where in layout.rows.items() for name in _block_names(block, where, known, steps)),
    )


def _block_names(name: str, where: slice, known: Mapping[str, list[str]], steps: list[str]) -> list[str]:
    """Return the names of one block: by owner and step, by owner or by step, as its length says; else numbered."""
    count = where.stop - where.start
    mine = known.get(name, [])
    if count == len(mine) * len(steps):
        return [f"{name}({owner},{step})" for owner in mine for step in steps]
    if count == len(mine):
        return [f"{name}({owner})" for owner in mine]
    if count == len(steps):
        return [f"{name}({step})" for step in steps]
    if count % len(steps):
        return [f"{name}({index})" for index in range(count)]
    return [f"{name}({owner},{step})" for owner in range(count // len(steps)) for step in steps]


def _valid(ids: Sequence[str]) -> list[str]:
    """Return ids in the characters that LP files allow, each once: ``home-1`` beside ``home_1`` gets a number."""
    taken: dict[str, None] = {}
    for text in ids:
        name = plain = re.sub(r"[^A-Za-z0-9_]", "_", text)
        while name in taken:
            name = f"{plain}.{len(taken)}"
        taken[name] = None
    return list(taken)


class Program:
    """A matrix as a PuLP problem.

    Parameters
    ----------
    matrix : Matrix
        The program.
    names : Names
        What its columns and rows are called.

    Attributes
    ----------
    model : pulp.LpProblem
        The problem, to be read, changed and solved by PuLP.
    """

    def __init__(self, matrix: Matrix, names: Names) -> None:
        self.model: Any = pulp.LpProblem(NAME, pulp.LpMinimize)
        layout = matrix.layout
        # a column of no cost and in no row that binds decides nothing, and an MPS file cannot even name it
        used = matrix.cost != 0.0
        bounded = np.isfinite(matrix.row_lower) | np.isfinite(matrix.row_upper)
        used[np.repeat(np.arange(layout.column_count), np.diff(layout.start))[bounded[layout.index]]] = True
        self._variables: dict[int, Any] = {
            int(column): self.model.add_variable(
                names.columns[column], _finite(matrix.lower[column]), _finite(matrix.upper[column])
            )
            for column in np.flatnonzero(used)
        }
        self._choices = 0
        costs = [(variable, float(matrix.cost[column])) for column, variable in self._variables.items()]
        paid = [pair for pair in costs if pair[1] != 0.0] or costs[:1]
        self.model.setObjective(pulp.LpAffineExpression(paid))
        self._rows: list[tuple[int, Any]] = []
        for row, terms in enumerate(self._terms(layout)):
            self._add_row(row, names.rows[row], terms, float(matrix.row_lower[row]), float(matrix.row_upper[row]))

    def _terms(self, layout: Layout) -> list[list[tuple[Any, float]]]:
        """Return the entries of every row."""
        terms: list[list[tuple[Any, float]]] = [[] for _ in range(layout.row_count)]
        for column, variable in self._variables.items():
            for entry in range(layout.start[column], layout.start[column + 1]):
                terms[layout.index[entry]].append((variable, float(layout.value[entry])))
        return terms

    def _add_row(self, row: int, name: str, terms: list[tuple[Any, float]], lower: float, upper: float) -> None:
        """Add a row as one constraint, or two where it is bounded on both sides; a free one says nothing."""
        if lower == upper:
            sides = [(pulp.LpConstraintEQ, name, lower)]
        else:
            sides = [(pulp.LpConstraintGE, f"{name}_min", lower)] if np.isfinite(lower) else []
            sides += [(pulp.LpConstraintLE, f"{name}_max", upper)] if np.isfinite(upper) else []
        for sense, label, right in sides:
            constraint = pulp.LpConstraint(pulp.LpAffineExpression(terms), sense, label, right)
            self.model.addConstraint(constraint)
            self._rows.append((row, constraint))

    def bound(self, column: int, lower: float, upper: float) -> None:
        """Change the bounds of a column."""
        if column in self._variables:
            variable = self._variables[column]
            variable.lowBound, variable.upBound = _finite(lower), _finite(upper)

    def choose_one(self, first: int, second: int, most: tuple[float, float]) -> None:
        """Let only one of two columns be above 0; ``most`` holds their largest values."""
        choice = self.model.add_variable(f"choice({self._choices})", 0, 1, cat=pulp.LpInteger)
        one, other = self._variables[first], self._variables[second]
        sides = [
            (f"first({self._choices})", [(one, 1.0), (choice, -most[0])], 0.0),
            (f"second({self._choices})", [(other, 1.0), (choice, most[1])], most[1]),
        ]
        for label, terms, right in sides:
            expression = pulp.LpAffineExpression(terms)
            self.model.addConstraint(pulp.LpConstraint(expression, pulp.LpConstraintLE, label, right))
        self._choices += 1

    def values(self, resting: Floats) -> Floats:
        """Return the value of every column; ``resting`` holds those that the model does not know."""
        value = resting.copy()
        for column, variable in self._variables.items():
            value[column] = np.nan if variable.varValue is None else variable.varValue
        return value

    def duals(self, count: int) -> Floats:
        """Return the dual of each of ``count`` rows; those of both sides of a row are one."""
        dual = np.zeros(count)
        for row, constraint in self._rows:
            dual[row] += np.nan if constraint.pi is None else constraint.pi
        return dual

    def take(self, path: Path) -> None:
        """Take CBC's answer from its binary file, in full precision; its text keeps eight digits."""
        if not path.is_file():
            return
        payload = path.read_bytes()
        variables, rows = self.model.variables(), self.model.constraints()
        head, tail = struct.calcsize("<iid"), 2 * (len(variables) + len(rows))
        if len(payload) != head + 8 * tail or struct.unpack_from("<ii", payload) != (len(rows), len(variables)):
            return
        numbers = np.frombuffer(payload, "<f8", offset=head)
        for constraint, dual in zip(rows, numbers[len(rows) : 2 * len(rows)].tolist(), strict=True):
            constraint.pi = dual
        found = numbers[2 * len(rows) : 2 * len(rows) + len(variables)].tolist()
        for variable, number in zip(variables, found, strict=True):
            variable.varValue = number


def _finite(value: float) -> float | None:
    """Return a bound, None for infinite: PuLP's word for no limit."""
    return float(value) if np.isfinite(value) else None
