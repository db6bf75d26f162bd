"""The HTML report of an evaluation, with what errors cost the plant beside the scores."""

from __future__ import annotations

from pathlib import Path

from vpp.forecasting.evaluation.report import write_report
from vpp.runtime.evaluation import Evaluated


def write_evaluation(evaluated: Evaluated, path: Path) -> None:
    """Write the report; the file appears whole or not at all.

    Raises
    ------
    UnreadableFileError
        When the file cannot be written.
    """
    setup = evaluated.data.setup
    regrets = {
        where: "-" if regret.value is None else f"{regret.value:,.2f}" for where, regret in evaluated.regrets.items()
    }
    write_report(
        evaluated.evaluation,
        evaluated.boards,
        path,
        title=evaluated.data.name if setup is None else setup.plant.name,
        labels=evaluated.data.labels,
        notes=evaluated.data.notes,
        regrets=None if setup is None else regrets,
        currency="" if setup is None else setup.plant.currency,
    )
