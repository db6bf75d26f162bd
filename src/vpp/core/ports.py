"""Ports: the protocols by which engines meet. A simulated battery and a Modbus one are the same ``Device``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from vpp.core.errors import SeriesMismatchError, UnknownNameError
from vpp.core.messages import (
    ROLLING,
    Ack,
    Award,
    Champion,
    Command,
    Delivery,
    Event,
    Forecast,
    ForecastScore,
    Heartbeat,
    Intake,
    Offer,
    Readings,
    Refusal,
    Schedule,
    SeriesKey,
)
from vpp.core.time import TimeGrid

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
ItemT = TypeVar("ItemT")
ProblemT_contra = TypeVar("ProblemT_contra", contravariant=True)


@dataclass(frozen=True, slots=True)
class SeriesTable:
    """Several series on one grid.

    Parameters
    ----------
    grid : TimeGrid
        The T steps.
    keys : tuple of SeriesKey
        The K series.
    value : float array, shape (T, K)
        Values; NaN where nothing is known.
    """

    grid: TimeGrid
    keys: tuple[SeriesKey, ...]
    value: Floats

    def __post_init__(self) -> None:
        """Refuse a table that does not fit its grid and keys."""
        if self.value.shape != (self.grid.count, len(self.keys)):
            raise SeriesMismatchError("value", self.value.shape, f"({self.grid.count}, {len(self.keys)})")

    def column(self, key: SeriesKey) -> Floats:
        """Return one series, shape (T,); an unknown one names the nearest."""
        if key not in self.keys:
            raise UnknownNameError("series", str(key), map(str, self.keys))
        column: Floats = self.value[:, self.keys.index(key)]
        return column


@dataclass(frozen=True, slots=True)
class Aggregates:
    """One series in buckets of time; buckets without a reading are left out.

    Parameters
    ----------
    key : SeriesKey
        The series.
    bucket_s : int
        Length of a bucket [s]; buckets begin at whole multiples of it since 1970 (UTC).
    time_s : int array, shape (n,)
        Where the buckets begin, ascending [epoch s].
    count : int array, shape (n,)
        Readings in each, 1 or more.
    total, low, high : float arrays, shape (n,)
        Their sum, least and greatest, in the metric's unit.
    """

    key: SeriesKey
    bucket_s: int
    time_s: Counts
    count: Counts
    total: Floats
    low: Floats
    high: Floats

    @property
    def mean(self) -> Floats:
        """Mean of the readings of each bucket, shape (n,)."""
        return self.total / self.count


@runtime_checkable
class Clock(Protocol):
    """The only reader of time. Live it is the wall; in a back-test it is the data."""

    def now(self) -> datetime:
        """Return the present, aware UTC."""
        ...

    def sleep_until(self, moment: datetime) -> None:
        """Return when the present has reached ``moment``; at once when it has passed."""
        ...


@runtime_checkable
class Device(Protocol):
    """Something that measures and, perhaps, obeys."""

    asset_ids: tuple[str, ...]

    def execute(self, command: Command) -> None:
        """Take a command for the step it names; the answer comes with the next ``poll``."""
        ...

    def poll(self, now: datetime) -> tuple[Readings | None, Sequence[Ack]]:
        """Return what was measured in steps that ended by ``now`` and not yet reported, and the answers to commands."""
        ...


@runtime_checkable
class Bus(Protocol[ItemT]):
    """Carries items from producers to one consumer, in order per source: parcels between machines, readings within one.

    What was consumed and not acknowledged comes again, after a crash too where the bus outlives its processes.
    """

    def publish(self, items: Sequence[ItemT]) -> None:
        """Hand over items; returns when the bus holds them all, and raises ``StoreError`` when it does not."""
        ...

    def consume(self, *, most: int = 512, wait_s: float = 0.0) -> list[ItemT]:
        """Return what has arrived and was not yet acknowledged, at most ``most`` items.

        Without any, wait up to ``wait_s`` seconds for the first. Called again without ``acknowledge`` between, it
        returns the same items first.
        """
        ...

    def acknowledge(self) -> None:
        """Forget what ``consume`` returned, because it is safely stored."""
        ...

    def close(self) -> None:
        """Release what the bus holds."""
        ...


@runtime_checkable
class Store(Protocol):
    """Keeps everything, each value with its three times and its revisions. A write that returns is durable.

    Safe to share between threads. Readings are a set of rows: the same row again (all fields equal) changes nothing;
    another row for the same series and time is a revision. The last to arrive wins; of those that arrived in the same
    second, the last written. Nothing of one plant is ever in the answer for another; an unknown plant is an empty one.
    """

    def write_readings(self, readings: Readings) -> int:
        """Keep readings and return how many rows were new."""
        ...

    def take(self, delivery: Delivery) -> Intake:
        """Keep a delivery, whole or not at all: each message once, however often and in whatever order it comes.

        A message is known by its origin. Readings are kept as by ``write_readings``; a refusal is kept once, known by
        its digest. When it returns, all of it is durable.
        """
        ...

    def refusals(self, *, plant: str | None = None, most: int = 100) -> list[Refusal]:
        """Return the newest refusals, newest first, of one plant or of all."""
        ...

    def refusal_count(self, *, plant: str | None = None) -> int:
        """Return how many refusals are kept, of one plant or of all."""
        ...

    def aggregates(
        self, plant: str, keys: Sequence[SeriesKey], start: datetime, end: datetime, *, bucket_s: int
    ) -> list[Aggregates]:
        """Return series in buckets of time, one answer for each key, from the winning readings that start in the span.

        Parameters
        ----------
        start, end : datetime
            Whole multiples of ``bucket_s`` since 1970.
        bucket_s : int
            A divisor or a multiple of a minute that divides a day, or whole days [s]. From a minute on, roll-ups
            that are kept beside the readings answer; they hold late and revised readings too.
        """
        ...

    def write_heartbeat(self, heartbeat: Heartbeat) -> None:
        """Keep what a service counted; it replaces what the same service told before."""
        ...

    def heartbeats(self) -> list[Heartbeat]:
        """Return what every service told last, by name."""
        ...

    def series(
        self,
        plant: str,
        keys: Sequence[SeriesKey],
        grid: TimeGrid,
        *,
        known_at: datetime | None = None,
        reading_s: int | None = None,
    ) -> SeriesTable:
        """Return series as means over the steps of a grid, as known at ``known_at`` (default: everything).

        By default a step is the mean of the readings that start in it, and NaN when none does. With ``reading_s``,
        how long a reading holds [s], the energy is exact: on a finer grid a value is repeated over the steps it
        covers; on a coarser one a step of which a part was not read is NaN.
        """
        ...

    def readings(
        self,
        plant: str,
        keys: Sequence[SeriesKey],
        start: datetime,
        end: datetime,
        *,
        known_at: datetime | None = None,
        most: int = 10_000,
    ) -> Readings:
        """Return the winning readings whose step starts in ``[start, end)``, by time then key.

        When there are more than ``most``, the oldest; read on from the last time returned.
        """
        ...

    def latest(self, plant: str, *, known_at: datetime | None = None) -> Readings | None:
        """Return the newest value of every series of a plant; None when there is none.

        Newest by the time it holds: of a price published ahead, the last hour published.
        """
        ...

    def span(self, plant: str) -> tuple[datetime, datetime] | None:
        """Return the first and last step start of a plant's readings; None when there is none."""
        ...

    def write_forecasts(self, forecasts: Sequence[Forecast], *, product: str = ROLLING) -> None:
        """Keep forecasts with their quantiles, as one product: those that serve, or others beside them."""
        ...

    def forecasts(self, plant: str, *, issued_by: datetime | None = None, product: str = ROLLING) -> list[Forecast]:
        """Return the newest forecast of every series issued no later than ``issued_by``, by source and metric."""
        ...

    def issued(
        self,
        plant: str,
        key: SeriesKey,
        start: datetime,
        end: datetime,
        *,
        product: str = ROLLING,
        model: str | None = None,
    ) -> list[Forecast]:
        """Return the forecasts of one series issued in ``[start, end)``, oldest first, of one model or of all."""
        ...

    def write_scores(self, scores: Sequence[ForecastScore]) -> None:
        """Keep scores; another of the same series, model, product and issue replaces the one before."""
        ...

    def scores(
        self, plant: str, key: SeriesKey, start: datetime, end: datetime, *, product: str = ROLLING
    ) -> list[ForecastScore]:
        """Return the scores of one series' forecasts issued in ``[start, end)``, by issue then model."""
        ...

    def write_champions(self, champions: Sequence[Champion]) -> None:
        """Keep which model serves each series."""
        ...

    def champions(self, plant: str, *, decided_by: datetime | None = None) -> list[Champion]:
        """Return the newest champion of every series decided no later than ``decided_by``, by source and metric.

        Of one moment, the last written.
        """
        ...

    def write_schedule(self, schedule: Schedule) -> None:
        """Keep a schedule with its reasons."""
        ...

    def schedule(self, plant: str, *, issued_by: datetime | None = None) -> Schedule | None:
        """Return the newest schedule issued no later than ``issued_by``; of one moment, the last written."""
        ...

    def write_commands(self, commands: Sequence[Command]) -> None:
        """Keep commands, before they are sent; the same one again changes nothing, another under its id is refused."""
        ...

    def commands(self, plant: str, start: datetime, end: datetime) -> list[Command]:
        """Return the commands whose step starts in ``[start, end)``."""
        ...

    def write_acks(self, acks: Sequence[Ack]) -> None:
        """Keep the answers of devices; the same one again changes nothing."""
        ...

    def acks(self, plant: str, start: datetime, end: datetime) -> list[Ack]:
        """Return the answers given in ``[start, end)``."""
        ...

    def write_award(self, award: Award) -> None:
        """Keep what a market took."""
        ...

    def awards(self, plant: str, start: datetime, end: datetime) -> list[Award]:
        """Return the awards whose delivery begins in ``[start, end)``."""
        ...

    def write_events(self, events: Sequence[Event]) -> None:
        """Keep events, whose facts are JSON values."""
        ...

    def events(self, plant: str, *, most: int = 100) -> list[Event]:
        """Return the newest events, newest first."""
        ...

    def close(self) -> None:
        """Release files and connections."""
        ...


@runtime_checkable
class Forecaster(Protocol):
    """Predicts several series at once from their past. ``history.grid.end`` is the moment of decision."""

    name: str

    def fit(self, history: SeriesTable) -> None:
        """Learn from the past."""
        ...

    def predict(self, history: SeriesTable, steps: int) -> Floats:
        """Return point forecasts of the next ``steps`` steps, shape (steps, K); NaN where it cannot answer."""
        ...


class Planner(Protocol[ProblemT_contra]):
    """Turns a problem into a schedule."""

    name: str

    def plan(self, problem: ProblemT_contra) -> Schedule:
        """Return a schedule with its status; never raises for an infeasible problem."""
        ...


@runtime_checkable
class Market(Protocol):
    """Takes offers for a product."""

    def submit(self, offer: Offer) -> Award:
        """Return what was taken of an offer, and at what price."""
        ...


@runtime_checkable
class Notifier(Protocol):
    """Tells people and faces what happened."""

    def notify(self, event: Event) -> None:
        """Pass an event on."""
        ...
