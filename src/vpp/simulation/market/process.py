"""Seasonal processes: series with a shape by day, week and year, a memory, and any distribution of values.

The series is a Gaussian one underneath: a shape by local hour and kind of day, a yearly wave, and three memories:
a quick one over hours, one of the same hour of the days before, and a slow one. Its values are then mapped onto the
quantiles of what was observed, so that spikes and negative values come as often and as large as they did (a Gaussian
copula with a deterministic mean; Nelsen, An Introduction to Copulas, 2nd ed. 2006, chapter 2).
"""

from __future__ import annotations

from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares
from scipy.signal import lfilter
from scipy.special import ndtri

from vpp.core.errors import InvalidInputError, MissingDataError, SeriesMismatchError
from vpp.core.time import TimeGrid, utc_offsets_s
from vpp.core.units import SECONDS_PER_DAY, SECONDS_PER_HOUR

Floats = NDArray[np.float64]
Seconds = NDArray[np.int64]

HOURS = 24
DAY_KINDS = 3
"""Weekdays, Saturdays, Sundays."""
SEASONS = 2
"""Winter half-year (October to March), summer half-year (April to September)."""
LEVELS = (
    0.0, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6,
    0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9995, 1.0,
)  # fmt: skip
"""Levels at which a process keeps the quantiles of its values."""
_FIRST_WEEKDAY = 3  # 1970-01-01 was a Thursday
_YEAR_D = 365.2425
_LONGEST_LAG_H = 168
_LEAST_HOURS = 8 * _LONGEST_LAG_H
_END_SCORE = 6.0
_ONE_IN_A_YEAR = 0.5 / (HOURS * _YEAR_D)
_ROUNDING = 1e-12


@dataclass(frozen=True, slots=True)
class SeasonalProcess:
    """An hourly process on a local clock.

    Parameters
    ----------
    source : str
        What it was fitted to.
    quantiles : tuple of float, length 33
        Values at ``LEVELS``, not descending.
    profile : tuple of tuple of float, shape (SEASONS * DAY_KINDS, 24)
        Mean score (standard deviations of a normal) by season and kind of day, then by local hour.
    wave : tuple of float, length 4
        Cosine and sine of the year, then of the half-year, in scores, counted from 1 January.
    quick_h, daily_h, slow_h : float
        Time constants of the memories [h], above 0: over hours, over days at the same hour, and of the level.
    quick_share, daily_share : float
        Shares of the first two in the variance around the shape, together 0 to 1; the slow one has the rest.
    deviation : float
        Standard deviation around the shape, in scores, above 0.
    """

    source: str
    quantiles: tuple[float, ...]
    profile: tuple[tuple[float, ...], ...]
    wave: tuple[float, float, float, float]
    quick_h: float
    daily_h: float
    slow_h: float
    quick_share: float
    daily_share: float
    deviation: float

    def __post_init__(self) -> None:
        """Check every range."""
        if len(self.quantiles) != len(LEVELS) or (np.diff(self.quantiles) < 0.0).any():
            raise InvalidInputError("quantiles", self.quantiles, f"{len(LEVELS)} values, not descending")
        if [len(row) for row in self.profile] != [HOURS] * (SEASONS * DAY_KINDS):
            raise InvalidInputError("profile", len(self.profile), f"{SEASONS * DAY_KINDS} rows of {HOURS} scores")
        for field in ("quick_h", "daily_h", "slow_h", "deviation"):
            if not 0.0 < getattr(self, field) < np.inf:
                raise InvalidInputError(field, getattr(self, field), "above 0")
        if min(self.shares) < -_ROUNDING:
            raise InvalidInputError(
                "quick_share, daily_share", (self.quick_share, self.daily_share), "fractions, together 0 to 1"
            )

    @property
    def shares(self) -> tuple[float, float, float]:
        """Shares of the three memories in the variance around the shape."""
        return self.quick_share, self.daily_share, 1.0 - self.quick_share - self.daily_share

    def shape(self, times_s: Seconds, timezone: ZoneInfo) -> Floats:
        """Return the expected score of each hour, shape (T,)."""
        row, hour = _calendar(times_s, timezone)
        table = np.asarray(self.profile, dtype=np.float64)
        return np.asarray(table[row, hour] + _year(times_s) @ np.asarray(self.wave), dtype=np.float64)

    def values(self, scores: Floats) -> Floats:
        """Return the values of scores: the process's quantile function, on its last slope beyond the ends."""
        # lowest and highest are those of a year of hours
        at = ndtri(np.clip(LEVELS, _ONE_IN_A_YEAR, 1.0 - _ONE_IN_A_YEAR))
        held = np.asarray(self.quantiles)
        low = held[0] + (held[1] - held[0]) / (at[1] - at[0]) * (-_END_SCORE - at[0])
        high = held[-1] + (held[-1] - held[-2]) / (at[-1] - at[-2]) * (_END_SCORE - at[-1])
        knots, ends = np.concatenate([[-_END_SCORE], at, [_END_SCORE]]), np.concatenate([[low], held, [high]])
        return np.asarray(np.interp(scores, knots, ends), dtype=np.float64)

    def sample(
        self, times_s: Seconds, *, timezone: ZoneInfo, rng: np.random.Generator, pull: Floats | None = None
    ) -> Floats:
        """Return one path.

        Parameters
        ----------
        times_s : int array, shape (T,)
            Starts of consecutive hours [epoch s].
        timezone : ZoneInfo
            The clock of the shape.
        rng : numpy.random.Generator
            Random numbers; those of an hour do not depend on how many hours follow.
        pull : float array, shape (T,), or None
            Standardised outside influence times its correlation (-1 to 1): it takes the place of as much of the
            noise, so that the spread stays.

        Returns
        -------
        float array, shape (T,)
            Values, in the unit of the quantiles.
        """
        noise = rng.standard_normal((times_s.size, 3))
        quick, daily = (_remembering(noise[:, i], self.quick_h) for i in (0, 1))
        memories = (quick, _remembering(daily, self.daily_h, every=HOURS), _remembering(noise[:, 2], self.slow_h))
        around = np.zeros(times_s.size)
        for share, memory in zip(self.shares, memories, strict=True):
            around += np.sqrt(max(share, 0.0)) * memory
        if pull is not None:
            around = np.sqrt(np.maximum(1.0 - float(np.mean(pull**2)), 0.0)) * around + pull
        return self.values(self.shape(times_s, timezone) + self.deviation * around)


