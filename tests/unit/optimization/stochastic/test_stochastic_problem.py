"""What a stochastic problem refuses, and the band it derives."""

from __future__ import annotations

import numpy as np
import pytest

from vpp.core.errors import InvalidInputError, SeriesMismatchError
from vpp.optimization.stochastic.problem import Risk


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"duration_h": 0.0}, "duration_h"),
        ({"duration_h": float("nan")}, "duration_h"),
        ({"fixed_kw": np.nan}, "fixed_kw[0, 0]"),
        ({"import_price_per_kwh": np.inf}, "import_price_per_kwh[0, 0]"),
        ({"curtailable_kw": -1.0}, "curtailable_kw"),
        ({"export_price_per_kwh": 0.4}, "export_price_per_kwh"),
        ({"import_max_kw": -1.0}, "import_max_kw"),
        ({"export_max_kw": float("nan")}, "export_max_kw"),
        ({"batteries": ()}, "batteries"),
        ({"initial_soc": np.array([0.05])}, "initial_soc"),
        ({"initial_soc": np.array([np.nan])}, "initial_soc"),
        ({"final_soc_min": np.array([0.95])}, "final_soc_min"),
        ({"terminal_value_per_kwh": np.array([np.inf])}, "terminal_value_per_kwh"),
        ({"probability": np.array([0.5, 0.5, 0.5])}, "probability"),
        ({"injection_min_kw": np.array([0.0, 0.0, 0.0, np.nan])}, "injection_min_kw"),
    ],
)
def test_bad_input_names_the_field(make, given, field):
    with pytest.raises(InvalidInputError) as caught:
        make(**given)
    assert caught.value.field == field


@pytest.mark.parametrize(
    "given",
    [
        {"initial_soc": np.array([0.5, 0.5])},
        {"final_soc_min": np.zeros(2)},
        {"terminal_value_per_kwh": np.zeros(2)},
        {"probability": np.ones(2) / 2},
        {"injection_max_kw": np.zeros(3)},
    ],
)
def test_a_wrong_length_is_a_mismatch(make, given):
    with pytest.raises(SeriesMismatchError):
        make(**given)


@pytest.mark.parametrize(
    ("weight", "level", "field"),
    [(-0.1, 0.5, "weight"), (1.1, 0.5, "weight"), (float("nan"), 0.5, "weight"), (0.5, 1.0, "level")],
)
def test_risk_is_checked(weight, level, field):
    with pytest.raises(InvalidInputError, match=f"^{field}: got"):
        Risk(weight=weight, level=level)


def test_the_band_keeps_the_limits_in_every_scenario(make):
    problem = make(1, 2, fixed_kw=[[-6.0], [2.0]], curtailable_kw=[[1.0], [3.0]], import_max_kw=4.0, export_max_kw=3.0)
    low, high = problem.injection_band_kw
    # 6 of load less 1 of sun, less 4 of import; 2 of firm power under a limit of 3
    assert (low.tolist(), high.tolist()) == ([1.0], [1.0])


def test_the_backup_level_is_a_floor_and_a_start_below_it_goes_no_lower(make):
    from vpp.core.assets import Battery

    unit = Battery(id="battery", capacity_kwh=10.0, charge_max_kw=5.0, discharge_max_kw=5.0, backup_soc=0.4)
    assert make(batteries=(unit,), initial_soc=np.array([0.6])).energy_floor_kwh()[0].tolist() == [4.0] * 4
    assert make(batteries=(unit,), initial_soc=np.array([0.3])).energy_floor_kwh()[0].tolist() == [3.0] * 4
