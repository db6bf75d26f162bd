"""N-BEATS: fully connected blocks, each explaining a part of the past and adding its part of the future.

Source: Oreshkin et al. 2020, "N-BEATS", arXiv:1905.10437, the generic form; the blocks also see the week's clock.

Invariant: with zero weights it repeats the last day, so what it learns is the difference from the naive forecast.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from vpp.core.ports import SeriesTable
from vpp.forecasting.models.torch_training import CLOCK_FEATURES, OUTPUT_DAYS, KindNetworks, Window
from vpp.forecasting.models.training_length import Training
from vpp.forecasting.needs import ModelContext

Floats = NDArray[np.float64]
BLOCKS = 4
TRAINING = Training()
WIDTH = 128


class NBeats:
    """N-BEATS, one network per kind of series.

    Parameters
    ----------
    context : ModelContext
        Profiles, clock, seed.
    training : Training
        How long and how fast it learns.
    """

    name = "nbeats"

    def __init__(self, context: ModelContext, *, training: Training = TRAINING) -> None:
        self._networks = KindNetworks(context, _Stack, training)

    def fit(self, history: SeriesTable) -> None:
        """Learn each kind from its series that are known for four weeks."""
        self._networks.fit(history)

    def predict(self, history: SeriesTable, steps: int, *, ahead: Floats | None = None) -> Floats:
        """Return point forecasts, shape (steps, K); NaN for a series that was not fitted or lacks the last week."""
        return self._networks.predict(history, steps, ahead=ahead)


class _Stack(nn.Module):
    """Blocks with double residuals."""

    def __init__(self, size_in: int, size_out: int) -> None:
        super().__init__()
        self._blocks = nn.ModuleList(_Block(size_in, size_out) for _ in range(BLOCKS))
        self._day = size_out // OUTPUT_DAYS

    def forward(self, window: Window) -> Tensor:
        left = window.past
        said = left[:, -self._day :].repeat(1, OUTPUT_DAYS)
        for block in self._blocks:
            explained, following = block(left, window.future_clock[:, 0])
            left = left - explained
            said = said + following
        return said


class _Block(nn.Module):
    """One block: what it explains of the past and adds to the future."""

    def __init__(self, size_in: int, size_out: int) -> None:
        super().__init__()
        self._trunk = nn.Sequential(
            nn.Linear(size_in + CLOCK_FEATURES, WIDTH),
            nn.ReLU(),
            nn.Linear(WIDTH, WIDTH),
            nn.ReLU(),
            nn.Linear(WIDTH, WIDTH),
            nn.ReLU(),
        )
        self._past = nn.Linear(WIDTH, size_in)
        self._future = nn.Linear(WIDTH, size_out)

    def forward(self, left: Tensor, clock: Tensor) -> tuple[Tensor, Tensor]:
        hidden = self._trunk(torch.cat([left, clock], dim=1))
        return self._past(hidden), self._future(hidden)
