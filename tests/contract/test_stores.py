"""Every store keeps the contract of the port, check by check."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest
from servers.postgres import Postgres

from vpp.core.ports import Store
from vpp.store.memory import MemoryStore
from vpp.store.open import open_store
from vpp.store.sqlite import SqliteStore
from vpp.testing.store import CHECKS, Check, check_store

NUMBERS = count()


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgres", marks=pytest.mark.server)])
def make_store(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Store]:
    if request.param == "memory":
        return MemoryStore
    if request.param == "sqlite":
        return lambda: SqliteStore(tmp_path / f"{next(NUMBERS)}.db")
    postgres: Postgres = request.getfixturevalue("postgres")
    return lambda: open_store(postgres.new_database(f"contract{next(NUMBERS)}"))


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
