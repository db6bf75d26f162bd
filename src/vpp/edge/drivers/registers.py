"""Registers of a Modbus device: which numbers stand where, how they are packed, and which blocks are read at once.

Addresses count from 0, as they travel: the manual's 40001 is holding register 0.
Source: MODBUS Application Protocol Specification V1.1b3, sections 4.3, 6.3, 6.4.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from math import inf, isnan
from typing import Literal, get_args

from vpp.core.errors import InvalidInputError
from vpp.edge.drivers.conversion import Conversion

Table = Literal["holding", "input"]
Number = Literal["int16", "uint16", "int32", "uint32", "float32"]
WordOrder = Literal["big", "little"]

MOST_READ = 125
"""Registers that one request may read."""
LAST_ADDRESS = 0xFFFF
_FORMATS: dict[str, str] = {"int16": ">h", "uint16": ">H", "int32": ">i", "uint32": ">I", "float32": ">f"}
_NOT_THERE: dict[str, tuple[int, ...]] = {
    "int16": (-0x8000,),
    "uint16": (0xFFFF,),
    "int32": (-0x80000000,),
    "uint32": (0xFFFFFFFF,),
    "float32": (),
}


def width(number: Number) -> int:
    """Return how many registers a number takes, 1 or 2."""
    return struct.calcsize(_FORMATS[number]) // 2


def unpack(registers: list[int], number: Number, word_order: WordOrder) -> float:
    """Return the number in its registers; NaN for a float that is none.

    >>> unpack([0x0001, 0x0002], "uint32", "big"), unpack([0x0001, 0x0002], "uint32", "little")
    (65538.0, 131073.0)
    """
    words = registers if word_order == "big" else registers[::-1]
    raw = b"".join(word.to_bytes(2, "big") for word in words)
    return float(struct.unpack(_FORMATS[number], raw)[0])


def pack(value: float, number: Number, word_order: WordOrder) -> list[int]:
    """Return the registers of a number, rounded to a whole one where the type is whole.

    Raises
    ------
    InvalidInputError
        When the type cannot hold it.
    """
    whole = number != "float32"
    try:
        raw = struct.pack(_FORMATS[number], round(value) if whole else value)
    except (struct.error, OverflowError, ValueError) as fault:
        raise InvalidInputError("value", value, f"what a register of type {number} can hold") from fault
    words = [int.from_bytes(raw[i : i + 2], "big") for i in range(0, len(raw), 2)]
    return words if word_order == "big" else words[::-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Register:
    """A measured value of a device.

    Parameters
    ----------
    asset_id, metric : str
        Which series it becomes, e.g. ``home01_battery``, ``power_kw``.
    address : int
        First register, 0 to 65535.
    table : {"holding", "input"}
        Read by function 3 or 4.
    number : {"int16", "uint16", "int32", "uint32", "float32"}
        How it is packed.
    word_order : {"big", "little"}
        Which of two registers comes first: the high one or the low one.
    conversion : Conversion
        Unit, scale and direction.
    low, high : float
        Range of what can be true, in the house's unit; what lies outside is left out and counted.
    missing : tuple of int or None
        Raw numbers that mean "no value"; by default the type's own (0x8000, 0xFFFF, and their 32-bit likes).
    """

    asset_id: str
    metric: str
    address: int
    table: Table = "holding"
    number: Number = "int16"
    word_order: WordOrder = "big"
    conversion: Conversion = field(default_factory=Conversion)
    low: float = -inf
    high: float = inf
    missing: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        """Check every field."""
        check_place(f"{self.asset_id}.{self.metric}", self.address, self.number, self.word_order)
        if self.table not in get_args(Table):
            raise InvalidInputError("table", self.table, f"one of {', '.join(get_args(Table))}")
        if not self.low <= self.high:
            raise InvalidInputError("low", self.low, f"at most high = {self.high}")

    @property
    def count(self) -> int:
        """How many registers it takes."""
        return width(self.number)

    def is_missing(self, raw: float) -> bool:
        """Return whether a raw number means that there is no value."""
        return isnan(raw) or raw in (_NOT_THERE[self.number] if self.missing is None else self.missing)


def check_place(name: str, address: int, number: str, word_order: str) -> None:
    """Refuse a place that no register can have."""
    if number not in _FORMATS:
        raise InvalidInputError(f"{name}.number", number, f"one of {', '.join(_FORMATS)}")
    if word_order not in get_args(WordOrder):
        raise InvalidInputError(f"{name}.word_order", word_order, f"one of {', '.join(get_args(WordOrder))}")
    last = LAST_ADDRESS + 1 - struct.calcsize(_FORMATS[number]) // 2
    if not 0 <= address <= last:
        raise InvalidInputError(f"{name}.address", address, f"0 to {last}; the manual's 40001 is 0")


@dataclass(frozen=True, slots=True)
class Block:
    """Registers that one request reads."""

    table: Table
    address: int
    count: int
    registers: tuple[Register, ...]


def blocks(registers: Iterable[Register], *, gap: int = 0) -> tuple[Block, ...]:
    """Return the fewest requests that read every register, in order of address.

    Parameters
    ----------
    gap : int
        How many registers that nobody asked for may be read along [registers], 0 or more. Many devices refuse a
        request that touches an address they do not have, so it is 0 unless their manual allows more.
    """
    if gap < 0:
        raise InvalidInputError("gap", gap, "0 or more registers")
    made: list[Block] = []
    for register in sorted(registers, key=lambda one: (one.table, one.address, one.count)):
        end = register.address + register.count
        if made:
            last = made[-1]
            joined = max(end, last.address + last.count) - last.address
            near = register.address - (last.address + last.count) <= gap
            if last.table == register.table and near and joined <= MOST_READ:
                made[-1] = Block(last.table, last.address, joined, (*last.registers, register))
                continue
        made.append(Block(register.table, register.address, register.count, (register,)))
    return tuple(made)
