"""Every store keeps the contract of the port, check by check."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from vpp.core.ports import Store
from vpp.store.memory import MemoryStore
from vpp.store.sqlite import SqliteStore
from vpp.testing.store import CHECKS, Check, check_store


@pytest.fixture(params=["memory", "sqlite"])
def make_store(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Store]:
    numbers = count()
    if request.param == "memory":
        return MemoryStore
    return lambda: SqliteStore(tmp_path / f"{next(numbers)}.db")


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_store_keeps_its_promises(make_store: Callable[[], Store], check: Check) -> None:
    store = make_store()
    try:
        check(store)
    finally:
        store.close()


def test_store_is_the_port(make_store: Callable[[], Store]) -> None:
    store = make_store()
    assert isinstance(store, Store)
    store.close()


class Forgetful(MemoryStore):
    """Counts the same row as new again."""

    def write_readings(self, readings):  # type: ignore[no-untyped-def]
        super().write_readings(readings)
        return len(readings)


def test_kit_finds_a_broken_store() -> None:
    with pytest.raises(AssertionError, match="the same rows again are not new"):
        check_store(Forgetful)
