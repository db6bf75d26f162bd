"""Ingest: devices -> bus -> store. What the store has taken is acknowledged, nothing before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from vpp.core.messages import Ack, Readings
from vpp.core.ports import Bus, Device, Store


class IngestService:
    """Polls devices onto the bus and drains the bus into the store.

    Parameters
    ----------
    devices : sequence of Device
        Everything that measures.
    bus : Bus
        Carries readings.
    store : Store
        Keeps them.
    on_readings : callable, optional
        Told of every batch once it is stored.
    """

    def __init__(
        self,
        devices: Sequence[Device],
        bus: Bus[Readings],
        store: Store,
        *,
        on_readings: Callable[[Readings], None] | None = None,
    ) -> None:
        self._devices = devices
        self._bus = bus
        self._store = store
        self._on_readings = on_readings

    def run(self, now: datetime) -> list[Ack]:
        """Move everything measured by ``now`` into the store and return the devices' answers to commands."""
        answers: list[Ack] = []
        for device in self._devices:
            readings, acks = device.poll(now)
            answers += acks
            if readings is not None and len(readings):
                self._bus.publish([readings])
        self.drain()
        return answers

    def drain(self) -> None:
        """Store what waits on the bus, then acknowledge it."""
        while batches := self._bus.consume():
            for batch in batches:
                self._store.write_readings(batch)
                if self._on_readings is not None:
                    self._on_readings(batch)
            self._bus.acknowledge()
