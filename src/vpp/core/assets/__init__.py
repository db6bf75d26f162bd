"""Assets: what a plant is made of. Frozen facts with units in their names; no behaviour beyond lookups.

Powers named ``*_max_kw``, ``peak_kw`` and ``rated_kw`` are non-negative magnitudes of the terminals.
"""

from vpp.core.assets.battery import Battery, Chemistry, Fidelity
from vpp.core.assets.consumers import EvCharger, FlexibleLoad, HeatPump, Load, LoadProfile
from vpp.core.assets.generators import Generator, SolarArray, WindTurbine
from vpp.core.assets.plant import ASSET_KINDS, Asset, GridConnection, Plant, Site
from vpp.core.assets.ranges import check_slug

__all__ = [
    "ASSET_KINDS",
    "Asset",
    "Battery",
    "Chemistry",
    "EvCharger",
    "Fidelity",
    "FlexibleLoad",
    "Generator",
    "GridConnection",
    "HeatPump",
    "Load",
    "LoadProfile",
    "Plant",
    "Site",
    "SolarArray",
    "WindTurbine",
    "check_slug",
]
