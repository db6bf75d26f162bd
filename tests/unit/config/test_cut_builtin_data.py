"""The script that cuts the built-in plants' data: its clocks, its parsing, and the files it left in the repository."""

from __future__ import annotations

import importlib.util
import sys
import zipfile
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

ROOT = Path(__file__).resolve().parents[3]
SHARED = ROOT.parent / "shared" / "data"
HOURS_OF_2016_17 = pd.date_range("2016-08-01", periods=8760, freq="h")


def load_script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("cut_builtin_data", ROOT / "scripts" / "cut_builtin_data.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look their module up by name while the class body runs.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


cut = load_script()


def shared(path: str) -> Path:
    """Return a file of the shared data, or skip where the folder is absent."""
    if not (SHARED / path).exists():
        pytest.skip(f"no shared data at {SHARED / path}")
    return SHARED / path


def read(path: Path) -> pd.DataFrame:
    return pd.read_parquet(ROOT / path)


def home_labels(hours: pd.DatetimeIndex) -> pd.DataFrame:
    """Label hours as CityLearn does: midnight is hour 24 of the day before."""
    day = hours.where(hours.hour != 0, hours - pd.Timedelta(days=1))
    return pd.DataFrame(
        {"Month": day.month, "Hour": np.where(hours.hour == 0, 24, hours.hour), "Day Type": day.dayofweek + 1}
    )


# --- CityLearn's clock


def test_home_labels_become_wall_hours_from_midnight() -> None:
    hours = cut.home_wall_hours(home_labels(HOURS_OF_2016_17))
    assert hours.equals(HOURS_OF_2016_17)


@pytest.mark.parametrize(("column", "value"), [("Hour", 3), ("Month", 8), ("Day Type", 1)])
def test_a_home_label_off_the_calendar_is_refused(column: str, value: int) -> None:
    labels = home_labels(HOURS_OF_2016_17[:48])
    labels.loc[0, column] = value
    with pytest.raises(ValueError, match="row 0 is labelled"):
        cut.home_wall_hours(labels)


@pytest.mark.parametrize(
    ("wall", "utc"),
    [
        ("2016-08-01 00:00", "2016-08-01 07:00"),
        ("2016-11-06 00:00", "2016-11-06 07:00"),
        ("2016-11-06 01:00", "2016-11-06 08:00"),  # occurs twice: the first, daylight, one
        ("2016-11-06 02:00", "2016-11-06 10:00"),
        ("2017-03-12 01:00", "2017-03-12 09:00"),
        ("2017-03-12 02:00", None),  # does not exist
        ("2017-03-12 03:00", "2017-03-12 10:00"),
        ("2017-07-31 23:00", "2017-08-01 06:00"),
    ],
)
def test_wall_hours_map_to_utc(wall: str, utc: str | None) -> None:
    time = cut.wall_hours_to_utc(pd.DatetimeIndex([wall]), "America/Los_Angeles")[0]
    assert pd.isna(time) if utc is None else time == pd.Timestamp(utc, tz="UTC")


def test_a_year_of_wall_hours_loses_one_and_leaves_one_gap() -> None:
    times = cut.wall_hours_to_utc(HOURS_OF_2016_17, "America/Los_Angeles")
    whole = pd.date_range("2016-08-01 07:00", "2017-08-01 06:00", freq="h", tz="UTC")
    assert times.isna().sum() == 1
    assert whole.difference(times.dropna()).tolist() == [pd.Timestamp("2016-11-06 09:00", tz="UTC")]


# --- simbench's clock


def simbench_labels(day: str) -> pd.Series:
    """Write the labels of one Berlin day, with as many quarter-hours as it has."""
    start = pd.Timestamp(day, tz="Europe/Berlin")
    quarters = pd.date_range(start, start + pd.DateOffset(days=1), freq="15min", inclusive="left")
    return pd.Series(quarters.strftime("%d.%m.%Y %H:%M"))


@pytest.mark.parametrize(
    ("day", "quarters", "first_utc"),
    [
        ("2016-01-01", 96, "2015-12-31 23:00"),
        ("2016-03-27", 92, "2016-03-26 23:00"),
        ("2016-10-30", 100, "2016-10-29 22:00"),
    ],
)
def test_simbench_days_are_unbroken_in_utc(day: str, quarters: int, first_utc: str) -> None:
    times = cut.simbench_times(simbench_labels(day))
    assert times.equals(pd.date_range(first_utc, periods=quarters, freq="15min", tz="UTC"))


def test_a_missing_simbench_row_is_refused() -> None:
    with pytest.raises(ValueError, match=r"simbench row 10 .* follows by 1800 s"):
        cut.simbench_times(simbench_labels("2016-01-01").drop(10).reset_index(drop=True))


# --- ev2gym's prices


def test_both_date_formats_of_the_price_file_are_read() -> None:
    times = cut.price_times(pd.Series(["2016-02-01 03:00:00", None, "", "02/01/2023 03:00", "31/12/2022 23:00"]))
    expected = ["2016-02-01 03:00", None, None, "2023-01-02 03:00", "2022-12-31 23:00"]
    assert times.equals(pd.DatetimeIndex(expected, tz="UTC"))


@pytest.mark.parametrize("stamp", ["2016-02-01T03:00", "13/13/2022 01:00", "12.01.2022 01:00", "12/31/2022 23:00"])
def test_another_date_format_is_refused(stamp: str) -> None:
    with pytest.raises(ValueError, match=r"price row 1 is stamped"):
        cut.price_times(pd.Series(["2016-02-01 03:00:00", stamp]))


def test_prices_are_sorted_and_repeats_go_once() -> None:
    times = pd.DatetimeIndex(["2016-01-01 01:00", None, "2016-01-01 00:00", "2016-01-01 01:00"], tz="UTC")
    prices = cut.merge_prices(times, [20.0, 0.0, 10.0, 20.0])
    assert prices.index.equals(pd.date_range("2016-01-01", periods=2, freq="h", tz="UTC"))
    assert prices.tolist() == [10.0, 20.0]


def test_an_hour_with_two_prices_is_refused() -> None:
    times = pd.DatetimeIndex(["2016-01-01", "2016-01-01"], tz="UTC")
    with pytest.raises(ValueError, match="has two prices"):
        cut.merge_prices(times, [10.0, 10.5])


# --- values


def test_noise_below_zero_is_lifted_and_a_fault_is_not_hidden() -> None:
    lifted = cut.magnitude(pd.Series([-1e-5, 0.0, 0.4]), 1e-4)
    assert lifted.tolist() == [0.0, 0.0, 0.4]
    assert not np.signbit(lifted).any()
    with pytest.raises(ValueError, match="falls to"):
        cut.magnitude(pd.Series([-0.01, 0.4], name="WP4"), 1e-4)
    with pytest.raises(ValueError, match="1 empty"):
        cut.magnitude(pd.Series([np.nan, 0.4], name="WP4"), 1e-4)


def test_pv_is_scaled_by_its_nominal_power() -> None:
    building = pd.DataFrame({"Equipment Electric Power [kWh]": [1.25], "Solar Generation [W/kW]": [500.0]})
    columns = cut.home_columns(building, 4, nominal_kwp=5.0)
    assert {name: values.tolist() for name, values in columns.items()} == {
        "home04_load_kw": [1.25],
        "home04_pv_kw": [2.5],
    }


def test_profiles_are_scaled_to_their_peak(tmp_path: Path) -> None:
    text = "time;WP4;PV8\n01.01.2016 00:00;0.5;-0.000001\n01.01.2016 00:15;1;0.25\n"
    wheel = tmp_path / "a.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(f"{cut.SIMBENCH_FOLDER}/RESProfile.csv", text)
    table = cut.profile_kw(wheel, "RESProfile.csv", peaks_kw={"WP4": 5000.0, "PV8": 3000.0})
    assert table["WP4"].tolist() == [2500.0, 5000.0]
    assert table["PV8"].tolist() == [0.0, 750.0]
    assert table.index[0] == pd.Timestamp("2015-12-31 23:00", tz="UTC")


# --- wheels and files


def test_a_wheel_of_other_content_is_refused(tmp_path: Path) -> None:
    assert cut.find_wheel(cut.EV2GYM, tmp_path) is None
    (tmp_path / "ev2gym-2.0.0-py3-none-any.whl").write_bytes(b"not the wheel")
    with pytest.raises(ValueError, match="SHA-256"):
        cut.find_wheel(cut.EV2GYM, tmp_path)


def test_differences_names_what_is_absent_or_changed(tmp_path: Path) -> None:
    times = pd.date_range("2016-01-01", periods=2, freq="h", tz="UTC")
    table = cut.to_arrow(pd.DataFrame({"time": times, "load_kw": [1.0, 2.0]}))
    other = cut.to_arrow(pd.DataFrame({"time": times, "load_kw": [1.0, 2.5]}))
    path = Path("a/history.parquet")
    assert cut.differences({path: table}, tmp_path) == [f"{path}: absent"]
    cut.write_history(table, tmp_path / path)
    assert cut.differences({path: table}, tmp_path) == []
    assert cut.differences({path: other}, tmp_path) == [f"{path}: differs from a fresh cut"]


def test_the_same_table_is_written_as_the_same_bytes(tmp_path: Path) -> None:
    table = cut.to_arrow(read(cut.HOME12_FILE))
    for name in ("first", "second"):
        cut.write_history(table, tmp_path / name)
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()


def test_times_that_do_not_increase_are_refused() -> None:
    times = pd.DatetimeIndex(["2016-01-01", "2016-01-01"], tz="UTC")
    with pytest.raises(ValueError, match="increase strictly"):
        cut.to_arrow(pd.DataFrame({"time": times, "load_kw": [1.0, 2.0]}))


# --- the files in the repository

HOME_COLUMNS = [f"home{home:02d}_{kind}_kw" for home in cut.PLANT_HOMES for kind in ("load", "pv")]


@pytest.mark.parametrize(
    ("path", "rows", "columns", "first", "last"),
    [
        (
            cut.HOMES_FILE,
            8759,
            ["time", *HOME_COLUMNS, "price_per_kwh", "carbon_kg_per_kwh"],
            "2016-08-01 07:00",
            "2017-08-01 06:00",
        ),
        (cut.HOME12_FILE, 8759, ["time", "home12_load_kw", "home12_pv_kw"], "2016-08-01 07:00", "2017-08-01 06:00"),
        (
            cut.WHOLESALE_FILE,
            35136,
            ["time", "wind_kw", "pv_kw", "load_kw"],
            "2015-12-31 23:00",
            "2016-12-31 22:45",
        ),
        (
            cut.WHOLESALE_PRICES_FILE,
            35136,
            ["time", "price_per_kwh"],
            "2015-12-31 23:00",
            "2016-12-31 22:45",
        ),
    ],
    ids=["homes", "home12", "wholesale", "wholesale prices"],
)
def test_a_shipped_file_is_whole(path: Path, rows: int, columns: list[str], first: str, last: str) -> None:
    history = read(path)
    assert list(history.columns) == columns
    assert len(history) == rows
    assert str(history["time"].dt.tz) == "UTC"
    assert history["time"].iloc[[0, -1]].tolist() == [pd.Timestamp(first, tz="UTC"), pd.Timestamp(last, tz="UTC")]
    assert history["time"].is_monotonic_increasing
    assert not history["time"].duplicated().any()
    assert not history.isna().any().any()
    powers = history[[name for name in columns if name.endswith("_kw")]]
    assert (powers >= 0).all().all()
    assert (ROOT / path).stat().st_size < 1_000_000


def test_homes_have_one_gap_and_wholesale_none() -> None:
    homes, wholesale = read(cut.HOMES_FILE)["time"], read(cut.WHOLESALE_FILE)["time"]
    after_gap = homes[homes.diff() > pd.Timedelta(hours=1)]
    assert after_gap.tolist() == [pd.Timestamp("2016-11-06 10:00", tz="UTC")]
    assert (wholesale.diff().dropna() == pd.Timedelta(minutes=15)).all()
    assert read(cut.WHOLESALE_PRICES_FILE)["time"].equals(wholesale)


def test_the_tariff_peaks_from_16_to_21_local_in_every_month() -> None:
    history = read(cut.HOMES_FILE)
    local = history["time"].dt.tz_convert("America/Los_Angeles")
    assert ((history["price_per_kwh"] > 0.3) == local.dt.hour.between(16, 20)).all()


def test_solar_noon_of_a_home_stays_put_across_the_clock_changes() -> None:
    history = read(cut.HOMES_FILE).set_index("time")["home01_pv_kw"]
    noons = []
    for start in ("2016-10-30", "2016-11-06", "2017-03-05", "2017-03-12"):
        week = history.loc[start : str(pd.Timestamp(start) + pd.Timedelta(days=7, hours=5))]
        hour = (week.index.hour + 0.5 - 8) % 24
        noons.append(float((week * hour).sum() / week.sum()))
    # In the source's labels the same weeks differ by about an hour.
    assert noons[1] == pytest.approx(noons[0], abs=0.15)
    assert noons[3] == pytest.approx(noons[2], abs=0.15)


def test_each_price_holds_for_its_four_quarters() -> None:
    history = read(cut.WHOLESALE_PRICES_FILE)
    hours = history.groupby(history["time"].dt.floor("h"))["price_per_kwh"]
    assert (hours.max() == hours.min()).all()
    assert (hours.size() == 4).all()


@pytest.mark.parametrize("kind", ["load", "pv"])
def test_homes_equal_the_shared_data(kind: str) -> None:
    source = pd.read_csv(shared(f"fontana_homes_2016_17/{kind}_kw.csv.gz"))
    times = cut.wall_hours_to_utc(pd.DatetimeIndex(source["local_wall_clock"]), "America/Los_Angeles")
    source = source[times.notna()]
    shipped = read(cut.HOMES_FILE).merge(read(cut.HOME12_FILE), on="time")
    assert shipped["time"].tolist() == times.dropna().tolist()
    for home in (*cut.PLANT_HOMES, cut.FAULTY_HOME):
        # The shared load keeps six significant digits, the shared PV four decimals.
        np.testing.assert_allclose(
            shipped[f"home{home:02d}_{kind}_kw"],
            source[f"home{home:02d}"],
            atol=6e-5 if kind == "pv" else 1.2e-5,
            rtol=6e-6,
        )


def test_tariff_and_carbon_equal_the_shared_data() -> None:
    source = pd.read_csv(shared("fontana_homes_2016_17/weather_tariff_carbon.csv.gz"))
    times = cut.wall_hours_to_utc(pd.DatetimeIndex(source["local_wall_clock"]), "America/Los_Angeles")
    shipped = read(cut.HOMES_FILE)
    np.testing.assert_allclose(shipped["price_per_kwh"], source.iloc[:, -2][times.notna()], atol=1e-6)
    np.testing.assert_allclose(shipped["carbon_kg_per_kwh"], source.iloc[:, -1][times.notna()], atol=1e-6)


@pytest.mark.parametrize(
    ("file", "column", "shipped_column", "peak_kw"),
    [
        ("res", "WP4", "wind_kw", 5000.0),
        ("res", "PV8", "pv_kw", 3000.0),
        ("load", "G0-M", "load_kw", 2000.0),
    ],
)
def test_wholesale_powers_equal_the_shared_data(file: str, column: str, shipped_column: str, peak_kw: float) -> None:
    source = pd.read_csv(shared(f"simbench_2016_semireal/{file}_pu_15min.csv.gz"), usecols=["utc", column])
    shipped = read(cut.WHOLESALE_FILE)
    assert (pd.to_datetime(source["utc"]).to_numpy() == shipped["time"].to_numpy()).all()
    # The shared files keep four decimals of the peak.
    np.testing.assert_allclose(shipped[shipped_column] / peak_kw, source[column], atol=6e-5)


def test_wholesale_prices_equal_the_shared_data() -> None:
    source = pd.read_csv(shared("prices/nl_day_ahead_2015_2022.csv.gz"))
    prices = pd.Series(source["price_eur_mwh"].to_numpy(), index=pd.to_datetime(source["utc_start"]))
    shipped = read(cut.WHOLESALE_PRICES_FILE)
    expected = prices.loc[shipped["time"].dt.floor("h")].to_numpy() / 1000
    np.testing.assert_allclose(shipped["price_per_kwh"], expected, atol=1e-6)
