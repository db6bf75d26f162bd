"""Setup: what a plant file means to the services, in the engines' own nouns."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import time
from typing import TypeAlias
from zoneinfo import ZoneInfo

from vpp.config import VPPConfig
from vpp.config.plant_file import PlantFile
from vpp.config.prices_file import Tariff as TariffSpec
from vpp.config.prices_file import TimeOfUsePeriod
from vpp.core.assets import (
    Battery,
    EvCharger,
    FlexibleLoad,
    HeatPump,
    Load,
    Plant,
    SolarArray,
    WindTurbine,
)
from vpp.core.messages import POWER_KW, SOC, SeriesKey
from vpp.core.time import zone
from vpp.trading.day_ahead import DayAheadCalendar
from vpp.trading.tariff import MINUTES_PER_DAY, WEEKDAYS, WEEKENDS, Tariff, TariffPeriod

UncontrolledAsset: TypeAlias = SolarArray | WindTurbine | Load | EvCharger | HeatPump | FlexibleLoad
_DAYS = {"all": WEEKDAYS | WEEKENDS, "weekdays": WEEKDAYS, "weekends": WEEKENDS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """A plant with its prices and cadences.

    Parameters
    ----------
    plant : Plant
        Its sites and assets.
    timezone : ZoneInfo
        Zone of its calendar.
    control : bool
        True when commands are sent; False for advice only.
    strategy : str
        Name of the planner.
    resolution_s, horizon_s, plan_every_s, forecast_every_s, refit_every_s : int
        Length of a step, of the look-ahead, and cadences [s].
    solver_timeout_s : float
        Seconds a plan may take.
    import_tariff, export_tariff : Tariff, Tariff or None
        Prices at the meters; None for the market's feed-in series or the spot price.
    calendar : DayAheadCalendar
        When prices become known and offers close.
    imbalance_spread_per_kwh : float
        Cost of missing the position sold, either way.
    """

    plant: Plant
    timezone: ZoneInfo
    control: bool
    strategy: str
    resolution_s: int
    horizon_s: int
    plan_every_s: int
    forecast_every_s: int
    refit_every_s: int
    solver_timeout_s: float
    import_tariff: Tariff
    export_tariff: Tariff | None
    calendar: DayAheadCalendar
    imbalance_spread_per_kwh: float

    @property
    def sells_day_ahead(self) -> bool:
        """True when the plant offers its schedule to the day-ahead market."""
        return self.calendar.gate_closure is not None

    @property
    def horizon_steps(self) -> int:
        """Steps planned ahead."""
        return self.horizon_s // self.resolution_s

    @property
    def uncontrolled(self) -> tuple[UncontrolledAsset, ...]:
        """Assets that are measured and forecast: all but the batteries."""
        return tuple(asset for asset in self.plant.assets if not isinstance(asset, Battery))

    @property
    def power_keys(self) -> tuple[SeriesKey, ...]:
        """Power series of the uncontrolled assets."""
        return tuple(SeriesKey(asset.id, POWER_KW) for asset in self.uncontrolled)

    @property
    def battery_keys(self) -> tuple[SeriesKey, ...]:
        """Power series of the batteries."""
        return tuple(SeriesKey(battery.id, POWER_KW) for battery in self.plant.batteries)

    @property
    def soc_keys(self) -> tuple[SeriesKey, ...]:
        """State-of-charge series of the batteries."""
        return tuple(SeriesKey(battery.id, SOC) for battery in self.plant.batteries)

    @property
    def meter_keys(self) -> tuple[SeriesKey, ...]:
        """Power series of the sites' meters."""
        return tuple(SeriesKey(site.id, POWER_KW) for site in self.plant.sites)


def setup_of(config: VPPConfig) -> Setup:
    """Return the setup of a valid plant file.

    Raises
    ------
    InvalidInputError
        When the file is not valid; the first fault is named.
    """
    file = config.file
    timezone = zone(file.timezone)
    prices, planning = file.prices, file.planning
    day_ahead = prices.day_ahead
    return Setup(
        plant=config.plant,
        timezone=timezone,
        control=file.control,
        strategy=planning.strategy,
        resolution_s=planning.resolution_s,
        horizon_s=planning.horizon_s,
        plan_every_s=planning.plan_every_s or planning.resolution_s,
        forecast_every_s=planning.forecast_every_s,
        refit_every_s=planning.refit_every_s,
        solver_timeout_s=planning.solver_timeout_s,
        import_tariff=_tariff(prices.import_, feed_in=False),
        export_tariff=_export_tariff(file),
        calendar=DayAheadCalendar(timezone, prices.published, day_ahead.gate_closure if day_ahead else None),
        imbalance_spread_per_kwh=day_ahead.imbalance_spread_per_kwh if day_ahead else 0.0,
    )


def _export_tariff(file: PlantFile) -> Tariff | None:
    return None if file.prices.export is None else _tariff(file.prices.export, feed_in=True)


def _tariff(spec: TariffSpec, *, feed_in: bool) -> Tariff:
    base: float | tuple[TariffPeriod, ...] | None = None
    if spec.price_per_kwh is not None:
        base = spec.price_per_kwh
    elif spec.time_of_use is not None:
        base = tuple(_period(period) for period in spec.time_of_use)
    return Tariff(base, spec.fee_per_kwh, spec.tax_fraction, feed_in)


def _period(spec: TimeOfUsePeriod) -> TariffPeriod:
    return TariffPeriod(
        spec.price_per_kwh,
        frozenset(spec.months),
        _DAYS[spec.days],
        0 if spec.start is None else _minute(spec.start),
        MINUTES_PER_DAY if spec.end is None else _minute(spec.end),
    )


def _minute(clock: time) -> int:
    return clock.hour * 60 + clock.minute
