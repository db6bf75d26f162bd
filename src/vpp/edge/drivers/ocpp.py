"""OCPP: the gateway is the charging station management system of the chargers on its site, versions 1.6 and 2.0.1.

Chargers call in over WebSocket; the version is the subprotocol that both know. Their meter values become readings in
the house's sign, a set-point becomes a charging profile. The server runs in a thread of its own, so that a charger that
does not answer delays no poll.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from datetime import datetime
from threading import Event, Thread

from websockets.asyncio.server import ServerConnection, serve
from websockets.frames import CloseCode
from websockets.typing import Subprotocol

from vpp.core.errors import InvalidInputError
from vpp.core.messages import Reading, Readings
from vpp.core.ports import Clock
from vpp.edge.driver import DriverError, DriverHealth
from vpp.edge.drivers.link import Link
from vpp.edge.drivers.ocpp16 import Ocpp16
from vpp.edge.drivers.ocpp201 import Ocpp201
from vpp.edge.drivers.ocpp_charger import Charger, Connector
from vpp.edge.drivers.ocpp_door import Door
from vpp.edge.drivers.ocpp_frames import LARGEST_FRAME
from vpp.edge.drivers.ocpp_session import SILENT, Dialect, Session, Told

DIALECTS: dict[str, Dialect] = {"ocpp2.0.1": Ocpp201(), "ocpp1.6": Ocpp16()}
"""By subprotocol, the one preferred first."""
MOST_ROWS = 100_000
"""Readings held between two polls; beyond, the oldest are dropped and counted."""
PING_S = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargingSite:
    """The chargers of a site and where they call.

    Parameters
    ----------
    name : str
        What messages call it.
    chargers : tuple of Charger
        Who may connect, each id once.
    host, port : str, int
        Where to listen; port 0 takes a free one. The address is ``ws://host:port/<charger id>``.
    tls : ssl.SSLContext or None
        With it the address is ``wss://``; without it passwords travel in the clear.
    meter_interval_s : int
        How often chargers shall measure [s], 1 to 3600.
    heartbeat_s : int
        How often they shall say that they live [s], 1 to 3600.
    timeout_s : float
        Longest that a command waits for a charger in all [s], above 0.
    """

    name: str
    chargers: tuple[Charger, ...]
    host: str = "127.0.0.1"
    port: int = 9000
    tls: ssl.SSLContext | None = None
    meter_interval_s: int = 10
    heartbeat_s: int = 60
    timeout_s: float = 10.0

    def __post_init__(self) -> None:
        """Refuse ids and assets named twice, and numbers outside their range."""
        ids = [one.id for one in self.chargers]
        assets = [one.asset_id for charger in self.chargers for one in charger.connectors]
        for name, given in (("chargers", ids), ("assets", assets)):
            if not given or len(set(given)) != len(given):
                raise InvalidInputError(f"{self.name}.{name}", given, "at least one, each once")
        for name in ("meter_interval_s", "heartbeat_s"):
            if not 1 <= getattr(self, name) <= 3600:
                raise InvalidInputError(f"{self.name}.{name}", getattr(self, name), "1 to 3600 [s]")
        if not self.timeout_s > 0.0:
            raise InvalidInputError(f"{self.name}.timeout_s", self.timeout_s, "above 0 [s]")


class OcppDriver:
    """A ``Driver`` of the chargers of a site.

    Parameters
    ----------
    plant : str
        Plant id.
    site : ChargingSite
        The chargers.
    clock : Clock
        What the chargers are told the time by.
    """

    controllable: tuple[str, ...]

    def __init__(self, plant: str, site: ChargingSite, clock: Clock) -> None:
        self._sockets: dict[str, tuple[Charger, Connector]] = {
            one.asset_id: (charger, one) for charger in site.chargers for one in charger.connectors
        }
        self.asset_ids: tuple[str, ...] = tuple(self._sockets)
        self.controllable = self.asset_ids
        self._site = site
        self._chargers = {one.id: one for one in site.chargers}
        self._told = Told(plant, clock, site.timeout_s / 2.0, site.heartbeat_s, site.meter_interval_s, self._hear)
        self._link = Link(site.name)
        self._door = Door(self._chargers)
        self._rows: deque[Reading] = deque(maxlen=MOST_ROWS)
        self._dropped = 0
        self._sessions: dict[str, Session] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: Thread | None = None
        self._stop: asyncio.Event | None = None
        self._ready = Event()
        self._faults: list[OSError] = []
        self._port = 0

    @property
    def port(self) -> int:
        """Where it listens; 0 while it does not."""
        return self._port

    @property
    def dropped(self) -> int:
        """Readings that were dropped because nobody polled."""
        return self._dropped

    def open(self) -> None:
        """Listen for chargers.

        Raises
        ------
        DriverError
            When the address cannot be listened on.
        """
        if self._thread is not None:
            return
        self._ready.clear()
        self._faults = []
        self._thread = Thread(target=self._run, name=f"ocpp-{self._site.name}", daemon=True)
        self._thread.start()
        self._ready.wait()
        if self._faults:
            self.close()
            raise self._link.lost("server", f"cannot listen on {self._site.host}:{self._site.port}: {self._faults[0]}")
        self._link.answered()

    def poll(self, now: datetime) -> Readings | None:  # noqa: ARG002, each value came with its own time
        """Return what the chargers told since the last poll, each value with its own time."""
        if self._thread is None:
            self.open()
        rows = [self._rows.popleft() for _ in range(len(self._rows))]
        return Readings.of(rows) if rows else None

    def apply(self, asset_id: str, power_kw: float) -> None:
        """Limit what a car may draw to a set-point [kW, 0 or negative]; 0 pauses it, and beyond its full power is that.

        Raises
        ------
        DriverError
            When the set-point is positive, or the charger is away, silent, or refuses.
        """
        if asset_id not in self._sockets:
            raise DriverError(self._site.name, asset_id, f"no charger here; those that are: {', '.join(self._sockets)}")
        charger, connector = self._sockets[asset_id]
        try:
            connector.limit(power_kw)
        except InvalidInputError as fault:
            raise DriverError(self._site.name, charger.id, str(fault)) from fault
        session, loop = self._sessions.get(charger.id), self._loop
        if session is None or loop is None:
            raise self._link.refused(charger.id, "the charger is not connected; check its address and its password")
        sent = asyncio.run_coroutine_threadsafe(session.limit(connector, power_kw), loop)
        try:
            sent.result(self._site.timeout_s)
        except FutureTimeoutError as fault:
            sent.cancel()
            raise self._link.refused(charger.id, f"no answer within {self._site.timeout_s:g} s") from fault
        self._told.limits[asset_id] = power_kw
        self._link.answered()

    def health(self) -> DriverHealth:
        """Return how the chargers are; one that is not connected makes it unhealthy."""
        link = self._link.health()
        away = [one for one in self._chargers if one not in self._sessions]
        if link.healthy and away:
            refused = f"; {self._door.refused} refused at the door" if self._door.refused else ""
            return DriverHealth(False, f"not connected: {', '.join(away)}{refused}", link.errors)
        return link

    def close(self) -> None:
        """Hang up and stop listening; twice does no harm."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        if self._loop is not None and self._stop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
        thread.join()
        self._loop = self._stop = None
        self._port = 0

    def _hear(self, rows: list[Reading]) -> None:
        self._dropped += max(len(self._rows) + len(rows) - MOST_ROWS, 0)
        self._rows.extend(rows)

    def _run(self) -> None:
        try:
            asyncio.run(self._listen())
        except OSError as fault:
            self._faults.append(fault)
        finally:
            self._ready.set()

    async def _listen(self) -> None:
        server = await serve(
            self._welcome,
            self._site.host,
            self._site.port,
            ssl=self._site.tls,
            subprotocols=[Subprotocol(name) for name in DIALECTS],
            process_request=self._door,
            max_size=LARGEST_FRAME,
            ping_interval=PING_S,
            ping_timeout=PING_S,
            open_timeout=PING_S,
            logger=SILENT,
        )
        self._stop = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._port = next(iter(server.sockets)).getsockname()[1]
        self._ready.set()
        try:
            await self._stop.wait()
        finally:
            self._sessions.clear()
            server.close()
            await server.wait_closed()

    async def _welcome(self, connection: ServerConnection) -> None:
        # one that calls again takes the place of its older connection
        charger = self._chargers[str(connection.username)]
        dialect = DIALECTS[str(connection.subprotocol)]
        session = Session(charger, connection, dialect, self._told, self._link)
        older = self._sessions.get(charger.id)
        self._sessions[charger.id] = session
        if older is not None:
            await older.connection.close(CloseCode.NORMAL_CLOSURE, "connected anew")
        try:
            await session.serve()
        finally:
            if self._sessions.get(charger.id) is session:
                del self._sessions[charger.id]
