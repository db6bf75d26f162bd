"""Prices and carbon: seeds, distribution, memory, products, the pull of renewables; the fit and its tables."""

from __future__ import annotations

import csv
import gzip
from dataclasses import astuple, replace
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from vpp.core.errors import InvalidInputError, MissingDataError, SeriesMismatchError
from vpp.core.time import TimeGrid, parse_time
from vpp.core.units import price_per_kwh_from_mwh
from vpp.simulation.market.carbon import carbon_intensity
from vpp.simulation.market.fitted import CALIFORNIA_2016, NL_2019, NL_2020
from vpp.simulation.market.prices import day_ahead_prices, fit_prices, intraday_prices
from vpp.simulation.market.process import LEVELS, SeasonalProcess, fit_process

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
YEAR = TimeGrid(parse_time("2019-01-01T00:00Z"), 3600, 8760)
WEEK = YEAR.part(0, 168)
SEEDS = range(20)


def autocorrelation(values: np.ndarray, lag: int) -> float:
    return float(np.corrcoef(values[lag:], values[:-lag])[0, 1])


def ramp_p95(values: np.ndarray) -> float:
    return float(np.quantile(np.abs(np.diff(values)), 0.95))


def held(process: SeasonalProcess, level: float) -> float:
    return process.quantiles[LEVELS.index(level)]


@pytest.fixture(scope="module")
def years() -> list[np.ndarray]:
    return [day_ahead_prices(YEAR, timezone=AMSTERDAM, seed=seed) for seed in SEEDS]


@pytest.fixture(scope="module")
def nl(shared: Path) -> dict[int, np.ndarray]:
    path = shared / "data" / "prices" / "nl_day_ahead_2015_2022.csv.gz"
    if not path.exists():
        pytest.skip(f"no {path.name} in ../shared/data")
    found: dict[int, np.ndarray] = {}
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows = {datetime.fromisoformat(row["utc_start"]): float(row["price_eur_mwh"]) for row in csv.DictReader(lines)}
    for year in (2019, 2020):
        grid = TimeGrid.between(parse_time(f"{year}-01-01T00:00Z"), parse_time(f"{year + 1}-01-01T00:00Z"), 3600)
        found[year] = price_per_kwh_from_mwh(np.array([rows[moment] for moment in grid]))
    return found


def test_same_seed_same_bytes() -> None:
    first, again, other = (day_ahead_prices(WEEK, timezone=AMSTERDAM, seed=seed) for seed in (3, 3, 4))
    assert first.tobytes() == again.tobytes()
    assert not np.array_equal(first, other)
    longer = day_ahead_prices(YEAR.part(0, 400), timezone=AMSTERDAM, seed=3)
    assert longer[:168].tobytes() == first.tobytes()


def test_distribution_and_memory_are_those_of_the_table(years: list[np.ndarray]) -> None:
    for level in (0.05, 0.25, 0.5, 0.75, 0.95):
        found = [float(np.quantile(prices, level)) for prices in years]
        assert np.median(found) == pytest.approx(held(NL_2019, level), rel=0.03)
        assert max(abs(value / held(NL_2019, level) - 1.0) for value in found) < 0.15
    assert 0.85 < np.mean([autocorrelation(prices, 1) for prices in years]) < 0.95
    assert sum(int((prices < 0.0).sum()) for prices in years) > 10  # 3 hours in the year of the table
    assert min(prices.max() for prices in years) > 2.0 * held(NL_2019, 0.5)


def test_prices_are_like_those_of_the_netherlands_in_2019(years: list[np.ndarray], nl: dict[int, np.ndarray]) -> None:
    """Mean and quantiles within 10%, autocorrelation within 0.1, ramps within 20%: each of 20 years, each figure."""
    seen = nl[2019]
    for seed, prices in enumerate(years):
        levels = [np.quantile(prices, q) / np.quantile(seen, q) - 1.0 for q in (0.05, 0.25, 0.5, 0.75, 0.95)]
        assert max(map(abs, levels)) <= 0.1, seed
        assert abs(prices.mean() / seen.mean() - 1.0) <= 0.1, seed
        assert max(abs(autocorrelation(prices, lag) - autocorrelation(seen, lag)) for lag in (1, 24)) <= 0.1, seed
        assert abs(ramp_p95(prices) / ramp_p95(seen) - 1.0) <= 0.2, seed


