"""Inference: the champions' forecasts of a plant, issued and kept: the next hours, and the next local day as a product.

Invariant: what is issued was known at the moment of issue, is finite, inside its bounds, and has quantiles that do not
cross; where something better was missing a flag says so.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from vpp.core.errors import InvalidInputError
from vpp.core.messages import DAY_AHEAD, MEMBER, Forecast
from vpp.core.time import DEFAULT_RESOLUTION_S, TimeGrid, check_resolution, from_epoch_s, local_day
from vpp.core.units import SECONDS_PER_DAY, SECONDS_PER_HOUR
from vpp.runtime.documents import forecast_document, moment
from vpp.runtime.forecasts import known_history, published_ahead
from vpp.runtime.notes import forecast_notes
from vpp.runtime.serving import MISSING, ChampionPipeline
from vpp.runtime.workplace import Workplace

HISTORY_DAYS = 70
"""Past that champions look at when they forecast; what they learnt from more is in them."""
MEMBERS_EVERY = timedelta(hours=1)
LONGEST_HORIZON_S = 14 * SECONDS_PER_DAY


@dataclass(frozen=True, slots=True)
class Issued:
    """What was issued at one moment.

    Parameters
    ----------
    plant : str
        Plant id.
    at : datetime
        Moment of issue.
    forecasts, day_ahead : list of Forecast
        One per series: the next hours, and the next local day.
    notes : list of str
        What a reader should know, in words.
    """

    plant: str
    at: datetime
    forecasts: list[Forecast]
    day_ahead: list[Forecast]
    notes: list[str]

    def document(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        return {
            "plant": self.plant,
            "issued_at": moment(self.at),
            "forecasts": [forecast_document(forecast) for forecast in self.forecasts],
            "day_ahead": [forecast_document(forecast) for forecast in self.day_ahead],
            "notes": self.notes,
        }


class InferenceService:
    """Issues the forecasts of one plant.

    Parameters
    ----------
    place : Workplace
        The plant, its store and its models.
    horizon_s : int
        How far [s], at least one step, at most 14 days.
    resolution_s : int
        Length of a step [s]; divides a day.

    Raises
    ------
    InvalidInputError
        When the horizon is no whole number of steps or out of its range, or the plant's step and the resolution do
        not divide one another.
    """

    def __init__(
        self, place: Workplace, *, horizon_s: int = 30 * SECONDS_PER_HOUR, resolution_s: int = SECONDS_PER_HOUR
    ) -> None:
        check_resolution(resolution_s, field="resolution")
        own_s = place.setup.resolution_s
        if max(own_s, resolution_s) % min(own_s, resolution_s):
            raise InvalidInputError("resolution", f"{resolution_s} s", f"a multiple or a part of the plant's {own_s} s")
        if not resolution_s <= horizon_s <= LONGEST_HORIZON_S or horizon_s % resolution_s:
            raise InvalidInputError("horizon", f"{horizon_s} s", f"whole steps of {resolution_s} s, at most 14 days")
        self._place = place
        self._horizon_s = horizon_s
        self._resolution_s = resolution_s
        self._keys = tuple(profile.key for profile in place.profiles)
        self._champions = ChampionPipeline(place.setup, place.store, place.profiles, place.folder)

    def run(self, now: datetime) -> Issued:
        """Forecast, keep and return what was issued."""
        place, setup = self._place, self._place.setup
        history = known_history(setup, place.store, self._keys, now, HISTORY_DAYS * SECONDS_PER_DAY)
        own_s, start_s = setup.resolution_s, history.grid.end_s
        rolling = self._grid(start_s)
        day = local_day(now.astimezone(setup.timezone).date() + timedelta(days=1), setup.timezone, DEFAULT_RESOLUTION_S)
        steps = -(-(max(rolling.end_s, day.end_s) - start_s) // own_s)
        ahead = published_ahead(setup, place.store, self._keys, TimeGrid(history.grid.end, own_s, steps), now)
        served = self._champions.serve(history, steps, ahead=ahead)
        issued = [replace(forecast, issued_at=now) for forecast in served.forecasts]
        forecasts = [on_grid(forecast, rolling) for forecast in issued]
        day_ahead = [on_grid(forecast, day) for forecast in issued]
        place.store.write_forecasts(forecasts)
        place.store.write_forecasts(day_ahead, product=DAY_AHEAD)
        self._keep_members([replace(one, issued_at=now) for one in served.members], rolling, now)
        return Issued(setup.plant.id, now, forecasts, day_ahead, self._notes(forecasts))

    def _grid(self, start_s: int) -> TimeGrid:
        """Return the steps to forecast: from the first whole step that is not over."""
        first_s = -(-start_s // self._resolution_s) * self._resolution_s
        return TimeGrid(from_epoch_s(first_s), self._resolution_s, self._horizon_s // self._resolution_s)

    def _keep_members(self, members: list[Forecast], grid: TimeGrid, now: datetime) -> None:
        """Keep what every model said, once an hour: oftener it would only repeat itself."""
        plant = self._place.setup.plant.id
        last = max((one.issued_at for one in self._place.store.forecasts(plant, product=MEMBER)), default=None)
        if last is None or now - last >= MEMBERS_EVERY:
            self._place.store.write_forecasts([on_grid(member, grid) for member in members], product=MEMBER)

    def _notes(self, forecasts: list[Forecast]) -> list[str]:
        notes = forecast_notes(forecasts)
        missing = [str(forecast.key) for forecast in forecasts if MISSING in forecast.flags]
        if missing:
            some = ", ".join(missing[:3]) + (f" and {len(missing) - 3} more" if len(missing) > 3 else "")
            notes.append(f"no trained model of {some}: naive members answer; run `vpp train`")
        return notes


def on_grid(forecast: Forecast, grid: TimeGrid) -> Forecast:
    """Return a forecast on other steps inside its own: the means over coarser ones, repeated over finer ones.

    The quantile of a mean is taken as the mean of the quantiles, which holds where the steps of an hour err together
    and is too wide, never too narrow, where they do not.

    Raises
    ------
    InvalidInputError
        When the steps reach outside those of the forecast, or neither divides the other.
    """
    own = forecast.grid
    fine_s = min(own.resolution_s, grid.resolution_s)
    repeated, each = own.resolution_s // fine_s, grid.resolution_s // fine_s
    first, between = divmod(grid.start_s - own.start_s, fine_s)
    count = each * grid.count
    if (
        own.resolution_s % fine_s
        or grid.resolution_s % fine_s
        or between
        or first < 0
        or first + count > own.count * repeated
    ):
        raise InvalidInputError(
            "grid", f"{grid.start.isoformat()} to {grid.end.isoformat()}", f"steps within {own.start} to {own.end}"
        )
    every = np.vstack([forecast.value[None], forecast.quantiles]) if forecast.levels else forecast.value[None]
    fine = np.repeat(every, repeated, axis=1)[:, first : first + count]
    means = fine.reshape(len(every), grid.count, each).mean(axis=2)
    quantiles = means[1:] if forecast.levels else forecast.quantiles
    return replace(forecast, grid=grid, value=means[0], quantiles=quantiles)
