"""A connected charger: its frames in, calls to it out, its transactions, and what it measured.

Invariant: the last set-point of a connector is told again when the charger boots or starts a transaction, so that what
it obeys is what it was last told. A frame that is malformed or unknown is counted and changes nothing else.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from vpp.core.errors import InvalidInputError
from vpp.core.extras import require
from vpp.core.messages import Reading, SeriesKey
from vpp.core.ports import Clock
from vpp.core.time import parse_time
from vpp.edge.driver import DriverError
from vpp.edge.drivers.link import Link
from vpp.edge.drivers.ocpp_charger import Charger, Connector
from vpp.edge.drivers.ocpp_frames import frame_fault
from vpp.edge.drivers.ocpp_meter import samples

_OcppError: Any = require("ocpp.exceptions", extra="edge").OCPPError

SILENT = logging.getLogger(f"{__name__}.libraries")
SILENT.setLevel(logging.CRITICAL + 1)
"""For the libraries below, which would print whole frames and tracebacks: what matters of them is counted here."""
FAULTS: tuple[type[Exception], ...] = (_OcppError, ConnectionClosed, TimeoutError, TypeError, ValueError)
"""What a call to a charger may end in."""

_MOST_REMEMBERED = 64
_MOST_TASKS = 16

Route = Callable[..., Awaitable[Any] | Any]


class Dialect(Protocol):
    """One version of OCPP."""

    def station(self, charger_id: str, connection: ServerConnection, timeout_s: float) -> Any:
        """Return the library's side of a connection."""
        ...

    def routes(self, session: Session) -> Mapping[str, Route]:
        """Return what answers each action."""
        ...

    def limits(self, connector: Connector, limit: float, transaction: Any) -> Sequence[Any]:
        """Return the calls that set a limit; ``transaction`` is the one that runs, or None."""
        ...

    def settings(self, meter_interval_s: int) -> Sequence[Any]:
        """Return the calls that ask for meter values."""
        ...

    def refusals(self, answer: Any) -> str:
        """Return why a call was not accepted, empty when it was."""
        ...


@dataclass(slots=True)
class Told:
    """What the sessions of one driver share.

    Parameters
    ----------
    plant, clock : str, Clock
        For readings and answers.
    timeout_s : float
        Longest wait for one answer of a charger [s].
    heartbeat_s, meter_interval_s : int
        What chargers are asked for [s].
    hear : callable
        Takes what was measured.
    limits : dict of str to float
        The last set-point of every asset [kW].
    """

    plant: str
    clock: Clock
    timeout_s: float
    heartbeat_s: int
    meter_interval_s: int
    hear: Callable[[list[Reading]], None]
    limits: dict[str, float] = field(default_factory=dict)


