"""Weather from files: typical years (TMY3, EPW) and tables with our own column names.

Invariant: what comes back is aware, even in time, and within the ranges of ``Weather``; nothing is guessed that the
file does not say, but light split by the models of ``sky`` and pressure by altitude, where the place is known.
"""

from __future__ import annotations

import calendar
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pvlib import atmosphere
from pvlib.iotools import read_epw, read_tmy3

from vpp.core.errors import InvalidInputError, MissingDataError, NaiveTimeError, UnknownNameError, UnreadableFileError
from vpp.core.time import TimeGrid, from_epoch_s, zone
from vpp.core.units import SECONDS_PER_HOUR
from vpp.simulation.weather.conditions import COLUMNS, Weather
from vpp.simulation.weather.places import Places
from vpp.simulation.weather.sky import split
from vpp.simulation.weather.sun import sun_position

Floats = NDArray[np.float64]
TYPICAL_YEAR = 2023
_TMY3_HEADER = "Date (MM/DD/YYYY)"
_ZONE_AT_END = r"(?:Z|[+-]\d{2}:?\d{2})$"
_PA_PER_HPA = 100.0
_NEEDED = ("time", "ghi_w_m2", "temperature_c", "wind_speed_m_s")
_BEAM_UP_TO_DEG = 87.0
_PVLIB_NAMES = {
    "ghi_w_m2": "ghi",
    "dni_w_m2": "dni",
    "dhi_w_m2": "dhi",
    "temperature_c": "temp_air",
    "wind_speed_m_s": "wind_speed",
}


def read_weather(
    path: str | Path, *, timezone: str | None = None, places: Places | None = None, year: int = TYPICAL_YEAR
) -> Weather:
    """Read the weather of one site.

    Three formats are told apart by the name and the header: EPW (``.epw``), TMY3, and a CSV with the columns ``time``
    (start of the step, ISO 8601), ``ghi_w_m2``, ``temperature_c``, ``wind_speed_m_s`` and, where known,
    ``dni_w_m2``, ``dhi_w_m2``, ``pressure_pa``.

    Parameters
    ----------
    path : str or Path
        The file.
    timezone : str, optional
        IANA zone of a CSV whose times carry none; typical years state theirs.
    places : Places, optional
        Where a CSV's site stands; needed when beam, diffuse or pressure are not in it. Typical years state theirs.
    year : int, optional
        Year a typical year is laid on; not a leap year, since it has 8760 hours.

    Returns
    -------
    Weather
        One site, with its place where it is known.

    Raises
    ------
    UnreadableFileError
        When the file is missing or not in its format.
    UnknownNameError
        When a CSV has a column of another name.
    MissingDataError
        When a needed column is missing, or one that follows from a place that is not known.
    NaiveTimeError
        When times carry no zone and none was handed in.
    InvalidInputError
        When times are uneven or a value lies outside its range; the message names column and step.
    """
    path = Path(path)
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            second = [file.readline(), file.readline()][1]
    except OSError as fault:
        raise UnreadableFileError(str(path), fault.strerror or "cannot be read") from fault
    if path.suffix.lower() == ".epw":
        return _typical_year(path, year, epw=True)
    if second.startswith(_TMY3_HEADER):
        return _typical_year(path, year, epw=False)
    return _table(path, timezone, places)


def _typical_year(path: Path, year: int, *, epw: bool) -> Weather:
    if calendar.isleap(year):
        raise InvalidInputError("year", year, "a year of 365 days, since a typical year has 8760 hours")
    try:
        if epw:
            frame, about = read_epw(str(path), coerce_year=year)
        else:
            frame, about = read_tmy3(str(path), coerce_year=year, map_variables=True)
        pressure_pa = frame["atmospheric_pressure"] if epw else frame["pressure"] * _PA_PER_HPA
        columns = {name: _column(frame[theirs]) for name, theirs in _PVLIB_NAMES.items()}
        places = Places(about["latitude"], about["longitude"], about["altitude"])
    except (ValueError, KeyError, IndexError, AttributeError) as fault:
        raise UnreadableFileError(str(path), f"not {'an EPW' if epw else 'a TMY3'} file: {fault}") from fault
    starts_s = _epoch_s(pd.DatetimeIndex(frame.index))
    if not epw:
        starts_s = starts_s - SECONDS_PER_HOUR  # TMY3 stamps the end of the hour
    return Weather(_grid(starts_s), **columns, pressure_pa=_column(pressure_pa), places=places)


