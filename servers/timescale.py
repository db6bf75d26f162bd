"""TimescaleDB: PostgreSQL 17 with the extension, from Debian trixie, in a folder of its own.

Debian bookworm has no such package, so ``python -m servers.timescale`` unpacks trixie by ``debootstrap``, once, and the
server runs inside it by ``chroot``; both need root. Its data lies inside that folder and goes when the server is
closed. What Debian builds is the Apache edition: hypertables, but no compression, policies or continuous aggregates.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from servers.postgres import SETTINGS, Postgres
from servers.process import MissingServerError, ServerProcess, find_program, free_port

ROOT_VARIABLE = "VPP_TIMESCALE_ROOT"
"""Names the folder of the unpacked system; by default one in the user's cache."""
URL_VARIABLE = "VPP_TEST_TIMESCALE_URL"
"""Names a server that runs elsewhere, e.g. one of the full edition; then nothing is started."""
RELEASE = "trixie"
PACKAGE = "postgresql-17-timescaledb"
PROGRAMS = "/usr/lib/postgresql/17/bin"


def timescale_root() -> Path:
    """Return where the unpacked system is, or will be."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get(ROOT_VARIABLE) or cache / "vpp" / f"timescale-{RELEASE}")


def build(root: Path | None = None) -> Path:
    """Unpack the system and install the server in it, unless that was done before; return its folder.

    Raises
    ------
    MissingServerError
        When this process is not root, ``debootstrap`` is missing, or the packages cannot be had.
    """
    root = root or timescale_root()
    if is_built(root):
        return root
    if os.geteuid() != 0:
        raise MissingServerError(f"TimescaleDB runs in a chroot, which needs root; or name a server by {URL_VARIABLE}")
    debootstrap = find_program("debootstrap", package="apt-get install debootstrap")
    root.parent.mkdir(parents=True, exist_ok=True)
    with (root.parent / f"{root.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not root.exists():
            # Under another name until it is whole: what was broken off is never taken for a server.
            new = Path(tempfile.mkdtemp(prefix=f"{root.name}-", dir=root.parent))
            new.chmod(0o755)
            try:
                _install(debootstrap, new)
                new.rename(root)
            except subprocess.CalledProcessError as fault:
                shutil.rmtree(new, ignore_errors=True)
                said = (fault.stderr or b"").decode(errors="replace")[-500:]
                raise MissingServerError(f"{PACKAGE} cannot be installed from Debian {RELEASE}: {said}") from fault
    return root


def is_built(root: Path) -> bool:
    """Return whether the server is installed in a folder."""
    return (root / PROGRAMS.lstrip("/") / "postgres").exists()


def _install(debootstrap: str, folder: Path) -> None:
    _run(debootstrap, "--variant=minbase", RELEASE, str(folder))
    # Packages may not start services: the one server wanted is started by hand.
    refusing = folder / "usr/sbin/policy-rc.d"
    refusing.write_text("#!/bin/sh\nexit 101\n")
    refusing.chmod(0o755)
    _run("chroot", str(folder), "apt-get", "install", "-y", "--no-install-recommends", PACKAGE)


def _run(*command: str) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(command, check=True, capture_output=True, env=environment, stdin=subprocess.DEVNULL)


class Timescale(Postgres):
    """A running server with the extension preloaded; every new database gets it by ``new_database``.

    Parameters
    ----------
    root : Path, optional
        The unpacked system; by default ``timescale_root()``.
    """

    def __init__(self, *, root: Path | None = None) -> None:
        self._root = root or timescale_root()
        if not is_built(self._root):
            raise MissingServerError(f"no TimescaleDB in {self._root}; python -m servers.timescale installs it")
        if os.geteuid() != 0:
            raise MissingServerError(f"TimescaleDB runs in a chroot, which needs root; or name one by {URL_VARIABLE}")
        homes = self._root / "srv"
        self._home = Path(tempfile.mkdtemp(prefix="timescale-", dir=homes))
        inside = "/" + str(self._home.relative_to(self._root))
        enter = ["chroot", "--userspec=postgres:postgres", str(self._root)]
        subprocess.run(["chroot", str(self._root), "chown", "postgres:postgres", inside], check=True)
        subprocess.run(
            [*enter, f"{PROGRAMS}/initdb", "-D", f"{inside}/data", "-U", "postgres", "--auth=trust", "-E", "UTF8",
             "--locale=C", "-N"],
            check=True,
            capture_output=True,
        )  # fmt: skip
        port = free_port()
        command = [*enter, f"{PROGRAMS}/postgres", "-D", f"{inside}/data", "-p", str(port)]
        for name, value in {
            **SETTINGS,
            "shared_preload_libraries": "timescaledb",
            "timescaledb.telemetry_level": "off",
            # Workers only carry out policies; without them a database can serve as a template.
            "timescaledb.max_background_workers": "0",
        }.items():
            command += ["-c", f"{name}={value}"]
        ServerProcess.__init__(self, command, port=port, folder=self._home, stop_signal=2)

    def copy_database(self, name: str, of: str) -> str:
        """Make a database that is a copy of another, which nobody uses, and return its address."""
        self.sql(f'CREATE DATABASE "{name}" TEMPLATE "{of}"')
        return self.url_of(name)

    def new_database(self, name: str) -> str:
        """Make an empty database with the extension and return its address."""
        url = super().new_database(name)
        self.sql("CREATE EXTENSION timescaledb", database=name)
        return url

    def __exit__(self, *fault: object) -> None:
        """Stop it and remove its data, which nobody will miss: without the patience of a clean end."""
        self.kill()
        shutil.rmtree(self._home, ignore_errors=True)


class GivenTimescale:
    """A server that somebody else runs, named by ``VPP_TEST_TIMESCALE_URL``; its databases are made anew."""

    def __init__(self, url: str) -> None:
        self.url = url

    def url_of(self, database: str) -> str:
        """Return the address of a database."""
        head, _, _ = self.url.rpartition("/")
        return f"{head}/{database}"

    def copy_database(self, name: str, of: str) -> str:
        """Make a database that is a copy of another, which nobody uses, and return its address."""
        self._sql(f'DROP DATABASE IF EXISTS "{name}"', self.url)
        self._sql(f'CREATE DATABASE "{name}" TEMPLATE "{of}"', self.url)
        return self.url_of(name)

    def new_database(self, name: str) -> str:
        """Make an empty database with the extension and return its address."""
        for statement, url in (
            (f'DROP DATABASE IF EXISTS "{name}"', self.url),
            (f'CREATE DATABASE "{name}"', self.url),
            ("CREATE EXTENSION IF NOT EXISTS timescaledb", self.url_of(name)),
        ):
            self._sql(statement, url)
        return self.url_of(name)

    def _sql(self, statement: str, url: str) -> None:
        psql = find_program("psql", package="apt-get install postgresql-client")
        subprocess.run([psql, "-X", "-v", "ON_ERROR_STOP=1", "-c", statement, url], check=True, capture_output=True)


def given() -> GivenTimescale | None:
    """Return the server that the environment names; None when it names none."""
    url = os.environ.get(URL_VARIABLE)
    return GivenTimescale(url) if url else None


if __name__ == "__main__":
    sys.stdout.write(f"{build()}\n")
