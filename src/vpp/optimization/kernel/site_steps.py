"""The steps of a site: one storage behind a meter with two prices, two limits, curtailable generation and power sold.

The cost of a step is convex and piecewise linear in the charge and discharge powers. Where burning energy cannot pay,
its lower edge over the change of the stored energy runs along the axes; elsewhere it is the lower hull of the vertices
of its linear parts. Both are exact.

Plain Python that numba compiles as it stands, hence without keyword-only parameters.
"""

from __future__ import annotations

from math import inf
from typing import NamedTuple

import numpy as np

from vpp.optimization.kernel.price_steps import CHARGE_ONLY, DISCHARGE_ONLY, Directions, Unit
from vpp.optimization.kernel.segments import Band, Floats, Pieces, inside, solve, value, workspace

# 4 parts of the meter's cost have 3 inner edges; with both ends, rest and both at full power 7 lines, 2 vertices each
MOST_PARTS = 4
MOST_POINTS = 14
MOST_SEGMENTS = MOST_POINTS - 1
# a meter never needs more than everything behind it at once; one spare kW keeps that bound from ever binding
SPARE_KW = 1.0
NEAR = 1e-12
NEAR_KW = 1e-9


class Meter(NamedTuple):
    """What a site may do at its meter: columns of shape (T,), in kW and currency/kWh, and its limits.

    ``fixed_kw`` is positive toward the grid; ``sold_kw`` is NaN where nothing is sold.
    """

    import_price_per_kwh: Floats
    export_price_per_kwh: Floats
    fixed_kw: Floats
    curtailable_kw: Floats
    sold_kw: Floats
    import_max_kw: float
    export_max_kw: float
    imbalance_spread_per_kwh: float


class Curve(NamedTuple):
    """What a kW of demand behind the meter costs per hour: parts of rising slope between rising edges."""

    edge_kw: Floats
    slope: Floats


class Points(NamedTuple):
    """Vertices of a step's lower edge over the change of the stored energy, and the slope from each to the next."""

    change_kwh: Floats
    cost: Floats
    slope: Floats
    charge_kw: Floats
    discharge_kw: Floats


class Answer(NamedTuple):
    """Where a site's plan is written, each of shape (T,)."""

    charge_kw: Floats
    discharge_kw: Floats
    energy_kwh: Floats
    curtailed_kw: Floats
    value_per_kwh: Floats
    price_per_kwh: Floats


def empty_points() -> Points:
    """Return room for the vertices of one step, and one more."""
    room = MOST_POINTS + 1
    return Points(np.empty(room), np.empty(room), np.empty(room), np.empty(room), np.empty(room))


def meter_curve(meter: Meter, unit: Unit, step: int, curve: Curve) -> tuple[int, int, float]:
    """Write what the net charge c - d costs at the meter; return the parts, which is generation, and the first cost.

    The curve begins where everything is exported and no generation is used. The part with slope 0 that stands for
    using curtailable generation has number -1 when there is none.
    """
    edge, slope = curve.edge_kw, curve.slope
    fixed, spare = meter.fixed_kw[step], meter.curtailable_kw[step]
    into = min(meter.import_max_kw, max(unit.charge_max_kw - fixed, 0.0) + SPARE_KW)
    out = min(meter.export_max_kw, max(fixed + spare + unit.discharge_max_kw, 0.0) + SPARE_KW)
    buy, sell = meter.import_price_per_kwh[step], meter.export_price_per_kwh[step]
    kink, spread, cost = inf, 0.0, -sell * out
    if not np.isnan(meter.sold_kw[step]):
        kink, spread = -meter.sold_kw[step], meter.imbalance_spread_per_kwh
        cost += spread * abs(out + kink)
    count, at = 0, -out
    edge[0] = at + fixed
    for part in range(2):
        # where feeding in pays more than drawing costs, the relaxation does both, the better first
        price, end = (min(buy, sell), 0.0 if sell <= buy else into - out) if part == 0 else (max(buy, sell), into)
        if at < kink < end:
            slope[count], edge[count + 1] = price - spread, kink + fixed
            count, at = count + 1, kink
        if at < end:
            slope[count], edge[count + 1] = (price + spread if at >= kink else price - spread), end + fixed
            count, at = count + 1, end
    if spare <= 0.0:
        return count, -1, cost
    free = 0
    while free < count and slope[free] < 0.0:
        free += 1
    for j in range(count, free, -1):
        slope[j], edge[j + 1] = slope[j - 1], edge[j] + spare
    slope[free], edge[free + 1] = 0.0, edge[free] + spare
    return count + 1, free, cost


