"""Features of a plant: what was known at past moments of decision, built batch by batch into a folder of Parquet.

A batch holds a fixed number of neighbouring decisions of one site and is written whole or not at all. It is closed when
the last hour it asks for has been measured, and is not built again; an open one is built anew each time. So a run
that was stopped goes on where it was, and running twice changes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as parquet
from numpy.typing import NDArray

from vpp.core.errors import InvalidInputError, MissingDataError, UnknownNameError, UnreadableFileError
from vpp.core.messages import MARKET, SeriesKey
from vpp.core.ports import SeriesTable, Store
from vpp.core.time import TimeGrid, epoch_s, floor_time, from_epoch_s
from vpp.core.units import SECONDS_PER_DAY, SECONDS_PER_HOUR
from vpp.forecasting.features.past import REACH_DAYS
from vpp.forecasting.features.table import feature_frame
from vpp.forecasting.local_time import LocalClock
from vpp.runtime.ahead import KnownAhead
from vpp.runtime.documents import moment
from vpp.runtime.prices import SPOT
from vpp.runtime.setup import Setup

Floats = NDArray[np.float64]
Progress = Callable[[str, float], None]
MARK = b"vpp"
"""Key of the metadata in each file that says what it holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureSettings:
    """What to build.

    Parameters
    ----------
    site : str or None
        One site of the plant, or ``market`` for prices; None for all.
    batch : int
        Decisions in a batch, 1 or more.
    lookback_days : int
        How far back decisions go [d], 1 or more.
    window_h : float
        Window of the statistics [h], at least one step.
    horizon_h : float
        How far each decision looks ahead [h], at least one step.
    every_h : int
        Hours between decisions, 1 to 24, a divisor of 24.
    country : str or None
        ISO 3166 code whose public holidays count; None takes that of the plant's time zone.

    Raises
    ------
    InvalidInputError
        When a number is out of its range.
    """

    site: str | None = None
    batch: int = 28
    lookback_days: int = 28
    window_h: float = 24.0
    horizon_h: float = 30.0
    every_h: int = 6
    country: str | None = None

    def __post_init__(self) -> None:
        """Check every range."""
        for name in ("batch", "lookback_days"):
            if getattr(self, name) < 1:
                raise InvalidInputError(name, getattr(self, name), "1 or more")
        for name in ("window_h", "horizon_h"):
            if not getattr(self, name) > 0.0:
                raise InvalidInputError(name, getattr(self, name), "a number of hours above 0")
        if not 1 <= self.every_h <= 24 or 24 % self.every_h:
            raise InvalidInputError("every_h", self.every_h, "hours that divide a day: 1, 2, 3, 4, 6, 8, 12 or 24")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A batch that was built.

    Parameters
    ----------
    site : str
        Whose series.
    path : Path
        Its file.
    first, last : datetime
        Its first and last decision.
    rows : int
        Rows of the table.
    closed : bool
        True when everything it asks for has happened.
    made_from : str
        The settings it was built with, as text.
    """

    site: str
    path: Path
    first: datetime
    last: datetime
    rows: int
    closed: bool
    made_from: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureStatus:
    """How far the table of one site is.

    Parameters
    ----------
    site : str
        Whose series.
    watermark : datetime or None
        Last decision of the closed batches without a gap from the first; None before the first is closed.
    parts, open_parts, rows : int
        Batches, those not closed, and rows.
    """

    site: str
    watermark: datetime | None
    parts: int
    open_parts: int
    rows: int

    def document(self) -> dict[str, Any]:
        """Return it as JSON values."""
        told = None if self.watermark is None else moment(self.watermark)
        return {"watermark": told, "parts": self.parts, "open_parts": self.open_parts, "rows": self.rows}


class FeatureBuilder:
    """Builds the features of one plant from a store.

    Parameters
    ----------
    setup : Setup
        The plant, at the resolution of its readings.
    store : Store
        Readings with their times of arrival, prices, weather.
    folder : Path
        Where the batches go; made when it is not there.
    settings : FeatureSettings
        What to build.

    Raises
    ------
    UnknownNameError
        When the plant has no such site, or no holidays are known for the country.
    InvalidInputError
        When a number of hours is no whole number of steps.
    """

    def __init__(self, setup: Setup, store: Store, folder: Path, settings: FeatureSettings) -> None:
        self._setup = setup
        self._store = store
        self._folder = folder
        self._settings = settings
        self._clock = LocalClock(setup.timezone, country=settings.country)
        self._ahead = KnownAhead(setup, store)
        self._steps = int(settings.horizon_h * SECONDS_PER_HOUR) // setup.resolution_s
        if self._steps < 1 or settings.window_h * SECONDS_PER_HOUR < setup.resolution_s:
            hours = (settings.window_h, settings.horizon_h)
            raise InvalidInputError("window, horizon [h]", hours, f"one step of {setup.resolution_s} s or more each")
        self.sites = self._chosen_sites()

    def _chosen_sites(self) -> dict[str, tuple[SeriesKey, ...]]:
        """Return the series of each site asked for."""
        plant = self._setup.plant
        all_sites = {
            site.id: tuple(key for key in self._setup.power_keys if plant.site_of(key.source) is site)
            for site in plant.sites
        }
        if self._ahead.follows_spot:
            all_sites[MARKET] = (SPOT,)
        all_sites = {site: keys for site, keys in all_sites.items() if keys}
        if self._settings.site is None:
            return all_sites
        if self._settings.site not in all_sites:
            raise UnknownNameError("site", self._settings.site, all_sites)
        return {self._settings.site: all_sites[self._settings.site]}

    def run(self, now: datetime, *, progress: Progress = lambda _site, _share: None) -> list[Part]:
        """Bring the table up to a moment and return the batches that were built.

        Raises
        ------
        MissingDataError
            When nothing was measured before the moment.
        UnreadableFileError
            When a batch cannot be written.
        """
        built: list[Part] = []
        begin = self._first_decision(now)
        for site, keys in self.sites.items():
            kept = {part.first: part for part in self.parts(site) if part.made_from == self._made_from}
            batches = list(self._batches(begin, now))
            for done, (decisions, full) in enumerate(batches):
                progress(site, done / len(batches))
                closes = decisions[-1] + timedelta(seconds=self._steps * self._setup.resolution_s) <= now
                known = kept.get(decisions[0])
                if known is not None and known.closed and known.last >= decisions[-1]:
                    continue
                built.append(self._build(site, keys, decisions, now, closed=closes and full))
            progress(site, 1.0)
        return built

    @property
    def _made_from(self) -> str:
        settings = asdict(self._settings)
        for name in ("site", "lookback_days"):
            del settings[name]
        return json.dumps(settings | {"resolution_s": self._setup.resolution_s}, sort_keys=True)

    def _first_decision(self, now: datetime) -> datetime:
        span = self._store.span(self._setup.plant.id)
        if span is None or span[0] >= now:
            raise MissingDataError(f"nothing of {self._setup.plant.id} was measured before {moment(now)}")
        every_s = self._settings.every_h * SECONDS_PER_HOUR
        since = max(span[0], now - timedelta(days=self._settings.lookback_days))
        first = floor_time(since, every_s)
        return first if first > span[0] else first + timedelta(seconds=every_s)

    def _batches(self, begin: datetime, now: datetime) -> Iterator[tuple[list[datetime], bool]]:
        """Yield the decisions of each batch up to a moment, and whether it has all of them.

        Batches begin at fixed times, whenever they are built; none holds a decision before the first measurement.
        """
        every_s, batch = self._settings.every_h * SECONDS_PER_HOUR, self._settings.batch
        span = self._store.span(self._setup.plant.id)
        earliest = 0 if span is None else epoch_s(span[0]) // every_s + 1
        number, last = epoch_s(begin) // every_s // batch * batch, epoch_s(now) // every_s
        while number <= last:
            stop = min(number + batch, last + 1)
            decisions = [from_epoch_s(n * every_s) for n in range(max(number, earliest), stop)]
            if decisions:
                yield decisions, stop == number + batch
            number += batch

    def _build(
        self, site: str, keys: Sequence[SeriesKey], decisions: list[datetime], now: datetime, *, closed: bool
    ) -> Part:
        frames = [self.frame(keys, decision, now) for decision in decisions]
        frame = pd.concat(frames, ignore_index=True)
        frame.insert(0, "site", site)
        folder = self._folder / site
        path = folder / f"{decisions[0]:%Y%m%dT%H%MZ}.parquet"
        mark = {
            "site": site,
            "first": moment(decisions[0]),
            "last": moment(decisions[-1]),
            "rows": len(frame),
            "closed": closed,
            "made_from": self._made_from,
        }
        table = pa.Table.from_pandas(frame, preserve_index=False)
        table = table.replace_schema_metadata({**(table.schema.metadata or {}), MARK: json.dumps(mark).encode()})
        draft = path.with_name(f".{path.name}.draft")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            parquet.write_table(table, draft)
            draft.replace(path)
        except OSError as fault:
            raise UnreadableFileError(str(path), f"it cannot be written: {fault.strerror}") from fault
        return _part(path, mark)

    def frame(self, keys: Sequence[SeriesKey], decision: datetime, now: datetime) -> pd.DataFrame:
        """Return the rows of one decision, with what has happened by ``now`` as target."""
        plant, resolution_s = self._setup.plant.id, self._setup.resolution_s
        count = max(REACH_DAYS * SECONDS_PER_DAY, int(self._settings.window_h * SECONDS_PER_HOUR)) // resolution_s
        past = TimeGrid(decision - timedelta(seconds=count * resolution_s), resolution_s, count)
        ahead = TimeGrid(decision, resolution_s, self._steps)
        known = self._store.series(plant, keys, past, known_at=decision)
        happened = self._store.series(plant, keys, ahead, known_at=now).value
        return feature_frame(
            SeriesTable(past, tuple(keys), known.value),
            steps=self._steps,
            clock=self._clock,
            window_h=self._settings.window_h,
            known_ahead=self._ahead.of(ahead),
            actual=happened,
        )

    def parts(self, site: str) -> list[Part]:
        """Return the batches of a site that are on disk, oldest first."""
        return parts_of(self._folder, site)

    def status(self) -> list[FeatureStatus]:
        """Return how far the table of each site is."""
        return [self._status(site) for site in self.sites]

    def _status(self, site: str) -> FeatureStatus:
        parts = [part for part in self.parts(site) if part.made_from == self._made_from]
        watermark = None
        for part in parts:
            if not part.closed:
                break
            watermark = part.last
        return FeatureStatus(
            site=site,
            watermark=watermark,
            parts=len(parts),
            open_parts=sum(not part.closed for part in parts),
            rows=sum(part.rows for part in parts),
        )

    def export(self, path: Path) -> int:
        """Write all batches as one table, CSV or Parquet by the name, and return its rows.

        Raises
        ------
        MissingDataError
            When nothing was built.
        UnreadableFileError
            When it cannot be written.
        """
        files = [part.path for site in self.sites for part in self.parts(site) if part.made_from == self._made_from]
        if not files:
            raise MissingDataError(f"no features of {self._setup.plant.id} in {self._folder}; build them with --once")
        frame = pd.concat([pd.read_parquet(file) for file in files], ignore_index=True)
        draft = path.with_name(f".{path.name}.draft")
        try:
            if path.suffix.lower() in (".parquet", ".pq"):
                frame.to_parquet(draft, engine="pyarrow", index=False)
            else:
                frame.to_csv(draft, index=False, date_format="%Y-%m-%dT%H:%M:%SZ")
            draft.replace(path)
        except OSError as fault:
            draft.unlink(missing_ok=True)
            raise UnreadableFileError(str(path), f"it cannot be written: {fault.strerror}") from fault
        return len(frame)


def parts_of(folder: Path, site: str) -> list[Part]:
    """Return the batches of a site in a folder, oldest first; files that are none are passed over."""
    found = []
    for path in sorted((folder / site).glob("*.parquet")):
        try:
            metadata = parquet.read_schema(path).metadata or {}
        except (pa.ArrowException, OSError):
            continue  # torn by a crash of the machine: it is built again
        if MARK in metadata:
            found.append(_part(path, json.loads(metadata[MARK])))
    return found


def _part(path: Path, mark: dict[str, Any]) -> Part:
    return Part(
        site=mark["site"],
        path=path,
        first=datetime.fromisoformat(mark["first"]),
        last=datetime.fromisoformat(mark["last"]),
        rows=int(mark["rows"]),
        closed=bool(mark["closed"]),
        made_from=mark["made_from"],
    )
