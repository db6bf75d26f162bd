"""The tick: edge -> streams -> store -> forecasting -> optimization -> trading -> dispatch -> edge.

What is back-tested is what runs: a clock and an edge are all that differ.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from vpp.core.errors import MissingDataError
from vpp.core.messages import Ack, Award, Command, Event, Forecast, Schedule, Severity
from vpp.core.ports import Clock, Store
from vpp.core.time import floor_time
from vpp.runtime.bidding import BiddingService
from vpp.runtime.dispatching import DispatchService
from vpp.runtime.forecasts import ForecastSource
from vpp.runtime.ingest import IngestService
from vpp.runtime.planning import Forecasts, PlanningService
from vpp.runtime.setup import Setup

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Tick:
    """What one tick did."""

    now: datetime
    acks: list[Ack]
    forecasts: list[Forecast]
    schedule: Schedule | None
    award: Award | None
    commands: list[Command]


@dataclass(slots=True, kw_only=True)
class PlantLoop:
    """One plant's services, ticked by a clock.

    Parameters
    ----------
    setup : Setup
        The plant; a tick falls on every step.
    store : Store
        Where events go.
    ingest, forecasts, planning, bidding, dispatch
        The services, in the order of the tick.
    on_tick : callable, optional
        Told of every tick.
    on_event : callable, optional
        Told of every event.
    strict : bool
        True lets a failed tick end the run, as a back-test must.
    waiting : str or None
        What is missing for a plan, while something is.
    """

    setup: Setup
    store: Store
    ingest: IngestService
    forecasts: ForecastSource
    planning: PlanningService
    bidding: BiddingService
    dispatch: DispatchService
    on_tick: Callable[[Tick], None] | None = None
    on_event: Callable[[Event], None] | None = None
    strict: bool = False
    waiting: str | None = None

    def tick(self, now: datetime) -> Tick:
        """Run every service once, at the start of the step that begins at ``now``."""
        acks = self.dispatch.take(self.ingest.run(now), now)
        issued = self.forecasts.run(now)
        latest = self.forecasts.latest
        schedule, award = self._decide(now, latest)
        commands = self.dispatch.run(now, self.planning.current)
        return Tick(now, acks, issued, schedule, award, commands)

    def _decide(self, now: datetime, latest: Forecasts) -> tuple[Schedule | None, Award | None]:
        """Plan and sell; while something was never measured or priced, wait and say so once."""
        try:
            schedule = self.planning.run(now, latest, self.bidding.awards(now))
            award = self.bidding.run(now, latest)
        except MissingDataError as fault:
            if self.waiting != str(fault):
                self.tell(now, "waiting", Severity.WARNING, f"No plan yet, tried again at every step: {fault}")
            self.waiting = str(fault)
            return None, None
        if schedule is not None and not schedule.usable:
            self.tell(now, "no_plan", Severity.ERROR, f"No plan to execute ({schedule.status}): {schedule.message}")
        if self.bidding.missed:
            self.tell(now, "no_offer", Severity.WARNING, f"Nothing offered day-ahead: {self.bidding.missed}")
        self.waiting = None
        return schedule, award

    def tell(self, now: datetime, kind: str, severity: Severity, message: str, **facts: str) -> None:
        """Keep an event, and pass it on to who listens."""
        event = Event(self.setup.plant.id, now, kind, severity, message, facts)
        self.store.write_events([event])
        if self.on_event is not None:
            self.on_event(event)

    def run(self, clock: Clock, *, until: datetime | None = None, stopped: Callable[[], bool] = lambda: False) -> None:
        """Tick at every step the clock reaches, until a time or until stopped.

        A tick that fails is told as an event and the next one is tried: a plant is not left alone for one bad value.
        A tick that comes late skips the steps it missed.
        """
        step = timedelta(seconds=self.setup.resolution_s)
        moment = floor_time(clock.now(), self.setup.resolution_s)
        while not stopped() and (until is None or moment <= until):
            clock.sleep_until(moment)
            if stopped():
                break
            self._guarded_tick(moment)
            moment = max(moment + step, floor_time(clock.now(), self.setup.resolution_s))

    def _guarded_tick(self, moment: datetime) -> None:
        try:
            tick = self.tick(moment)
            if self.on_tick is not None:
                self.on_tick(tick)
        except Exception as fault:
            if self.strict:
                raise
            log.exception("tick at %s failed", moment.isoformat())
            told = f"The tick at {moment.isoformat()} failed: {fault}"
            self.tell(moment, "tick_failed", Severity.ERROR, told, error=type(fault).__name__)