def put(points: Points, at: int, unit: Unit, charge_kw: float, discharge_kw: float) -> int:
    """Write a vertex without its cost; return the place of the next."""
    stored = charge_kw * unit.charge_efficiency - discharge_kw / unit.discharge_efficiency
    points.change_kwh[at] = stored * unit.duration_h
    points.charge_kw[at], points.discharge_kw[at] = charge_kw, discharge_kw
    return at + 1


def axis_points(unit: Unit, box: tuple[float, float, float, float], curve: Curve, count: int, points: Points) -> int:
    """Write the lower edge where one direction at a time is best; burning only takes it further down."""
    low, high, into, out = box
    loss, room, at = 1.0 / unit.discharge_efficiency - unit.charge_efficiency, min(out + low, into), 0
    if room > 0.0 and loss > 0.0:
        points.slope[0] = -unit.wear_cost_per_kwh / loss
        at = put(points, 0, unit, room, room - low)
    at = put(points, at, unit, 0.0, 0.0 - low)
    for part in range(count):
        start, end = max(curve.edge_kw[part], low), min(curve.edge_kw[part + 1], high)
        if end <= start:
            continue
        if start < 0.0:
            points.slope[at - 1] = (curve.slope[part] - unit.wear_cost_per_kwh) * unit.discharge_efficiency
            at = put(points, at, unit, 0.0, 0.0 - min(end, 0.0))
        if end > 0.0:
            points.slope[at - 1] = curve.slope[part] / unit.charge_efficiency
            at = put(points, at, unit, end, 0.0)
    return at


def meter_cost(curve: Curve, count: int, first_cost: float, net_kw: float) -> float:
    """Return what a net charge costs per hour."""
    cost = first_cost
    for part in range(count):
        if net_kw <= curve.edge_kw[part]:
            break
        cost += curve.slope[part] * (min(net_kw, curve.edge_kw[part + 1]) - curve.edge_kw[part])
    return cost


def move(points: Points, source: int, target: int) -> None:
    """Copy a vertex."""
    points.change_kwh[target], points.cost[target] = points.change_kwh[source], points.cost[source]
    points.charge_kw[target], points.discharge_kw[target] = points.charge_kw[source], points.discharge_kw[source]


def keep_hull(points: Points, size: int) -> int:
    """Keep the lower hull of the first vertices, in rising order, with its slopes; return how many are on it."""
    change, cost = points.change_kwh, points.cost
    # one place beyond the vertices is free for exchanging two
    spare = change.size - 1
    for i in range(1, size):
        move(points, i, spare)
        j = i
        while j > 0 and (change[j - 1], cost[j - 1]) > (change[spare], cost[spare]):
            move(points, j - 1, j)
            j -= 1
        move(points, spare, j)
    kept = 0
    for i in range(size):
        if kept and change[i] - change[kept - 1] <= NEAR * max(1.0, abs(change[i])):
            if cost[i] >= cost[kept - 1]:
                continue
            kept -= 1
        while kept > 1:
            rise = (cost[kept - 1] - cost[kept - 2]) * (change[i] - change[kept - 2])
            if rise < (cost[i] - cost[kept - 2]) * (change[kept - 1] - change[kept - 2]):
                break
            kept -= 1
        move(points, i, kept)
        kept += 1
    for i in range(kept - 1):
        points.slope[i] = (cost[i + 1] - cost[i]) / (change[i + 1] - change[i])
    return kept


