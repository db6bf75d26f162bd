"""SunSpec: an inverter or a battery that describes itself by numbered models of registers.

What is read, the first model that is there: power by 701 or an inverter model (101-103, 111-113), state of charge by
713, 802 or 124, energies by 701 or the inverter model. What is written: a cap on a generator by 704 or 123, the power
of a battery by 704 or 124. SunSpec counts active power positive when the device generates, as the house does.
Source: SunSpec Device Information Model Specification 1.1 and the model definitions of the SunSpec Alliance.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from datetime import datetime
from math import isfinite
from typing import Any, Literal, get_args

from vpp.core.errors import InvalidInputError
from vpp.core.extras import require
from vpp.core.messages import POWER_KW, SOC, Readings, SeriesKey
from vpp.core.units import fraction_from_percent, kw_from_w, percent_from_fraction, w_from_kw
from vpp.edge.driver import DriverError, DriverHealth
from vpp.edge.drivers.link import readings_at
from vpp.edge.drivers.metrics import ENERGY_EXPORT_KWH, ENERGY_IMPORT_KWH
from vpp.edge.drivers.modbus_line import ModbusAddress, ModbusLine

_client: Any = require("sunspec2.modbus.client", extra="edge")
_FAULTS: tuple[type[Exception], ...] = (
    _client.SunSpecModbusClientError,
    _client.SunSpecModbusValueError,
    require("sunspec2.mdef", extra="edge").ModelDefinitionError,
    require("sunspec2.device", extra="edge").ModelError,
    # what the library lets through when a device's registers make no sense
    struct.error,
    ArithmeticError,
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
)

Obeys = Literal["nothing", "cap", "power"]
SCAN_TIMEOUTS = 10.0
"""How many times its timeout a device may take to tell all its models, once."""
_LARGEST_SCALE = 10
_FULL_PERCENT = percent_from_fraction(1.0) + 1e-9

_INVERTERS = (103, 102, 101, 113, 112, 111)
_MEASURED: dict[str, tuple[tuple[int, str], ...]] = {
    POWER_KW: ((701, "W"), *((model, "W") for model in _INVERTERS)),
    SOC: ((713, "SoC"), (802, "SoC"), (124, "ChaState")),
    ENERGY_EXPORT_KWH: ((701, "TotWhInj"), *((model, "WH") for model in _INVERTERS)),
    ENERGY_IMPORT_KWH: ((701, "TotWhAbs"),),
}
_FULL_POWER = ((702, "WMax"), (702, "WMaxRtg"), (121, "WMax"), (120, "WRtg"))


@dataclass(frozen=True, slots=True, kw_only=True)
class SunSpecDevice:
    """One device.

    Parameters
    ----------
    name : str
        What messages call it.
    address : ModbusAddress
        Where it is.
    asset_id : str
        The asset it is.
    obeys : {"nothing", "cap", "power"}
        Whether it takes set-points, and of which kind: a cap on a generator, or the power of a battery.
    revert_s : int
        After how long without a new set-point the device shall return to its own [s], where its model offers that;
        0: never. Keep it above the interval of commands.
    """

    name: str
    address: ModbusAddress
    asset_id: str
    obeys: Obeys = "nothing"
    revert_s: int = 0

    def __post_init__(self) -> None:
        """Check every field."""
        if self.obeys not in get_args(Obeys):
            raise InvalidInputError(f"{self.name}.obeys", self.obeys, f"one of {', '.join(get_args(Obeys))}")
        if not 0 <= self.revert_s <= 0xFFFE:
            raise InvalidInputError(f"{self.name}.revert_s", self.revert_s, "0 to 65534 [s]")


class SunSpecDriver:
    """A ``Driver`` of one SunSpec device.

    Parameters
    ----------
    plant : str
        Plant id.
    device : SunSpecDevice
        Where it is and which asset it is.
    """

    def __init__(self, plant: str, device: SunSpecDevice) -> None:
        self.asset_ids: tuple[str, ...] = (device.asset_id,)
        self.controllable: tuple[str, ...] = () if device.obeys == "nothing" else self.asset_ids
        self._plant = plant
        self._device = device
        self._line = ModbusLine(device.name, device.address)
        self._map: Any = None
        self._points: dict[str, Any] = {}

    def open(self) -> None:
        """Connect and find the device's models; takes up to ``SCAN_TIMEOUTS`` times its timeout.

        Raises
        ------
        DriverError
            When it does not answer, is no SunSpec device, measures no power, or lacks the models its set-points need.
        """
        self._line.begin(timeouts=SCAN_TIMEOUTS)
        found = _map_over(self._line)
        try:
            found.scan(connect=False)
        except _FAULTS as fault:
            raise self._line.link.refused("SunSpec map", f"cannot be read: {' '.join(str(fault).split())}") from fault
        points = {metric: _first(found, places) for metric, places in _MEASURED.items()}
        if points[POWER_KW] is None:
            models = ", ".join(str(model.model_id) for model in found.model_list)
            raise self._line.link.refused("SunSpec map", f"no model that measures power; found models {models}")
        self._points = {metric: point for metric, point in points.items() if point is not None}
        self._map = found
        if self._device.obeys != "nothing":
            self._orders(0.0)
        self._line.end()

    def poll(self, now: datetime) -> Readings | None:
        """Return what the device measures now; a point that it marks as not implemented is left out.

        Raises
        ------
        DriverError
            When the device does not answer within its timeout, or refuses.
        """
        self._require_map()
        self._line.begin()
        values: dict[SeriesKey, float] = {}
        try:
            for model in {id(point.model): point.model for point in self._points.values()}.values():
                model.read()
            for metric, point in self._points.items():
                value = self._measured(metric, point)
                if value is not None:
                    values[SeriesKey(self._device.asset_id, metric)] = value
        except _FAULTS as fault:
            raise self._line.link.refused("SunSpec models", f"made no sense: {fault}") from fault
        self._line.end()
        return readings_at(self._plant, now, values)

    def apply(self, asset_id: str, power_kw: float) -> None:
        """Write a set-point [kW, positive toward the grid], read it back, then enable it.

        Raises
        ------
        DriverError
            When the asset takes none, the power is outside its range, or the device does not hold it afterwards.
        """
        if asset_id not in self.controllable:
            raise DriverError(self._device.name, asset_id, "takes no set-point here; set obeys to cap or power")
        self._require_map()
        orders = self._orders(power_kw)
        self._line.begin()
        try:
            for point, value in orders:
                self._write(point, value)
        except _FAULTS as fault:
            raise self._line.link.refused(asset_id, f"cannot be told {power_kw:g} kW: {fault}") from fault
        self._line.end()

    def health(self) -> DriverHealth:
        """Return how the device is."""
        return self._line.health()

    def close(self) -> None:
        """Disconnect; twice does no harm."""
        self._line.close()

    def _require_map(self) -> None:
        if self._map is None:
            self.open()

    def _measured(self, metric: str, point: Any) -> float | None:
        number = point.cvalue
        if number is None:
            return None
        value = float(number)
        value = fraction_from_percent(value) if metric == SOC else kw_from_w(value)
        scale = 0 if point.sf_value is None else abs(point.sf_value)
        if isfinite(value) and scale <= _LARGEST_SCALE and (metric != SOC or 0.0 <= value <= 1.0):
            return value
        self._line.link.remark(f"{metric}: got {value:g} with scale factor {point.sf_value}; left out")
        return None

    def _orders(self, power_kw: float) -> list[tuple[Any, float]]:
        """Return points and what is written there, in this order; the one that enables the others comes last."""
        if self._device.obeys == "cap":
            return self._cap(power_kw)
        control = _model(self._map, 704)
        if control is not None and control.WSet.value is not None:
            return self._timed(control, "WSetRvrtTms", [("WSetMod", 1), ("WSet", w_from_kw(power_kw)), ("WSetEna", 1)])
        storage = _model(self._map, 124)
        full_w = None if storage is None else storage.WChaMax.cvalue
        if not full_w:
            raise self._lacking("704 with WSet, or 124 with WChaMax")
        percent = percent_from_fraction(w_from_kw(power_kw) / full_w)
        if abs(percent) > _FULL_PERCENT:
            raise DriverError(
                self._device.name,
                self._device.asset_id,
                f"got {power_kw:g} kW, expected at most {kw_from_w(full_w):g} kW",
            )
        # Two opposite rates leave one power: what may flow out at most is what must not flow in at least.
        rates = [("OutWRte", percent), ("InWRte", 0.0 - percent), ("StorCtl_Mod", 3)]
        return self._timed(storage, "InOutWRte_RvrtTms", rates)

    def _cap(self, power_kw: float) -> list[tuple[Any, float]]:
        full = _first(self._map, _FULL_POWER)
        if full is None or not full.cvalue:
            raise self._lacking("702, 121 or 120, which say what 100 % is")
        if not power_kw >= 0.0:
            why = f"got a cap of {power_kw:g} kW, expected 0 or more"
            raise DriverError(self._device.name, self._device.asset_id, why)
        # a cap above what the device can do, such as the peak of larger panels, is no cap
        percent = percent_from_fraction(min(w_from_kw(power_kw) / full.cvalue, 1.0))
        control = _model(self._map, 704)
        if control is not None and control.WMaxLimPct.value is not None:
            return self._timed(control, "WMaxLimPctRvrtTms", [("WMaxLimPct", percent), ("WMaxLimPctEna", 1)])
        control = _model(self._map, 123)
        if control is None:
            raise self._lacking("704 with WMaxLimPct, or 123")
        return self._timed(control, "WMaxLimPct_RvrtTms", [("WMaxLimPct", percent), ("WMaxLim_Ena", 1)])

    def _timed(self, model: Any, timer: str, orders: list[tuple[str, float]]) -> list[tuple[Any, float]]:
        held = model.points[timer]
        first = [] if held.value is None else [(held, float(self._device.revert_s))]
        return first + [(model.points[name], value) for name, value in orders]

    def _write(self, point: Any, value: float) -> None:
        point.cvalue = value if point.sf_required else int(value)
        wanted = point.value
        point.write()
        point.read()
        if point.value != wanted:
            raise self._line.link.refused(
                point.pdef["name"], f"wrote {wanted} and read back {point.value}; the device limits or ignores it"
            )

    def _lacking(self, models: str) -> DriverError:
        return self._line.link.refused("SunSpec map", f"a set-point needs model {models}; the device does not have it")


def _map_over(line: ModbusLine) -> Any:
    """Return the library's device, with its registers read and written over our line and its deadlines."""
    found = _client.SunSpecModbusClientDevice()

    def read(address: float, count: float) -> bytes:
        # the library divides by 2 on its way here and may pass 40002.0
        start, left, held = int(address), int(count), b""
        while left:
            many = min(left, 125)
            held += b"".join(word.to_bytes(2, "big") for word in line.read("holding", start, many))
            start, left = start + many, left - many
        return held

    def write(address: float, data: bytes) -> None:
        line.write(int(address), [int.from_bytes(data[i : i + 2], "big") for i in range(0, len(data), 2)])

    found.read, found.write = read, write
    return found


def _model(found: Any, number: int) -> Any:
    models = found.models.get(number)
    return models[0] if models else None


def _first(found: Any, places: tuple[tuple[int, str], ...]) -> Any:
    """Return the first point that the device has and implements, None when there is none."""
    for number, name in places:
        model = _model(found, number)
        point = None if model is None else model.points.get(name)
        if point is not None and point.value is not None:
            return point
    return None
