"""The slope trick: the exact least cost of one storage over a horizon of convex piecewise-linear steps.

The least cost of arriving at an energy, V(e), is convex and piecewise linear; it is held as its segments (slope, width)
in rising order of slope. A step with cost f merges f's segments into them and cuts what lies outside the band: that is
the infimal convolution, exact, with no grid. Going back needs only where each segment was inserted.

Every function here is plain Python that numba compiles as it stands (``compiled.py``): one source, two speeds.
Energies in kWh, slopes in currency/kWh.
"""

from __future__ import annotations

from math import inf
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
# relative to the band: what rounding may move an energy by
TOLERANCE = 1e-9


class Pieces(NamedTuple):
    """What a change of the stored energy costs in each of T steps, as M segments in all.

    ``first`` (T + 1) says where the segments of a step begin; ``slope`` and ``width`` (M) hold them, slopes rising
    within a step and widths above 0; ``lowest_kwh`` (T) is the change at which the first segment of a step begins.
    """

    first: Integers
    slope: Floats
    width: Floats
    lowest_kwh: Floats


class Band(NamedTuple):
    """Where the energy may be: the band, the start, the least at the end, what the end is worth, and a soft floor.

    ``floor_kwh`` is (T) or empty; energy below it costs ``penalty_per_kwh`` at the end of each step.
    """

    lowest_kwh: float
    highest_kwh: float
    initial_kwh: float
    final_lowest_kwh: float
    terminal_value_per_kwh: float
    floor_kwh: Floats
    penalty_per_kwh: float


class Workspace(NamedTuple):
    """Room for V, used from the middle to both ends, and the energy at which each of the M segments was inserted."""

    slope: Floats
    width: Floats
    place: Floats


def workspace(segments: int, steps: int) -> Workspace:
    """Return room for a horizon; every segment and every split of a soft floor moves one end of V by one."""
    room = 2 * (segments + steps) + 4
    return Workspace(np.empty(room), np.empty(room), np.empty(segments))


def insert(pieces: Pieces, step: int, work: Workspace, low: float, head: int, tail: int) -> tuple[int, int, float]:
    """Merge the segments of a step into V = work[head:tail], which begins at ``low``.

    Returns the new ends and the width that was added.
    """
    slope, width = work.slope, work.width
    at, position, added = head, low, 0.0
    for k in range(pieces.first[step], pieces.first[step + 1]):
        new, wide = pieces.slope[k], pieces.width[k]
        added += wide
        while at < tail and slope[at] < new:
            position += width[at]
            at += 1
        work.place[k] = position
        if at - head < tail - at:
            for j in range(head, at):
                slope[j - 1] = slope[j]
                width[j - 1] = width[j]
            head -= 1
            slope[at - 1] = new
            width[at - 1] = wide
        else:
            for j in range(tail, at, -1):
                slope[j] = slope[j - 1]
                width[j] = width[j - 1]
            tail += 1
            slope[at] = new
            width[at] = wide
            at += 1
    return head, tail, added


def lift(work: Workspace, low: float, head: int, tail: int, floor: float, penalty: float) -> int:
    """Add ``penalty`` per kWh below ``floor`` to V; return the new head."""
    at, position = head, low
    while at < tail and position + work.width[at] <= floor:
        work.slope[at] -= penalty
        position += work.width[at]
        at += 1
    if at == tail or position >= floor:
        return head
    for j in range(head, at):
        work.slope[j - 1] = work.slope[j]
        work.width[j - 1] = work.width[j]
    work.slope[at - 1] = work.slope[at] - penalty
    work.width[at - 1] = floor - position
    work.width[at] -= floor - position
    return head - 1


def go_back(pieces: Pieces, band: Band, place: Floats, final_kwh: float, energy_kwh: Floats) -> None:
    """Write the energies that lead to ``final_kwh``, from the last step to the first."""
    energy = final_kwh
    for step in range(energy_kwh.size - 1, -1, -1):
        energy_kwh[step] = min(max(energy, band.lowest_kwh), band.highest_kwh)
        energy -= pieces.lowest_kwh[step]
        for k in range(pieces.first[step], pieces.first[step + 1]):
            if energy <= place[k]:
                break
            if energy <= place[k] + pieces.width[k]:
                energy = place[k]
                break
            energy -= pieces.width[k]


