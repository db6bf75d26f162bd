"""What the proofs share: modules that stand beside them, and servers of their own that a test may kill."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TypeVar

import pytest
from servers.mosquitto import Mosquitto
from servers.postgres import Postgres
from servers.process import MissingServerError, ServerProcess
from servers.tansu import Tansu

HERE = Path(__file__).resolve().parent
if str(HERE) not in sys.path:
    # The producers' processes import the same modules from their own folder.
    sys.path.insert(0, str(HERE))

ServerT = TypeVar("ServerT", bound=ServerProcess)
IN_CI = os.environ.get("CI", "").lower() in ("1", "true", "yes")


@pytest.fixture
def servers_of_test() -> Iterator[ExitStack]:
    """Return what stops the servers of one test when it is over."""
    with ExitStack() as stack:
        yield stack


def started(stack: ExitStack, make: Callable[[], ServerT]) -> ServerT:
    """Return a server that ends with the test; where its program is missing, fail in CI and skip elsewhere."""
    try:
        return stack.enter_context(make())
    except MissingServerError as fault:
        if IN_CI:
            pytest.fail(f"{fault}; .ci/run is to install it")
        pytest.skip(str(fault))


@pytest.fixture
def own_mosquitto(tmp_path: Path, servers_of_test: ExitStack) -> Mosquitto:
    """Return a broker that a test may kill."""
    return started(servers_of_test, lambda: Mosquitto(tmp_path / "mosquitto"))


@pytest.fixture
def own_postgres(tmp_path: Path, servers_of_test: ExitStack) -> Postgres:
    """Return a database server that a test may kill."""
    return started(servers_of_test, lambda: Postgres(tmp_path / "postgres"))


@pytest.fixture
def own_tansu(tmp_path: Path, servers_of_test: ExitStack) -> Tansu:
    """Return a broker of the Kafka protocol that a test may freeze."""
    return started(servers_of_test, lambda: Tansu(tmp_path / "tansu"))


@pytest.fixture
def small_disk(new_disk: Callable[[str], Path]) -> Path:
    """Return a folder on a disk of 8 MB of its own."""
    return new_disk("8m")
