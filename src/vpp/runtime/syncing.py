"""Syncing: a gateway's buffer, or InfluxDB, joined with the target that a URL or the environment names.

Secrets come from the environment alone, go in headers alone, and stand in no message.
"""

from __future__ import annotations

import ipaddress
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias
from urllib.parse import urlsplit

from vpp.core.errors import InvalidInputError
from vpp.core.ports import Clock
from vpp.edge.buffer_reader import BufferReader
from vpp.edge.sync.influx_source import InfluxSource, influx_source
from vpp.edge.sync.platform import PlatformTarget
from vpp.edge.sync.postgrest import PostgrestTarget
from vpp.edge.sync.progress import Progress, Standing
from vpp.edge.sync.service import DEFAULT_BATCH, SyncReport, SyncService
from vpp.edge.sync.source import Buffered
from vpp.edge.sync.uplink import Uplink
from vpp.edge.sync.verify import Differences, differences
from vpp.streams.wire import encode_telemetry

__all__ = [
    "Differences",
    "InfluxSource",
    "Source",
    "SyncReport",
    "SyncStatus",
    "Syncing",
    "batch_of",
    "buffer_source",
    "influx_source",
    "open_target",
]
Source: TypeAlias = BufferReader | InfluxSource

SUPABASE_URL, SUPABASE_KEY, SUPABASE_TABLE = "SUPABASE_URL", "SUPABASE_KEY", "SUPABASE_TABLE"
BATCH_SIZE, TOKEN = "SYNC_BATCH_SIZE", "VPP_TOKEN"
DEFAULT_TABLE = "telemetry"
POSTGREST = "postgrest+"
PROGRESS_SUFFIX = ".sync"
_SHORTEST_SECRET = 16


@dataclass(frozen=True, slots=True)
class SyncStatus:
    """How a sync stands.

    Parameters
    ----------
    plant : str
        Whose buffer it is.
    held : tuple of int or None
        Lowest and highest position in the buffer; None when it holds nothing that is closed.
    waiting : int or None
        Messages at most that the target still lacks; None where the source cannot count.
    standing : Standing
        How far the target has come.
    remote_rows : int or None
        Rows of the plant that the target holds; None where it cannot be asked.
    """

    plant: str
    held: tuple[int, int] | None
    waiting: int | None
    standing: Standing
    remote_rows: int | None


class Syncing:
    """A source, a target and the progress between them; close it when done.

    Parameters
    ----------
    source : BufferReader or InfluxSource
        Where readings lie.
    progress : Path
        The file in which progress is kept.
    target : str or None
        Where to: a platform's address (``http://127.0.0.1:8000``), a table behind PostgREST
        (``postgrest+https://host/telemetry``), or None for the Supabase project that the environment names.
    environment : mapping of str to str
        ``SUPABASE_URL``, ``SUPABASE_KEY``, ``SUPABASE_TABLE``, ``SYNC_BATCH_SIZE``, ``VPP_TOKEN``.
    clock : Clock
        Tells when.
    batch : int, optional
        Rows at a time; ``SYNC_BATCH_SIZE`` or 500 by default.
    stopping : threading.Event, optional
        Ends waits when set.

    Raises
    ------
    InvalidInputError
        When the target or a variable is missing or wrong; secrets are not repeated.
    StoreError
        When progress cannot be kept.
    """

    def __init__(
        self,
        source: Source,
        progress: Path,
        target: str | None,
        *,
        environment: Mapping[str, str],
        clock: Clock,
        batch: int | None = None,
        stopping: threading.Event | None = None,
    ) -> None:
        most_rows = batch_of(environment) if batch is None else batch
        self.source = source
        self._progress = Progress(progress)
        try:
            self.target = open_target(target, environment=environment, most_rows=most_rows, stopping=stopping)
        except InvalidInputError:
            self._progress.close()
            raise
        self.service = SyncService(source, self.target, self._progress, clock=clock, batch=most_rows)

    def status(self) -> SyncStatus:
        """Return how the sync stands; a table is asked how many rows it holds."""
        held, standing = self.source.span(), self.service.standing()
        waiting = None if held is None else max(0, held[1] - max(standing.position, held[0] - 1))
        if held is None and isinstance(self.source, BufferReader):
            waiting = 0
        remote = self.target.count(self.source.plant) if isinstance(self.target, PostgrestTarget) else None
        return SyncStatus(self.source.plant, held, waiting, standing, remote)

    def aside(self, *, most: int = 20) -> list[str]:
        """Return what the target would not take, the newest first, in words."""
        found = self._progress.aside(self.target.name, self.source.identity, most=most)
        return [
            f"position {one.position}{f', row {one.item}' if one.item >= 0 else ''}: {one.reason} {one.row}".rstrip()
            for one in found
        ]

    def verify(self) -> Differences:
        """Compare the table, row by row, with what the buffer still holds of what was brought.

        Raises
        ------
        InvalidInputError
            When the target is no table.
        """
        if not isinstance(self.target, PostgrestTarget):
            raise InvalidInputError("target", self.target.name, "a table behind PostgREST: a platform is not read back")
        return differences(self.source, self.target, self.source.plant, up_to=self.service.standing().position)

    def close(self) -> None:
        """Release the target and the progress; the source is its owner's."""
        self.target.close()
        self._progress.close()


