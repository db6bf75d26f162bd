"""Messages: columns and rows say the same, shapes fit, and values cross processes unchanged."""

from __future__ import annotations

import pickle
from dataclasses import FrozenInstanceError, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpp.core.errors import InvalidInputError, SeriesMismatchError, UnknownNameError
from vpp.core.messages import (
    MARKET,
    POWER_KW,
    PRICE_PER_KWH,
    SOC,
    Ack,
    AckStatus,
    Command,
    Event,
    Forecast,
    PlanStatus,
    Quality,
    Reading,
    Readings,
    ReasonCode,
    Schedule,
    SeriesKey,
    Severity,
)
from vpp.core.ports import SeriesTable
from vpp.core.time import TimeGrid

START = datetime(2026, 3, 29, tzinfo=UTC)
GRID = TimeGrid(START, 900, 3)
PV = SeriesKey("pv-1", POWER_KW)
PRICE = SeriesKey(MARKET, PRICE_PER_KWH)

keys = st.builds(SeriesKey, st.sampled_from(["pv-1", "b", MARKET]), st.sampled_from([POWER_KW, SOC, PRICE_PER_KWH]))
moments = st.integers(0, 2_000_000_000).map(lambda value: datetime.fromtimestamp(value, UTC))
readings = st.builds(
    Reading,
    plant=st.just("homes"),
    key=keys,
    time=moments,
    value=st.floats(allow_nan=False, allow_infinity=False),
    issued_at=moments,
    arrived_at=moments,
    quality=st.integers(0, 63).map(Quality),
)


def columns(**changes: Any) -> Readings:
    size = 2
    fields: dict[str, Any] = {
        "plant": "homes",
        "keys": (PV,),
        "series": np.zeros(size, dtype=np.int64),
        "time_s": GRID.times_s[:size],
        "issued_s": GRID.times_s[:size],
        "arrived_s": GRID.times_s[:size],
        "value": np.array([1.0, 2.0]),
        "quality": np.zeros(size, dtype=np.int64),
    }
    return Readings(**(fields | changes))


def forecast(**changes: Any) -> Forecast:
    fields: dict[str, Any] = {
        "plant": "homes",
        "key": PV,
        "issued_at": START,
        "grid": GRID,
        "value": np.array([1.0, 2.0, 3.0]),
        "model": "seasonal_naive",
    }
    return Forecast(**(fields | changes))


def schedule(**changes: Any) -> Schedule:
    steps, assets, sites = 3, 2, 1
    fields: dict[str, Any] = {
        "plant": "homes",
        "issued_at": START,
        "grid": GRID,
        "status": PlanStatus.OPTIMAL,
        "objective": 1.5,
        "parts": {"energy_cost": 1.5},
        "asset_ids": ("b-1", "b-2"),
        "site_ids": ("home",),
        "asset_site": (0, 0),
        "power_kw": np.zeros((steps, assets)),
        "soc": np.full((steps, assets), 0.5),
        "import_kw": np.zeros((steps, sites)),
        "export_kw": np.zeros((steps, sites)),
        "curtailed_kw": np.zeros((steps, sites)),
        "marginal_value_per_kwh": np.array([[0.2, np.nan]] * steps),
        "energy_price_per_kwh": np.full((steps, sites), 0.25),
        "code": np.full((steps, assets), int(ReasonCode.CHARGE_CHEAP)),
        "limit": np.full((steps, assets), "soc_max", dtype=object),
        "method": "highs",
    }
    return Schedule(**(fields | changes))


def assert_same(one: object, other: object) -> None:
    assert type(one) is type(other)
    for name in type(one).__slots__:
        left, right = getattr(one, name), getattr(other, name)
        if isinstance(left, np.ndarray):
            np.testing.assert_array_equal(left, right)
            assert left.dtype == right.dtype
        else:
            assert left == right


# --- readings


@given(rows=st.lists(readings, min_size=1, max_size=30))
def test_rows_and_columns_say_the_same(rows: list[Reading]) -> None:
    together = Readings.of(rows)
    assert list(together.rows()) == rows
    assert len(together) == len(rows)
    assert len(set(together.keys)) == len(together.keys)
    assert_same(Readings.of(together.rows()), together)


def test_fractions_of_a_second_are_cut() -> None:
    late = START + timedelta(microseconds=999_999)
    row = Reading("homes", PV, START, 1.0, START, late)
    assert next(iter(Readings.of([row]).rows())).arrived_at == START