@pytest.mark.parametrize(("year", "process"), [(2019, NL_2019), (2020, NL_2020)])
def test_the_tables_are_what_the_fit_returns(year: int, process: SeasonalProcess, nl: dict[int, np.ndarray]) -> None:
    times_s = TimeGrid(parse_time(f"{year}-01-01T00:00Z"), 3600, nl[year].size).times_s
    again = fit_prices(times_s, nl[year], timezone=AMSTERDAM, source=process.source)
    assert again.quantiles == pytest.approx(process.quantiles, abs=6e-6)
    assert np.array(again.profile) == pytest.approx(np.array(process.profile), abs=6e-4)
    assert again.wave == pytest.approx(process.wave, abs=6e-5)
    assert (again.quick_h, again.daily_h, again.slow_h) == pytest.approx(
        (process.quick_h, process.daily_h, process.slow_h), rel=2e-3
    )
    assert (*again.shares, again.deviation) == pytest.approx((*process.shares, process.deviation), abs=2e-3)


def test_carbon_table_is_what_the_fit_returns(shared: Path) -> None:
    path = shared / "data" / "fontana_homes_2016_17" / "weather_tariff_carbon.csv.gz"
    if not path.exists():
        pytest.skip(f"no {path.name} in ../shared/data")
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        carbon = np.array([float(row["carbon_kg_per_kwh"]) for row in csv.DictReader(lines)])
    times_s = TimeGrid(parse_time("2016-08-01T00:00Z"), 3600, carbon.size).times_s
    again = fit_process(times_s, carbon, timezone=ZoneInfo("UTC"), source=CALIFORNIA_2016.source)
    assert again.quantiles == pytest.approx(CALIFORNIA_2016.quantiles, abs=6e-5)
    assert np.array(again.profile) == pytest.approx(np.array(CALIFORNIA_2016.profile), abs=6e-4)
    own, zone = carbon_intensity(YEAR, timezone=ZoneInfo("America/Los_Angeles"), seed=0), ZoneInfo("UTC")
    assert own.mean() == pytest.approx(carbon.mean(), rel=0.1)
    assert autocorrelation(own, 24) == pytest.approx(autocorrelation(carbon, 24), abs=0.1)
    hours = np.array([moment.astimezone(zone).hour for moment in YEAR])
    by_hour = [own[hours == hour].mean() for hour in range(24)]
    assert 8 <= int(np.argmin(by_hour)) <= 13  # before dawn in California
    assert int(np.argmax(by_hour)) in (0, 1, 2, 3, 4)  # in its evening


def test_a_year_of_surplus_has_negative_hours_and_spikes() -> None:
    years = [day_ahead_prices(YEAR, timezone=AMSTERDAM, seed=seed, process=NL_2020) for seed in SEEDS]
    negative = [int((prices < 0.0).sum()) for prices in years]
    assert 40 < np.mean(negative) < 200  # 97 in the year of the table
    assert all(count > 0 for count in negative)
    assert np.mean([prices.max() for prices in years]) > 0.1


def test_evenings_are_dear_and_nights_and_sundays_cheap(years: list[np.ndarray]) -> None:
    local = [moment.astimezone(AMSTERDAM) for moment in YEAR]
    mean = np.mean(years, axis=0)
    hour, sunday = np.array([t.hour for t in local]), np.array([t.weekday() == 6 for t in local])
    assert mean[hour == 19].mean() > 1.1 * mean.mean() > 1.2 * mean[hour == 3].mean()
    assert mean[sunday].mean() < 0.95 * mean[~sunday].mean()


def test_quarter_hours_average_to_their_hour() -> None:
    quarters = TimeGrid(WEEK.start, 900, 4 * 168)
    hourly = day_ahead_prices(WEEK, timezone=AMSTERDAM, seed=1)
    flat = day_ahead_prices(quarters, timezone=AMSTERDAM, seed=1)
    assert flat.tolist() == np.repeat(hourly, 4).tolist()
    moving = day_ahead_prices(quarters, timezone=AMSTERDAM, seed=1, product_s=900)
    assert moving.reshape(168, 4).mean(axis=1) == pytest.approx(hourly)
    assert np.abs(np.diff(moving)).max() < np.abs(np.diff(flat)).max()
    five = day_ahead_prices(TimeGrid(WEEK.start, 300, 12 * 168), timezone=AMSTERDAM, seed=1, product_s=900)
    assert five.tolist() == np.repeat(moving, 3).tolist()
    halves = day_ahead_prices(TimeGrid(WEEK.start, 1800, 2 * 168), timezone=AMSTERDAM, seed=1, product_s=1800)
    assert halves.reshape(168, 2).mean(axis=1) == pytest.approx(hourly)


def test_a_grid_may_begin_inside_an_hour() -> None:
    grid = TimeGrid(parse_time("2019-01-01T00:30Z"), 1800, 3)
    assert day_ahead_prices(grid, timezone=AMSTERDAM, seed=1).tolist() == [
        day_ahead_prices(WEEK.part(0, 2), timezone=AMSTERDAM, seed=1)[i] for i in (0, 1, 1)
    ]
    assert day_ahead_prices(WEEK.part(0, 0), timezone=AMSTERDAM, seed=1).size == 0


