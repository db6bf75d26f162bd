"""Loading sites in the order of their cost: the cheapest first, the last one in part."""

from __future__ import annotations

from collections.abc import Callable
from math import nan

import numpy as np
from numpy.typing import NDArray

from vpp.core.extras import compiled

Floats = NDArray[np.float64]
Kernel = Callable[[Floats, Floats, float, Floats], tuple[float, float]]
Loaded = tuple[Floats, float, float]
_BINS = 2048
_SAME = 1e-300


def load_few(
    order: list[int], cost_per_kwh: list[float], room_kw: list[float], need_kw: float
) -> tuple[list[float], float]:
    """Return the power of each site [kW] and the cost of the last one loaded, given the order of their costs.

    >>> load_few([1, 0], [0.3, 0.1], [50.0, 100.0], 120.0)
    ([20.0, 100.0], 0.3)
    """
    power_kw, price = [0.0] * len(room_kw), nan
    for site in order:
        if need_kw <= 0.0:
            break
        taken_kw = room_kw[site]
        if taken_kw > need_kw:
            taken_kw = need_kw
        if taken_kw > 0.0:
            power_kw[site] = taken_kw
            price = cost_per_kwh[site]
            need_kw -= taken_kw
    return power_kw, price


def load_many(cost_per_kwh: Floats, room_kw: Floats, need_kw: float) -> Loaded:
    """Return power [kW], cost of the last site loaded, and cost of all: by selection with numba, by a sort without."""
    kernel = _kernel()
    if kernel is None:
        return load_in_numpy(cost_per_kwh, room_kw, need_kw)
    power_kw = np.zeros(room_kw.size)
    price, spent = kernel(np.ascontiguousarray(cost_per_kwh), np.ascontiguousarray(room_kw), need_kw, power_kw)
    return power_kw, price, spent


def load_in_numpy(cost_per_kwh: Floats, room_kw: Floats, need_kw: float) -> Loaded:
    """Load by sorting: the twin of the compiled selection."""
    order = np.argsort(cost_per_kwh, kind="stable")
    room, cost = room_kw[order], cost_per_kwh[order]
    before = np.cumsum(room) - room
    taken = np.clip(need_kw - before, 0.0, room)
    power_kw = np.empty(room_kw.size)
    power_kw[order] = taken
    loaded = np.flatnonzero(taken > 0.0)
    return power_kw, float(cost[loaded[-1]]) if loaded.size else nan, float((cost * taken).sum())


def load_by_selection(cost_per_kwh: Floats, room_kw: Floats, need_kw: float, power_kw: Floats) -> tuple[float, float]:
    """Fill ``power_kw``, zeros before, without a sort; return the cost of the last site loaded and of all together.

    Sites fall into bins of equal width by their cost. What lies below the bin in which the power asked for runs out is
    loaded in full; that bin is split in the same way, until the sites left in it cost the same.
    """
    sites = np.arange(cost_per_kwh.size)
    price, spent = np.nan, 0.0
    filled = np.empty(_BINS)
    while need_kw > 0.0 and sites.size > 0:
        low, high = cost_per_kwh[sites[0]], cost_per_kwh[sites[0]]
        for site in sites:
            low, high = min(low, cost_per_kwh[site]), max(high, cost_per_kwh[site])
        # costs that differ by less than a float can divide by count as equal
        scale = (_BINS - 1) / (high - low) if high - low > _SAME else 0.0
        filled[:] = 0.0
        for site in sites:
            filled[int((cost_per_kwh[site] - low) * scale)] += room_kw[site]
        total_kw = 0.0
        for filled_kw in filled:
            total_kw += filled_kw
        # summed in the same order as below, so that rounding never points past the last bin that holds anything
        need_kw = min(need_kw, total_kw)
        last, below_kw = 0, 0.0
        while last < _BINS - 1 and below_kw + filled[last] < need_kw:
            below_kw += filled[last]
            last += 1
        inside = np.empty_like(sites)
        count = 0
        for site in sites:
            # no branch here: half of them would be mispredicted, and each costs more than the arithmetic
            bin_of_site = int((cost_per_kwh[site] - low) * scale)
            loaded_kw = room_kw[site] * (bin_of_site < last)
            power_kw[site] = loaded_kw
            spent += cost_per_kwh[site] * loaded_kw
            inside[count] = site
            count += bin_of_site == last
        need_kw -= below_kw
        sites = inside[:count]
        if scale == 0.0:
            break
    for site in sites:
        taken_kw = min(room_kw[site], need_kw)
        if taken_kw > 0.0:
            power_kw[site] = taken_kw
            price = cost_per_kwh[site]
            spent += price * taken_kw
            need_kw -= taken_kw
    return price, spent


def _kernel() -> Kernel | None:
    return compiled(load_by_selection, "UniTuple(float64, 2)(float64[::1], float64[::1], float64, float64[::1])")
