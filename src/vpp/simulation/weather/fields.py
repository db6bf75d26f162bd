"""Random fields in space and time: what neighbouring sites share, at any resolution, for any number of sites.

A field is a sum of modes. In time a mode is an Ornstein-Uhlenbeck process, drawn as its exact mean over each step, so
that a fine and a coarse run are views of one process. In space it has the correlation exp(-distance / range), by
random Fourier features: a few shared series of noise, weighted by sines and cosines of a site's position. Nothing but
its own position decides what a site gets, so a fleet may be drawn in chunks, and cost grows with its size alone.
Invariant: unit shares give a Gaussian of mean 0 and variance 1 at every site and moment; same seed, same bytes.

Rahimi and Recht 2007, "Random features for large-scale kernel machines" (NeurIPS 20).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter
from scipy.special import ndtri

from vpp.core.time import TimeGrid
from vpp.simulation.seeds import generator
from vpp.simulation.weather.places import Places

Floats = NDArray[np.float64]
STREAM = "weather"
"""First name of every stream of random numbers drawn here."""
FEATURES = 48
"""Waves per mode: correlations of one realisation stray from the exponential by about 0.7 / sqrt(48) = 0.1."""
_SERIES_BELOW = 1e-3
"""Steps this much shorter than the persistence take the series of the step mean's variance, which cancels there."""
_SITES_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class Mode:
    """One scale of a field.

    Parameters
    ----------
    persistence_s : float
        Time in which the correlation falls to 1/e [s].
    range_km : float
        Distance in which it does [km].
    share : float
        Variance of the mode; the shares of a unit field sum to 1.
    """

    persistence_s: float
    range_km: float
    share: float

    def step_variance(self, resolution_s: float) -> float:
        """Return the variance of the mode's mean over a step."""
        return self.share * _mean_variance(resolution_s / self.persistence_s)


def step_variance(modes: Sequence[Mode], resolution_s: float) -> float:
    """Return the variance of a field's mean over a step: at most the sum of its shares."""
    return sum(mode.step_variance(resolution_s) for mode in modes)


def draw(modes: Sequence[Mode], places: Places, grid: TimeGrid, *, seed: int, name: str, alone: bool = False) -> Floats:
    """Return a field's mean over every step at every site, shape (T, S).

    Parameters
    ----------
    modes : sequence of Mode
        The scales of the field.
    places : Places
        S sites.
    grid : TimeGrid
        T steps.
    seed : int
        Seed of the simulation.
    name : str
        Which field; fields of different names are independent.
    alone : bool, optional
        True for one place without neighbours: one series per mode, at a hundredth of the cost. It is another draw of
        the same process; all sites get the same.
    """
    total = np.zeros((len(grid), len(places)))
    for number, mode in enumerate(modes):
        if alone:
            source = generator(seed, name, number, "alone")
            series = step_means(source, len(grid), 1, grid.resolution_s / mode.persistence_s)
            total += np.sqrt(mode.share) * series
            continue
        noise = step_means(
            generator(seed, STREAM, name, number, "time"),
            len(grid),
            2 * FEATURES,
            grid.resolution_s / mode.persistence_s,
        )
        weights = spatial_weights(mode, places, seed=seed, name=name, number=number)
        for first in range(0, len(places), _SITES_AT_ONCE):
            some = weights[first : first + _SITES_AT_ONCE, :, None]
            # a product per site, not one for all: its rounding then cannot depend on how a fleet is cut into chunks
            total[:, first : first + _SITES_AT_ONCE] += np.matmul(noise[None], some)[:, :, 0].T
    return total


def spatial_weights(mode: Mode, places: Places, *, seed: int, name: str, number: int = 0) -> Floats:
    """Return each site's weights of the shared series, shape (S, 2 FEATURES); their squares sum to the share."""
    rng = generator(seed, STREAM, name, number, "space")
    direction = rng.standard_normal((FEATURES, 3))
    # exp(-distance) in three dimensions is the spectrum of a Cauchy vector; its scale is stratified, for a spread that
    # does not hang on luck
    scale = ndtri(0.5 + 0.5 * (np.arange(FEATURES) + rng.random(FEATURES)) / FEATURES)
    waves = direction / (scale[:, None] * mode.range_km)
    phase = np.matmul(waves[None], places.positions_km[:, :, None])[:, :, 0]
    return np.asarray(np.sqrt(mode.share / FEATURES) * np.concatenate((np.cos(phase), np.sin(phase)), axis=1))


def step_means(rng: np.random.Generator, steps: int, series: int, ratio: float) -> Floats:
    """Return exact step means of stationary Ornstein-Uhlenbeck processes of variance 1, shape (steps, series).

    Parameters
    ----------
    rng : numpy.random.Generator
        Where the noise comes from.
    steps, series : int
        Shape of the result.
    ratio : float
        Length of a step over the persistence, positive.
    """
    fall = np.exp(-ratio)
    noise = rng.standard_normal((steps + 1, series))
    noise[1:] *= np.sqrt(-np.expm1(-2.0 * ratio))
    ends = lfilter([1.0], [1.0, -fall], noise, axis=0)
    # given the values at its ends, a step's mean is Gaussian: a share of their sum, and a rest of its own
    bridge = np.tanh(ratio / 2.0) / ratio
    rest = 2.0 * (ratio - 2.0 * np.tanh(ratio / 2.0)) / ratio**2 if ratio > _SERIES_BELOW else ratio / 6.0
    return np.asarray(bridge * (ends[:-1] + ends[1:]) + np.sqrt(rest) * rng.standard_normal((steps, series)))


def _mean_variance(ratio: float) -> float:
    if ratio <= _SERIES_BELOW:
        return 1.0 - ratio / 3.0
    return float(2.0 * (ratio + np.expm1(-ratio)) / ratio**2)
