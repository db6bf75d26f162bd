"""Modbus: a device by its register map, over TCP or a serial line.

A command is written, then read back: what the device holds is what counts, not that it answered. Where the device has
an enable register it is written after the set-point, so that an old set-point is never enabled. Where it has a
watchdog register, every poll writes a number there that counts up: a gateway that died stops counting.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from math import inf

from vpp.core.errors import InvalidInputError
from vpp.core.messages import Readings, SeriesKey
from vpp.edge.driver import DriverError, DriverHealth
from vpp.edge.drivers.conversion import Conversion
from vpp.edge.drivers.link import readings_at
from vpp.edge.drivers.modbus_line import ModbusAddress, ModbusLine
from vpp.edge.drivers.registers import Number, Register, WordOrder, blocks, check_place, pack, unpack, width

_WATCHDOG_TURN = 0x7FFF


@dataclass(frozen=True, slots=True, kw_only=True)
class SetPoint:
    """How an asset is told its power.

    Parameters
    ----------
    asset_id : str
        The asset.
    address, number, word_order : int, str, str
        Where it is written, as for ``Register``; always a holding register.
    conversion : Conversion
        Unit, scale and direction of what is written.
    low_kw, high_kw : float
        Range that the device takes [kW, positive toward the grid]; a power outside is refused here, not sent.
    enable_address, enable_value : int or None, int
        Register that makes the set-point count, and what is written there after it.
    read_back : bool
        Whether the set-point is read back and compared; only devices whose set-points cannot be read need False.
    single : bool
        Write single registers by function 6 instead of 16.
    """

    asset_id: str
    address: int
    number: Number = "int16"
    word_order: WordOrder = "big"
    conversion: Conversion = field(default_factory=Conversion)
    low_kw: float = -inf
    high_kw: float = inf
    enable_address: int | None = None
    enable_value: int = 1
    read_back: bool = True
    single: bool = False

    def __post_init__(self) -> None:
        """Check every field."""
        check_place(f"{self.asset_id}.set_point", self.address, self.number, self.word_order)
        if self.enable_address is not None:
            check_place(f"{self.asset_id}.enable", self.enable_address, "uint16", "big")
        if not 0 <= self.enable_value <= 0xFFFF:
            raise InvalidInputError("enable_value", self.enable_value, "0 to 65535")
        if not self.low_kw <= self.high_kw:
            raise InvalidInputError("low_kw", self.low_kw, f"at most high_kw = {self.high_kw} [kW]")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModbusDevice:
    """One device: where it is and what stands in its registers.

    Parameters
    ----------
    name : str
        What messages call it.
    address : ModbusAddress
        Where it is.
    registers : tuple of Register
        What is measured.
    set_points : tuple of SetPoint
        What obeys; at most one for each asset.
    gap : int
        Registers that may be read along to save requests, see ``registers.blocks``.
    watchdog_address : int or None
        Holding register where every poll writes 0, 1, ... 32766 and again.
    """

    name: str
    address: ModbusAddress
    registers: tuple[Register, ...]
    set_points: tuple[SetPoint, ...] = ()
    gap: int = 0
    watchdog_address: int | None = None

    def __post_init__(self) -> None:
        """Refuse a device with two registers for one series or two set-points for one asset."""
        keys = [(one.asset_id, one.metric) for one in self.registers]
        obeying = [one.asset_id for one in self.set_points]
        for name, given in (("registers", keys), ("set_points", obeying)):
            if len(set(given)) != len(given):
                raise InvalidInputError(f"{self.name}.{name}", given, "each series and each asset once")
        if self.watchdog_address is not None:
            check_place(f"{self.name}.watchdog", self.watchdog_address, "uint16", "big")


class ModbusDriver:
    """A ``Driver`` of one Modbus device.

    Parameters
    ----------
    plant : str
        Plant id.
    device : ModbusDevice
        Its map.
    """

    def __init__(self, plant: str, device: ModbusDevice) -> None:
        measured = (one.asset_id for one in device.registers)
        self.controllable: tuple[str, ...] = tuple(one.asset_id for one in device.set_points)
        self.asset_ids: tuple[str, ...] = tuple(dict.fromkeys((*measured, *self.controllable)))
        self._plant = plant
        self._device = device
        self._blocks = blocks(device.registers, gap=device.gap)
        self._set_points = {one.asset_id: one for one in device.set_points}
        self._line = ModbusLine(device.name, device.address)
        self._turn = 0

    def open(self) -> None:
        """Connect.

        Raises
        ------
        DriverError
            When the device cannot be reached.
        """
        self._line.begin()
        self._line.end()

    def poll(self, now: datetime) -> Readings | None:
        """Read every register and return what the device measures now.

        A value that its register marks as missing is left out; so is one outside its range, which is counted.

        Raises
        ------
        DriverError
            When the device does not answer within its timeout, or refuses.
        """
        self._line.begin()
        values: dict[SeriesKey, float] = {}
        for block in self._blocks:
            held = self._line.read(block.table, block.address, block.count)
            for register in block.registers:
                start = register.address - block.address
                raw = unpack(held[start : start + register.count], register.number, register.word_order)
                if register.is_missing(raw):
                    continue
                value = register.conversion.to_house(raw)
                key = SeriesKey(register.asset_id, register.metric)
                if register.low <= value <= register.high and abs(value) < inf:
                    values[key] = value
                else:
                    self._line.link.remark(
                        f"{key}: got {value:g} (raw {raw:g} at {register.address}), expected {register.low:g} to "
                        f"{register.high:g}; check number, word order and scale"
                    )
        if self._device.watchdog_address is not None:
            self._line.write(self._device.watchdog_address, [self._turn])
            self._turn = (self._turn + 1) % _WATCHDOG_TURN
        self._line.end()
        return readings_at(self._plant, now, values)

    def apply(self, asset_id: str, power_kw: float) -> None:
        """Write a set-point [kW, positive toward the grid] and read it back.

        Raises
        ------
        DriverError
            When the asset takes none, the power is outside its range, or the device does not hold it afterwards.
        """
        point = self._set_points.get(asset_id)
        if point is None:
            known = ", ".join(self._set_points) or "none"
            raise DriverError(self._device.name, asset_id, f"takes no set-point here; those that do: {known}")
        if not point.low_kw <= power_kw <= point.high_kw:
            expected = f"{point.low_kw:g} to {point.high_kw:g} kW"
            raise DriverError(self._device.name, asset_id, f"got {power_kw:g} kW, expected {expected}")
        try:
            words = pack(point.conversion.to_device(power_kw), point.number, point.word_order)
        except InvalidInputError as fault:
            raise DriverError(self._device.name, asset_id, f"{power_kw:g} kW: {fault}") from fault
        self._line.begin()
        self._line.write(point.address, words, single=point.single)
        if point.read_back:
            held = self._line.read("holding", point.address, width(point.number))
            if held != words:
                kept = point.conversion.to_house(unpack(held, point.number, point.word_order))
                raise self._line.link.refused(
                    f"holding register {point.address}",
                    f"wrote {power_kw:g} kW and read back {kept:g} kW; the device limits or ignores the set-point",
                )
        if point.enable_address is not None:
            self._line.write(point.enable_address, [point.enable_value], single=point.single)
        self._line.end()

    def health(self) -> DriverHealth:
        """Return how the device is."""
        return self._line.health()

    def close(self) -> None:
        """Disconnect; twice does no harm."""
        self._line.close()
