"""A server process: found, started, waited for, killed, started again on the same port, stopped."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

PATIENCE_S = 30.0


class MissingServerError(RuntimeError):
    """A program that a server needs is not installed; the message says which, and what brings it."""


def find_program(*names: str, package: str) -> str:
    """Return the path of the first program that is there.

    Raises
    ------
    MissingServerError
        When none is.
    """
    for name in names:
        path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin:/sbin")
        if path is not None:
            return path
    raise MissingServerError(f"{' or '.join(names)} is not installed; it comes with {package}")


def free_port() -> int:
    """Return a loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class ServerProcess:
    """One server with a port; a context manager that stops it.

    Parameters
    ----------
    command : sequence of str
        What is started, in the foreground.
    port : int
        Where it will listen on 127.0.0.1.
    folder : Path
        Its output goes to ``log.txt`` there.
    user : str, optional
        Whom it runs as when this process is root.
    environment : mapping, optional
        Added to this process's own.
    stop_signal : int
        What asks it to end.
    works_in : Path, optional
        Its working folder, which its user must be able to enter; ``folder`` by default.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        port: int,
        folder: Path,
        user: str | None = None,
        environment: Mapping[str, str] | None = None,
        stop_signal: int = signal.SIGTERM,
        works_in: Path | None = None,
    ) -> None:
        self.command = list(command)
        self.port = port
        self.folder = folder
        self._user = user if user is not None and os.geteuid() == 0 else None
        self._environment = {**os.environ, **(environment or {})}
        self._stop_signal = stop_signal
        self._works_in = works_in or folder
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def pid(self) -> int:
        """Process id of the server that runs now."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start it (again, on the same port) and return when it listens."""
        with (self.folder / "log.txt").open("ab") as log:
            self._process = subprocess.Popen(
                self.command,
                cwd=self._works_in,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                user=self._user,
                group=None if self._user is None else pwd.getpwnam(self._user).pw_gid,
                extra_groups=None if self._user is None else [],
                start_new_session=True,
            )
        deadline = time.monotonic() + PATIENCE_S
        while not self._listens():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"{self.command[0]} did not start:\n{self.log()[-2000:]}")
            time.sleep(0.02)

    def kill(self) -> None:
        """Kill it and its children without warning, as ``kill -9`` does."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """Freeze it and its children."""
        os.killpg(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        os.killpg(self.pid, signal.SIGCONT)

    def stop(self) -> None:
        """End it; twice does no harm."""
        self._end(self._stop_signal)

    def log(self) -> str:
        """Return what it printed so far."""
        return (self.folder / "log.txt").read_text(errors="replace")

    def __enter__(self) -> Self:
        """Return the running server."""
        return self

    def __exit__(self, *fault: object) -> None:
        """Stop it."""
        self.stop()

    def _listens(self) -> bool:
        with socket.socket() as probe:
            probe.settimeout(0.5)
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def _end(self, how: int) -> None:
        process = self._process
        if process is None:
            return
        if process.poll() is None:
            self._signal(how)
            try:
                process.wait(timeout=PATIENCE_S)
            except subprocess.TimeoutExpired:
                self._signal(signal.SIGKILL)
                process.wait(timeout=PATIENCE_S)
        # Children that outlived their parent hold its port and its files.
        self._signal(signal.SIGKILL)
        self._process = None

    def _signal(self, how: int) -> None:
        assert self._process is not None
        try:
            if how == self._stop_signal:
                self._process.send_signal(how)
            else:
                os.killpg(self._process.pid, how)
        except ProcessLookupError:
            return
