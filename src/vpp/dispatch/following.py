"""Following the meter: how far a battery may leave its set-point while load and sun differ from the forecast.

A plan holds for a whole step, made from a forecast. Within the step a battery that sees its site's meter can take up
the difference where that pays: it raises its power when energy at the meter is worth more than a stored kWh, and
lowers it when a stored kWh is worth more. The plan's own marginal values decide, so nothing is known that the plan
did not know. Grid power is positive when feeding in.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vpp.core.assets import Battery

Floats = NDArray[np.float64]
_TIE = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterStep:
    """One site in one step, as planned.

    Parameters
    ----------
    grid_kw : float
        Planned grid power, positive feeds in.
    import_price_per_kwh, export_price_per_kwh : float
        Prices at the meter.
    imbalance_spread_per_kwh : float
        Cost of a kWh of deviation in this step; 0 where nothing is sold ahead.
    """

    grid_kw: float
    import_price_per_kwh: float
    export_price_per_kwh: float
    imbalance_spread_per_kwh: float = 0.0


@dataclass(frozen=True, slots=True)
class Following:
    """How a battery follows its site's meter; see ``core.messages.Command``.

    Parameters
    ----------
    floor_kw, ceiling_kw : float or None
        Raise the battery's power while the grid power would fall below the floor; lower it while the grid power would
        rise above the ceiling; None where it leaves the meter alone.
    may_reverse : bool
        True when it pays to go on from charging to discharging, or back.
    """

    floor_kw: float | None = None
    ceiling_kw: float | None = None
    may_reverse: bool = False


def follow_by_value(battery: Battery, power_kw: float, stored_value_per_kwh: float, meter: MeterStep) -> Following:
    """Return how a battery follows the meter, given what a stored kWh is worth.

    Parameters
    ----------
    battery : Battery
        For its efficiencies and wear.
    power_kw : float
        Planned set-point, positive discharges.
    stored_value_per_kwh : float
        Worth of one more kWh stored at the end of the step.
    meter : MeterStep
        The site's meter in this step.

    Examples
    --------
    A home that covers its load: anything above or below is followed, the meter stays at zero.

    >>> battery = Battery(id="b", capacity_kwh=6.4, charge_max_kw=5.0, discharge_max_kw=5.0)
    >>> meter = MeterStep(grid_kw=0.0, import_price_per_kwh=0.5, export_price_per_kwh=0.05)
    >>> follow_by_value(battery, 1.0, 0.2, meter)
    Following(floor_kw=0.0, ceiling_kw=0.0, may_reverse=True)
    """
    give_up = stored_value_per_kwh / battery.discharge_efficiency + battery.wear_cost_per_kwh
    keep = stored_value_per_kwh * battery.charge_efficiency
    cost_of_more = keep if power_kw < 0.0 else give_up
    gain_of_less = give_up if power_kw > 0.0 else keep
    spread = meter.imbalance_spread_per_kwh
    short_price = (meter.export_price_per_kwh if meter.grid_kw > 0.0 else meter.import_price_per_kwh) + spread
    long_price = (meter.import_price_per_kwh if meter.grid_kw < 0.0 else meter.export_price_per_kwh) - spread
    floor: float | None = None
    if short_price >= cost_of_more - _TIE:
        floor = meter.grid_kw
    elif meter.grid_kw > 0.0 and meter.import_price_per_kwh + spread >= cost_of_more - _TIE:
        floor, short_price = 0.0, meter.import_price_per_kwh + spread
    ceiling: float | None = None
    if gain_of_less > long_price + _TIE:
        ceiling = meter.grid_kw
    elif meter.grid_kw < 0.0 and gain_of_less > meter.export_price_per_kwh - spread + _TIE:
        ceiling, long_price = 0.0, meter.export_price_per_kwh - spread
    reverses = (power_kw < 0.0 and floor is not None and short_price >= give_up - _TIE) or (
        power_kw > 0.0 and ceiling is not None and keep > long_price + _TIE
    )
    return Following(floor, ceiling, reverses)


def follow_by_rule(power_kw: float, meter: MeterStep) -> Following:
    """Return how a battery follows under a plan without marginal values: self-consumption where it pays.

    Where feeding in earns as much as drawing costs there is nothing to gain from the meter and the set-point stands.
    """
    if meter.export_price_per_kwh >= meter.import_price_per_kwh - _TIE:
        return Following()
    if power_kw > 0.0:
        return Following(0.0, 0.0) if meter.grid_kw <= 0.0 else Following()
    if power_kw < 0.0 and meter.grid_kw >= 0.0:
        return Following(0.0, 0.0)
    return Following(None, 0.0)
