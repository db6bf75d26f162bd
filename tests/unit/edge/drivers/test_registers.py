from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymodbus.client.mixin import ModbusClientMixin

from vpp.core.errors import InvalidInputError
from vpp.edge.drivers.registers import MOST_READ, Number, Register, blocks, pack, unpack, width


def at(address: int, *, table: Any = "holding", number: Number = "int16") -> Register:
    return Register(asset_id="a", metric=f"m{address}", address=address, table=table, number=number)


@pytest.mark.parametrize(
    ("number", "value", "words"),
    [
        ("int16", -1.0, [0xFFFF]),
        ("int16", 32_767.0, [0x7FFF]),
        ("int16", -32_768.0, [0x8000]),
        ("uint16", 65_535.0, [0xFFFF]),
        ("int32", -2.0, [0xFFFF, 0xFFFE]),
        ("uint32", 65_538.0, [1, 2]),
        ("float32", 1.5, [0x3FC0, 0x0000]),
    ],
)
def test_known_registers_in_both_word_orders(number: Number, value: float, words: list[int]) -> None:
    assert pack(value, number, "big") == words
    assert unpack(words, number, "big") == value
    assert pack(value, number, "little") == words[::-1]
    assert unpack(words[::-1], number, "little") == value
    assert width(number) == len(words)


@given(
    st.sampled_from(["int16", "uint16", "int32", "uint32", "float32"]),
    st.sampled_from(["big", "little"]),
    st.data(),
)
def test_registers_mean_what_pymodbus_says_they_mean(number: Number, order: Any, data: st.DataObject) -> None:
    words = data.draw(st.lists(st.integers(0, 0xFFFF), min_size=width(number), max_size=width(number)))
    kind = ModbusClientMixin.DATATYPE[number.upper()]
    theirs = ModbusClientMixin.convert_from_registers(words, kind, word_order=order)
    assert isinstance(theirs, int | float)
    ours = unpack(words, number, order)
    assert ours == theirs or (ours != ours and theirs != theirs)
    if ours == ours:
        assert unpack(pack(ours, number, order), number, order) == ours


@pytest.mark.parametrize(
    ("number", "value"),
    [("int16", 32_768.0), ("int16", -32_769.0), ("uint16", -1.0), ("uint32", 2.0**32), ("int16", float("nan")),
     ("int16", float("inf")), ("float32", 1e39)],
)  # fmt: skip
def test_what_a_register_cannot_hold_is_refused(number: Number, value: float) -> None:
    with pytest.raises(InvalidInputError, match=f"a register of type {number} can hold"):
        pack(value, number, "big")


@pytest.mark.parametrize(
    ("number", "words", "missing"),
    [
        ("int16", [0x8000], True),
        ("int16", [0x7FFF], False),
        ("uint16", [0xFFFF], True),
        ("uint16", [0x8000], False),
        ("int32", [0x8000, 0], True),
        ("uint32", [0xFFFF, 0xFFFF], True),
        ("float32", [0x7FC0, 0], True),
        ("float32", [0, 0], False),
    ],
)
def test_each_type_has_a_number_that_means_no_value(number: Number, words: list[int], missing: bool) -> None:
    assert at(0, number=number).is_missing(unpack(words, number, "big")) is missing


def test_a_map_may_name_its_own_numbers_for_no_value() -> None:
    register = Register(asset_id="a", metric="m", address=0, number="int16", missing=(9999,))
    assert register.is_missing(9999.0)
    assert not register.is_missing(-32_768.0)


@pytest.mark.parametrize(
    ("registers", "gap", "expected"),
    [
        ([at(0), at(1), at(2)], 0, [(0, 3)]),
        ([at(2), at(0)], 0, [(0, 1), (2, 1)]),
        ([at(2), at(0)], 1, [(0, 3)]),
        ([at(0, number="int32"), at(2)], 0, [(0, 3)]),
        ([at(0, number="int32"), at(1)], 0, [(0, 2)]),
        ([at(0), at(MOST_READ - 1)], MOST_READ, [(0, MOST_READ)]),
        ([at(0), at(MOST_READ)], MOST_READ, [(0, 1), (MOST_READ, 1)]),
        ([at(0), at(1, table="input")], 5, [(0, 1), (1, 1)]),
        ([], 0, []),
    ],
)
def test_neighbours_are_read_by_one_request(
    registers: list[Register], gap: int, expected: list[tuple[int, int]]
) -> None:
    made = blocks(registers, gap=gap)
    assert [(block.address, block.count) for block in made] == expected


@given(st.sets(st.integers(0, 600), max_size=60), st.integers(0, 30))
def test_every_register_stands_in_one_block_that_covers_it(addresses: set[int], gap: int) -> None:
    registers = [at(address, number="int32" if address % 3 == 0 else "int16") for address in addresses]
    made = blocks(registers, gap=gap)
    assert sorted(one.address for block in made for one in block.registers) == sorted(addresses)
    for block in made:
        assert 1 <= block.count <= MOST_READ
        for one in block.registers:
            assert block.address <= one.address
            assert one.address + one.count <= block.address + block.count


@pytest.mark.parametrize(
    "fields",
    [
        {"address": -1},
        {"address": 65_536},
        {"address": 65_535, "number": "int32"},
        {"number": "int8"},
        {"word_order": "middle"},
        {"table": "coil"},
        {"low": 1.0, "high": 0.0},
    ],
)
def test_a_register_that_cannot_be_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError):
        Register(**({"asset_id": "a", "metric": "m", "address": 0} | fields))
