"""Plans of fleets: what was found, what was proven, and every battery's part of it on demand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from vpp.core.errors import InvalidInputError
from vpp.core.messages.planned import PlanStatus
from vpp.optimization.fleet.problem import Floats
from vpp.optimization.fleet.replay import Recipe


@dataclass(frozen=True, slots=True, eq=False)
class FleetPlan:
    """A plan of N batteries over T steps, with the proof of how good it is.

    Parameters
    ----------
    status : PlanStatus
        OPTIMAL: within the gap asked for; FEASIBLE: the best so far, ``message`` says why; INFEASIBLE: no plan keeps
        the limits, proven; TIMEOUT: nothing was found that keeps them.
    objective : float
        Cost of the plan as every battery carries it out: energy and wear less what is left [currency]; NaN without
        a plan.
    bound : float
        No plan that keeps the limits costs less [currency]; minus infinity before the first answer.
    gap : float
        Proven distance: (objective - bound) / (cost without batteries - bound), which is relative to what the batteries
        are worth; relative to the bound where the site has no plan without them.
    iterations, evaluations : int
        Masters solved, prices answered by the whole fleet.
    power_kw : float array, shape (T,)
        The fleet's net power; positive discharges.
    import_kw, export_kw, curtailed_kw : float arrays, shape (T,)
        What the shared connection carries, and generation left unused.
    price_per_kwh : float array, shape (T,)
        Worth of one more kWh on the bus, the price that proves the bound.
    excess_kwh : float
        Energy beyond the shared limits: 0 for every plan that keeps them.
    method, message : str
        What planned it; why it is not optimal, empty when it is.
    timings_s : dict of str to float
        ``total``, ``answers`` (price evaluations), ``replay``.
    """

    status: PlanStatus
    objective: float
    bound: float
    gap: float
    iterations: int
    evaluations: int
    power_kw: Floats
    import_kw: Floats
    export_kw: Floats
    curtailed_kw: Floats
    price_per_kwh: Floats
    excess_kwh: float
    method: str
    message: str
    timings_s: dict[str, float]
    recipe: Recipe | None = field(default=None, repr=False)

    @property
    def usable(self) -> bool:
        """True when there is a plan to carry out."""
        return self.status in (PlanStatus.OPTIMAL, PlanStatus.FEASIBLE)

    def batteries(self, first: int = 0, last: int | None = None) -> tuple[Floats, Floats]:
        """Return what some batteries do, made anew from the prices, so that no plan of all is kept in memory.

        Parameters
        ----------
        first, last : int
            Batteries first to last - 1; by default all.

        Returns
        -------
        power_kw, energy_kwh : float arrays, shape (last - first, T)
            Terminal power, positive discharges; energy at the end of each step.

        Raises
        ------
        InvalidInputError
            For batteries that the fleet does not have, or when there is no plan.
        """
        if self.recipe is None:
            raise InvalidInputError("status", str(self.status), "a plan; there is none")
        count = self.recipe.oracle.batteries
        end = count if last is None else last
        if not 0 <= first <= end <= count:
            raise InvalidInputError("first, last", (first, end), f"0 <= first <= last <= {count}")
        return self.recipe.replay(first, end)


@dataclass(frozen=True, slots=True, eq=False)
class FleetIterate:
    """Where a search stands after a master.

    Parameters
    ----------
    iteration : int
        From 1, over all phases.
    phase : str
        "sample": a part of the fleet proposes prices, its figures are its own; "fleet": the whole.
    objective, bound, gap : float
        Cost of the mix, lower bound, proven gap, as in ``FleetPlan``; the mix may still use both directions at once.
    elapsed_s : float
        Since the start.
    plan : callable
        Returns this iterate as a ``FleetPlan``, carried out by every battery; costs a few price evaluations.
    """

    iteration: int
    phase: str
    objective: float
    bound: float
    gap: float
    elapsed_s: float
    plan: Callable[[], FleetPlan]