@pytest.mark.parametrize("plants", [(), ("homes", "wholesale")])
def test_readings_share_exactly_one_plant(plants: tuple[str, ...]) -> None:
    with pytest.raises(InvalidInputError, match="readings of exactly one plant"):
        Readings.of(Reading(plant, PV, START, 1.0, START, START) for plant in plants)


@pytest.mark.parametrize("name", ["series", "time_s", "issued_s", "arrived_s", "quality"])
def test_ragged_columns_are_refused(name: str) -> None:
    with pytest.raises(SeriesMismatchError, match=rf"{name}: got \(3,\), expected the shape of value, \(2,\)"):
        columns(**{name: np.zeros(3, dtype=np.int64)})


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_no_number_is_refused(bad: float) -> None:
    with pytest.raises(InvalidInputError, match="finite values; leave missing ones out"):
        columns(value=np.array([1.0, bad]))


@pytest.mark.parametrize("index", [-1, 1])
def test_a_series_without_a_key_is_refused(index: int) -> None:
    with pytest.raises(InvalidInputError, match="indices into 1 keys"):
        columns(series=np.array([0, index]))


def test_a_table_becomes_columns_without_its_holes() -> None:
    table = np.array([[1.0, np.nan], [np.nan, np.nan], [3.0, 0.3]])
    made = Readings.from_table("homes", (PV, PRICE), GRID.times_s, table, arrived_s=GRID.times_s + 5)
    assert [(str(row.key), row.time, row.value) for row in made.rows()] == [
        ("pv-1/power_kw", GRID.time(0), 1.0),
        ("pv-1/power_kw", GRID.time(2), 3.0),
        ("market/price_per_kwh", GRID.time(2), 0.3),
    ]
    assert (made.arrived_s - made.time_s).tolist() == [5, 5, 5]
    assert (made.issued_s == made.arrived_s).all()
    assert (made.quality == int(Quality.GOOD)).all()


def test_one_arrival_may_serve_all_rows() -> None:
    made = Readings.from_table("homes", (PV,), GRID.times_s, np.ones((3, 1)), arrived_s=GRID.end_s)
    assert made.arrived_s.tolist() == [GRID.end_s] * 3


@pytest.mark.parametrize("shape", [(2, 1), (3, 2), (3,), (0, 1)])
def test_a_table_that_does_not_fit_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(SeriesMismatchError, match=r"values: got .*, expected \(3, 1\)"):
        Readings.from_table("homes", (PV,), GRID.times_s, np.ones(shape), arrived_s=0)


def test_an_empty_table_is_no_error() -> None:
    made = Readings.from_table("homes", (PV,), GRID.times_s, np.full((3, 1), np.nan), arrived_s=0)
    assert (len(made), list(made.rows())) == (0, [])


def test_quality_flags_add_up() -> None:
    both = Quality.REPAIRED | Quality.LATE
    assert Quality.REPAIRED in both
    assert Quality.FLAT not in both
    assert int(Quality.GOOD) == 0
    assert sorted(int(flag) for flag in Quality if flag) == [1, 2, 4, 8, 16, 32]


