"""Decision bundles for the faces: a plan is saved with everything it came from; a saved one is proved and explained."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from vpp.core.messages import Schedule
from vpp.core.time import zone
from vpp.optimization.bundle import Bundle, BundleOptions, Comparison, load_bundle, save_bundle
from vpp.optimization.explain import Explanation, explanations
from vpp.runtime.documents import moment, number
from vpp.runtime.once import ALTERNATIVES_LIMIT_S, MOST_ALTERNATIVES, OncePlanned


@dataclass(frozen=True, slots=True, eq=False)
class Explained:
    """A bundle that was read, checked, solved again and explained.

    Parameters
    ----------
    bundle : Bundle
        What the file holds; its hashes were right.
    comparison : Comparison
        The plan made again, beside it.
    shown : Schedule
        What is explained: the plan, or for an infeasible problem the one that breaks the limits least.
    explanations : tuple of Explanation
        Of the steps and assets asked for, in order of time.
    """

    bundle: Bundle
    comparison: Comparison
    shown: Schedule
    explanations: tuple[Explanation, ...]

    @property
    def local_times(self) -> list[datetime]:
        """Starts of the explained steps on the plant's clock."""
        clock = zone(self.bundle.options.timezone)
        return [told.time.astimezone(clock) for told in self.explanations]

    def document(self) -> dict[str, Any]:
        """Return all of it as JSON values."""
        bundle, comparison = self.bundle, self.comparison
        difference = comparison.objective_difference
        return {
            "plant": bundle.schedule.plant,
            "issued_at": moment(bundle.schedule.issued_at),
            "status": str(bundle.schedule.status),
            "objective": None if bundle.schedule.objective is None else number(bundle.schedule.objective),
            "method": bundle.schedule.method,
            "message": bundle.schedule.message,
            "currency": bundle.options.currency,
            "planner": bundle.options.planner,
            "content_sha256": bundle.content_hash,
            "versions": dict(bundle.versions),
            "resolved": {
                "same": comparison.same,
                "same_status": comparison.same_status,
                "objective_difference": None if difference is None else number(difference),
                "largest_power_difference_kw": number(comparison.largest_power_difference_kw),
                "versions_differ": list(comparison.versions_differ),
                "words": comparison.words,
            },
            "explanations": [
                {name: number(value) if isinstance(value, float) else value for name, value in told.data.items()}
                | {"words": told.words}
                for told in self.explanations
            ],
        }


def save_plan(planned: OncePlanned, path: Path) -> str:
    """Write a plan made from a file as a decision bundle and return its content hash.

    Raises
    ------
    UnreadableFileError
        When the file cannot be written.
    """
    setup = planned.setup
    options = BundleOptions(
        planner=setup.strategy,
        time_limit_s=setup.solver_timeout_s,
        currency=setup.plant.currency,
        timezone=setup.timezone.key,
    )
    return save_bundle(path, planned.problem, planned.schedule, options)


def explain_bundle(path: Path, *, asset_id: str | None = None, at: datetime | None = None) -> Explained:
    """Read a bundle, check its hashes, make its plan again and say why each asset does what it does.

    Parameters
    ----------
    path : Path
        The bundle.
    asset_id : str, optional
        One asset; by default all.
    at : datetime, optional
        One step, by any moment of it; by default all.

    Raises
    ------
    UnreadableFileError
        When the file is no bundle or not the one that was saved.
    UnknownNameError, InvalidInputError
        For an asset or a time that the plan does not have.
    """
    bundle = load_bundle(path)
    schedule = bundle.schedule
    shown = schedule if schedule.usable or schedule.least_violation is None else schedule.least_violation
    columns = range(len(shown.asset_ids)) if asset_id is None else [shown.column(asset_id)]
    steps = range(shown.grid.count) if at is None else [shown.grid.index(at)]
    told = explanations(
        bundle.problem,
        shown,
        bundle.options.currency,
        pairs=[(step, column) for step in steps for column in columns],
        most=MOST_ALTERNATIVES,
        time_limit_s=ALTERNATIVES_LIMIT_S,
    )
    return Explained(bundle, bundle.compare(bundle.resolve()), shown, told)
