"""What the plant file says, as tables beside what was measured, for people who ask by SQL."""

from __future__ import annotations

import json
from dataclasses import asdict
from math import isfinite
from typing import Any

from sqlalchemy import Connection, delete, insert

from vpp.core.assets import Asset, Battery, Plant
from vpp.store.tables import BATTERIES, SOURCES

_FIGURES = ("capacity_kwh", "charge_max_kw", "discharge_max_kw", "soc_min", "soc_max")


def describe(connection: Connection, plant: Plant) -> None:
    """Keep the assets of a plant in place of those that were kept of it, within an open transaction."""
    sources = [
        {"plant": plant.id, "id": asset.id, "kind": asset.kind, "site": site.id, "facts": json.dumps(_ratings(asset))}
        for site in plant.sites
        for asset in site.assets
    ]
    batteries = [
        {"plant": plant.id, "id": battery.id, **{name: getattr(battery, name) for name in _FIGURES}}
        for site in plant.sites
        for battery in site.assets
        if isinstance(battery, Battery)
    ]
    for table, rows in ((SOURCES, sources), (BATTERIES, batteries)):
        connection.execute(delete(table).where(table.c.plant == plant.id))
        if rows:
            connection.execute(insert(table), rows)


def _ratings(asset: Asset) -> dict[str, Any]:
    """Return the numbers of an asset; JSON knows no infinity, which says that there is no limit."""
    return {
        name: value
        for name, value in asdict(asset).items()
        if isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
    }
