"""The arrays: what is shared between problems of one structure, and what the soft floors cost."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from vpp.optimization.matrix import build, initial_energy_kwh, layout_of, penalty_per_kwh, structure_of


def test_problems_of_one_structure_share_their_matrix(problems):
    problem = problems.problem(5, 2)
    other = replace(problem, fixed_kw=problem.fixed_kw + 1.0, import_price_per_kwh=problem.import_price_per_kwh * 2.0)
    assert build(problem).layout is build(other).layout
    assert build(problem).layout is not build(problem, elastic=True).layout


@pytest.mark.parametrize(
    ("facts", "block"),
    [
        ({"curtailable_kw": 1.0}, "curtail"),
        ({"committed_kw": [np.nan, 1.0]}, "short"),
        ({"initial_soc": [0.05]}, "low"),
        ({"initial_soc": [0.99]}, "high"),
        ({"final_soc_min": np.array([0.6])}, "low"),
    ],
)
def test_columns_exist_only_where_something_needs_them(problems, facts, block):
    unit = problems.battery(soc_min=0.1, soc_max=0.9)
    bare = layout_of(structure_of(problems.problem(2, batteries=(unit,))))
    more = layout_of(structure_of(problems.problem(2, batteries=(unit,), **facts)))
    assert bare.columns[block].start == bare.columns[block].stop
    assert more.columns[block].stop - more.columns[block].start == 2


def test_rounding_outside_the_band_needs_no_penalty_columns(problems):
    unit = problems.battery(soc_min=0.1, soc_max=0.9)
    problem = problems.problem(2, batteries=(unit,), initial_soc=[0.1 - 1e-13])
    assert structure_of(problem).low == ()
    assert initial_energy_kwh(problem)[0] == pytest.approx(1.0, abs=1e-15)


def test_the_matrix_holds_the_energy_balance(problems):
    unit = problems.battery(charge_efficiency=0.8, discharge_efficiency=0.5, soc_initial=0.5)
    layout = build(problems.problem(2, batteries=(unit,), resolution_s=1800)).layout
    dense = np.zeros((layout.row_count, layout.column_count))
    for column in range(layout.column_count):
        part = slice(layout.start[column], layout.start[column + 1])
        dense[layout.index[part], column] = layout.value[part]
    # columns: charge, discharge, energy, imports, exports, two steps each; rows: balance, bus
    assert dense.tolist() == [
        [-0.4, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0],
        [0.0, -0.4, 0.0, 1.0, -1.0, 1.0, 0.0, 0.0, 0.0, 0.0],
        [1.0, 0.0, -1.0, 0.0, 0.0, 0.0, -1.0, 0.0, 1.0, 0.0],
        [0.0, 1.0, 0.0, -1.0, 0.0, 0.0, 0.0, -1.0, 0.0, 1.0],
    ]


def test_the_penalty_is_above_what_energy_can_earn(problems):
    problem = problems.problem(2, import_price_per_kwh=[0.1, 0.9], export_price_per_kwh=-0.2)
    assert penalty_per_kwh(problem)[0] > (0.9 + 0.2) / 0.9
    free = problems.problem(2, import_price_per_kwh=0.0, export_price_per_kwh=0.0)
    assert penalty_per_kwh(free)[0] == 1.0


def test_every_column_that_earns_is_bounded(problems):
    matrix = build(problems.problem(3, fixed_kw=-7.0))
    assert np.isfinite(matrix.upper).all()
    # 7 kW of load, 5 kW of charging and the spare
    assert matrix.layout.block(matrix.upper, "imports")[0, 0] == pytest.approx(13.0)


def test_a_plain_problem_has_no_blocks_of_the_additions(problems):
    layout = build(problems.problem(3)).layout
    assert layout.structure.additions is None
    assert set(layout.rows) == {"balance", "bus", "sold"}
    assert "goal" not in layout.columns


def test_windows_needs_weather_and_prices_share_a_matrix(mixtures):
    problem = next(
        candidate
        for candidate in map(mixtures.random_mixture, range(200))
        if candidate.ev_sessions and candidate.heated_houses and candidate.reserve is not None
    )
    car, house = problem.ev_sessions[0], problem.heated_houses[0]
    moved = replace(
        problem,
        ev_sessions=(replace(car, energy_needed_kwh=1.0, shortfall_cost_per_kwh=0.5), *problem.ev_sessions[1:]),
        heated_houses=(replace(house, initial_temperature_c=19.0), *problem.heated_houses[1:]),
    )
    assert build(problem).layout is build(moved).layout
    other = replace(problem, ev_sessions=(replace(car, charge_efficiency=0.5), *problem.ev_sessions[1:]))
    assert build(problem).layout is not build(other).layout