def fit_process(times_s: Seconds, values: Floats, *, timezone: ZoneInfo, source: str) -> SeasonalProcess:
    """Return the process of an hourly series: what every table of this package was made with.

    Parameters
    ----------
    times_s : int array, shape (T,)
        Starts of consecutive hours [epoch s].
    values : float array, shape (T,)
        What was observed; NaN where nothing was.
    timezone : ZoneInfo
        The clock that the series lives by.
    source : str
        What the series is, kept with the process.

    Raises
    ------
    SeriesMismatchError, MissingDataError
        When times and values do not pair up as consecutive hours, or there are fewer than eight weeks of them.

    Notes
    -----
    Values are replaced by the normal scores of their ranks; the shape is their mean by season, kind of day and hour
    after a yearly wave; the memories are those whose autocorrelation is nearest to that of the rest, at lags of 1
    to 168 hours (least squares, the first day counting four times).
    """
    if values.shape != times_s.shape or (np.diff(times_s) != SECONDS_PER_HOUR).any():
        raise SeriesMismatchError("values", values.shape, f"one value for each of {times_s.size} consecutive hours")
    known = np.isfinite(values)
    if known.sum() < _LEAST_HOURS:
        raise MissingDataError(f"{int(known.sum())} hours are too few to fit a process to: {_LEAST_HOURS} are needed")
    scores = np.full(values.shape, np.nan)
    rank = np.argsort(np.argsort(values[known], kind="stable"), kind="stable")
    scores[known] = ndtri((rank + 0.5) / rank.size)
    waves = _year(times_s)
    with_level = np.column_stack([np.ones(times_s.size), waves])
    level, *wave = np.linalg.lstsq(with_level[known], scores[known], rcond=None)[0].tolist()
    rest = scores - waves @ np.array(wave)
    row, hour = _calendar(times_s, timezone)
    cell = row * HOURS + hour
    cells = SEASONS * DAY_KINDS * HOURS
    count = np.bincount(cell[known], minlength=cells)
    total = np.bincount(cell[known], weights=rest[known], minlength=cells)
    table = np.where(count > 0, total / np.maximum(count, 1), level)
    rest = np.where(known, rest - table[cell], 0.0)
    return SeasonalProcess(
        source,
        tuple(np.quantile(values[known], LEVELS).tolist()),
        tuple(map(tuple, table.reshape(SEASONS * DAY_KINDS, HOURS).tolist())),
        (wave[0], wave[1], wave[2], wave[3]),
        *_memories(rest),
        float(rest[known].std()),
    )


