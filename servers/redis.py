"""Redis: the cache and the fan-out between API processes; nothing is kept on disk."""

from __future__ import annotations

from pathlib import Path

from servers.process import ServerProcess, find_program, free_port


class Redis(ServerProcess):
    """A server; ``url`` is where it is."""

    def __init__(self, folder: Path) -> None:
        program = find_program("redis-server", package="apt-get install redis-server")
        folder.mkdir(parents=True, exist_ok=True)
        port = free_port()
        command = [program, "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no"]
        super().__init__(command, port=port, folder=folder)

    @property
    def url(self) -> str:
        """Address of the server."""
        return f"redis://127.0.0.1:{self.port}/0"
