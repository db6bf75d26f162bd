"""Steering: what one asset's device is to be told now, from the commands taken, the clock and the asset's limits.

Invariants, whatever commands come: every set-point lies within the bounds; two set-points that differ are told at least
``TICK_S`` apart where a slew limit holds, and differ by no more than it allows in that time; no more turns between
charging and discharging than allowed. All times are seconds on a steady counter.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import StrEnum
from math import inf

from vpp.core.messages import Command
from vpp.edge.limits import AssetLimits

TICK_S = 1.0
_SECONDS_PER_MIN = 60.0


class Why(StrEnum):
    """What a set-point comes from."""

    COMMAND = "command"
    HOLD = "hold"
    SAFE = "safe"


@dataclass(frozen=True, slots=True)
class Order:
    """A command that was taken, on the steady counter.

    Parameters
    ----------
    command : Command
        What was asked.
    power_kw : float
        Its set-point within the bounds.
    start_s, end_s : float
        When it holds [steady s].
    """

    command: Command
    power_kw: float
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Wish:
    """What an asset should be set to, before its limits.

    Parameters
    ----------
    power_kw : float
        Set-point [kW].
    why : Why
        What it comes from.
    order : Order or None
        The command behind it, if one holds now.
    """

    power_kw: float
    why: Why
    order: Order | None = None


class Steering:
    """The orders and set-points of one asset.

    Parameters
    ----------
    limits : AssetLimits
        Its limits.
    hold_s : float
        How long the set-point of a command that ended stays, when no other follows [s], 0 or more.
    """

    def __init__(self, limits: AssetLimits, *, hold_s: float) -> None:
        self.limits = limits
        self._hold_s = hold_s
        self._orders: list[Order] = []
        self._last: Order | None = None
        self._executed: Order | None = None
        self.told_kw: float | None = None
        self.why = Why.SAFE
        self._told_s = -inf
        self._again = False
        self._direction = 0
        self._flips: deque[float] = deque()

    def take(self, order: Order) -> None:
        """Add an order; of several that hold at once the one issued last counts, of one moment the last to come."""
        self._orders.append(order)
        self._orders.sort(key=lambda one: one.command.issued_at)

    def executed(self, order: Order) -> None:
        """Say that the device took the set-point of an order; only such a one is held after its end."""
        self._executed = order

    def drop(self, order: Order) -> None:
        """Forget an order that was refused after all."""
        self._orders = [one for one in self._orders if one is not order]

    def wish(self, now_s: float, *, silent: bool) -> Wish:
        """Return what it should be set to, from its orders alone.

        Parameters
        ----------
        now_s : float
            The present [steady s].
        silent : bool
            True when the head-end has been silent for too long: then it is made safe, whatever was ordered.
        """
        self._orders = [order for order in self._orders if order.end_s > now_s or self._retire(order)]
        if silent:
            return Wish(self.limits.safe_kw, Why.SAFE)
        holding = [order for order in self._orders if order.start_s <= now_s]
        if holding:
            return Wish(holding[-1].power_kw, Why.COMMAND, holding[-1])
        if self._last is not None and now_s < self._last.end_s + self._hold_s:
            return Wish(self._last.power_kw, Why.HOLD)
        return Wish(self.limits.safe_kw, Why.SAFE)

    def next_kw(self, power_kw: float, now_s: float, *, from_kw: float = 0.0) -> float | None:
        """Return the set-point to tell the device now on its way to ``power_kw``; None when there is none to tell.

        Parameters
        ----------
        power_kw : float
            What it should be set to [kW].
        now_s : float
            The present [steady s].
        from_kw : float
            What it does now, for the first set-point of all [kW].
        """
        target = self.limits.clipped(power_kw)
        before = self.told_kw
        step_kw = self.limits.slew_kw_per_min / _SECONDS_PER_MIN * TICK_S
        if step_kw < inf:
            if now_s - self._told_s < TICK_S:
                return None
            base = self.limits.clipped(from_kw) if before is None else before
            target = min(max(target, base - step_kw), base + step_kw)
        if self._direction * target < 0.0 and not self._may_turn(now_s):
            target = self.limits.clipped(0.0)
        return None if target == before and not self._again else target

    def told(self, power_kw: float, now_s: float, why: Why) -> None:
        """Remember a set-point that goes to the device."""
        direction = (power_kw > 0.0) - (power_kw < 0.0)
        if direction * self._direction < 0:
            self._flips.append(now_s)
        self._direction = direction or self._direction
        self.told_kw, self._told_s, self.why, self._again = power_kw, now_s, why, False

    def tell_again(self) -> None:
        """Say that the device did not take the last set-point: it is told again, though nothing changed."""
        self._again = True

    def _retire(self, order: Order) -> bool:
        if order is self._executed:
            self._last = order
        return False

    def _may_turn(self, now_s: float) -> bool:
        while self._flips and now_s - self._flips[0] >= self.limits.flip_window_s:
            self._flips.popleft()
        return len(self._flips) < self.limits.most_flips
