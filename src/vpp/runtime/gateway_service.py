"""The gateway as a service: with its publishers and its sink, and ended loudly when one of its threads dies."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Collection, Mapping
from pathlib import Path

from vpp.config.edge_file import EdgeFile, HomeAssistantSpec, SparkplugSpec
from vpp.core.errors import InvalidInputError, VppError
from vpp.core.messages import Readings
from vpp.edge.home_assistant import HomeAssistantNode
from vpp.edge.publisher import Publisher, Station
from vpp.edge.sink import Sink
from vpp.edge.sparkplug import SparkplugNode
from vpp.runtime.clock import WallClock
from vpp.runtime.gateway import open_gateway

log = logging.getLogger(__name__)
ALSO = ("sparkplug", "home_assistant", "influxdb")


class GatewayService:
    """One gateway and everything that is told beside the head-end.

    Parameters
    ----------
    file : EdgeFile
        Settings.
    base : Path
        Folder that file names in them count from.
    also : collection of str
        Publishers wanted beside those in the file, of ``ALSO``.
    environment : mapping of str to str, optional
        Where the InfluxDB is; that of the process by default.

    Raises
    ------
    VppError
        When something in the settings cannot be.
    """

    def __init__(
        self, file: EdgeFile, *, base: Path, also: Collection[str] = (), environment: Mapping[str, str] | None = None
    ) -> None:
        self.failed = threading.Event()
        self._sparkplug = file.sparkplug or (SparkplugSpec() if "sparkplug" in also else None)
        self._home = file.home_assistant or (HomeAssistantSpec() if "home_assistant" in also else None)
        _check(file, self._sparkplug, self._home)
        self._sink = _sink(environment or os.environ) if file.influxdb or "influxdb" in also else None
        self._publishers: list[tuple[str, Publisher]] = []
        try:
            self.gateway = open_gateway(file, base=base, on_readings=self._measured)
        except VppError:
            self._close_sink()
            raise
        self._publishers = [
            (node, publisher) for node in self.gateway.nodes for publisher in self._publishers_of(file, node)
        ]
        self._former_hook = threading.excepthook

    def begin(self) -> None:
        """Start everything; returns at once."""
        threading.excepthook = self._died
        for _, publisher in self._publishers:
            publisher.begin()
        self.gateway.begin()

    def stop(self) -> None:
        """End everything in good order."""
        self.gateway.stop()
        for _, publisher in self._publishers:
            publisher.stop()
        self._close_sink()
        threading.excepthook = self._former_hook

    def _measured(self, node: str, readings: Readings) -> None:
        if self._sink is not None:
            self._sink.write(readings)
        for where, publisher in self._publishers:
            if where == node:
                publisher.measured(readings)

    def _publishers_of(self, file: EdgeFile, node: str) -> list[Publisher]:
        plant, made = self.gateway.plant, list[Publisher]()
        if self._sparkplug is not None:
            group = f"{self._sparkplug.group}:{plant}"
            station: Station = SparkplugNode(group, node, now=self.gateway.clock.now)
            url = self._sparkplug.url or file.bus
            made.append(Publisher(url, station, client_id=f"vpp-sparkplug-{plant}-{node}"))
        if self._home is not None:
            station = HomeAssistantNode(plant, node, prefix=self._home.prefix)
            url = self._home.url or file.bus
            made.append(Publisher(url, station, client_id=f"vpp-home-assistant-{plant}-{node}"))
        return made

    def _close_sink(self) -> None:
        if self._sink is not None:
            self._sink.close()

    def _died(self, death: threading.ExceptHookArgs) -> None:
        """End the process when a thread of the gateway dies: half a gateway would look like a whole one."""
        name = "" if death.thread is None else death.thread.name
        log.critical("thread %s died", name, exc_info=death.exc_value)
        self.failed.set()


def _sink(environment: Mapping[str, str]) -> Sink:
    from vpp.edge.influx import influx_from

    return influx_from(environment)


def _check(file: EdgeFile, sparkplug: SparkplugSpec | None, home: HomeAssistantSpec | None) -> None:
    """Refuse publishers that cannot be, before anything is opened."""
    for name, spec in (("sparkplug", sparkplug), ("home_assistant", home)):
        url = file.bus if spec is None else spec.url or file.bus
        if spec is not None and not url.startswith(("mqtt://", "mqtts://")):
            expected = "an MQTT broker: the bus, or one of its own, mqtt://host:port"
            raise InvalidInputError(f"{name}.url", url.partition("://")[0], expected)
    if sparkplug is not None:
        SparkplugNode(sparkplug.group, "node", now=WallClock().now)
