"""Modbus devices: a real server, and sockets that misbehave as real devices do."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Thread
from typing import Any

import pytest
from servers.modbus import ModbusServer, SerialCable
from servers.process import free_port

from vpp.core.errors import InvalidInputError
from vpp.core.messages import POWER_KW, SOC
from vpp.core.time import parse_time
from vpp.edge.driver import Driver, DriverError
from vpp.edge.drivers.conversion import Conversion
from vpp.edge.drivers.modbus import ModbusDevice, ModbusDriver, SetPoint
from vpp.edge.drivers.modbus_line import ModbusAddress
from vpp.edge.drivers.registers import Register

NOW = parse_time("2026-06-01T12:00:07.9Z")
FROM_GRID = Conversion("W", positive="from_grid")


def register(address: int, metric: str = POWER_KW, **fields: Any) -> Register:
    return Register(asset_id="battery", metric=metric, address=address, **fields)


def driver(port: int, *registers: Register, timeout_s: float = 1.0, **fields: Any) -> ModbusDriver:
    address = ModbusAddress(host="127.0.0.1", port=port, timeout_s=timeout_s)
    return ModbusDriver("plant", ModbusDevice(name="inverter", address=address, registers=registers, **fields))


def measured(one: ModbusDriver) -> dict[str, float]:
    readings = one.poll(NOW)
    return {} if readings is None else {row.key.metric: round(row.value, 9) for row in readings.rows()}


def test_what_a_device_holds_is_read_in_the_houses_units_and_signs() -> None:
    held = {0: 0xFFFF - 1499, 1: 555, 10: 0x0001, 11: 0x86A0, 20: 0x4048, 21: 0xF5C3}
    with ModbusServer(held) as server:
        one = driver(
            server.port,
            register(0, conversion=FROM_GRID),
            register(1, SOC, number="uint16", conversion=Conversion("percent", scale=0.1)),
            register(10, "energy_import_kwh", number="uint32", conversion=Conversion("Wh")),
            register(20, "current_a", number="float32", conversion=Conversion("plain")),
        )
        assert isinstance(one, Driver)
        assert measured(one) == {POWER_KW: 1.5, SOC: 0.555, "energy_import_kwh": 100.0, "current_a": 3.140000105}
        assert server.requests == [(3, 0, 2), (3, 10, 2), (3, 20, 2)]
        readings = one.poll(NOW)
        assert readings is not None
        assert {row.time for row in readings.rows()} == {parse_time("2026-06-01T12:00:07Z")}
        assert {row.key.source for row in readings.rows()} == {"battery"}
        one.close()


@pytest.mark.parametrize(
    ("raw", "positive", "power_kw"),
    [
        (2000, "toward_grid", 2.0),
        (-2000, "toward_grid", -2.0),
        (2000, "from_grid", -2.0),
        (-2000, "from_grid", 2.0),
        (0, "from_grid", 0.0),
        (32_767, "toward_grid", 32.767),
        (-32_767, "toward_grid", -32.767),
    ],
)
def test_both_directions_there_and_back(raw: int, positive: Any, power_kw: float) -> None:
    conversion = Conversion("W", positive=positive)
    point = SetPoint(asset_id="battery", address=5, conversion=conversion)
    with ModbusServer({0: raw % 0x10000, 5: 0}) as server:
        one = driver(server.port, register(0, conversion=conversion), set_points=(point,))
        assert measured(one) == {POWER_KW: power_kw}
        one.apply("battery", power_kw)
        assert server.registers[5] == raw % 0x10000
        one.close()


def test_a_missing_value_is_silent_and_an_impossible_one_is_counted() -> None:
    with ModbusServer({0: 0x8000, 1: 2000}) as server:
        one = driver(server.port, register(0), register(1, SOC, conversion=Conversion("percent", 0.1), low=0, high=1))
        assert one.poll(NOW) is None
        assert (one.health().healthy, one.health().errors) == (True, 1)
        assert "battery/soc: got 2 (raw 2000 at 1), expected 0 to 1" in one.health().message
        one.close()


def test_a_set_point_is_written_then_read_back_then_enabled() -> None:
    point = SetPoint(asset_id="battery", address=5, number="int32", conversion=FROM_GRID, enable_address=7)
    with ModbusServer({0: 0, 5: 0, 6: 0, 7: 0}) as server:
        one = driver(server.port, register(0), set_points=(point,))
        assert one.controllable == ("battery",)
        one.apply("battery", -2.5)
        assert [server.registers[at] for at in (5, 6, 7)] == [0, 2500, 1]
        assert server.requests == [(16, 5, 2), (3, 5, 2), (16, 7, 1)]
        one.close()


def test_a_set_point_that_is_not_kept_is_never_enabled() -> None:
    point = SetPoint(asset_id="battery", address=5, conversion=Conversion("W"), enable_address=7)
    with ModbusServer({0: 0, 5: 100, 7: 0}) as server:
        server.frozen.add(5)
        one = driver(server.port, register(0), set_points=(point,))
        with pytest.raises(DriverError, match=r"wrote 2 kW and read back 0.1 kW"):
            one.apply("battery", 2.0)
        assert server.registers[7] == 0
        assert not one.health().healthy
        one.poll(NOW)
        assert one.health().healthy
        one.close()


@pytest.mark.parametrize(
    ("asset", "power_kw", "message"),
    [
        ("battery", 5.1, "got 5.1 kW, expected -5 to 5 kW"),
        ("battery", float("nan"), "got nan kW"),
        ("pump", 1.0, "takes no set-point here; those that do: battery"),
    ],
)
def test_what_must_not_be_sent_is_not_sent(asset: str, power_kw: float, message: str) -> None:
    point = SetPoint(asset_id="battery", address=5, conversion=Conversion("W"), low_kw=-5.0, high_kw=5.0)
    with ModbusServer({0: 0, 5: 0}) as server:
        one = driver(server.port, register(0), set_points=(point,))
        with pytest.raises(DriverError, match=message):
            one.apply(asset, power_kw)
        assert server.requests == []
        one.close()


def test_a_power_that_the_register_cannot_hold_is_refused() -> None:
    one = driver(1, register(0), set_points=(SetPoint(asset_id="battery", address=5, conversion=Conversion("W")),))
    with pytest.raises(DriverError, match=r"40 kW: value: got 40000.0, expected what a register of type int16"):
        one.apply("battery", 40.0)


def test_a_single_register_may_be_written_by_function_6() -> None:
    point = SetPoint(asset_id="battery", address=5, conversion=Conversion("W"), single=True, read_back=False)
    with ModbusServer({0: 0, 5: 0}) as server:
        one = driver(server.port, register(0), set_points=(point,))
        one.apply("battery", 1.0)
        assert {function for function, _, _ in server.requests} == {6}
        assert server.registers[5] == 1000
        one.close()


def test_every_poll_counts_the_watchdog_up() -> None:
    with ModbusServer({0: 0, 9: 77}) as server:
        one = driver(server.port, register(0), watchdog_address=9)
        seen = []
        for _ in range(3):
            one.poll(NOW)
            seen.append(server.registers[9])
        assert seen == [0, 1, 2]
        one.close()


def test_an_exception_says_what_it_means_and_keeps_the_connection() -> None:
    with ModbusServer({0: 1}) as server:
        one = driver(server.port, register(0))
        server.refusing[0] = 4
        with pytest.raises(DriverError, match=r"inverter: holding registers 0 to 0: .*exception 4: it failed inside"):
            one.poll(NOW)
        server.refusing.clear()
        assert measured(one) == {POWER_KW: 1.0}
        assert (one.health().healthy, one.health().errors) == (True, 1)
        one.close()
        other = driver(server.port, register(40_001))
        with pytest.raises(DriverError, match="it has no such register; check the address, which counts from 0"):
            other.poll(NOW)
        other.close()


def test_a_lost_device_is_tried_again_later_and_not_before() -> None:
    with ModbusServer({0: 7}) as server:
        one = driver(server.port, register(0), timeout_s=0.2)
        assert measured(one) == {POWER_KW: 7.0}
        server.stop()
        with pytest.raises(DriverError):
            one.poll(NOW)
        began = time.monotonic()
        with pytest.raises(DriverError, match="not tried for another 0"):
            one.poll(NOW)
        assert time.monotonic() - began < 0.05
        assert one.health().errors == 1
        server.start()
        time.sleep(0.25)
        assert measured(one) == {POWER_KW: 7.0}
        assert one.health().healthy
        one.close()


@contextmanager
def bad_device(behave: Callable[[socket.socket, bytes], None]) -> Iterator[int]:
    """Listen, and do with every request what ``behave`` does."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection, suppress(OSError):
                        while asked := connection.recv(300):
                            behave(connection, asked)

        thread = Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
    thread.join(5.0)


