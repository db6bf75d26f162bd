"""The feature table of a plant: blind to the future column by column, resumable, and the same when run twice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from vpp.config import VPPConfig
from vpp.core.errors import InvalidInputError, MissingDataError, UnknownNameError
from vpp.core.messages import MARKET, POWER_KW, Forecast, Reading, Readings, SeriesKey
from vpp.core.ports import Store
from vpp.core.time import TimeGrid, epoch_s
from vpp.forecasting.features.table import FEATURES, TARGET
from vpp.runtime.feature_source import column_meanings, feature_source, published_s
from vpp.runtime.features import FeatureBuilder, FeatureSettings
from vpp.runtime.prices import FEED_IN, SPOT
from vpp.runtime.setup import Setup, setup_of
from vpp.store.memory import MemoryStore

DECISION = datetime(2024, 5, 20, 12, tzinfo=UTC)
DAYS = 30
HOUR = timedelta(hours=1)
LOAD, PV = SeriesKey("load", POWER_KW), SeriesKey("pv", POWER_KW)
WARMTH, WIND = SeriesKey("weather", "temperature_c"), SeriesKey("weather", "wind_speed_m_s")
RAW: dict[str, Any] = {
    "id": "home", "name": "A home", "timezone": "Europe/Amsterdam", "currency": "EUR",
    "prices": {
        "import": {"time_of_use": [{"price_per_kwh": 0.4, "start": "17:00", "end": "21:00"}, {"price_per_kwh": 0.2}]},
        "published": "13:00",
    },
    "planning": {"resolution": "1h", "horizon": "24h"},
    "sites": [
        {"id": "house", "assets": [{"kind": "load", "id": "load"}, {"kind": "solar", "id": "pv", "peak_kw": 4}]}
    ],
}  # fmt: skip
NAMES = [
    *(feature.name for feature in FEATURES if feature.name != TARGET),
    *(f"weather_{what}" for key in (WARMTH, WIND) for what in
      (f"{key.metric}_last", f"{key.metric}_forecast", f"{key.metric}_forecast_age_h")),
]  # fmt: skip


def setup() -> Setup:
    return setup_of(VPPConfig(RAW))


def reading(key: SeriesKey, time: datetime, value: float, arrived: datetime) -> Reading:
    return Reading("home", key, time, value, issued_at=min(time + HOUR, arrived), arrived_at=arrived)


def store_of(*, poisoned: bool) -> Store:
    """A month of everything; poisoned, whatever was not known at the decision is garbage or a later revision."""
    generator = np.random.default_rng(0)
    garbage = np.random.default_rng(1)
    start = DECISION - timedelta(days=DAYS)
    store = MemoryStore()
    rows, late = [], []
    for hour in range(24 * (DAYS + 3)):
        time = start + hour * HOUR
        for key in (LOAD, PV, WARMTH, WIND, SPOT, FEED_IN):
            value = float(generator.normal())
            published = key in (SPOT, FEED_IN)
            arrived = time - timedelta(hours=20) if published else time + HOUR
            if arrived <= DECISION:
                rows.append(reading(key, time, value, arrived))
                # a correction of what was known, which comes later
                late.append(reading(key, time, 1e6 * float(garbage.normal()), DECISION + HOUR))
            else:
                late.append(reading(key, time, 1e6 * float(garbage.normal()), arrived))
    # A forecast of the wind that came as readings, issued two hours before.
    for hour in range(40):
        ahead = DECISION + hour * HOUR
        rows.append(Reading("home", WIND, ahead, 5.0 + hour, DECISION - 2 * HOUR, DECISION - HOUR))
        late.append(Reading("home", WIND, ahead, 1e6, DECISION + HOUR, DECISION + HOUR))
    store.write_readings(Readings.of(rows))
    grid = TimeGrid(DECISION - 6 * HOUR, 3600, 48)
    store.write_forecasts([Forecast("home", WARMTH, DECISION - 6 * HOUR, grid, np.arange(48.0), "weather")])
    if poisoned:
        store.write_readings(Readings.of(late))
        later = TimeGrid(DECISION + HOUR, 3600, 48)
        for key in (WARMTH, WIND):
            store.write_forecasts([Forecast("home", key, DECISION + HOUR, later, np.full(48, 1e6), "weather")])
    return store


@cache
def frame(*, poisoned: bool) -> pd.DataFrame:
    builder = FeatureBuilder(setup(), store_of(poisoned=poisoned), Path("unused"), FeatureSettings())
    return builder.frame((LOAD, PV, SPOT), DECISION, DECISION)


@pytest.mark.parametrize("name", NAMES)
def test_what_was_not_known_cannot_enter(name: str) -> None:
    before, after = frame(poisoned=False)[name], frame(poisoned=True)[name]
    pd.testing.assert_series_equal(before, after)
    assert before.notna().any(), "a column of nothing proves nothing"


def test_the_columns_tried_are_all_there_are() -> None:
    assert sorted(frame(poisoned=False).columns) == sorted([*NAMES, TARGET])
    meant = {name.replace("<metric>", "temperature_c") for name in column_meanings()} - {"site"}
    assert meant <= {*NAMES, TARGET}


def test_the_poison_is_poison() -> None:
    builder = FeatureBuilder(setup(), store_of(poisoned=True), Path("unused"), FeatureSettings())
    later = builder.frame((LOAD, PV, SPOT), DECISION + 2 * HOUR, DECISION + 2 * HOUR)
    for name in ("lag_1", "window_max", "spot_price_per_kwh", "weather_temperature_c_forecast"):
        assert later[name].abs().max() > 1e4


def test_prices_and_tariff_are_those_of_the_step() -> None:
    made = frame(poisoned=False)
    made = made[made["source"] == "load"].set_index("lead_h")
    peak = made["local_hour"].between(17, 20)
    assert (made.loc[peak, "import_price_per_kwh"] == 0.4).all()
    assert (made.loc[peak, "tariff_period"] == 0).all()
    assert (made.loc[~peak, "tariff_period"] == 1).all()
    assert made["spot_price_per_kwh"].notna().sum() == 21  # published 20 hours before they hold
    np.testing.assert_array_equal(made["export_price_per_kwh"].notna(), made["spot_price_per_kwh"].notna())


def test_weather_comes_with_the_age_of_its_forecast() -> None:
    made = frame(poisoned=False).iloc[:30]
    assert made["weather_temperature_c_forecast"].tolist() == [6.0 + n for n in range(30)]
    assert (made["weather_temperature_c_forecast_age_h"] == 6.0).all()
    assert made["weather_wind_speed_m_s_forecast"].tolist() == [5.0 + n for n in range(30)]
    assert (made["weather_wind_speed_m_s_forecast_age_h"] == 2.0).all()


def test_the_sun_is_high_at_noon_and_below_the_horizon_at_night() -> None:
    made = frame(poisoned=False).iloc[:30].set_index("time")
    noon = made.loc[pd.Timestamp("2024-05-21T11:00Z")]
    assert noon["sun_elevation_deg"] == pytest.approx(57.9, abs=0.5)  # 90 - 52.4 + 20.2, half an hour before noon
    assert noon["clear_sky_kw_per_m2"] > 0.8
    assert made.loc[pd.Timestamp("2024-05-21T00:00Z"), "sun_elevation_deg"] < -10.0


@pytest.fixture
def builder(tmp_path: Path) -> Callable[..., FeatureBuilder]:
    store = store_of(poisoned=False)
    return lambda **changes: FeatureBuilder(
        setup(), store, tmp_path / "out", FeatureSettings(**({"batch": 4, "lookback_days": 3} | changes))
    )


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*.parquet"))}


def test_running_twice_changes_nothing(builder: Callable[..., FeatureBuilder], tmp_path: Path) -> None:
    first = builder().run(DECISION)
    before = content(tmp_path / "out")
    again = builder().run(DECISION)
    assert content(tmp_path / "out") == before
    assert {part.first for part in again} == {part.first for part in first if not part.closed}
    assert {part.site for part in first} == {"house", MARKET}


def test_a_run_that_was_stopped_goes_on_where_it_was(builder: Callable[..., FeatureBuilder], tmp_path: Path) -> None:
    builder().run(DECISION)
    whole = content(tmp_path / "out")
    victims = sorted((tmp_path / "out").rglob("*.parquet"))
    victims[1].unlink()
    victims[2].write_bytes(b"PAR1 torn")
    (victims[0].parent / f".{victims[0].name}.draft").write_bytes(b"half")
    built = builder().run(DECISION)
    assert content(tmp_path / "out") == whole
    assert {part.path for part in built} >= {victims[1], victims[2]}


def test_going_on_from_yesterday_equals_starting_today(builder: Callable[..., FeatureBuilder], tmp_path: Path) -> None:
    for moment in (DECISION - timedelta(days=2), DECISION - timedelta(hours=7), DECISION):
        builder().run(moment)
    grown = content(tmp_path / "out")
    fresh = FeatureBuilder(
        setup(), store_of(poisoned=False), tmp_path / "fresh", FeatureSettings(batch=4, lookback_days=5)
    )
    fresh.run(DECISION)
    assert content(tmp_path / "fresh") == grown


def test_the_watermark_follows_what_is_complete(builder: Callable[..., FeatureBuilder]) -> None:
    table = builder(site="house")
    (empty,) = table.status()
    assert (empty.watermark, empty.parts) == (None, 0)
    table.run(DECISION)
    (status,) = table.status()
    assert status.watermark is not None
    # Batches of four six-hour decisions; the last one's 30 hours must be over.
    assert timedelta(hours=30) <= DECISION - status.watermark < timedelta(hours=30 + 24)
    assert status.open_parts >= 1
    assert status.rows == sum(part.rows for part in table.parts("house"))
    assert builder(site="house", window_h=12.0).status()[0].parts == 0  # other settings are another table


def test_an_exported_table_is_all_batches(builder: Callable[..., FeatureBuilder], tmp_path: Path) -> None:
    table = builder()
    with pytest.raises(MissingDataError, match="--once"):
        table.export(tmp_path / "t.csv")
    table.run(DECISION)
    rows = table.export(tmp_path / "t.csv")
    assert rows == table.export(tmp_path / "t.parquet")
    read = pd.read_csv(tmp_path / "t.csv")
    assert len(read) == rows
    assert set(read["site"]) == {"house", MARKET}
    assert not read.duplicated(["source", "metric", "issued_at", "time"]).any()
    happened = read[pd.to_datetime(read["time"]) < pd.Timestamp(DECISION) - HOUR]
    assert happened[TARGET].notna().all()


def test_recorded_prices_arrive_when_they_were_published() -> None:
    plant = setup()
    grid = TimeGrid(datetime(2024, 3, 29, 23, tzinfo=UTC), 3600, 72)
    published = published_s(plant, grid.times_s)
    # The local day of the clock change has 23 hours; its prices came out at 13:00 the day before, winter time.
    of_change = published[24:47]
    assert set(of_change.tolist()) == {epoch_s(datetime(2024, 3, 30, 12, tzinfo=UTC))}
    assert published[47] == epoch_s(datetime(2024, 3, 31, 11, tzinfo=UTC))
    always = replace(plant, calendar=replace(plant.calendar, published=None))
    assert not published_s(always, grid.times_s).any()


def test_the_source_of_a_built_in_plant_ends_with_its_data_and_leaves_out_its_faults() -> None:
    notes: list[str] = []
    source = feature_source(VPPConfig.load("homes"), on_note=notes.append)
    assert source.now() == datetime(2017, 8, 1, 7, tzinfo=UTC)
    assert any(note.startswith("home15_load") and note.endswith("left out") for note in notes)
    grid = TimeGrid(source.now() - timedelta(days=1), 3600, 24)
    keys = (SeriesKey("home15_load", POWER_KW), SeriesKey("home01_load", POWER_KW))
    values = source.store.series("homes", keys, grid).value
    assert np.isnan(values[:, 0]).all()
    assert np.isfinite(values[:, 1]).all()


@pytest.mark.parametrize(
    ("changes", "fault", "words"),
    [
        ({"batch": 0}, InvalidInputError, "batch"),
        ({"lookback_days": 0}, InvalidInputError, "lookback_days"),
        ({"window_h": 0.0}, InvalidInputError, "window_h"),
        ({"horizon_h": 0.5}, InvalidInputError, "one step of 3600 s"),
        ({"every_h": 5}, InvalidInputError, "divide a day"),
        ({"site": "hose"}, UnknownNameError, "house"),
        ({"country": "XX"}, UnknownNameError, "country"),
    ],
)
def test_settings_are_checked(
    builder: Callable[..., FeatureBuilder], changes: dict[str, Any], fault: type[Exception], words: str
) -> None:
    with pytest.raises(fault, match=words):
        builder(**changes)


def test_nothing_measured_is_said(tmp_path: Path) -> None:
    empty = FeatureBuilder(setup(), MemoryStore(), tmp_path, FeatureSettings())
    with pytest.raises(MissingDataError, match="nothing of home was measured"):
        empty.run(DECISION)
