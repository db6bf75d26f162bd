"""Columns: what a file's columns mean for a plant, and the check of every cell against it.

This is the border where the magnitudes of files become the house's sign (positive toward the grid): consumers are
written as non-negative magnitudes and become negative; generators and batteries keep theirs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from vpp.core.assets import Asset, Battery, Plant
from vpp.core.errors import InvalidInputError, UnknownNameError
from vpp.core.messages import (
    CARBON_KG_PER_KWH,
    EXPORT_PRICE_PER_KWH,
    MARKET,
    POWER_FORECAST_KW,
    POWER_KW,
    PRICE_PER_KWH,
    SOC,
    SeriesKey,
)
from vpp.core.units import kw_from_w, price_per_kwh_from_mwh
from vpp.streams.scale import (
    STANDBY_OF_RATING,
    bound_kw,
    is_generator,
    rated_kw,
    slipped_cells,
    standby_of_rating,
    whole_column_slipped,
)
from vpp.streams.source import TIME, RawColumns

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

MARKET_COLUMNS = (PRICE_PER_KWH, EXPORT_PRICE_PER_KWH, CARBON_KG_PER_KWH)
UNUSUAL_PRICE_PER_KWH = 3.0
"""No power market's median price reaches 3 units per kWh in the currencies below; 3 per MWh is a low one."""
PRICED_CURRENCIES = frozenset({"EUR", "USD", "GBP", "CHF", "CAD", "AUD", "NZD", "SGD"})
"""Currencies whose unit is worth about as much as a euro, so that a price in MWh can be told by its size."""
UNUSUAL_CARBON_KG_PER_KWH = 3.0
"""Burning lignite gives about 1.2 kg of CO2 per kWh; 3 and more are grams."""
_SOC_TOLERANCE = 0.01


class RepairKind(StrEnum):
    """What was found in a file and dealt with."""

    UNSORTED = "unsorted"
    DUPLICATE = "duplicate"
    CONFLICT = "conflict"
    GAP = "gap"
    FILLED = "filled"
    CLIPPED = "clipped"
    UNIT_SLIP = "unit_slip"
    HOURLY_PRICE = "hourly_price"


@dataclass(frozen=True, slots=True)
class Meaning:
    """What one column holds: its series, its asset (None for market columns)."""

    column: str
    key: SeriesKey
    asset: Asset | None

    @property
    def measures(self) -> bool:
        """True where the column holds measurements, not prices or forecasts."""
        return self.asset is not None and self.key.metric != POWER_FORECAST_KW

    @property
    def sign(self) -> float:
        """-1 for what files give as consumption, else 1."""
        consumes = self.asset is not None and not isinstance(self.asset, Battery) and not is_generator(self.asset)
        return -1.0 if consumes else 1.0


@dataclass(frozen=True, slots=True)
class CellRepair:
    """Cells of one column that were changed: which, how, and in words."""

    kind: RepairKind
    column: str
    cells: Flags
    message: str


def meanings(plant: Plant) -> dict[str, Meaning]:
    """Return every column a file of this plant may have besides ``time``."""
    known = {name: Meaning(name, SeriesKey(MARKET, name), None) for name in MARKET_COLUMNS}
    for asset in plant.assets:
        name = f"{asset.id}_kw"
        known[name] = Meaning(name, SeriesKey(asset.id, POWER_KW), asset)
        if isinstance(asset, Battery):
            name = f"{asset.id}_soc"
            known[name] = Meaning(name, SeriesKey(asset.id, SOC), asset)
        else:
            name = f"{asset.id}_forecast_kw"
            known[name] = Meaning(name, SeriesKey(asset.id, POWER_FORECAST_KW), asset)
    return known


def understand(raw: RawColumns, plant: Plant) -> tuple[Meaning, ...]:
    """Return what the file's columns mean, in their order.

    Raises
    ------
    UnknownNameError
        For a column the plant does not have, with the nearest it has.
    InvalidInputError
        When there is no column besides ``time``.
    """
    known = meanings(plant)
    for name in raw.values:
        if name not in known:
            raise UnknownNameError(f"column of plant {plant.id!r} ({raw.name})", name, (*known, TIME))
    if not raw.values:
        raise InvalidInputError(raw.name, [TIME], f"a column besides 'time', e.g. {', '.join(list(known)[:3])}")
    return tuple(known[name] for name in raw.values)


