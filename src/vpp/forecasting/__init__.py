"""Forecasting: what every series of a plant will do next, with honest uncertainty.

``pipeline.ForecastPipeline`` is the one object a runtime drives. This page stays light: the learning libraries
load with ``vpp.forecasting.pipeline``, not here.
"""

from vpp.forecasting.kinds import Kind, SeriesProfile
from vpp.forecasting.settings import ForecastSettings

__all__ = ["ForecastSettings", "Kind", "SeriesProfile"]
