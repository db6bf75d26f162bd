"""What of a comparison is kept: scores of the folds in the store, and the record for MLflow."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vpp import __version__
from vpp.core.messages import FOLD, ForecastScore
from vpp.core.ports import SeriesTable
from vpp.forecasting.tracking import RunRecord, SourceRecord
from vpp.forecasting.training.evidence import Group
from vpp.forecasting.training.selection import Losses
from vpp.forecasting.training.work import Verdict

Floats = NDArray[np.float64]


def fingerprint(history: SeriesTable) -> str:
    """Return a hash of a history: its grid, its series and every value."""
    grid = history.grid
    content = hashlib.sha256(f"{grid.start_s} {grid.resolution_s} {grid.count} {history.keys}".encode())
    content.update(np.ascontiguousarray(history.value).tobytes())
    return content.hexdigest()[:16]


def fold_scores(group: Group, verdict: Verdict) -> list[ForecastScore]:
    """Return the scores of every model at every origin."""
    hours = group.horizon_h
    found = []
    for name, loss in verdict.losses.items():
        for o, origin in enumerate(group.origins):
            issued_at = group.history.grid.time(origin)
            found += [
                ForecastScore(
                    group.plant,
                    profile.key,
                    name,
                    FOLD,
                    issued_at,
                    hours,
                    float(loss.mae[o, k]),
                    known(loss.pinball[o, k]),
                    known(loss.coverage_80[o, k]),
                )
                for k, profile in enumerate(group.profiles)
                if np.isfinite(loss.mae[o, k])
            ]
    return found


def known(value: float) -> float | None:
    """Return a number, None where it is none."""
    return float(value) if np.isfinite(value) else None


def mean_known(values: Floats) -> float | None:
    """Return the mean of what is not NaN; None where nothing is."""
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if finite.size else None


def per_fold(group: Group, values: Floats) -> list[float | None]:
    """Return the mean of each fold of values per origin, shape (O,)."""
    found, first = [], 0
    for fold in group.folds:
        found.append(mean_known(values[first : first + len(fold.origins)]))
        first += len(fold.origins)
    return found


def run_record(
    group: Group, verdict: Verdict, *, run: str, artefact: Path, registered: str, cpu_s: float, asked: dict[str, object]
) -> RunRecord:
    """Return what MLflow is told of the comparison of one group."""
    return RunRecord(
        plant=group.plant,
        name=run,
        params={
            "as_of": group.history.grid.end.isoformat(),
            "history_from": group.history.grid.start.isoformat(),
            "resolution_s": group.history.grid.resolution_s,
            "series": len(group.profiles),
            "models": ", ".join(verdict.losses),
            "data_fingerprint": fingerprint(group.history),
            "code_version": __version__,
            **asked,
        },
        metrics={"cpu_s": cpu_s, "series": float(len(group.profiles)), "origins": float(len(group.origins))},
        sources=tuple(
            SourceRecord(
                profile.key,
                verdict.decisions[k].model,
                verdict.decisions[k].reason,
                tuple(verdict.losses),
                {
                    f"{score}/{name}": per_fold(group, _of(loss, score)[:, k])
                    for name, loss in verdict.losses.items()
                    for score in ("pinball", "mae", "coverage_80")
                },
            )
            for k, profile in enumerate(group.profiles)
        ),
        artefact=artefact,
        registered=registered,
    )


def _of(loss: Losses, score: str) -> Floats:
    return {"pinball": loss.pinball, "mae": loss.mae, "coverage_80": loss.coverage_80}[score]
