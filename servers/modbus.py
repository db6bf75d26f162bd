"""A Modbus server by pymodbus in a thread of this process: registers that a test reads, writes and breaks."""

from __future__ import annotations

import asyncio
import os
import pty
import select
import tty
from collections.abc import Mapping
from threading import Event, Thread
from typing import Self

from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusSerialServer, ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from servers.process import free_port

QUIET_S = 0.05
READ_FUNCTIONS = (1, 2, 3, 4)


class ModbusServer:
    """One unit whose registers are ``registers``; the others it does not have. A context manager.

    Parameters
    ----------
    registers : mapping of int to int
        What stands where at first, 0 to 65535 each.
    on_serial : str
        Serial port that it serves by RTU; TCP on a free port when left out.

    Attributes
    ----------
    registers : dict of int to int
        What stands there now; a test may change it.
    frozen : set of int
        Addresses that take a write and keep what they held.
    refusing : dict of int to int
        Addresses that answer with a Modbus exception code.
    delay_s : float
        How long every answer takes [s].
    requests : list of (int, int, int)
        Function, address and count of every request so far.
    """

    def __init__(self, registers: Mapping[int, int], *, on_serial: str = "") -> None:
        self.registers = dict(registers)
        self.frozen: set[int] = set()
        self.refusing: dict[int, int] = {}
        self.delay_s = 0.0
        self.requests: list[tuple[int, int, int]] = []
        self.port = 0 if on_serial else free_port()
        self._on_serial = on_serial
        self._ready = Event()
        self._loop = asyncio.new_event_loop()
        self._server: ModbusTcpServer | ModbusSerialServer | None = None
        self._thread = Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Start it (again, on the same port) and return when it listens."""
        if self._thread.ident is not None:
            self._loop = asyncio.new_event_loop()
            self._ready = Event()
            self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._ready.wait(10.0)

    def stop(self) -> None:
        """Stop it and drop its connections; twice does no harm."""
        if self._server is not None:
            asyncio.run_coroutine_threadsafe(self._server.shutdown(), self._loop).result(10.0)
            self._server = None
            self._thread.join(10.0)

    def __enter__(self) -> Self:
        """Start it."""
        self.start()
        return self

    def __exit__(self, *fault: object) -> None:
        """Stop it."""
        self.stop()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        blocks = [SimData(address, values=0, datatype=DataType.REGISTERS) for address in sorted(self.registers)]
        device = SimDevice(1, simdata=blocks, action=self._act)
        if self._on_serial:
            self._server = ModbusSerialServer(device, port=self._on_serial, baudrate=19_200)
        else:
            self._server = ModbusTcpServer(device, address=("127.0.0.1", self.port))
        await self._server.serve_forever(background=True)
        self._ready.set()
        await self._server.serving

    async def _act(
        self, function: int, start: int, address: int, count: int, held: list[int], given: list[int] | list[bool] | None
    ) -> ExcCodes | None:
        self.requests.append((function, address, count))
        await asyncio.sleep(self.delay_s)
        asked = range(address, address + count)
        for one in asked:
            if one in self.refusing:
                return ExcCodes(self.refusing[one])
        if given is not None:
            for place, one in enumerate(asked):
                if one not in self.frozen:
                    self.registers[one] = int(given[place])
                given[place] = self.registers[one]
        for one in asked:
            held[one - start] = self.registers[one]
        return None


class SerialCable:
    """Two serial ports that are each other's far end, ``near`` and ``far``. A context manager."""

    def __init__(self) -> None:
        self._masters: list[int] = []
        self._ports: list[int] = []
        for _ in range(2):
            master, port = pty.openpty()
            tty.setraw(port)
            self._masters.append(master)
            self._ports.append(port)
        self.near, self.far = (os.ttyname(port) for port in self._ports)
        self._over = Event()
        self._thread = Thread(target=self._carry, daemon=True)

    def __enter__(self) -> Self:
        """Plug it in."""
        self._thread.start()
        return self

    def __exit__(self, *fault: object) -> None:
        """Pull it out."""
        self._over.set()
        self._thread.join(5.0)
        for one in (*self._masters, *self._ports):
            os.close(one)

    def _carry(self) -> None:
        while not self._over.is_set():
            for one in select.select(self._masters, [], [], QUIET_S)[0]:
                other = self._masters[1 - self._masters.index(one)]
                os.write(other, os.read(one, 1024))
