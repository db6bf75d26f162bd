"""How forecasts are judged: what each was worth once its actuals had arrived, and which model serves a series."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from vpp.core.messages.measured import SeriesKey

ROLLING = "rolling"
"""Product of the forecasts that serve: the next hours from the moment of issue."""
DAY_AHEAD = "day_ahead"
"""Product that covers the next local day in quarter-hours."""
MEMBER = "member"
"""Product of what single models said beside the forecast that served."""
FOLD = "fold"
"""Product of the forecasts of a cross-validation; only their scores are kept."""


@dataclass(frozen=True, slots=True)
class ForecastScore:
    """What one forecast was worth, in hourly means so that resolutions compare.

    Parameters
    ----------
    plant : str
        Plant id.
    key : SeriesKey
        What was forecast.
    model : str
        What made it.
    product : str
        ``rolling``, ``day_ahead``, ``member`` or ``fold``.
    issued_at : datetime
        Moment of decision.
    hours : int
        Hours compared.
    mae : float
        Mean absolute error, in the metric's unit.
    pinball : float or None
        Mean pinball loss of its quantiles, in the metric's unit; None where it had none.
    coverage_80 : float or None
        Share of hours inside the central 80 % interval; None where it had none.
    """

    plant: str
    key: SeriesKey
    model: str
    product: str
    issued_at: datetime
    hours: int
    mae: float
    pinball: float | None = None
    coverage_80: float | None = None


@dataclass(frozen=True, slots=True)
class Champion:
    """Which model serves a series, from when on and why.

    Parameters
    ----------
    plant : str
        Plant id.
    key : SeriesKey
        The series.
    model : str
        Name of the model; ``median`` is the combination.
    decided_at : datetime
        Moment of the decision; nothing later was used.
    trained_at : datetime
        End of the history that the model was fitted on.
    run : str
        The training that compared the models.
    artefact : str
        Name of the file that holds the fitted model; empty while there is none.
    reason : str
        Why it serves, in words.
    """

    plant: str
    key: SeriesKey
    model: str
    decided_at: datetime
    trained_at: datetime
    run: str
    artefact: str
    reason: str
