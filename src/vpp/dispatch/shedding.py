"""Shedding and curtailment: in an emergency, who gives up how much, by priority.

Invariant: what is given up adds up to what was asked for, to the last bit that a sum of floats has, or to all there is;
the shortfall is stated. A class of higher priority number is touched only when the lower ones have given everything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import fsum, inf

from vpp.core.errors import InvalidInputError, SeriesMismatchError


@dataclass(frozen=True, slots=True)
class Relief:
    """What each participant gives up.

    Parameters
    ----------
    relief_kw : tuple of float, length N
        Load shed or generation curtailed, non-negative magnitudes [kW].
    total_kw : float
        Their sum.
    shortfall_kw : float
        What was asked for and is not there, 0 or more.
    """

    relief_kw: tuple[float, ...]
    total_kw: float
    shortfall_kw: float


def shed_load(deficit_kw: float, sheddable_kw: Sequence[float], priority: Sequence[int]) -> Relief:
    """Shed load until a deficit of power is met.

    Parameters
    ----------
    deficit_kw : float
        Power that is missing, 0 or more.
    sheddable_kw : sequence of float, length N
        What each load can give up now, 0 or more [kW]; 0 protects a load.
    priority : sequence of int, length N
        Class of each load; the lowest number is shed first, and within a class everyone gives up the same share.

    Returns
    -------
    Relief
        What each load gives up.

    Raises
    ------
    InvalidInputError, SeriesMismatchError
        For a power that is negative, infinite or NaN, or lists of different lengths.

    Examples
    --------
    >>> shed_load(30.0, [10.0, 40.0, 40.0], [1, 2, 2])
    Relief(relief_kw=(10.0, 10.0, 10.0), total_kw=30.0, shortfall_kw=0.0)
    """
    return _relief(deficit_kw, sheddable_kw, priority, asked="deficit_kw", given="sheddable_kw")


def curtail_generation(surplus_kw: float, curtailable_kw: Sequence[float], priority: Sequence[int]) -> Relief:
    """Curtail generation until a surplus of power is gone; the mirror of ``shed_load``.

    >>> curtail_generation(50.0, [20.0, 20.0], [1, 1])
    Relief(relief_kw=(20.0, 20.0), total_kw=40.0, shortfall_kw=10.0)
    """
    return _relief(surplus_kw, curtailable_kw, priority, asked="surplus_kw", given="curtailable_kw")


def _relief(
    needed_kw: float, available_kw: Sequence[float], priority: Sequence[int], *, asked: str, given: str
) -> Relief:
    if len(available_kw) != len(priority):
        raise SeriesMismatchError("priority", len(priority), f"{len(available_kw)} entries, one per {given}")
    for name, value in ((asked, needed_kw), *((f"{given}[{i}]", kw) for i, kw in enumerate(available_kw))):
        if not 0.0 <= value < inf:
            raise InvalidInputError(name, value, "0 or more, finite [kW]")
    classes: dict[int, list[int]] = {}
    for index, number in enumerate(priority):
        classes.setdefault(number, []).append(index)
    relief_kw, left_kw = [0.0] * len(available_kw), needed_kw
    given_kw: list[float] = []
    for number in sorted(classes):
        members = classes[number]
        total_kw = fsum(available_kw[i] for i in members)
        if total_kw > left_kw:
            _share(_left_kw(needed_kw, given_kw), total_kw, members, available_kw, relief_kw)
            return Relief(tuple(relief_kw), needed_kw, 0.0)
        for i in members:
            relief_kw[i] = available_kw[i]
            given_kw.append(available_kw[i])
        left_kw -= total_kw
    return Relief(tuple(relief_kw), fsum(given_kw), _left_kw(needed_kw, given_kw))


def _left_kw(needed_kw: float, given_kw: Sequence[float]) -> float:
    """Return what is still needed, rounded once."""
    return max(fsum((needed_kw, *(-kw for kw in given_kw))), 0.0)


def _share(
    left_kw: float, total_kw: float, members: list[int], available_kw: Sequence[float], relief_kw: list[float]
) -> None:
    """Write equal shares of ``left_kw`` into the members' places; the largest takes up what rounding leaves."""
    for i in members:
        relief_kw[i] = available_kw[i] * (left_kw / total_kw)
    largest = max(members, key=available_kw.__getitem__)
    rest_kw = fsum((left_kw, *(-relief_kw[i] for i in members if i != largest)))
    relief_kw[largest] = min(max(rest_kw, 0.0), available_kw[largest])
