"""What a store in memory holds of one plant."""

from __future__ import annotations

from datetime import datetime

from vpp.core.messages import Ack, Award, Champion, Command, Event, Forecast, ForecastScore, Schedule, SeriesKey
from vpp.store.columns import SeriesColumns
from vpp.store.timeline import Timeline


class PlantRecord:
    """Everything of one plant."""

    def __init__(self, keep: int | None) -> None:
        self.series: dict[SeriesKey, SeriesColumns] = {}
        self.forecasts: dict[tuple[str, SeriesKey], Timeline[Forecast]] = {}
        self.scores: dict[tuple[str, SeriesKey], dict[tuple[datetime, str], ForecastScore]] = {}
        self.champions: dict[SeriesKey, Timeline[Champion]] = {}
        self.schedules: Timeline[Schedule] = Timeline(keep=keep)
        self.commands: Timeline[Command] = Timeline()
        self.command_ids: dict[str, Command] = {}
        self.acks: Timeline[Ack] = Timeline()
        self.known_acks: set[Ack] = set()
        self.awards: Timeline[Award] = Timeline()
        self.events: Timeline[Event] = Timeline()
        self._recent_keys: tuple[SeriesKey, ...] = ()
        self._recent_series: list[SeriesColumns] = []

    def columns_of(self, keys: tuple[SeriesKey, ...]) -> list[SeriesColumns]:
        """Return the columns of series, new ones where there are none; a device sends the same keys each time."""
        if keys is not self._recent_keys:
            self._recent_series = [self.series.setdefault(key, SeriesColumns()) for key in keys]
            self._recent_keys = keys
        return self._recent_series
