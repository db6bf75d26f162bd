"""The registered model as MLflow loads it: a table of the past in, forecasts with quantiles out.

MLflow calls ``_load_pyfunc`` for ``models:/vpp-<plant>@champion``. The input is a frame with a ``time`` column of aware
times at equal steps and one column ``source/metric`` per series; ``params={"steps": 30}`` says how far to go.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from vpp.core.errors import InvalidInputError
from vpp.core.messages import Forecast
from vpp.core.ports import SeriesTable
from vpp.core.time import TimeGrid
from vpp.forecasting.training.champion import Serving, unpacked

DEFAULT_STEPS = 30


class ServedModel:
    """The fitted models of a group of series.

    Parameters
    ----------
    serving : Serving
        What was registered.
    """

    def __init__(self, serving: Serving) -> None:
        self._serving = serving

    def predict(self, model_input: Any, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Return one row per series and step: ``series``, ``time``, ``value``, ``model`` and ``q05`` and the like.

        Raises
        ------
        InvalidInputError
            When the times are not at equal steps or a series is missing.
        """
        frame = pd.DataFrame(model_input)
        times = pd.to_datetime(frame["time"], utc=True)
        step_s = int((times.iloc[1] - times.iloc[0]).total_seconds()) if len(times) > 1 else 0
        if step_s <= 0 or (times.diff().dropna().dt.total_seconds() != step_s).any():
            raise InvalidInputError("time", f"{len(times)} times", "two or more aware times at equal, ascending steps")
        names = [str(key) for key in self._serving.keys]
        missing = [name for name in names if name not in frame]
        if missing:
            raise InvalidInputError("columns", sorted(map(str, frame)), f"time and {', '.join(missing)}")
        grid = TimeGrid(times.iloc[0].to_pydatetime(), step_s, len(frame))
        history = SeriesTable(grid, self._serving.keys, frame[names].to_numpy(dtype=np.float64))
        steps = int((params or {}).get("steps", DEFAULT_STEPS))
        return pd.concat([_rows(one) for one in self._serving.predict(history, steps)], ignore_index=True)


def _rows(forecast: Forecast) -> pd.DataFrame:
    columns: dict[str, Any] = {
        "series": str(forecast.key),
        "time": pd.to_datetime(forecast.grid.times_s, unit="s", utc=True),
        "value": forecast.value,
        "model": forecast.model,
    }
    bands = {f"q{round(level * 100):02d}": forecast.quantiles[i] for i, level in enumerate(forecast.levels)}
    return pd.DataFrame(columns | bands)


def _load_pyfunc(path: str) -> ServedModel:
    """Return the model of a registered file; the name is the one that MLflow asks for."""
    return ServedModel(unpacked(Path(path).read_bytes(), path))
