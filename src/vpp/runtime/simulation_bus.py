"""A bus by its address, and simulated records as the readings that travel on it.

On the bus the house's signs hold: positive toward the grid.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from vpp.core.assets import Plant
from vpp.core.errors import InvalidInputError, UnknownNameError
from vpp.core.messages import POWER_KW, SOC, Readings, SeriesKey
from vpp.core.ports import Bus
from vpp.core.time import epoch_s, parse_time
from vpp.core.units import fraction_from_percent
from vpp.streams.memory import MemoryBus

BUSES = ("memory",)


def open_bus(url: str) -> Bus:
    """Return the bus behind an address, e.g. ``memory://``, which lives in this process.

    Raises
    ------
    InvalidInputError
        When it is no address.
    UnknownNameError
        When no bus has that scheme; those that exist are named.
    """
    scheme, mark, _rest = url.partition("://")
    if not mark or not scheme:
        raise InvalidInputError("--bus", url, f"an address such as {', '.join(f'{name}://' for name in BUSES)}")
    if scheme not in BUSES:
        raise UnknownNameError("bus", scheme, BUSES)
    return MemoryBus()


def readings_of(plant: Plant, records: Sequence[dict[str, Any]], *, arrived_s: int) -> Readings:
    """Return the records of one moment as readings of the sites: their meters, and their batteries' state of charge."""
    keys: list[SeriesKey] = []
    values: list[float] = []
    for record in records:
        keys.append(SeriesKey(record["device_id"], POWER_KW))
        values.append(0.0 - record["net_grid_flow_kw"])
        if record["battery"] is not None:
            keys.append(SeriesKey(record["device_id"], SOC))
            values.append(fraction_from_percent(record["battery"]["soc_percent"]))
    at_s = epoch_s(parse_time(records[0]["timestamp"]))
    return Readings.from_table(
        plant.id, tuple(keys), np.array([at_s]), np.array([values]), arrived_s=max(arrived_s, at_s)
    )
