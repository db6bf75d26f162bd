"""The plants that come with the package: where their files lie."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from vpp.core.errors import UnknownNameError

BUILTIN_PLANTS: dict[str, str] = {
    "homes": "11 real homes with solar and a battery each, California, August 2016 to July 2017",
    "wholesale": "5 MW of wind, 3 MW of solar and a 10 MW/20 MWh battery on the Dutch day-ahead market, 2016",
}


def builtin_path(name: str) -> Path:
    """Return the plant file of a built-in plant; an unknown name lists the nearest."""
    if name not in BUILTIN_PLANTS:
        raise UnknownNameError("built-in plant", name, BUILTIN_PLANTS)
    return Path(str(files("vpp.config"))) / "plants" / name / "plant.yaml"
