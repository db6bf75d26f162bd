"""The exact optimum of one storage, in microseconds: trades at prices, and whole one-battery sites."""

from vpp.optimization.kernel.arbitrage import ArbitrageResult, arbitrage
from vpp.optimization.kernel.site import SitePlan, SiteProblem, solve_site

__all__ = ["ArbitrageResult", "SitePlan", "SiteProblem", "arbitrage", "solve_site"]