class Session:
    """One charger's connection.

    Parameters
    ----------
    charger : Charger
        Who it is.
    connection : ServerConnection
        Its WebSocket.
    dialect : Dialect
        The version it speaks.
    told : Told
        What the sessions share.
    link : Link
        Where its faults are counted.
    """

    def __init__(
        self, charger: Charger, connection: ServerConnection, dialect: Dialect, told: Told, link: Link
    ) -> None:
        self.charger = charger
        self.connection = connection
        self.told = told
        self.transactions: dict[int, Any] = {}
        self._connectors = {one.number: one for one in charger.connectors}
        self._dialect = dialect
        self._link = link
        self._over: deque[Any] = deque(maxlen=_MOST_REMEMBERED)
        self._tasks: set[asyncio.Task[None]] = set()
        self._station = dialect.station(charger.id, connection, told.timeout_s)
        self._station.route_map = {
            action: {"_on_action": route, "_skip_schema_validation": False}
            for action, route in dialect.routes(self).items()
        }

    @property
    def now(self) -> datetime:
        """The present."""
        return self.told.clock.now()

    async def serve(self) -> None:
        """Answer the charger until it hangs up."""
        try:
            async for raw in self.connection:
                fault = frame_fault(raw)
                if fault:
                    self._link.remark(f"{self.charger.id}: set aside a frame: {fault}")
                    continue
                await self._station.route_message(raw)
        except ConnectionClosed as fault:
            self._link.remark(f"{self.charger.id}: hung up: {fault}")
        finally:
            for task in self._tasks:
                task.cancel()

    async def limit(self, connector: Connector, power_kw: float) -> None:
        """Tell a connector its set-point.

        Raises
        ------
        DriverError
            When the charger does not answer in time, or does not accept.
        """
        what = f"{self.charger.id} connector {connector.number}"
        limit = connector.limit(power_kw)
        for call in self._dialect.limits(connector, limit, self.transactions.get(connector.number)):
            try:
                answer = await self._station.call(call, suppress=False)
            except FAULTS as fault:
                why = str(fault) or type(fault).__name__
                raise self._link.refused(what, f"no accepted answer to a charging profile: {why}") from fault
            refusal = self._dialect.refusals(answer)
            if refusal:
                raise self._link.refused(what, f"the charger answered {refusal} to a charging profile")

    def after_boot(self) -> None:
        """Ask for meter values and tell every set-point again, once the boot is answered."""
        self._later(self._set_up())

    def started(self, connector: int, transaction: Any) -> None:
        """Note a transaction, and tell its set-point again."""
        if transaction in self._over:
            # meter values that were kept while the charger was offline
            return
        known = self.transactions.get(connector)
        self.transactions[connector] = transaction
        if known != transaction:
            self._later(self._tell_again(connector))

    def ended(self, transaction: Any, at: str) -> None:
        """Note that a transaction ended: from then on nothing flows, though no charger measures that."""
        self._over.append(transaction)
        for number, running in list(self.transactions.items()):
            if running == transaction:
                del self.transactions[number]
                self._hear(number, [{"timestamp": at, "sampled_value": [_NOTHING_FLOWS]}])

    def connector_of(self, transaction: Any) -> int | None:
        """Return where a transaction runs; a charger with one connector leaves no doubt."""
        for number, running in self.transactions.items():
            if running == transaction:
                return number
        return next(iter(self._connectors)) if len(self._connectors) == 1 else None

    def measured(self, connector: int | None, told: Sequence[Mapping[str, Any]]) -> None:
        """Keep what a connector measured; connector 0 is the charger's own supply and no asset."""
        if connector in self._connectors:
            self._hear(connector, told)
        elif connector != 0:
            self._link.remark(f"{self.charger.id}: meter values of connector {connector}, which the settings lack")

    def accepts(self, id_tag: str) -> bool:
        """Return whether a card may charge."""
        return not self.charger.id_tags or id_tag in self.charger.id_tags

    def status(self, connector: int, status: str, error: str = "") -> None:
        """Note what a connector says of itself."""
        if status == "Faulted":
            self._link.remark(f"{self.charger.id} connector {connector}: faulted {error}".rstrip())

    def _hear(self, number: int, told: Sequence[Mapping[str, Any]]) -> None:
        now = self.now
        found, faults = samples(told, arrived=now)
        for fault in faults:
            self._link.remark(f"{self.charger.id} connector {number}: {fault}")
        asset = self._connectors[number].asset_id
        self.told.hear(
            [
                Reading(self.told.plant, SeriesKey(asset, metric), one.time, value, one.time, now)
                for one in found
                for metric, value in one.values.items()
            ]
        )

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        if len(self._tasks) >= _MOST_TASKS:
            work.close()
            self._link.remark(f"{self.charger.id}: asks for more than it answers")
            return
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _set_up(self) -> None:
        for call in self._dialect.settings(self.told.meter_interval_s):
            try:
                refusal = self._dialect.refusals(await self._station.call(call, suppress=False))
            except FAULTS as fault:
                refusal = str(fault) or type(fault).__name__
            if refusal:
                self._link.remark(f"{self.charger.id}: meter settings: {refusal}")
        for number in self._connectors:
            await self._tell_again(number)

    async def _tell_again(self, number: int) -> None:
        connector = self._connectors.get(number)
        power_kw = None if connector is None else self.told.limits.get(connector.asset_id)
        if connector is None or power_kw is None:
            return
        try:
            await self.limit(connector, power_kw)
        except DriverError as fault:
            self._link.remark(str(fault))


_NOTHING_FLOWS: Mapping[str, str] = {"measurand": "Power.Active.Import", "value": "0", "unit": "W"}


def iso(moment: datetime) -> str:
    """Return a time as OCPP writes it."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def ended_at(text: str, now: datetime) -> str:
    """Return when a transaction ended, the present where the charger's time is none."""
    try:
        parse_time(text)
    except InvalidInputError:
        return iso(now)
    return text
