"""PostgreSQL: a cluster of its own, with full durability, reached by the superuser ``postgres`` without a password."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from servers.process import PATIENCE_S, MissingServerError, ServerProcess, free_port

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "shared_buffers": "256MB",
    "max_wal_size": "4GB",
    "max_connections": "60",
    "log_min_messages": "warning",
}


class Postgres(ServerProcess):
    """A database server; ``url`` names its database ``postgres``, ``new_database`` makes an empty one.

    Parameters
    ----------
    folder : Path
        Its folder, made when missing.
    programs : Path, optional
        Folder of ``initdb`` and ``postgres``; the newest installed one by default.
    """

    def __init__(self, folder: Path, *, programs: Path | None = None) -> None:
        bin_folder = programs or _newest_programs()
        folder.mkdir(parents=True, exist_ok=True)
        initdb = [bin_folder / "initdb", "-U", "postgres", "--auth=trust", "-E", "UTF8", "--locale=C", "-N"]
        self._data = folder / "data"
        user = "postgres" if os.geteuid() == 0 else None
        if user is not None:
            # The server's user must reach its files, and pytest closes its own folders to others at every start.
            self._data = Path(tempfile.mkdtemp(prefix="vpp-postgres-"))
            shutil.chown(self._data, user)
        subprocess.run([*initdb, "-D", self._data], check=True, capture_output=True, cwd=self._data.parent, user=user)
        port = free_port()
        command = [str(bin_folder / "postgres"), "-D", str(self._data), "-p", str(port)]
        for name, value in SETTINGS.items():
            command += ["-c", f"{name}={value}"]
        super().__init__(command, port=port, folder=folder, user=user, stop_signal=2, works_in=self._data)

    def __exit__(self, *fault: object) -> None:
        """Stop it and remove its files."""
        self.stop()
        shutil.rmtree(self._data, ignore_errors=True)

    def start(self) -> None:
        """Start it (again, on the same port) and return when it answers: it listens before that."""
        super().start()
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                self.sql("SELECT 1")
            except subprocess.CalledProcessError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
            else:
                return

    def kill(self) -> None:
        """Kill it and all of its sessions without warning: each of these is a process group of its own."""
        self.pause()
        family = self._family()
        super().kill()
        _signal_all(family, signal.SIGKILL)

    def pause(self) -> None:
        """Freeze it and all of its sessions."""
        os.kill(self.pid, signal.SIGSTOP)
        _signal_all(self._family(), signal.SIGSTOP)

    def resume(self) -> None:
        """Let them go on."""
        _signal_all(self._family(), signal.SIGCONT)
        os.kill(self.pid, signal.SIGCONT)

    def _family(self) -> list[int]:
        """Return the processes that serve its sessions."""
        listing = subprocess.run(
            ["ps", "-o", "pid=", "--ppid", str(self.pid)], check=False, capture_output=True, text=True
        )
        return [int(pid) for pid in listing.stdout.split()]

    @property
    def url(self) -> str:
        """Address of the database ``postgres``."""
        return self.url_of("postgres")

    def url_of(self, database: str) -> str:
        """Return the address of a database."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def new_database(self, name: str) -> str:
        """Make an empty database and return its address."""
        self.sql(f'CREATE DATABASE "{name}"')
        return self.url_of(name)

    def sql(self, statement: str, *, database: str = "postgres") -> str:
        """Run a statement by ``psql`` and return what it printed."""
        done = subprocess.run(
            ["psql", "-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", statement, self.url_of(database)],
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout.strip()


def _signal_all(pids: list[int], how: int) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, how)


def _newest_programs() -> Path:
    found = sorted(
        (path for path in Path("/usr/lib/postgresql").glob("*/bin") if (path / "postgres").exists()),
        key=lambda path: float(path.parent.name),
    )
    if not found:
        on_path = shutil.which("postgres")
        if on_path is None:
            raise MissingServerError("postgres is not installed; it comes with apt-get install postgresql")
        return Path(on_path).parent
    return found[-1]
