"""The fleet behind a bus: commands go out to the nodes of their sites, answers come back through ingestion.

Invariant: a command is sent again until its answer came or its time ended. Nodes know commands by their id and execute
each once, so a repeated one does no harm; a broker that forgot one does none either.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from vpp.core.assets import Plant
from vpp.core.errors import ClosedError, StoreError
from vpp.core.messages import Ack, Channel, Command, Parcel, Readings
from vpp.core.ports import Bus, Clock, Store
from vpp.streams.wire import encode_command

log = logging.getLogger(__name__)

RESEND_S = 10.0
"""How long an answer is waited for before its command is sent again [s]."""
_LONGEST_PAUSE_S = 10.0
_LOOK_BACK = timedelta(days=1)


@dataclass(slots=True)
class _Waiting:
    command: Command
    parcel: Parcel
    due_s: float


class BusFleet:
    """All assets of a plant as one ``Device`` at the far end of a bus.

    Parameters
    ----------
    plant : Plant
        Whose assets they are; a command goes to the node that has the id of the asset's site.
    bus : Bus of Parcel
        What carries commands.
    clock : Clock
        Tells when a command's time has ended.
    resend_s : float
        How long an answer is waited for before its command is sent again [s], above 0.
    """

    def __init__(self, plant: Plant, bus: Bus[Parcel], *, clock: Clock, resend_s: float = RESEND_S) -> None:
        self.asset_ids: tuple[str, ...] = tuple(asset.id for asset in plant.assets)
        self.fault: str | None = None
        self._plant = plant.id
        self._node = {asset.id: site.id for site in plant.sites for asset in site.assets}
        self._bus = bus
        self._clock = clock
        self._resend_s = resend_s
        self._changed = threading.Condition()
        self._waiting: dict[str, _Waiting] = {}
        self._acks: list[Ack] = []
        self._stopped = False
        self._random = np.random.default_rng()
        self._thread = threading.Thread(target=self._run, name=f"commands-{plant.id}", daemon=True)

    def begin(self, store: Store) -> None:
        """Start to send; commands of an earlier run that may still be obeyed and have no answer are sent again."""
        now = self._clock.now()
        answered = {ack.command_id for ack in store.acks(self._plant, now - _LOOK_BACK, now + _LOOK_BACK)}
        for command in store.commands(self._plant, now - _LOOK_BACK, now + _LOOK_BACK):
            if command.id not in answered and command.end > now and command.asset_id in self._node:
                self.execute(command)
        self._thread.start()

    def execute(self, command: Command) -> None:
        """Put a command in the outbox; returns at once, it is kept by the store already."""
        parcel = Parcel(command.plant, self._node[command.asset_id], Channel.CONTROL, encode_command(command))
        with self._changed:
            self._waiting[command.id] = _Waiting(command, parcel, due_s=0.0)
            self._changed.notify_all()

    def take(self, acks: Iterable[Ack]) -> None:
        """Note answers that ingestion has kept."""
        with self._changed:
            for ack in acks:
                if ack.plant == self._plant:
                    self._waiting.pop(ack.command_id, None)
                    self._acks.append(ack)

    def poll(self, now: datetime) -> tuple[Readings | None, Sequence[Ack]]:
        """Return the answers that came since; readings take their own way, through ingestion."""
        del now
        with self._changed:
            acks, self._acks = self._acks, []
        return None, acks

    def waiting(self) -> tuple[Command, ...]:
        """Return the commands in the outbox: not answered, and their time not ended."""
        with self._changed:
            return tuple(one.command for one in self._waiting.values())

    def stop(self) -> None:
        """Stop sending; what waits is sent again at the next start."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join(timeout=30.0)

    def _run(self) -> None:
        failures = 0
        while True:
            with self._changed:
                due = self._due()
                if not due and not self._stopped:
                    self._changed.wait(self._until_due_s())
                    due = self._due()
                if self._stopped:
                    return
            if not due:
                continue
            failures = 0 if self._sent(due) else failures + 1
            if failures:
                longest_s = min(_LONGEST_PAUSE_S, 0.2 * 2.0 ** min(failures, 10))
                with self._changed:
                    self._changed.wait_for(lambda: self._stopped, float(self._random.uniform(0.5, 1.0)) * longest_s)

    def _due(self) -> list[_Waiting]:
        """Return what is to be sent now, and forget what can no longer be obeyed."""
        now, now_s = self._clock.now(), time.monotonic()
        for command_id in [name for name, one in self._waiting.items() if one.command.end <= now]:
            del self._waiting[command_id]
        return [one for one in self._waiting.values() if one.due_s <= now_s]

    def _until_due_s(self) -> float | None:
        """Return how long nothing is due [s]; None when nothing waits."""
        if not self._waiting:
            return None
        return max(0.0, min(one.due_s for one in self._waiting.values()) - time.monotonic())

    def _sent(self, due: Sequence[_Waiting]) -> bool:
        try:
            self._bus.publish([one.parcel for one in due])
        except (StoreError, ClosedError) as fault:
            if self.fault is None:
                log.warning("commands could not be sent, they are tried again: %s", fault)
            self.fault = str(fault)
            return False
        self.fault = None
        next_s = time.monotonic() + self._resend_s
        for one in due:
            one.due_s = next_s
        return True
