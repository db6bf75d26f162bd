"""The performance score against ../shared/reference/pjm_performance_score.json: six responses to RegD, in three hours.

The file's tolerance is 1e-6. The signal beside it is rounded to five digits, which alone moves one precision by 1.1e-6;
precision is therefore compared to 2e-6, everything else to the file's tolerance.
"""

from __future__ import annotations

import gzip
import json
from math import exp
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vpp.dispatch.performance import mileage, performance_score

HOURS = (0, 6, 18)


@pytest.fixture(scope="module")
def reference(shared: Path) -> dict[str, Any]:
    path = shared / "reference" / "pjm_performance_score.json"
    if not path.exists():
        pytest.skip(f"no {path.name} in ../shared/reference")
    answer: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return answer


@pytest.fixture(scope="module")
def regd(shared: Path) -> np.ndarray:
    path = shared / "reference" / "pjm_regd_2020-07-22_2s.csv.gz"
    if not path.exists():
        pytest.skip(f"no {path.name} in ../shared/reference")
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return np.loadtxt(lines, skiprows=1)


def late(signal: np.ndarray, samples: int) -> np.ndarray:
    return np.concatenate([np.full(samples, signal[0]), signal[:-samples]])


def lagging(signal: np.ndarray, *, share: float) -> np.ndarray:
    answer = signal.copy()
    for i in range(1, signal.size):
        answer[i] = answer[i - 1] + share * (signal[i] - answer[i - 1])
    return answer


def responses(signal: np.ndarray) -> dict[str, np.ndarray]:
    return {
        "perfect": signal,
        "delay10s": late(signal, 1),
        "delay30s": late(signal, 3),
        "gain0.8": 0.8 * signal,
        "lag_tau20s": lagging(signal, share=1.0 - exp(-10.0 / 20.0)),
        "zero": 0.0 * signal,
    }


@pytest.mark.parametrize("hour", HOURS)
@pytest.mark.parametrize(("precision", "column"), [("block", "gmlc"), ("hour", "hourly_norm")])
def test_every_row(reference: dict[str, Any], regd: np.ndarray, hour: int, precision: str, column: str) -> None:
    assert len(reference["cases"]) == len(HOURS) * 6
    signal = regd[::5][360 * hour : 360 * hour + 390]
    for name, response in responses(signal).items():
        score = performance_score(signal, response, precision=precision)
        published = reference["cases"][f"h{hour}_{name}"][column]
        answer = [score.performance, score.delay, score.correlation]
        assert answer == pytest.approx(published[:3], abs=reference["tol"]), name
        assert score.precision == pytest.approx(published[3], abs=2e-6), name


def test_the_mileage_of_the_first_hour(reference: dict[str, Any], regd: np.ndarray) -> None:
    # 1,799 differences of samples rounded to five digits
    assert mileage(regd[:1800]) == pytest.approx(reference["mileage_h0_2s"], abs=2e-4)
