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
from vpp.forecasting.needs import ModelContext
from vpp.forecasting.registry import model
from vpp.forecasting.repair import conditions
from vpp.forecasting.settings import INPUT_MEMBERS, ForecastSettings
from vpp.forecasting.tables import narrow, part, tail

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
LAST_VALUE = "last_value"
ZERO = "zero"
MEDIAN = 0.5
CALIBRATION_SHARE = 3
"""At most a third of a short history is spent on calibration."""
AGREED = 0.5
"""Share of an issue's mean spread of members that stands for the error even where they agree."""
LEAST_SPREAD = 0.02
"""Of the usual magnitude: what stands for the spread where a single member answers."""


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
    difficulty : float array, shape (S, K)
        Expected error up to a factor: how far the members stand apart.
    """

    grid: TimeGrid
    value: Floats
    quantiles: Floats
    members: Floats
    model: tuple[str, ...]
    flags: tuple[tuple[str, ...], ...]
    published: NDArray[np.bool_]
    difficulty: Floats


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
        Members, levels, windows, sizes.
    country : str, optional
        ISO 3166 code of the country whose holidays count; by default that of the zone.

    Raises
    ------
    InvalidInputError
        When there is no profile, or two for one series.
    UnknownNameError
        When a member is not a known model, or the country has no known holidays.
    MissingExtraError
        When a member's library is not installed.

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
        country: str | None = None,
    ) -> None:
        self.profiles = tuple(profiles)
        self.keys: tuple[SeriesKey, ...] = tuple(profile.key for profile in self.profiles)
        if not self.keys or len(set(self.keys)) < len(self.keys):
            raise InvalidInputError("profiles", [str(key) for key in self.keys], "one profile per series, at least one")
        self.plant = plant
        self.settings = settings or ForecastSettings()
        self.input_keys = tuple(dict.fromkeys(key for profile in self.profiles for key in profile.inputs))
        self._clock = LocalClock(timezone, country=country)
        self._combination = self._combined(
            ModelContext(profiles=self.profiles, clock=self._clock, settings=self.settings)
        )
        self._book: ResidualBook | None = None
        self._pending: deque[Issue] = deque()
        self._trained = False
        self._last_scored_s: int | None = None

    def _combined(self, context: ModelContext) -> MedianCombination:
        """Return the members by name, each voting on the kinds of series it declares."""
        names = (*self.settings.members, *(INPUT_MEMBERS if self.input_keys else ()))
        specs = [model(name) for name in names]
        votes = [
            [
                profile.kind in spec.needs.kinds and (bool(profile.inputs) or not spec.needs.exogenous)
                for profile in self.profiles
            ]
            for spec in specs
        ]
        return MedianCombination(
            [spec.make(context) for spec in specs],
            np.array(votes, dtype=bool),
            takes_inputs=[spec.needs.inputs for spec in specs],
            worst_ratio=self.settings.worst_ratio,
            half_life_days=self.settings.error_half_life_days,
        )

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
        if self._out_of_date(table.grid):
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
            Values already published for steps from ``history.grid.end`` on (day-ahead prices, inputs such as forecast
            weather); NaN where not. Published values of a profile's own series come out unchanged, and forecasts
            beyond them build on them.

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
        value, spread = self._combination.combine(members, lead_classes(steps, grid.resolution_s))
        own = narrow(table, len(self.keys))
        flags = conditions(own, self.settings)
        value, models = self._answer_for_all(own, value, flags)
        difficulty = self._difficulty(own, spread)
        lower, upper = self._step_bounds(own, self._hour(grid))
        value = np.clip(value, lower, upper)
        quantiles = np.clip(value + self._offsets(grid) * difficulty, lower, upper)
        published = np.zeros(value.shape, dtype=bool)
        if ahead is not None:
            told = ahead[:, : len(self.keys)]
            published = np.isfinite(told)
            value = np.where(published, told, value)
            quantiles = np.where(published, value, quantiles)
        return Issue(grid, value, quantiles, members, models, tuple(flags), published, difficulty)

    def _difficulty(self, own: SeriesTable, spread: Floats) -> Floats:
        """Return the spread of the members, kept off 0 by half its own mean and a little of the usual magnitude."""
        known = np.isfinite(own.value)
        magnitude = np.where(known, np.abs(own.value), 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
        apart = np.nan_to_num(spread)
        least = LEAST_SPREAD * np.where(magnitude > 0.0, magnitude, 1.0)
        return np.asarray(apart + AGREED * apart.mean(axis=0) + least)

    def _offsets(self, grid: TimeGrid) -> Floats:
        """Return what the levels add to the point forecast per difficulty, shape (levels, S, K).

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
            count = min(steps, grid.count - origin)
            self._score(self._issue(past, count, self._inputs_ahead(table, origin, count)), table)

    def _inputs_ahead(self, table: SeriesTable, origin: int, steps: int) -> Floats | None:
        """Return the inputs of steps that have passed, which the history holds as they were known ahead."""
        if not self.input_keys:
            return None
        ahead = table.value[origin : origin + steps].copy()
        ahead[:, : len(self.keys)] = np.nan
        return ahead

    def _out_of_date(self, grid: TimeGrid) -> bool:
        """Return whether nothing was scored yet, or not for so long that the residuals are of another season."""
        if self._last_scored_s is None or self._residuals(grid.resolution_s).is_empty:
            return True
        return grid.end_s - self._last_scored_s > self.settings.recalibrate_after_days * SECONDS_PER_DAY

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
        actual[skipped:] = table.value[first + skipped : max(0, first + issue.grid.count), : len(self.keys)]
        actual[issue.published] = np.nan
        leads = lead_classes(issue.grid.count, issue.grid.resolution_s)
        since_s = 0 if self._last_scored_s is None else max(0, issue.grid.start_s - self._last_scored_s)
        self._last_scored_s = issue.grid.start_s
        self._combination.score(issue.members, actual, leads, age_days=since_s / SECONDS_PER_DAY)
        book = self._residuals(issue.grid.resolution_s)
        book.adapt(issue.quantiles, actual)
        book.add(issue.value, actual, hour=self._hour(issue.grid), leads=leads, difficulty=issue.difficulty)

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
        """Return the history with the profiles' columns in their order, then those of the inputs.

        An input that the history lacks is a column of NaN: models that need it then do not answer.
        """
        wanted = (*self.keys, *self.input_keys)
        if history.keys == wanted:
            return history
        column = {key: i for i, key in enumerate(history.keys)}
        for key in self.keys:
            if key not in column:
                raise UnknownNameError("series in the history", str(key), [str(known) for known in history.keys])
        nothing = np.full(history.grid.count, np.nan)
        values = [history.value[:, column[key]] if key in column else nothing for key in wanted]
        return SeriesTable(history.grid, wanted, np.column_stack(values))

    def _published(self, table: SeriesTable, steps: int, ahead: SeriesTable | None) -> Floats | None:
        """Return what is known ahead on the forecast's own steps, shape (steps, K + inputs); None when nothing is."""
        if ahead is None:
            return None
        if ahead.grid.start != table.grid.end or ahead.grid.resolution_s != table.grid.resolution_s:
            raise SeriesMismatchError(
                "ahead", ahead.grid.start.isoformat(), f"a grid of {table.grid.resolution_s} s from {table.grid.end}"
            )
        published = np.full((steps, len(table.keys)), np.nan)
        count = min(steps, ahead.grid.count)
        for k, key in enumerate(table.keys):
            if key in ahead.keys:
                published[:count, k] = ahead.column(key)[:count]
        return published
