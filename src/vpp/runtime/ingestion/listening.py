"""Listening: a plant that runs in this process hears what arrives on a bus, and its commands go out there."""

from __future__ import annotations

import threading
from collections.abc import Callable

from vpp.core.assets import Plant
from vpp.core.messages import Parcel
from vpp.core.ports import Bus, Clock, Store
from vpp.runtime.ingestion.fleet import BusFleet
from vpp.runtime.ingestion.reception import Received, Reception
from vpp.runtime.ingestion.service import Ingestion, IngestSettings


class Listening:
    """Ingestion and commands of one plant, each in a thread of its own; the store is the plant's.

    Parameters
    ----------
    plant : Plant
        Whose parcels are taken.
    bus : Bus of Parcel
        Where they come from and where commands go; closed by ``stop``.
    store : Store
        Where they go; not closed here.
    clock : Clock
        The wall clock.
    on_kept : callable
        Told of every batch that is kept; must return at once.
    settings : IngestSettings, optional
        Sizes and times.
    """

    def __init__(
        self,
        plant: Plant,
        bus: Bus[Parcel],
        store: Store,
        *,
        clock: Clock,
        on_kept: Callable[[Received], None],
        settings: IngestSettings | None = None,
    ) -> None:
        settings = settings or IngestSettings()
        self.fleet = BusFleet(plant, bus, clock=clock)
        self._bus = bus
        self._store = store
        self._on_kept = on_kept
        self._stopped = threading.Event()
        self.ingestion = Ingestion(
            bus,
            store,
            Reception([plant], settings.clock),
            clock=clock,
            name=f"up-{plant.id}",
            plants=[plant.id],
            settings=settings,
            on_kept=self._kept,
        )
        self._thread = threading.Thread(
            target=self.ingestion.run, args=(self._stopped,), name=f"ingest-{plant.id}", daemon=True
        )

    def begin(self) -> None:
        """Start to listen and to send."""
        self.fleet.begin(self._store)
        self._thread.start()

    def stop(self) -> None:
        """Finish the batch in hand, then let the bus go."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(timeout=30.0)
        self.fleet.stop()
        self._bus.close()

    def _kept(self, received: Received) -> None:
        self.fleet.take(received.acks)
        self._on_kept(received)
