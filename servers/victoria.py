"""VictoriaMetrics: takes InfluxDB 2's write protocol; it has no buckets, no Flux, and one retention of its own."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import urlopen

from servers.process import ServerProcess, find_program, free_port


class Victoria(ServerProcess):
    """A server; ``url`` is where it is, ``rows`` what it holds."""

    def __init__(self, folder: Path) -> None:
        program = find_program("victoria-metrics", package="apt-get install victoria-metrics")
        folder.mkdir(parents=True, exist_ok=True)
        port = free_port()
        command = [program, f"-httpListenAddr=127.0.0.1:{port}", f"-storageDataPath={folder / 'data'}"]
        command += ["-retentionPeriod=100y", "-search.latencyOffset=0s", "-memory.allowedPercent=5"]
        super().__init__(command, port=port, folder=folder)

    @property
    def url(self) -> str:
        """Address of the server."""
        return f"http://127.0.0.1:{self.port}"

    def rows(self, name: str, **labels: str) -> dict[tuple[str, str, str, int], list[float]]:
        """Return by plant, source, metric and second every value held under a metric name."""
        self._get("/internal/force_flush")
        chosen = ",".join([f'__name__="{name}"'] + [f'{label}="{value}"' for label, value in labels.items()])
        found: dict[tuple[str, str, str, int], list[float]] = {}
        for line in self._get("/api/v1/export", **{"match[]": f"{{{chosen}}}"}).splitlines():
            told = json.loads(line)
            tags = told["metric"]
            for value, time_ms in zip(told["values"], told["timestamps"], strict=True):
                key = (tags.get("plant", ""), tags.get("source", ""), tags.get("metric", ""), time_ms // 1000)
                found.setdefault(key, []).append(value)
        return found

    def query(self, promql: str, *, time_s: int) -> dict[str, float]:
        """Return an instant query's values by their ``source``."""
        told = json.loads(self._get("/api/v1/query", query=promql, time=str(time_s), nocache="1"))
        return {one["metric"].get("source", ""): float(one["value"][1]) for one in told["data"]["result"]}

    def _get(self, path: str, **asked: str) -> str:
        with urlopen(f"{self.url}{path}?{urlencode(asked)}", timeout=10.0) as answer:
            text: str = answer.read().decode()
        return text
