"""Sites in one step: energy is conserved, meters add up, followers obey their floor and ceiling, limits hold."""

from __future__ import annotations

from math import inf

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpp.core.assets import Battery, GridConnection, Load, Plant, Site
from vpp.simulation.sites import SetPoints, SiteBank, SitesStep

CONSERVED = 1e-9  # of the throughput


def battery(name: str = "b", **change: float) -> Battery:
    facts = {"capacity_kwh": 10.0, "charge_max_kw": 5.0, "discharge_max_kw": 5.0, "charge_efficiency": 0.9,
             "discharge_efficiency": 0.8, "soc_min": 0.1, "soc_max": 0.9}  # fmt: skip
    return Battery(id=name, **{**facts, **change})


def plant(*sites: tuple[Battery, ...], import_max_kw: float = inf, export_max_kw: float = inf) -> Plant:
    connection = GridConnection(import_max_kw=import_max_kw, export_max_kw=export_max_kw)
    made = tuple(
        Site(id=f"s{i}", assets=(Load(id=f"l{i}"), *batteries), connection=connection)
        for i, batteries in enumerate(sites)
    )
    return Plant(id="p", name="P", timezone="UTC", currency="EUR", sites=made)


def one(
    *, energy: float = 5.0, power: float = 0.0, floor: float = -inf, ceiling: float = inf, fixed: float = 0.0,
    curtailable: float = 0.0, reverse: bool = True, generation_ceiling: float = inf, **limits: float,
) -> SitesStep:  # fmt: skip
    points = SetPoints(*(np.array([value]) for value in (power, floor, ceiling, reverse, generation_ceiling)))
    bank = SiteBank(plant((battery(),), **limits))
    return bank.step(
        np.array([energy]), points, fixed_kw=np.array([fixed]), curtailable_kw=np.array([curtailable]), duration_h=1.0
    )


# --- one battery, by hand


@pytest.mark.parametrize(
    ("energy", "power", "reported", "after"),
    [
        (5.0, 2.0, 2.0, 2.5),
        (5.0, -2.0, -2.0, 6.8),
        (5.0, 99.0, 3.2, 1.0),  # cut by its content, down to soc_min
        (9.0, 99.0, 5.0, 2.75),  # cut by its power
        (8.1, -5.0, -1.0, 9.0),  # cut by its room, up to soc_max
        (9.0, -5.0, 0.0, 9.0),
        (1.0, 5.0, 0.0, 1.0),
    ],
)
def test_a_limit_cuts_the_power_that_is_reported(energy: float, power: float, reported: float, after: float) -> None:
    done = one(energy=energy, power=power, fixed=-1.0)
    assert done.battery_kw[0] == pytest.approx(reported, abs=1e-12)
    assert done.energy_kwh[0] == pytest.approx(after, abs=1e-12)
    assert done.grid_kw[0] == pytest.approx(reported - 1.0, abs=1e-12)


@pytest.mark.parametrize(
    ("power", "floor", "ceiling", "fixed", "reported"),
    [
        (1.0, -inf, inf, -4.0, 1.0),  # told not to follow
        (1.0, 0.0, 0.0, -1.0, 1.0),  # already there
        (1.0, 0.0, 0.0, -3.0, 3.0),  # raises to the floor
        (1.0, 0.0, inf, -3.0, 3.0),
        (1.0, -inf, 0.0, -3.0, 1.0),  # only a ceiling: the deficit is bought
        (1.0, 0.0, 0.0, 2.0, -2.0),  # lowers to the ceiling, into charging
        (1.0, 0.0, inf, 2.0, 1.0),  # only a floor: the surplus is sold
        (1.0, 0.0, 0.0, -9.0, 3.2),  # raises as far as it can
        (0.0, 0.0, 0.0, 9.0, -40 / 9),  # lowers as far as it can
        (-1.0, -2.0, 1.0, 0.0, -1.0),  # between floor and ceiling: the set-point stands
        (-1.0, -2.0, 1.0, 3.0, -2.0),
        (-1.0, -2.0, 1.0, -3.0, 1.0),
    ],
)
def test_following_the_meter(power: float, floor: float, ceiling: float, fixed: float, reported: float) -> None:
    done = one(power=power, floor=floor, ceiling=ceiling, fixed=fixed)
    assert done.battery_kw[0] == pytest.approx(reported, abs=1e-12)
    assert done.grid_kw[0] == pytest.approx(fixed + reported, abs=1e-12)


