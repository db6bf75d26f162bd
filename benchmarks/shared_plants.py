"""Plants read from ../shared for tests and back-tests: of the same make as ``wholesale``, never shipped.

``python benchmarks/shared_plants.py [--days 28]`` back-tests them beside the built-in plants and prints one table.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from vpp.config import VPPConfig
from vpp.config.builtin import builtin_path
from vpp.core.messages import MARKET, POWER_KW, PRICE_PER_KWH, SeriesKey
from vpp.core.ports import SeriesTable
from vpp.core.series import fill_short_gaps
from vpp.core.time import TimeGrid
from vpp.core.units import price_per_kwh_from_mwh

SHARED = Path(__file__).resolve().parents[2] / "shared"
PEAKS_KW = {"wind": 5000.0, "pv": 3000.0, "load": 2000.0}
STEP_S = 900
STEP = pd.Timedelta(seconds=STEP_S)
LONGEST_GAP_STEPS = 4
SIGNS = {"wind": 1.0, "pv": 1.0, "load": -1.0}
KEYS = (*(SeriesKey(asset, POWER_KW) for asset in PEAKS_KW), SeriesKey(MARKET, PRICE_PER_KWH))

SharedPlant = tuple[VPPConfig, SeriesTable]


def lu_delu_2020(shared: Path = SHARED) -> SharedPlant:
    """Return Luxembourg's wind, sun and load of 2020, scaled to the park, at the real DE-LU day-ahead price.

    The power file is on the Berlin clock and lacks the second showing of the doubled autumn hour; the first one is
    summer time, so that 2020-10-25T01:00Z to 02:00Z is missing: the one gap, bridged by a line. The price file names
    its zone and has both hours.
    """
    folder = shared / "data" / "lu_delu_2020"
    power = pd.read_csv(folder / "lu_15min.csv.gz", parse_dates=["local"], index_col="local")
    summer_first = np.ones(len(power), dtype=bool)
    power.index = pd.DatetimeIndex(power.index).tz_localize("Europe/Berlin", ambiguous=summer_first).tz_convert("UTC")
    frame = power.rename(columns={"wind_mwh": "wind", "pv_mwh": "pv", "load_mwh": "load"})[list(PEAKS_KW)]
    source = pd.read_csv(folder / "delu_day_ahead_hourly.csv.gz", parse_dates=["local"])
    is_summer = (source["zone"] == "CEST").to_numpy()
    stamps = pd.DatetimeIndex(source["local"]).tz_localize("Europe/Berlin", ambiguous=is_summer).tz_convert("UTC")
    price = pd.Series(source["price_eur_mwh"].to_numpy(dtype=np.float64), index=stamps)
    return _park("lu_delu_2020", "Luxembourg 2020 at wholesale", "Europe/Berlin"), _table(frame, price)


def nl_substations_2021(shared: Path = SHARED) -> SharedPlant:
    """Return six Dutch substations of autumn 2021 as one park, at the real Dutch day-ahead price; stamps are UTC.

    Wind and sun are the substations' measured generation. The load is what remains of their net load, below zero in
    7 % of the steps where unmetered generation exceeds it; there it is 0. No gaps.
    """
    folder = shared / "data" / "nl_substations_2021"
    stations = [pd.read_csv(path, parse_dates=["utc"], index_col="utc") for path in sorted(folder.glob("*.csv.gz"))]
    wind = -sum(station["wind_mw"] for station in stations)
    solar = -sum(station["solar_mw"] for station in stations)
    load = sum(station["net_load_mw"] for station in stations) + wind + solar
    frame = pd.DataFrame({"wind": wind, "pv": solar, "load": load}).clip(lower=0.0)
    price = stations[0]["nl_day_ahead_eur_mwh"].resample("1h").first()
    return _park("nl_substations_2021", "Six Dutch substations 2021 at wholesale", "Europe/Amsterdam"), _table(
        frame, price
    )


SHARED_PLANTS: dict[str, Callable[[], SharedPlant]] = {
    "lu_delu_2020": lu_delu_2020,
    "nl_substations_2021": nl_substations_2021,
}


def _park(name: str, title: str, timezone: str) -> VPPConfig:
    """Return the wholesale plant under another name, zone and history."""
    model = VPPConfig.from_file(builtin_path("wholesale")).raw
    raw = {key: value for key, value in model.items() if key != "history"}
    return VPPConfig(raw | {"id": name, "name": title, "timezone": timezone})


def _table(magnitudes: pd.DataFrame, price_per_mwh: pd.Series[float]) -> SeriesTable:
    """Return magnitudes scaled to the park's peaks and the hourly price, on the steps that both cover."""
    first = max(magnitudes.index[0], price_per_mwh.index[0])
    last = min(magnitudes.index[-1], price_per_mwh.index[-1] + pd.Timedelta(hours=1) - STEP)
    steps = pd.date_range(first, last, freq=STEP)
    placed = magnitudes.reindex(steps)
    columns = []
    for asset, peak_kw in PEAKS_KW.items():
        values = placed[asset].to_numpy(dtype=np.float64) / float(magnitudes[asset].max()) * peak_kw
        filled, _ = fill_short_gaps(values, longest=LONGEST_GAP_STEPS)
        if np.isnan(filled).any():
            raise ValueError(f"{asset} has a gap of more than an hour at {steps[int(np.isnan(filled).argmax())]}")
        columns.append(filled if SIGNS[asset] > 0.0 else 0.0 - filled)
    hourly = price_per_mwh.reindex(steps.floor("h")).to_numpy(dtype=np.float64)
    columns.append(np.array([price_per_kwh_from_mwh(float(value)) for value in hourly]))
    grid = TimeGrid(steps[0].to_pydatetime(), STEP_S, len(steps))
    return SeriesTable(grid, KEYS, np.column_stack(columns))


def main() -> None:
    """Back-test every plant over the same number of last days and print cost and share of each strategy."""
    from vpp.runtime.backtest import backtest

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=28)
    parser.add_argument("plants", nargs="*", default=["homes", "wholesale", *SHARED_PLANTS])
    asked = parser.parse_args()
    for name in asked.plants:
        config, table = SHARED_PLANTS[name]() if name in SHARED_PLANTS else (VPPConfig.load(name), None)
        result = backtest(config, days=asked.days, table=table)
        print(f"{name}: {asked.days} days from {result.grid.start:%Y-%m-%d %H:%M} UTC [{result.currency}]")
        for strategy, one in result.strategies.items():
            share = "-" if one.share is None else f"{one.share:.1%}"
            money = one.statement
            print(
                f"  {strategy:<18} {money.cost:>12,.2f} {share:>8}   energy {money.energy_cost:,.2f}"
                f" fees {money.imbalance_cost:,.2f} wear {money.wear_cost:,.2f} left {money.terminal_value:,.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
