"""A node: its commands from the guard to the device and their answers, and what it does when nobody commands.

Invariants: a command that was taken is answered exactly once; without a command for ``head_end_timeout_s`` every asset
is set to its safe set-point, at the latest one tick later. Used under the gateway's lock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from vpp.core.messages import POWER_KW, Ack, AckStatus, Command
from vpp.edge.following import capped_kw, followed_kw
from vpp.edge.guard import Guard, Verdict
from vpp.edge.limits import AssetLimits
from vpp.edge.steering import Order, Steering, Wish
from vpp.edge.worker import Telling, Told

_TOLERANCE_KW = 0.01
_TELL_AGAIN_S = 5.0
_LONGEST_WORDS = 500
_FRESH_S = 30.0
"""A meter's value that is older is not followed [s]."""


@dataclass(slots=True)
class _Pending:
    """A command that was taken and not answered yet."""

    order: Order
    verdict: Verdict
    is_told: bool = False


class Node:
    """One site's commands and set-points.

    Parameters
    ----------
    plant, id : str
        Plant and node.
    limits : mapping of str to AssetLimits
        The assets that take a set-point.
    head_end_timeout_s : float
        Silence of the head-end after which every asset is made safe [s], above 0.
    hold_s : float
        How long the set-point of a command that ended stays when no other follows [s].
    now_s : float
        The present on the steady counter.
    """

    def __init__(
        self,
        plant: str,
        id: str,  # noqa: A002, every noun of the house calls it so
        limits: Mapping[str, AssetLimits],
        *,
        head_end_timeout_s: float,
        hold_s: float,
        now_s: float,
    ) -> None:
        self.plant = plant
        self.id = id
        self._timeout_s = head_end_timeout_s
        self._guard = Guard(plant, id, limits)
        self.steerings = {asset_id: Steering(one, hold_s=hold_s) for asset_id, one in limits.items()}
        self._pending: dict[str, _Pending] = {}
        self._again_s: dict[str, float] = {}
        self._measured: dict[tuple[str, str], tuple[float, float]] = {}
        self._heard_s = now_s
        self.is_silent = False

    def silence_s(self, now_s: float) -> float:
        """Return how long the head-end has been silent [s]."""
        return now_s - self._heard_s

    def take(self, command: Command, *, now: datetime, now_s: float) -> Ack | None:
        """Assess a command that did not come before; return its answer when it is not to be executed."""
        verdict = self._guard.assess(command, now=now, steady_s=now_s)
        if not verdict.is_taken:
            return Ack(command.id, command.plant, command.asset_id, now, verdict.status, None, verdict.message)
        self._heard_s = now_s
        order = _order(command, verdict.power_kw, now=now, now_s=now_s)
        self.steerings[command.asset_id].take(order)
        self._pending[command.id] = _Pending(order, verdict)
        return None

    def resume(self, command: Command, *, now: datetime, now_s: float) -> None:
        """Go on with a command that was answered before the gateway was started anew."""
        steering = self.steerings.get(command.asset_id)
        if steering is not None:
            self._guard.remember(command)
            power_kw = steering.limits.clipped(command.power_kw)
            order = _order(command, power_kw, now=now, now_s=now_s)
            steering.take(order)
            steering.executed(order)

    def measured(self, source: str, metric: str, value: float, now_s: float) -> None:
        """Remember what was measured last."""
        self._measured[source, metric] = value, now_s

    def latest(self) -> dict[tuple[str, str], float]:
        """Return what was measured last, by source and metric."""
        return {key: value for key, (value, _) in self._measured.items()}

    def tick(self, *, now: datetime, now_s: float) -> tuple[list[Telling], list[tuple[str, Ack]]]:
        """Return what is to be told to devices now, and the answers to commands that can no longer be executed."""
        self.is_silent = self.silence_s(now_s) > self._timeout_s
        wishes = {
            asset_id: steering.wish(now_s, silent=self.is_silent) for asset_id, steering in self.steerings.items()
        }
        answers = self._lapsed(wishes, now=now, now_s=now_s)
        followed = self._followed(wishes, now_s)
        tellings = []
        for asset_id, steering in self.steerings.items():
            wish = wishes[asset_id]
            pending = None if wish.order is None else self._pending.get(wish.order.command.id)
            if pending is not None and not pending.is_told:
                steering.tell_again()
            elif self._again_s.get(asset_id, now_s + 1.0) <= now_s:
                del self._again_s[asset_id]
                steering.tell_again()
            from_kw = self._fresh(asset_id, POWER_KW, now_s)
            power_kw = steering.next_kw(followed[asset_id], now_s, from_kw=from_kw or 0.0)
            if power_kw is not None:
                steering.told(power_kw, now_s, wish.why)
                if pending is not None:
                    pending.is_told = True
                tellings.append(Telling(asset_id, power_kw, wish.why, wish.order))
        return tellings, answers

    def told(self, told: Told, *, now: datetime, now_s: float) -> list[tuple[str, Ack]]:
        """Take in what became of a set-point; return the answer when it closes a command."""
        telling = told.telling
        if told.fault:
            self._again_s[telling.asset_id] = now_s + _TELL_AGAIN_S
        elif telling.order is not None:
            self.steerings[telling.asset_id].executed(telling.order)
        pending = None if telling.order is None else self._pending.pop(telling.order.command.id, None)
        if pending is None:
            return []
        if told.fault:
            return [self._refused(pending, now, told.fault)]
        limits = self.steerings[telling.asset_id].limits
        return [(self.id, _answer(pending, told, now, is_cap=limits.is_cap))]

    def superseded(self, telling: Telling, *, now: datetime) -> list[tuple[str, Ack]]:
        """Answer a command whose set-point was replaced before the device could take it."""
        pending = None if telling.order is None else self._pending.pop(telling.order.command.id, None)
        return [] if pending is None else [self._refused(pending, now, "a newer set-point came first")]

    def _refused(self, pending: _Pending, now: datetime, why: str) -> tuple[str, Ack]:
        """Refuse a command that was taken: it is not executed later either."""
        command, why = pending.order.command, why[:_LONGEST_WORDS]
        self.steerings[command.asset_id].drop(pending.order)
        return self.id, Ack(command.id, command.plant, command.asset_id, now, AckStatus.REFUSED, None, why)

    def _lapsed(self, wishes: Mapping[str, Wish], *, now: datetime, now_s: float) -> list[tuple[str, Ack]]:
        answers = []
        for key, pending in list(self._pending.items()):
            command, holding = pending.order.command, wishes[pending.order.command.asset_id].order
            if pending.order.end_s <= now_s:
                why = (
                    "the device did not answer by its end" if pending.is_told else "its end came before it was executed"
                )
                ack = Ack(command.id, command.plant, command.asset_id, now, AckStatus.EXPIRED, None, why)
                answers.append((self.id, ack))
            elif not pending.is_told and pending.order.start_s <= now_s and holding not in (None, pending.order):
                answers.append(self._refused(pending, now, "a command that was issued later holds"))
            else:
                continue
            del self._pending[key]
        return answers

    def _followed(self, wishes: Mapping[str, Wish], now_s: float) -> dict[str, float]:
        """Return the set-points wished for, moved by what the meter says where the commands allow it."""
        powers = {asset_id: wish.power_kw for asset_id, wish in wishes.items()}
        grid_kw = self._fresh(self.id, POWER_KW, now_s)
        if grid_kw is None:
            return powers
        batteries = []
        held_grid_kw = grid_kw
        for asset_id, wish in wishes.items():
            does_kw = self._fresh(asset_id, POWER_KW, now_s)
            if wish.order is None or does_kw is None or not _follows(wish.order.command):
                continue
            if self.steerings[asset_id].limits.is_generator:
                powers[asset_id] = capped_kw(wish.order.command, wish.power_kw, made_kw=does_kw, grid_kw=grid_kw)
            else:
                batteries.append((asset_id, wish.order.command))
                held_grid_kw += wish.power_kw - does_kw
        for asset_id, command in batteries:
            powers[asset_id] = followed_kw(
                command, wishes[asset_id].power_kw, held_grid_kw=held_grid_kw, followers=len(batteries)
            )
        return powers

    def _fresh(self, source: str, metric: str, now_s: float) -> float | None:
        found = self._measured.get((source, metric))
        return found[0] if found is not None and now_s - found[1] <= _FRESH_S else None


