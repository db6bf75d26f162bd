"""Serving: the champions that the training kept, wherever forecasts are made, and what answers where there is none.

Invariant: every series gets an answer. Its champion answers, else the combination it was trained with, else naive
members of a combination that has learnt nothing; each step down is a flag on the forecast.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from vpp.core.errors import UnreadableFileError
from vpp.core.messages import Forecast, SeriesKey
from vpp.core.ports import SeriesTable, Store
from vpp.forecasting.kinds import SeriesProfile
from vpp.forecasting.local_time import LocalClock
from vpp.forecasting.pipeline import ForecastPipeline
from vpp.forecasting.training.champion import Served, Serving, load
from vpp.runtime.setup import Setup

log = logging.getLogger(__name__)
FITTED = "fitted"
"""Where in a plant's folder the fitted models are."""
MISSING = "champion_missing"
"""Flag of a forecast for whose series no trained model is kept; untrained naive members answer."""


class ChampionPipeline:
    """The champions of a plant as one pipeline.

    Parameters
    ----------
    setup : Setup
        The plant.
    store : Store
        Says who serves; looked at before every forecast, so that a new champion takes over at once.
    profiles : tuple of SeriesProfile
        The series.
    folder : Path
        The plant's folder of models.
    """

    def __init__(self, setup: Setup, store: Store, profiles: tuple[SeriesProfile, ...], folder: Path) -> None:
        self._setup = setup
        self._store = store
        self._profiles = profiles
        self._folder = folder / FITTED
        self._loaded: dict[str, Serving | None] = {}
        self._rest: Serving | None = None
        self._rest_trained = False

    def fit(self, history: SeriesTable) -> None:
        """Fit what the training does not: series without a champion, and champions older than the refit cadence."""
        serving_of = self._serving_of(history.grid.end)
        refit_s = timedelta(seconds=self._setup.refit_every_s)
        for serving in _each(serving_of):
            if serving.trained_at is None or history.grid.end - serving.trained_at >= refit_s:
                serving.fit(history)
        rest = self._without(serving_of)
        if rest is not None:
            rest.fit(history)
            self._rest_trained = True

    def predict(self, history: SeriesTable, steps: int, *, ahead: SeriesTable | None = None) -> list[Forecast]:
        """Return one forecast per series, in their order."""
        return self.serve(history, steps, ahead=ahead).forecasts

    def serve(self, history: SeriesTable, steps: int, *, ahead: SeriesTable | None = None) -> Served:
        """Return the forecasts that serve, and what every model said beside them."""
        serving_of = self._serving_of(history.grid.end)
        found: dict[SeriesKey, Forecast] = {}
        members: list[Forecast] = []
        for serving in _each(serving_of):
            served = serving.serve(history, steps, ahead=ahead)
            wanted = {key for key, holder in serving_of.items() if holder is serving}
            found |= {forecast.key: forecast for forecast in served.forecasts if forecast.key in wanted}
            members += [forecast for forecast in served.members if forecast.key in wanted]
        rest = self._without(serving_of)
        if rest is not None:
            served = rest.serve(history, steps, ahead=ahead)
            members += served.members
            for forecast in served.forecasts:
                flags = forecast.flags if self._rest_trained else (*forecast.flags, MISSING)
                found[forecast.key] = replace(forecast, flags=flags)
        return Served([found[profile.key] for profile in self._profiles], members)

    def _serving_of(self, moment: datetime) -> dict[SeriesKey, Serving]:
        """Return who serves each series; a file is read once, and given up when it cannot be.

        A replay of the past is not served by what was learnt from later data.
        """
        by = moment + timedelta(seconds=self._setup.resolution_s)
        kept = self._store.champions(self._setup.plant.id, decided_by=by)
        names = {champion.key: champion.artefact for champion in kept if champion.trained_at <= by}
        for name in set(names.values()) - set(self._loaded) - {""}:
            try:
                self._loaded[name] = load(self._folder, name)
            except UnreadableFileError as fault:
                log.warning("%s", fault)
                self._loaded[name] = None
        for name in set(self._loaded) - set(names.values()):
            del self._loaded[name]
        found: dict[SeriesKey, Serving] = {}
        for profile in self._profiles:
            serving = self._loaded.get(names.get(profile.key, ""))
            # A series whose bounds were changed in the plant file is another series to its model.
            if serving is not None and profile in serving.pipeline.profiles:
                found[profile.key] = serving
        return found

    def _without(self, serving_of: dict[SeriesKey, Serving]) -> Serving | None:
        """Return a combination of the series that have no champion; None when all have one."""
        missing = tuple(profile for profile in self._profiles if profile.key not in serving_of)
        if not missing:
            self._rest = None
        elif self._rest is None or self._rest.pipeline.profiles != missing:
            pipeline = ForecastPipeline(missing, timezone=self._setup.timezone, plant=self._setup.plant.id)
            self._rest, self._rest_trained = Serving(pipeline, LocalClock(self._setup.timezone)), False
        return self._rest


def _each(serving_of: dict[SeriesKey, Serving]) -> list[Serving]:
    return list({id(serving): serving for serving in serving_of.values()}.values())