@pytest.mark.parametrize(
    ("case", "battery_kw", "curtailed", "grid", "violation"),
    [
        ({"power": 0.0, "curtailable": 8.0}, 0.0, 2.0, 6.0, 0.0),  # generation is curtailed first
        ({"power": 3.0, "curtailable": 8.0}, 3.0, 5.0, 6.0, 0.0),  # before the battery is touched
        ({"power": 3.0, "fixed": 5.0, "curtailable": 1.0}, 1.0, 1.0, 6.0, 0.0),  # then the battery gives way
        ({"power": 3.0, "fixed": 8.0, "curtailable": 1.0}, -2.0, 1.0, 6.0, 0.0),  # and charges
        ({"power": 0.0, "fixed": 12.0}, -40 / 9, 0.0, 12 - 40 / 9, 6 - 40 / 9),  # what nothing holds is told
        ({"power": 0.0, "fixed": 6.0}, 0.0, 0.0, 6.0, 0.0),
        ({"power": 0.0, "fixed": -7.0}, 3.0, 0.0, -4.0, 0.0),  # the import limit raises the battery
        ({"power": -3.0, "fixed": -2.0}, -2.0, 0.0, -4.0, 0.0),
        ({"power": 0.0, "fixed": -9.0}, 3.2, 0.0, -5.8, 1.8),
        ({"power": 0.0, "fixed": -4.0}, 0.0, 0.0, -4.0, 0.0),
        ({"power": 0.0, "fixed": -7.0, "ceiling": -6.0}, 3.0, 0.0, -4.0, 0.0),  # over a ceiling beyond the limit
        ({"power": 0.0, "fixed": -1.0, "floor": 8.0, "energy": 9.0}, 5.0, 0.0, 4.0, 0.0),
        ({"power": 0.0, "fixed": 3.0, "floor": 8.0, "energy": 9.0}, 3.0, 0.0, 6.0, 0.0),  # as over a floor
        ({"power": 0.0, "fixed": -3.0, "curtailable": 5.0, "generation_ceiling": 0.0}, 0.0, 2.0, 0.0, 0.0),
        ({"power": 0.0, "fixed": -3.0, "curtailable": 2.0, "generation_ceiling": 0.0}, 0.0, 0.0, -1.0, 0.0),
        ({"power": 2.0, "fixed": -1.0, "curtailable": 5.0, "generation_ceiling": 0.0}, 2.0, 5.0, 1.0, 0.0),
    ],
)  # fmt: skip
def test_the_limits_of_the_connection(
    case: dict[str, float], battery_kw: float, curtailed: float, grid: float, violation: float
) -> None:
    done = one(**case, import_max_kw=4.0, export_max_kw=6.0)
    found = (done.battery_kw[0], done.curtailed_kw[0], done.grid_kw[0], done.violation_kw[0])
    assert found == pytest.approx((battery_kw, curtailed, grid, violation), abs=1e-12)


def test_a_floor_beyond_the_export_limit_does_not_break_it() -> None:
    done = one(floor=8.0, energy=9.0, fixed=3.0, curtailable=2.0, export_max_kw=6.0)
    assert done.violation_kw[0] == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize(("power", "fixed", "reported"), [(-2.0, -1.0, 0.0), (2.0, 1.0, 0.0), (-2.0, 1.0, -1.0)])
def test_following_stops_at_rest_unless_it_may_reverse(power: float, fixed: float, reported: float) -> None:
    done = one(power=power, floor=0.0, ceiling=0.0, fixed=fixed, reverse=False)
    assert done.battery_kw[0] == pytest.approx(reported, abs=1e-12)


# --- several batteries, and none


def test_several_batteries_of_a_site_follow_one_after_the_other() -> None:
    bank = SiteBank(plant((battery("a"), battery("b")), (battery("c"),), ()))
    points = SetPoints.idle(batteries=3, sites=3)
    points.floor_kw[:] = 0.0
    fixed = np.array([-5.0, -1.0, -2.0])
    done = bank.step(np.array([5.0, 9.0, 5.0]), points, fixed_kw=fixed, curtailable_kw=np.zeros(3), duration_h=1.0)
    np.testing.assert_allclose(done.battery_kw, [3.2, 1.8, 1.0], atol=1e-12)
    np.testing.assert_allclose(done.grid_kw, [0.0, 0.0, -2.0], atol=1e-12)


def test_a_plant_without_a_battery_is_only_its_meters() -> None:
    bank = SiteBank(plant((), (), export_max_kw=3.0))
    idle = SetPoints.idle(batteries=0, sites=2)
    done = bank.step(
        np.empty(0), idle, fixed_kw=np.array([-1.0, 5.0]), curtailable_kw=np.array([2.0, 1.0]), duration_h=0.25
    )
    assert done.battery_kw.shape == done.energy_kwh.shape == (0,)
    np.testing.assert_allclose(done.grid_kw, [1.0, 5.0])
    np.testing.assert_allclose(done.curtailed_kw, [0.0, 1.0])
    np.testing.assert_allclose(done.violation_kw, [0.0, 2.0])


