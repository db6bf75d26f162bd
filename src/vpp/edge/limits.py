"""Limits: what a gateway lets through to an asset, whoever asks. They stand in its settings, never in a command."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from vpp.core.assets import Asset, Battery, EvCharger, FlexibleLoad, HeatPump, Load
from vpp.core.errors import InvalidInputError


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetLimits:
    """Bounds of one asset's set-point.

    Parameters
    ----------
    asset_id : str
        The asset.
    low_kw, high_kw : float
        Lowest and highest set-point [kW, positive toward the grid]; for a generator the set-point is a cap.
    safe_kw : float
        What it is set to while the head-end is silent, within the bounds.
    is_generator : bool
        True where the set-point is a cap on generation.
    slew_kw_per_min : float
        How fast the set-point may move, above 0; infinity for at once.
    most_commands_per_min : int
        Commands taken in any 60 s, 1 or more.
    most_flips : int
        Changes between charging and discharging in any ``flip_window_s``, 0 or more.
    flip_window_s : float
        Above 0.
    """

    asset_id: str
    low_kw: float
    high_kw: float
    safe_kw: float
    is_generator: bool = False
    slew_kw_per_min: float = inf
    most_commands_per_min: int = 30
    most_flips: int = 6
    flip_window_s: float = 600.0

    def __post_init__(self) -> None:
        """Check every range."""
        if not -inf < self.low_kw <= self.high_kw < inf:
            raise InvalidInputError(f"{self.asset_id}.low_kw", self.low_kw, f"at most high_kw = {self.high_kw} [kW]")
        for field, value, holds, expected in (
            ("safe_kw", self.safe_kw, self.low_kw <= self.safe_kw <= self.high_kw, "within the bounds [kW]"),
            ("slew_kw_per_min", self.slew_kw_per_min, self.slew_kw_per_min > 0.0, "above 0 [kW/min]"),
            ("most_commands_per_min", self.most_commands_per_min, self.most_commands_per_min >= 1, "1 or more"),
            ("most_flips", self.most_flips, self.most_flips >= 0, "0 or more"),
            ("flip_window_s", self.flip_window_s, 0.0 < self.flip_window_s < inf, "above 0 [s]"),
        ):
            if not holds:
                raise InvalidInputError(f"{self.asset_id}.{field}", value, expected)

    @property
    def is_cap(self) -> bool:
        """True where the set-point is the most an asset may do, in one direction, and doing less obeys it."""
        return self.low_kw >= 0.0 or self.high_kw <= 0.0

    def clipped(self, power_kw: float) -> float:
        """Return the nearest set-point within the bounds [kW]."""
        return min(max(power_kw, self.low_kw), self.high_kw)


def limits_of(asset: Asset) -> AssetLimits | None:
    """Return the limits that an asset's rating sets; None for one that takes no set-point.

    While the head-end is silent a battery rests, a generator is not curtailed, and what consumes is not held back.

    Examples
    --------
    >>> limits = limits_of(Battery(id="store", capacity_kwh=10.0, charge_max_kw=4.0, discharge_max_kw=5.0))
    >>> limits.low_kw, limits.high_kw, limits.safe_kw
    (-4.0, 5.0, 0.0)
    """
    if isinstance(asset, Battery):
        return AssetLimits(asset_id=asset.id, low_kw=-asset.charge_max_kw, high_kw=asset.discharge_max_kw, safe_kw=0.0)
    if isinstance(asset, (EvCharger, HeatPump, FlexibleLoad)):
        return AssetLimits(asset_id=asset.id, low_kw=-asset.rated_kw, high_kw=0.0, safe_kw=-asset.rated_kw)
    if isinstance(asset, Load) or not asset.curtailable:
        return None
    return AssetLimits(asset_id=asset.id, low_kw=0.0, high_kw=asset.peak_kw, safe_kw=asset.peak_kw, is_generator=True)
