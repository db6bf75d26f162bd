"""Following the meter: how far assets leave their set-points because a command lets them see the grid power.

Floor, ceiling and ``may_reverse`` mean what ``Command`` says; several batteries behind one meter share what is needed.
"""

from __future__ import annotations

from vpp.core.messages import Command


def followed_kw(command: Command, power_kw: float, *, held_grid_kw: float, followers: int) -> float:
    """Return a battery's set-point once it follows the meter [kW, positive toward the grid].

    Parameters
    ----------
    command : Command
        With the leave to follow.
    power_kw : float
        Its set-point.
    held_grid_kw : float
        Grid power there would be if every follower held its set-point [kW, positive feeds in].
    followers : int
        Batteries behind this meter that follow it now, 1 or more.

    Examples
    --------
    A load of 3 kW appears: the battery gives what keeps the grid power from falling below 0.

    >>> from datetime import datetime, timedelta, UTC
    >>> start = datetime(2026, 11, 20, tzinfo=UTC)
    >>> order = Command("c", "p", "store", start, start, start + timedelta(hours=1), 1.0, grid_floor_kw=0.0)
    >>> followed_kw(order, 1.0, held_grid_kw=-2.0, followers=1)
    3.0
    """
    wanted_grid_kw = held_grid_kw
    if command.grid_floor_kw is not None:
        wanted_grid_kw = max(wanted_grid_kw, command.grid_floor_kw)
    if command.grid_ceiling_kw is not None:
        wanted_grid_kw = min(wanted_grid_kw, command.grid_ceiling_kw)
    follows_kw = power_kw + (wanted_grid_kw - held_grid_kw) / followers
    if command.may_reverse:
        return follows_kw
    if power_kw > 0.0:
        return max(follows_kw, 0.0)
    return min(follows_kw, 0.0) if power_kw < 0.0 else follows_kw


def capped_kw(command: Command, cap_kw: float, *, made_kw: float, grid_kw: float) -> float:
    """Return a generator's cap once it keeps the grid power below its ceiling [kW].

    Parameters
    ----------
    command : Command
        With the ceiling; without one the cap stays.
    cap_kw : float
        Its cap.
    made_kw, grid_kw : float
        What it makes and what flows at the meter now [kW, positive feeds in].
    """
    if command.grid_ceiling_kw is None:
        return cap_kw
    return min(cap_kw, max(made_kw + command.grid_ceiling_kw - grid_kw, 0.0))