# --- forecasts and tables


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"value": np.zeros(2)}, "value"),
        ({"value": np.zeros((3, 1))}, "value"),
        ({"levels": (0.1, 0.9), "quantiles": np.zeros((3, 2))}, "quantiles"),
        ({"levels": (0.1, 0.9)}, "quantiles"),
        ({"levels": (0.9, 0.1), "quantiles": np.zeros((2, 3))}, "levels"),
        ({"levels": (0.5, 0.5), "quantiles": np.zeros((2, 3))}, "levels"),
        ({"levels": (0.0, 0.5), "quantiles": np.zeros((2, 3))}, "levels"),
        ({"levels": (0.5, 1.0), "quantiles": np.zeros((2, 3))}, "levels"),
    ],
)
def test_a_forecast_that_does_not_fit_is_refused(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        forecast(**changes)
    assert caught.value.field == field


def test_a_forecast_fits_its_grid_with_and_without_quantiles() -> None:
    assert forecast().levels == ()
    assert forecast(levels=(0.1, 0.5, 0.9), quantiles=np.zeros((3, 3))).quantiles.shape == (3, 3)


def test_a_table_gives_its_columns() -> None:
    table = SeriesTable(GRID, (PV, PRICE), np.arange(6.0).reshape(3, 2))
    assert table.column(PRICE).tolist() == [1.0, 3.0, 5.0]
    with pytest.raises(SeriesMismatchError, match=r"value: got \(2, 3\), expected \(3, 2\)"):
        SeriesTable(GRID, (PV, PRICE), np.zeros((2, 3)))


def test_a_column_that_is_not_in_the_table_names_those_that_are() -> None:
    table = SeriesTable(GRID, (PV,), np.zeros((3, 1)))
    with pytest.raises(UnknownNameError, match="no series called 'pv-2/power_kw'; did you mean: pv-1/power_kw"):
        table.column(SeriesKey("pv-2", POWER_KW))


# --- schedules


@pytest.mark.parametrize(
    ("status", "usable"),
    [
        (PlanStatus.OPTIMAL, True),
        (PlanStatus.FEASIBLE, True),
        (PlanStatus.FALLBACK_USED, True),
        (PlanStatus.INFEASIBLE, False),
        (PlanStatus.TIMEOUT, False),
        (PlanStatus.FAILED, False),
    ],
)
def test_only_a_plan_is_usable(status: PlanStatus, usable: bool) -> None:
    assert schedule(status=status).usable is usable


def test_a_step_gives_its_reason() -> None:
    reason = schedule().reason("b-1", 2)
    assert (reason.code, reason.limit, reason.marginal_value_per_kwh) == (ReasonCode.CHARGE_CHEAP, "soc_max", 0.2)
    assert reason.alternative_cost is None
    assert schedule().reason("b-2", 0).marginal_value_per_kwh is None  # NaN: not known


def test_reasons_are_asked_for_assets_and_steps_that_exist() -> None:
    with pytest.raises(UnknownNameError, match="no controllable asset called 'b-3'; did you mean: b-"):
        schedule().reason("b-3", 0)
    for step in (-1, 3):
        with pytest.raises(InvalidInputError, match=rf"step: got {step}, expected 0 to 2"):
            schedule().reason("b-1", step)


# --- all of them


MESSAGES = [
    columns(),
    forecast(levels=(0.5,), quantiles=np.zeros((1, 3))),
    schedule(),
    Reading("homes", PV, START, 1.0, START, START),
    Command("c", "homes", "b-1", START, START, GRID.time(1), 2.0),
    Ack("c", "homes", "b-1", GRID.time(1), AckStatus.LIMITED, 1.5, "soc_min"),
    Event("homes", START, "plan", Severity.INFO, "planned", {"steps": 3}),
]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_messages_are_frozen_and_cross_processes(message: object) -> None:
    assert_same(pickle.loads(pickle.dumps(message)), message)
    with pytest.raises(FrozenInstanceError):
        message.plant = "other"  # type: ignore[attr-defined]


def test_wire_forms_do_not_change() -> None:
    assert [status.value for status in PlanStatus] == [
        "optimal",
        "feasible",
        "infeasible",
        "fallback_used",
        "timeout",
        "failed",
    ]
    assert [status.value for status in AckStatus] == ["executed", "limited", "refused", "expired"]
    assert {code.name.lower(): int(code) for code in ReasonCode}["discharge_export"] == 7
    assert str(PV) == "pv-1/power_kw"


@pytest.mark.parametrize(
    ("power", "limit", "value", "words"),
    [
        (2.0, "none", 0.25, "gives 2 kW (discharge load); one more kWh in it would be worth 0.25."),
        (-1.5, "soc_max", np.nan, "takes 1.5 kW (discharge load); soc_max binds."),
        (0.0, "none", np.nan, "holds (discharge load)."),
        (np.nan, "none", np.nan, "has no plan"),
    ],
)
def test_a_schedule_explains_itself_in_words_and_as_data(power: float, limit: str, value: float, words: str) -> None:
    one = schedule()
    shape = one.power_kw.shape
    changed = replace(
        one,
        power_kw=np.full(shape, power),
        code=np.full(shape, int(ReasonCode.DISCHARGE_LOAD), dtype=np.int64),
        limit=np.full(shape, limit, dtype=object),
        marginal_value_per_kwh=np.full(shape, value),
    )
    asset_id = one.asset_ids[0]
    said, reason = changed.explain(asset_id, one.grid.start)
    assert said.startswith(f"{asset_id} {words}")
    assert reason.code is ReasonCode.DISCHARGE_LOAD
    with pytest.raises(InvalidInputError, match="time"):
        changed.explain(asset_id, one.grid.end)
