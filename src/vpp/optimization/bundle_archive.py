"""The file of a decision bundle: a zip of four small members, written whole or not at all, read with suspicion.

Invariant: nothing is ever unpacked to disk, and no file makes the reader unpack more than ``MOST_BYTES``.
"""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path

from vpp.core.errors import InvalidInputError, UnreadableFileError, VppError

MANIFEST, PROBLEM, OPTIONS, RESULT = "manifest.json", "problem.json", "options.json", "result.json"
MEMBERS = (MANIFEST, PROBLEM, OPTIONS, RESULT)
MOST_BYTES = 128 * 1024**2
"""Of all members together, unpacked: a plan of some 10,000 batteries over a day of quarter-hours."""
MOST_FACTS_BYTES = 1024**2
# as every zip begins to count: a date that is always the same keeps the bytes the same
_EPOCH = (1980, 1, 1, 0, 0, 0)


def write_members(path: Path, members: Mapping[str, bytes]) -> None:
    """Write the members of a bundle to a file, whole or not at all; the same members give the same bytes.

    Raises
    ------
    InvalidInputError
        When they are too large to be read again.
    UnreadableFileError
        When the file cannot be written.
    """
    size = sum(len(content) for content in members.values())
    if size > MOST_BYTES:
        raise InvalidInputError("bundle", f"{size} bytes", f"a decision of at most {MOST_BYTES} bytes")
    _write(path, _zipped(members))


def _zipped(members: Mapping[str, bytes]) -> bytes:
    """Return members as the bytes of a zip."""
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)
    return buffer.getvalue()


def _write(path: Path, content: bytes) -> None:
    """Write a file, whole or not at all."""
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as fault:
        part.unlink(missing_ok=True)
        raise UnreadableFileError(str(path), f"it cannot be written: {fault.strerror}") from fault


def read_members(path: Path) -> dict[str, bytes]:
    """Return the members of a bundle's file.

    Raises
    ------
    UnreadableFileError
        When the file is missing, no zip, damaged, cut short, too large, or holds anything but these members.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            names = [entry.filename for entry in entries]
            if sorted(names) != sorted(MEMBERS):
                raise UnreadableFileError(str(path), f"not a decision bundle: it holds {_some(names)}")
            if any(entry.flag_bits & 1 for entry in entries):
                raise UnreadableFileError(str(path), "its members are encrypted; a bundle's are not")
            known = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
            if any(entry.compress_type not in known for entry in entries):
                raise UnreadableFileError(str(path), "its members are packed in a way that no bundle is")
            # sizes are checked before anything is unpacked; one that is understated is caught by its checksum
            limit = {MANIFEST: MOST_FACTS_BYTES, OPTIONS: MOST_FACTS_BYTES}
            large = any(entry.file_size > limit.get(entry.filename, MOST_BYTES) for entry in entries)
            if large or sum(entry.file_size for entry in entries) > MOST_BYTES:
                raise UnreadableFileError(str(path), f"it unpacks to more than {MOST_BYTES} bytes")
            return {entry.filename: _unpacked(archive, entry) for entry in entries}
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, RuntimeError) as fault:
        raise UnreadableFileError(str(path), f"damaged or cut short, or not a decision bundle ({fault})") from fault
    except OSError as fault:
        if isinstance(fault, VppError):
            raise
        raise UnreadableFileError(str(path), f"it cannot be read: {fault.strerror or fault}") from fault


def _unpacked(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    """Return a member; one that unpacks to more than it states is never held in full."""
    with archive.open(entry) as member:
        return member.read(entry.file_size + 1)


def _some(names: list[str]) -> str:
    shown = ", ".join(repr(name) for name in names[: len(MEMBERS)])
    return shown + (", ..." if len(names) > len(MEMBERS) else "") if names else "nothing"
