"""Every forecasting model of the registry keeps the contract of the port, check by check."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import cache, partial
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest
from _pytest.mark import ParameterSet

from vpp.core.ports import Forecaster
from vpp.forecasting.models.member import Member
from vpp.forecasting.models.seasonal_naive import SeasonalNaive
from vpp.forecasting.models.training_length import Training
from vpp.forecasting.needs import ModelContext, ModelNeeds
from vpp.forecasting.registry import ModelSpec, models
from vpp.testing.forecaster import CHECKS, Case, Check, case_of, check_forecaster

IN_CI = os.environ.get("CI", "").lower() in ("1", "true", "yes")
SMALLER: dict[str, dict[str, Any]] = {
    "random_forest": {"trees": 4, "rows": 300},
    "ets": {"model": "ANA"},
    "auto_arima": {"most_orders": 1},
    "nbeats": {"training": Training(steps=3, batch=8)},
    "lstm": {"training": Training(steps=3, batch=8)},
}
"""Sizes at which the models that take seconds to learn keep the contract every day."""


def entries() -> list[ParameterSet]:
    """Every model as it is, heavy ones with the tests that take minutes; and those again at a size for every day."""
    found = []
    for spec in models().values():
        heavy = spec.name in SMALLER
        found.append(pytest.param(spec, False, id=spec.name, marks=[pytest.mark.slow] if heavy else []))
        if heavy:
            found.append(pytest.param(spec, True, id=f"{spec.name}, small"))
    return found


def smaller(spec: ModelSpec, context: ModelContext) -> Member:
    """Return a model with less to learn by: the contract asks nothing of its accuracy."""
    module, _, attribute = spec.factory.partition(":")
    factory = getattr(import_module(module), attribute)
    made = factory(context, **SMALLER[spec.name])
    assert isinstance(made, Forecaster)
    return made


@cache
def case(spec: ModelSpec, small: bool) -> Case:
    found = case_of(spec)
    return Case(partial(smaller, spec), found.needs, found.name) if small else found


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize(("spec", "small"), entries())
def test_model_keeps_its_promises(spec: ModelSpec, small: bool, check: Check) -> None:
    if spec.library is not None and find_spec(spec.library) is None:
        message = f"{spec.library} is not installed: pip install 'vpp[{spec.needs.extra}]'"
        if IN_CI:
            pytest.fail(message)
        pytest.skip(message)
    check(case(spec, small))


class Naive(SeasonalNaive):
    """A day's naive forecast made from a context, for others to break."""

    def __init__(self, context: ModelContext) -> None:
        super().__init__(24)


class Transposed(Naive):
    def predict(self, history, steps, *, ahead=None):  # type: ignore[no-untyped-def]
        return super().predict(history, steps, ahead=ahead).T


class Single(Naive):
    def predict(self, history, steps, *, ahead=None):  # type: ignore[no-untyped-def]
        return super().predict(history, steps, ahead=ahead).astype(np.float32)


class Magnitude(Naive):
    def predict(self, history, steps, *, ahead=None):  # type: ignore[no-untyped-def]
        return np.abs(super().predict(history, steps, ahead=ahead))


class Restless(Naive):
    def __init__(self, context: ModelContext) -> None:
        super().__init__(context)
        self._asked = 0

    def predict(self, history, steps, *, ahead=None):  # type: ignore[no-untyped-def]
        self._asked += 1
        return super().predict(history, steps, ahead=ahead) * (1.0 + 0.01 * self._asked)


class Tidy(Naive):
    def fit(self, history):  # type: ignore[no-untyped-def]
        history.value[np.isnan(history.value)] = 0.0
        history.value[:1] = 0.0


class Clairvoyant(Naive):
    def predict(self, history, steps, *, ahead=None):  # type: ignore[no-untyped-def]
        base = history.value.base
        if base is None or len(base) <= history.grid.count:
            return super().predict(history, steps, ahead=ahead)
        return np.resize(base[history.grid.count :], (steps, len(history.keys)))


class Zealous(Naive):
    def predict(self, history, steps, *, ahead=None):  # type: ignore[no-untyped-def]
        return np.nan_to_num(super().predict(history, steps, ahead=ahead))


class Frozen(Naive):
    def fit(self, history):  # type: ignore[no-untyped-def]
        self._seen = history

    def predict(self, history, steps, *, ahead=None):  # type: ignore[no-untyped-def]
        said = super().predict(self._seen, steps) if hasattr(self, "_seen") else super().predict(history, steps)
        return np.where(np.isnan(history.value).all(axis=0), np.nan, said)


class Ordered(Naive):
    def predict(self, history, steps, *, ahead=None):  # type: ignore[no-untyped-def]
        said = super().predict(history, steps, ahead=ahead)
        said[:, 0] *= 1.005
        return said


class Mute(Naive):
    def predict(self, history, steps, *, ahead=None):  # type: ignore[no-untyped-def]
        return np.full((steps, len(history.keys)), np.nan)


@pytest.mark.parametrize(
    ("broken", "complaint"),
    [
        (Transposed, "shape"),
        (Single, "float32"),
        (Magnitude, "the sign is not that of the series"),
        (Restless, "the same question again"),
        (Tidy, "writes into the history"),
        (Clairvoyant, "after the end of the history"),
        (Zealous, "of which nothing is known"),
        (Frozen, "changes nothing in a forecast"),
        (Ordered, "another order"),
        (Mute, "no answer for load and solar and wind and price"),
    ],
)
def test_kit_finds_a_broken_model(broken: type[Naive], complaint: str) -> None:
    with pytest.raises(AssertionError, match=complaint):
        check_forecaster(broken, needs=ModelNeeds(history_days=1, cost="instant"))


def test_kit_passes_a_bare_factory() -> None:
    check_forecaster(Naive, needs=ModelNeeds(history_days=1, cost="instant"))


def test_kit_refuses_another_name() -> None:
    spec = replace(models()["seasonal_naive_24h"], name="naive")
    with pytest.raises(AssertionError, match="it is chosen as 'naive'"):
        check_forecaster(spec)
