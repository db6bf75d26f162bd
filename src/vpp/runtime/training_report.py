"""What a training did, as values and as JSON."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from vpp.core.messages import SeriesKey
from vpp.runtime.documents import moment

COMPARED = "compared"
REFITTED = "refitted"
UPDATED = "updated"
STARTED = "started"
"""Nobody had served the series; nothing could be compared before the deadline."""


@dataclass(frozen=True, slots=True)
class SourceReport:
    """One series after a training.

    Parameters
    ----------
    key : SeriesKey
        The series.
    done : {"compared", "refitted", "updated", "started"}
        What was done.
    champion : str
        Who serves.
    reason : str
        Why.
    mae, pinball, coverage_80 : float or None
        Of the champion over the folds, in the metric's unit; None where nothing was compared.
    models : mapping of str to float
        Mean pinball loss of every model over the folds.
    """

    key: SeriesKey
    done: str
    champion: str
    reason: str
    mae: float | None = None
    pinball: float | None = None
    coverage_80: float | None = None
    models: dict[str, float] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class TrainingReport:
    """What one training did.

    Parameters
    ----------
    plant : str
        Plant id.
    run : str
        Its name.
    as_of : datetime
        Moment of decision.
    sources : list of SourceReport
        One per series.
    resumed : bool
        True where a run that had been killed went on.
    scored : int
        Stored forecasts whose actuals had arrived.
    drifted : dict of SeriesKey to str
        Series whose error had risen for good, in words.
    left_out : list of str
        Models that did not take part, and why.
    skipped : int
        Comparisons that the deadline left no time for.
    notes : list of str
        What else the reader should know.
    cpu_s, wall_s : float
        Time it took [s]; CPU time of all processes.
    """

    plant: str
    run: str
    as_of: datetime
    sources: list[SourceReport] = field(default_factory=list)
    resumed: bool = False
    scored: int = 0
    drifted: dict[SeriesKey, str] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    skipped: int = 0
    notes: list[str] = field(default_factory=list)
    cpu_s: float = 0.0
    wall_s: float = 0.0

    def document(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        return {
            "plant": self.plant,
            "run": self.run,
            "as_of": moment(self.as_of),
            "resumed": self.resumed,
            "scored": self.scored,
            "skipped": self.skipped,
            "drifted": {str(key): words for key, words in self.drifted.items()},
            "left_out": self.left_out,
            "notes": self.notes,
            "cpu_s": round(self.cpu_s, 2),
            "wall_s": round(self.wall_s, 2),
            "sources": {
                str(one.key): {
                    "done": one.done,
                    "champion": one.champion,
                    "reason": one.reason,
                    "mae": one.mae,
                    "pinball": one.pinball,
                    "coverage_80": one.coverage_80,
                    "models": one.models,
                }
                for one in self.sources
            },
        }
