"""Notes: what a reader of a plan should know, in words: repairs of the file, thin history, prices that are forecast."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from vpp.core.messages import Forecast
from vpp.optimization.problem import PlanProblem
from vpp.runtime.documents import moment
from vpp.streams.quality import Fault, FaultKind
from vpp.streams.source import TIME
from vpp.streams.table import Repair

MOST_NAMES = 3
"""Columns and sources named in one line; of more, the first and how many."""

_WORDS = {
    "no_data": "nothing was measured",
    "cold_start": "less than two days of history, so it is rough",
    "stale": "the last measurement is hours old",
    "gaps": "measurements of the last days are missing",
    "fallback_zero": "taken as 0",
    "fallback_last_value": "the last value is repeated where nothing better is known",
}


def repair_notes(file: str, repairs: Iterable[Repair]) -> list[str]:
    """Return one line for each repair of a file, with its count and where it begins; alike ones of columns share it."""
    columns: dict[tuple[str, str], list[str]] = {}
    for repair in repairs:
        columns.setdefault((repair.message, _counted(repair)), []).append(repair.column)
    return [f"{file}: {_listed(names)}: {message} ({counted})" for (message, counted), names in columns.items()]


def _listed(names: list[str]) -> str:
    if len(names) <= MOST_NAMES:
        return ", ".join(names)
    return f"{', '.join(names[:MOST_NAMES])} and {len(names) - MOST_NAMES} more"


def _counted(repair: Repair) -> str:
    what = "row" if repair.column == TIME else "value"
    if repair.count == 1:
        return f"1 {what}, at {moment(repair.first)}"
    return f"{repair.count} {what}s, the first at {moment(repair.first)}"


def fault_notes(file: str, faults: Iterable[Fault]) -> list[str]:
    """Return one line for each channel that cannot be what it is called; gaps are told as repairs."""
    return [f"{file}: {fault.message}" for fault in faults if fault.kind is not FaultKind.GAPS]


def forecast_notes(forecasts: Iterable[Forecast]) -> list[str]:
    """Return one line for each group of forecasts that rest on little, in the same words."""
    groups: dict[str, list[str]] = {}
    for forecast in forecasts:
        words = "; ".join(_WORDS[flag] for flag in forecast.flags if flag in _WORDS)
        if words:
            groups.setdefault(words, []).append(forecast.key.source)
    return [f"forecast of {_listed(sources)}: {words}" for words, sources in groups.items()]


def price_notes(problem: PlanProblem) -> list[str]:
    """Return a line when the plan reaches beyond the known prices."""
    known, steps = int(np.count_nonzero(problem.price_known)), problem.grid.count
    if known == steps:
        return []
    if known == 0:
        return [f"no price is known from {moment(problem.grid.start)} on; all {steps} steps use forecast prices"]
    first = problem.grid.time(int(np.argmin(problem.price_known)))
    return [f"prices are forecast for {steps - known} of {steps} steps, the first at {moment(first)}"]
