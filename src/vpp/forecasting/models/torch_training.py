"""A small training loop for networks that turn the last week of any series of a kind into its next two days.

Invariant: repeatable for a seed and a history; torch's global random state and its number of threads are as before
when a call returns. Weights stay in memory. A series that never moves continues as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from vpp.core.ports import SeriesTable
from vpp.forecasting.kinds import KINDS
from vpp.forecasting.local_time import EPOCH_WEEKDAY
from vpp.forecasting.models.hourly import DAYS_PER_WEEK, Run, answer, runs
from vpp.forecasting.models.training_length import Training
from vpp.forecasting.needs import ModelContext

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
DAYS = 365
LEAST_DAYS = 28
INPUT_DAYS = 7
OUTPUT_DAYS = 2
CLOCK_FEATURES = 6


@dataclass(frozen=True, slots=True)
class Window:
    """Some stretches of scaled series: the past week, and the clock of it and of what follows.

    Parameters
    ----------
    past : Tensor, shape (B, week)
        Values before the decision, less their mean, over the scale of their series.
    past_clock, future_clock : Tensor, shape (B, week or two days, 6)
        Sine and cosine of the time of day, twice as fast, and of the week.
    """

    past: Tensor
    past_clock: Tensor
    future_clock: Tensor


Build = Callable[[int, int], nn.Module]
"""Returns a network for so many values in and out; it is called with a ``Window``."""


class KindNetworks:
    """One network per kind of series, learnt from all series of the kind.

    Parameters
    ----------
    context : ModelContext
        Profiles, clock, seed.
    build : callable
        Returns an untrained network.
    training : Training
        Length and speed.
    """

    def __init__(self, context: ModelContext, build: Build, training: Training) -> None:
        self._context = context
        self._build = build
        self._training = training
        self._kind = np.array([KINDS.index(profile.kind) for profile in context.profiles])
        self._networks: dict[int, nn.Module] = {}
        self._scale = np.full(len(context.profiles), np.nan)

    def fit(self, history: SeriesTable) -> None:
        """Learn each kind from its series that are known for four weeks."""
        self._networks = {}
        self._scale[:] = np.nan
        found, _ = runs(self._context, history, np.arange(len(self._context.profiles)), steps=1, days=DAYS)
        for run in found:
            known = run.known_rows >= LEAST_DAYS * run.day
            for kind in np.unique(self._kind[run.columns[known]]):
                places = np.flatnonzero(known & (self._kind[run.columns] == kind))
                spread = np.nanstd(run.values[:, places], axis=0)
                self._scale[run.columns[places]] = np.where(spread > 0.0, spread, 1.0)
                self._networks[int(kind)] = self._learn(run, places)

    def predict(self, history: SeriesTable, steps: int, *, ahead: Floats | None) -> Floats:
        """Return point forecasts, shape (steps, K); NaN for a series that was not fitted or lacks the last week."""
        return answer(self._context, history, steps, self._continue, days=INPUT_DAYS, ahead=ahead)

    def _continue(self, run: Run, steps: int) -> Floats:
        said = np.full((steps, run.columns.size), np.nan)
        size_in, size_out = INPUT_DAYS * run.day, OUTPUT_DAYS * run.day
        still = np.ptp(run.values, axis=0) == 0.0
        said[:, still] = run.values[-1, still]
        able = ~still & np.isfinite(self._scale[run.columns]) & (run.known_rows >= size_in)
        for kind in np.unique(self._kind[run.columns[able]]):
            places = np.flatnonzero(able & (self._kind[run.columns] == kind))
            scale = self._scale[run.columns[places]]
            series = run.values[-size_in:, places] / scale
            # Beyond two days the network builds on what it said itself.
            while len(series) < size_in + steps:
                begin = np.full(places.size, len(series) - size_in)
                window, level = windows(
                    series, np.arange(places.size), begin, size_in, size_out, run.last_row + 1 - size_in
                )
                with one_thread(), torch.no_grad():
                    following = self._networks[int(kind)](window).numpy().astype(np.float64) + level[:, None]
                series = np.concatenate([series, following.T])
            said[:, places] = series[size_in : size_in + steps] * scale
        return said

    def _learn(self, run: Run, places: Integers) -> nn.Module:
        """Return a network learnt from windows drawn from all of the places' past."""
        size_in, size_out = INPUT_DAYS * run.day, OUTPUT_DAYS * run.day
        values = run.values[:, places] / self._scale[run.columns[places]]
        first_row = run.last_row + 1 - len(values)
        begins = len(values) - run.known_rows[places]
        draw = np.random.default_rng(self._context.settings.seed)

        def batch() -> tuple[Window, Tensor]:
            which = draw.integers(0, places.size, self._training.batch)
            begin = draw.integers(begins[which], len(values) - size_in - size_out + 1)
            window, level = windows(values, which, begin, size_in, size_out, first_row)
            at = begin[:, None] + size_in + np.arange(size_out)
            return window, tensor(values[at, which[:, None]] - level[:, None])

        with one_thread(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(self._context.settings.seed)
            network = self._build(size_in, size_out)
            train(network, batch, self._training)
        return network


def train(network: nn.Module, batch: Callable[[], tuple[Window, Tensor]], training: Training) -> None:
    """Minimise the mean absolute error over batches, in place."""
    optimizer = torch.optim.Adam(network.parameters(), lr=training.learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, training.steps)
    network.train()
    for _ in range(training.steps):
        window, following = batch()
        optimizer.zero_grad()
        loss = nn.functional.l1_loss(network(window), following)
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    network.eval()


def windows(
    values: Floats, which: Integers, begin: Integers, size_in: int, size_out: int, first_row: int
) -> tuple[Window, Floats]:
    """Return windows of some columns of ``values`` and the mean that was taken off each, shape (B,).

    ``begin`` is the row of ``values`` at which each window starts, ``first_row`` the number of its first row on the
    run's clock.
    """
    at = begin[:, None] + np.arange(size_in + size_out)
    past = values[at[:, :size_in], which[:, None]]
    level = past.mean(axis=1)
    clock = tensor(clock_features(first_row + at, day=size_in // INPUT_DAYS))
    return Window(tensor(past - level[:, None]), clock[:, :size_in], clock[:, size_in:]), level


def clock_features(rows: Integers, *, day: int) -> Floats:
    """Return harmonics of the day and the week of rows numbered from the epoch, shape (..., 6)."""
    of_day = 2.0 * np.pi * (rows % day) / day
    week = DAYS_PER_WEEK * day
    of_week = 2.0 * np.pi * ((rows + EPOCH_WEEKDAY * day) % week) / week
    return np.stack([wave(turn) for turn in (of_day, 2.0 * of_day, of_week) for wave in (np.sin, np.cos)], axis=-1)


def tensor(values: Floats) -> Tensor:
    """Return an array as a tensor of torch's own precision."""
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))


@contextmanager
def one_thread() -> Iterator[None]:
    """Run torch on one thread: networks this small wait longer for a second one than they gain by it."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
