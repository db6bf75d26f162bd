"""How much to sell ahead of an uncertain yield: the newsvendor, in closed form.

What is sold ahead earns the price ahead; a surplus is sold at a lower price, a shortage bought at a higher one. The
best bid is the quantile of the yield at which another kWh ahead is worth as much as one later.
Source: Pinson, Chevallier and Kariniotakis, IEEE Trans. Power Systems 22 (2007) 1148, doi:10.1109/TPWRS.2007.901117.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite

import numpy as np
from numpy.typing import ArrayLike

from vpp.core.errors import InvalidInputError, SeriesMismatchError
from vpp.optimization.problem import Floats
from vpp.optimization.stochastic.measures import ROUNDING, check_probability


@dataclass(frozen=True, slots=True, kw_only=True)
class BalancingPrices:
    """Prices of one delivery step [currency/kWh], surplus below ahead below shortage.

    Parameters
    ----------
    ahead_per_kwh : float
        Earned for what is sold ahead.
    surplus_per_kwh : float
        Earned for what is delivered beyond it, below ``ahead_per_kwh``.
    shortage_per_kwh : float
        Paid for what is missing, above ``ahead_per_kwh``.
    """

    ahead_per_kwh: float
    surplus_per_kwh: float
    shortage_per_kwh: float

    def __post_init__(self) -> None:
        """Check numbers and order."""
        for name in ("ahead_per_kwh", "surplus_per_kwh", "shortage_per_kwh"):
            if not isfinite(getattr(self, name)):
                raise InvalidInputError(name, getattr(self, name), "a finite price [currency/kWh]")
        if not self.surplus_per_kwh < self.ahead_per_kwh:
            raise InvalidInputError("surplus_per_kwh", self.surplus_per_kwh, f"below ahead, {self.ahead_per_kwh:g}")
        if not self.ahead_per_kwh < self.shortage_per_kwh:
            raise InvalidInputError("shortage_per_kwh", self.shortage_per_kwh, f"above ahead, {self.ahead_per_kwh:g}")

    @property
    def best_level(self) -> float:
        """Quantile level of the yield that is best sold ahead.

        >>> round(BalancingPrices(ahead_per_kwh=0.05, surplus_per_kwh=0.03, shortage_per_kwh=0.08).best_level, 9)
        0.4
        """
        return (self.ahead_per_kwh - self.surplus_per_kwh) / (self.shortage_per_kwh - self.surplus_per_kwh)


@dataclass(frozen=True, slots=True)
class AheadBid:
    """What to sell ahead [kWh], and what that is expected to earn [currency]."""

    energy_kwh: float
    expected_profit: float


def best_bid(yield_kwh: ArrayLike, prices: BalancingPrices, *, probability: ArrayLike | None = None) -> AheadBid:
    """Return the bid of greatest expected profit for a yield known by its scenarios.

    Parameters
    ----------
    yield_kwh : float array, shape (S,)
        What may be delivered in each scenario [kWh].
    prices : BalancingPrices
        Of the step.
    probability : float array, shape (S,), or None
        Of each scenario; None: all alike.

    Raises
    ------
    InvalidInputError
        When a yield is not finite or the probabilities are no distribution.

    Examples
    --------
    >>> prices = BalancingPrices(ahead_per_kwh=50, surplus_per_kwh=30, shortage_per_kwh=80)
    >>> best_bid([10.0, 20.0, 30.0, 40.0, 50.0], prices)
    AheadBid(energy_kwh=20.0, expected_profit=1200.0)
    """
    values = _finite(yield_kwh)
    weights = check_probability(probability, values.size)
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weights[order]) >= prices.best_level - ROUNDING
    energy = float(values[order][np.argmax(reached & (weights[order] > 0.0))])
    return AheadBid(energy, expected_profit(energy, values, prices, probability=weights))


def expected_profit(
    energy_kwh: float, yield_kwh: ArrayLike, prices: BalancingPrices, *, probability: ArrayLike | None = None
) -> float:
    """Return what a bid is expected to earn [currency]; parameters as for ``best_bid``."""
    values = _finite(yield_kwh)
    weights = check_probability(probability, values.size)
    surplus, shortage = np.maximum(values - energy_kwh, 0.0), np.maximum(energy_kwh - values, 0.0)
    later = prices.surplus_per_kwh * surplus - prices.shortage_per_kwh * shortage
    return prices.ahead_per_kwh * energy_kwh + float(weights @ later)


def _finite(yield_kwh: ArrayLike) -> Floats:
    values = np.asarray(yield_kwh, dtype=np.float64)
    if values.ndim != 1 or not values.size:
        raise SeriesMismatchError("yield_kwh", values.shape, "one yield for each of one or more scenarios")
    if not np.isfinite(values).all():
        raise InvalidInputError("yield_kwh", "NaN or infinite", "finite numbers [kWh]")
    return values