def _table(path: Path, timezone: str | None, places: Places | None) -> Weather:
    try:
        frame = pd.read_csv(path, dtype={"time": str})
    except (ValueError, UnicodeDecodeError) as fault:
        raise UnreadableFileError(str(path), f"not a CSV table: {fault}") from fault
    known = ("time", *COLUMNS)
    for name in frame.columns:
        if name not in known:
            raise UnknownNameError("weather column", str(name), known)
    for name in _NEEDED:
        if name not in frame.columns:
            raise MissingDataError(f"{path.name}: no column {name}; needed are {', '.join(_NEEDED)}")
    if places is not None and len(places) != 1:
        raise InvalidInputError("places", len(places), "one place, where the file's site stands")
    grid = _grid(_epoch_s(_moments(frame["time"], timezone)))
    columns = {name: _numbers(frame[name], name) for name in COLUMNS if name in frame.columns}
    if len(columns) < len(COLUMNS):
        if places is None:
            missing = ", ".join(name for name in COLUMNS if name not in columns)
            raise MissingDataError(f"{path.name}: no column {missing}; hand in places, from which it follows")
        columns |= _derived(columns, places, grid)
    return Weather(grid, **columns, places=places)


def _derived(columns: dict[str, Floats], places: Places, grid: TimeGrid) -> dict[str, Floats]:
    """Return the columns that a file lacks."""
    ghi = columns["ghi_w_m2"]
    found = {"pressure_pa": np.full(ghi.shape, float(atmosphere.alt2pres(places.altitudes_m[0])))}
    zenith = sun_position(places, grid).zenith_deg
    cosine = np.maximum(np.cos(np.radians(zenith)), 0.0)
    if "dni_w_m2" in columns:
        found["dhi_w_m2"] = np.maximum(ghi - columns["dni_w_m2"] * cosine, 0.0)
    elif "dhi_w_m2" in columns:
        beam = np.maximum(ghi - columns["dhi_w_m2"], 0.0)
        found["dni_w_m2"] = np.divide(beam, cosine, out=np.zeros_like(ghi), where=zenith < _BEAM_UP_TO_DEG)
    else:
        light = split(ghi, zenith, grid)
        found |= {"dni_w_m2": light.dni_w_m2, "dhi_w_m2": light.dhi_w_m2}
    return {name: values for name, values in found.items() if name not in columns}


def _moments(text: pd.Series, timezone: str | None) -> pd.DatetimeIndex:
    """Return the times of a table; those without a zone are on the clock of ``timezone``."""
    filled = text.fillna("")
    aware = filled.str.contains(_ZONE_AT_END, regex=True) & filled.str.contains("T| ", regex=True)
    if not aware.all() and timezone is None:
        raise NaiveTimeError("time", str(filled[~aware].iloc[0]))
    try:
        if aware.all():
            return pd.DatetimeIndex(pd.to_datetime(filled, format="ISO8601", utc=True))
        local = pd.DatetimeIndex(pd.to_datetime(filled, format="ISO8601"))
        if local.tz is not None:
            raise ValueError("some times carry a zone and some do not")
    except (ValueError, TypeError) as fault:
        raise InvalidInputError("time", str(fault), "ISO 8601 times, e.g. 2016-08-01T00:00:00Z") from fault
    clock = local.tz_localize(zone(str(timezone)), ambiguous="NaT", nonexistent="NaT")
    unclear = np.flatnonzero(clock.isna())
    if unclear.size:
        raise InvalidInputError(
            f"time[{unclear[0]}]", str(filled.iloc[unclear[0]]), f"a time that occurs once on the clock of {timezone}"
        )
    return clock.tz_convert("UTC")


def _epoch_s(moments: pd.DatetimeIndex) -> NDArray[np.int64]:
    return (moments - pd.Timestamp(0, tz="UTC")).total_seconds().to_numpy().round().astype(np.int64)


def _grid(starts_s: NDArray[np.int64]) -> TimeGrid:
    if starts_s.size < 2:
        raise InvalidInputError("time", f"{starts_s.size} rows", "two rows or more, which tell the resolution")
    steps = np.diff(starts_s)
    uneven = np.flatnonzero((steps != steps[0]) | (steps <= 0))
    if uneven.size:
        row = int(uneven[0]) + 1
        raise InvalidInputError(
            f"time[{row}]", from_epoch_s(int(starts_s[row])).isoformat(), f"a step of {steps[0]} s after the row before"
        )
    return TimeGrid(from_epoch_s(int(starts_s[0])), int(steps[0]), starts_s.size)


def _column(values: pd.Series) -> Floats:
    return np.asarray(values, dtype=np.float64)[:, None]


def _numbers(values: pd.Series, name: str) -> Floats:
    numbers = pd.to_numeric(values, errors="coerce")
    wrong = np.flatnonzero(numbers.isna())
    if wrong.size:
        low, high, unit = COLUMNS[name]
        raise InvalidInputError(
            f"{name}[{wrong[0]}]", str(values.iloc[wrong[0]]), f"a number, {low:g} to {high:g} [{unit}]"
        )
    return _column(numbers)
