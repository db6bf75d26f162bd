"""A fleet: chunks and numbers of homes change nothing, meters balance, shares are those stated."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from vpp.core.errors import InvalidInputError
from vpp.core.time import TimeGrid, zone
from vpp.simulation.plant.fleet import FleetChunk, simulate_fleet
from vpp.simulation.plant.fleet_homes import FleetMix, fleet_homes
from vpp.simulation.weather import Places

GRID = TimeGrid(datetime(2024, 1, 15, tzinfo=UTC), 900, 96)
COLUMNS = ("load_kw", "solar_kw", "ev_kw", "heat_pump_kw", "battery_kw", "soc", "grid_kw")


def fleet(homes: int, *, seed: int = 1, **rest: object) -> dict[str, np.ndarray]:
    chunks: list[FleetChunk] = list(
        simulate_fleet(homes, GRID, centre=Places(52.1, 5.2), timezone=zone("Europe/Amsterdam"), seed=seed, **rest)
    )
    return {name: np.concatenate([getattr(chunk, name) for chunk in chunks], axis=1) for name in COLUMNS}


def test_chunks_and_more_homes_change_no_byte() -> None:
    whole, cut, longer = fleet(150), fleet(150, chunk=37), fleet(190)
    for name in COLUMNS:
        assert whole[name].tobytes() == cut[name].tobytes()
        assert whole[name].tobytes() == np.ascontiguousarray(longer[name][:, :150]).tobytes()
    assert not np.array_equal(whole["load_kw"], fleet(150, seed=2)["load_kw"])


def test_meters_balance_and_batteries_keep_their_band() -> None:
    done = fleet(200)
    behind = done["solar_kw"] - done["load_kw"] - done["ev_kw"] - done["heat_pump_kw"] + done["battery_kw"]
    np.testing.assert_allclose(done["grid_kw"], behind, atol=1e-4)  # single precision
    assert np.nanmin(done["soc"]) >= 0.1 - 1e-6
    assert np.nanmax(done["soc"]) <= 0.9 + 1e-6
    assert all((done[name] >= 0.0).all() for name in COLUMNS[:4])


def test_shares_are_those_stated() -> None:
    mix = FleetMix(solar_share=0.7, battery_share=0.4, ev_share=0.2, heat_pump_share=0.5)
    homes = fleet_homes(0, 20_000, mix, latitude_deg=52.0, seed=3)
    assert (homes.solar_kw > 0.0).mean() == pytest.approx(0.7, abs=0.02)
    assert (homes.battery_kwh > 0.0).mean() == pytest.approx(0.28, abs=0.02)
    assert (homes.charger_kw > 0.0).mean() == pytest.approx(0.2, abs=0.02)
    assert (homes.heat_pump_kw > 0.0).mean() == pytest.approx(0.5, abs=0.02)
    assert np.median(homes.solar_kw[homes.solar_kw > 0.0]) == pytest.approx(5.0, rel=0.03)


def test_homes_without_anything_are_loads() -> None:
    done = fleet(30, mix=FleetMix(solar_share=0.0, ev_share=0.0, heat_pump_share=0.0))
    assert (done["grid_kw"] == -done["load_kw"]).all()
    assert np.isnan(done["soc"]).all()


@pytest.mark.parametrize(
    ("change", "words"),
    [({"homes": 0}, "1 or more"), ({"homes": 2, "chunk": 0}, "1 or more homes")],
)
def test_refusals(change: dict[str, int], words: str) -> None:
    with pytest.raises(InvalidInputError, match=words):
        fleet(**change)


@pytest.mark.parametrize("field", ["solar_share", "battery_share", "tilt_deg", "radius_km"])
def test_a_mix_out_of_range(field: str) -> None:
    with pytest.raises(InvalidInputError, match=rf"fleet\.{field}"):
        FleetMix(**{field: -0.1})