def hull_points(
    unit: Unit, box: tuple[float, float, float, float], curve: Curve, count: int, first_cost: float, points: Points
) -> int:
    """Write the lower edge in general: of the vertices of the linear parts, those on the lower hull."""
    low, high, into, out = box
    size = 0
    for k in range(count + 3):
        net = low
        if k > 0:
            net = high if k == count + 2 else into - out if k == count + 1 else 0.0 if k == count else curve.edge_kw[k]
            if net <= low or net > high or (net == high and k < count + 2):
                continue
        charge, discharge = max(net, 0.0), max(0.0 - net, 0.0)
        cost = meter_cost(curve, count, first_cost, net)
        both = min(into - charge, out - discharge)
        for burnt in (0.0, both):
            points.cost[size] = (cost + unit.wear_cost_per_kwh * (discharge + burnt)) * unit.duration_h
            size = put(points, size, unit, charge + burnt, discharge + burnt)
    return keep_hull(points, size)


def lower_edge(meter: Meter, unit: Unit, step: int, way: int, curve: Curve, points: Points) -> tuple[int, float]:
    """Write the vertices of a step's least cost over the change of the stored energy.

    Burning energy, charging and discharging at once, is open unless ``way`` closes a direction. Returns how many
    vertices there are, 0 for no plan, and the change from which on one direction at a time is best.
    """
    count, _, first_cost = meter_curve(meter, unit, step, curve)
    into = 0.0 if way == DISCHARGE_ONLY else unit.charge_max_kw
    out = 0.0 if way == CHARGE_ONLY else unit.discharge_max_kw
    low, high = max(-out, curve.edge_kw[0]), min(into, curve.edge_kw[count])
    if high < low:
        if high < low - NEAR * max(1.0, abs(low)):
            return 0, inf
        high = low
    part = 0
    while part < count - 1 and curve.edge_kw[part + 1] <= low:
        part += 1
    kept = unit.charge_efficiency * unit.discharge_efficiency
    burns = kept < 1.0 and curve.slope[part] * (1.0 - kept) < -unit.wear_cost_per_kwh * kept
    box = (low, high, into, out)
    if low <= 0.0 <= high and not burns:
        return axis_points(unit, box, curve, count, points), low * unit.duration_h / unit.discharge_efficiency
    return hull_points(unit, box, curve, count, first_cost, points), inf


def powers_at(points: Points, count: int, change_kwh: float) -> tuple[float, float]:
    """Return the charge and discharge power [kW] on a lower edge at a change of the stored energy."""
    part = 0
    while part < count - 2 and points.change_kwh[part + 1] <= change_kwh:
        part += 1
    if count == 1 or change_kwh <= points.change_kwh[part]:
        return points.charge_kw[part], points.discharge_kw[part]
    width = points.change_kwh[part + 1] - points.change_kwh[part]
    share = min((change_kwh - points.change_kwh[part]) / width, 1.0)
    charge = points.charge_kw[part] + share * (points.charge_kw[part + 1] - points.charge_kw[part])
    discharge = points.discharge_kw[part] + share * (points.discharge_kw[part + 1] - points.discharge_kw[part])
    return charge, discharge


def bus_price(unit: Unit, box: tuple[float, float], curve: Curve, count: int, answer: Answer, step: int) -> float:
    """Return what one more kWh at the bus is worth: a slope of the meter's cost that agrees with the storage."""
    into, out = box
    charge, discharge = answer.charge_kw[step], answer.discharge_kw[step]
    net, worth = charge - discharge, answer.value_per_kwh[step]
    near_kw = NEAR_KW * max(1.0, abs(net))
    least, most = -inf, inf
    for part in range(count):
        if net > curve.edge_kw[part] + near_kw:
            least = curve.slope[part]
        if net < curve.edge_kw[part + 1] - near_kw:
            most = curve.slope[part]
            break
    stored, taken = worth * unit.charge_efficiency, worth / unit.discharge_efficiency + unit.wear_cost_per_kwh
    if charge < into - near_kw:
        least = max(least, stored)
    if charge > near_kw:
        most = min(most, stored)
    if discharge < out - near_kw:
        most = min(most, taken)
    if discharge > near_kw:
        least = max(least, taken)
    return inside(min(least, most), max(least, most))


