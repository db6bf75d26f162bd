"""The prices of a plant file: what a kWh costs and earns at the meter, and when it is known."""

from __future__ import annotations

from datetime import time
from typing import Annotated, Literal

from pydantic import Field

from vpp.config.fields import ClockTime, Cost, Model, Price, Switch, TaxFraction, said

Month = Annotated[int, Field(ge=1, le=12), said("a month, 1 to 12")]


class TimeOfUsePeriod(Model):
    """One line of a time-of-use tariff, on the plant's local clock. The first line that fits a time is taken."""

    price_per_kwh: Price = Field(description="price before fee and tax [currency/kWh]")
    months: tuple[Month, ...] = Field(default=tuple(range(1, 13)), min_length=1, description="months, 1 to 12")
    days: Literal["all", "weekdays", "weekends"] = Field(default="all", description="all, weekdays or weekends")
    start: ClockTime | None = Field(default=None, description="first local time, e.g. 16:00; midnight when left out")
    end: ClockTime | None = Field(default=None, description="local time it ends before; midnight when left out")


class Tariff(Model):
    """A price per kWh: flat, by time of use, or the plant's spot price; then a fee and a tax.

    Drawing costs ``(base + fee_per_kwh) * (1 + tax_fraction)``; feeding in earns
    ``(base - fee_per_kwh) * (1 + tax_fraction)``. Exactly one of ``price_per_kwh``,
    ``time_of_use`` and ``spot`` is given.
    """

    price_per_kwh: Price | None = Field(default=None, description="a flat price [currency/kWh]")
    time_of_use: tuple[TimeOfUsePeriod, ...] | None = Field(
        default=None, min_length=1, description="prices by local time"
    )
    spot: Switch = Field(default=False, description="take the spot price, column price_per_kwh of the data")
    fee_per_kwh: Cost = Field(default=0.0, description="supplier's and network fee [currency/kWh]")
    tax_fraction: TaxFraction = Field(default=0.0, description="tax on price and fee, 0 to 2")


class DayAhead(Model):
    """The day-ahead auction a plant sells in, on the plant's local clock."""

    gate_closure: ClockTime = Field(
        default=time(12), description="offers for the next local day close at this local time"
    )
    imbalance_spread_per_kwh: Cost = Field(
        default=0.0, description="paid per kWh of deviation from the position sold, either way [currency/kWh]"
    )


class Prices(Model):
    """What a kWh costs and earns at every meter of the plant, and when that is known."""

    import_: Tariff = Field(default=Tariff(spot=True), alias="import", description="price of a kWh drawn")
    export: Tariff | None = Field(
        default=None, description="price of a kWh fed in; column export_price_per_kwh or the spot price when left out"
    )
    published: ClockTime | None = Field(
        default=None,
        description="local time of publication of the next local day's spot prices; null: known as far as the data go",
    )
    day_ahead: DayAhead | None = Field(default=None, description="present when the plant sells its schedule day-ahead")
    demand_charge_per_kw: Cost = Field(
        default=0.0, description="price of a month's highest import [currency/kW]; told by simulations, not yet planned"
    )
