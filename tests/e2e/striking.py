"""What proofs under load share: seeds that a failure shows, empty stores, victims that come back."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from servers.postgres import Postgres
from servers.process import ServerProcess


def new_random() -> random.Random:
    """Return a generator that differs from run to run; a failing test shows its seed."""
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    return random.Random(seed)


def address(request: pytest.FixtureRequest, store: str, folder: Path) -> str:
    """Return the address of an empty store, ``sqlite`` or ``postgres``."""
    if store == "sqlite":
        return f"sqlite:///{folder / 'store.db'}"
    server: Postgres = request.getfixturevalue("postgres")
    return server.new_database(f"proof_{random.SystemRandom().randrange(2**40)}")


def dead_for_a_while(server: ServerProcess) -> Callable[[], None]:
    """Return what kills a server and starts it again."""

    def victim() -> None:
        server.kill()
        time.sleep(0.2)
        server.start()

    return victim
