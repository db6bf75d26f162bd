"""What every test may ask for: the shared folder, commands of the machine, and how Hypothesis searches."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Generator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from servers.disk import NoMountError, small_disk
from servers.mosquitto import Mosquitto
from servers.postgres import Postgres
from servers.process import MissingServerError, ServerProcess
from servers.redis import Redis
from servers.tansu import Tansu

ROOT = Path(__file__).resolve().parents[1]
IN_CI = os.environ.get("CI", "").lower() in ("1", "true", "yes")

# CI repeats the same few examples, so that a red build is about the change; at the desk the search goes on.
settings.register_profile(
    "ci", deadline=None, derandomize=True, max_examples=50, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("dev", deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if IN_CI else "dev"))


@pytest.fixture(scope="session")
def root() -> Path:
    """Return the repository's root."""
    return ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder of shared references and data beside the repository; skip where there is none."""
    folder = ROOT.parent / "shared"
    if not folder.is_dir():
        pytest.skip("no ../shared beside the repository: its references and data are not part of the checkout")
    return folder


@pytest.fixture(scope="session")
def need_command() -> Callable[..., str]:
    """Return a function that finds the first of several commands: missing, it fails in CI and skips elsewhere."""

    def find(*names: str) -> str:
        for name in names:
            path = shutil.which(name)
            if path is not None:
                return path
        message = f"{' or '.join(names)} is not installed on this machine"
        if IN_CI:
            pytest.fail(f"{message}; .ci/run is to install it")
        pytest.skip(message)

    return find


ServerT = TypeVar("ServerT", bound=ServerProcess)


def running(make: Callable[[], ServerT]) -> Generator[ServerT, None, None]:
    """Yield a server; where its program is missing, fail in CI and skip elsewhere."""
    try:
        server = make()
    except MissingServerError as fault:
        if IN_CI:
            pytest.fail(f"{fault}; .ci/run is to install it")
        pytest.skip(str(fault))
    with server:
        yield server


@pytest.fixture(scope="module")
def mosquitto(tmp_path_factory: pytest.TempPathFactory) -> Generator[Mosquitto, None, None]:
    """Return a running MQTT broker, one for each file: what a test leaves there is not heard elsewhere."""
    yield from running(lambda: Mosquitto(tmp_path_factory.mktemp("mosquitto")))


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Generator[Postgres, None, None]:
    """Return a running PostgreSQL; every test makes a database of its own in it."""
    yield from running(lambda: Postgres(tmp_path_factory.mktemp("postgres")))


@pytest.fixture(scope="module")
def tansu(tmp_path_factory: pytest.TempPathFactory) -> Generator[Tansu, None, None]:
    """Return a running broker of the Kafka protocol, one for each file."""
    yield from running(lambda: Tansu(tmp_path_factory.mktemp("tansu")))


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Generator[Redis, None, None]:
    """Return a running Redis."""
    yield from running(lambda: Redis(tmp_path_factory.mktemp("redis")))


@pytest.fixture
def new_disk(tmp_path: Path) -> Generator[Callable[[str], Path], None, None]:
    """Return a function that mounts a small disk of a size such as ``8m``; where that is not allowed it skips."""
    with ExitStack() as mounted:

        def mount(size: str) -> Path:
            try:
                return mounted.enter_context(small_disk(tmp_path / "small", size=size))
            except NoMountError as fault:
                pytest.skip(str(fault))

        yield mount


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    """Turn a skip of a ``server`` test into a failure in CI: there, what it needs is to be present."""
    report = yield
    skipped = report.skipped and not hasattr(report, "wasxfail")
    if IN_CI and skipped and item.get_closest_marker("server") is not None:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        report.outcome = "failed"
        report.longrepr = f"a server test may not skip in CI: {reason}"
    return report
