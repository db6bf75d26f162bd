"""The measured series of ../shared/data that forecasts are judged on, by the hour, each family on one clock.

Faulty series are left out: home12's load, home14's and home15's PV and load, and the substations' channels that
PROVENANCE.md names. Local clocks without offsets are taken as they are, as a clock of their own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path

import numpy as np
import pandas as pd

from vpp.core.messages import SeriesKey
from vpp.core.ports import SeriesTable
from vpp.core.time import TimeGrid
from vpp.forecasting import SeriesProfile

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
FAULTY_HOMES = {"load": ("home12", "home15"), "pv": ("home14", "home15")}
LONGEST_GAP_H = 3


@dataclass(frozen=True)
class Family:
    """Series that are forecast together.

    ``table`` holds them in the sign of the house; ``country`` names the holidays; ``begins`` are the first days of
    the weeks scored, empty for weeks spread over the data.
    """

    name: str
    table: SeriesTable
    profiles: tuple[SeriesProfile, ...]
    country: str | None
    begins: tuple[str, ...] = ()


def family(
    name: str, frame: pd.DataFrame, make: Callable[[str], SeriesProfile], *, country: str | None, begins: str = ""
) -> Family:
    """Return the hourly columns of a frame with naive stamps as a family."""
    hourly = frame[~frame.index.duplicated()].asfreq("h").interpolate(limit=LONGEST_GAP_H, limit_area="inside")
    profiles = tuple(make(str(column).lower().replace("_", "-")) for column in hourly.columns)
    direction = np.array([profile.direction for profile in profiles])
    grid = TimeGrid(hourly.index[0].to_pydatetime().replace(tzinfo=UTC), 3600, len(hourly))
    values = hourly.to_numpy(dtype=np.float64) * direction
    keys = tuple(profile.key for profile in profiles)
    return Family(name, SeriesTable(grid, keys, values), profiles, country, tuple(begins.split()))


def read(path: str, stamp: str) -> pd.DataFrame:
    """Return a CSV of the data by its stamps, which lose their zone."""
    frame = pd.read_csv(DATA / path, parse_dates=[stamp]).set_index(stamp)
    return frame if frame.index.tz is None else frame.set_axis(frame.index.tz_localize(None))


def price(name: str) -> SeriesProfile:
    """Return the profile of a market's price."""
    return SeriesProfile(SeriesKey(name, "price_per_mwh"), "price")


HOME_WEEKS = "2016-10-17 2016-11-28 2017-01-09 2017-02-20 2017-04-03 2017-05-15 2017-06-26"


def five() -> list[Family]:
    """Return the five series of the protocol, each with its weeks."""
    prices = read("lu_delu_2020/delu_day_ahead_hourly.csv.gz", "local")[["price_eur_mwh"]]
    home = read("fontana_homes_2016_17/load_kw.csv.gz", "local_wall_clock")[["home01"]]
    roof = read("fontana_homes_2016_17/pv_kw.csv.gz", "local_wall_clock")[["home01"]]
    turbines = read("kelmarsh_wind_2018/kelmarsh_hourly.csv.gz", "utc").filter(like="KWF").mean(axis=1)
    farm = turbines.asfreq("h").interpolate(limit_area="inside").to_frame("kelmarsh")
    luxembourg = read("lu_delu_2020/lu_15min.csv.gz", "local")
    load = luxembourg[["load_mwh"]][~luxembourg.index.duplicated()].resample("h").sum(min_count=1)
    return [
        family(
            "price DE-LU",
            prices,
            price,
            country="DE",
            begins="2020-03-18 2020-04-29 2020-06-10 2020-07-22 2020-09-02 2020-10-14 2020-11-25",
        ),
        family("home01 load", home, SeriesProfile.load, country="US", begins=HOME_WEEKS),
        family("home01 PV", roof, SeriesProfile.solar, country="US", begins=HOME_WEEKS),
        family(
            "Kelmarsh wind",
            farm,
            SeriesProfile.wind,
            country="GB",
            begins="2018-03-19 2018-04-30 2018-06-11 2018-07-23 2018-09-03 2018-10-15 2018-11-26",
        ),
        family(
            "LU load",
            load,
            SeriesProfile.load,
            country="LU",
            begins="2020-03-23 2020-05-04 2020-06-15 2020-07-27 2020-09-07 2020-10-19 2020-11-30",
        ),
    ]


def clean() -> list[Family]:
    """Return every clean series, family by family."""
    homes = {
        kind: read(f"fontana_homes_2016_17/{kind}_kw.csv.gz", "local_wall_clock").drop(columns=list(faulty))
        for kind, faulty in FAULTY_HOMES.items()
    }
    luxembourg = read("lu_delu_2020/lu_15min.csv.gz", "local")
    luxembourg = luxembourg[~luxembourg.index.duplicated()].resample("h").sum(min_count=1)
    melbourne = read("vic_elec/vic_electricity_30min.csv.gz", "Time")
    victoria = melbourne[["Demand"]].tz_localize("UTC").tz_convert("Australia/Melbourne").tz_localize(None)
    victoria = victoria[~victoria.index.duplicated()].resample("h").mean()
    turbines = read("kelmarsh_wind_2018/kelmarsh_hourly.csv.gz", "utc").filter(like="KWF")
    turbines = turbines.asfreq("h").interpolate(limit_area="inside")
    dutch = read("prices/nl_day_ahead_2015_2022.csv.gz", "utc_start").loc["2018":"2019"]
    simbench_load = read("simbench_2016_semireal/load_pu_15min.csv.gz", "utc").resample("h").mean()
    simbench = read("simbench_2016_semireal/res_pu_15min.csv.gz", "utc").resample("h").mean()
    prices = read("lu_delu_2020/delu_day_ahead_hourly.csv.gz", "local")[["price_eur_mwh"]]
    return [
        family("homes load", homes["load"], SeriesProfile.load, country="US"),
        family("homes PV", homes["pv"], SeriesProfile.solar, country="US"),
        family("LU load", luxembourg[["load_mwh"]], SeriesProfile.load, country="LU"),
        family("LU wind", luxembourg[["wind_mwh"]], SeriesProfile.wind, country="LU"),
        family("LU PV", luxembourg[["pv_mwh"]], SeriesProfile.solar, country="LU"),
        family("Victoria load", victoria, SeriesProfile.load, country="AU"),
        family("Kelmarsh wind", turbines, SeriesProfile.wind, country="GB"),
        family("price DE-LU", prices, price, country="DE"),
        family("price NL", dutch, price, country="NL"),
        family("simbench load", simbench_load, SeriesProfile.load, country="DE"),
        family("simbench PV", simbench.filter(like="PV"), SeriesProfile.solar, country="DE"),
        family("simbench wind", simbench.filter(like="WP"), SeriesProfile.wind, country="DE"),
    ]
