"""The guard: every command is checked on the gateway, against its own settings, before a device hears of it.

| what is wrong | answer |
|---|---|
| another plant, an asset that is not here or takes no set-point, another node's | REFUSED |
| the id came before with other content | REFUSED |
| it ends before it starts, or a number is not finite | REFUSED |
| its end has passed | EXPIRED |
| issued later than now by more than the tolerance, or starts more than a day ahead | REFUSED |
| issued before another command that is taken for the asset and overlaps it | REFUSED |
| more commands for the asset within a minute than allowed | REFUSED |
| power outside the asset's bounds | clipped, LIMITED |
| the change is faster than the slew limit | ramped, LIMITED |
| more turns between charging and discharging than allowed | held at 0 kW, LIMITED |

The last two are held by ``steering``, which every set-point passes, whatever it comes from.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import isfinite

from vpp.core.messages import AckStatus, Command
from vpp.core.units import SECONDS_PER_DAY
from vpp.edge.limits import AssetLimits

CLOCK_TOLERANCE_S = 60.0
"""How far a command may be issued ahead of this gateway's clock [s]."""
_MINUTE_S = 60.0
_FARTHEST = timedelta(seconds=SECONDS_PER_DAY)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the guard says of a command.

    Parameters
    ----------
    status : AckStatus
        EXECUTED when it may be executed as it is, LIMITED when clipped; else it may not.
    power_kw : float
        The set-point within the bounds [kW].
    message : str
        Why not as asked; empty when nothing is wrong.
    """

    status: AckStatus
    power_kw: float = 0.0
    message: str = ""

    @property
    def is_taken(self) -> bool:
        """True when the command is to be executed."""
        return self.status in (AckStatus.EXECUTED, AckStatus.LIMITED)


class Guard:
    """Checks the commands of one node; holds what was taken lately.

    Parameters
    ----------
    plant, node : str
        Whose commands they must be.
    limits : mapping of str to AssetLimits
        The assets of the node that take a set-point, by id.
    """

    def __init__(self, plant: str, node: str, limits: Mapping[str, AssetLimits]) -> None:
        self._plant = plant
        self._node = node
        self._limits = dict(limits)
        self._taken_s: dict[str, deque[float]] = {asset_id: deque() for asset_id in limits}
        self._newest: dict[str, Command] = {}

    def assess(self, command: Command, *, now: datetime, steady_s: float) -> Verdict:
        """Return what is to become of a command that did not come before; one that is taken is remembered.

        Parameters
        ----------
        command : Command
            What came.
        now : datetime
            The present, aware.
        steady_s : float
            The same on a counter that no clock setting moves [s]; rates are counted on it.
        """
        refused = self._wrong_address(command) or self._wrong_time(command, now)
        if refused is not None:
            return refused
        lately = self._taken_s[command.asset_id]
        while lately and steady_s - lately[0] >= _MINUTE_S:
            lately.popleft()
        limits = self._limits[command.asset_id]
        if len(lately) >= limits.most_commands_per_min:
            return _refused(f"more than {limits.most_commands_per_min} commands for {command.asset_id} within a minute")
        lately.append(steady_s)
        self.remember(command)
        power_kw = limits.clipped(command.power_kw)
        if power_kw == command.power_kw:
            return Verdict(AckStatus.EXECUTED, power_kw)
        bounds = f"{limits.low_kw:g} to {limits.high_kw:g} kW"
        return Verdict(
            AckStatus.LIMITED, power_kw, f"asked for {command.power_kw:g} kW, {command.asset_id} allows {bounds}"
        )

    def remember(self, command: Command) -> None:
        """Count a command as taken: what was issued before it and overlaps it is refused from now on."""
        newest = self._newest.get(command.asset_id)
        if newest is None or command.issued_at >= newest.issued_at:
            self._newest[command.asset_id] = command

    def _wrong_address(self, command: Command) -> Verdict | None:
        if command.plant != self._plant:
            return _refused(f"a command for plant {command.plant!r}; this is {self._plant!r}")
        if command.asset_id not in self._limits:
            return _refused(f"{command.asset_id!r} takes no set-point at node {self._node!r}")
        return None

    def _wrong_time(self, command: Command, now: datetime) -> Verdict | None:
        numbers = (command.power_kw, command.grid_floor_kw, command.grid_ceiling_kw)
        if not all(number is None or isfinite(number) for number in numbers):
            return _refused("a number that is not finite")
        if not command.start < command.end:
            return _refused(f"it ends ({command.end.isoformat()}) before it starts ({command.start.isoformat()})")
        if command.end <= now:
            return Verdict(
                AckStatus.EXPIRED, message=f"it ended at {command.end.isoformat()}, before it could be executed"
            )
        ahead_s = (command.issued_at - now).total_seconds()
        if ahead_s > CLOCK_TOLERANCE_S:
            return _refused(f"issued {ahead_s:.0f} s ahead of this gateway's clock")
        if command.start - now > _FARTHEST:
            return _refused(f"it starts more than a day ahead, at {command.start.isoformat()}")
        newest = self._newest.get(command.asset_id)
        if newest is not None and command.issued_at < newest.issued_at and _overlap(command, newest):
            return _refused(f"command {newest.id!r} was issued later and is taken already")
        return None


def _overlap(one: Command, other: Command) -> bool:
    return one.start < other.end and other.start < one.end


def _refused(why: str) -> Verdict:
    return Verdict(AckStatus.REFUSED, message=why)
