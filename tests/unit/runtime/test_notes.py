from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from vpp.core.messages import Forecast, SeriesKey
from vpp.core.time import TimeGrid
from vpp.runtime.notes import forecast_notes, repair_notes
from vpp.streams.columns import RepairKind
from vpp.streams.table import Repair

FIRST = datetime(2024, 5, 6, tzinfo=UTC)


def filled(column: str, count: int) -> Repair:
    return Repair(RepairKind.FILLED, column, count, FIRST, "bridged")


def test_alike_repairs_share_a_line() -> None:
    lines = repair_notes("a.csv", [filled(f"home{n}_kw", 2) for n in range(5)])
    assert lines == [
        "a.csv: home0_kw, home1_kw, home2_kw and 2 more: bridged (2 values, the first at 2024-05-06T00:00:00Z)"
    ]


def test_one_row_is_counted_as_one() -> None:
    assert repair_notes("a.csv", [filled("time", 1)]) == ["a.csv: time: bridged (1 row, at 2024-05-06T00:00:00Z)"]


def test_forecasts_that_rest_on_much_say_nothing() -> None:
    grid = TimeGrid(FIRST, 3600, 1)

    def forecast(name: str, *flags: str) -> Forecast:
        return Forecast("home", SeriesKey(name, "power_kw"), FIRST, grid, np.zeros(1), "m", flags=flags)

    assert forecast_notes([forecast("load"), forecast("pv", "no_bands")]) == []
    (line,) = forecast_notes([forecast("load", "cold_start", "no_bands"), forecast("pv", "cold_start")])
    assert line.startswith("forecast of load, pv: less than two days of history")
