"""The 135-device plant of Chen et al., Applied Energy 361 (2024) 122876: published bids and the joint optimum.

Data and bids: ../shared/reference/vpp_regulation_chen2024_day21 (see PROVENANCE.md there); MW there, kW here.
"""

from __future__ import annotations

import json
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import pytest

from vpp.core.messages.planned import PlanStatus
from vpp.core.units import KILO, kw_from_mw, kwh_from_mwh, mw_from_kw, price_per_kwh_from_mwh
from vpp.optimization.regulation import bid_energy_and_regulation
from vpp.optimization.regulation_problem import RegulationMarket, Resources

NAME = "vpp_regulation_chen2024_day21"
CLASSES = ("pv", "es", "ev", "tcl", "ipp")


@pytest.fixture(scope="module")
def folder(shared: Path) -> Path:
    if not (shared / "reference" / f"{NAME}.npz").exists():
        pytest.skip(f"no {NAME}.npz in ../shared/reference")
    return shared / "reference"


@pytest.fixture(scope="module")
def published(folder: Path) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads((folder / f"{NAME}.json").read_text(encoding="utf-8"))
    return answer


@pytest.fixture(scope="module")
def data(folder: Path) -> dict[str, np.ndarray]:
    with np.load(folder / f"{NAME}.npz") as archive:
        return {name: archive[name].astype(np.float64) for name in archive}


@pytest.fixture(scope="module")
def market(data: dict[str, np.ndarray]) -> RegulationMarket:
    return RegulationMarket(
        energy_price_per_kwh=price_per_kwh_from_mwh(data["price_e"]),
        capacity_price_per_kw=data["price_reg"][:, 0] / KILO,
        mileage_price_per_kw=data["price_reg"][:, 1] / KILO,
        mileage=data["mileage"],
        performance=float(data["s_perf"]),
        signal=data["d_s"],
        probability=data["prob"],
        sustain_h=float(data["delta_t_req"]),
    )


@pytest.fixture(scope="module")
def resources(data: dict[str, np.ndarray]) -> Resources:
    regulates = np.ones(data["theta"].size, dtype=np.bool_)
    regulates[data["index_none_reg_1based"].astype(int) - 1] = False
    return Resources(
        charge_max_kw=kw_from_mw(data["power_ch_upper_limit"]),
        discharge_max_kw=kw_from_mw(data["power_dis_upper_limit"]),
        energy_min_kwh=kwh_from_mwh(data["energy_lower_limit"]),
        energy_max_kwh=kwh_from_mwh(data["energy_upper_limit"]),
        energy_initial_kwh=kwh_from_mwh(data["energy_init"]),
        retention=data["theta"],
        charge_gain=data["eta_ch"],
        discharge_drain=data["eta_dis"],
        drift_kwh=kwh_from_mwh(data["wOmiga"]),
        charge_cost_per_kwh=price_per_kwh_from_mwh(data["pr_ch"]),
        discharge_cost_per_kwh=price_per_kwh_from_mwh(data["pr_dis"]),
        regulates=regulates,
    )


@pytest.mark.parametrize("group", [*CLASSES, "all"])
def test_published_bids_and_objective(group, data, resources, market, published):
    chosen = resources
    if group != "all":
        first, last = data["resource_range_1based"][CLASSES.index(group)].astype(int)
        chosen = resources.only(slice(first - 1, last))
    began_s = process_time()
    bid = bid_energy_and_regulation(chosen, market, as_published=True)
    spent_s = process_time() - began_s
    assert bid.status is PlanStatus.OPTIMAL
    assert bid.profit == pytest.approx(published["objective_reproduced_HiGHS"][group], abs=published["tol_obj"])
    expected = published["published_bids"][group]
    tolerance_mw = published["tol_abs_MW"]
    np.testing.assert_allclose(mw_from_kw(bid.energy_kw), expected["Bid_P"], rtol=0.0, atol=tolerance_mw)
    np.testing.assert_allclose(mw_from_kw(bid.regulation_kw), expected["Bid_R"], rtol=0.0, atol=tolerance_mw)
    # the bar is 3 s on an idle core
    assert spent_s < 10.0, f"{spent_s:.1f} s of CPU"


def test_together_they_earn_what_the_paper_says(published):
    alone = sum(published["objective_reproduced_HiGHS"][group] for group in CLASSES)
    assert published["objective_with_all_DERs_jointly"] == pytest.approx(3306.60, abs=0.01)
    assert published["objective_with_all_DERs_jointly"] - alone == pytest.approx(1755.11, abs=0.02)


def test_a_store_that_rises_while_it_charges_earns_no_more_than_the_published_program(resources, market):
    storage = resources.only(slice(1, 2))
    physical = bid_energy_and_regulation(storage, market)
    as_published = bid_energy_and_regulation(storage, market, as_published=True)
    assert physical.status is PlanStatus.OPTIMAL
    assert physical.profit <= as_published.profit + 1e-6
