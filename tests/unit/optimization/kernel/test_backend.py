"""Which form of the kernel runs."""

from __future__ import annotations

import pytest

from vpp.core.errors import InvalidInputError
from vpp.optimization.kernel import backend, price_steps


@pytest.fixture
def without_numba(monkeypatch):
    monkeypatch.setattr(backend, "find_spec", lambda _: None)
    backend.functions.cache_clear()
    yield
    backend.functions.cache_clear()


def test_without_numba_the_plain_functions_run(without_numba):
    ready = backend.functions()
    assert ready.name == "python"
    assert ready.trade is price_steps.trade


def test_numba_asked_for_and_missing_is_an_error(without_numba):
    with pytest.raises(InvalidInputError, match="not installed"):
        backend.functions("numba")


def test_plain_is_plain_even_with_numba():
    assert backend.functions("python").name == "python"


def test_unknown_backend_names_the_known():
    with pytest.raises(InvalidInputError, match="numba, python"):
        backend.functions("fortran")
