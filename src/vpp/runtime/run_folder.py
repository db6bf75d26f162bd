"""A training on disk while it runs: what was to be done and every comparison that is done, so that it can go on.

Invariant: a comparison is a whole file or none. A run is over when its folder is gone; one that was killed is found
again by the next start and goes on with what is missing, for the same moment.
"""

from __future__ import annotations

import json
import pickle
import shutil
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from vpp.core.errors import UnreadableFileError
from vpp.core.time import parse_time
from vpp.forecasting.training.candidate import Candidate
from vpp.forecasting.training.evidence import Evidence
from vpp.forecasting.training.work import Compared

COMBINED = "combination"
_PLAN = "run.json"


@dataclass(frozen=True, slots=True)
class RunPlan:
    """What a run does.

    Parameters
    ----------
    name : str
        Name of the run.
    as_of : datetime
        Moment of decision; a run that goes on later still decides for it.
    groups : tuple of tuple of str
        Series of each group that is compared.
    asked : mapping of str to object
        The settings that a run must share to be the same.
    """

    name: str
    as_of: datetime
    groups: tuple[tuple[str, ...], ...]
    asked: dict[str, Any]


class RunFolder:
    """The folder of one run.

    Parameters
    ----------
    path : Path
        Made when missing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def begin(cls, runs: Path, plan: RunPlan) -> RunFolder:
        """Return the folder of a new run.

        Raises
        ------
        UnreadableFileError
            When it cannot be written.
        """
        folder = cls(runs / plan.name)
        text = json.dumps(
            {"as_of": plan.as_of.isoformat(), "groups": plan.groups, "asked": plan.asked, "name": plan.name}
        )
        folder.write(_PLAN, text.encode())
        return folder

    @classmethod
    def unfinished(cls, runs: Path) -> list[tuple[RunFolder, RunPlan]]:
        """Return the runs that were begun and not finished, newest first."""
        found = []
        for path in sorted(runs.glob(f"*/{_PLAN}"), reverse=True):
            try:
                raw = json.loads(path.read_text(encoding="utf-8"))
            except (OSError, ValueError):
                continue
            groups = tuple(tuple(group) for group in raw["groups"])
            found.append((cls(path.parent), RunPlan(raw["name"], parse_time(raw["as_of"]), groups, raw["asked"])))
        return found

    def has(self, group: int, model: str) -> bool:
        """Return whether a comparison was done."""
        return self._file(group, model).exists()

    def keep(self, done: Compared) -> None:
        """Keep a comparison."""
        model = COMBINED if done.candidate is None else done.candidate.name
        self.write(self._file(done.group, model).name, pickle.dumps((done.candidate, done.evidence, done.cpu_s)))

    def evidence(self, group: int) -> tuple[dict[str, Evidence], dict[str, Candidate], float]:
        """Return what is known of a group: evidence and candidates by name, and the CPU time they took [s]."""
        evidence: dict[str, Evidence] = {}
        made: dict[str, Candidate] = {}
        cpu_s = 0.0
        for path in sorted(self.path.glob(f"{group:05d}-*.evidence")):
            candidate, found, took_s = pickle.loads(path.read_bytes())  # noqa: S301, written by this user's own run
            cpu_s += took_s
            evidence |= {one.name: one for one in found}
            if candidate is not None:
                made[candidate.name] = candidate
        return evidence, made, cpu_s

    def write(self, name: str, content: bytes) -> None:
        """Write a file of the run, whole or not at all."""
        part = self.path / f".{name}.part"
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            part.write_bytes(content)
            part.replace(self.path / name)
        except OSError as fault:
            raise UnreadableFileError(str(self.path / name), f"it cannot be written: {fault.strerror}") from fault

    def finish(self) -> None:
        """Remove the folder: the run is over."""
        shutil.rmtree(self.path, ignore_errors=True)

    def _file(self, group: int, model: str) -> Path:
        return self.path / f"{group:05d}-{model}.evidence"