# --- properties

powers = st.floats(-20.0, 20.0)
bounds = st.one_of(st.just(inf), st.floats(0.0, 15.0))


@st.composite
def walks(draw: st.DrawFn) -> tuple[Plant, int, float, np.random.Generator]:
    counts = draw(st.lists(st.integers(0, 3), min_size=1, max_size=3))
    efficiency = st.floats(0.3, 1.0)
    sites = []
    for s, count in enumerate(counts):
        sites.append(
            tuple(
                battery(
                    f"b{s}-{i}", capacity_kwh=draw(st.floats(0.5, 50.0)), charge_max_kw=draw(st.floats(0.0, 15.0)),
                    discharge_max_kw=draw(st.floats(0.0, 15.0)), charge_efficiency=draw(efficiency),
                    discharge_efficiency=draw(efficiency),
                )
                for i in range(count)
            )
        )  # fmt: skip
    made = plant(*sites, import_max_kw=draw(bounds), export_max_kw=draw(bounds))
    seed = draw(st.integers(0, 2**32 - 1))
    return made, draw(st.integers(1, 12)), draw(st.sampled_from([1 / 60, 0.25, 1.0])), np.random.default_rng(seed)


def random_points(rng: np.random.Generator, batteries: int, sites: int) -> SetPoints:
    floor = np.where(rng.random(batteries) < 0.5, -inf, rng.uniform(-8, 0, batteries))
    ceiling = np.where(rng.random(batteries) < 0.5, inf, rng.uniform(0, 8, batteries))
    reverse = rng.random(batteries) < 0.5
    generation_ceiling = np.where(rng.random(sites) < 0.7, inf, 0.0)
    return SetPoints(rng.uniform(-20, 20, batteries), floor, ceiling, reverse, generation_ceiling)


@given(walk=walks())
def test_a_walk_conserves_energy_keeps_its_band_and_adds_up(walk: tuple) -> None:
    made, steps, hours, rng = walk
    bank = SiteBank(made)
    limits, sites = bank.limits, len(made.sites)
    start = rng.uniform(limits.energy_min_kwh, limits.energy_max_kwh)
    energy, through = start.copy(), np.zeros(start.size)
    stored = np.zeros(start.size)
    for _ in range(steps):
        fixed, sun = rng.uniform(-15, 15, sites), rng.uniform(0, 15, sites)
        done = bank.step(
            energy, random_points(rng, energy.size, sites), fixed_kw=fixed, curtailable_kw=sun, duration_h=hours
        )
        charge, discharge = np.maximum(-done.battery_kw, 0), np.maximum(done.battery_kw, 0)
        stored += (charge * limits.charge_efficiency - discharge / limits.discharge_efficiency) * hours
        through += (charge + discharge) * hours
        energy = done.energy_kwh
        assert (charge <= np.asarray(limits.charge_max_kw)).all()
        assert (discharge <= np.asarray(limits.discharge_max_kw)).all()
        assert (energy >= limits.energy_min_kwh).all()
        assert (energy <= limits.energy_max_kwh).all()
        assert (done.curtailed_kw >= -1e-12).all()
        assert (done.curtailed_kw <= sun + 1e-12).all()
        behind = fixed + sun - done.curtailed_kw
        for b, site in enumerate(bank.battery_site):
            behind[site] += done.battery_kw[b]
        np.testing.assert_allclose(done.grid_kw, behind, rtol=0, atol=1e-12)
        beyond = np.maximum(done.grid_kw - bank.export_max_kw, 0) + np.maximum(-done.grid_kw - bank.import_max_kw, 0)
        np.testing.assert_array_equal(done.violation_kw, beyond)
    assert (np.abs(energy - start - stored) <= CONSERVED * np.maximum(through, 1.0)).all()


@given(
    energy=st.floats(1.0, 9.0), power=powers, fixed=powers, sun=st.floats(0.0, 20.0),
    import_max=bounds, export_max=bounds,
)  # fmt: skip
def test_a_violation_is_told_only_when_nothing_could_prevent_it(
    energy: float, power: float, fixed: float, sun: float, import_max: float, export_max: float
) -> None:
    done = one(
        energy=energy, power=power, fixed=fixed, curtailable=sun, import_max_kw=import_max, export_max_kw=export_max
    )
    if done.violation_kw[0] > 1e-9:
        lowest, highest = -min(5.0, (9.0 - energy) / 0.9), min(5.0, (energy - 1.0) * 0.8)
        if done.grid_kw[0] > 0.0:
            assert done.curtailed_kw[0] == pytest.approx(sun)
            assert done.battery_kw[0] == pytest.approx(lowest)
        else:
            assert done.curtailed_kw[0] == 0.0
            assert done.battery_kw[0] == pytest.approx(highest)
