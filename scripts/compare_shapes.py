"""Write docs/simulation_shapes.md: what is simulated beside what was measured, hits and misses alike.

``python scripts/compare_shapes.py [--data ../shared/data]`` reads the measurements, simulates each with several seeds,
and writes the page and its plots (matplotlib, which comes with ``pip install vpp[plots]``).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vpp.core.time import TimeGrid, parse_time, utc_offsets_s, zone
from vpp.core.units import kw_from_mw, price_per_kwh_from_mwh
from vpp.simulation.load import HouseholdSettings, household_load
from vpp.simulation.market.fitted import NL_2019, NL_2020
from vpp.simulation.market.prices import day_ahead_prices
from vpp.simulation.market.process import SeasonalProcess
from vpp.simulation.solar import solar_power
from vpp.simulation.solar.calibrated import CalibratedPlant, fontana, luxembourg
from vpp.simulation.weather import Climate, Places, synthetic_weather
from vpp.simulation.wind.turbines import Turbines, wind_power

Floats = NDArray[np.float64]
ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "simulation_shapes.md"
IMAGES = ROOT / "docs" / "images"
SEEDS = (1, 2, 3, 4, 5)
LEVELS = (0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)
HOUR_S = 3600
YEAR = TimeGrid(parse_time("2016-08-01T07:00Z"), HOUR_S, 8760)
LU_YEAR = TimeGrid(parse_time("2020-01-05T23:00Z"), HOUR_S, 363 * 24)


@dataclass(frozen=True)
class Case:
    """One kind of series: what was measured, and how it is simulated; tables are hours by series."""

    name: str
    source: str
    settings: str
    unit: str
    measured: Floats
    simulate: Callable[[int], Floats]
    note: str = ""


@dataclass(frozen=True)
class Row:
    """One number of both, and whether the simulated one is near enough."""

    what: str
    measured: float
    simulated: float
    deviation: float
    allowed: float
    relative: bool

    @property
    def near(self) -> bool:
        """True within what is allowed."""
        return abs(self.deviation) <= self.allowed


def statistics(table: Floats) -> dict[str, float]:
    """Return pooled mean and quantiles, and mean autocorrelation and pooled ramps of the series."""
    found = {"mean": float(np.nanmean(table))}
    found |= {f"quantile {level:.0%}": float(np.nanquantile(table, level)) for level in LEVELS}
    for hours in (1, 24):
        found[f"autocorrelation, {hours} h"] = float(np.mean([_correlation(one, hours) for one in table.T]))
    found["ramp of an hour, 95 %"] = float(np.nanquantile(np.abs(np.diff(table, axis=0)), 0.95))
    return found


def _correlation(series: Floats, lag: int) -> float:
    first, second = series[:-lag], series[lag:]
    known = np.isfinite(first) & np.isfinite(second)
    return float(np.corrcoef(first[known], second[known])[0, 1])


def compared(case: Case) -> tuple[list[Row], Floats]:
    """Return the rows of a case, the simulated numbers as means over the seeds, and the first seed's table."""
    tables = [case.simulate(seed) for seed in SEEDS]
    each = [statistics(table) for table in tables]
    rows = []
    for what, measured in statistics(case.measured).items():
        simulated = float(np.mean([one[what] for one in each]))
        relative = not what.startswith("autocorrelation")
        if relative and abs(measured) < 1e-3 * float(np.nanmax(case.measured)):
            continue  # no share of nothing: night hours of the sun
        allowed = 0.1 if not what.startswith("ramp") else 0.2
        deviation = simulated / measured - 1.0 if relative else simulated - measured
        rows.append(Row(what, measured, simulated, deviation, allowed, relative))
    return rows, tables[0]


