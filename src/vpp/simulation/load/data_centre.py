"""Data-centre nodes: jobs come, run and go; cooling and losses sit on top (power usage effectiveness, PUE).

Invariant: computing, cooling and losses sum to the load; computing never exceeds the node's rating.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vpp.core.errors import InvalidInputError, SeriesMismatchError
from vpp.simulation.load.pulses import pulse_power
from vpp.simulation.load.streams import numbers
from vpp.simulation.seeds import generator

Floats = NDArray[np.float64]
LONGEST_JOB = 20.0
"""Mean lengths: how far before the grid jobs may have begun."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataCentre:
    """One kind of node.

    Parameters
    ----------
    rated_kw : float
        Of the computers, above 0.
    idle_share : float
        Drawn without any job (0-1).
    utilisation : float
        Mean share of the rest that jobs would use if nothing were cut, 0 to 1.
    job_kw, job_h : float
        Power and mean length of a job, above 0; lengths are exponential.
    losses_share : float
        Power supply, light and the like per computing power, 0 to 1.
    cooling_share : float
        Cooling per computing power up to ``free_cooling_c``, 0 to 1.
    cooling_share_per_k : float
        What each kelvin beyond adds, 0 to 0.2.
    free_cooling_c : float
        Outdoor temperature up to which outside air is enough.

    Examples
    --------
    >>> centre = DataCentre(rated_kw=500.0)
    >>> centre.pue([10.0, 30.0]).round(3).tolist()
    [1.15, 1.27]
    """

    rated_kw: float
    idle_share: float = 0.35
    utilisation: float = 0.5
    job_kw: float = 5.0
    job_h: float = 1.5
    losses_share: float = 0.08
    cooling_share: float = 0.07
    cooling_share_per_k: float = 0.01
    free_cooling_c: float = 18.0

    def __post_init__(self) -> None:
        """Check every range."""
        inf = float("inf")
        ranges = {
            "rated_kw": (1e-9, inf),
            "idle_share": (0.0, 1.0),
            "utilisation": (0.0, 1.0),
            "job_kw": (1e-9, inf),
            "job_h": (1e-3, inf),
            "losses_share": (0.0, 1.0),
            "cooling_share": (0.0, 1.0),
            "cooling_share_per_k": (0.0, 0.2),
            "free_cooling_c": (-50.0, 60.0),
        }
        for name, (low, high) in ranges.items():
            if not low <= getattr(self, name) <= high:
                end = f" to {high:g}" if high < inf else " or more"
                raise InvalidInputError(f"data_centre.{name}", getattr(self, name), f"{low:g}{end}")

    def pue(self, temperature_c: ArrayLike) -> Floats:
        """Return the power usage effectiveness, load per computing power, at an outdoor temperature."""
        warm = np.maximum(np.asarray(temperature_c, dtype=np.float64) - self.free_cooling_c, 0.0)
        return np.asarray(1.0 + self.losses_share + self.cooling_share + self.cooling_share_per_k * warm)


@dataclass(frozen=True, slots=True)
class DataCentreLoad:
    """What S nodes draw in T steps [kW], arrays of shape (T, S); ``load_kw`` is the sum of the parts."""

    load_kw: Floats
    computing_kw: Floats
    cooling_kw: Floats
    losses_kw: Floats


def data_centre_load(
    centre: DataCentre, *, nodes: int | ArrayLike, temperature_c: ArrayLike, duration_h: float, seed: int
) -> DataCentreLoad:
    """Return what data-centre nodes draw.

    Parameters
    ----------
    centre : DataCentre
        Their kind.
    nodes : int or int array, shape (S,)
        How many, or their numbers in the fleet.
    temperature_c : array, shape (T,) or (T, S)
        Outdoor temperature.
    duration_h : float
        Length of a step, above 0.
    seed : int
        Of the whole simulation.
    """
    if not duration_h > 0.0:
        raise InvalidInputError("duration_h", duration_h, "a positive duration [h]")
    units = numbers("nodes", nodes)
    outdoor = np.asarray(temperature_c, dtype=np.float64)
    outdoor = outdoor[:, None] if outdoor.ndim == 1 else outdoor
    shape = (outdoor.shape[0], units.size)
    if outdoor.shape not in ((shape[0], 1), shape):
        raise SeriesMismatchError("temperature_c", outdoor.shape, f"{shape}, steps and nodes")
    free_kw = centre.rated_kw * (1.0 - centre.idle_share)
    before_h = LONGEST_JOB * centre.job_h
    expected = free_kw * centre.utilisation / (centre.job_kw * centre.job_h) * (shape[0] * duration_h + before_h)
    begins, lengths, owners = list[Floats](), list[Floats](), list[NDArray[np.int64]]()
    for column, unit in enumerate(units.tolist()):
        source = generator(seed, "data centre", unit)
        jobs = int(source.poisson(expected))
        begins.append(source.uniform(-before_h, shape[0] * duration_h, jobs))
        lengths.append(source.exponential(centre.job_h, jobs))
        owners.append(np.full(jobs, column, dtype=np.int64))
    begin, length, owner = np.concatenate(begins), np.concatenate(lengths), np.concatenate(owners)
    power = np.full(begin.size, centre.job_kw)
    jobs_kw = pulse_power(begin, begin + length, power, owner, duration_h=duration_h, shape=shape)
    computing = centre.rated_kw * centre.idle_share + np.minimum(jobs_kw, free_kw)
    warm = np.maximum(outdoor - centre.free_cooling_c, 0.0)
    cooling = computing * (centre.cooling_share + centre.cooling_share_per_k * warm)
    losses = computing * centre.losses_share
    return DataCentreLoad(computing + cooling + losses, computing, cooling, losses)
