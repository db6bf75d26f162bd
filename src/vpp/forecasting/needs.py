"""What a forecasting model needs before it can answer, declared as data so that nobody has to try it to find out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args
from zoneinfo import ZoneInfo

from vpp.core.errors import InvalidInputError, UnknownNameError
from vpp.forecasting.kinds import KINDS, Kind, SeriesProfile
from vpp.forecasting.local_time import LocalClock
from vpp.forecasting.settings import ForecastSettings

Cost = Literal["instant", "cheap", "moderate", "heavy"]
"""CPU time of a fit per source: under 1 ms, under 0.1 s, under 2 s, more. Training runs them in this order."""
COSTS: tuple[Cost, ...] = get_args(Cost)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelNeeds:
    """Needs of one model.

    Parameters
    ----------
    history_days : float
        Fewest days of history with which it answers, above 0.
    cost : {"instant", "cheap", "moderate", "heavy"}
        What a fit costs per source.
    inputs : bool
        True where it uses inputs known ahead, such as forecast weather, for series that have them.
    exogenous : bool
        True where it answers only for such series.
    quantiles : bool
        True where it makes quantiles of its own; bands then need no residuals.
    shared : bool
        True where it learns from all series at once.
    kinds : tuple of Kind
        Kinds of series it is made for: on these it votes in the combination. It may answer for others.
    extra : str or None
        The optional extra that brings its library.

    Raises
    ------
    InvalidInputError, UnknownNameError
        When a need is out of its range.
    """

    history_days: float
    cost: Cost
    inputs: bool = False
    exogenous: bool = False
    quantiles: bool = False
    shared: bool = False
    kinds: tuple[Kind, ...] = KINDS
    extra: str | None = None

    def __post_init__(self) -> None:
        """Check every range."""
        if not self.history_days > 0.0:
            raise InvalidInputError("history_days", self.history_days, "a number of days above 0")
        if self.cost not in COSTS:
            raise UnknownNameError("cost class", self.cost, COSTS)
        for kind in self.kinds:
            if kind not in KINDS:
                raise UnknownNameError("kind of series", kind, KINDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelContext:
    """What a model is made from.

    Parameters
    ----------
    profiles : tuple of SeriesProfile
        The K series, in the order of the history's columns.
    clock : LocalClock
        The plant's local clock, with its holidays where the country is known.
    settings : ForecastSettings
        Sizes, windows and seed.
    """

    profiles: tuple[SeriesProfile, ...]
    clock: LocalClock
    settings: ForecastSettings

    @classmethod
    def of(cls, profiles: tuple[SeriesProfile, ...], timezone: ZoneInfo) -> ModelContext:
        """Return a context with the default settings."""
        return cls(profiles=profiles, clock=LocalClock(timezone), settings=ForecastSettings())
