"""How long grid services take: frequency response, merit order with and without reserve, agreement by prices.

Single-thread CPU microseconds per answer, medians; contestants take turns within one run, so that a busy machine is
busy for all. Every answer is checked against its contestants before it is timed. HiGHS solves the same linear program
through scipy; at 100,000 sites with reserve it needs most of a minute and is left out.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import csr_array, eye_array, hstack, vstack

from vpp.core.assets import Battery
from vpp.core.curves import VOLT_VAR_CURVES, VOLT_WATT_CURVES, frequency_curve
from vpp.core.storage import StorageLimits
from vpp.dispatch.response import FleetResponse, FrequencyService, respond, respond_in_numpy
from vpp.dispatch.voltage import VoltageService, support_voltage
from vpp.optimization.distributed import SiteOffers, exchange_dispatch
from vpp.optimization.merit import FEW, merit_order

Row = dict[str, Any]
Work = Callable[[], object]
AGREEMENT = 1e-8
LEAST_S = 0.02
BATTERY = Battery(id="b", capacity_kwh=100.0, charge_max_kw=50.0, discharge_max_kw=50.0)


def run(*, turns: int = 9) -> list[Row]:
    """Return one row per amount of work of the figures, and two that have none."""
    return [
        _one_device(turns),
        _fleet(1_000, bar_us=2.0, turns=turns),
        _fleet(100_000, bar_us=150.0, turns=turns),
        _one_inverter(turns),
        *(_merit(count, bar_us=bar, turns=turns) for count, bar in ((2, 5.0), (20, 10.0), (1_000, 100.0))),
        _merit(100_000, bar_us=2_000.0, turns=turns),
        _merit_with_reserve(20, bar_us=50.0, turns=turns),
        _merit_with_reserve(1_000, bar_us=None, turns=turns),
        _merit_with_reserve(100_000, bar_us=1e6, turns=turns),
        _agreement(20, turns=turns),
    ]


def _row(work: str, contestants: dict[str, Work], *, bar_us: float | None, turns: int, note: str = "") -> Row:
    """Time the contestants in turn, ours first, and return a row."""
    counts = {name: _repeats(one) for name, one in contestants.items()}
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(turns):
        for name, one in contestants.items():
            times[name].append(_us(one, counts[name]))
    median = {name: statistics.median(values) for name, values in times.items()}
    ours = median.pop("ours")
    return {
        "work": work,
        "ours_us": round(ours, 3),
        "bar_us": bar_us,
        "kept": None if bar_us is None else ours <= bar_us,
        "others_us": {name: round(value, 2) for name, value in median.items()} or None,
        "note": note,
    }


def _us(work: Work, count: int) -> float:
    began = time.process_time()
    for _ in range(count):
        work()
    return 1e6 * (time.process_time() - began) / count


def _repeats(work: Work) -> int:
    """Return how often to run a work so that the clock's grain does not matter; warms it, too."""
    count = 1
    while _us(work, count) * count < 1e6 * LEAST_S:
        count *= 4
    return count


def _one_device(turns: int) -> Row:
    service = FrequencyService.of_battery(BATTERY, frequency_curve("DC"), contracted_kw=40.0)
    return _row(
        "frequency response: 1 device",
        {"ours": lambda: respond(49.65, service, soc=0.5)},
        bar_us=1.0,
        turns=turns,
        note="Dynamic Containment's curve, dead band, power and charge limits; plain Python",
    )


def _fleet(count: int, *, bar_us: float, turns: int) -> Row:
    rng = np.random.default_rng(count)
    limits = StorageLimits(0.0, 100.0, 50.0, 50.0, 0.95, 0.95)
    energy = rng.uniform(0.0, 100.0, count) * (rng.random(count) > 0.1)
    fleet = FleetResponse.of(
        frequency_curve("DC"),
        rng.uniform(0.0, 60.0, count),
        limits,
        energy_kwh=energy,
        baseline_kw=rng.normal(size=count),
    )
    out, other = np.empty(count), np.empty(count)
    respond_in_numpy(fleet.curve(49.65), fleet.table, other)
    np.testing.assert_allclose(fleet.respond(49.65, out=out), other, atol=AGREEMENT)
    return _row(
        f"frequency response: {count:,} devices",
        {
            "ours": lambda: fleet.respond(49.65, out=out),
            "numpy": lambda: respond_in_numpy(fleet.curve(49.65), fleet.table, other),
        },
        bar_us=bar_us,
        turns=turns,
        note="one frequency for all; limits from the energy stored are precomputed",
    )


def _one_inverter(turns: int) -> Row:
    inverter = VoltageService(
        rated_kva=100.0, rated_kw=100.0, volt_var=VOLT_VAR_CURVES["B"], volt_watt=VOLT_WATT_CURVES["B"]
    )
    return _row(
        "voltage support: 1 inverter",
        {"ours": lambda: support_voltage(1.07, inverter, power_kw=95.0)},
        bar_us=None,
        turns=turns,
        note="Volt-VAR, Volt-Watt and apparent power; plain Python",
    )


