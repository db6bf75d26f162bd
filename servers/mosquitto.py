"""Mosquitto: the MQTT broker, open on loopback unless a configuration says otherwise."""

from __future__ import annotations

import os
from pathlib import Path

from servers.process import ServerProcess, find_program, free_port

OPEN = """
per_listener_settings true
listener {port} 127.0.0.1
allow_anonymous true
persistence true
persistence_location {folder}/
autosave_interval 1
max_inflight_messages 10000
max_queued_messages 1000000
message_size_limit 4000000
log_type error
log_type warning
"""


class Mosquitto(ServerProcess):
    """A broker; ``url`` is where it is.

    Parameters
    ----------
    folder : Path
        Its folder, made when missing.
    configuration : str
        Text of its configuration, with ``{port}`` and ``{folder}``.
    """

    def __init__(self, folder: Path, *, configuration: str = OPEN) -> None:
        program = find_program("mosquitto", package="apt-get install mosquitto")
        folder.mkdir(parents=True, exist_ok=True)
        port = free_port()
        (folder / "mosquitto.conf").write_text(configuration.format(port=port, folder=folder))
        # Started as root, Mosquitto becomes the user it names; without one it would look for its own.
        if os.geteuid() == 0:
            with (folder / "mosquitto.conf").open("a") as written:
                written.write("user root\n")
        super().__init__([program, "-c", str(folder / "mosquitto.conf")], port=port, folder=folder)

    @property
    def url(self) -> str:
        """Address of the broker."""
        return f"mqtt://127.0.0.1:{self.port}"
