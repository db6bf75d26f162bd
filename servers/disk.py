"""A small disk in memory that a test may fill."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class NoMountError(RuntimeError):
    """Mounting a disk is not allowed to this user."""


@contextmanager
def small_disk(folder: Path, *, size: str) -> Iterator[Path]:
    """Mount a disk of its own on a folder, which is made, and take it away again whoever still uses it.

    Parameters
    ----------
    folder : Path
        Does not exist yet.
    size : str
        As ``mount`` takes it, e.g. ``8m``.

    Raises
    ------
    NoMountError
        When it may not be mounted.
    """
    folder.mkdir()
    mount = shutil.which("mount")
    options = ["-t", "tmpfs", "-o", f"size={size}", "none", str(folder)]
    if mount is None or subprocess.run([mount, *options], capture_output=True, check=False).returncode:
        raise NoMountError("mounting a small disk is not allowed here; the injected faults cover the same promise")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(filler: Path) -> None:
    """Write to a file until the disk has no room, which raises ``OSError``."""
    with filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
