"""What is offered, commanded, answered and told: offers, awards, commands, acks, events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vpp.core.time import TimeGrid

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Offer:
    """A position offered to a market: mean power per step, positive sells.

    ``price_per_kwh`` is the limit price, or None to sell at any.
    """

    id: str
    plant: str
    product: str
    issued_at: datetime
    grid: TimeGrid
    power_kw: Floats
    price_per_kwh: float | None = None


@dataclass(frozen=True, slots=True)
class Award:
    """What the market took of an offer: mean power per step (positive sold) at a price per step."""

    offer_id: str
    plant: str
    product: str
    grid: TimeGrid
    power_kw: Floats
    price_per_kwh: Floats


@dataclass(frozen=True, slots=True)
class Command:
    """What an asset shall do from ``start`` to ``end``; void after ``end``.

    The set-point is a terminal power. A device that sees the meter of its site may be allowed to leave it:
    it raises its power while the site's grid power (positive feeds in) would fall below ``grid_floor_kw``,
    and lowers it while the grid power would rise above ``grid_ceiling_kw``. None means: do not follow.
    Following takes a battery to rest; only with ``may_reverse`` does it go on from charging to discharging or back.
    For a generator the set-point is a cap on its power.
    """

    id: str
    plant: str
    asset_id: str
    issued_at: datetime
    start: datetime
    end: datetime
    power_kw: float
    grid_floor_kw: float | None = None
    grid_ceiling_kw: float | None = None
    may_reverse: bool = False


class AckStatus(StrEnum):
    """What became of a command."""

    EXECUTED = "executed"
    LIMITED = "limited"
    REFUSED = "refused"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Ack:
    """A device's answer to a command: what it did [kW, mean over the step], measured, and why if not what was asked."""

    command_id: str
    plant: str
    asset_id: str
    at: datetime
    status: AckStatus
    power_kw: float | None
    message: str = ""


class Severity(StrEnum):
    """How much an event matters."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Event:
    """Something the operator should know, with its facts as data."""

    plant: str
    at: datetime
    kind: str
    severity: Severity
    message: str
    fields: Mapping[str, Any] = field(default_factory=dict)