def answer(asked: bytes, body: bytes, *, length: int | None = None, transaction: bytes | None = None) -> bytes:
    frame = asked[6:7] + body
    size = len(frame) if length is None else length
    return (transaction or asked[:2]) + b"\0\0" + size.to_bytes(2, "big") + frame


def silence(connection: socket.socket, asked: bytes) -> None:
    return


def trickle(connection: socket.socket, asked: bytes) -> None:
    for byte in answer(asked, b"\x03\x02\x00\x01"):
        connection.sendall(bytes([byte]))
        time.sleep(0.1)


def endless_noise(connection: socket.socket, asked: bytes) -> None:
    while True:
        connection.sendall(b"\xaa" * 7)
        time.sleep(0.01)


def hang_up(connection: socket.socket, asked: bytes) -> None:
    connection.shutdown(socket.SHUT_RDWR)


def too_few(connection: socket.socket, asked: bytes) -> None:
    connection.sendall(answer(asked, b"\x03\x02\x00\x01"))


def too_many(connection: socket.socket, asked: bytes) -> None:
    connection.sendall(answer(asked, b"\x03\x06" + b"\0\1" * 3))


def lying_length(connection: socket.socket, asked: bytes) -> None:
    connection.sendall(answer(asked, b"\x03\x04" + b"\0\1" * 2, length=200))


