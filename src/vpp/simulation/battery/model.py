"""What every battery model offers, whatever its fidelity: batteries side by side, one step or many.

Positive power discharges. Invariant, for every model and every step: energy stored before = energy stored after +
terminal energy + loss; the power reported is what the limits left of the request.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vpp.core.errors import InvalidInputError, SeriesMismatchError

Floats = NDArray[np.float64]
State = TypeVar("State")


@dataclass(frozen=True, slots=True)
class BatteryRecord:
    """What A batteries did in a step, shape (A,), or in T steps, shape (T, A).

    Parameters
    ----------
    power_kw : float array
        Mean power at the terminals after every limit; positive discharges.
    loss_kwh : float array
        Energy that left the store and did not pass the terminals, 0 or more: heat, conversion, standby, and the
        charge that went with lost capacity.
    fade_kwh : float array
        The last part of it: charge that went with lost capacity.
    stored_kwh : float array
        Energy stored at the end.
    soc : float array
        State of charge at the end (0-1).
    voltage_v, temperature_c : float array
        At the terminals and in the cells, at the end; NaN where the model has none.
    equivalent_full_cycles : float array
        Charge moved so far, both ways, per twice the capacity when new.
    state_of_health : float array
        Capacity left (0-1).
    resistance_growth : float array
        Resistance per resistance when new.
    limit : int8 array
        What bound the power, see ``LIMITS``.
    """

    power_kw: Floats
    loss_kwh: Floats
    fade_kwh: Floats
    stored_kwh: Floats
    soc: Floats
    voltage_v: Floats
    temperature_c: Floats
    equivalent_full_cycles: Floats
    state_of_health: Floats
    resistance_growth: Floats
    limit: NDArray[np.int8]


LIMITS = ("none", "current", "temperature", "charge", "voltage", "trip", "power")
"""Names of the codes in ``BatteryRecord.limit``, by position."""


@dataclass(frozen=True, slots=True)
class BatteryStep(Generic[State]):
    """The state after a step, or after many, and what happened on the way."""

    state: State
    record: BatteryRecord

    def first(self) -> BatteryStep[State]:
        """Return the same with the first row of the record: a step from a run of one."""
        columns = {field.name: getattr(self.record, field.name)[0] for field in fields(self.record)}
        return BatteryStep(self.state, BatteryRecord(**columns))


class BatteryModel(Protocol[State]):
    """A batteries of one fidelity. A state is a value: a step returns a new one and leaves the old one as it was."""

    @property
    def count(self) -> int:
        """Number of batteries, A."""
        ...

    def initial(self, soc: ArrayLike = 0.5) -> State:
        """Return new batteries at rest at a state of charge (0-1) inside their bands."""
        ...

    def step(
        self, state: State, request_kw: ArrayLike, *, duration_h: float, ambient_c: ArrayLike = 25.0
    ) -> BatteryStep[State]:
        """Hold a requested power for one step; arrays of shape (A,)."""
        ...

    def run(
        self, state: State, request_kw: ArrayLike, *, duration_h: float, ambient_c: ArrayLike = 25.0
    ) -> BatteryStep[State]:
        """Hold requested powers of shape (T, A) one after the other; the record's arrays have shape (T, A)."""
        ...


def parameter(
    owner: str, name: str, value: ArrayLike, count: int, *, low: float, high: float, unit: str, above: bool = False
) -> Floats:
    """Return a parameter of A batteries as an array of its own, shape (A,); a number stands for all.

    Raises
    ------
    InvalidInputError
        When a value is not a finite number from ``low`` to ``high`` (``above``: beyond ``low``).
    SeriesMismatchError
        When the array is not of length A.
    """
    given = np.asarray(value, dtype=np.float64)
    if given.shape not in ((), (count,)):
        raise SeriesMismatchError(f"{owner}.{name}", given.shape, f"one number, or one per battery ({count})")
    inside = np.isfinite(given) & ((given > low) if above else (given >= low)) & (given <= high)
    if not inside.all():
        worst = given[~inside][0] if given.ndim else given
        start = f"above {low:g}" if above else f"{low:g}"
        end = f" to {high:g}" if np.isfinite(high) else "" if above else " or more"
        raise InvalidInputError(f"{owner}.{name}", float(worst), f"{start}{end} [{unit}]")
    return np.broadcast_to(given, (count,)).copy()


def requested(name: str, value: ArrayLike, shape: tuple[int, ...]) -> Floats:
    """Return a request or a temperature in its shape; a hole in the data must not become a state of charge.

    Raises
    ------
    SeriesMismatchError
        When it does not broadcast to the shape.
    InvalidInputError
        When it holds NaN.
    """
    given = np.asarray(value, dtype=np.float64)
    try:
        filled = np.broadcast_to(given, shape)
    except ValueError as fault:
        raise SeriesMismatchError(name, given.shape, f"a shape that broadcasts to {shape}") from fault
    if np.isnan(filled).any():
        raise InvalidInputError(name, float("nan"), "numbers; decide what a missing value means before it gets here")
    return filled
