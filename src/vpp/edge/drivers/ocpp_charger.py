"""Chargers as the settings name them: who may connect, which connector is which asset, and how its limit is told.

A car draws: its power is negative in the house. OCPP tells limits as magnitudes, in watts or amperes per phase.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import floor
from typing import Literal, get_args

from vpp.core.errors import InvalidInputError
from vpp.core.units import w_from_kw

RateUnit = Literal["W", "A"]
SHORTEST_PASSWORD = 16
_STEPS_PER_UNIT = 10  # a limit has one decimal: OCPP 1.6, section 7.14


@dataclass(frozen=True, slots=True, kw_only=True)
class Connector:
    """A socket of a charger.

    Parameters
    ----------
    asset_id : str
        The asset it is.
    number : int
        Its connector (OCPP 1.6) or EVSE (2.0.1), from 1.
    full_kw : float
        Its largest power, above 0 [kW].
    phases : int
        Phases it charges on, 1 to 3.
    voltage_v : float
        Between phase and neutral, 100 to 300 [V]; turns power into current where the charger wants amperes.
    rate_unit : {"W", "A"}
        What the charger takes limits in.
    least_current_a : float
        Below this a car cannot charge, so a smaller limit pauses it [A per phase], 0 or more. IEC 61851-1: 6 A.
    """

    asset_id: str
    number: int = 1
    full_kw: float = 11.0
    phases: int = 3
    voltage_v: float = 230.0
    rate_unit: RateUnit = "W"
    least_current_a: float = 6.0

    def __post_init__(self) -> None:
        """Check every field."""
        if self.number < 1:
            raise InvalidInputError(f"{self.asset_id}.number", self.number, "1 or more")
        if not self.full_kw > 0.0:
            raise InvalidInputError(f"{self.asset_id}.full_kw", self.full_kw, "above 0 [kW]")
        if self.phases not in (1, 2, 3):
            raise InvalidInputError(f"{self.asset_id}.phases", self.phases, "1, 2 or 3")
        if not 100.0 <= self.voltage_v <= 300.0:
            raise InvalidInputError(f"{self.asset_id}.voltage_v", self.voltage_v, "100 to 300 [V]")
        if self.rate_unit not in get_args(RateUnit):
            raise InvalidInputError(f"{self.asset_id}.rate_unit", self.rate_unit, "W or A")
        if not self.least_current_a >= 0.0:
            raise InvalidInputError(f"{self.asset_id}.least_current_a", self.least_current_a, "0 or more [A]")

    def limit(self, power_kw: float) -> float:
        """Return the limit that lets a car draw at most a set-point, in ``rate_unit`` with one decimal.

        It is rounded down, and 0 (a pause) where a car could not charge with so little.

        Parameters
        ----------
        power_kw : float
            Set-point, 0 or negative: positive is toward the grid, so charging is negative [kW]. One beyond
            ``full_kw`` is a limit of ``full_kw``.

        Raises
        ------
        InvalidInputError
            When it is positive or no number.

        Examples
        --------
        >>> Connector(asset_id="car", rate_unit="A").limit(-6.9), Connector(asset_id="car").limit(-1.0)
        (10.0, 0.0)
        """
        if not power_kw <= 0.0:
            expected = "0 or a negative power [kW]: a charger draws, and this one cannot feed in"
            raise InvalidInputError(f"{self.asset_id}.power_kw", power_kw, expected)
        power_w = w_from_kw(min(-power_kw, self.full_kw))
        current_a = power_w / (self.phases * self.voltage_v)
        if current_a < self.least_current_a * (1.0 - 1e-9):
            return 0.0
        exact = power_w if self.rate_unit == "W" else current_a
        return floor(exact * _STEPS_PER_UNIT + 1e-6) / _STEPS_PER_UNIT


@dataclass(frozen=True, slots=True, kw_only=True)
class Charger:
    """A charger that may connect.

    Parameters
    ----------
    id : str
        Its identity: the last part of the address it calls, and its user name.
    connectors : tuple of Connector
        Its sockets, each number once.
    password : str
        Its password, at least 16 characters, drawn at random for this charger; never shown.
    anonymous : bool
        Let it in without a password. Only for chargers that know none, in a network of their own.
    id_tags : tuple of str
        Cards that may charge; empty for any.
    """

    id: str
    connectors: tuple[Connector, ...]
    password: str = field(default="", repr=False)
    anonymous: bool = False
    id_tags: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse weak passwords and sockets named twice."""
        if not self.id or "/" in self.id or ":" in self.id:
            raise InvalidInputError("charger.id", self.id, "a name without / and :")
        numbers = [one.number for one in self.connectors]
        if not numbers or len(set(numbers)) != len(numbers):
            raise InvalidInputError(f"{self.id}.connectors", numbers, "at least one, each number once")
        if self.anonymous:
            return
        weak = len(self.password) < SHORTEST_PASSWORD or self.id.lower() in self.password.lower()
        if weak or len(set(self.password)) < SHORTEST_PASSWORD // 2:
            expected = f"{SHORTEST_PASSWORD} or more random characters without its id, or anonymous: true"
            raise InvalidInputError(f"{self.id}.password", "a weak password", expected)
