"""Assets: every range at its boundary, and a plant that knows its parts."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import FrozenInstanceError
from math import inf, nan
from typing import Any

import pytest

from vpp.core.assets import (
    ASSET_KINDS,
    Asset,
    Battery,
    EvCharger,
    FlexibleLoad,
    GridConnection,
    HeatPump,
    Load,
    Plant,
    Site,
    SolarArray,
    WindTurbine,
    check_slug,
)
from vpp.core.errors import InvalidInputError, UnknownNameError


def battery(**changes: Any) -> Battery:
    return Battery(**({"id": "b", "capacity_kwh": 10.0, "charge_max_kw": 5.0, "discharge_max_kw": 4.0} | changes))


def solar(**changes: Any) -> SolarArray:
    return SolarArray(**({"id": "s", "peak_kw": 8.0} | changes))


def wind(**changes: Any) -> WindTurbine:
    return WindTurbine(**({"id": "w", "rated_kw": 8.0} | changes))


def load(**changes: Any) -> Load:
    return Load(**({"id": "l"} | changes))


def charger(**changes: Any) -> EvCharger:
    return EvCharger(**({"id": "e", "rated_kw": 11.0} | changes))


def heat_pump(**changes: Any) -> HeatPump:
    return HeatPump(**({"id": "h", "rated_kw": 3.0} | changes))


def machine(**changes: Any) -> FlexibleLoad:
    return FlexibleLoad(**({"id": "m", "rated_kw": 2.0} | changes))


def site(**changes: Any) -> Site:
    return Site(**({"id": "home", "assets": (battery(), solar(), load())} | changes))


def plant(**changes: Any) -> Plant:
    fields = {"id": "p", "name": "P", "timezone": "Europe/Berlin", "currency": "EUR", "sites": (site(),)}
    return Plant(**(fields | changes))


# just inside, just outside; "wrong" holds what is refused
BOUNDARIES: list[tuple[Callable[..., Any], str, list[float], list[float]]] = [
    (battery, "capacity_kwh", [1e-9, 1e9], [0.0, -1.0, inf, nan]),
    (battery, "charge_max_kw", [0.0, 1e6], [-1e-9, inf, nan]),
    (battery, "discharge_max_kw", [0.0, 1e6], [-1e-9, inf, nan]),
    (battery, "charge_efficiency", [1e-3, 1.0], [0.0, 1.0001, -0.9, nan]),
    (battery, "discharge_efficiency", [1e-3, 1.0], [0.0, 1.0001, -0.9, nan]),
    (battery, "soc_min", [0.0, 0.5], [-0.01, 1.01, nan]),
    (battery, "soc_max", [0.5, 1.0], [0.09, 1.01, nan]),
    (battery, "soc_initial", [0.1, 0.9], [0.09, 0.91, nan]),
    (battery, "backup_soc", [0.0, 0.9], [-0.01, 0.91, nan]),
    (battery, "wear_cost_per_kwh", [0.0, 1.0], [-0.01, inf, nan]),
    (solar, "peak_kw", [0.0, 1e6], [-0.1, inf, nan]),
    (wind, "rated_kw", [0.0, 1e6], [-0.1, inf, nan]),
    (load, "peak_kw", [0.0, inf], [-0.1, nan, -inf]),
    (charger, "rated_kw", [0.0, 350.0], [-0.1, inf, nan]),
    (charger, "capacity_kwh", [0.0, 100.0], [-0.1, inf, nan]),
    (charger, "charge_efficiency", [1e-3, 1.0], [0.0, 1.01, nan]),
    (heat_pump, "rated_kw", [0.0, 50.0], [-0.1, inf, nan]),
    (heat_pump, "cop", [0.1, 20.0], [0.0, 20.1, nan]),
    (heat_pump, "thermal_resistance_k_per_kw", [1e-3, 50.0], [0.0, inf, nan]),
    (heat_pump, "thermal_capacity_kwh_per_k", [1e-3, 50.0], [0.0, inf, nan]),
    (heat_pump, "temperature_min_c", [-50.0, 22.0], [-51.0, 61.0, nan]),
    (heat_pump, "temperature_max_c", [20.0, 60.0], [19.9, 60.1, nan]),
    (machine, "rated_kw", [0.0, 50.0], [-0.1, inf, nan]),
    (machine, "energy_kwh_per_day", [0.0, 48.0], [-0.1, 48.1, nan]),
    (battery, "standby_kw", [0.0, 1.0], [-0.01, inf, nan]),
    (battery, "ambient_c", [-40.0, 60.0], [-40.1, 60.1, nan]),
    (solar, "tilt_deg", [0.0, 90.0], [-0.1, 90.1, nan]),
    (solar, "azimuth_deg", [0.0, 360.0], [-0.1, 360.1, nan]),
    (solar, "inverter_kw", [1e-6, 1e6], [0.0, inf, nan]),
    (solar, "inverter_efficiency", [0.5, 1.0], [0.49, 1.01, nan]),
    (solar, "temperature_coefficient_per_c", [-0.02, 0.0], [-0.021, 0.001, nan]),
    (solar, "loss_fraction", [0.0, 0.99], [-0.01, 1.0, nan]),
    (solar, "soiling_fraction", [0.0, 0.99], [-0.01, 1.0, nan]),
    (solar, "degradation_per_year", [0.0, 0.1], [-0.01, 0.11, nan]),
    (solar, "age_years", [0.0, 60.0], [-0.1, 60.1, nan]),
    (wind, "hub_height_m", [1.0, 300.0], [0.9, 301.0, nan]),
    (wind, "roughness_m", [1e-5, 5.0], [0.0, 5.1, nan]),
    (load, "annual_energy_kwh", [1e-3, 1e9], [0.0, inf, nan]),
    (load, "heating_fraction", [0.0, 1.0], [-0.01, 1.01, nan]),
    (load, "cooling_fraction", [0.0, 1.0], [-0.01, 1.01, nan]),
    (charger, "arrival_hour", [0.0, 24.0], [-0.1, 24.1, nan]),
    (charger, "departure_hour", [0.0, 24.0], [-0.1, 24.1, nan]),
    (charger, "energy_per_session_kwh", [0.0, 60.0], [-0.1, inf, nan]),
    (charger, "sessions_per_week", [0.0, 7.0], [-0.1, 7.1, nan]),
    (machine, "earliest_hour", [0.0, 24.0], [-0.1, 24.1, nan]),
    (machine, "latest_hour", [0.0, 24.0], [-0.1, 24.1, nan]),
    (GridConnection, "import_max_kw", [0.0, inf], [-0.1, nan]),
    (GridConnection, "export_max_kw", [0.0, inf], [-0.1, nan]),
    (plant, "latitude_deg", [-90.0, 90.0], [-90.1, 90.1, nan, inf]),
    (plant, "longitude_deg", [-180.0, 180.0], [-180.1, 180.1, nan]),
]


@pytest.mark.parametrize(
    ("make", "field", "value"), [(make, field, value) for make, field, right, _ in BOUNDARIES for value in right]
)
def test_values_in_range_are_taken(make: Callable[..., Any], field: str, value: float) -> None:
    assert getattr(make(**{field: value}), field) == value


@pytest.mark.parametrize(
    ("make", "field", "value"), [(make, field, value) for make, field, _, wrong in BOUNDARIES for value in wrong]
)
def test_values_out_of_range_are_refused_with_field_value_and_range(
    make: Callable[..., Any], field: str, value: float
) -> None:
    with pytest.raises(InvalidInputError) as caught:
        make(**{field: value})
    assert caught.value.field.endswith(f".{field}")
    assert f"got {value!r}, expected" in str(caught.value)


@pytest.mark.parametrize(
    ("make", "field", "word", "near"),
    [
        (battery, "model", "phisical", "physical"),
        (battery, "chemistry", "lpf", "lfp"),
        (load, "profile", "houshold", "household"),
    ],
)
def test_unknown_words_name_the_nearest(make: Callable[..., Any], field: str, word: str, near: str) -> None:
    with pytest.raises(UnknownNameError, match=f"did you mean: {near}"):
        make(**{field: word})


def test_shares_of_a_home_are_at_most_all_of_it() -> None:
    with pytest.raises(InvalidInputError, match="at most 1 together with cooling_fraction"):
        load(heating_fraction=0.6, cooling_fraction=0.5)


def test_a_window_may_span_midnight() -> None:
    assert machine(earliest_hour=22.0, latest_hour=2.0, energy_kwh_per_day=8.0).window_h == 4.0
    assert machine(earliest_hour=6.0, latest_hour=6.0).window_h == 24.0
    with pytest.raises(InvalidInputError, match="0 to 8"):
        machine(earliest_hour=22.0, latest_hour=2.0, energy_kwh_per_day=8.1)


def test_a_battery_may_have_a_band_of_one_point() -> None:
    assert battery(soc_min=0.5, soc_max=0.5, soc_initial=0.5).limits.energy_min_kwh == 5.0


def test_limits_follow_from_the_battery() -> None:
    limits = battery(charge_efficiency=0.9, discharge_efficiency=0.8).limits
    assert (limits.energy_min_kwh, limits.energy_max_kwh) == (1.0, 9.0)
    assert (limits.charge_max_kw, limits.discharge_max_kw) == (5.0, 4.0)
    assert battery(charge_efficiency=0.9, discharge_efficiency=0.8).round_trip_efficiency == pytest.approx(0.72)
    assert battery().round_trip_efficiency == pytest.approx(0.9)


@pytest.mark.parametrize("slug", ["a", "0", "home-01", "pv_2", "x" * 63])
def test_slugs(slug: str) -> None:
    assert check_slug(slug) == slug


@pytest.mark.parametrize("text", ["", "Home", "-a", "_a", "a b", "a/b", "a.b", "ä", "x" * 64, "home\n", "a\x00"])
def test_what_is_no_slug_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError, match="a lower-case slug"):
        check_slug(text)


@pytest.mark.parametrize("make", [battery, solar, wind, load, charger, heat_pump, machine, site, plant])
def test_every_id_is_a_slug(make: Callable[..., Any]) -> None:
    with pytest.raises(InvalidInputError, match="id: got 'Not a slug'"):
        make(id="Not a slug")


@pytest.mark.parametrize("make", [battery, solar, wind, load, charger, heat_pump, machine])
def test_assets_are_values(make: Callable[..., Asset]) -> None:
    one = make()
    assert one == make()
    assert hash(one) == hash(make())
    assert pickle.loads(pickle.dumps(one)) == one
    assert ASSET_KINDS[one.kind] is type(one)
    with pytest.raises(FrozenInstanceError):
        one.id = "other"  # type: ignore[misc]


def test_the_largest_power_has_one_name() -> None:
    assert [asset.peak_kw for asset in (solar(), wind(), load(), charger(), heat_pump(), machine())] == [
        8.0, 8.0, inf, 11.0, 3.0, 2.0,
    ]  # fmt: skip


def test_a_site_sorts_its_assets_by_what_they_do() -> None:
    mixed = site(assets=(load(), battery(), wind(), machine(), solar(), charger(), heat_pump()))
    assert [asset.id for asset in mixed.batteries] == ["b"]
    assert [asset.id for asset in mixed.generators] == ["w", "s"]
    assert [asset.id for asset in mixed.consumers] == ["l", "m", "e", "h"]


def test_a_plant_finds_its_parts() -> None:
    second = Site(id="barn", assets=(wind(), battery(id="b2")))
    whole = plant(sites=(site(), second))
    assert [asset.id for asset in whole.assets] == ["b", "s", "l", "w", "b2"]
    assert [asset.id for asset in whole.batteries] == ["b", "b2"]
    assert whole.asset("w") == wind()
    assert whole.site("barn") is second
    assert whole.site_of("b2") is second


@pytest.mark.parametrize(
    ("look_up", "message"),
    [
        (lambda whole: whole.asset("bb"), "no asset called 'bb'; did you mean: b"),
        (lambda whole: whole.site("hom"), "no site called 'hom'; did you mean: home"),
        (lambda whole: whole.site_of("x"), "no asset called 'x'"),
    ],
)
def test_an_unknown_part_names_the_nearest(look_up: Callable[[Plant], Any], message: str) -> None:
    with pytest.raises(UnknownNameError, match=message):
        look_up(plant())


@pytest.mark.parametrize(
    "sites",
    [
        (site(), site()),
        (site(), site(id="other")),  # the assets repeat
        (site(assets=(load(id="home"),)),),  # an asset called like its site
        (site(assets=(load(), load())),),
    ],
)
def test_ids_are_used_once_in_a_plant(sites: tuple[Site, ...]) -> None:
    with pytest.raises(InvalidInputError, match="an id used once in the plant"):
        plant(sites=sites)


def test_a_plant_has_a_site() -> None:
    with pytest.raises(InvalidInputError, match="at least one site"):
        plant(sites=())