def byte_count_lies(connection: socket.socket, asked: bytes) -> None:
    connection.sendall(answer(asked, b"\x03\xff\x00\x01"))


def other_function(connection: socket.socket, asked: bytes) -> None:
    connection.sendall(answer(asked, b"\x05\x00\x01\xff\x00"))


def other_question(connection: socket.socket, asked: bytes) -> None:
    connection.sendall(answer(asked, b"\x03\x04" + b"\0\1" * 2, transaction=b"\x77\x77"))


def web_server(connection: socket.socket, asked: bytes) -> None:
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


@pytest.mark.parametrize(
    "behave",
    [silence, trickle, endless_noise, hang_up, too_few, too_many, lying_length, byte_count_lies, other_function,
     other_question, web_server],
)  # fmt: skip
def test_whatever_a_device_answers_a_poll_ends_in_time_with_an_error(
    behave: Callable[[socket.socket, bytes], None],
) -> None:
    with bad_device(behave) as port:
        one = driver(port, register(0), register(1, SOC), register(50, "x"), timeout_s=0.5)
        began = time.monotonic()
        with pytest.raises(DriverError) as caught:
            one.poll(NOW)
        assert time.monotonic() - began < 0.5 + 0.4
        assert caught.value.device == "inverter"
        assert not one.health().healthy
        one.close()


def test_nobody_there() -> None:
    with pytest.raises(DriverError, match="does not answer; check address, cable and firewall"):
        driver(free_port(), register(0), timeout_s=0.3).open()


@pytest.mark.parametrize(
    ("kind", "fields", "message"),
    [
        (ModbusAddress, {}, "a host for Modbus TCP, or else a serial port"),
        (ModbusAddress, {"host": "a", "serial": "/dev/x"}, "a host for Modbus TCP, or else a serial port"),
        (ModbusAddress, {"host": "a", "port": 0}, "1 to 65535"),
        (ModbusAddress, {"host": "a", "unit_id": 256}, "0 to 255"),
        (ModbusAddress, {"host": "a", "timeout_s": 0.0}, "above 0"),
        (SetPoint, {"asset_id": "a", "address": 0, "low_kw": 2.0, "high_kw": 1.0}, "at most high_kw"),
        (SetPoint, {"asset_id": "a", "address": 0, "enable_value": 70_000}, "0 to 65535"),
        (ModbusDevice, {"registers": (register(0), register(1))}, "each series and each asset once"),
        (ModbusDevice, {"registers": (), "watchdog_address": 65_536}, "0 to 65535"),
    ],
)
def test_settings_that_cannot_be_are_refused(kind: Any, fields: dict[str, Any], message: str) -> None:
    if kind is ModbusDevice:
        fields = {"name": "x", "address": ModbusAddress(host="a")} | fields
    with pytest.raises(InvalidInputError, match=message):
        kind(**fields)


def test_a_device_on_a_serial_line() -> None:
    point = SetPoint(asset_id="battery", address=5, conversion=FROM_GRID)
    with SerialCable() as cable, ModbusServer({0: 1500, 5: 0}, on_serial=cable.far) as server:
        address = ModbusAddress(serial=cable.near, baud_rate=19_200, timeout_s=2.0)
        device = ModbusDevice(
            name="meter", address=address, registers=(register(0, conversion=FROM_GRID),), set_points=(point,)
        )
        one = ModbusDriver("plant", device)
        assert measured(one) == {POWER_KW: -1.5}
        one.apply("battery", -2.5)
        assert server.registers[5] == 2500
        server.refusing[0] = 2
        with pytest.raises(DriverError, match="it has no such register"):
            one.poll(NOW)
        server.refusing.clear()
        assert measured(one) == {POWER_KW: -1.5}
        one.close()


def test_a_silent_serial_line_is_given_up_in_time() -> None:
    with SerialCable() as cable:
        address = ModbusAddress(serial=cable.near, timeout_s=0.3)
        one = ModbusDriver("plant", ModbusDevice(name="meter", address=address, registers=(register(0),)))
        began = time.monotonic()
        with pytest.raises(DriverError, match=r"no (usable )?answer"):
            one.poll(NOW)
        assert time.monotonic() - began < 0.3 + 0.4
        one.close()


def test_a_serial_port_that_is_not_there_is_a_driver_error() -> None:
    address = ModbusAddress(serial="/dev/does-not-exist", timeout_s=0.2)
    one = ModbusDriver("plant", ModbusDevice(name="meter", address=address, registers=(register(0),)))
    with pytest.raises(DriverError, match="meter: connection: /dev/does-not-exist unit 1 does not answer"):
        one.open()
