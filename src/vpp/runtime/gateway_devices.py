"""The drivers of a gateway from its settings file: shapes of the file turned into those of the drivers."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from math import inf
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr

from vpp.config import VPPConfig
from vpp.config.edge_drivers_file import (
    ChargerSpec,
    DriverSpec,
    ModbusSpec,
    MqttSpec,
    OcppSpec,
    ReplaySpec,
    SimulatedSpec,
    SunSpecSpec,
)
from vpp.core.assets import Plant
from vpp.core.errors import InvalidInputError
from vpp.core.ports import Clock
from vpp.edge.driver import Driver
from vpp.edge.gateway import DrivenBy
from vpp.runtime.setup import setup_of


def driven_by(
    specs: Collection[DriverSpec], config: VPPConfig, plant: Plant, *, base: Path, clock: Clock
) -> list[DrivenBy]:
    """Return the drivers of a gateway, each with its name and interval.

    Parameters
    ----------
    specs : collection of DriverSpec
        As the file has them.
    config : VPPConfig
        The plant's file.
    plant : Plant
        The part of the plant that this gateway stands before.
    base : Path
        Folder that file names count from.
    clock : Clock
        The present.

    Raises
    ------
    VppError
        When a driver's settings contradict each other, or its package is not installed.
    """
    real = [spec for spec in specs if not isinstance(spec, SimulatedSpec)]
    made: list[tuple[DriverSpec, Driver]] = [
        (spec, _driver(spec, config, plant, base=base, clock=clock)) for spec in real
    ]
    taken = {asset for _, driver in made for asset in driver.asset_ids}
    for spec in specs:
        if isinstance(spec, SimulatedSpec):
            from vpp.runtime.gateway_drivers import SimulatedDriver

            free = [asset.id for asset in plant.assets if asset.id not in taken]
            driver = SimulatedDriver(plant, clock, interval_s=spec.interval_s, seed=spec.seed, asset_ids=free)
            made.append((spec, driver))
            taken.update(free)
    names = [spec.name or spec.kind for spec, _ in made]
    for name in names:
        if names.count(name) > 1:
            raise InvalidInputError("drivers.name", name, "a name of its own for every driver; give them names")
    return [DrivenBy(name, driver, spec.interval_s) for name, (spec, driver) in zip(names, made, strict=True)]


def _driver(spec: DriverSpec, config: VPPConfig, plant: Plant, *, base: Path, clock: Clock) -> Driver:
    if isinstance(spec, ReplaySpec):
        return _replay(spec, config, plant, base=base, clock=clock)
    if isinstance(spec, ModbusSpec):
        return _modbus(spec, plant.id)
    if isinstance(spec, SunSpecSpec):
        return _sunspec(spec, plant.id)
    if isinstance(spec, MqttSpec):
        return _mqtt(spec, plant.id)
    if isinstance(spec, OcppSpec):
        return _ocpp(spec, plant.id, clock)
    raise InvalidInputError("drivers.kind", spec.kind, "simulated, replay, modbus, sunspec, mqtt or ocpp")


def _replay(spec: ReplaySpec, config: VPPConfig, plant: Plant, *, base: Path, clock: Clock) -> Driver:
    from vpp.runtime.build import read_history
    from vpp.runtime.gateway_drivers import ReplayDriver

    table = read_history(config, setup_of(config), None if spec.file is None else base / spec.file)
    sources = {asset.id for asset in plant.assets} | {site.id for site in plant.sites}
    return ReplayDriver(plant.id, table, sources, speed=spec.speed, clock=clock)


def _modbus(spec: ModbusSpec, plant: str) -> Driver:
    from vpp.edge.drivers.conversion import Conversion
    from vpp.edge.drivers.modbus import ModbusDevice, ModbusDriver, SetPoint
    from vpp.edge.drivers.modbus_line import ModbusAddress
    from vpp.edge.drivers.registers import Register

    registers = tuple(
        Register(**_given(one, low=-inf, high=inf, conversion=Conversion(**one.conversion.model_dump())))
        for one in spec.registers
    )
    set_points = tuple(
        SetPoint(**_given(one, low_kw=-inf, high_kw=inf, conversion=Conversion(**one.conversion.model_dump())))
        for one in spec.set_points
    )
    device = ModbusDevice(
        name=spec.name or spec.kind,
        address=ModbusAddress(**spec.address.model_dump()),
        registers=registers,
        set_points=set_points,
        gap=spec.gap,
        watchdog_address=spec.watchdog_address,
    )
    return ModbusDriver(plant, device)


def _sunspec(spec: SunSpecSpec, plant: str) -> Driver:
    from vpp.edge.drivers.modbus_line import ModbusAddress
    from vpp.edge.drivers.sunspec import SunSpecDevice, SunSpecDriver

    device = SunSpecDevice(
        name=spec.name or spec.kind,
        address=ModbusAddress(**spec.address.model_dump()),
        asset_id=spec.asset_id,
        obeys=spec.obeys,
        revert_s=spec.revert_s,
    )
    return SunSpecDriver(plant, device)


def _mqtt(spec: MqttSpec, plant: str) -> Driver:
    from vpp.edge.drivers.conversion import Conversion
    from vpp.edge.drivers.mqtt_device import MqttDevice, MqttDriver, SetPointTopic, Topic

    device = MqttDevice(
        name=spec.name or spec.kind,
        url=spec.url,
        topics=tuple(Topic(**_given(one, conversion=Conversion(**one.conversion.model_dump()))) for one in spec.topics),
        set_points=tuple(
            SetPointTopic(**_given(one, conversion=Conversion(**one.conversion.model_dump())))
            for one in spec.set_points
        ),
        username=spec.username,
        password=spec.password.get_secret_value(),
        timeout_s=spec.timeout_s,
    )
    return MqttDriver(plant, device)


def _ocpp(spec: OcppSpec, plant: str, clock: Clock) -> Driver:
    from vpp.edge.drivers.ocpp import ChargingSite, OcppDriver

    site = ChargingSite(
        name=spec.name or spec.kind,
        host=spec.host,
        port=spec.port,
        chargers=tuple(_charger(one) for one in spec.chargers),
        meter_interval_s=max(round(spec.interval_s), 1),
    )
    return OcppDriver(plant, site, clock)


def _charger(spec: ChargerSpec) -> Any:
    from vpp.edge.drivers.ocpp_charger import Charger, Connector

    return Charger(
        id=spec.id,
        connectors=tuple(Connector(**one.model_dump()) for one in spec.connectors),
        password=spec.password.get_secret_value(),
        anonymous=spec.anonymous,
        id_tags=spec.id_tags,
    )


def _given(spec: BaseModel, **instead: Any) -> dict[str, Any]:
    """Return a shape's fields; where one was left out, or is a shape itself, what is given instead."""
    fields: Mapping[str, Any] = {name: getattr(spec, name) for name in type(spec).model_fields}
    kept = {name: value for name, value in fields.items() if not isinstance(value, BaseModel | SecretStr)}
    return {**kept, **{name: value for name, value in instead.items() if kept.get(name) is None}}
