"""Distributed dispatch: sites reach a common target by exchange ADMM, sharing only prices and totals.

    minimise    sum quadratic_i p_i^2 + cost_i p_i + reserve_cost_i r_i
    subject to  sum p_i = energy,  sum r_i >= reserve,
                minimum_i <= p_i,  0 <= r_i <= reserve_max_i,  p_i + r_i <= available_i

The rounds (``exchange.py``) end near the target, not on it. A last exchange of totals puts the sites on it without
leaving any site's limits, and what that costs is stated. The prices then give a lower bound on the cost of any
dispatch, so that the answer carries the gap it proved, besides the residuals of every round.

Invariant: ``power_kw + reserve_kw <= available_kw`` at every site, always. A target that cannot be met is INFEASIBLE
before the first round, and names the nearest that can.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf, isfinite, nan, sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vpp.core.errors import InvalidInputError, SeriesMismatchError
from vpp.core.messages.planned import PlanStatus
from vpp.optimization import exchange
from vpp.optimization.exchange import (
    AVAILABLE,
    COST,
    DUAL,
    MINIMUM,
    PENALTY,
    POWER,
    PRIMAL,
    QUADRATIC,
    RESERVE,
    RESERVE_COST,
    RESERVE_MAX,
)

Floats = NDArray[np.float64]
_TOLERANCE = 1e-5
_ROUNDING = 1e-12
_SMALLEST = 1e-12


@dataclass(frozen=True, slots=True, eq=False, init=False)
class SiteOffers:
    """What N sites can do and what it costs them; numbers stand for all sites alike.

    Parameters
    ----------
    available_kw : float array, shape (N,)
        Most that each site can run at, at least its minimum [kW].
    cost_per_kwh : float array, shape (N,)
        Marginal cost at zero power [currency/kWh], any sign.
    quadratic_per_kw2h : float or array
        Half the growth of the marginal cost per kW [currency/(kW2 h)], 0 or more.
    minimum_kw : float or array
        Least that each site runs at [kW]; negative where it may draw.
    reserve_max_kw : float or array
        Most reserve [kW], 0 or more; infinity for all that is available.
    reserve_cost_per_kwh : float or array
        Cost of a kW held ready for an hour, 0 or more.

    Attributes
    ----------
    table, without_reserve : float arrays, shape (6, N)
        The columns, checked; the second with no room for reserve.
    start : float array, shape (2, N)
        Where the rounds begin: no power, or as near to it as the limits are, and no reserve.
    totals_kw : (float, float, float)
        Sums of minimum, available power and reserve.
    scales : (float, float)
        Spread of the marginal costs [currency/kWh] and mean range of power [kW], both above 0.

    Raises
    ------
    InvalidInputError, SeriesMismatchError
        For a figure out of its range, or columns of different lengths.
    """

    table: Floats = field(repr=False)
    without_reserve: Floats = field(repr=False)
    start: Floats = field(repr=False)
    totals_kw: tuple[float, float, float]
    scales: tuple[float, float]

    def __init__(
        self,
        available_kw: ArrayLike,
        cost_per_kwh: ArrayLike,
        *,
        quadratic_per_kw2h: ArrayLike = 0.0,
        minimum_kw: ArrayLike = 0.0,
        reserve_max_kw: ArrayLike = inf,
        reserve_cost_per_kwh: ArrayLike = 0.0,
    ) -> None:
        available = np.asarray(available_kw, dtype=np.float64)
        if available.ndim != 1 or available.size == 0:
            raise SeriesMismatchError("available_kw", available.shape, "one entry per site, at least one")
        table = np.empty((RESERVE_MAX + 1, available.size))
        columns = {
            "quadratic_per_kw2h": (QUADRATIC, quadratic_per_kw2h, 0.0),
            "cost_per_kwh": (COST, cost_per_kwh, -inf),
            "reserve_cost_per_kwh": (RESERVE_COST, reserve_cost_per_kwh, 0.0),
            "minimum_kw": (MINIMUM, minimum_kw, -inf),
            "available_kw": (AVAILABLE, available, -inf),
            "reserve_max_kw": (RESERVE_MAX, reserve_max_kw, 0.0),
        }
        for name, (row, given, low) in columns.items():
            values = np.asarray(given, dtype=np.float64)
            if values.shape not in ((), available.shape):
                raise SeriesMismatchError(name, values.shape, f"shape {available.shape} or one number")
            table[row] = values
            _check_range(name, table[row], low=low, unlimited=row == RESERVE_MAX)
        if not (table[AVAILABLE] >= table[MINIMUM]).all():
            site = int(np.flatnonzero(table[AVAILABLE] < table[MINIMUM])[0])
            least = float(table[MINIMUM, site])
            raise InvalidInputError(f"available_kw[{site}]", float(available[site]), f"minimum_kw ({least}) or more")
        table[RESERVE_MAX] = np.minimum(table[RESERVE_MAX], table[AVAILABLE] - table[MINIMUM])
        self._keep(table)

    def _keep(self, table: Floats) -> None:
        """Keep the table and what every dispatch asks of it."""
        least, most = table[MINIMUM], table[AVAILABLE]
        without = table.copy()
        without[RESERVE_MAX] = 0.0
        low, high = table[COST] + 2.0 * table[QUADRATIC] * least, table[COST] + 2.0 * table[QUADRATIC] * most
        spread = _sizeable(float(high.max() - low.min()), _sizeable(float(np.abs(high).max()), 1.0))
        kept = {
            "table": table,
            "without_reserve": without,
            "start": np.stack([np.clip(0.0, least, most), np.zeros(table.shape[1])]),
            "totals_kw": (float(least.sum()), float(most.sum()), float(table[RESERVE_MAX].sum())),
            "scales": (spread, _sizeable(float((most - least).mean()), 1.0)),
        }
        for name, value in kept.items():
            object.__setattr__(self, name, value)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeSettings:
    """How the rounds run; None takes a figure from the totals of the problem.

    Parameters
    ----------
    penalty_per_kw2h : float or None
        The first rho [currency/(kW2 h)], above 0; None: spread of the marginal costs over the mean power of a site.
    balance_first : int
        Round after which rho is first rebalanced by its residuals, then after twice as many, and so on: rho comes to
        rest, without which the rounds need not. 0 keeps it as it is.
    rounds_max : int
        Most rounds, 1 or more.
    primal_tolerance_kw, dual_tolerance_per_kwh : float or None
        Where the rounds end: Euclidean norms over the sites of the mismatch and of rho times the movement. None: 1e-5
        of the mean power and of the spread of costs, times the root of the number of sites.
    gap_tolerance : float
        Proven gap, relative to the cost, up to which the answer is called OPTIMAL, above 0.
    """

    penalty_per_kw2h: float | None = None
    balance_first: int = 10
    rounds_max: int = 2000
    primal_tolerance_kw: float | None = None
    dual_tolerance_per_kwh: float | None = None
    gap_tolerance: float = 1e-4

    def __post_init__(self) -> None:
        """Check every range."""
        names = ("penalty_per_kw2h", "primal_tolerance_kw", "dual_tolerance_per_kwh", "gap_tolerance")
        for name in names:
            value = getattr(self, name)
            if value is not None and not 0.0 < value < inf:
                raise InvalidInputError(name, value, "a number above 0")
        if self.rounds_max < 1 or self.balance_first < 0:
            raise InvalidInputError("rounds_max", self.rounds_max, "1 or more, and balance_first 0 or more")


_SETTINGS = ExchangeSettings()


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ExchangeResult:
    """What the sites agreed on, and how far that was proved; N sites, K rounds.

    Parameters
    ----------
    status : PlanStatus
        OPTIMAL: the target is met and ``gap`` is within its tolerance. FEASIBLE: it is met, the gap is larger.
        INFEASIBLE: it cannot be met; every figure of the dispatch is NaN.
    power_kw, reserve_kw : float arrays, shape (N,)
        Power toward the grid and power held ready above it.
    energy_price_per_kwh, reserve_price_per_kwh : float
        Prices that the rounds ended with, the same for all sites; the second 0 where no reserve is asked for.
    cost_per_h, bound_per_h : float
        Cost of this dispatch, and a proven lower bound on that of any [currency/h].
    projection_cost_per_h : float
        What putting the last round's answers on the target changed [currency/h]; either sign.
    primal_residual_kw, dual_residual_per_kwh, penalty_per_kw2h : float arrays, shape (K,)
        Residuals and rho of each round.
    feasible_energy_kw, feasible_reserve_kw : float
        The energy nearest to what was asked for that the sites can run at, and the most reserve beside it up to what
        was asked for.
    message : str
        What is missing, where the status is not OPTIMAL.
    nearest : ExchangeResult or None
        The dispatch of the feasible target, when the one asked for is not.
    """

    status: PlanStatus
    power_kw: Floats
    reserve_kw: Floats
    energy_price_per_kwh: float
    reserve_price_per_kwh: float
    cost_per_h: float
    bound_per_h: float
    projection_cost_per_h: float
    primal_residual_kw: Floats
    dual_residual_per_kwh: Floats
    penalty_per_kw2h: Floats
    feasible_energy_kw: float
    feasible_reserve_kw: float
    message: str = ""
    nearest: ExchangeResult | None = None

    @property
    def rounds(self) -> int:
        """How many rounds were run."""
        return int(self.primal_residual_kw.size)

    @property
    def gap(self) -> float:
        """The proven gap relative to the cost, 0 or more; NaN without a dispatch."""
        return _gap(self.cost_per_h, self.bound_per_h)


def exchange_dispatch(
    offers: SiteOffers,
    *,
    energy_kw: float,
    reserve_kw: float = 0.0,
    settings: ExchangeSettings | None = None,
    prices_per_kwh: tuple[float, float] | None = None,
) -> ExchangeResult:
    """Share energy and reserve among sites by exchange ADMM.

    Parameters
    ----------
    offers : SiteOffers
        The sites.
    energy_kw : float
        Total power asked for.
    reserve_kw : float
        Power to be held ready above it, 0 or more.
    settings : ExchangeSettings or None
        How the rounds run.
    prices_per_kwh : (float, float) or None
        Prices of energy and reserve to begin with, e.g. those of the last dispatch; None: 0.

    Returns
    -------
    ExchangeResult
        Dispatch, prices, bound and residuals, or INFEASIBLE with the nearest feasible target.

    Raises
    ------
    InvalidInputError
        For targets that are not finite, or a negative reserve.

    Examples
    --------
    >>> offers = SiteOffers([12.0, 12.0], [16.15, 16.1], quadratic_per_kw2h=[0.03, 0.0177])
    >>> answer = exchange_dispatch(offers, energy_kw=7.0)
    >>> str(answer.status), answer.power_kw.round(2).tolist(), round(float(answer.power_kw.sum()), 9)
    ('optimal', [2.07, 4.93], 7.0)
    """
    if not isfinite(energy_kw):
        raise InvalidInputError("energy_kw", energy_kw, "a finite power [kW]")
    if not 0.0 <= reserve_kw < inf:
        raise InvalidInputError("reserve_kw", reserve_kw, "0 or more, finite [kW]")
    least_kw, most_kw, reserve_max_kw = offers.totals_kw
    feasible_kw = min(max(energy_kw, least_kw), most_kw)
    held_kw = min(reserve_kw, reserve_max_kw, max(most_kw - feasible_kw, 0.0))
    answer = _agree(offers, (feasible_kw, held_kw), settings or _SETTINGS, prices_per_kwh or (0.0, 0.0))
    slack_kw = _ROUNDING * (abs(least_kw) + abs(most_kw) + abs(energy_kw))
    if abs(energy_kw - feasible_kw) <= slack_kw and reserve_kw - held_kw <= slack_kw:
        return answer
    return _infeasible(energy_kw, reserve_kw, answer)


def _agree(
    offers: SiteOffers, target_kw: tuple[float, float], settings: ExchangeSettings, prices_per_kwh: tuple[float, float]
) -> ExchangeResult:
    """Run the rounds for a feasible target, put the sites on it, and bound the cost."""
    energy_kw, reserve_kw = target_kw
    table = offers.table if reserve_kw > 0.0 else offers.without_reserve
    state = offers.start.copy()
    prices, history = np.array(prices_per_kwh), np.empty((settings.rounds_max, PENALTY + 1))
    order = _order(offers, target_kw, settings)
    count, before, cost, bound = exchange.fast_agree()(table, state, prices, order, history)
    told = history[:count].T.copy()
    gap = _gap(cost, bound)
    proved = gap <= settings.gap_tolerance
    return ExchangeResult(
        status=PlanStatus.OPTIMAL if proved else PlanStatus.FEASIBLE,
        power_kw=state[POWER],
        reserve_kw=state[RESERVE],
        energy_price_per_kwh=float(prices[0]),
        reserve_price_per_kwh=max(float(prices[1]), 0.0) if reserve_kw > 0.0 else 0.0,
        cost_per_h=cost,
        bound_per_h=bound,
        projection_cost_per_h=cost - before,
        primal_residual_kw=told[PRIMAL],
        dual_residual_per_kwh=told[DUAL],
        penalty_per_kw2h=told[PENALTY],
        feasible_energy_kw=energy_kw,
        feasible_reserve_kw=reserve_kw,
        message="" if proved else f"after {count} rounds a gap of {gap:.2g} of the cost is left unproved",
    )


def _order(offers: SiteOffers, target_kw: tuple[float, float], settings: ExchangeSettings) -> Floats:
    """Return targets, penalty and tolerances; what is not set comes from the offers' scales."""
    spread, mean_kw = offers.scales
    root = sqrt(offers.table.shape[1])
    penalty = settings.penalty_per_kw2h or spread / mean_kw
    primal = settings.primal_tolerance_kw or _TOLERANCE * mean_kw * root
    dual = settings.dual_tolerance_per_kwh or _TOLERANCE * spread * root
    return np.array([*target_kw, penalty, primal, dual, settings.balance_first])


