"""Settings of forecasting, each with its unit, its default and where the default comes from.

The tree sizes, windows and the exclusion ratio were chosen on homes, wholesale and lu_delu_2020 before the last
28 days of each, so that back-tests over those days stay honest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from vpp.core.errors import InvalidInputError
from vpp.forecasting.kinds import KINDS, Kind


@dataclass(frozen=True, slots=True)
class TreeShape:
    """Size of the gradient-boosted trees of one kind of series.

    Parameters
    ----------
    trees : int
        Number of boosting rounds, 1 or more.
    leaves : int
        Most leaves per tree, 2 or more.
    least_rows : int
        Fewest rows per leaf, 1 or more.
    learning_rate : float
        Shrinkage per round, in (0, 1].
    """

    trees: int = 80
    leaves: int = 31
    least_rows: int = 30
    learning_rate: float = 0.1


# Wind has little to learn beyond its last hours; larger trees fitted noise on wholesale (rMAE 0.90, not 0.79).
DEFAULT_TREES: Mapping[Kind, TreeShape] = MappingProxyType(
    {kind: TreeShape(leaves=15, least_rows=20, learning_rate=0.08) if kind == "wind" else TreeShape() for kind in KINDS}
)
DEFAULT_MEMBERS = (
    "seasonal_naive_24h",
    "seasonal_naive_168h",
    "theta",
    "mstl",
    "ridge",
    "trees",
    "direct_trees",
)
"""Chosen on the five series of the benchmark; ``docs/forecasting.md`` says what each is worth there."""
LOOK_BACK_DAYS = 60
"""Most days that a member looks at when it predicts: eight weeks of ``mstl`` and a margin."""
INPUT_MEMBERS = ("weather_trees",)
"""Join the members of a series that has inputs known ahead."""
DECILES_AND_TAILS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)


@dataclass(frozen=True, slots=True)
class ForecastSettings:
    """Settings of a ``ForecastPipeline``.

    Parameters
    ----------
    levels : tuple of float
        Quantile levels, ascending in (0, 1).
    members : tuple of str
        Names of the models whose weighted median is served, each once.
    trees : mapping of kind to TreeShape
        Size of the tree models.
    tree_weeks, tree_rows : int
        Longest training window [weeks] and most training rows of all series together; the window is shortened
        toward half of ``tree_weeks`` to keep to the rows.
    tree_least_days : int
        Fewest days known of a series before trees learn from it.
    mean_weeks : int
        Window of the hour-of-week mean [weeks].
    night_days : int
        Days of the past from which night is learnt.
    worst_ratio : float
        A member whose past error is more than this many times the best member's is left out.
    error_half_life_days : float
        Age at which a scored error counts half.
    score_every_h : float
        Shortest time between two issues that are scored [h]; more frequent issues would only repeat them.
    calibration_days, calibration_every_h, calibration_horizon_h : int
        Rolling origin that fills the residuals before anything was issued.
    recalibrate_after_days : float
        Training repeats that calibration when no issue was scored for so long.
    cold_start_h, stale_after_h : float
        Known history below which a forecast is a cold start [h]; age of the last value beyond which it is stale [h].
    seed : int
        Seed of the tree models.
    """

    levels: tuple[float, ...] = DECILES_AND_TAILS
    members: tuple[str, ...] = DEFAULT_MEMBERS
    trees: Mapping[Kind, TreeShape] = field(default_factory=lambda: DEFAULT_TREES)
    tree_weeks: int = 26
    tree_rows: int = 40_000
    tree_least_days: int = 14
    mean_weeks: int = 4
    night_days: int = 28
    worst_ratio: float = 4.0
    error_half_life_days: float = 14.0
    score_every_h: float = 3.0
    calibration_days: int = 28
    calibration_every_h: int = 11
    calibration_horizon_h: int = 42
    recalibrate_after_days: float = 7.0
    cold_start_h: float = 48.0
    stale_after_h: float = 2.0
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse levels that are not ascending in (0, 1) and ratios that would leave the best member out."""
        inside = all(0.0 < level < 1.0 for level in self.levels)
        if not inside or list(self.levels) != sorted(set(self.levels)):
            raise InvalidInputError("levels", self.levels, "ascending levels in (0, 1)")
        if not self.members or len(set(self.members)) < len(self.members):
            raise InvalidInputError("members", self.members, "names of models, each once, at least one")
        if not self.worst_ratio >= 1.0:
            raise InvalidInputError("worst_ratio", self.worst_ratio, "1 or more")
        for name in ("tree_weeks", "tree_rows", "tree_least_days", "mean_weeks", "night_days", "calibration_every_h"):
            if getattr(self, name) < 1:
                raise InvalidInputError(name, getattr(self, name), "1 or more")

    @property
    def history_days(self) -> int:
        """Days of history that ``predict`` looks at; older rows change nothing."""
        return max(7 * self.mean_weeks, self.night_days, LOOK_BACK_DAYS)
