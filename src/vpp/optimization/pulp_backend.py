"""The same program written with PuLP: for readers, for teaching, and as a second opinion by CBC or HiGHS.

Every column and row of ``vpp.optimization.matrix`` becomes a variable and a constraint with a name that one can read.
Mode fixing, money, reasons and statuses are those of the linear planner; only the solver underneath is another one.
Invariant: nothing of the formulation is written here, so it cannot drift from the matrix.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from vpp.core.errors import InvalidInputError, UnknownNameError, UnreadableFileError
from vpp.core.messages.planned import Schedule
from vpp.core.ports import Planner
from vpp.optimization.linear import METHOD, LinearPlanner
from vpp.optimization.matrix import Matrix, build
from vpp.optimization.problem import Floats, PlanProblem
from vpp.optimization.pulp_program import Program, names_of, pulp
from vpp.optimization.solver import FEASIBILITY_TOLERANCE, Solution, SolveStatus

SolverName = Literal["cbc", "highs"]
SOLVERS: tuple[SolverName, ...] = ("cbc", "highs")
LONGEST_LIMIT_S = 1e9
SAVED = "answer"


class PulpSolver:
    """One program in PuLP, solved from scratch by every run; the same seam as the hot HiGHS of ``Solver``.

    Parameters
    ----------
    solver : {"cbc", "highs"}
        What PuLP calls.

    Raises
    ------
    UnknownNameError
        For another solver.
    """

    def __init__(self, solver: SolverName = "cbc") -> None:
        if solver not in SOLVERS:
            raise UnknownNameError("solver of PuLP", solver, SOLVERS)
        self._solver = solver
        self._matrix: Matrix | None = None
        self._program: Program | None = None
        self._lower = self._upper = np.empty(0)

    def another(self) -> PulpSolver:
        """Return an empty solver of the same kind."""
        return PulpSolver(self._solver)

    def load(self, matrix: Matrix) -> None:
        """Take a program, forgetting the one held."""
        self._matrix = matrix
        self._program = Program(matrix, names_of(matrix.layout))
        self._lower, self._upper = matrix.lower.copy(), matrix.upper.copy()

    def bound(self, columns: NDArray[np.int32], lower: Floats, upper: Floats) -> None:
        """Change the bounds of some columns of the program held; each column once, in rising order."""
        _, program = self._held()
        self._lower[columns], self._upper[columns] = lower, upper
        for column, low, high in zip(columns.tolist(), lower.tolist(), upper.tolist(), strict=True):
            program.bound(column, low, high)

    def choose_one(self, first: NDArray[np.int32], second: NDArray[np.int32], matrix: Matrix) -> None:
        """Let at most one column of each pair of the program held be above 0, by a yes-or-no variable."""
        _, program = self._held()
        for one, other in zip(first.tolist(), second.tolist(), strict=True):
            program.choose_one(one, other, (float(matrix.upper[one]), float(matrix.upper[other])))

    def run(self, *, time_limit_s: float) -> Solution:
        """Solve what is held within a time limit."""
        matrix, program = self._held()
        if (self._lower > self._upper).any():
            return _without(SolveStatus.INFEASIBLE, "a lower bound lies above its upper bound")
        if time_limit_s <= 0.0:
            return _without(SolveStatus.TIME_LIMIT, "no time left")
        began_s = perf_counter()
        try:
            with TemporaryDirectory(prefix="vpp-pulp-") as name:
                folder, linear = Path(name), not program.model.isMIP()
                program.model.solve(_command(self._solver, folder=folder, linear=linear, time_limit_s=time_limit_s))
                program.take(folder / SAVED)
        except (pulp.PulpSolverError, OSError) as fault:
            return _without(SolveStatus.ERROR, str(fault))
        late = perf_counter() - began_s >= time_limit_s
        found = program.model.sol_status
        status = _STATUS.get(found, SolveStatus.TIME_LIMIT if late else SolveStatus.ERROR)
        if status is not SolveStatus.OPTIMAL:
            return _without(status, pulp.LpSolution.get(found, str(found)))
        value = program.values(np.clip(0.0, self._lower, self._upper))
        return Solution(
            status, pulp.LpSolution[found], float(matrix.cost @ value), value, program.duals(matrix.layout.row_count)
        )

    def _held(self) -> tuple[Matrix, Program]:
        if self._matrix is None or self._program is None:
            raise InvalidInputError("solver", "an empty one", "a solver that was given a program by load()")
        return self._matrix, self._program


_STATUS = {
    pulp.LpSolutionOptimal: SolveStatus.OPTIMAL,
    pulp.LpSolutionInfeasible: SolveStatus.INFEASIBLE,
    pulp.LpSolutionUnbounded: SolveStatus.UNBOUNDED,
}


def _without(status: SolveStatus, detail: str) -> Solution:
    return Solution(status, detail, np.nan, np.empty(0), np.empty(0))


def _command(solver: SolverName, *, folder: Path, linear: bool, time_limit_s: float) -> Any:
    """Return PuLP's caller of a solver, quiet, on one thread, with our tolerances.

    CBC keeps its files in the folder and, for a linear program, saves its answer there in full precision.
    """
    facts = {"msg": False, "threads": 1, "timeLimit": min(time_limit_s, LONGEST_LIMIT_S), "gapRel": 0.0, "gapAbs": 0.0}
    if solver == "highs":
        tolerances = {f"{side}_feasibility_tolerance": FEASIBILITY_TOLERANCE for side in ("primal", "dual")}
        return pulp.HiGHS(**facts, **tolerances)
    options = [f"primalT {FEASIBILITY_TOLERANCE:g}", f"dualT {FEASIBILITY_TOLERANCE:g}"]
    if linear:
        options += ["initialSolve", f"saveSolution {folder / SAVED}"]
    # the class that brings CBC's path warns on use, so only its path is taken; PuLP 4 looks on the PATH itself
    bundled = getattr(getattr(pulp, "PULP_CBC_CMD", None), "pulp_cbc_path", None)
    command = pulp.COIN_CMD(path=bundled, mip=not linear, options=options, **facts)
    command.tmpDir = str(folder)
    return command


def is_available(solver: SolverName = "cbc") -> bool:
    """Return whether PuLP finds the solver on this machine."""
    return bool(_command(solver, folder=Path(), linear=True, time_limit_s=1.0).available())


class PulpPlanner:
    """Least cost by PuLP with CBC or HiGHS: the same plan as the linear planner's, found independently.

    Parameters
    ----------
    name : str
        Name of the planner.
    solver : {"cbc", "highs"}
        What PuLP calls; CBC comes with PuLP 3.
    time_limit_s : float
        For one plan, above 0. Past it the fallback answers.
    fallback : Planner or None
        Answers when the solver does not, never when the problem is infeasible; by default none.

    Raises
    ------
    UnknownNameError
        For another solver.
    """

    def __init__(
        self,
        name: str = "pulp",
        *,
        solver: SolverName = "cbc",
        time_limit_s: float = 30.0,
        fallback: Planner[PlanProblem] | None = None,
    ) -> None:
        self.name = name
        self._method = f"{METHOD}, pulp with {solver}"
        self._inner = LinearPlanner(
            name, time_limit_s=time_limit_s, fallback=fallback, solver_of=PulpSolver(solver).another
        )

    def plan(self, problem: PlanProblem) -> Schedule:
        """Return the plan of least cost, with the statuses of ``LinearPlanner.plan``."""
        schedule = self._inner.plan(problem)
        if not schedule.method.startswith(METHOD):
            return schedule
        return replace(schedule, method=schedule.method.replace(METHOD, self._method, 1))


def to_pulp(problem: PlanProblem) -> Any:
    """Return a planning problem as a ``pulp.LpProblem`` with readable names: the relaxation, both directions open."""
    matrix = build(problem)
    form = "%Y.%m.%dT%H.%M.%S" if any(time.second for time in problem.grid) else "%Y.%m.%dT%H.%M"
    times = [f"{time:{form}}" for time in problem.grid]
    names = names_of(matrix.layout, sites=problem.site_ids, times=times, owners=_owners(problem))
    return Program(matrix, names).model


def _owners(problem: PlanProblem) -> dict[str, list[str]]:
    """Return the ids behind the blocks that only some problems have."""
    charge = problem.demand_charge_per_kw
    ids: dict[tuple[str, ...], list[str]] = {
        ("goal", "goal_short"): [one.asset_id for one in problem.goals],
        ("heat", "temperature", "cold", "hot", "house"): [one.asset_id for one in problem.heated_houses],
        ("run",): [one.asset_id for one in problem.deferrable_runs],
        ("peak",): [] if charge is None else [problem.site_ids[index] for index in np.flatnonzero(charge)],
    }
    batteries = [battery.id for battery in problem.batteries]
    for way in ("up", "down"):
        ids[tuple(f"reserve_{way}{rest}" for rest in ("", "_power", "_start", "_end"))] = batteries
    return {block: owners for blocks, owners in ids.items() for block in blocks}


def write_lp(problem: PlanProblem, path: Path) -> None:
    """Write a planning problem as an LP file that people and every solver can read; whole or not at all.

    Raises
    ------
    UnreadableFileError
        When the file cannot be written.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        to_pulp(problem).writeLP(str(part))
        part.replace(path)
    except OSError as fault:
        part.unlink(missing_ok=True)
        raise UnreadableFileError(str(path), f"it cannot be written: {fault.strerror}") from fault