def _sizeable(value: float, otherwise: float) -> float:
    """Return a scale, or another where this one is nothing to divide by."""
    return value if value > _SMALLEST else otherwise


def _gap(cost: float, bound: float) -> float:
    return max(cost - bound, 0.0) / max(abs(cost), _SMALLEST)


def _infeasible(energy_kw: float, reserve_kw: float, nearest: ExchangeResult) -> ExchangeResult:
    energy, reserve = nearest.feasible_energy_kw, nearest.feasible_reserve_kw
    nothing, none = np.full(nearest.power_kw.size, nan), np.empty(0)
    return ExchangeResult(
        status=PlanStatus.INFEASIBLE,
        power_kw=nothing,
        reserve_kw=nothing,
        energy_price_per_kwh=nan,
        reserve_price_per_kwh=nan,
        cost_per_h=nan,
        bound_per_h=nan,
        projection_cost_per_h=nan,
        primal_residual_kw=none,
        dual_residual_per_kwh=none,
        penalty_per_kw2h=none,
        feasible_energy_kw=energy,
        feasible_reserve_kw=reserve,
        message=(
            f"{energy_kw:g} kW of energy and {reserve_kw:g} kW of reserve were asked for; "
            f"{energy:g} kW and beside it {reserve:g} kW are feasible"
        ),
        nearest=nearest,
    )


def _check_range(name: str, values: Floats, *, low: float, unlimited: bool) -> None:
    good = (values >= low) & ((values < inf) | unlimited) & (values > -inf)
    if not good.all():
        site = int(np.flatnonzero(~good)[0])
        expected = "a finite number" if low == -inf else f"{low:g} or more{'' if unlimited else ', finite'}"
        raise InvalidInputError(f"{name}[{site}]", float(values[site]), expected)
