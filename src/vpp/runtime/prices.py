"""Prices at the meters as known at a moment: published where they are, forecast beyond, tariffs on top."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from vpp.core.errors import MissingDataError
from vpp.core.messages import EXPORT_PRICE_PER_KWH, MARKET, PRICE_PER_KWH, Forecast, SeriesKey
from vpp.core.ports import Store
from vpp.core.series import align, latest_known
from vpp.core.time import TimeGrid
from vpp.core.units import SECONDS_PER_DAY
from vpp.trading.day_ahead import DayAheadCalendar
from vpp.trading.tariff import Tariff

Floats = NDArray[np.float64]
SPOT = SeriesKey(MARKET, PRICE_PER_KWH)
FEED_IN = SeriesKey(MARKET, EXPORT_PRICE_PER_KWH)


@dataclass(frozen=True, slots=True)
class PriceView:
    """Prices of T steps as known at one moment [currency/kWh].

    Parameters
    ----------
    import_per_kwh, export_per_kwh : float arrays, shape (T,)
        Paid per kWh drawn, earned per kWh fed in.
    known : bool array, shape (T,)
        True where the price is published or follows from the tariff.
    """

    import_per_kwh: Floats
    export_per_kwh: Floats
    known: NDArray[np.bool_]


class PriceBook:
    """What a kWh costs and earns at the meters of one plant.

    Parameters
    ----------
    plant : str
        Plant id.
    store : Store
        Where published prices are kept.
    timezone : ZoneInfo
        Zone of the tariffs' clock.
    import_tariff : Tariff
        Price of a kWh drawn.
    export_tariff : Tariff or None
        Price of a kWh fed in; None takes the market's feed-in series, or the spot price where there is none.
    calendar : DayAheadCalendar
        When prices become known.
    """

    def __init__(
        self,
        plant: str,
        store: Store,
        *,
        timezone: ZoneInfo,
        import_tariff: Tariff,
        export_tariff: Tariff | None,
        calendar: DayAheadCalendar,
    ) -> None:
        self._plant = plant
        self._store = store
        self._timezone = timezone
        self._import = import_tariff
        self._export = export_tariff
        self.calendar = calendar

    @property
    def needs_spot(self) -> bool:
        """True when any price follows the spot market, so that it must be forecast beyond publication."""
        return self._import.needs_spot or self._export is None or self._export.needs_spot

    def view(self, grid: TimeGrid, *, now: datetime | None, spot_forecast: Forecast | None = None) -> PriceView:
        """Return the prices of a grid as known at ``now``; None means all that was ever published.

        Raises
        ------
        MissingDataError
            When a price follows the spot market and neither a published nor a forecast price is there.
        """
        feed_in, feed_in_known = self._feed_in(grid, now)
        by_spot = self._import.needs_spot or (feed_in is None if self._export is None else self._export.needs_spot)
        spot, known = np.full(grid.count, np.nan), feed_in_known
        if by_spot:
            published = self._store.series(self._plant, (SPOT,), grid, known_at=now).value[:, 0]
            known = known & np.isfinite(published)
            spot = _completed(published, grid, spot_forecast)
            _require_all(spot, grid, "price_per_kwh")
        times_s = grid.times_s
        import_price = self._import.price_per_kwh(times_s, timezone=self._timezone, spot_per_kwh=spot)
        if self._export is not None:
            export_price = self._export.price_per_kwh(times_s, timezone=self._timezone, spot_per_kwh=spot)
        else:
            export_price = spot if feed_in is None else feed_in
        return PriceView(import_price, export_price, known)

    def _feed_in(self, grid: TimeGrid, now: datetime | None) -> tuple[Floats | None, NDArray[np.bool_]]:
        """Return the market's feed-in series, and where it is published; None where it says nothing at all.

        Beyond what is published the day before comes again.
        """
        everywhere = np.ones(grid.count, dtype=bool)
        if self._export is not None:
            return None, everywhere
        day = SECONDS_PER_DAY // grid.resolution_s
        longer = TimeGrid(grid.start - timedelta(seconds=SECONDS_PER_DAY), grid.resolution_s, day + grid.count)
        series = self._store.series(self._plant, (FEED_IN,), longer, known_at=now).value[:, 0]
        known = np.isfinite(series)
        if not known.any():
            return None, everywhere
        feed_in = _day_repeated(series, day)[day:]
        _require_all(feed_in, grid, "export_price_per_kwh")
        return feed_in, known[day:]


def _completed(spot: Floats, grid: TimeGrid, forecast: Forecast | None) -> Floats:
    """Fill what is not published from the forecast, and past its end from the same clock time of its last day.

    A forecast made from no price at all fills nothing.
    """
    if forecast is None or "no_data" in forecast.flags:
        return spot
    predicted = align(forecast.grid.times_s, forecast.value, grid)
    return _day_repeated(np.where(np.isfinite(spot), spot, predicted), SECONDS_PER_DAY // grid.resolution_s)


def _day_repeated(values: Floats, day: int) -> Floats:
    """Fill holes with the value ``day`` steps before, where there is none with the last known one."""
    filled = values.copy()
    for step in np.flatnonzero(np.isnan(filled)):
        if step >= day:
            filled[step] = filled[step - day]
    return latest_known(filled)


def _require_all(prices: Floats, grid: TimeGrid, column: str) -> None:
    if np.isnan(prices).any():
        first = grid.time(int(np.flatnonzero(np.isnan(prices))[0]))
        raise MissingDataError(
            f"no price is known for {first.isoformat()}, nor any to forecast it from: give {column} in the data, or a "
            "tariff in the plant file"
        )
