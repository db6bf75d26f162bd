"""Forecasting: the five series of the protocol, then every clean series at hand, family by family.

30 hourly steps from 18:00, 49 origins, one fit a week, up to a year of history. rMAE is the error over that of the
better seasonal naive (24 h, 168 h). ``single`` is the member with the smallest past error at each origin, ``best
after`` the best member known afterwards. Pinball is of the nine deciles over that of the conformal naive. The members
and their sizes were chosen on the five series; of the other families only who votes on PV was learnt.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import forecast_protocol as protocol
from benchmarks.forecast_data import Family, clean, five
from benchmarks.forecast_protocol import Run, better_naive, conformal_naive, coverage, decile_pinball, error


def figures(family: Family, done: Run) -> dict[str, Any]:
    """Return what is told of each series, arrays of shape (K,)."""
    naive = better_naive(done)
    said = error(done.value, done.actual)
    members = np.array([error(each, done.actual) for each in done.members.values() if answered(each)])
    return {
        "rmae": said / naive,
        "against_single": said / error(done.single, done.actual),
        "against_best_after": said / np.nanmin(members, axis=0),
        "pinball_against_naive": decile_pinball(done) / conformal_naive(family),
        "coverage_80": coverage(done),
    }


def answered(said: NDArray[np.float64]) -> bool:
    """Return whether a member says anything of this kind of series."""
    return bool(np.isfinite(said).any())


def five_series() -> list[dict[str, Any]]:
    """Return one row per series of the protocol and their mean."""
    rows, told = [], []
    for family in five():
        done = protocol.run(family)
        one = figures(family, done)
        naive = better_naive(done)
        row: dict[str, Any] = {"series": family.name, "count": 1}
        row |= {name: round(float(value[0]), 3) for name, value in one.items()}
        errors = {name: error(each, done.actual)[0] / naive[0] for name, each in done.members.items() if answered(each)}
        row |= {name: round(float(value), 3) for name, value in errors.items()}
        rows.append(row | {"fit_cpu_s": round(done.fit_cpu_s, 2), "predict_cpu_s": round(done.predict_cpu_s, 4)})
        told.append(row)
    numbers = [name for name in told[0] if name not in {"series", "count"}]
    mean = {
        name: round(float(np.mean([row[name] for row in told])), 4)
        for name in numbers
        if all(name in row for row in told)
    }
    return [*rows, {"series": "mean of the five", "count": 5} | mean]


def families() -> list[dict[str, Any]]:
    """Return one row per family of clean series, and what holds over all of them."""
    rows: list[dict[str, Any]] = []
    every: dict[str, list[float]] = {}
    for family in clean():
        done = protocol.run(family)
        one = figures(family, done)
        row: dict[str, Any] = {"series": f"{family.name} (mean)", "count": len(family.profiles)}
        row |= {name: round(float(value.mean()), 3) for name, value in one.items()}
        row["worst_rmae"] = round(float(one["rmae"].max()), 3)
        rows.append(row | {"fit_cpu_s": round(done.fit_cpu_s, 2), "predict_cpu_s": round(done.predict_cpu_s, 4)})
        for name, value in one.items():
            every.setdefault(name, []).extend(value.tolist())
    told = {name: np.array(values) for name, values in every.items()}
    overall: dict[str, Any] = {"series": "all clean series (mean)", "count": told["rmae"].size}
    overall |= {name: round(float(value.mean()), 3) for name, value in told.items()}
    overall["worst_rmae"] = round(float(told["rmae"].max()), 3)
    shares = {
        "never worse than the better naive": told["rmae"] <= 1.0,
        "better than the best single known afterwards": told["against_best_after"] < 1.0,
        "at most 1.05 times the best single known afterwards": told["against_best_after"] <= 1.05,
        "80 % interval covers 75 to 85 %": (told["coverage_80"] >= 0.75) & (told["coverage_80"] <= 0.85),
    }
    return [
        *rows,
        overall,
        *(
            {"series": f"share of series: {what}", "count": told["rmae"].size, "share": round(float(held.mean()), 3)}
            for what, held in shares.items()
        ),
    ]


def run() -> list[dict[str, Any]]:
    """Return all rows."""
    return [*five_series(), *families()]
