"""The champion: the fitted models that serve a group of series, as one object that is kept and loaded whole.

Invariant: a file is named by the hash of its bytes and is read only when that still holds, because it is unpickled;
it is written whole or not at all. The combination answers wherever a single champion is silent, and says so.
"""

from __future__ import annotations

import copyreg
import hashlib
import os
import pickle
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import cloudpickle  # type: ignore[import-untyped]
import numpy as np
from numpy.typing import NDArray

from vpp.core.errors import UnreadableFileError
from vpp.core.messages import Forecast, SeriesKey
from vpp.core.ports import SeriesTable
from vpp.core.units import SECONDS_PER_HOUR
from vpp.forecasting.kinds import bounds, night_hours
from vpp.forecasting.local_time import LocalClock
from vpp.forecasting.models.member import Member
from vpp.forecasting.needs import ModelContext
from vpp.forecasting.pipeline import ForecastPipeline, Issue
from vpp.forecasting.tables import part, tail
from vpp.forecasting.training.candidate import COMBINATION, Candidate
from vpp.forecasting.training.selection import cells_of

Floats = NDArray[np.float64]
SUFFIX = ".model"
SILENT = "champion_silent"
"""Flag of a forecast whose champion had no answer, so that the combination answered."""
MOST_CAUGHT_UP = 16
"""Missed issues that are made good at once; older ones would no longer move the bands."""


def _frozen(content: dict[Any, Any]) -> Mapping[Any, Any]:
    return MappingProxyType(content)


def _reduced(view: MappingProxyType[Any, Any]) -> tuple[Any, ...]:
    return _frozen, (dict(view),)


# Settings hold read-only mappings, which pickle does not know of itself.
copyreg.pickle(MappingProxyType, _reduced)


@dataclass(slots=True)
class Single:
    """A single model that serves some of the series.

    Parameters
    ----------
    candidate : Candidate
        How it is made.
    member : Member
        The model over all series of the group.
    """

    candidate: Candidate
    member: Member


@dataclass(frozen=True, slots=True)
class Served:
    """What was answered at one moment.

    Parameters
    ----------
    forecasts : list of Forecast
        One per series.
    members : list of Forecast
        What every member of the combination, and every single champion, said of each series; silent ones are missing.
    """

    forecasts: list[Forecast]
    members: list[Forecast]


