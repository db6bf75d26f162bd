"""Counting: every figure that ingestion tells about itself, declared once, for Prometheus and for heartbeats."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Literal, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from vpp.core.errors import UnknownNameError

PREFIX = "vpp_ingest_"
MetricT = TypeVar("MetricT", Counter, Gauge, Histogram)
RATES_OVER_S = 5.0
COMMIT_BUCKETS_S = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)


@dataclass(frozen=True, slots=True)
class MetricInfo:
    """One metric as it is exposed and documented.

    Parameters
    ----------
    name : str
        Full name with its unit; counters end in ``_total``.
    kind : str
        ``counter``, ``gauge`` or ``histogram``.
    meaning : str
        One sentence.
    label : str
        Name of its label; empty when it has none.
    """

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    meaning: str
    label: str = ""


METRICS: tuple[MetricInfo, ...] = (
    MetricInfo(f"{PREFIX}parcels_total", "counter", "Parcels taken from the bus, copies and poison among them."),
    MetricInfo(f"{PREFIX}bytes_total", "counter", "Length of their payloads."),
    MetricInfo(f"{PREFIX}messages_total", "counter", "Telemetry messages that were new and are kept."),
    MetricInfo(f"{PREFIX}duplicates_total", "counter", "Telemetry messages that had been taken before."),
    MetricInfo(f"{PREFIX}readings_total", "counter", "Readings told by telemetry, before any judgement."),
    MetricInfo(f"{PREFIX}rows_total", "counter", "Readings that were new to the store."),
    MetricInfo(f"{PREFIX}flagged_total", "counter", "Readings kept with a quality flag."),
    MetricInfo(f"{PREFIX}refusals_total", "counter", "What was put in quarantine, by reason.", "reason"),
    MetricInfo(f"{PREFIX}acks_total", "counter", "Answers to commands that were kept."),
    MetricInfo(f"{PREFIX}statuses_total", "counter", "Status messages of nodes."),
    MetricInfo(f"{PREFIX}batches_total", "counter", "Batches committed to the store."),
    MetricInfo(f"{PREFIX}commit_seconds", "histogram", "How long the store took to keep a batch."),
    MetricInfo(
        f"{PREFIX}lag_seconds",
        "gauge",
        "Age of the newest message of the last batch when it was kept, by the sender's clock.",
    ),
    MetricInfo(f"{PREFIX}in_hand_messages", "gauge", "Parcels taken from the bus and not yet acknowledged."),
    MetricInfo(f"{PREFIX}store_errors_total", "counter", "Times the store refused or failed to keep something."),
    MetricInfo(f"{PREFIX}retries_total", "counter", "Attempts to keep again what could not be kept."),
    MetricInfo(f"{PREFIX}bus_errors_total", "counter", "Times the bus could not be read."),
    MetricInfo(f"{PREFIX}store_up", "gauge", "1 while the store keeps what it is given, 0 while it does not."),
    MetricInfo(
        f"{PREFIX}sink_dropped_total", "counter", "Rows that were kept but that a further sink had no room for."
    ),
)
"""Everything ``--metrics-port`` exposes; the table of the documentation is made of it."""
_INFO = {info.name.removeprefix(PREFIX): info for info in METRICS}


class IngestCounts:
    """The figures of one service, in a registry of their own; safe to share between threads.

    Examples
    --------
    >>> counts = IngestCounts()
    >>> counts.add("messages_total", 3)
    >>> counts.add("refusals_total", 1, "clock")
    >>> counts.snapshot()["refusals_total:clock"]
    1.0
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._counters: dict[str, Counter] = {}
        self._gauges: dict[str, Gauge] = {}
        self._histograms: dict[str, Histogram] = {}
        self._told: dict[str, float] = {}
        self._lock = Lock()
        for name, info in _INFO.items():
            labels = (info.label,) if info.label else ()
            if info.kind == "counter":
                self._counters[name] = Counter(info.name, info.meaning, labels, registry=self.registry)
            elif info.kind == "gauge":
                self._gauges[name] = Gauge(info.name, info.meaning, labels, registry=self.registry)
            else:
                self._histograms[name] = Histogram(
                    info.name, info.meaning, labels, registry=self.registry, buckets=COMMIT_BUCKETS_S
                )
            if not info.label and info.kind != "histogram":
                self._told[name] = 0.0

    def add(self, name: str, amount: float = 1.0, label: str = "") -> None:
        """Raise a counter, named without the prefix; a labelled one by its label's value."""
        counter = _find(self._counters, name)
        (counter.labels(label) if label else counter).inc(amount)
        key = f"{name}:{label}" if label else name
        with self._lock:
            self._told[key] = self._told.get(key, 0.0) + amount

    def set(self, name: str, value: float) -> None:
        """Set a gauge, named without the prefix."""
        _find(self._gauges, name).set(value)
        with self._lock:
            self._told[name] = value

    def observe(self, name: str, value: float) -> None:
        """Add an observation to a histogram, named without the prefix."""
        _find(self._histograms, name).observe(value)

    def get(self, name: str) -> float:
        """Return a counter or gauge, named without the prefix; of a labelled one ``name:label``, 0 when never seen."""
        return self._told.get(name, 0.0)

    def snapshot(self) -> Mapping[str, float]:
        """Return all counters and gauges by name without the prefix, as a heartbeat carries them."""
        with self._lock:
            return dict(self._told)

    def text(self) -> bytes:
        """Return all metrics in the text format of Prometheus."""
        return generate_latest(self.registry)


class Rates:
    """Messages and readings per second over the last seconds, from totals."""

    def __init__(self) -> None:
        self._points: list[tuple[float, float, float]] = []

    def of(self, now_s: float, counts: IngestCounts) -> dict[str, float]:
        """Return the rates at a moment of the monotonic clock [s]."""
        self._points.append((now_s, counts.get("parcels_total"), counts.get("readings_total")))
        while len(self._points) > 2 and self._points[1][0] < now_s - RATES_OVER_S:
            self._points.pop(0)
        then_s, parcels, readings = self._points[0]
        span_s = max(now_s - then_s, 1e-3)
        return {
            "parcels_per_s": (counts.get("parcels_total") - parcels) / span_s,
            "readings_per_s": (counts.get("readings_total") - readings) / span_s,
        }


def _find(metrics: Mapping[str, MetricT], name: str) -> MetricT:
    if name not in metrics:
        raise UnknownNameError("metric", name, metrics)
    return metrics[name]