def homes(data: Path) -> Case:
    """Return eleven homes' loads."""
    frame = pd.read_csv(data / "fontana_homes_2016_17" / "load_kw.csv.gz")
    measured = frame.drop(columns=["local_wall_clock", "home12"]).to_numpy(dtype=float)
    local_s = YEAR.times_s + utc_offsets_s(YEAR.times_s, zone("America/Los_Angeles"))
    where = fontana(1)
    # warmth as mild as that of the weather file beside the measurements, with which the homes were fitted
    climate = replace(
        where.climate,
        temperature_mean_c=16.8,
        temperature_season_c=3.2,
        temperature_day_c=3.9,
        temperature_spread_c=1.5,
    )

    def simulate(seed: int) -> Floats:
        weather = synthetic_weather(where.places, YEAR, seed=seed, climate=climate)
        return household_load(
            HouseholdSettings.fontana(),
            homes=44,
            hour_of_day=local_s % 86_400 / HOUR_S,
            weekday=(local_s // 86_400 + 3) % 7,
            temperature_c=weather.temperature_c[:, 0],
            ghi_w_m2=weather.ghi_w_m2[:, 0],
            duration_h=1.0,
            seed=seed,
        ).load_kw

    return Case(
        "Homes, load",
        "11 homes in Fontana, California, 2016-08 to 2017-07, hourly (EPRI, in CityLearn's 2022 data, MIT)",
        "`HouseholdSettings.fontana()` for 44 homes, in synthetic weather as warm as the source's weather file",
        "kW",
        measured,
        simulate,
        "The mean day is not among these numbers, and it is not met: simulated evenings are higher and mornings lower "
        "than measured. One of the homes (home15) reports the curve of its roof as its load from September on.",
    )


def roofs(data: Path) -> Case:
    """Return the same homes' solar arrays; two faulty channels of the source are left out."""
    frame = pd.read_csv(data / "fontana_homes_2016_17" / "pv_kw.csv.gz")
    kept = [name for name in frame.columns if name not in ("local_wall_clock", "home14", "home15")]
    plant = fontana(len(kept))
    return Case(
        "Homes, sun",
        "10 roofs of the same homes",
        "`solar.calibrated.fontana()`",
        "kW",
        frame[kept].to_numpy(dtype=float),
        lambda seed: _solar(plant, YEAR, seed),
    )


def country_sun(data: Path) -> Case:
    """Return the photovoltaics of Luxembourg."""
    plant = luxembourg()
    return Case(
        "Luxembourg, sun",
        "Luxembourg's grid area 2020, hourly means (SMARD.de, CC BY 4.0)",
        "`solar.calibrated.luxembourg()`, 40 places",
        "MW",
        _hourly(data, "pv_mwh"),
        lambda seed: _solar(plant, LU_YEAR, seed).sum(axis=1, keepdims=True) / kw_from_mw(1.0),
    )


def country_wind(data: Path) -> Case:
    """Return the wind power of Luxembourg."""
    places = 25
    source = np.random.default_rng(7)  # a fixed layout, not a draw of the simulation
    where = Places(source.uniform(49.7, 50.15, places), source.uniform(5.8, 6.4, places), 450.0)
    turbines = Turbines.of(
        ["E-82/3000"] * places,
        [kw_from_mw(WIND_MW) / places] * places,
        hub_height_m=93.0,
        roughness_m=0.15,
        turbulence_intensity=0.15,
    )
    climate = Climate(wind_scale_m_s=WIND_SCALE, wind_shape=WIND_SHAPE, wind_season=0.07, wind_day_share=0.0)

    def simulate(seed: int) -> Floats:
        weather = synthetic_weather(where, LU_YEAR, seed=seed, climate=climate)
        made = wind_power(
            turbines,
            LU_YEAR,
            wind_speed_m_s=weather.wind_speed_m_s,
            temperature_c=weather.temperature_c,
            pressure_pa=weather.pressure_pa,
            seed=seed,
        )
        return made.power_kw.sum(axis=1, keepdims=True) / kw_from_mw(1.0)

    return Case(
        "Luxembourg, wind",
        "Luxembourg's grid area 2020, hourly means (SMARD.de, CC BY 4.0)",
        f"{places} places with E-82 turbines, {WIND_MW:g} MW together; their size and the wind (Weibull scale "
        f"{WIND_SCALE:g} m/s, shape {WIND_SHAPE:g} at 10 m) were fitted to the measured series",
        "MW",
        _hourly(data, "wind_mwh"),
        simulate,
    )


WIND_MW, WIND_SCALE, WIND_SHAPE = 122.0, 5.88, 2.21


def prices(data: Path, year: int, process: SeasonalProcess) -> Case:
    """Return a year of Dutch day-ahead prices."""
    frame = pd.read_csv(data / "prices" / "nl_day_ahead_2015_2022.csv.gz", parse_dates=["utc_start"])
    local = frame["utc_start"].dt.tz_convert("Europe/Amsterdam")
    series = frame.loc[local.dt.year == year, "price_eur_mwh"].to_numpy(dtype=float)
    grid = TimeGrid(parse_time(f"{year}-01-01T00:00+01:00"), HOUR_S, series.size)
    return Case(
        f"Prices, {year}",
        f"Dutch day-ahead auction {year}, hourly (Ember, CC BY 4.0)",
        f"`market.fitted.NL_{year}`",
        "EUR/kWh",
        price_per_kwh_from_mwh(series)[:, None],
        lambda seed: day_ahead_prices(grid, timezone=zone("Europe/Amsterdam"), seed=seed, process=process)[:, None],
    )


def _solar(plant: CalibratedPlant, grid: TimeGrid, seed: int) -> Floats:
    weather = synthetic_weather(plant.places, grid, seed=seed, climate=plant.climate)
    return solar_power(plant.arrays, plant.places, weather).ac_kw


def _hourly(data: Path, column: str) -> Floats:
    """Return a column of Luxembourg's quarter-hours [MWh] as hourly means [MW]."""
    frame = pd.read_csv(data / "lu_delu_2020" / "lu_15min.csv.gz", parse_dates=["local"])
    return frame.groupby(frame["local"].dt.floor("h"))[column].mean().to_numpy(dtype=float)[:, None] * 4.0


def plotted(case: Case, simulated: Floats, path: Path) -> None:
    """Draw a fortnight, the mean day and the duration curve of both."""
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, 3, figsize=(12, 3.2), layout="constrained")
    for table, label, colour in ((case.measured, "measured", "#333333"), (simulated, "simulated", "#d95f02")):
        first = table[-28 * 24 : -14 * 24, 0]
        axes[0].plot(np.arange(first.size) / 24.0, first, label=label, color=colour, lw=0.8)
        days = table[: table.shape[0] // 24 * 24].reshape(-1, 24, table.shape[1])
        axes[1].plot(np.nanmean(days, axis=(0, 2)), color=colour)
        levels = np.linspace(0.0, 1.0, 201)
        axes[2].plot(levels, np.nanquantile(table, 1.0 - levels), color=colour)
    for axis, title, below in zip(
        axes,
        ("two weeks of one series", "mean day", "sorted"),
        ("day", "hour after the grid's first", "share of hours"),
        strict=True,
    ):
        axis.set_title(title, fontsize=9)
        axis.set_xlabel(below, fontsize=8)
        axis.tick_params(labelsize=8)
    axes[0].set_ylabel(case.unit, fontsize=8)
    axes[0].legend(fontsize=8, frameon=False)
    figure.savefig(path, dpi=80, format="png")
    plt.close(figure)


def section(case: Case, rows: list[Row], image: str) -> str:
    """Return the page's section of a case."""
    lines = [
        f"## {case.name}",
        "",
        f"Measured: {case.source}. Simulated: {case.settings}.",
        "",
        f"![{case.name}](images/{image})",
        "",
    ]
    lines += [
        f"| | measured [{case.unit}] | simulated | deviation | allowed | |",
        "| --- | ---: | ---: | ---: | ---: | --- |",
    ]
    for row in rows:
        off = f"{row.deviation:+.1%}" if row.relative else f"{row.deviation:+.3f}"
        most = f"{row.allowed:.0%}" if row.relative else f"{row.allowed:g}"
        verdict = "hit" if row.near else "**miss**"
        lines.append(f"| {row.what} | {row.measured:.4g} | {row.simulated:.4g} | {off} | {most} | {verdict} |")
    return "\n".join([*lines, "", *([case.note, ""] if case.note else [])])


def main() -> int:
    """Write the page and its plots."""
    parser = argparse.ArgumentParser(description="Write docs/simulation_shapes.md.")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data", help="folder of the measurements")
    data = parser.parse_args().data
    if not data.is_dir():
        print(f"{data}: no such folder; name it with --data", file=sys.stderr)
        return 1
    cases = (
        homes(data),
        roofs(data),
        country_sun(data),
        country_wind(data),
        prices(data, 2019, NL_2019),
        prices(data, 2020, NL_2020),
    )
    sections, hits, missed = [], 0, []
    for case in cases:
        rows, first = compared(case)
        image = f"shape_{case.name.lower().replace(', ', '_')}.png"
        plotted(case, first, IMAGES / image)
        sections.append(section(case, rows, image))
        hits += sum(row.near for row in rows)
        for row in rows:
            if not row.near:
                off = f"{row.deviation:+.1%}" if row.relative else f"{row.deviation:+.3f}"
                missed.append(f"{case.name}: {row.what} ({off})")
    intro = f"""# Simulated and measured shapes

Written by `python scripts/compare_shapes.py`. Numbers of the simulation are means over {len(SEEDS)} seeds; plots show
the first. Means and quantiles are to be within 10 %, autocorrelations within 0.1, the 95 % quantile of ramps within
20 %. Where the simulation's settings were fitted to the measured series, a hit says that the model can take its shape,
not that it foretells another year's. The weather is synthetic: no hour of it is an hour that was. Quantiles that are
nothing (the sun's at night) are left out.

**{hits} of {hits + len(missed)} numbers are hits.** Misses:

"""
    listed = "\n".join(f"- {one}" for one in missed) or "none."
    PAGE.write_text(intro + listed + "\n\n" + "\n".join(sections), encoding="utf-8")
    print(f"{hits} of {hits + len(missed)} hits; {PAGE}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
