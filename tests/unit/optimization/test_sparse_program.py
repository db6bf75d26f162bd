"""Free-form programs: compression, rows that grow, and the interior point."""

from __future__ import annotations

import numpy as np
import pytest

from vpp.core.errors import InvalidInputError
from vpp.optimization.solver import SolveStatus
from vpp.optimization.sparse_program import ProgramSolver, SparseProgram, compress


def program(**given):
    """Maximise x + 2 y with x + y <= 4 and x, y in [0, 3]."""
    entries = [(np.zeros(2, dtype=int), np.arange(2), np.ones(2))]
    start, index, value = compress(entries, 2)
    facts = {
        "cost": np.array([-1.0, -2.0]),
        "lower": np.zeros(2),
        "upper": np.full(2, 3.0),
        "row_lower": np.array([-np.inf]),
        "row_upper": np.array([4.0]),
        "start": start,
        "index": index,
        "value": value,
    }
    return SparseProgram(**(facts | given))


@pytest.mark.parametrize("interior", [False, True])
def test_both_algorithms_find_the_optimum(interior):
    solver = ProgramSolver(interior=interior)
    solver.load_program(program())
    solution = solver.run(time_limit_s=10.0)
    assert solution.status is SolveStatus.OPTIMAL
    np.testing.assert_allclose(solution.value, [1.0, 3.0], atol=1e-6)


def test_rows_grow_on_a_hot_program():
    solver = ProgramSolver()
    solver.load_program(program())
    solver.run(time_limit_s=10.0)
    # y <= 2, written as -y >= -2
    solver.add_rows(np.array([-2.0]), np.zeros(1, dtype=np.int32), np.ones(1, dtype=np.int32), np.full(1, -1.0))
    np.testing.assert_allclose(solver.run(time_limit_s=10.0).value, [2.0, 2.0], atol=1e-9)


def test_a_broken_program_is_an_error():
    solver = ProgramSolver()
    with pytest.raises(InvalidInputError, match=r"^program: got"):
        solver.load_program(program(index=np.array([0, 7], dtype=np.int32)))
    solver.load_program(program())
    with pytest.raises(InvalidInputError, match=r"^rows: got"):
        solver.add_rows(np.zeros(1), np.zeros(1, dtype=np.int32), np.full(1, 9, dtype=np.int32), np.ones(1))
