"""The gateway's settings file (YAML, JSON or TOML): its nodes, how it reaches them, and what it lets through."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError

from vpp.config.edge_drivers_file import DriverSpec, IntervalS, SimulatedSpec, Text
from vpp.config.fields import Model, Slug, Switch, said
from vpp.config.reading import read_mapping
from vpp.config.report import issues_of
from vpp.core.errors import InvalidInputError

Seconds = Annotated[float, Field(gt=0.0, le=604_800.0), said("seconds, above 0 to 604800 (a week)")]
SecondsOrNone = Annotated[int, Field(ge=0, le=31_622_400), said("whole seconds, 0 to 31622400 (366 days)")]
RowsPerS = Annotated[float, Field(ge=1.0, le=1e6), said("readings a second, 1 to 1e6")]
Rows = Annotated[int, Field(ge=1_000, le=10**9), said("readings, 1,000 to 1e9")]  # house: allow-1000, a count
Bytes = Annotated[int, Field(ge=0, le=2**32), said("bytes, 0 to 4 GiB")]
Slew = Annotated[float, Field(gt=0.0), said("a rate above 0 [kW/min]")]
Count = Annotated[int, Field(ge=0, le=10**6), said("a whole number, 0 to 1e6")]
CountFromOne = Annotated[int, Field(ge=1, le=10**6), said("a whole number, 1 to 1e6")]


class LimitSpec(Model):
    """Bounds of an asset's set-point that are narrower than its rating; they hold whatever is commanded."""

    asset: Slug = Field(description="which asset")
    low_kw: float | None = Field(default=None, description="lowest set-point [kW, positive toward the grid]")
    high_kw: float | None = Field(default=None, description="highest set-point [kW]")
    safe_kw: float | None = Field(default=None, description="set-point while the head-end is silent [kW]")
    slew_kw_per_min: Slew | None = Field(default=None, description="how fast it may move [kW/min]")
    most_commands_per_min: CountFromOne | None = Field(default=None, description="commands taken in 60 s")
    most_flips: Count | None = Field(default=None, description="turns between charge and discharge in flip_window_s")
    flip_window_s: Seconds | None = Field(default=None, description="seconds that most_flips counts over")


class BufferSpec(Model):
    """Where readings wait."""

    path: Text | None = Field(default=None, description="SQLite file; <plant>-edge.db beside this file when left out")
    capacity_rows: Rows = Field(
        default=5_000_000, description="most readings held; the oldest waiting are dropped beyond"
    )
    keep_s: SecondsOrNone = Field(default=86_400, description="how long readings stay after they arrived [s]")
    ballast_bytes: Bytes = Field(default=2 * 1024 * 1024, description="room kept for commands on a full disk [bytes]")


class SparkplugSpec(Model):
    """Publishing by Sparkplug B."""

    group: Text = Field(default="vpp", description="group id: the second part of every topic")
    url: Text | None = Field(default=None, description="broker; that of the bus when left out")


class HomeAssistantSpec(Model):
    """Publishing to Home Assistant by MQTT discovery."""

    prefix: Text = Field(default="homeassistant", description="discovery prefix")
    url: Text | None = Field(default=None, description="broker; that of the bus when left out")


class StatusPageSpec(Model):
    """The gateway's own page, on this machine only."""

    port: Annotated[int, Field(ge=0, le=65_535)] = Field(default=8081, description="port; 0 takes any that is free")


class EdgeFile(Model):
    """A gateway."""

    plant: Text = Field(description="a built-in plant, or a plant file relative to this file")
    nodes: tuple[Slug, ...] = Field(default=(), description="sites it is the gateway of; all when left out")
    bus: Text = Field(default="mqtt://127.0.0.1:1883", description="address of the bus")
    client: Slug | None = Field(default=None, description="name at the bus, of no other gateway; made when left out")
    drivers: tuple[DriverSpec, ...] = Field(
        default=(SimulatedSpec(kind="simulated"),), min_length=1, description="how it reaches its devices"
    )
    limits: tuple[LimitSpec, ...] = Field(default=(), description="bounds narrower than the assets' ratings")
    buffer: BufferSpec = Field(default=BufferSpec(), description="where readings wait")
    head_end_timeout_s: Seconds | None = Field(
        default=None,
        description="silence after which assets are made safe [s]; a step of the plan and 5 min when left out",
    )
    hold_s: Annotated[float, Field(ge=0.0, le=86_400.0)] = Field(
        default=60.0, description="how long a set-point stays after its command ended [s]"
    )
    status_every_s: IntervalS = Field(default=10.0, description="seconds between two status messages")
    backfill_rows_per_s: RowsPerS = Field(default=5_000.0, description="readings a second that are made up for")
    recall_s: Annotated[int, Field(ge=0, le=86_400)] = Field(
        default=60, description="after a break, sent again what was acknowledged in the last so many seconds"
    )
    clock_patience_s: Seconds = Field(
        default=900.0, description="how long a clock that jumped must stay to be believed"
    )
    status_page: StatusPageSpec | None = Field(default=StatusPageSpec(), description="its own page; null for none")
    sparkplug: SparkplugSpec | None = Field(default=None, description="publish by Sparkplug B too")
    home_assistant: HomeAssistantSpec | None = Field(default=None, description="publish to Home Assistant too")
    influxdb: Switch = Field(default=False, description="write to InfluxDB too; where is told by the environment")


def read_edge_file(path: Path) -> EdgeFile:
    """Return the settings of a gateway.

    Raises
    ------
    UnreadableFileError
        When the file cannot be read or parsed.
    InvalidInputError
        When something in it is wrong; all findings are told.
    """
    return edge_file(read_mapping(path), where=str(path))


def edge_file(content: dict[str, Any], *, where: str = "gateway") -> EdgeFile:
    """Return the settings of a gateway from what a file holds.

    Raises
    ------
    InvalidInputError
        When something in it is wrong; all findings are told.

    Examples
    --------
    >>> edge_file({"plant": "homes", "nodes": ["home01"]}).drivers[0].kind
    'simulated'
    """
    try:
        return EdgeFile.model_validate(content)
    except ValidationError as fault:
        first, *others = issues_of(fault, EdgeFile, content)
        more = "".join(f"; {issue.path}: {issue.message}" for issue in others)
        raise InvalidInputError(
            f"{where}: {first.path}", first.value, f"{first.message.removeprefix('must be ')}{more}"
        ) from fault


SAMPLE = """\
# A gateway of one home, with devices of a simulated world. Start it: vpp edge run gateway.yaml
plant: homes                      # a built-in plant, or a plant file
nodes: [home01]                   # sites; all when left out
bus: mqtt://127.0.0.1:1883        # or kafka://host:9092

drivers:
  - {kind: simulated, interval_s: 5}
  # - kind: modbus
  #   name: inverter
  #   address: {host: 192.168.1.20}
  #   registers:
  #     - {asset_id: home01_battery, address: 100, conversion: {unit: W}}
  #   set_points:
  #     - {asset_id: home01_battery, address: 200, conversion: {unit: W}}

# Bounds that hold whatever is commanded; by default those of the assets' ratings.
limits:
  - {asset: home01_battery, slew_kw_per_min: 60, most_flips: 6, flip_window_s: 600}

head_end_timeout_s: 3900          # no command for so long: batteries rest, generation is not curtailed
status_page: {port: 8081}
"""
