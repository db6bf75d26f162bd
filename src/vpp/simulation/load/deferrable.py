"""Deferrable machines: runs of a known energy that may start anywhere inside a window."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vpp.core.errors import InvalidInputError, SeriesMismatchError
from vpp.simulation.load.pulses import pulse_power

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
ROUNDING_H = 1e-9


@dataclass(frozen=True, slots=True)
class DeferrableRuns:
    """N runs of S machines, arrays of shape (N,).

    Parameters
    ----------
    machine : int array
        Which machine, 0 to S - 1.
    earliest_h, latest_h : float array
        Window from the grid's start: a run may not begin before, and must be over by.
    energy_kwh : float array
        Of a run, 0 or more.
    power_kw : float array
        While it runs, above 0.
    """

    machine: Integers
    earliest_h: Floats
    latest_h: Floats
    energy_kwh: Floats
    power_kw: Floats

    def __post_init__(self) -> None:
        """Check that every run fits its window."""
        for name in ("earliest_h", "latest_h", "energy_kwh", "power_kw"):
            if np.shape(getattr(self, name)) != np.shape(self.machine):
                raise SeriesMismatchError(f"runs.{name}", np.shape(getattr(self, name)), "one per run, as machine")
        if not np.all(self.energy_kwh >= 0.0):
            raise InvalidInputError("runs.energy_kwh", float(np.min(self.energy_kwh)), "0 or more [kWh]")
        if not np.all(self.power_kw > 0.0):
            raise InvalidInputError("runs.power_kw", float(np.min(self.power_kw)), "above 0 [kW]")
        short = self.energy_kwh - self.power_kw * (self.latest_h - self.earliest_h)
        worst = int(np.argmax(short)) if short.size else 0
        if short.size and short[worst] > ROUNDING_H * self.power_kw[worst]:
            most = float(self.power_kw[worst] * max(self.latest_h[worst] - self.earliest_h[worst], 0.0))
            raise InvalidInputError(
                f"runs.energy_kwh[{worst}]",
                float(self.energy_kwh[worst]),
                f"at most what fits its window, {most:g} kWh",
            )

    @property
    def run_h(self) -> Floats:
        """Length of each run."""
        return self.energy_kwh / self.power_kw

    @property
    def slack_h(self) -> Floats:
        """How much later than at the earliest each run may begin."""
        return self.latest_h - self.earliest_h - self.run_h


def deferrable_load(
    runs: DeferrableRuns, *, duration_h: float, shape: tuple[int, int], start_h: ArrayLike | None = None
) -> Floats:
    """Return the load of machines [kW], shape (T, S).

    Parameters
    ----------
    runs : DeferrableRuns
        N runs.
    duration_h : float
        Length of a step, above 0.
    shape : tuple of int
        Steps and machines, (T, S).
    start_h : float array, shape (N,), optional
        When each run begins; as early as it may unless given.

    Raises
    ------
    InvalidInputError
        When a run would leave its window.

    Examples
    --------
    >>> columns = np.array([0]), np.array([1.0]), np.array([6.0]), np.array([3.0]), np.array([2.0])
    >>> runs = DeferrableRuns(*columns)
    >>> deferrable_load(runs, duration_h=1.0, shape=(6, 1), start_h=[2.5])[:, 0].tolist()
    [0.0, 0.0, 1.0, 2.0, 0.0, 0.0]
    """
    begin = runs.earliest_h if start_h is None else np.asarray(start_h, dtype=np.float64)
    outside = (begin < runs.earliest_h - ROUNDING_H) | (begin + runs.run_h > runs.latest_h + ROUNDING_H)
    if outside.any():
        at = int(np.flatnonzero(outside)[0])
        window = f"{runs.earliest_h[at]:g} to {runs.earliest_h[at] + runs.slack_h[at]:g} [h]"
        raise InvalidInputError(f"start_h[{at}]", float(begin[at]), window)
    return pulse_power(begin, begin + runs.run_h, runs.power_kw, runs.machine, duration_h=duration_h, shape=shape)