def _follows(command: Command) -> bool:
    return command.grid_floor_kw is not None or command.grid_ceiling_kw is not None


def _order(command: Command, power_kw: float, *, now: datetime, now_s: float) -> Order:
    """Return a command on the steady counter: from here on no clock setting moves it."""
    start_s = now_s + (command.start - now).total_seconds()
    return Order(command, power_kw, start_s, now_s + (command.end - now).total_seconds())


def _answer(pending: _Pending, told: Told, now: datetime, *, is_cap: bool) -> Ack:
    """Return the answer to a command that its device took."""
    order, telling, measured_kw = pending.order, told.telling, told.measured_kw
    command, status, why = order.command, pending.verdict.status, pending.verdict.message
    if abs(telling.power_kw - order.power_kw) > _TOLERANCE_KW and not _follows(command):
        status, why = AckStatus.LIMITED, f"at {telling.power_kw:.3f} kW on its way to {order.power_kw:.3f} kW"
    elif told.is_exact and measured_kw is not None and not _obeys(telling.power_kw, measured_kw, is_cap=is_cap):
        status, why = AckStatus.LIMITED, f"told {telling.power_kw:.3f} kW, the device gives {measured_kw:.3f} kW"
    return Ack(command.id, command.plant, command.asset_id, now, status, measured_kw, why)


def _obeys(told_kw: float, measured_kw: float, *, is_cap: bool) -> bool:
    if is_cap:
        return abs(measured_kw) <= abs(told_kw) + _TOLERANCE_KW
    return abs(measured_kw - told_kw) <= _TOLERANCE_KW
