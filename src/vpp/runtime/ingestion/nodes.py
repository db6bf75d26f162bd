"""Nodes: what their status messages tell, as events when it changes."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from vpp.core.messages import Event, Severity
from vpp.core.ports import Store
from vpp.streams.wire import NodeStatus

ONLINE, OFFLINE, RESTARTED = "node_online", "node_offline", "node_restarted"
_MOST_READ = 1024


class NodeWatch:
    """Remembers how each node was last and turns changes into events; a broker tells the last status again and again.

    Parameters
    ----------
    store : Store
        Its events tell how the nodes were when ingestion last ran.
    plants : iterable of str
        Plant ids.
    """

    def __init__(self, store: Store, plants: Iterable[str]) -> None:
        self._known: dict[tuple[str, str], tuple[bool, str]] = {}
        for plant in plants:
            for event in reversed(store.events(plant, most=_MOST_READ)):
                if event.kind in (ONLINE, OFFLINE, RESTARTED):
                    told = (event.kind != OFFLINE, str(event.fields.get("boot", "")))
                    self._known[plant, str(event.fields.get("node", ""))] = told

    def changes(self, statuses: Iterable[NodeStatus], now: datetime) -> list[Event]:
        """Return an event for every status that says something new, in order; ``seen`` remembers them."""
        events = []
        known = dict(self._known)
        for status in statuses:
            node = (status.plant, status.source)
            before = known.get(node)
            known[node] = (status.online, status.boot)
            kind = _kind(before, status)
            if kind is not None:
                events.append(_event(kind, status, now))
        return events

    def seen(self, statuses: Iterable[NodeStatus]) -> None:
        """Remember statuses whose events are kept."""
        for status in statuses:
            self._known[status.plant, status.source] = (status.online, status.boot)

    def online(self) -> int:
        """Return how many nodes were online when last heard of."""
        return sum(online for online, _ in self._known.values())


def _kind(before: tuple[bool, str] | None, status: NodeStatus) -> str | None:
    if not status.online:
        return None if before is not None and not before[0] else OFFLINE
    if before is None or not before[0]:
        return ONLINE
    return RESTARTED if before[1] != status.boot else None


def _event(kind: str, status: NodeStatus, now: datetime) -> Event:
    words = {
        ONLINE: f"{status.source} is online",
        OFFLINE: f"{status.source} is offline: its link broke or it stopped",
        RESTARTED: f"{status.source} restarted",
    }
    severity = Severity.WARNING if kind == OFFLINE else Severity.INFO
    facts = {"node": status.source, "boot": status.boot, "told_at": status.at.isoformat()}
    return Event(status.plant, now, kind, severity, words[kind], facts)
