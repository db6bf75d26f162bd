"""Simulated records as telemetry: every site's meter, and its batteries' state of charge, as one message of its node.

On the bus the house's signs hold: positive toward the grid.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vpp.core.messages import POWER_KW, SOC, Channel, Parcel
from vpp.core.ports import Bus
from vpp.core.time import epoch_s, parse_time
from vpp.core.units import fraction_from_percent
from vpp.runtime.producing import Row, Speaker
from vpp.streams.open import open_bus

MEMORY = "memory://"


class SimulationPublisher:
    """Publishes what simulated sites tell.

    Parameters
    ----------
    url : str
        The bus. On ``memory://`` without a name nobody listens, so nothing is held there.
    plant : str
        Plant id.
    """

    def __init__(self, url: str, plant: str) -> None:
        self._plant = plant
        self._drains = url == MEMORY
        self._bus: Bus[Parcel] = open_bus(url, channels=[Channel.TELEMETRY] if self._drains else [])
        self._speakers: dict[str, Speaker] = {}

    def publish(self, records: Sequence[dict[str, Any]], *, issued_s: int) -> int:
        """Publish the records of one moment; return how many readings they held."""
        parcels, count = [], 0
        for record in records:
            site = record["device_id"]
            rows = rows_of(record)
            speaker = self._speakers.setdefault(site, Speaker(self._plant, site))
            parcels.append(speaker.say(rows, issued_s=issued_s))
            count += len(rows)
        self._bus.publish(parcels)
        if self._drains:
            self._bus.consume(most=len(parcels))
            self._bus.acknowledge()
        return count

    def close(self) -> None:
        """Close the bus."""
        self._bus.close()


def rows_of(record: dict[str, Any]) -> list[Row]:
    """Return one site's record as readings: its meter and, where it has batteries, their state of charge."""
    site, at_s = record["device_id"], epoch_s(parse_time(record["timestamp"]))
    rows: list[Row] = [(site, POWER_KW, at_s, 0.0 - record["net_grid_flow_kw"])]
    if record["battery"] is not None:
        rows.append((site, SOC, at_s, fraction_from_percent(record["battery"]["soc_percent"])))
    return rows