def settle(
    meter: Meter, unit: Unit, band: Band, directions: Directions, axis_kwh: Floats, answer: Answer
) -> tuple[float, float]:
    """Write powers, curtailment and bus prices of a plan from its energies and values.

    Returns its cost and the largest power [kW] that runs both ways at once.
    """
    curve, points = Curve(np.empty(MOST_PARTS + 1), np.empty(MOST_PARTS)), empty_points()
    total, most_both, before = 0.0, 0.0, band.initial_kwh
    stored, taken = 1.0 / (unit.charge_efficiency * unit.duration_h), unit.discharge_efficiency / unit.duration_h
    for step in range(answer.energy_kwh.size):
        way, change = directions[step], answer.energy_kwh[step] - before
        before = answer.energy_kwh[step]
        into = 0.0 if way == DISCHARGE_ONLY else unit.charge_max_kw
        out = 0.0 if way == CHARGE_ONLY else unit.discharge_max_kw
        if change >= axis_kwh[step]:
            charge, discharge = min(max(change * stored, 0.0), into), min(max(0.0 - change * taken, 0.0), out)
        else:
            vertices, _ = lower_edge(meter, unit, step, way, curve, points)
            charge, discharge = powers_at(points, vertices, change)
        answer.charge_kw[step], answer.discharge_kw[step] = charge, discharge
        most_both = max(most_both, min(charge, discharge))
        count, free, first_cost = meter_curve(meter, unit, step, curve)
        cost = meter_cost(curve, count, first_cost, charge - discharge) + unit.wear_cost_per_kwh * discharge
        total += unit.duration_h * cost
        used = 0.0
        if free >= 0:
            used = min(max(charge - discharge - curve.edge_kw[free], 0.0), meter.curtailable_kw[step])
        answer.curtailed_kw[step] = meter.curtailable_kw[step] - used
        answer.price_per_kwh[step] = bus_price(unit, (into, out), curve, count, answer, step)
        if band.floor_kwh.size:
            total += band.penalty_per_kwh * max(band.floor_kwh[step] - before, 0.0)
    return total - band.terminal_value_per_kwh * before, most_both


def best_site(meter: Meter, unit: Unit, band: Band, directions: Directions, answer: Answer) -> tuple[float, float]:
    """Write the plan of least cost of a site.

    Returns its cost, NaN when there is no plan, and the largest power [kW] that runs both ways at once.
    """
    steps = meter.fixed_kw.size
    most = MOST_SEGMENTS * steps
    pieces = Pieces(np.empty(steps + 1, np.int64), np.empty(most), np.empty(most), np.empty(steps))
    curve, points = Curve(np.empty(MOST_PARTS + 1), np.empty(MOST_PARTS)), empty_points()
    axis_kwh, at = np.empty(steps), 0
    for step in range(steps):
        pieces.first[step] = at
        count, axis_kwh[step] = lower_edge(meter, unit, step, directions[step], curve, points)
        if count == 0:
            return np.nan, 0.0
        pieces.lowest_kwh[step] = points.change_kwh[0]
        for k in range(count - 1):
            pieces.slope[at] = points.slope[k]
            pieces.width[at] = points.change_kwh[k + 1] - points.change_kwh[k]
            at += 1
    pieces.first[steps] = at
    if not solve(pieces, band, workspace(at, steps), answer.energy_kwh):
        return np.nan, 0.0
    value(pieces, band, answer.energy_kwh, answer.value_per_kwh)
    return settle(meter, unit, band, directions, axis_kwh, answer)