def buffer_source(path: Path) -> tuple[BufferReader, Path]:
    """Return a gateway's buffer as a source, and where its progress is kept: in a file beside it.

    Raises
    ------
    StoreError
        When there is no buffer.
    """
    return BufferReader(path), path.with_name(path.name + PROGRESS_SUFFIX)


def open_target(
    target: str | None,
    *,
    environment: Mapping[str, str],
    most_rows: int = DEFAULT_BATCH,
    stopping: threading.Event | None = None,
) -> PlatformTarget | PostgrestTarget:
    """Return the target that a URL names, or the Supabase project of the environment; see ``Syncing``."""
    if target is None:
        project = environment.get(SUPABASE_URL, "").strip()
        if not project:
            raise InvalidInputError("target", None, f"--target URL, or {SUPABASE_URL} in the environment")
        table = environment.get(SUPABASE_TABLE, "").strip() or DEFAULT_TABLE
        target = f"{POSTGREST}{_checked(project, SUPABASE_URL)}/rest/v1/{table}"
    if target.startswith(POSTGREST):
        address = _checked(target.removeprefix(POSTGREST), "target")
        if not urlsplit(address).path.strip("/"):
            raise InvalidInputError("target", target, f"{POSTGREST}https://host/path/table")
        key = _secret(environment, SUPABASE_KEY)
        headers = {"Authorization": f"Bearer {key}", "apikey": key}
        return PostgrestTarget(Uplink(address, headers=headers, stopping=stopping), address, most_rows=most_rows)
    address = _checked(target, "target")
    headers = {"Authorization": f"Bearer {_secret(environment, TOKEN)}"}
    return PlatformTarget(Uplink(address, headers=headers, stopping=stopping), address, _encode, most_rows=most_rows)


def batch_of(environment: Mapping[str, str]) -> int:
    """Return ``SYNC_BATCH_SIZE``, 500 where it is not set.

    >>> batch_of({}), batch_of({"SYNC_BATCH_SIZE": "200"})
    (500, 200)
    """
    text = environment.get(BATCH_SIZE, "").strip() or str(DEFAULT_BATCH)
    if not text.isdecimal() or not 1 <= int(text[:9]) <= 100_000:
        raise InvalidInputError(BATCH_SIZE, text, "1 to 100000 rows")
    return int(text)


def _encode(message: Buffered) -> bytes:
    return encode_telemetry(message.readings, boot=message.origin.boot, sequence=message.origin.sequence)


def _checked(url: str, field: str) -> str:
    """Return a URL that a secret may be sent to: encrypted, or to this machine."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    else:
        if "@" in parts.netloc:
            raise InvalidInputError(field, "a URL with a user or password", "secrets in the environment")
    if not host or parts.scheme not in ("http", "https") or parts.query or parts.fragment:
        raise InvalidInputError(field, url, "https://host[:port][/path], or http:// to this machine")
    if parts.scheme == "http" and not _is_loopback(host):
        raise InvalidInputError(field, url, "https://: over http:// the secret could be read on the way")
    return url.rstrip("/")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _secret(environment: Mapping[str, str], name: str) -> str:
    secret = environment.get(name, "").strip()
    if not secret:
        raise InvalidInputError(name, "nothing", "a secret in the environment variable of this name")
    if len(secret) < _SHORTEST_SECRET or not secret.isascii() or not secret.isprintable() or " " in secret:
        raise InvalidInputError(name, "something that is no key", f"{_SHORTEST_SECRET} or more printable characters")
    return secret
