"""Where features come from: the store of a running plant, or recorded readings as they would have arrived."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vpp.config import VPPConfig
from vpp.core.errors import InvalidInputError, MissingDataError
from vpp.core.messages import MARKET, Readings
from vpp.core.ports import Clock, SeriesTable, Store
from vpp.core.time import epoch_s, from_epoch_s, local_clock, local_midnight
from vpp.forecasting.features.table import FEATURES
from vpp.runtime.build import market_table, open_store, power_table, read_history
from vpp.runtime.clock import WallClock
from vpp.runtime.screening import screen
from vpp.runtime.setup import Setup, setup_of
from vpp.store.memory import MemoryStore

Seconds = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class FeatureSource:
    """A plant, its store, and the present.

    Parameters
    ----------
    setup : Setup
        The plant, at the resolution of its readings.
    store : Store
        Readings with their times of arrival.
    now : callable
        Returns the present: of a running plant that of the clock, but not later than the end of its newest
        measurement; of a recording its end.
    """

    setup: Setup
    store: Store
    now: Callable[[], datetime]


def feature_source(
    config: VPPConfig,
    *,
    data: Path | None = None,
    store: str | None = None,
    on_note: Callable[[str], None] = lambda _line: None,
) -> FeatureSource:
    """Return where a plant's features come from.

    Parameters
    ----------
    config : VPPConfig
        A valid plant file.
    data : Path, optional
        Recorded readings; by default the history that the plant file names.
    store : str, optional
        URL of a running plant's store, instead of a recording.
    on_note : callable, optional
        Told, in words, of every repair and of values set aside.

    Raises
    ------
    InvalidInputError
        When both are given.
    VppError
        When the data cannot be read.
    """
    setup = setup_of(config)
    if store is not None:
        if data is not None:
            raise InvalidInputError("--data", str(data), "nothing beside --store")
        kept = open_store(store)
        return FeatureSource(setup, kept, lambda: _present(setup, kept, WallClock()))
    told: list[str] = []
    table = read_history(config, setup, data, on_note=told.append)
    setup = replace(setup, resolution_s=table.grid.resolution_s)
    screened = screen(table, setup.plant)
    for note in dict.fromkeys((*told, *screened.notes)):
        on_note(note)
    power = power_table(setup, _blanked(table, screened.table))
    end = _measured_until(power)
    return FeatureSource(setup, recorded_store(setup, power, market_table(table)), lambda: end)


def column_meanings() -> dict[str, str]:
    """Return what each column of the table holds."""
    own = {"site": "site of the asset, or market"} | {feature.name: feature.about for feature in FEATURES}
    return own | {
        "weather_<metric>_last": "weather last measured by the decision, where the store holds any",
        "weather_<metric>_forecast": "weather of the step as forecast by the decision",
        "weather_<metric>_forecast_age_h": "from that forecast's issue to the decision [h]",
    }


def recorded_store(setup: Setup, power: SeriesTable, market: SeriesTable) -> Store:
    """Return a store in which every reading arrived when it would have: as its step ended, a price as published."""
    store = MemoryStore()
    times_s, resolution_s = power.grid.times_s, power.grid.resolution_s
    store.write_readings(
        Readings.from_table(setup.plant.id, power.keys, times_s, power.value, arrived_s=times_s + resolution_s)
    )
    if market.keys:
        arrived_s = published_s(setup, market.grid.times_s)
        store.write_readings(
            Readings.from_table(setup.plant.id, market.keys, market.grid.times_s, market.value, arrived_s=arrived_s)
        )
    return store


def published_s(setup: Setup, times_s: Seconds) -> Seconds:
    """Return when the prices of steps were published [epoch s]; without a time of publication they always were."""
    clock, timezone = setup.calendar.published, setup.timezone
    if clock is None:
        return np.zeros_like(times_s)
    published = np.empty_like(times_s)
    begin = local_midnight(from_epoch_s(int(times_s[0])), timezone)
    while epoch_s(begin) <= times_s[-1]:
        end = local_midnight(begin, timezone, days=1)
        of_day = (times_s >= epoch_s(begin)) & (times_s < epoch_s(end))
        published[of_day] = epoch_s(local_clock(begin, timezone, clock, days=-1))
        begin = end
    return published


def _blanked(table: SeriesTable, screened: SeriesTable) -> SeriesTable:
    """Return a table with what screening set aside or left out as NaN, all its columns kept."""
    columns = [
        screened.column(key)
        if key in screened.keys
        else table.column(key)
        if key.source == MARKET
        else np.full(table.grid.count, np.nan)
        for key in table.keys
    ]
    return SeriesTable(table.grid, table.keys, np.column_stack(columns))


def _present(setup: Setup, store: Store, clock: Clock) -> datetime:
    """Return the present of a running plant: where its measurements stopped, time stopped for its features."""
    now = clock.now()
    newest = store.latest(setup.plant.id, known_at=now)
    measured = [] if newest is None else [row.time for row in newest.rows() if row.key in setup.power_keys]
    if not measured:
        raise MissingDataError(f"the store holds no measurement of {setup.plant.id}")
    return min(now, max(measured) + timedelta(seconds=setup.resolution_s))


def _measured_until(power: SeriesTable) -> datetime:
    known = np.flatnonzero(np.isfinite(power.value).any(axis=1))
    if not known.size:
        raise MissingDataError("the data hold no measurement to build features from")
    return power.grid.time(int(known[-1]) + 1)
