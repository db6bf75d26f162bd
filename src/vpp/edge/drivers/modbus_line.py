"""A line to one Modbus device, over TCP or a serial port: requests with one deadline, and back-off after a failure.

Invariant: what happens between ``begin`` and the next ``begin`` takes no longer than ``timeout_s``, whatever the device
does: silence, a trickle of bytes, an answer to another question. After any of these the connection is made anew, so a
late answer is never taken for the next one.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import Any, Literal

from vpp.core.errors import InvalidInputError
from vpp.core.extras import require
from vpp.edge.driver import DriverHealth
from vpp.edge.drivers.link import Link
from vpp.edge.drivers.registers import Table

_client: Any = require("pymodbus.client", extra="edge")
_ModbusError: Any = require("pymodbus.exceptions", extra="edge").ModbusException

# The library prints what the errors raised here already say.
logging.getLogger("pymodbus").addHandler(logging.NullHandler())

Parity = Literal["N", "E", "O"]
_EXCEPTIONS = {
    1: "it does not know this function",
    2: "it has no such register; check the address, which counts from 0",
    3: "it refuses the value or the number of registers",
    4: "it failed inside",
    6: "it is busy",
    11: "the gateway in front of it got no answer; check unit_id",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ModbusAddress:
    """Where a device is.

    Parameters
    ----------
    host, port : str, int
        For Modbus TCP.
    serial : str
        Serial port for Modbus RTU, e.g. ``/dev/ttyUSB0``; then ``host`` is empty.
    baud_rate, parity, stop_bits : int, {"N", "E", "O"}, int
        Of the serial port.
    unit_id : int
        Unit on the line, 0 to 255.
    timeout_s : float
        Longest that a poll or a command waits for the device in all [s], above 0.
    """

    host: str = ""
    port: int = 502
    serial: str = ""
    baud_rate: int = 9600
    parity: Parity = "N"
    stop_bits: int = 1
    unit_id: int = 1
    timeout_s: float = 3.0

    def __post_init__(self) -> None:
        """Check every field."""
        if bool(self.host) == bool(self.serial):
            raise InvalidInputError("host", self.host, "a host for Modbus TCP, or else a serial port for RTU")
        if not 0 < self.port <= 0xFFFF:
            raise InvalidInputError("port", self.port, "1 to 65535")
        if not 0 <= self.unit_id <= 0xFF:
            raise InvalidInputError("unit_id", self.unit_id, "0 to 255")
        if not self.timeout_s > 0.0:
            raise InvalidInputError("timeout_s", self.timeout_s, "above 0 [s]")

    def __str__(self) -> str:
        """Return the address in a few words."""
        return f"{self.serial or f'{self.host}:{self.port}'} unit {self.unit_id}"


class ModbusLine:
    """Reads and writes registers of one device.

    Parameters
    ----------
    device : str
        Its name in the settings.
    address : ModbusAddress
        Where it is.
    """

    def __init__(self, device: str, address: ModbusAddress) -> None:
        self.address = address
        self.link = Link(device, first_s=min(1.0, address.timeout_s))
        self._client: Any = None
        self._deadline = 0.0
        self._allowed_s = 0.0

    def begin(self, *, timeouts: float = 1.0) -> None:
        """Start an exchange: connect when needed, and set the deadline of all that follows.

        Parameters
        ----------
        timeouts : float
            How many times ``timeout_s`` it may take; above 1 only for what is done once, such as a discovery.

        Raises
        ------
        DriverError
            When it cannot be reached, or it is too early to try again.
        """
        self._allowed_s = timeouts * self.address.timeout_s
        self._deadline = time.monotonic() + self._allowed_s
        if self._client is not None:
            return
        self.link.require_due()
        client = self._new_client()
        if not client.connect():
            raise self.link.lost("connection", f"{self.address} does not answer; check address, cable and firewall")
        self._client = client

    def read(self, table: Table, address: int, count: int) -> list[int]:
        """Return registers, each 0 to 65535.

        Raises
        ------
        DriverError
            When the device does not answer in time, refuses, or answers with another number of registers.
        """
        what = f"{table} registers {address} to {address + count - 1}"
        function = "read_holding_registers" if table == "holding" else "read_input_registers"
        answer = self._ask(what, function, address=address, count=count)
        registers = [int(register) for register in answer.registers]
        if len(registers) != count:
            raise self._lost(what, f"answered {len(registers)} registers, expected {count}")
        return registers

    def write(self, address: int, registers: list[int], *, single: bool = False) -> None:
        """Write holding registers; ``single`` writes one by function 6 instead of 16.

        Raises
        ------
        DriverError
            When the device does not answer in time or refuses.
        """
        what = f"holding registers {address} to {address + len(registers) - 1}"
        if single and len(registers) == 1:
            self._ask(what, "write_register", address=address, value=registers[0])
        else:
            self._ask(what, "write_registers", address=address, values=registers)

    def end(self) -> None:
        """Note that the exchange went well."""
        self.link.answered()

    def health(self) -> DriverHealth:
        """Return how the device is."""
        return self.link.health()

    def close(self) -> None:
        """Disconnect; twice does no harm."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _new_client(self) -> Any:
        where, timeout_s = self.address, self.address.timeout_s
        if where.serial:
            return _client.ModbusSerialClient(
                where.serial,
                baudrate=where.baud_rate,
                parity=where.parity,
                stopbits=where.stop_bits,
                timeout=timeout_s,
                retries=0,
            )
        return _client.ModbusTcpClient(where.host, port=where.port, timeout=timeout_s, retries=0)

    def _ask(self, what: str, function: str, **asked: Any) -> Any:
        left_s = self._deadline - time.monotonic()
        if self._client is None or left_s <= 0.0:
            raise self._lost(what, f"no answer within {self._allowed_s:g} s")
        # The library waits for the first byte and then again for the rest, each time as long as it is told.
        once_s = min(left_s, self.address.timeout_s) / 2.0
        self._client.comm_params.timeout_connect = once_s
        self._client.transaction.comm_params.timeout_connect = once_s
        try:
            answer = getattr(self._client, function)(device_id=self.address.unit_id, **asked)
        except (_ModbusError, OSError, ValueError, IndexError, KeyError) as fault:
            # a frame that breaks off or lies about its length surfaces as any of these
            raise self._lost(what, f"no usable answer from {self.address}: {fault}") from fault
        if answer.isError():
            code = getattr(answer, "exception_code", 0)
            why = _EXCEPTIONS.get(code, "its manual says what that means")
            raise self.link.refused(what, f"the device answered exception {code}: {why}")
        return answer

    def _lost(self, what: str, why: str) -> Exception:
        self.close()
        return self.link.lost(what, why)