def hours_of(grid: TimeGrid) -> tuple[Seconds, NDArray[np.int64]]:
    """Return the starts of the whole hours that a grid touches, and which of them each step lies in."""
    hours = grid.times_s // SECONDS_PER_HOUR
    if not hours.size:
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    return np.arange(hours[0], hours[-1] + 1, dtype=np.int64) * SECONDS_PER_HOUR, hours - hours[0]


def _calendar(times_s: Seconds, timezone: ZoneInfo) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the row of the profile (season and kind of day) and the local hour of each time."""
    day, second = np.divmod(times_s + utc_offsets_s(times_s, timezone), SECONDS_PER_DAY)
    weekday = (day + _FIRST_WEEKDAY) % 7
    kind = np.where(weekday < 5, 0, weekday - 4)
    month = day.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64) % 12 + 1
    summer = (month >= 4) & (month <= 9)
    return summer * DAY_KINDS + kind, second // SECONDS_PER_HOUR


def _year(times_s: Seconds) -> Floats:
    """Return cosine and sine of the year and of the half-year, shape (T, 4)."""
    angle = 2.0 * np.pi * (np.asarray(times_s, dtype=np.float64) / (SECONDS_PER_DAY * _YEAR_D) % 1.0)
    return np.column_stack([np.cos(angle), np.sin(angle), np.cos(2.0 * angle), np.sin(2.0 * angle)])


def _remembering(noise: Floats, time_constant_h: float, *, every: int = 1) -> Floats:
    """Return a first-order memory of the value ``every`` hours before, with the noise's variance from the start on."""
    kept = np.exp(-every / time_constant_h)
    scaled = noise * np.sqrt(1.0 - kept**2)
    scaled[:every] = noise[:every]
    past = np.zeros(every + 1)
    past[0], past[every] = 1.0, -kept
    return np.asarray(lfilter([1.0], past, scaled), dtype=np.float64)


def _memories(rest: Floats) -> tuple[float, float, float, float, float]:
    """Return the time constants and shares of the memories whose autocorrelation is nearest to that of the rest."""
    lags = np.arange(1, _LONGEST_LAG_H + 1)
    spectrum = np.abs(np.fft.rfft(rest, 2 * rest.size)) ** 2
    products = np.fft.irfft(spectrum)[: lags.size + 1]
    seen = products[1:] / products[0]
    weight = np.where(lags <= HOURS, 2.0, 1.0)
    days = np.arange(-2 * _LONGEST_LAG_H // HOURS, 2 * _LONGEST_LAG_H // HOURS + 1)
    from_day = np.abs(lags[:, None] - HOURS * days)

    def misses(guess: Floats) -> Floats:
        quick_h, daily_h, slow_h, rapid, daily = guess
        repeated = np.exp(-from_day / quick_h) @ np.exp(-HOURS * np.abs(days) / daily_h)
        model = (1.0 - daily) * np.exp(-lags / quick_h) + daily * repeated
        return np.asarray(weight * (rapid * model + (1.0 - rapid) * np.exp(-lags / slow_h) - seen))

    found = least_squares(
        misses, x0=(6.0, 72.0, 72.0, 0.5, 0.5), bounds=((1.0, 12.0, 24.0, 0.0, 0.0), (24.0, 720.0, 720.0, 1.0, 1.0))
    ).x
    quick_h, daily_h, slow_h, rapid, daily = (float(value) for value in found)
    return quick_h, daily_h, slow_h, rapid * (1.0 - daily), rapid * daily
