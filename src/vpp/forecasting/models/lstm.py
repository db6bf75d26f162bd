"""An LSTM over the last three days: its final state and the clock of each step ahead give what differs from last week.

Source: Hochreiter and Schmidhuber 1997, doi:10.1162/neco.1997.9.8.1735.

Invariant: with zero weights it repeats the mean of the last day and the same time a week ago.
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
STATE = 48
TRAINING = Training(batch=32, learning_rate=3e-3)
WIDTH = 64
SEEN_DAYS = 3
"""The recurrence runs over these last days; what is older comes in through last week's values."""


class Lstm:
    """LSTM, one network per kind of series.

    Parameters
    ----------
    context : ModelContext
        Profiles, clock, seed.
    training : Training
        How long and how fast it learns.
    """

    name = "lstm"

    def __init__(self, context: ModelContext, *, training: Training = TRAINING) -> None:
        self._networks = KindNetworks(context, _Recurrent, training)

    def fit(self, history: SeriesTable) -> None:
        """Learn each kind from its series that are known for four weeks."""
        self._networks.fit(history)

    def predict(self, history: SeriesTable, steps: int, *, ahead: Floats | None = None) -> Floats:
        """Return point forecasts, shape (steps, K); NaN for a series that was not fitted or lacks the last week."""
        return self._networks.predict(history, steps, ahead=ahead)


class _Recurrent(nn.Module):
    """The LSTM and what reads its state at each step ahead."""

    def __init__(self, _: int, size_out: int) -> None:
        super().__init__()
        self._day = size_out // OUTPUT_DAYS
        self._memory = nn.LSTM(1 + CLOCK_FEATURES, STATE, batch_first=True)
        self._read = nn.Sequential(nn.Linear(STATE + CLOCK_FEATURES + 2, WIDTH), nn.ReLU(), nn.Linear(WIDTH, 1))

    def forward(self, window: Window) -> Tensor:
        seen = SEEN_DAYS * self._day
        inputs = torch.cat([window.past[:, -seen:, None], window.past_clock[:, -seen:]], dim=2)
        _, (state, _) = self._memory(inputs)
        size_out = window.future_clock.shape[1]
        yesterday = window.past[:, -self._day :].repeat(1, OUTPUT_DAYS)
        last_week = window.past[:, :size_out]
        each = torch.cat(
            [
                state[-1][:, None].expand(-1, size_out, -1),
                window.future_clock,
                yesterday[:, :, None],
                last_week[:, :, None],
            ],
            dim=2,
        )
        said: Tensor = 0.5 * (yesterday + last_week) + self._read(each).squeeze(2)
        return said
