"""Comparing: every model of some groups of series over their folds, in order of rising cost, and who serves then.

Invariant: before the first comparison every series has a champion, if only naive members; what is done stands on disk
at once. A deadline leaves out what is dear: the combination comes before any single model.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from vpp.core.errors import UnreadableFileError
from vpp.core.messages import Champion, SeriesKey
from vpp.forecasting.kinds import SeriesProfile
from vpp.forecasting.registry import models
from vpp.forecasting.training.candidate import ALL, COMBINATION, Candidate, candidates
from vpp.forecasting.training.champion import load, packed, save
from vpp.forecasting.training.evidence import Group
from vpp.forecasting.training.folds import rolling_folds
from vpp.forecasting.training.tuning import TUNABLE, TUNED
from vpp.forecasting.training.work import Compare, Crown, Verdict, compare, crown, judge, new_serving
from vpp.runtime.forecasts import known_history
from vpp.runtime.run_folder import COMBINED, RunFolder
from vpp.runtime.serving import FITTED
from vpp.runtime.training_record import fold_scores, mean_known, run_record
from vpp.runtime.training_report import COMPARED, STARTED, SourceReport, TrainingReport

if TYPE_CHECKING:
    from vpp.runtime.training import TrainingService

PROVISIONAL = "nothing was compared yet; naive members answer"


class Comparison:
    """A comparison of the models of some groups.

    Parameters
    ----------
    service : TrainingService
        Whose engine, store and settings are used.
    report : TrainingReport
        Added to.
    folder : RunFolder
        Where the run stands on disk.
    groups : list of tuple of SeriesProfile
        All groups of the run.
    due : list of int
        Those to compare.
    champions : dict of SeriesKey to Champion
        Who serves now.
    until : float or None
        When to stop [s of ``time.monotonic``].
    """

    def __init__(
        self,
        service: TrainingService,
        report: TrainingReport,
        folder: RunFolder,
        groups: list[tuple[SeriesProfile, ...]],
        due: list[int],
        champions: dict[SeriesKey, Champion],
        until: float | None,
    ) -> None:
        self._service = service
        self._place = service.place
        self._report = report
        self._folder = folder
        self._groups = groups
        # What a killed run had already decided is not decided again.
        self._due = [
            n
            for n in due
            if not report.resumed or any(self._run_of(champions, profile) != report.run for profile in groups[n])
        ]
        self._champions = champions
        self._until = until
        self._served: dict[int, bytes] = {}
        self._steps: list[tuple[int, Candidate | None]] = []

    def run(self) -> None:
        """Compare, decide and keep; the folder is removed when nothing was skipped."""
        self._start()
        singles = self._singles()
        self._steps = [(n, None) for n in self._due] + [(n, single) for single in singles for n in self._due]
        self._steps += [(n, tuned) for n in self._due if (tuned := self._tuned(n)) is not None]
        done = len(self._steps)
        missing = [step for step in self._steps if not self._has(*step)]
        done -= len(missing)
        for result in self._service.engine.map(compare, self._tasks(missing), until=self._until):
            done += 1
            self._report.cpu_s += result.cpu_s
            self._folder.keep(result)
            if result.candidate is None:
                self._keep_combination(result.group, result.serving)
            model = COMBINATION if result.candidate is None else result.candidate.name
            self._service.progress(f"compared {model}", done, len(self._steps))
        self._report.skipped = len(self._steps) - done
        for n in self._due:
            self._decide(n)
        if not self._report.skipped:
            self._folder.finish()

    def _start(self) -> None:
        """Give everybody who has none a champion at once."""
        for n in self._due:
            missing = [profile for profile in self._groups[n] if profile.key not in self._champions]
            if not missing:
                continue
            group = self._bare(n)
            artefact = save(packed(new_serving(group, self._service.forecast_settings)), self._place.folder / FITTED)
            at = self._report.as_of
            self._write(
                [Champion(group.plant, one.key, COMBINATION, at, at, "", artefact, PROVISIONAL) for one in missing]
            )

    def _singles(self) -> list[Candidate]:
        service = self._service
        members = (
            new_serving(self._bare(self._due[0]), service.forecast_settings).pipeline.member_names if self._due else ()
        )
        asked = service.settings.models
        held = {champion.model for champion in self._champions.values()} & set(models())
        found, left_out = candidates(asked, service.forecast_settings, members=members)
        self._report.left_out += left_out
        # Who serves is compared again, asked for or not: only the incumbent can be beaten.
        missing = sorted(held - {one.name for one in found})
        if missing:
            found += candidates(missing, service.forecast_settings, members=members)[0]
        return list(found)

    def _tuned(self, n: int) -> Candidate | None:
        """Return the candidate to tune, else the tuned one that serves, as it was tuned."""
        if self._service.settings.tune_s > 0.0:
            return Candidate(TUNED, TUNABLE, self._service.forecast_settings)
        for profile in self._groups[n]:
            champion = self._champions.get(profile.key)
            if champion is None or champion.model != TUNED:
                continue
            try:
                return load(self._place.folder / FITTED, champion.artefact).singles[TUNED].candidate
            except UnreadableFileError:
                return None
        return None

    def _has(self, n: int, candidate: Candidate | None) -> bool:
        if candidate is None:
            # Its fitted models are needed too, and they are kept apart from what it said.
            return self._folder.has(n, COMBINED) and (self._folder.path / f"{n:05d}.serving").exists()
        return self._folder.has(n, candidate.name)

    def _tasks(self, steps: list[tuple[int, Candidate | None]]) -> Iterator[Compare]:
        settings = self._service.settings
        for n, candidate in steps:
            tune_s = settings.tune_s if candidate is not None and candidate.name == TUNED else 0.0
            yield Compare(n, self._group(n), candidate, self._service.forecast_settings, tune_s)

    def _keep_combination(self, n: int, content: bytes) -> None:
        self._folder.write(f"{n:05d}.serving", content)
        artefact = save(content, self._place.folder / FITTED)
        at = self._report.as_of
        fresh = [
            Champion(self._place.setup.plant.id, profile.key, COMBINATION, at, at, "", artefact, PROVISIONAL)
            for profile in self._groups[n]
            if profile.key not in self._champions
        ]
        self._write(fresh)

    def _decide(self, n: int) -> None:
        """Decide who serves a group by what was compared, crown the winners and keep everything."""
        evidence, made, cpu_s = self._folder.evidence(n)
        content_path = self._folder.path / f"{n:05d}.serving"
        if not content_path.exists():
            self._report.sources += [
                SourceReport(profile.key, STARTED, self._model_of(profile), PROVISIONAL) for profile in self._groups[n]
            ]
            return
        group = self._group(n)
        incumbents = {key: champion.model for key, champion in self._champions.items()}
        settings = self._service.settings
        chosen = settings.models and ALL not in settings.models
        may_serve = frozenset({COMBINATION, TUNED, *settings.models}) if chosen else frozenset(evidence)
        skip = len(group.folds) // 2 if TUNED in evidence else 0
        verdict = judge(group, evidence, incumbents, may_serve=may_serve, skip=skip)
        began = time.process_time()
        winners = {
            profile.key: (made.get(decision.model) or self._plain(decision.model), evidence[decision.model])
            for profile, decision in zip(group.profiles, verdict.decisions, strict=True)
            if decision.model != COMBINATION
        }
        content = content_path.read_bytes()
        if winners:
            _, content = crown(Crown(n, group, content, winners))
        artefact = save(content, self._place.folder / FITTED)
        self._keep(n, group, verdict, artefact, cpu_s + time.process_time() - began)

    def _keep(self, n: int, group: Group, verdict: Verdict, artefact: str, cpu_s: float) -> None:
        report, at = self._report, self._report.as_of
        # While a model has not been compared the group stays due, so that the next run goes on with it.
        run = report.run if all(self._has(*step) for step in self._steps if step[0] == n) else ""
        self._place.store.write_scores(fold_scores(group, verdict))
        self._write(
            [
                Champion(group.plant, profile.key, decision.model, at, at, run, artefact, decision.reason)
                for profile, decision in zip(group.profiles, verdict.decisions, strict=True)
            ]
        )
        for k, (profile, decision) in enumerate(zip(group.profiles, verdict.decisions, strict=True)):
            means = {name: mean_known(loss.pinball[:, k]) for name, loss in verdict.losses.items()}
            own = verdict.losses.get(decision.model)
            report.sources.append(
                SourceReport(
                    profile.key,
                    COMPARED,
                    decision.model,
                    decision.reason,
                    None if own is None else mean_known(own.mae[:, k]),
                    means.get(decision.model),
                    None if own is None else mean_known(own.coverage_80[:, k]),
                    {name: mean for name, mean in means.items() if mean is not None},
                )
            )
        registered = f"vpp-{group.plant}" if len(self._groups) == 1 else f"vpp-{group.plant}-{n + 1}"
        record = run_record(
            group,
            verdict,
            run=report.run if len(self._groups) == 1 else f"{report.run}-{n + 1}",
            artefact=self._place.folder / FITTED / artefact,
            registered=registered,
            cpu_s=cpu_s,
            asked=dict(self._service.settings.shared),
        )
        self._service.record(record, report)

    def _group(self, n: int) -> Group:
        keys = tuple(profile.key for profile in self._groups[n])
        history = self._service.history(keys, self._report.as_of, self._report)
        settings, timezone = self._service.settings, self._place.setup.timezone
        folds = rolling_folds(history.grid, timezone, folds=settings.folds, horizon_h=settings.horizon_h)
        return Group(self._place.setup.plant.id, timezone, self._groups[n], history, folds, settings.horizon_h)

    def _bare(self, n: int) -> Group:
        """Return a group without its history."""
        keys = tuple(profile.key for profile in self._groups[n])
        setup = self._place.setup
        empty = known_history(setup, self._place.store, keys, self._report.as_of, 0)
        return Group(setup.plant.id, setup.timezone, self._groups[n], empty, (), self._service.settings.horizon_h)

    def _plain(self, name: str) -> Candidate:
        return Candidate(name, name, self._service.forecast_settings)

    def _model_of(self, profile: SeriesProfile) -> str:
        champion = self._champions.get(profile.key)
        return COMBINATION if champion is None else champion.model

    @staticmethod
    def _run_of(champions: dict[SeriesKey, Champion], profile: SeriesProfile) -> str:
        champion = champions.get(profile.key)
        return "" if champion is None else champion.run

    def _write(self, champions: list[Champion]) -> None:
        self._place.store.write_champions(champions)
