"""Ageing while it happens: calendar loss every step, cycle loss when the online rainflow closes a cycle.

Plain arithmetic on arrays: the same source runs as Python and compiled. Losses are advanced in virtual time and
throughput (``ageing.power_law``), so changing conditions never make a cell heal.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vpp.core.units import SECONDS_PER_DAY, SECONDS_PER_HOUR
from vpp.simulation.battery.ageing.naumann import gain_by_cycles as naumann_gain_by_cycles
from vpp.simulation.battery.ageing.naumann import gain_by_time as naumann_gain_by_time
from vpp.simulation.battery.ageing.naumann import loss_by_cycles as naumann_loss_by_cycles
from vpp.simulation.battery.ageing.naumann import loss_by_time as naumann_loss_by_time
from vpp.simulation.battery.ageing.power_law import advanced
from vpp.simulation.battery.ageing.schmalstieg import gain_by_throughput as schmalstieg_gain_by_throughput
from vpp.simulation.battery.ageing.schmalstieg import gain_by_time as schmalstieg_gain_by_time
from vpp.simulation.battery.ageing.schmalstieg import loss_by_throughput as schmalstieg_loss_by_throughput
from vpp.simulation.battery.ageing.schmalstieg import loss_by_time as schmalstieg_loss_by_time
from vpp.simulation.battery.counting import LEAST_TURN, RATE, VOLTAGE, closed
from vpp.simulation.battery.counting import SOC as TURN

Floats = NDArray[np.float64]
NO_LAW, NAUMANN, SCHMALSTIEG = range(3)

SOC, RC_V, TEMPERATURE_K, TRIPPED = range(4)
CALENDAR_LOSS, CYCLE_LOSS, CALENDAR_GAIN, CYCLE_GAIN, MOVED_AS = range(4, 9)
TURNS, LEG_AS, LEG_S, LEG_VS, EXTREME_SOC = range(9, 14)
STATE_COLUMNS = 14
"""Columns of one battery's state; the leg is what has happened since the last turning point."""


def age_by_time(state: Floats, law: int, ocv_v: float, seconds: float) -> None:
    """Add calendar ageing of one step at the state's temperature and charge."""
    warm, soc = state[TEMPERATURE_K], state[SOC]
    if law == NAUMANN:
        rate = naumann_loss_by_time(warm, soc)
        state[CALENDAR_LOSS] = advanced(state[CALENDAR_LOSS], rate, seconds, 0.5)
        state[CALENDAR_GAIN] += naumann_gain_by_time(warm, soc) * seconds
    elif law == SCHMALSTIEG:
        days = seconds / SECONDS_PER_DAY
        state[CALENDAR_LOSS] = advanced(state[CALENDAR_LOSS], schmalstieg_loss_by_time(warm, ocv_v), days, 0.75)
        state[CALENDAR_GAIN] = advanced(state[CALENDAR_GAIN], schmalstieg_gain_by_time(warm, ocv_v), days, 0.75)


def age_by_cycle(state: Floats, law: int, cycle: Floats, capacity_as: float) -> None:
    """Add the ageing of one counted cycle: its depth, count, C-rate and voltage."""
    depth, count, rate, voltage = cycle
    if law == NAUMANN:
        loss = naumann_loss_by_cycles(rate, depth)
        state[CYCLE_LOSS] = advanced(state[CYCLE_LOSS], loss, count * depth, 0.5)
        state[CYCLE_GAIN] += naumann_gain_by_cycles(rate, depth) * count * depth
    elif law == SCHMALSTIEG:
        hours_a = 2.0 * count * depth * capacity_as / SECONDS_PER_HOUR
        loss = schmalstieg_loss_by_throughput(voltage, depth)
        state[CYCLE_LOSS] = advanced(state[CYCLE_LOSS], loss, hours_a, 0.5)
        state[CYCLE_GAIN] += schmalstieg_gain_by_throughput(voltage, depth) * hours_a


def turned(state: Floats, stack: Floats, capacity_as: float, after: float) -> bool:
    """Follow the state of charge to ``after``; True when a turning point went on the stack."""
    held = int(state[TURNS])
    if held == 0:
        stack[0, TURN], stack[0, RATE], stack[0, VOLTAGE] = state[SOC], 0.0, 0.0
        state[TURNS], state[EXTREME_SOC] = 1.0, after
        return False
    extreme = state[EXTREME_SOC]
    way = extreme - stack[held - 1, TURN]
    if way * (after - extreme) >= 0.0 or abs(way) < LEAST_TURN:
        state[EXTREME_SOC] = after
        return False
    if abs(after - extreme) < LEAST_TURN:
        return False
    stack[held, TURN] = extreme
    seconds = state[LEG_S]
    stack[held, RATE] = state[LEG_AS] / seconds * SECONDS_PER_HOUR / capacity_as if seconds > 0.0 else 0.0
    stack[held, VOLTAGE] = state[LEG_VS] / seconds if seconds > 0.0 else 0.0
    state[TURNS], state[EXTREME_SOC] = held + 1.0, after
    state[LEG_AS], state[LEG_S], state[LEG_VS] = 0.0, 0.0, 0.0
    return True


def follow(
    state: Floats, room: tuple[Floats, Floats], law: int, capacity_as: float, moved: tuple[float, float, float, float]
) -> None:
    """Take in one step's movement and the ageing of every cycle that it closed.

    Parameters
    ----------
    state : float array, shape (STATE_COLUMNS,)
        Changed in place; its state of charge is still that before the step.
    room : tuple of float arrays
        The stack, shape (DEPTH, COLUMNS), and room for one cycle, shape (4,).
    law : int
        Ageing law.
    capacity_as : float
        Charge of the new cell.
    moved : tuple of float
        New state of charge, current [A], terminal voltage [V], length [s]. Rate and voltage of a leg are means over
        the steps that moved charge.
    """
    after, current, voltage, seconds = moved
    stack, cycle = room
    if turned(state, stack, capacity_as, after):
        while True:
            held = int(state[TURNS])
            left = closed(stack, held, cycle)
            if left == held:
                break
            state[TURNS] = float(left)
            age_by_cycle(state, law, cycle, capacity_as)
    if current != 0.0:
        state[LEG_AS] += abs(current) * seconds
        state[LEG_S] += seconds
        state[LEG_VS] += voltage * seconds