class Serving:
    """The combination and the single champions of K series; does for them what the combination alone did.

    Parameters
    ----------
    pipeline : ForecastPipeline
        The combination of all K series.
    clock : LocalClock
        The plant's clock.
    trained_at : datetime, optional
        End of the history of the last fit; None while it was never fitted.

    Attributes
    ----------
    champions : dict of SeriesKey to str
        Single models that serve; the combination serves the rest.
    offsets : dict of SeriesKey to float array, shape (levels, CELLS)
        Bands of the single models.
    """

    def __init__(self, pipeline: ForecastPipeline, clock: LocalClock, *, trained_at: datetime | None = None) -> None:
        self.pipeline = pipeline
        self.clock = clock
        self.trained_at = trained_at
        self.seen_until = trained_at
        self.singles: dict[str, Single] = {}
        self.champions: dict[SeriesKey, str] = {}
        self.offsets: dict[SeriesKey, Floats] = {}

    @property
    def keys(self) -> tuple[SeriesKey, ...]:
        """The series it answers for."""
        return self.pipeline.keys

    def crown(self, key: SeriesKey, candidate: Candidate, offsets: Floats, history: SeriesTable) -> None:
        """Let a single model serve a series, fitted on a history if it is not there yet."""
        if candidate.name not in self.singles:
            context = ModelContext(profiles=self.pipeline.profiles, clock=self.clock, settings=candidate.settings)
            member = candidate.spec.make(context)
            member.fit(self._own(history))
            self.singles[candidate.name] = Single(candidate, member)
        self.champions[key] = candidate.name
        self.offsets[key] = offsets

    def fit(self, history: SeriesTable) -> None:
        """Fit everything anew."""
        own = self._own(history)
        self.pipeline.fit(own)
        for single in self.singles.values():
            single.member.fit(own)
        self.trained_at = self.seen_until = history.grid.end

    def predict(self, history: SeriesTable, steps: int, *, ahead: SeriesTable | None = None) -> list[Forecast]:
        """Return one forecast per series, in the order of ``keys``."""
        return self.serve(history, steps, ahead=ahead).forecasts

    def serve(self, history: SeriesTable, steps: int, *, ahead: SeriesTable | None = None) -> Served:
        """Return the forecasts that serve and what each model said beside them."""
        own = self._own(history)
        issue = self.pipeline.issue(own, steps, ahead=ahead)
        self.seen_until = own.grid.end
        said = {name: self._said(single, own, issue) for name, single in self.singles.items()}
        forecasts = []
        for k, key in enumerate(self.keys):
            name = self.champions.get(key)
            forecasts.append(self._combined(issue, k) if name is None else self._single(issue, k, name, said[name]))
        return Served(forecasts, list(self._members(issue, said)))

    def catch_up(self, history: SeriesTable, steps: int) -> int:
        """Issue again what would have been issued since the last time, so that errors and bands are up to date.

        Returns how many issues were made good; nothing is fitted.
        """
        own = self._own(history)
        if self.seen_until is None:
            return 0
        every = max(1, int(self.pipeline.settings.score_every_h * SECONDS_PER_HOUR) // own.grid.resolution_s)
        first = int((self.seen_until - own.grid.start).total_seconds()) // own.grid.resolution_s + every
        rows = list(range(max(first, every), own.grid.count + 1, every))[-MOST_CAUGHT_UP:]
        for row in rows:
            self.pipeline.issue(part(own, 0, row), steps)
        if rows:
            self.seen_until = own.grid.time(rows[-1])
        return len(rows)

    def _own(self, history: SeriesTable) -> SeriesTable:
        if history.keys == self.keys:
            return history
        return SeriesTable(history.grid, self.keys, np.column_stack([history.column(key) for key in self.keys]))

    def _said(self, single: Single, history: SeriesTable, issue: Issue) -> Floats:
        """Return what a single model says, shape (steps, K), within every bound; published values stand."""
        ahead = np.where(issue.published, issue.value, np.nan) if issue.published.any() else None
        value = single.member.predict(history, issue.grid.count, ahead=ahead)
        profiles = self.pipeline.profiles
        past = tail(history, self.pipeline.settings.night_days)
        hours = self.clock.hour_of_day(past.grid.times_s).astype(np.int64)
        night = night_hours(profiles, past.value, hour=hours, resolution_s=past.grid.resolution_s)
        value = np.where(night[self.clock.hour_of_day(issue.grid.times_s).astype(np.int64)], 0.0, value)
        lower, upper = bounds(profiles)
        return np.where(issue.published, issue.value, np.clip(value, lower, upper))

    def _single(self, issue: Issue, k: int, name: str, said: Floats) -> Forecast:
        base = self._combined(issue, k)
        if not np.isfinite(said[:, k]).all():
            return replace(base, flags=(*base.flags, SILENT))
        levels = self.pipeline.settings.levels
        lower, upper = (float(end[k]) for end in bounds(self.pipeline.profiles))
        wide = self.offsets[base.key][:, cells_of(self.clock, issue.grid.times_s)]
        quantiles = np.clip(said[:, k] + wide, lower, upper)
        quantiles = np.where(issue.published[:, k] | self._dark(issue, k, said), said[:, k], quantiles)
        flags = tuple(flag for flag in base.flags if flag != "no_bands")
        if not np.isfinite(quantiles).all():
            return replace(
                base, value=said[:, k], model=name, levels=(), quantiles=np.empty((0, 0)), flags=(*flags, "no_bands")
            )
        return replace(base, value=said[:, k], model=name, levels=levels, quantiles=quantiles, flags=flags)

    def _dark(self, issue: Issue, k: int, said: Floats) -> NDArray[np.bool_]:
        """Return where the combination is sure that nothing is produced, shape (steps,)."""
        solar = self.pipeline.profiles[k].kind == "solar"
        sure = (issue.quantiles[:, :, k] == 0.0).all(axis=0) & (said[:, k] == 0.0)
        return np.asarray(sure & solar)

    def _combined(self, issue: Issue, k: int) -> Forecast:
        levels = self.pipeline.settings.levels
        banded = bool(levels) and bool(np.isfinite(issue.quantiles[:, :, k]).all())
        return Forecast(
            plant=self.pipeline.plant,
            key=self.keys[k],
            issued_at=issue.grid.start,
            grid=issue.grid,
            value=issue.value[:, k].copy(),
            model=issue.model[k],
            levels=levels if banded else (),
            quantiles=issue.quantiles[:, :, k].copy() if banded else np.empty((0, 0)),
            flags=issue.flags[k] if banded else (*issue.flags[k], "no_bands"),
        )

    def _members(self, issue: Issue, said: Mapping[str, Floats]) -> list[Forecast]:
        lower, upper = bounds(self.pipeline.profiles)
        every = dict(zip(self.pipeline.member_names, np.clip(issue.members, lower, upper), strict=True)) | dict(said)
        every[COMBINATION] = issue.value
        return [
            Forecast(self.pipeline.plant, key, issue.grid.start, issue.grid, value[:, k].copy(), name)
            for name, value in every.items()
            for k, key in enumerate(self.keys)
            if np.isfinite(value[:, k]).all()
        ]


def packed(serving: Serving) -> bytes:
    """Return a serving as bytes."""
    return zlib.compress(cloudpickle.dumps(serving, protocol=5), 1)


def save(content: bytes, folder: Path) -> str:
    """Keep what ``packed`` returned and return the name it can be loaded by.

    Raises
    ------
    UnreadableFileError
        When the folder cannot be written.
    """
    name = hashlib.sha256(content).hexdigest()[:32] + SUFFIX
    part_path = folder / f".{name}.part"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with part_path.open("wb") as part_file:
            part_file.write(content)
            part_file.flush()
            # Who serves is written down durably next; a power cut must not leave that name without its file.
            os.fsync(part_file.fileno())
        part_path.replace(folder / name)
    except OSError as fault:
        raise UnreadableFileError(str(folder / name), f"it cannot be written: {fault.strerror}") from fault
    return name


def load(folder: Path, name: str) -> Serving:
    """Return a serving that was kept.

    Raises
    ------
    UnreadableFileError
        When it is missing, was changed, or was written by a version whose models no longer exist.
    """
    path = folder / name
    try:
        content = path.read_bytes()
    except OSError as fault:
        raise UnreadableFileError(str(path), f"it cannot be read: {fault.strerror}") from fault
    if hashlib.sha256(content).hexdigest()[:32] + SUFFIX != name:
        raise UnreadableFileError(str(path), "it is not the file that was kept; train again")
    return unpacked(content, str(path))


def unpacked(content: bytes, path: str = "a model") -> Serving:
    """Return the serving of ``packed``; ``path`` names it in the message of a fault."""
    try:
        serving = pickle.loads(zlib.decompress(content))  # noqa: S301, its hash was checked
    except (zlib.error, pickle.UnpicklingError, AttributeError, ImportError, EOFError) as fault:
        raise UnreadableFileError(path, f"it was made by another version ({fault}); train again") from fault
    if not isinstance(serving, Serving):
        raise UnreadableFileError(path, "it holds no fitted models; train again")
    return serving
