"""Plans that hold by chance or in the worst case, as problems of one scenario that the same planner solves.

Both bring a problem of S scenarios to one, and put what the others demand into the band of the joint injection, which
is all that the meter's limits ask of a schedule. Neither needs more than sorting or ranges per step.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from vpp.core.errors import InvalidInputError
from vpp.optimization.problem import Floats
from vpp.optimization.stochastic.measures import ROUNDING
from vpp.optimization.stochastic.problem import StochasticProblem


def chance_constrained(problem: StochasticProblem, probability: float) -> StochasticProblem:
    """Return the problem of the expected scenario whose meter keeps each limit with a given probability.

    In every step, drawing stays within its limit with ``probability`` or more, and so does feeding in, each by
    itself: a schedule keeps a limit in a scenario exactly where its injection is large (small) enough, so the limit
    holds with probability p where it holds at the p-quantile of the net load (of the firm surplus). The cost is that of
    the expected power at the expected prices. Probability 1 is every scenario.

    Parameters
    ----------
    problem : StochasticProblem
        S scenarios with their probabilities.
    probability : float
        Above 0, at most 1.

    Raises
    ------
    InvalidInputError
        When the probability is out of its range.

    Notes
    -----
    Source: Charnes and Cooper, Management Science 6 (1959) 73, doi:10.1287/mnsc.6.1.73.

    Examples
    --------
    >>> from vpp.core.assets import Battery
    >>> load_kw = np.array([[1.0], [2.0], [3.0], [9.0]])
    >>> problem = StochasticProblem(
    ...     batteries=(Battery(id="battery", capacity_kwh=20, charge_max_kw=8, discharge_max_kw=8),),
    ...     initial_soc=np.array([0.5]), duration_h=1.0, fixed_kw=-load_kw, curtailable_kw=0 * load_kw,
    ...     import_price_per_kwh=0 * load_kw + 0.3, export_price_per_kwh=0 * load_kw + 0.1, import_max_kw=2.0,
    ... )
    >>> [chance_constrained(problem, p).injection_band_kw[0].tolist() for p in (0.75, 1.0)]
    [[1.75], [7.0]]
    """
    if not 0.0 < probability <= 1.0:
        raise InvalidInputError("probability", probability, "the probability to keep each limit, above 0 to 1")
    net_load = quantile_kw(-problem.fixed_kw - problem.curtailable_kw, problem.weights, probability)
    surplus = quantile_kw(problem.fixed_kw, problem.weights, probability)
    return _with_band(
        replace(
            problem,
            probability=None,
            fixed_kw=problem.weights[None, :] @ problem.fixed_kw,
            curtailable_kw=problem.weights[None, :] @ problem.curtailable_kw,
            import_price_per_kwh=problem.weights[None, :] @ problem.import_price_per_kwh,
            export_price_per_kwh=problem.weights[None, :] @ problem.export_price_per_kwh,
        ),
        low_kw=net_load - problem.import_max_kw,
        high_kw=problem.export_max_kw - surplus,
    )


def box_robust(problem: StochasticProblem) -> StochasticProblem:
    """Return the problem of the worst case in the box that the scenarios span.

    The box holds, in every step and independently, any power and any price between the least and the greatest of the
    scenarios; make it from forecast bands by giving two scenarios, the lower and the upper band. While feeding in never
    costs anything, more power of one's own never makes a schedule dearer, nor does cheaper drawing or dearer feeding
    in. So one corner is the worst for every schedule: the least power, the dearest import, the cheapest export.
    Its least cost is the least worst case (Ben-Tal and Nemirovski, Operations Research Letters 25 (1999) 1,
    doi:10.1016/S0167-6377(99)00016-4), and the limits are kept everywhere in the box.

    Parameters
    ----------
    problem : StochasticProblem
        Scenarios that span the box; their probabilities do not matter.

    Raises
    ------
    InvalidInputError
        When an export price is negative: then which corner is the worst depends on the schedule.
    """
    cheapest = float(problem.export_price_per_kwh.min())
    if cheapest < 0.0:
        raise InvalidInputError(
            "export_price_per_kwh", cheapest, "0 or more, so that one corner of the box is the worst"
        )
    low, high = problem.fixed_kw.min(axis=0), problem.fixed_kw.max(axis=0)
    curtailable = problem.curtailable_kw.min(axis=0)
    return _with_band(
        replace(
            problem,
            probability=None,
            fixed_kw=low[None, :],
            curtailable_kw=curtailable[None, :],
            import_price_per_kwh=problem.import_price_per_kwh.max(axis=0)[None, :],
            export_price_per_kwh=problem.export_price_per_kwh.min(axis=0)[None, :],
        ),
        low_kw=-low - curtailable - problem.import_max_kw,
        high_kw=problem.export_max_kw - high,
    )


def quantile_kw(power_kw: Floats, weights: Floats, probability: float) -> Floats:
    """Return for each step the least value that is not exceeded with ``probability`` or more, shape (T,).

    Parameters
    ----------
    power_kw : float array, shape (S, T)
        Values by scenario.
    weights : float array, shape (S,)
        Probabilities, summing to 1.
    probability : float
        Above 0, at most 1.
    """
    order = np.argsort(power_kw, axis=0, kind="stable")
    weight = weights[order]
    reached = np.cumsum(weight, axis=0) >= min(probability, 1.0) - ROUNDING
    reached &= weight > 0.0
    position = np.argmax(reached, axis=0)
    chosen: Floats = np.take_along_axis(power_kw, order, axis=0)[position, np.arange(power_kw.shape[1])]
    return chosen


def _with_band(problem: StochasticProblem, *, low_kw: Floats, high_kw: Floats) -> StochasticProblem:
    """Return a problem with the band narrowed; what it was given before stays."""
    low = low_kw if problem.injection_min_kw is None else np.maximum(low_kw, problem.injection_min_kw)
    high = high_kw if problem.injection_max_kw is None else np.minimum(high_kw, problem.injection_max_kw)
    return replace(problem, injection_min_kw=low, injection_max_kw=high)
