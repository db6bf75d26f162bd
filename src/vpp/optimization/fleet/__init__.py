"""Fleets of batteries under shared limits: a plan, a bound and the gap between them at every iterate."""

from vpp.optimization.fleet.decomposition import plan_fleet
from vpp.optimization.fleet.plan import FleetIterate, FleetPlan
from vpp.optimization.fleet.problem import FleetProblem

__all__ = ["FleetIterate", "FleetPlan", "FleetProblem", "plan_fleet"]
