"""vpp: many small energy assets, one power plant.

``import vpp`` is silent and light; the names below are loaded when first used.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_LAZY = {
    "Battery": "vpp.core.assets",
    "GridConnection": "vpp.core.assets",
    "Load": "vpp.core.assets",
    "Plant": "vpp.core.assets",
    "Site": "vpp.core.assets",
    "SolarArray": "vpp.core.assets",
    "WindTurbine": "vpp.core.assets",
    "TimeGrid": "vpp.core.time",
    "VPPConfig": "vpp.config",
    "VppError": "vpp.core.errors",
}

__all__ = [  # noqa: PLE0604, the names of _LAZY are strings
    "__version__",
    *sorted(_LAZY),
]


def __getattr__(name: str) -> Any:
    """Load a public name on first use."""
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    message = f"module 'vpp' has no attribute {name!r}"
    raise AttributeError(message)


def __dir__() -> list[str]:
    """Return the public names."""
    return list(__all__)
