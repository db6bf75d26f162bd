"""The drivers of a gateway's settings file: one shape for each protocol. What a device speaks is said here once.

Names and ranges are those of the drivers themselves, which check everything again.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, SecretStr

from vpp.config.fields import Model, PowerKw, Slug, Switch, said

Port = Annotated[int, Field(ge=1, le=65_535), said("a port, 1 to 65535")]
RegisterAddress = Annotated[int, Field(ge=0, le=65_535), said("a register address as it travels, 0 to 65535")]
IntervalS = Annotated[float, Field(ge=0.05, le=3600.0), said("seconds between two pollings, 0.05 to 3600")]
TimeoutS = Annotated[float, Field(gt=0.0, le=60.0), said("seconds, above 0 to 60")]
Speed = Annotated[float, Field(gt=0.0, le=1e6), said("seconds of data per second, above 0 to 1e6")]
Text = Annotated[str, Field(min_length=1, max_length=500)]
Unit = Literal["W", "kW", "MW", "percent_of_full", "percent", "Wh", "kWh", "MWh", "plain"]
Number = Literal["int16", "uint16", "int32", "uint32", "float32"]


class ConversionSpec(Model):
    """What one step of a device's number means."""

    unit: Unit = Field(default="kW", description="unit of the number times scale")
    scale: float = Field(default=1.0, description="what the number is multiplied by, not 0")
    positive: Literal["toward_grid", "from_grid"] = Field(
        default="toward_grid", description="which way a positive number flows"
    )
    full_kw: PowerKw | None = Field(default=None, description="power that 100 % means [kW], for percent_of_full")


class _DriverHead(Model):
    name: Slug | None = Field(default=None, description="what messages call it; its kind when left out")
    interval_s: IntervalS = Field(default=5.0, description="seconds between two pollings, 0.05 to 3600")


class SimulatedSpec(_DriverHead):
    """Devices of a simulated world, for every asset of the nodes that no other driver has."""

    kind: Literal["simulated"]
    seed: Annotated[int, Field(ge=0)] = Field(default=0, description="seed of the world, 0 or more")


class ReplaySpec(_DriverHead):
    """A recorded table told again as if it were measured now; it takes no set-points."""

    kind: Literal["replay"]
    file: Text | None = Field(default=None, description="CSV or Parquet; the plant's history when left out")
    speed: Speed = Field(default=1.0, description="seconds of data per second")


class ModbusAddressSpec(Model):
    """Where a Modbus device is: a host for TCP, or a serial port for RTU."""

    host: str = Field(default="", description="host name or address, for TCP")
    port: Port = Field(default=502, description="port, 1 to 65535")
    serial: str = Field(default="", description="serial port for RTU, e.g. /dev/ttyUSB0")
    baud_rate: Annotated[int, Field(ge=300, le=4_000_000)] = Field(default=9600, description="of the serial port")
    parity: Literal["N", "E", "O"] = Field(default="N", description="of the serial port")
    stop_bits: Literal[1, 2] = Field(default=1, description="of the serial port")
    unit_id: Annotated[int, Field(ge=0, le=255)] = Field(default=1, description="unit on the line, 0 to 255")
    timeout_s: TimeoutS = Field(default=3.0, description="longest wait for the device [s]")


class RegisterSpec(Model):
    """A measured value."""

    asset_id: Slug = Field(description="whose series it is: an asset or the site")
    metric: Text = Field(default="power_kw", description="quantity with its unit")
    address: RegisterAddress = Field(description="first register, 0 to 65535")
    table: Literal["holding", "input"] = Field(default="holding", description="read by function 3 or 4")
    number: Number = Field(default="int16", description="how it is packed")
    word_order: Literal["big", "little"] = Field(default="big", description="which of two registers comes first")
    conversion: ConversionSpec = Field(default=ConversionSpec(), description="unit, scale and direction")
    low: float | None = Field(default=None, description="below it cannot be true, in the house's unit")
    high: float | None = Field(default=None, description="above it cannot be true, in the house's unit")
    missing: tuple[int, ...] | None = Field(default=None, description="raw numbers that mean no value")


class SetPointSpec(Model):
    """How an asset is told its power by a register."""

    asset_id: Slug = Field(description="the asset")
    address: RegisterAddress = Field(description="first register, 0 to 65535")
    number: Number = Field(default="int16", description="how it is packed")
    word_order: Literal["big", "little"] = Field(default="big", description="which of two registers comes first")
    conversion: ConversionSpec = Field(default=ConversionSpec(), description="unit, scale and direction")
    low_kw: float | None = Field(default=None, description="lowest power the device takes [kW]")
    high_kw: float | None = Field(default=None, description="highest power the device takes [kW]")
    enable_address: RegisterAddress | None = Field(default=None, description="register that makes it count")
    enable_value: Annotated[int, Field(ge=0, le=65_535)] = Field(default=1, description="what is written there")
    read_back: Switch = Field(default=True, description="whether it is read back and compared")
    single: Switch = Field(default=False, description="write by function 6 instead of 16")


