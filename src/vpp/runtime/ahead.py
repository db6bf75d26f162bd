"""What is known ahead of a moment: prices published, the tariff's periods, the sun, and weather that was forecast.

Invariant: everything is asked of the store as it was at the moment; only the tariff, the calendar and the sun, which
never change, look further.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from vpp.core.messages import SeriesKey
from vpp.core.ports import Store
from vpp.core.series import align
from vpp.core.time import TimeGrid, epoch_s
from vpp.core.units import SECONDS_PER_DAY, SECONDS_PER_HOUR
from vpp.runtime.build import price_book
from vpp.runtime.prices import FEED_IN, SPOT
from vpp.runtime.setup import Setup
from vpp.simulation.weather.places import Places
from vpp.simulation.weather.sun import sun_position
from vpp.streams.sun import place_of, sky_at
from vpp.trading.tariff import Tariff

Floats = NDArray[np.float64]
WEATHER = "weather"
"""Source of measured and forecast weather; the metric says what, with its unit, e.g. ``temperature_c``."""
MOST_READINGS = 100_000


class KnownAhead:
    """Features of steps ahead that do not depend on a series.

    Parameters
    ----------
    setup : Setup
        The plant with its tariffs.
    store : Store
        Prices and weather with their times of arrival and of issue.
    """

    def __init__(self, setup: Setup, store: Store) -> None:
        self._setup = setup
        self._store = store
        self.follows_spot = price_book(setup, store).needs_spot
        self._place = place_of(setup.plant)
        self._periods = _numbered(setup.import_tariff)

    def of(self, ahead: TimeGrid) -> Mapping[str, Floats]:
        """Return the features of the steps of a grid, shape (S,) each, as known at its start.

        NaN where nothing was known. What the plant cannot have is left out: the sun where nobody knows where it
        stands, weather that no one reports.
        """
        return self._prices(ahead) | self._sun(ahead) | self._weather(ahead)

    def _prices(self, ahead: TimeGrid) -> dict[str, Floats]:
        setup, times_s = self._setup, ahead.times_s
        published = self._store.series(setup.plant.id, (SPOT, FEED_IN), ahead, known_at=ahead.start).value
        spot, feed_in = published[:, 0], published[:, 1]
        export = np.where(np.isfinite(feed_in), feed_in, spot)
        if setup.export_tariff is not None:
            export = setup.export_tariff.price_per_kwh(times_s, timezone=setup.timezone, spot_per_kwh=spot)
        nothing = np.full(ahead.count, np.nan)
        return {
            "spot_price_per_kwh": spot,
            "import_price_per_kwh": setup.import_tariff.price_per_kwh(
                times_s, timezone=setup.timezone, spot_per_kwh=spot
            ),
            "export_price_per_kwh": export,
            "tariff_period": nothing
            if self._periods is None
            else self._periods.price_per_kwh(times_s, timezone=setup.timezone, spot_per_kwh=nothing),
        }

    def _sun(self, ahead: TimeGrid) -> dict[str, Floats]:
        if self._place is None:
            return {}
        sun = sun_position(Places(self._place.latitude_deg, self._place.longitude_deg), ahead)
        sky = sky_at(self._place, ahead.times_s, ahead.resolution_s)
        return {
            "sun_elevation_deg": 90.0 - sun.zenith_deg[:, 0],
            "sun_azimuth_deg": np.array(sun.azimuth_deg[:, 0]),
            "clear_sky_kw_per_m2": sky.clear,
        }

    def _weather(self, ahead: TimeGrid) -> dict[str, Floats]:
        """Return weather last measured, and what the newest forecast known said of each step, with its age."""
        now, features = ahead.start, {}
        told = {
            forecast.key: forecast
            for forecast in self._store.forecasts(self._setup.plant.id, issued_by=now)
            if forecast.key.source == WEATHER
        }
        for key in sorted({*self._weather_keys(now), *told}, key=str):
            name = f"{WEATHER}_{key.metric}"
            features[f"{name}_last"] = np.full(ahead.count, self._last(key, now))
            value, issued_s = self._reported_ahead(key, ahead)
            if key in told:
                forecast = told[key]
                said = align(forecast.grid.times_s, forecast.value, ahead)
                newer = np.isfinite(said) & ~(issued_s > epoch_s(forecast.issued_at))
                value = np.where(newer, said, value)
                issued_s = np.where(newer, float(epoch_s(forecast.issued_at)), issued_s)
            features[f"{name}_forecast"] = value
            features[f"{name}_forecast_age_h"] = (epoch_s(now) - issued_s) / SECONDS_PER_HOUR
        return features

    def _weather_keys(self, now: datetime) -> list[SeriesKey]:
        newest = self._store.latest(self._setup.plant.id, known_at=now)
        return [] if newest is None else [key for key in newest.keys if key.source == WEATHER]

    def _last(self, key: SeriesKey, now: datetime) -> float:
        resolution_s = self._setup.resolution_s
        grid = TimeGrid(now - timedelta(days=1), resolution_s, SECONDS_PER_DAY // resolution_s)
        day = self._store.series(self._setup.plant.id, (key,), grid, known_at=now).value[:, 0]
        known = day[np.isfinite(day)]
        return float(known[-1]) if known.size else float("nan")

    def _reported_ahead(self, key: SeriesKey, ahead: TimeGrid) -> tuple[Floats, Floats]:
        """Return what readings already said of steps that had not begun, and when that was issued [epoch s]."""
        readings = self._store.readings(
            self._setup.plant.id, (key,), ahead.start, ahead.end, known_at=ahead.start, most=MOST_READINGS
        )
        value = align(readings.time_s, readings.value, ahead)
        return value, align(readings.time_s, readings.issued_s.astype(np.float64), ahead)


def _numbered(tariff: Tariff) -> Tariff | None:
    """Return a tariff whose price is the number of the line that holds; None where there are no lines."""
    if not isinstance(tariff.base, tuple):
        return None
    lines = tuple(replace(period, price_per_kwh=float(number)) for number, period in enumerate(tariff.base))
    return Tariff(lines)
