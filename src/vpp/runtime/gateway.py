"""The assembled gateway: drivers, buffer and nodes of ``vpp.edge`` joined to the bus of ``vpp.streams``."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from vpp.config import BUILTIN_PLANTS, VPPConfig
from vpp.config.edge_file import EdgeFile, LimitSpec
from vpp.core.assets import Plant
from vpp.core.errors import InvalidInputError, UnknownNameError, VppError
from vpp.core.messages import Channel, Readings
from vpp.core.ports import Clock
from vpp.edge.buffer import Buffer
from vpp.edge.gateway import Gateway, GatewaySettings
from vpp.edge.head_end import NodeFacts
from vpp.edge.limits import AssetLimits, limits_of
from vpp.edge.steady import SteadyClock
from vpp.runtime.clock import WallClock
from vpp.runtime.gateway_devices import driven_by
from vpp.runtime.gateway_head_end import BusHeadEnd, status_parcel
from vpp.streams.open import open_bus

_MARGIN_S = 300.0


def open_gateway(
    file: EdgeFile,
    *,
    base: Path,
    clock: Clock | None = None,
    on_readings: Callable[[str, Readings], None] | None = None,
) -> Gateway:
    """Return a gateway, ready to begin.

    Parameters
    ----------
    file : EdgeFile
        Its settings.
    base : Path
        Folder that file names in it count from.
    clock : Clock, optional
        The wall clock by default.
    on_readings : callable, optional
        Given a node and what was measured there; must not block.

    Raises
    ------
    VppError
        When a name is unknown, settings contradict each other, or the buffer or the bus cannot be opened. A broker
        that is away is none of these: readings wait for it.
    """
    config = _plant_config(file.plant, base)
    whole = config.plant
    nodes = file.nodes or tuple(site.id for site in whole.sites)
    plant = replace(whole, sites=tuple(whole.site(node) for node in dict.fromkeys(nodes)))
    steady = SteadyClock(clock or WallClock(), patience_s=file.clock_patience_s)
    drivers = driven_by(file.drivers, config, plant, base=base, clock=steady)
    limits = _limits(plant, file.limits)
    boot = secrets.token_hex(8)
    buffer = Buffer(
        _buffer_path(file, plant, base),
        plant=plant.id,
        boot=boot,
        clock=steady,
        capacity_rows=file.buffer.capacity_rows,
        keep_s=file.buffer.keep_s,
        ballast_bytes=file.buffer.ballast_bytes,
    )
    try:
        head_end = _head_end(file, plant, boot, steady)
        timeout_s = file.head_end_timeout_s or config.file.planning.resolution_s + _MARGIN_S
        return Gateway(
            plant.id,
            {site.id: [asset.id for asset in site.assets] for site in plant.sites},
            limits,
            drivers,
            buffer=buffer,
            head_end=head_end,
            clock=steady,
            settings=GatewaySettings(
                head_end_timeout_s=timeout_s,
                hold_s=file.hold_s,
                status_every_s=file.status_every_s,
                backfill_rows_per_s=file.backfill_rows_per_s,
                recall_s=file.recall_s,
            ),
            on_readings=on_readings,
        )
    except VppError:
        buffer.close()
        raise


def _plant_config(name: str, base: Path) -> VPPConfig:
    config = VPPConfig.load(name if name in BUILTIN_PLANTS else str(base / name))
    if not config.validate().is_valid:
        first = config.validate().errors[0]
        raise InvalidInputError(f"{name}: {first.path}", first.value, first.message)
    return config


def _buffer_path(file: EdgeFile, plant: Plant, base: Path) -> Path:
    return base / (file.buffer.path or f"{plant.id}-edge.db")


def _limits(plant: Plant, specs: tuple[LimitSpec, ...]) -> dict[str, AssetLimits]:
    """Return the limits of the assets' ratings, narrowed where the file says so."""
    by_rating = {asset.id: limits_of(asset) for asset in plant.assets}
    limits = {asset_id: one for asset_id, one in by_rating.items() if one is not None}
    for spec in specs:
        if spec.asset not in limits:
            raise UnknownNameError("asset that takes a set-point", spec.asset, limits)
        given = {name: value for name, value in spec.model_dump(exclude={"asset"}).items() if value is not None}
        limits[spec.asset] = _narrowed(limits[spec.asset], given)
    return limits


def _narrowed(rated: AssetLimits, given: dict[str, Any]) -> AssetLimits:
    for name, value in given.items():
        if name in ("low_kw", "high_kw") and not rated.low_kw <= value <= rated.high_kw:
            expected = f"{rated.low_kw:g} to {rated.high_kw:g} kW, the asset's rating"
            raise InvalidInputError(f"limits.{rated.asset_id}.{name}", value, expected)
    low_kw, high_kw = given.get("low_kw", rated.low_kw), given.get("high_kw", rated.high_kw)
    safe_kw = given.pop("safe_kw", min(max(rated.safe_kw, low_kw), high_kw))
    return replace(rated, safe_kw=safe_kw, **given)


def _head_end(file: EdgeFile, plant: Plant, boot: str, clock: Clock) -> BusHeadEnd:
    nodes = [site.id for site in plant.sites]
    name = file.client or f"{plant.id}-{nodes[0]}{'' if len(nodes) == 1 else f'-and-{len(nodes) - 1}'}"
    # a link has one last will: that of the first node
    will = status_parcel(plant.id, NodeFacts(nodes[0], boot, False, clock.now(), {"why": "the link broke"}))
    bus = open_bus(
        file.bus,
        plants=[plant.id],
        channels=[Channel.CONTROL],
        group=f"edge-{name}",
        client_id=f"vpp-edge-{name}",
        wait_s=0.0,
        will=will,
    )
    return BusHeadEnd(plant.id, nodes, bus)
