"""The forecast of a plant: one object that learns, predicts, remembers what it said and widens its bands by it.

Invariant: ``history.grid.end`` is the moment of decision; nothing later is used except what the caller hands over
as published ``ahead``. Every value that goes out is finite, inside its series' bounds, and flagged where the history
behind it is thin. Past issues are scored when their actuals stand in the history of a later call, so a caller drives
nothing but ``fit`` and ``predict``.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from vpp.core.errors import InvalidInputError, SeriesMismatchError, UnknownNameError
from vpp.core.messages import Forecast, SeriesKey
from vpp.core.ports import SeriesTable
from vpp.core.time import TimeGrid
from vpp.core.units import SECONDS_PER_DAY, SECONDS_PER_HOUR
from vpp.forecasting.bands import ResidualBook
from vpp.forecasting.combination import MedianCombination
from vpp.forecasting.kinds import SeriesProfile, bounds, night_hours
from vpp.forecasting.leads import lead_classes
from vpp.forecasting.local_time import LocalClock
from vpp.forecasting.models.hour_of_week import HourOfWeekMean
from vpp.forecasting.models.seasonal_naive import SeasonalNaive
from vpp.forecasting.models.trees import TreeForecaster
from vpp.forecasting.repair import conditions
from vpp.forecasting.settings import ForecastSettings

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
LAST_VALUE = "last_value"
ZERO = "zero"
MEDIAN = 0.5
CALIBRATION_SHARE = 3
"""At most a third of a short history is spent on calibration."""


@dataclass(frozen=True, slots=True)
class Issue:
    """Everything said at one moment about K series.

    Parameters
    ----------
    grid : TimeGrid
        The S steps ahead.
    value : float array, shape (S, K)
        Point forecasts; published values where they are known ahead.
    quantiles : float array, shape (levels, S, K)
        Non-crossing quantiles; NaN for a series without enough residuals.
    members : float array, shape (M, S, K)
        What each member said; NaN where it could not answer.
    model : tuple of str, length K
        What answered for each series.
    flags : tuple of tuple of str, length K
        What a reader should know of each series.
    published : bool array, shape (S, K)
        True where the value was known ahead and not forecast.
    """

    grid: TimeGrid
    value: Floats
    quantiles: Floats
    members: Floats
    model: tuple[str, ...]
    flags: tuple[tuple[str, ...], ...]
    published: NDArray[np.bool_]


class ForecastPipeline:
    """Forecasts of all series of one plant.

    Parameters
    ----------
    profiles : tuple of SeriesProfile
        The K series, each once.
    timezone : ZoneInfo
        The plant's zone; its wall clock makes the rhythms.
    plant : str
        Plant id, for the messages.
    settings : ForecastSettings, optional
        Levels, windows, sizes.

    Raises
    ------
    InvalidInputError
        When there is no profile, or two for one series.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> profile = SeriesProfile.solar("roof", peak_kw=4.0)
    >>> pipeline = ForecastPipeline((profile,), timezone=ZoneInfo("UTC"), plant="home")
    >>> past = TimeGrid(datetime(2024, 6, 1, tzinfo=UTC), 3600, 48)
    >>> sun = np.maximum(0.0, np.sin((np.arange(48) % 24 - 6) / 12 * np.pi))[:, None]
    >>> (forecast,) = pipeline.predict(SeriesTable(past, (profile.key,), sun), steps=24)
    >>> float(forecast.value[12]), forecast.flags
    (1.0, ('untrained', 'no_bands'))
    """

    def __init__(
        self,
        profiles: tuple[SeriesProfile, ...],
        *,
        timezone: ZoneInfo,
        plant: str,
        settings: ForecastSettings | None = None,
    ) -> None:
        self.profiles = tuple(profiles)
        self.keys: tuple[SeriesKey, ...] = tuple(profile.key for profile in self.profiles)
        if not self.keys or len(set(self.keys)) < len(self.keys):
            raise InvalidInputError("profiles", [str(key) for key in self.keys], "one profile per series, at least one")
        self.plant = plant
        self.settings = settings or ForecastSettings()
        self._clock = LocalClock(timezone)
        votes = np.ones((4, len(self.keys)), dtype=bool)
        # The weather knows no weekdays: last week's wind is one more guess, and cost 3 % on average.
        votes[1] = [profile.follows_weekdays for profile in self.profiles]
        self._combination = MedianCombination(
            (
                SeasonalNaive(24),
                SeasonalNaive(168),
                HourOfWeekMean(self.profiles, self._clock, weeks=self.settings.mean_weeks),
                TreeForecaster(self.profiles, self._clock, self.settings),
            ),
            votes,
            worst_ratio=self.settings.worst_ratio,
            half_life_days=self.settings.error_half_life_days,
        )
        self._book: ResidualBook | None = None
        self._pending: deque[Issue] = deque()
        self._trained = False
        self._last_scored_s: int | None = None

    @property
    def member_names(self) -> tuple[str, ...]:
        """Names of the members, in the order of ``Issue.members``."""
        return tuple(member.name for member in self._combination.members)

    def fit(self, history: SeriesTable) -> None:
        """Learn from a history: anew every member, and the first time the bands, by rolling origin within it.

        Parameters
        ----------
        history : SeriesTable
            All that is known; up to ``settings.tree_weeks`` weeks plus the calibration are used.
        """
        table = self._ordered(history)
        self._score_pending(table)
        if self._residuals(table.grid.resolution_s).is_empty:
            self._calibrate(table)
        self._combination.fit(table)
        self._trained = True

    def predict(self, history: SeriesTable, steps: int, *, ahead: SeriesTable | None = None) -> list[Forecast]:
        """Return one ``Forecast`` per profile, in their order, issued at ``history.grid.end``.

        Parameters
        ----------
        history : SeriesTable
            At least ``settings.history_days`` days where there are so many; NaN where nothing is known.
            It must reach back over earlier issues' horizons for them to be scored.
        steps : int
            Steps ahead, 1 or more, of the history's resolution.
        ahead : SeriesTable, optional
            Values already published for steps from ``history.grid.end`` on (day-ahead prices); NaN where not. They
            come out unchanged, and forecasts beyond them build on them.

        Raises
        ------
        UnknownNameError
            When the history lacks a profile's series.
        InvalidInputError
            When ``steps`` is below 1, or ``ahead`` does not begin at the end of the history.
        """
        issue = self.issue(history, steps, ahead=ahead)
        levels = self.settings.levels
        forecasts = []
        for k, key in enumerate(self.keys):
            banded = bool(levels) and bool(np.isfinite(issue.quantiles[:, :, k]).all())
            forecasts.append(
                Forecast(
                    plant=self.plant,
                    key=key,
                    issued_at=issue.grid.start,
                    grid=issue.grid,
                    value=issue.value[:, k].copy(),
                    model=issue.model[k],
                    levels=levels if banded else (),
                    quantiles=issue.quantiles[:, :, k].copy() if banded else np.empty((0, 0)),
                    flags=issue.flags[k] if banded else (*issue.flags[k], "no_bands"),
                )
            )
        return forecasts

    def issue(self, history: SeriesTable, steps: int, *, ahead: SeriesTable | None = None) -> Issue:
        """Return all series' forecasts as columns, with what each member said; ``predict`` in bulk."""
        if steps < 1:
            raise InvalidInputError("steps", steps, "1 or more")
        table = self._ordered(history)
        self._score_pending(table)
        issue = self._issue(table, steps, self._published(table, steps, ahead))
        least_s = self.settings.score_every_h * SECONDS_PER_HOUR
        if not self._pending or issue.grid.start_s - self._pending[-1].grid.start_s >= least_s:
            self._pending.append(issue)
        return issue

    def _issue(self, table: SeriesTable, steps: int, ahead: Floats | None) -> Issue:
        """Forecast without keeping the issue for scoring."""
        table = tail(table, self.settings.history_days)
        grid = TimeGrid(table.grid.end, table.grid.resolution_s, steps)
        members = self._combination.answers(table, steps, ahead=ahead)
        value = self._combination.combine(members, lead_classes(steps, grid.resolution_s))
        flags = conditions(table, self.settings)
        value, models = self._answer_for_all(table, value, flags)
        offsets = self._offsets(grid)
        lower, upper = self._step_bounds(table, self._hour(grid))
        value = np.clip(value, lower, upper)
        quantiles = np.clip(value + offsets, lower, upper)
        published = np.zeros(value.shape, dtype=bool) if ahead is None else np.isfinite(ahead)
        if ahead is not None:
            value = np.where(published, ahead, value)
            quantiles = np.where(published, value, quantiles)
        return Issue(grid, value, quantiles, members, models, tuple(flags), published)

    def _offsets(self, grid: TimeGrid) -> Floats:
        """Return what the levels add to the point forecast, shape (levels, S, K).

        The point forecast is served as the median, so every other level keeps to its side of it: a median shifted by
        the residuals' own was 2 % worse in MAE on average.
        """
        leads = lead_classes(grid.count, grid.resolution_s)
        offsets = self._residuals(grid.resolution_s).offsets(hour=self._hour(grid), leads=leads)
        for i, level in enumerate(self.settings.levels):
            lowest, highest = (-np.inf, 0.0) if level < MEDIAN else (0.0, np.inf) if level > MEDIAN else (0.0, 0.0)
            np.clip(offsets[i], lowest, highest, out=offsets[i])
        return offsets

    def _answer_for_all(
        self, table: SeriesTable, value: Floats, flags: list[tuple[str, ...]]
    ) -> tuple[Floats, tuple[str, ...]]:
        """Fill what no member answered with the last value (0 for solar and for no data), and say so in ``flags``."""
        models = []
        for k, profile in enumerate(self.profiles):
            extra: tuple[str, ...] = () if self._trained else ("untrained",)
            open_ = np.isnan(value[:, k])
            model = self._combination.name
            if open_.any():
                known = table.value[np.isfinite(table.value[:, k]), k]
                plain_zero = profile.kind == "solar" or not known.size
                value[open_, k] = 0.0 if plain_zero else known[-1]
                model = ZERO if plain_zero else LAST_VALUE
                extra = (*extra, f"fallback_{model}")
                if not open_.all():
                    model = f"{self._combination.name}+{model}"
            models.append(model)
            flags[k] = (*flags[k], *extra)
        return value, tuple(models)

    def _step_bounds(self, table: SeriesTable, hour: Integers) -> tuple[Floats, Floats]:
        """Return bounds of each step, each of shape (S, K): those of the series, and 0 for solar at night."""
        past = tail(table, self.settings.night_days)
        night = night_hours(self.profiles, past.value, hour=self._hour(past.grid), resolution_s=past.grid.resolution_s)[
            hour
        ]
        lower, upper = bounds(self.profiles)
        return np.where(night, 0.0, lower), np.where(night, 0.0, upper)

    def _calibrate(self, table: SeriesTable) -> None:
        """Fill residuals and members' errors by rolling origin, with members fitted before its span."""
        grid, settings = table.grid, self.settings
        span = min(settings.calibration_days * SECONDS_PER_DAY // grid.resolution_s, grid.count // CALIBRATION_SHARE)
        stride = settings.calibration_every_h * SECONDS_PER_HOUR // grid.resolution_s
        steps = settings.calibration_horizon_h * SECONDS_PER_HOUR // grid.resolution_s
        cut = grid.count - span
        if span < stride or cut < SECONDS_PER_DAY // grid.resolution_s:
            return
        self._combination.fit(part(table, 0, cut))
        for origin in range(cut, grid.count - stride + 1, stride):
            past = part(table, max(0, origin - settings.history_days * SECONDS_PER_DAY // grid.resolution_s), origin)
            self._score(self._issue(past, min(steps, grid.count - origin), None), table)

    def _score_pending(self, table: SeriesTable) -> None:
        """Score the kept issues whose last step has passed."""
        while self._pending and self._pending[0].grid.end_s <= table.grid.end_s:
            self._score(self._pending.popleft(), table)

    def _score(self, issue: Issue, table: SeriesTable) -> None:
        """Compare one issue with what happened, as far as the table tells."""
        if issue.grid.resolution_s != table.grid.resolution_s:
            return
        first = (issue.grid.start_s - table.grid.start_s) // table.grid.resolution_s
        skipped = max(0, -first)
        actual = np.full(issue.value.shape, np.nan)
        actual[skipped:] = table.value[first + skipped : max(0, first + issue.grid.count)]
        actual[issue.published] = np.nan
        leads = lead_classes(issue.grid.count, issue.grid.resolution_s)
        since_s = 0 if self._last_scored_s is None else max(0, issue.grid.start_s - self._last_scored_s)
        self._last_scored_s = issue.grid.start_s
        self._combination.score(issue.members, actual, leads, age_days=since_s / SECONDS_PER_DAY)
        self._residuals(issue.grid.resolution_s).add(issue.value, actual, hour=self._hour(issue.grid), leads=leads)

    def _residuals(self, resolution_s: int) -> ResidualBook:
        """Return the book of residuals, made when the resolution is first seen."""
        if self._book is None:
            steps_per_hour = max(1, SECONDS_PER_HOUR // resolution_s)
            self._book = ResidualBook(len(self.keys), self.settings.levels, steps_per_hour=steps_per_hour)
        return self._book

    def _hour(self, grid: TimeGrid) -> Integers:
        """Return the local hour of each step, 0 to 23."""
        return self._clock.hour_of_day(grid.times_s).astype(np.int64)

    def _ordered(self, history: SeriesTable) -> SeriesTable:
        """Return the history with exactly the profiles' columns, in their order."""
        if history.keys == self.keys:
            return history
        column = {key: i for i, key in enumerate(history.keys)}
        for key in self.keys:
            if key not in column:
                raise UnknownNameError("series in the history", str(key), [str(known) for known in history.keys])
        return SeriesTable(history.grid, self.keys, history.value[:, [column[key] for key in self.keys]])

    def _published(self, table: SeriesTable, steps: int, ahead: SeriesTable | None) -> Floats | None:
        """Return what is known ahead on the forecast's own steps, shape (steps, K); None when nothing is."""
        if ahead is None:
            return None
        if ahead.grid.start != table.grid.end or ahead.grid.resolution_s != table.grid.resolution_s:
            raise SeriesMismatchError(
                "ahead", ahead.grid.start.isoformat(), f"a grid of {table.grid.resolution_s} s from {table.grid.end}"
            )
        published = np.full((steps, len(self.keys)), np.nan)
        count = min(steps, ahead.grid.count)
        for k, key in enumerate(self.keys):
            if key in ahead.keys:
                published[:count, k] = ahead.column(key)[:count]
        return published


def part(table: SeriesTable, start: int, stop: int) -> SeriesTable:
    """Return rows ``start`` to before ``stop`` as a table of their own."""
    return SeriesTable(table.grid.part(start, stop), table.keys, table.value[start:stop])


def tail(table: SeriesTable, days: int) -> SeriesTable:
    """Return the last days of a table, or all of it when it is shorter."""
    count = min(table.grid.count, days * SECONDS_PER_DAY // table.grid.resolution_s)
    return part(table, table.grid.count - count, table.grid.count)
