"""What a store in memory knows beside the plants: the messages taken, what was refused, and who told that it lives."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from vpp.core.messages import Delivery, Heartbeat, Intake, Readings, Refusal
from vpp.core.time import require_aware
from vpp.store.sequences import Boot, by_boot, new_readings, sort_out
from vpp.store.timeline import Timeline


@dataclass(frozen=True, slots=True)
class SortedOut:
    """A delivery without what was taken before.

    Parameters
    ----------
    readings : list of Readings
        Rows of new messages.
    seen : dict of Boot to bytes
        The messages taken of each boot, the new ones among them.
    refusals : dict of str to Refusal
        New refusals by digest.
    messages, duplicates : int
        How many messages are new, and how many are not.
    """

    readings: list[Readings]
    seen: dict[Boot, bytes]
    refusals: dict[str, Refusal]
    messages: int
    duplicates: int


class MemoryIntake:
    """Messages taken, refusals and heartbeats; not safe to share, its store holds the lock."""

    def __init__(self) -> None:
        self._seen: dict[Boot, bytes] = {}
        self._digests: set[str] = set()
        self._refusals: Timeline[Refusal] = Timeline()
        self._heartbeats: dict[str, Heartbeat] = {}

    def sort_out(self, delivery: Delivery) -> SortedOut:
        """Return what of a delivery is new; nothing is remembered yet."""
        fresh = np.zeros(len(delivery.origins), dtype=bool)
        seen = {}
        for boot, arrivals in by_boot(delivery.origins).items():
            fresh[arrivals.places], seen[boot] = sort_out(self._seen.get(boot, b""), arrivals.numbers)
        refusals: dict[str, Refusal] = {}
        for refusal in delivery.refusals:
            digest = refusal.digest
            if digest not in self._digests:
                arrived_at = require_aware(refusal.arrived_at, field="refusal.arrived_at")
                refusals.setdefault(digest, replace(refusal, arrived_at=arrived_at))
        messages = int(fresh.sum())
        return SortedOut(new_readings(delivery, fresh), seen, refusals, messages, fresh.size - messages)

    def keep(self, new: SortedOut, *, rows: int) -> Intake:
        """Remember what was sorted out and return the account of it."""
        self._seen.update(new.seen)
        for digest, refusal in new.refusals.items():
            self._digests.add(digest)
            self._refusals.add(refusal.arrived_at, refusal)
        return Intake(new.messages, new.duplicates, rows, len(new.refusals))

    def refusals(self, plant: str | None) -> list[Refusal]:
        """Return all refusals of a plant or of all, newest first."""
        newest = self._refusals.last(len(self._refusals))
        return [refusal for refusal in newest if plant is None or refusal.plant == plant]

    def note(self, heartbeat: Heartbeat) -> None:
        """Keep a heartbeat in place of the one before."""
        at = require_aware(heartbeat.at, field="heartbeat.at")
        self._heartbeats[heartbeat.service] = replace(heartbeat, at=at, counts=dict(heartbeat.counts))

    def heartbeats(self) -> list[Heartbeat]:
        """Return the last heartbeat of every service, by name."""
        return [self._heartbeats[service] for service in sorted(self._heartbeats)]
