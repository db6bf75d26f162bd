"""What a gateway shows of itself: one document for its page, and counters for Prometheus."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from vpp.core.errors import StoreError
from vpp.core.messages import Ack, Command, Event
from vpp.core.time import from_epoch_s
from vpp.edge.gateway import Gateway
from vpp.edge.steady import steady_s

METRICS: dict[str, tuple[str, str]] = {
    "vpp_edge_link_up": ("gauge", "1 while the head-end takes what is sent, 0 while it does not."),
    "vpp_edge_safe_nodes": ("gauge", "Nodes whose assets are at their safe set-points because nobody commands."),
    "vpp_edge_driver_healthy": ("gauge", "1 while a driver's last exchange went well, by driver."),
    "vpp_edge_buffer_waiting_readings": ("gauge", "Readings that wait for their acknowledgement."),
    "vpp_edge_buffer_age_seconds": ("gauge", "Age of the oldest message that waits; 0 when none does."),
    "vpp_edge_buffer_halted": ("gauge", "1 while the disk of the buffer fails, 0 while it does not."),
    "vpp_edge_clock_off_seconds": (
        "gauge",
        "How far the wall clock jumped ahead of the gateway's own; 0 when it did not.",
    ),
    "vpp_edge_readings_sent_total": ("counter", "Readings that the head-end acknowledged."),
    "vpp_edge_messages_sent_total": ("counter", "Messages of telemetry that the head-end acknowledged."),
    "vpp_edge_readings_dropped_total": ("counter", "Readings dropped because the buffer was over its capacity."),
    "vpp_edge_readings_shed_total": ("counter", "Readings not taken because the disk was full or too slow."),
    "vpp_edge_driver_readings_total": ("counter", "Readings measured, by driver."),
    "vpp_edge_driver_errors_total": ("counter", "Failed exchanges with devices, by driver."),
    "vpp_edge_commands_total": ("counter", "Commands that came, repeated ones included."),
    "vpp_edge_commands_repeated_total": ("counter", "Commands that had come before and were not executed again."),
    "vpp_edge_acks_total": ("counter", "Answers to commands, by status."),
    "vpp_edge_set_points_total": ("counter", "Set-points that devices took."),
}
"""Every metric of the gateway: its kind and what it says."""
_ACKS = ("executed", "limited", "refused", "expired")


@dataclass(frozen=True, slots=True)
class DriverView:
    """How a driver is."""

    name: str
    healthy: bool
    message: str
    errors: int
    readings: int
    interval_s: float
    assets: int


@dataclass(frozen=True, slots=True)
class NodeView:
    """How a node is: whether it is safe, for how long nobody commanded, and what its assets were told [kW]."""

    id: str
    safe: bool
    silence_s: float
    set_points: tuple[tuple[str, float, str], ...]


@dataclass(frozen=True, slots=True)
class OrderView:
    """A command with what became of it."""

    node: str
    asset: str
    id: str
    start: datetime
    power_kw: float
    status: str
    measured_kw: float | None
    message: str


@dataclass(frozen=True, slots=True)
class GatewayView:
    """A gateway at one moment."""

    plant: str
    boot: str
    at: datetime
    link_up: bool
    waiting_rows: int
    kept_rows: int
    oldest_at: datetime | None
    dropped_rows: int
    shed_rows: int
    halted: str
    disk_full: bool
    clock_off_s: float
    sent_rows: int
    sent_messages: int
    counts: dict[str, int]
    drivers: tuple[DriverView, ...]
    nodes: tuple[NodeView, ...]
    orders: tuple[OrderView, ...]
    events: tuple[tuple[datetime, str, str], ...]

    def document(self) -> dict[str, Any]:
        """Return everything as JSON values, times apart."""
        return asdict(self)


def view_of(gateway: Gateway, *, most: int = 15) -> GatewayView:
    """Return how a gateway is now, with its newest commands and events."""
    counts = gateway.buffer.counts()
    try:
        orders, events = gateway.buffer.latest_orders(most=most), gateway.buffer.latest_events(most=most)
    except StoreError:  # the disk fails, which the page says; what it holds cannot be shown
        orders, events = [], []
    return GatewayView(
        plant=gateway.plant,
        boot=gateway.buffer.boot,
        at=gateway.clock.now(),
        link_up=gateway.sender.is_up,
        waiting_rows=counts.waiting_rows,
        kept_rows=counts.kept_rows,
        oldest_at=None if counts.oldest_s is None else from_epoch_s(counts.oldest_s),
        dropped_rows=counts.dropped_rows,
        shed_rows=counts.shed_rows,
        halted=counts.halted,
        disk_full=counts.shedding,
        clock_off_s=round(gateway.clock.off_by_s, 1),
        sent_rows=gateway.sender.sent_rows,
        sent_messages=gateway.sender.sent_messages,
        counts=dict(gateway.counts),
        drivers=_drivers(gateway),
        nodes=_nodes(gateway),
        orders=tuple(_order(node, command, ack) for node, command, ack in orders),
        events=tuple(_event(event) for event in events),
    )


def _drivers(gateway: Gateway) -> tuple[DriverView, ...]:
    return tuple(
        DriverView(
            worker.name,
            (health := worker.health()).healthy,
            health.message,
            health.errors,
            worker.readings,
            worker.interval_s,
            len(worker.driver.asset_ids),
        )
        for worker in gateway.workers
    )


def _nodes(gateway: Gateway) -> tuple[NodeView, ...]:
    now_s = steady_s()
    return tuple(
        NodeView(
            name,
            node.is_silent,
            round(node.silence_s(now_s), 1),
            tuple((a, s.told_kw, str(s.why)) for a, s in node.steerings.items() if s.told_kw is not None),
        )
        for name, node in gateway.nodes.items()
    )


def _order(node: str, command: Command, ack: Ack | None) -> OrderView:
    status = "waiting" if ack is None else str(ack.status)
    measured_kw, words = (None, "") if ack is None else (ack.power_kw, ack.message)
    return OrderView(node, command.asset_id, command.id, command.start, command.power_kw, status, measured_kw, words)


def _event(event: Event) -> tuple[datetime, str, str]:
    return event.at, str(event.severity), event.message


class GatewayCollector(Collector):
    """The counters of a gateway, read when they are asked for."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def collect(self) -> Iterator[Metric]:
        """Yield every metric of ``METRICS``."""
        view = view_of(self._gateway, most=0)
        age_s = 0.0 if view.oldest_at is None else (view.at - view.oldest_at).total_seconds()
        plain: dict[str, float] = {
            "vpp_edge_link_up": view.link_up,
            "vpp_edge_safe_nodes": sum(node.safe for node in view.nodes),
            "vpp_edge_buffer_waiting_readings": view.waiting_rows,
            "vpp_edge_buffer_age_seconds": max(age_s, 0.0),
            "vpp_edge_buffer_halted": bool(view.halted),
            "vpp_edge_clock_off_seconds": view.clock_off_s,
            "vpp_edge_readings_sent_total": view.sent_rows,
            "vpp_edge_messages_sent_total": view.sent_messages,
            "vpp_edge_readings_dropped_total": view.dropped_rows,
            "vpp_edge_readings_shed_total": view.shed_rows,
            "vpp_edge_commands_total": view.counts.get("commands", 0),
            "vpp_edge_commands_repeated_total": view.counts.get("repeated", 0),
            "vpp_edge_set_points_total": view.counts.get("set_points", 0),
        }
        for name, value in plain.items():
            yield _family(name, None, [("", value)])
        yield _family("vpp_edge_driver_healthy", "driver", [(d.name, d.healthy) for d in view.drivers])
        yield _family("vpp_edge_driver_readings_total", "driver", [(d.name, d.readings) for d in view.drivers])
        yield _family("vpp_edge_driver_errors_total", "driver", [(d.name, d.errors) for d in view.drivers])
        acks = [(status, float(view.counts.get(f"ack_{status}", 0))) for status in _ACKS]
        yield _family("vpp_edge_acks_total", "status", acks)


def _family(name: str, label: str | None, values: list[tuple[str, float]]) -> Metric:
    kind, words = METRICS[name]
    make = CounterMetricFamily if kind == "counter" else GaugeMetricFamily
    family = make(name, words, labels=[] if label is None else [label])
    for text, value in values:
        family.add_metric([] if label is None else [text], float(value))
    return family


def metrics_text(gateway: Gateway) -> bytes:
    """Return the gateway's counters in the text format of Prometheus."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(GatewayCollector(gateway))
    return generate_latest(registry)