def _sites(count: int) -> tuple[dict[str, Any], dict[str, Any], float, float]:
    """Return columns for energy and for reserve, and both targets; lists for few sites, arrays for many."""
    rng = np.random.default_rng(count)
    available = rng.uniform(50.0, 500.0, count)
    energy = {"available_kw": available, "cost_per_kwh": rng.uniform(0.02, 0.12, count)}
    reserve = {
        "reserve_max_kw": available * rng.uniform(0.1, 0.6, count),
        "reserve_cost_per_kwh": rng.uniform(0.001, 0.01, count),
    }
    energy_kw = 0.6 * float(available.sum())
    reserve_kw = min(0.3 * float(available.sum()), 0.6 * float(reserve["reserve_max_kw"].sum()))
    if count <= FEW:
        energy, reserve = ({name: list(map(float, one)) for name, one in both.items()} for both in (energy, reserve))
    return energy, reserve, energy_kw, reserve_kw


def _merit(count: int, *, bar_us: float, turns: int) -> Row:
    sites, _, energy_kw, _ = _sites(count)
    available, cost = np.asarray(sites["available_kw"]), np.asarray(sites["cost_per_kwh"])

    def by_sort() -> np.ndarray:
        order = np.argsort(cost)
        room = available[order]
        power = np.empty(count)
        power[order] = np.clip(energy_kw - (np.cumsum(room) - room), 0.0, room)
        return power

    answer = merit_order(**sites, energy_kw=energy_kw)
    _must_agree(answer.cost_per_h, float((cost * by_sort()).sum()))
    return _row(
        f"merit order: {count:,} sites",
        {"ours": lambda: merit_order(**sites, energy_kw=energy_kw), "numpy sort": by_sort},
        bar_us=bar_us,
        turns=turns,
        note="checks of every figure included",
    )


def _merit_with_reserve(count: int, *, bar_us: float | None, turns: int) -> Row:
    energy, reserve, energy_kw, reserve_kw = _sites(count)
    sites = energy | reserve

    def ours() -> Any:
        return merit_order(**sites, energy_kw=energy_kw, reserve_kw=reserve_kw)

    contestants: dict[str, Work] = {"ours": ours}
    note = "exact: augmenting paths, no tolerance"
    if count <= 1_000:
        program = _program(sites, energy_kw, reserve_kw)
        _must_agree(ours().cost_per_h, float(linprog(**program).fun))
        contestants["HiGHS through scipy"] = lambda: linprog(**program)
        note += "; equal to the LP to 1e-8"
    return _row(f"merit order with reserve: {count:,} sites", contestants, bar_us=bar_us, turns=turns, note=note)


def _program(sites: dict[str, Any], energy_kw: float, reserve_kw: float) -> dict[str, Any]:
    """Return the linear program of energy and reserve as arguments of ``linprog``."""
    count = len(sites["cost_per_kwh"])
    one, none = csr_array(np.ones((1, count))), csr_array((1, count))
    return {
        "c": np.concatenate([sites["cost_per_kwh"], sites["reserve_cost_per_kwh"]]),
        "A_ub": vstack([hstack([eye_array(count), eye_array(count)]), hstack([none, -one])], format="csr"),
        "b_ub": np.concatenate([sites["available_kw"], [-reserve_kw]]),
        "A_eq": hstack([one, none], format="csr"),
        "b_eq": [energy_kw],
        "bounds": np.column_stack(
            [np.zeros(2 * count), np.concatenate([sites["available_kw"], sites["reserve_max_kw"]])]
        ),
        "method": "highs",
    }


def _agreement(count: int, *, turns: int) -> Row:
    energy, reserve, energy_kw, reserve_kw = _sites(count)
    offers = SiteOffers(**energy, **reserve, quadratic_per_kw2h=5e-5)
    answer = exchange_dispatch(offers, energy_kw=energy_kw, reserve_kw=reserve_kw)
    return _row(
        f"exchange ADMM with reserve: {count} sites",
        {"ours": lambda: exchange_dispatch(offers, energy_kw=energy_kw, reserve_kw=reserve_kw)},
        bar_us=None,
        turns=turns,
        note=f"{answer.rounds} rounds, proven gap {answer.gap:.1e}, {answer.status}",
    )


def _must_agree(ours: float, other: float) -> None:
    if abs(ours - other) > AGREEMENT * max(1.0, abs(other)):
        message = f"ours says {ours}, the other {other}: not the same problem"
        raise AssertionError(message)


if __name__ == "__main__":
    import json

    print(json.dumps(run(), indent=1))