def solve(pieces: Pieces, band: Band, work: Workspace, energy_kwh: Floats) -> bool:
    """Write the energy at the end of each step of a least-cost plan; False when none stays in the band."""
    slope, width = work.slope, work.width
    lowest, highest = band.lowest_kwh, band.highest_kwh
    slack = TOLERANCE * max(1.0, highest)
    head = slope.size // 2
    tail = head
    low = high = band.initial_kwh
    for step in range(pieces.lowest_kwh.size):
        head, tail, added = insert(pieces, step, work, low, head, tail)
        low += pieces.lowest_kwh[step]
        high += pieces.lowest_kwh[step] + added
        if high < lowest - slack or low > highest + slack:
            return False
        while head < tail and low + width[head] <= lowest:
            low += width[head]
            head += 1
        if low < lowest:
            if head < tail:
                width[head] -= lowest - low
            low = lowest
        while head < tail and high - width[tail - 1] >= highest:
            high -= width[tail - 1]
            tail -= 1
        if high > highest:
            if head < tail:
                width[tail - 1] -= high - highest
            high = highest
        # with nothing left to choose, both ends are the same point
        if head == tail:
            low = high = min(max(low, lowest), highest)
        if band.floor_kwh.size:
            head = lift(work, low, head, tail, band.floor_kwh[step], band.penalty_per_kwh)
    if high < band.final_lowest_kwh - slack:
        return False
    while head < tail and slope[head] < band.terminal_value_per_kwh:
        low += width[head]
        head += 1
    go_back(pieces, band, work.place, min(max(low, band.final_lowest_kwh), high), energy_kwh)
    return True


def slopes_at(pieces: Pieces, step: int, change_kwh: float, slack: float) -> tuple[float, float]:
    """Return the interval of slopes of a step's cost at a change; infinite where the step can do no more."""
    first, last = pieces.first[step], pieces.first[step + 1]
    rest = change_kwh - pieces.lowest_kwh[step]
    least = -inf
    for k in range(first, last):
        if rest <= slack:
            return least, pieces.slope[k]
        if rest < pieces.width[k] - slack:
            return pieces.slope[k], pieces.slope[k]
        least = pieces.slope[k]
        rest -= pieces.width[k]
    return least, inf


def widen(band: Band, step: int, energy_kwh: float, slack: float, least: float, most: float) -> tuple[float, float]:
    """Return what a kWh arriving in a step may be worth, given what one kept into the next step is."""
    if band.floor_kwh.size and energy_kwh < band.floor_kwh[step] + slack:
        most += band.penalty_per_kwh
        if energy_kwh < band.floor_kwh[step] - slack:
            least += band.penalty_per_kwh
    if energy_kwh >= band.highest_kwh - slack:
        least = -inf
    if energy_kwh <= band.lowest_kwh + slack:
        most = inf
    return least, most


def inside(least: float, most: float) -> float:
    """Return a finite number of an interval: its middle, else its finite end, else 0."""
    if least > -inf and most < inf:
        return 0.5 * (least + most)
    if least > -inf:
        return least
    return most if most < inf else 0.0


def value(pieces: Pieces, band: Band, energy_kwh: Floats, value_per_kwh: Floats) -> None:
    """Write what one more kWh at the end of each step is worth: the slope of the value function along a plan.

    Backward, the interval that the later steps and the band leave; forward, one consistent choice within it.
    """
    steps = energy_kwh.size
    slack = TOLERANCE * max(1.0, band.highest_kwh)
    lower, upper = np.empty(steps), np.empty(steps)
    least = most = band.terminal_value_per_kwh
    if energy_kwh[steps - 1] <= band.final_lowest_kwh + slack:
        most = inf
    for step in range(steps - 1, -1, -1):
        least, most = widen(band, step, energy_kwh[step], slack, least, most)
        before = energy_kwh[step - 1] if step > 0 else band.initial_kwh
        cheap, dear = slopes_at(pieces, step, energy_kwh[step] - before, slack)
        least, most = max(least, cheap), min(most, dear)
        # rounding may part two equal slopes
        if least > most:
            least = most = 0.5 * (least + most)
        lower[step], upper[step] = least, most
    worth = inside(least, most)
    for step in range(steps):
        # the soft floor's price is paid at the end of each step that stays below it
        if step > 0 and band.floor_kwh.size and energy_kwh[step - 1] < band.floor_kwh[step - 1] - slack:
            worth -= band.penalty_per_kwh
        worth = min(max(worth, lower[step]), upper[step])
        value_per_kwh[step] = worth