class ModbusSpec(_DriverHead):
    """A Modbus device and its register map."""

    kind: Literal["modbus"]
    address: ModbusAddressSpec = Field(description="where it is")
    registers: tuple[RegisterSpec, ...] = Field(min_length=1, description="what is measured")
    set_points: tuple[SetPointSpec, ...] = Field(default=(), description="what obeys")
    gap: Annotated[int, Field(ge=0, le=124)] = Field(default=0, description="registers read along to save requests")
    watchdog_address: RegisterAddress | None = Field(default=None, description="register counted up at every polling")


class SunSpecSpec(_DriverHead):
    """A device that describes itself by SunSpec models."""

    kind: Literal["sunspec"]
    address: ModbusAddressSpec = Field(description="where it is")
    asset_id: Slug = Field(description="the asset it is")
    obeys: Literal["nothing", "cap", "power"] = Field(default="nothing", description="which set-points it takes")
    revert_s: Annotated[int, Field(ge=0, le=65_534)] = Field(
        default=0, description="seconds after which the device returns to its own; 0 for never"
    )


class TopicSpec(Model):
    """Where a value comes from."""

    asset_id: Slug = Field(description="whose series it is")
    metric: Text = Field(default="power_kw", description="quantity with its unit")
    topic: Text = Field(description="topic, without wildcards")
    path: str = Field(default="", description="dotted path in a JSON payload; empty for a plain number")
    time_path: str = Field(default="", description="path of the value's own time; empty when there is none")
    conversion: ConversionSpec = Field(default=ConversionSpec(), description="unit, scale and direction")
    stale_after_s: Annotated[float, Field(gt=0.0)] = Field(default=60.0, description="how old a value may be [s]")


class SetPointTopicSpec(Model):
    """How an asset is told its power by a message."""

    asset_id: Slug = Field(description="the asset")
    topic: Text = Field(description="where it listens")
    template: Text = Field(default="$value", description="payload, in which $value stands for the number")
    conversion: ConversionSpec = Field(default=ConversionSpec(), description="unit, scale and direction")
    decimals: Annotated[int, Field(ge=0, le=9)] = Field(default=3, description="digits after the point, 0 to 9")
    retain: Switch = Field(default=False, description="whether the broker keeps it")


class MqttSpec(_DriverHead):
    """Devices behind an MQTT broker of their own."""

    kind: Literal["mqtt"]
    url: Text = Field(description="mqtt://host:port or mqtts://host:port")
    topics: tuple[TopicSpec, ...] = Field(min_length=1, description="what is measured")
    set_points: tuple[SetPointTopicSpec, ...] = Field(default=(), description="what obeys")
    username: str = Field(default="", description="user at the broker")
    password: SecretStr = Field(default=SecretStr(""), description="password at the broker; never shown")
    timeout_s: TimeoutS = Field(default=5.0, description="longest wait for the broker [s]")


class ConnectorSpec(Model):
    """A socket of a charger."""

    asset_id: Slug = Field(description="the asset it is")
    number: Annotated[int, Field(ge=1)] = Field(default=1, description="its connector or EVSE, from 1")
    full_kw: PowerKw = Field(default=11.0, description="its largest power [kW]")
    phases: Literal[1, 2, 3] = Field(default=3, description="phases it charges on")
    voltage_v: Annotated[float, Field(ge=100.0, le=300.0)] = Field(default=230.0, description="phase to neutral [V]")
    rate_unit: Literal["W", "A"] = Field(default="W", description="what the charger takes limits in")
    least_current_a: Annotated[float, Field(ge=0.0, le=32.0)] = Field(
        default=6.0, description="a smaller limit pauses charging [A per phase]"
    )


class ChargerSpec(Model):
    """A charger that may connect."""

    id: Text = Field(description="its identity: the last part of the address it calls")
    connectors: tuple[ConnectorSpec, ...] = Field(min_length=1, description="its sockets")
    password: SecretStr = Field(default=SecretStr(""), description="at least 16 characters, drawn at random")
    anonymous: Switch = Field(default=False, description="let it in without a password")
    id_tags: tuple[str, ...] = Field(default=(), description="cards that may charge; empty for any")


class OcppSpec(_DriverHead):
    """Chargers that call this gateway by OCPP 1.6 or 2.0.1."""

    kind: Literal["ocpp"]
    host: str = Field(default="127.0.0.1", description="where it listens")
    port: Annotated[int, Field(ge=0, le=65_535)] = Field(default=9000, description="port; 0 takes any that is free")
    chargers: tuple[ChargerSpec, ...] = Field(min_length=1, description="who may connect")


DriverSpec = Annotated[
    SimulatedSpec | ReplaySpec | ModbusSpec | SunSpecSpec | MqttSpec | OcppSpec, Field(discriminator="kind")
]
