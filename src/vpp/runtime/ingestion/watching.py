"""Watching: what a store tells about ingestion: services, sources, quarantine; the matter of ``vpp top``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from vpp.core.messages import Heartbeat, Quality, Readings, Refusal
from vpp.core.ports import Store
from vpp.core.time import epoch_s

SILENT_AFTER_S = 5.0
"""A service that beats every second and was not heard for this long is taken for dead."""
PLANT_MARK = "plant:"
"""Beginning of the counts by which a heartbeat names its plants."""
_MOST_REFUSALS = 200


@dataclass(frozen=True, slots=True)
class SourceState:
    """How fresh one source is.

    Parameters
    ----------
    plant, source : str
        Whose readings.
    series : int
        Metrics it reported.
    time_s, arrived_s : int
        When its newest reading holds, and when that arrived [epoch s].
    flags : Quality
        Flags of its newest readings, together.
    """

    plant: str
    source: str
    series: int
    time_s: int
    arrived_s: int
    flags: Quality


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen at one moment.

    Parameters
    ----------
    now : datetime
        The moment; aware.
    services : tuple of Heartbeat
        What each service told last.
    sources : tuple of SourceState
        By arrival, the stalest first.
    quarantined : int
        Refusals kept.
    refusals : tuple of Refusal
        The newest, newest first.
    """

    now: datetime
    services: tuple[Heartbeat, ...]
    sources: tuple[SourceState, ...]
    quarantined: int
    refusals: tuple[Refusal, ...]

    @property
    def reasons(self) -> dict[str, int]:
        """How many of the newest refusals have each reason, the most frequent first."""
        counts: dict[str, int] = {}
        for refusal in self.refusals:
            counts[refusal.reason] = counts.get(refusal.reason, 0) + 1
        return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def look(store: Store, plants: Sequence[str], now: datetime) -> Look:
    """Return what a store tells now, of some plants or of all that its services name."""
    services = tuple(store.heartbeats())
    named = tuple(plants) or plants_of(services)
    sources = [state for plant in named for state in _sources(plant, store.latest(plant))]
    sources.sort(key=lambda state: (state.arrived_s, state.plant, state.source))
    only = named[0] if len(plants) == 1 else None
    refusals = [one for one in store.refusals(plant=only, most=_MOST_REFUSALS) if not plants or one.plant in plants]
    quarantined = sum(store.refusal_count(plant=plant) for plant in plants) if plants else store.refusal_count()
    return Look(now, services, tuple(sources), quarantined, tuple(refusals))


def plants_of(services: Sequence[Heartbeat]) -> tuple[str, ...]:
    """Return the plants that heartbeats name, in alphabetical order."""
    names = {name.removeprefix(PLANT_MARK) for beat in services for name in beat.counts if name.startswith(PLANT_MARK)}
    return tuple(sorted(names))


def state_of(beat: Heartbeat, now: datetime) -> str:
    """Return ``running``, ``store failing``, ``stopped`` or ``silent``."""
    if beat.counts.get("stopped"):
        return "stopped"
    if (now - beat.at).total_seconds() > SILENT_AFTER_S:
        return "silent"
    return "running" if beat.counts.get("store_up", 1.0) else "store failing"


def document(seen: Look) -> dict[str, Any]:
    """Return what was seen as a JSON document; ages are in seconds."""
    now_s = epoch_s(seen.now)
    return {
        "at": seen.now.isoformat(),
        "services": [
            {
                "service": beat.service,
                "state": state_of(beat, seen.now),
                "age_s": round((seen.now - beat.at).total_seconds(), 3),
                "counts": dict(beat.counts),
            }
            for beat in seen.services
        ],
        "sources": [
            {
                "plant": state.plant,
                "source": state.source,
                "series": state.series,
                "newest_time_s": state.time_s,
                "arrived_age_s": now_s - state.arrived_s,
                "flags": [flag.name.lower() for flag in Quality if flag and flag in state.flags and flag.name],
            }
            for state in seen.sources
        ],
        "quarantine": {
            "count": seen.quarantined,
            "newest_by_reason": seen.reasons,
            "newest": [
                {
                    "plant": refusal.plant,
                    "source": refusal.source,
                    "arrived_at": refusal.arrived_at.isoformat(),
                    "reason": refusal.reason,
                    "message": refusal.message,
                    "payload": refusal.payload[:200].decode("utf-8", errors="replace"),
                }
                for refusal in seen.refusals[:20]
            ],
        },
    }


def _sources(plant: str, latest: Readings | None) -> list[SourceState]:
    if latest is None:
        return []
    names = np.array([key.source for key in latest.keys])[latest.series]
    states = []
    for name in np.unique(names).tolist():
        rows = np.flatnonzero(names == name)
        newest = rows[np.argmax(latest.arrived_s[rows])]
        flags = Quality(int(np.bitwise_or.reduce(latest.quality[rows])))
        states.append(
            SourceState(plant, name, rows.size, int(latest.time_s[newest]), int(latest.arrived_s[newest]), flags)
        )
    return states
