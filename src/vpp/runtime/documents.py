"""Documents: schedules, readings and forecasts as plain JSON values, the same for the command line and the API."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vpp.core.messages import Forecast, Schedule
from vpp.core.ports import SeriesTable
from vpp.core.time import require_aware

Floats = NDArray[np.float64]
_DIGITS = 9


def number(value: float) -> float | None:
    """Return a finite number, rounded beyond what any meter shows; None for NaN and infinity.

    >>> number(float("nan")), number(0.1 + 0.2)
    (None, 0.3)
    """
    return round(float(value), _DIGITS) if np.isfinite(value) else None


def numbers(values: Floats) -> list[float | None]:
    """Return an array as JSON numbers, None where not finite."""
    return [number(value) for value in values]


def moment(value: datetime) -> str:
    """Return a time as ISO 8601 in UTC, with a Z.

    >>> from datetime import UTC
    >>> moment(datetime(2016, 8, 1, tzinfo=UTC))
    '2016-08-01T00:00:00Z'
    """
    return require_aware(value).isoformat().replace("+00:00", "Z")


def schedule_document(
    schedule: Schedule,
    *,
    initial_soc: Floats | None = None,
    alternative_kw: Floats | None = None,
    alternative_cost: Floats | None = None,
) -> dict[str, Any]:
    """Return a schedule with its reasons.

    Parameters
    ----------
    schedule : Schedule
        The plan; an unusable one has no steps.
    initial_soc : float array, shape (A,), optional
        State of charge at the start.
    alternative_kw, alternative_cost : float arrays, shape (T, A), optional
        What each asset could have done instead, and what that would have cost; NaN where not computed.
    """
    document: dict[str, Any] = {
        "plant": schedule.plant,
        "issued_at": moment(schedule.issued_at),
        "resolution_s": schedule.grid.resolution_s,
        "status": str(schedule.status),
        "objective": None if schedule.objective is None else number(schedule.objective),
        "objective_parts": {name: number(value) for name, value in schedule.parts.items()},
        "bound": None if schedule.bound is None else number(schedule.bound),
        "method": schedule.method,
        "message": schedule.message,
        "steps": [],
    }
    if initial_soc is not None:
        document["initial_soc"] = dict(zip(schedule.asset_ids, numbers(initial_soc), strict=True))
    if schedule.conflicts:
        document["conflicts"] = [
            {"name": c.name, "time": moment(c.time), "violation_kw": number(c.violation_kw), "message": c.message}
            for c in schedule.conflicts
        ]
    if schedule.least_violation is not None:
        document["least_violation"] = schedule_document(schedule.least_violation)
    if np.isfinite(schedule.import_kw).any():
        document["steps"] = [
            _step(schedule, step, alternative_kw, alternative_cost) for step in range(schedule.grid.count)
        ]
    return document


def _step(
    schedule: Schedule, step: int, alternative_kw: Floats | None, alternative_cost: Floats | None
) -> dict[str, Any]:
    assets = {}
    for column, asset_id in enumerate(schedule.asset_ids):
        reason = schedule.reason(asset_id, step)
        assets[asset_id] = {
            "power_kw": number(schedule.power_kw[step, column]),
            "soc": number(schedule.soc[step, column]),
            "reasons": [
                {
                    "code": reason.code.name.lower(),
                    "limit": reason.limit,
                    "marginal_value_per_kwh": reason.marginal_value_per_kwh,
                    "alternative_power_kw": None if alternative_kw is None else number(alternative_kw[step, column]),
                    "alternative_cost": None if alternative_cost is None else number(alternative_cost[step, column]),
                }
            ],
        }
    return {
        "time": moment(schedule.grid.time(step)),
        "import_kw": number(schedule.import_kw[step].sum()),
        "export_kw": number(schedule.export_kw[step].sum()),
        "sites": {
            site_id: {
                "import_kw": number(schedule.import_kw[step, column]),
                "export_kw": number(schedule.export_kw[step, column]),
                "curtailed_kw": number(schedule.curtailed_kw[step, column]),
                "energy_price_per_kwh": number(schedule.energy_price_per_kwh[step, column]),
            }
            for column, site_id in enumerate(schedule.site_ids)
        },
        "assets": assets,
    }


def forecast_document(forecast: Forecast) -> dict[str, Any]:
    """Return a forecast with its quantiles."""
    return {
        "source": forecast.key.source,
        "metric": forecast.key.metric,
        "issued_at": moment(forecast.issued_at),
        "start": moment(forecast.grid.start),
        "resolution_s": forecast.grid.resolution_s,
        "model": forecast.model,
        "flags": list(forecast.flags),
        "value": numbers(forecast.value),
        "quantiles": {
            f"{level:g}": numbers(row) for level, row in zip(forecast.levels, forecast.quantiles, strict=True)
        }
        if forecast.levels
        else {},
    }


def table_document(table: SeriesTable) -> dict[str, Any]:
    """Return series as columns on their grid."""
    return {
        "start": moment(table.grid.start),
        "resolution_s": table.grid.resolution_s,
        "series": {str(key): numbers(table.value[:, column]) for column, key in enumerate(table.keys)},
    }
