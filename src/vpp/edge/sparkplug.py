"""Sparkplug B: a node and its assets with births, deaths and data, for SCADA systems that speak it.

The node is the gateway of a site, its devices are the assets and the site's meter; metrics carry the house's names and
sign. Source: Eclipse Sparkplug 3.0.0, sections 4 to 6. A birth begins the sequence at 0, which both readings of that
text allow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from vpp.core.errors import InvalidInputError
from vpp.core.messages import POWER_KW, Readings
from vpp.core.units import KILO
from vpp.edge.publisher import Post
from vpp.edge.sparkplug_payload import BOOLEAN, DOUBLE, INT64, STRING, payload_type, read_payload

NAMESPACE = "spBv1.0"
REBIRTH = "Node Control/Rebirth"
BD_SEQ = "bdSeq"
_ROUND = 256
_UNITS = {
    "_kw": "kW", "_kwh": "kWh", "_c": "degC", "_hz": "Hz", "_v": "V", "_a": "A", "_per_kwh": "1/kWh",
}  # fmt: skip


class SparkplugNode:
    """A ``Station`` of one site.

    Parameters
    ----------
    group, node : str
        Group id and edge node id, without ``/``, ``+`` and ``#``.
    now : callable
        Returns the present, aware.

    Raises
    ------
    InvalidInputError
        When an id cannot stand in a topic.
    MissingExtraError
        When protobuf is not installed.
    """

    def __init__(self, group: str, node: str, *, now: Callable[[], datetime]) -> None:
        for field, name in (("group", group), ("node", node)):
            if not name or any(mark in name for mark in "/+#"):
                raise InvalidInputError(field, name, "a name without /, + and #")
        self._group = group
        self._node = node
        self._now = now
        self._payload = payload_type()
        self._bd_seq = -1
        self._seq = 0
        self._devices: dict[str, dict[str, tuple[float, int]]] = {}
        self.subscriptions: tuple[str, ...] = (f"{NAMESPACE}/{group}/NCMD/{node}",)

    def will(self) -> Post:
        """Return the death of the session that is about to begin; it carries a number of its own."""
        self._bd_seq = (self._bd_seq + 1) % _ROUND
        return self._death()

    def up(self) -> list[Post]:
        """Return the births of the node and of every device heard of so far."""
        payload = self._new_payload()
        self._seq = 0
        payload.seq = 0
        self._add_bd_seq(payload)
        control = payload.metrics.add(name=REBIRTH, timestamp=payload.timestamp, datatype=BOOLEAN)
        control.boolean_value = False
        births = [Post(self._topic("NBIRTH"), payload.SerializeToString())]
        return births + [self._birth_of(device) for device in self._devices]

    def heard(self, topic: str, payload: bytes) -> list[Post]:
        """Return the births anew when a host asks for them; anything else is passed over."""
        if topic != self.subscriptions[0]:
            return []
        told = read_payload(payload)
        if told is None:
            return []
        wanted = any(metric.name == REBIRTH and metric.boolean_value for metric in told.metrics)
        return self.up() if wanted else []

    def measured(self, readings: Readings) -> list[Post]:
        """Return the data of every device, or its birth when it or one of its metrics is new."""
        changed: dict[str, dict[str, tuple[float, int]]] = {}
        for index in range(len(readings)):
            key = readings.keys[int(readings.series[index])]
            at_ms = int(readings.time_s[index]) * int(KILO)
            changed.setdefault(key.source, {})[key.metric] = float(readings.value[index]), at_ms
        posts = []
        for device, metrics in changed.items():
            known = self._devices.setdefault(device, {})
            is_new = not metrics.keys() <= known.keys()
            known.update(metrics)
            posts.append(self._birth_of(device) if is_new else self._message("DDATA", device, metrics))
        return posts

    def down(self) -> list[Post]:
        """Return the death that a node publishes itself when it ends its session."""
        return [self._death()]

    def _death(self) -> Post:
        payload = self._new_payload()
        self._add_bd_seq(payload)
        return Post(self._topic("NDEATH"), payload.SerializeToString(), qos=1)

    def _birth_of(self, device: str) -> Post:
        return self._message("DBIRTH", device, self._devices[device], with_facts=True)

    def _message(
        self, kind: str, device: str, metrics: Mapping[str, tuple[float, int]], *, with_facts: bool = False
    ) -> Post:
        payload = self._new_payload()
        self._seq = (self._seq + 1) % _ROUND
        payload.seq = self._seq
        for name, (value, at_ms) in metrics.items():
            metric = payload.metrics.add(name=name, timestamp=at_ms, datatype=DOUBLE, double_value=value)
            if with_facts:
                for fact, words in _facts_of(name):
                    metric.properties.keys.append(fact)
                    metric.properties.values.add(type=STRING, string_value=words)
        return Post(self._topic(kind, device), payload.SerializeToString())

    def _add_bd_seq(self, payload: Any) -> None:
        payload.metrics.add(name=BD_SEQ, timestamp=payload.timestamp, datatype=INT64, long_value=self._bd_seq)

    def _new_payload(self) -> Any:
        return self._payload(timestamp=int(self._now().timestamp() * KILO))

    def _topic(self, kind: str, device: str | None = None) -> str:
        stem = f"{NAMESPACE}/{self._group}/{kind}/{self._node}"
        return stem if device is None else f"{stem}/{device}"


def _facts_of(metric: str) -> list[tuple[str, str]]:
    unit = next(
        (word for end, word in sorted(_UNITS.items(), key=lambda one: -len(one[0])) if metric.endswith(end)), ""
    )
    facts = [("engUnit", unit)] if unit else []
    return facts + ([("sign", "positive toward the grid")] if metric == POWER_KW else [])
