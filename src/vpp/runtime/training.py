"""Training of a plant: score what has arrived, see whether errors have risen, and then as much as is due.

Hourly nothing is compared again: models look at what is new. Daily they are fitted anew. Weekly, for a series nobody
has served yet, or when errors have risen for good, every model is compared over folds of the past.
Invariant: after a run, however it ended, every series has a champion; a run that was killed goes on where it stopped.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from vpp.core.errors import InvalidInputError, UnreadableFileError
from vpp.core.messages import FOLD, Champion, SeriesKey
from vpp.core.ports import SeriesTable
from vpp.core.units import SECONDS_PER_HOUR
from vpp.forecasting.kinds import KINDS, SeriesProfile
from vpp.forecasting.settings import ForecastSettings
from vpp.forecasting.tracking import RunRecord, Tracking
from vpp.forecasting.training.candidate import candidates
from vpp.forecasting.training.champion import load, packed, save
from vpp.forecasting.training.drift import find_drift
from vpp.forecasting.training.engine import Engine, engine_of
from vpp.forecasting.training.work import Renew, renew
from vpp.runtime.build import HISTORY_S
from vpp.runtime.comparing import Comparison
from vpp.runtime.forecasts import known_history
from vpp.runtime.run_folder import RunFolder, RunPlan
from vpp.runtime.scoring import score_arrived
from vpp.runtime.screening import screen
from vpp.runtime.serving import FITTED
from vpp.runtime.training_report import REFITTED, UPDATED, SourceReport, TrainingReport
from vpp.runtime.workplace import Workplace

__all__ = ["TrainingService", "TrainingSettings", "engine_of", "training_service"]

Progress = Callable[[str, int, int], None]
REFIT_AFTER = timedelta(days=1)
RESUME_WITHIN = timedelta(days=1)
"""A run that was killed longer ago is begun anew."""
REFERENCE = timedelta(days=60)
KEEPING_S = 15.0
"""Of the time given, what is left for deciding, keeping and recording: at least this, or a tenth; at most half."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSettings:
    """What a training does.

    Parameters
    ----------
    models : tuple of str
        Models to compare; none for all but the heavy ones.
    folds : int
        Weeks of daily origins, 2 to 52; the first only makes bands.
    horizon_h : int
        Hours forecast, 1 to 168.
    group : int
        Series trained together, 1 or more; bounds the memory.
    full : bool
        True compares, whatever is due.
    tune_s : float
        Seconds per group to look for better tree sizes, 0 for none.
    deadline_s : float or None
        Seconds a run may take, above 0.

    Raises
    ------
    InvalidInputError
        When a number is outside its range.
    """

    models: tuple[str, ...] = ()
    folds: int = 4
    horizon_h: int = 30
    group: int = 50
    full: bool = False
    tune_s: float = 0.0
    deadline_s: float | None = None

    def __post_init__(self) -> None:
        """Check every range."""
        for name, value, least, most in (("folds", self.folds, 2, 52), ("horizon_h", self.horizon_h, 1, 168)):
            if not least <= value <= most:
                raise InvalidInputError(name, value, f"a whole number from {least} to {most}")
        if self.group < 1:
            raise InvalidInputError("group", self.group, "1 or more series")
        if self.deadline_s is not None and not self.deadline_s > 0.0:
            raise InvalidInputError("deadline", self.deadline_s, "seconds above 0")

    @property
    def shared(self) -> dict[str, Any]:
        """What two runs must have in common to be one."""
        return {"models": list(self.models), "folds": self.folds, "horizon_h": self.horizon_h, "tune_s": self.tune_s}


