"""How long a fleet takes under shared limits to a proven gap, beside one linear program with every battery in it.

A day of 96 quarter-hours, every battery different, 20 groups, one thread. CPU seconds of the plan with its replay, and
the peak memory of a process that does nothing else; the gap is relative to what the batteries are worth.
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import time
from typing import Any

from benchmarks.oracles import oracle
from vpp.optimization.fleet import plan_fleet

SIZES = ((100, None), (1_000, 1.5), (10_000, 4.0), (100_000, 25.0))  # house: allow-1000, counts of batteries
MONOLITHIC_MOST = 1_000  # house: allow-1000, a count of batteries
AGREEMENT = 2e-4
Row = dict[str, Any]


def run() -> list[Row]:
    """Return one row per size, each measured in a process of its own."""
    rows = []
    for batteries, bar_s in SIZES:
        repeats = 5 if batteries < MONOLITHIC_MOST else 3 if batteries == MONOLITHIC_MOST else 1
        row = _child("plan", batteries, repeats)
        row |= {"bar_s": bar_s, "highs_s": None, "highs_over_ours": None}
        if batteries <= MONOLITHIC_MOST:
            whole = _child("highs", batteries, 1)
            if abs(whole["objective"] - row["objective"]) > AGREEMENT * abs(whole["objective"]):
                message = f"HiGHS says {whole['objective']}, ours {row['objective']}: not the same problem"
                raise AssertionError(message)
            row |= {"highs_s": whole["cpu_s"], "highs_over_ours": whole["cpu_s"] / row["cpu_s"]}
        rows.append(row)
    return rows


def _child(what: str, batteries: int, repeats: int) -> Row:
    command = [sys.executable, "-m", "benchmarks.fleet", what, str(batteries), str(repeats)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    row: Row = json.loads(done.stdout)
    return row


def _plan(batteries: int, repeats: int) -> Row:
    fleet = oracle("fleet_lp").day_fleet
    plan_fleet(fleet(8), gap=0.5)
    problem, times, plan, reached = fleet(batteries), [], None, []
    for _ in range(repeats):
        reached.clear()
        began, wall = time.process_time(), time.perf_counter()
        plan = plan_fleet(problem, on_iterate=lambda one: reached.append((one.phase, one.gap)))
        times.append((time.process_time() - began, time.perf_counter() - wall))
    return {
        "work": f"{batteries:,} batteries x 96 steps",
        "cpu_s": statistics.median(cpu for cpu, _ in times),
        "wall_s": statistics.median(wall for _, wall in times),
        "proven_gap": plan.gap,
        "iterations": plan.iterations,
        "evaluations": plan.evaluations,
        "answers_s": plan.timings_s["answers"],
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0,
        "objective": plan.objective,
    }


def _highs(batteries: int) -> Row:
    """Return the better of what the issue calls monolithic: interior point without crossover, simplex when small."""
    problem, small = oracle("fleet_lp").day_fleet(batteries), batteries < MONOLITHIC_MOST
    options = {"solver": "simplex"} if small else {"solver": "ipx", "run_crossover": "off"}
    highs = oracle("fleet_lp").loaded(problem, **options)
    began = time.process_time()
    highs.run()
    return {"cpu_s": time.process_time() - began, "objective": highs.getInfo().objective_function_value}


if __name__ == "__main__":
    if len(sys.argv) == 4:
        asked, size, turns = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
        print(json.dumps(_plan(size, turns) if asked == "plan" else _highs(size)))
    else:
        print(json.dumps(run(), indent=1))