def test_wind_and_sun_lower_the_price_and_not_its_spread() -> None:
    rng = np.random.default_rng(0)
    share = 0.3 + 0.1 * np.convolve(rng.standard_normal(YEAR.count + 23), np.ones(24) / 24**0.5, mode="valid")
    free = day_ahead_prices(YEAR, timezone=AMSTERDAM, seed=1)
    pulled = day_ahead_prices(YEAR, timezone=AMSTERDAM, seed=1, renewable_share=share, renewable_correlation=0.7)
    assert abs(np.corrcoef(free, share)[0, 1]) < 0.15
    assert np.corrcoef(pulled, share)[0, 1] < -0.35
    assert pulled.std() == pytest.approx(free.std(), rel=0.15)
    assert pulled.mean() == pytest.approx(free.mean(), rel=0.1)
    still = day_ahead_prices(YEAR, timezone=AMSTERDAM, seed=1, renewable_share=np.full(YEAR.count, 0.3))
    assert still.tobytes() == free.tobytes()


def test_intraday_wanders_around_the_day_ahead_price() -> None:
    grid = TimeGrid(YEAR.start, 900, 35040)
    ahead = day_ahead_prices(grid, timezone=AMSTERDAM, seed=1)
    learned = intraday_prices(ahead, grid, seed=1) - ahead
    assert learned.mean() == pytest.approx(0.0, abs=0.05 * ahead.std())
    assert learned.std() == pytest.approx(0.35 * ahead.std(), rel=0.1)
    assert autocorrelation(learned, 16) == pytest.approx(np.exp(-1.0), abs=0.05)
    assert intraday_prices(ahead, grid, seed=1, spread_fraction=0.0).tolist() == ahead.tolist()


def test_the_fit_finds_the_process_that_made_a_series() -> None:
    grid = TimeGrid(YEAR.start, 3600, 2 * 8760)
    made = replace(NL_2019, slow_h=72.0)
    prices = day_ahead_prices(grid, timezone=AMSTERDAM, seed=5, process=made)
    holed = prices.copy()
    holed[100:130] = np.nan
    found = fit_prices(grid.times_s, holed, timezone=AMSTERDAM, source="made")
    assert found.deviation == pytest.approx(made.deviation, abs=0.1)
    assert np.array(found.profile) == pytest.approx(np.array(made.profile), abs=0.35)
    assert held(found, 0.5) == pytest.approx(held(made, 0.5), rel=0.05)
    assert found.quick_h == pytest.approx(made.quick_h, rel=0.35)


def test_faults() -> None:
    with pytest.raises(InvalidInputError, match=r"product_s: got 600, expected one of \(900, 1800, 3600\) \[s\]"):
        day_ahead_prices(WEEK, timezone=AMSTERDAM, seed=1, product_s=600)
    with pytest.raises(InvalidInputError, match=r"renewable_correlation: got 1.5, expected 0 to 1"):
        day_ahead_prices(WEEK, timezone=AMSTERDAM, seed=1, renewable_correlation=1.5)
    with pytest.raises(SeriesMismatchError, match=r"renewable_share"):
        day_ahead_prices(WEEK, timezone=AMSTERDAM, seed=1, renewable_share=[0.1])
    with pytest.raises(InvalidInputError, match=r"renewable_share: got nan"):
        day_ahead_prices(WEEK, timezone=AMSTERDAM, seed=1, renewable_share=np.full(168, np.nan))
    with pytest.raises(MissingDataError, match=r"168 hours are too few .* 1344 are needed"):
        fit_prices(WEEK.times_s, np.ones(168), timezone=AMSTERDAM, source="short")
    with pytest.raises(SeriesMismatchError, match=r"consecutive hours"):
        fit_prices(WEEK.times_s[::2], np.ones(84), timezone=AMSTERDAM, source="gaps")
    with pytest.raises(SeriesMismatchError, match=r"day_ahead_per_kwh"):
        intraday_prices([1.0], WEEK, seed=1)
    with pytest.raises(InvalidInputError, match=r"memory_h: got 0.0, expected above 0"):
        intraday_prices(np.ones(168), WEEK, seed=1, memory_h=0.0)
    for change in ({"quantiles": (0.0,)}, {"profile": ()}, {"quick_h": 0.0}, {"daily_share": 0.9}, {"deviation": -1.0}):
        with pytest.raises(InvalidInputError, match=next(iter(change))):
            replace(NL_2019, **change)


def test_processes_are_values() -> None:
    assert astuple(replace(NL_2019)) == astuple(NL_2019)
    assert NL_2019 != NL_2020