@dataclass(slots=True)
class TrainingService:
    """Trains the models of one plant.

    Parameters
    ----------
    place : Workplace
        The plant, its store and its folder.
    engine : Engine
        Where the work is done.
    tracking : Tracking
        Where it is recorded.
    settings : TrainingSettings, optional
        What is done.
    forecast_settings : ForecastSettings, optional
        What models are made with.
    progress : callable, optional
        Told what is being done, how many tasks are done, and of how many.
    """

    place: Workplace
    engine: Engine
    tracking: Tracking
    settings: TrainingSettings = field(default_factory=TrainingSettings)
    forecast_settings: ForecastSettings = field(default_factory=ForecastSettings)
    progress: Progress = lambda _what, _done, _of: None

    def run(self, now: datetime) -> TrainingReport:
        """Do what is due at a moment and return what was done."""
        began, began_cpu = time.monotonic(), time.process_time()
        candidates(self.settings.models, self.forecast_settings)  # an unknown name is refused before any work
        place, plant = self.place, self.place.setup.plant.id
        given_s = self.settings.deadline_s
        until = None if given_s is None else began + given_s - min(0.5 * given_s, max(0.1 * given_s, KEEPING_S))
        report = TrainingReport(plant=plant, run=f"{now:%Y%m%dT%H%M%SZ}", as_of=now)
        champions = {champion.key: champion for champion in place.store.champions(plant, decided_by=now)}
        keys = tuple(profile.key for profile in place.profiles)
        report.scored = len(score_arrived(place.setup, place.store, keys, now))
        report.drifted = self._drifted(champions, now)
        resumed = self._unfinished(now)
        groups = self._groups() if resumed is None else self._same_groups(resumed[1])
        due = [n for n, group in enumerate(groups) if self._is_due(group, champions, report, now)]
        if resumed is not None and not due:
            resumed[0].finish()  # it was killed after its last decision
        elif resumed is not None:
            report.resumed, report.run, report.as_of = True, resumed[1].name, resumed[1].as_of
        kept = [n for n in range(len(groups)) if n not in due]
        if due:
            plan = RunPlan(
                report.run, report.as_of, tuple(tuple(map(_name, group)) for group in groups), self.settings.shared
            )
            folder = resumed[0] if resumed is not None else RunFolder.begin(self.place.folder / "runs", plan)
            Comparison(self, report, folder, groups, due, champions, until).run()
        self._renew([groups[n] for n in kept], champions, report, now, until)
        self._forget()
        report.sources.sort(key=lambda one: str(one.key))
        report.wall_s = time.monotonic() - began
        report.cpu_s += time.process_time() - began_cpu
        return report

    def _drifted(self, champions: dict[SeriesKey, Champion], now: datetime) -> dict[SeriesKey, str]:
        """Return the series whose served forecasts have become worse than in the folds that chose them."""
        found = {}
        store, plant = self.place.store, self.place.setup.plant.id
        for key, champion in champions.items():
            folds = store.scores(plant, key, champion.decided_at - REFERENCE, champion.decided_at, product=FOLD)
            served = store.scores(plant, key, champion.decided_at, now)
            drift = find_drift([score for score in folds if score.model == champion.model], served)
            if drift is not None:
                found[key] = f"error {drift.ratio:.1f} times that of its folds since {drift.since:%Y-%m-%d}"
        return found

    def _groups(self) -> list[tuple[SeriesProfile, ...]]:
        """Return the series in groups, each kind together so that shared models learn from many alike."""
        ordered = sorted(self.place.profiles, key=lambda profile: KINDS.index(profile.kind))
        size = self.settings.group
        return [tuple(ordered[first : first + size]) for first in range(0, len(ordered), size)]

    def _same_groups(self, plan: RunPlan) -> list[tuple[SeriesProfile, ...]]:
        known = {_name(profile): profile for profile in self.place.profiles}
        return [tuple(known[name] for name in group) for group in plan.groups]

    def _unfinished(self, now: datetime) -> tuple[RunFolder, RunPlan] | None:
        """Return the run to go on with: begun within a day, for these series and settings; others are removed."""
        names = {_name(profile) for profile in self.place.profiles}
        found = None
        for folder, plan in RunFolder.unfinished(self.place.folder / "runs"):
            same = {name for group in plan.groups for name in group} == names and plan.asked == self.settings.shared
            if found is None and same and timedelta(0) <= now - plan.as_of <= RESUME_WITHIN:
                found = folder, plan
            else:
                folder.finish()
        return found

    def _is_due(
        self,
        group: tuple[SeriesProfile, ...],
        champions: dict[SeriesKey, Champion],
        report: TrainingReport,
        now: datetime,
    ) -> bool:
        """Return whether a group's models are to be compared."""
        refit_every = timedelta(seconds=self.place.setup.refit_every_s)
        for profile in group:
            champion = champions.get(profile.key)
            if self.settings.full or champion is None or not champion.run or profile.key in report.drifted:
                return True
            if (
                now - champion.decided_at >= refit_every
                or not (self.place.folder / FITTED / champion.artefact).exists()
            ):
                return True
        return False

    def _renew(
        self,
        groups: Sequence[tuple[SeriesProfile, ...]],
        champions: dict[SeriesKey, Champion],
        report: TrainingReport,
        now: datetime,
        until: float | None,
    ) -> None:
        """Bring the champions of groups up to date, and fit them anew when their last fit is a day old."""
        models = self.place.folder / FITTED
        by_file: dict[str, list[Champion]] = {}
        for group in groups:
            for profile in group:
                champion = champions[profile.key]
                by_file.setdefault(champion.artefact, []).append(champion)
        files = list(by_file)
        refit = [any(now - one.trained_at >= REFIT_AFTER for one in by_file[name]) for name in files]
        steps = self.settings.horizon_h * SECONDS_PER_HOUR // self.place.setup.resolution_s

        def tasks() -> Iterator[Renew]:
            for n, name in enumerate(files):
                try:
                    serving = load(models, name)
                except UnreadableFileError as fault:
                    report.notes.append(f"{fault}; the next run compares anew")
                    (models / name).unlink(missing_ok=True)
                    continue
                yield Renew(n, packed(serving), self.history(serving.keys, now, report), steps, refit[n])

        done = 0
        for n, content, _, cpu_s in self.engine.map(renew, tasks(), until=until):
            done += 1
            self.progress("bringing models up to date", done, len(files))
            report.cpu_s += cpu_s
            artefact = save(content, models)
            trained_at = now if refit[n] else by_file[files[n]][0].trained_at
            self.place.store.write_champions(
                [_with(one, artefact=artefact, trained_at=trained_at) for one in by_file[files[n]]]
            )
            what = REFITTED if refit[n] else UPDATED
            report.sources += [SourceReport(one.key, what, one.model, one.reason) for one in by_file[files[n]]]
        if done:
            params = {"as_of": now.isoformat(), "scored": report.scored, "files": done}
            self.record(RunRecord(self.place.setup.plant.id, report.run, params, {"cpu_s": report.cpu_s}), report)

    def history(self, keys: tuple[SeriesKey, ...], now: datetime, report: TrainingReport) -> SeriesTable:
        """Return what is known of some series, without values that cannot be right."""
        table = known_history(self.place.setup, self.place.store, keys, now, HISTORY_S)
        if not table.grid.count:
            return table
        screened = screen(table, self.place.setup.plant)
        # A channel that is faulty as a whole is still forecast, as it measures: plans need it, and its user was told.
        told = [
            f"{note.removesuffix(': left out')}: forecast as it measures" if note.endswith(": left out") else note
            for note in screened.notes
        ]
        report.notes += [note for note in told if note not in report.notes]
        columns = [(screened.table if key in screened.table.keys else table).column(key) for key in keys]
        return SeriesTable(table.grid, keys, np.column_stack(columns))

    def record(self, run: RunRecord, report: TrainingReport) -> None:
        """Record a run; say so once when that fails."""
        self.tracking.record(run)
        if self.tracking.lost is not None and self.tracking.lost not in report.notes:
            report.notes.append(self.tracking.lost)

    def _forget(self) -> None:
        """Remove models that serve nobody any more, but for the newest: a reader may hold their name."""
        models = self.place.folder / FITTED
        serving = {champion.artefact for champion in self.place.store.champions(self.place.setup.plant.id)}
        idle = [path for path in models.glob("*.model") if path.name not in serving]
        idle.sort(key=lambda path: path.stat().st_mtime)
        for path in idle[: -2 * max(1, len(serving))]:
            path.unlink(missing_ok=True)


def _name(profile: SeriesProfile) -> str:
    return str(profile.key)


def _with(champion: Champion, *, artefact: str, trained_at: datetime) -> Champion:
    return Champion(
        champion.plant, champion.key, champion.model, champion.decided_at, trained_at, champion.run, artefact,
        champion.reason,
    )  # fmt: skip


def training_service(
    place: Workplace,
    engine: Engine,
    settings: TrainingSettings,
    *,
    tracking_uri: str | None = None,
    progress: Progress = lambda _what, _done, _of: None,
) -> TrainingService:
    """Return the training of a plant, recorded in MLflow: by URL, by environment, or in the plant's folder."""
    return TrainingService(place, engine, Tracking.of(tracking_uri, place.folder), settings, progress=progress)
