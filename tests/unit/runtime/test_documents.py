from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pytest

from vpp.core.messages import Forecast, Schedule, SeriesKey
from vpp.core.ports import SeriesTable
from vpp.core.time import TimeGrid
from vpp.runtime.build import planner_of, price_book
from vpp.runtime.documents import forecast_document, moment, number, numbers, schedule_document, table_document
from vpp.runtime.planning import ProblemBuilder
from vpp.runtime.setup import Setup
from vpp.store.memory import MemoryStore

START = datetime(2024, 5, 6, tzinfo=UTC)


@pytest.fixture
def plan(
    home: Callable[..., Setup], forecasts_of: Callable[..., dict[SeriesKey, Forecast]]
) -> Callable[[str, float], Schedule]:
    def make(planner: str, import_max_kw: float) -> Schedule:
        setup, store = home(), MemoryStore()
        builder = ProblemBuilder(setup, store, price_book(setup, store))
        problem = builder.build(TimeGrid(START, 900, 96), now=START, forecasts=forecasts_of(setup, START))
        return planner_of(planner).plan(replace(problem, import_max_kw=np.array([import_max_kw])))

    return make


def strict(document: Any) -> Any:
    """Return a document after a trip through JSON that has no words for NaN."""
    return json.loads(json.dumps(document, allow_nan=False))


def test_a_schedule_is_json_with_a_reason_on_every_step(plan: Callable[..., Schedule]) -> None:
    document = strict(schedule_document(plan("linear", 17.0), initial_soc=np.array([0.5])))
    assert (document["status"], len(document["steps"]), document["initial_soc"]) == ("optimal", 96, {"battery": 0.5})
    for step in document["steps"]:
        assert step["import_kw"] == step["sites"]["house"]["import_kw"]
        assert step["assets"]["battery"]["reasons"][0]["code"]


def test_what_is_not_known_is_null(plan: Callable[..., Schedule]) -> None:
    document = strict(schedule_document(plan("no_battery", 17.0)))
    reason = document["steps"][0]["assets"]["battery"]["reasons"][0]
    assert (reason["marginal_value_per_kwh"], reason["alternative_cost"]) == (None, None)


def test_an_infeasible_schedule_has_no_steps_but_its_nearest_has(plan: Callable[..., Schedule]) -> None:
    document = strict(schedule_document(plan("linear", 0.1)))
    assert (document["status"], document["objective"], document["steps"]) == ("infeasible", None, [])
    assert document["conflicts"][0]["name"].startswith("import_max_kw")
    assert len(document["least_violation"]["steps"]) == 96


def test_numbers_that_are_not_finite_are_null() -> None:
    assert numbers(np.array([1.0, np.nan, np.inf, -np.inf])) == [1.0, None, None, None]
    assert number(np.float64(0.1) + np.float64(0.2)) == 0.3
    assert type(number(np.float64(1.0))) is float


def test_times_are_utc_with_a_z() -> None:
    assert moment(START) == "2024-05-06T00:00:00Z"
    assert moment(START.astimezone(timezone(timedelta(hours=2)))) == "2024-05-06T00:00:00Z"


def test_forecasts_and_tables_are_json() -> None:
    grid, key = TimeGrid(START, 3600, 2), SeriesKey("load", "power_kw")
    value, spread = np.array([1.0, np.nan]), np.array([[0.5, np.nan], [1.5, np.nan]])
    forecast = strict(forecast_document(Forecast("home", key, START, grid, value, "m", (0.1, 0.9), spread, ("gaps",))))
    assert forecast["quantiles"] == {"0.1": [0.5, None], "0.9": [1.5, None]}
    assert (forecast["value"], forecast["flags"]) == ([1.0, None], ["gaps"])
    assert strict(table_document(SeriesTable(grid, (key,), value[:, None])))["series"] == {"load/power_kw": [1.0, None]}