def check_cells(raw: RawColumns, meaning: Meaning, plant: Plant) -> tuple[Floats, list[CellRepair]]:
    """Return a column's values, still as the file has them, with what had to be repaired.

    Raises
    ------
    InvalidInputError
        When the column as a whole is in another unit or sign, naming a cell.
    """
    values = raw.values[meaning.column]
    check: Callable[[RawColumns, Meaning, Plant, Floats], tuple[Floats, list[CellRepair]]]
    if meaning.asset is None:
        check = _check_market
    elif meaning.key.metric == SOC:
        check = _check_soc
    else:
        check = _check_power
    return check(raw, meaning, plant, values)


def _check_power(raw: RawColumns, meaning: Meaning, plant: Plant, values: Floats) -> tuple[Floats, list[CellRepair]]:
    asset = meaning.asset
    if asset is None:
        return values, []
    name, rating_kw, bound = meaning.column, rated_kw(asset), bound_kw(plant, asset)
    size = np.abs(values)
    if whole_column_slipped(size, bound):
        index = int(np.nanargmax(size))
        raise InvalidInputError(
            raw.where(index, name),
            float(values[index]),
            f"kW: the column looks like W ({kw_from_w(float(values[index])):g} kW?), for {asset.id} can reach about "
            f"{bound:g} kW; divide it by 1000, or correct the rating in the plant file",
        )
    repairs = []
    slipped = slipped_cells(size, rating_kw)
    if slipped.any():
        values = np.where(slipped, np.nan, values)
        repairs.append(CellRepair(RepairKind.UNIT_SLIP, name, slipped, "about 1000 times too large; left out"))
    if not isinstance(asset, Battery):
        values, clipped = _clip_negative(raw, meaning, values, standby_of_rating(asset) * rating_kw)
        if clipped.any():
            repairs.append(CellRepair(RepairKind.CLIPPED, name, clipped, "slightly negative; set to 0"))
    return values, repairs


def _clip_negative(raw: RawColumns, meaning: Meaning, values: Floats, standby_kw: float) -> tuple[Floats, Flags]:
    negative: Flags = values < 0.0
    if not negative.any():
        return values, negative
    wrong = values < -(standby_kw if isfinite(standby_kw) else STANDBY_OF_RATING * float(np.nanmax(np.abs(values))))
    if wrong.any():
        index = int(np.argmax(wrong))
        what = "consumption" if meaning.sign < 0.0 else "generation"
        raise InvalidInputError(
            raw.where(index, meaning.column),
            float(values[index]),
            f"0 or more [kW]: files give {what} as a positive number; turn the sign, or leave a faulty cell empty",
        )
    return np.where(negative, 0.0, values), negative


def _check_soc(raw: RawColumns, meaning: Meaning, _: Plant, values: Floats) -> tuple[Floats, list[CellRepair]]:
    outside: Flags = (values < 0.0) | (values > 1.0)
    wrong = (values < -_SOC_TOLERANCE) | (values > 1.0 + _SOC_TOLERANCE)
    if wrong.any():
        index = int(np.argmax(wrong))
        hint = "; it looks like percent, divide it by 100" if values[index] > 1.0 else ""
        raise InvalidInputError(raw.where(index, meaning.column), float(values[index]), f"a fraction from 0 to 1{hint}")
    if not outside.any():
        return values, []
    repair = CellRepair(RepairKind.CLIPPED, meaning.column, outside, "slightly outside 0 to 1; clipped")
    return np.clip(values, 0.0, 1.0), [repair]


def _check_market(raw: RawColumns, meaning: Meaning, plant: Plant, values: Floats) -> tuple[Floats, list[CellRepair]]:
    known = np.abs(values[np.isfinite(values)])
    usual = float(np.median(known)) if known.size else 0.0
    index = int(np.nanargmax(np.abs(values))) if known.size else 0
    if meaning.column == CARBON_KG_PER_KWH:
        if usual > UNUSUAL_CARBON_KG_PER_KWH:
            raise InvalidInputError(
                raw.where(index, meaning.column), float(values[index]), "kg/kWh: it looks like g/kWh, divide it by 1000"
            )
    elif plant.currency in PRICED_CURRENCIES and usual > UNUSUAL_PRICE_PER_KWH:
        value = float(values[index])
        raise InvalidInputError(
            raw.where(index, meaning.column),
            value,
            f"{plant.currency}/kWh: it looks like {plant.currency}/MWh ({price_per_kwh_from_mwh(value):g} per kWh?), "
            "divide it by 1000",
        )
    return values, []
