"""A process that fills a gateway's buffer and says what counts, to be killed or cut off from its disk.

It prints ``ack N`` once round N is on the disk: two readings and one command; ``failed N`` when that was refused; and
at the end what the buffer says of itself. It never closes the buffer.

Run: python edge_writer.py PATH BOOT FIRST ROUNDS
"""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from vpp.core.errors import StoreError
from vpp.core.messages import POWER_KW, Command, Readings, SeriesKey
from vpp.edge.buffer import Buffer

PLANT = "homes"
START = datetime(2026, 11, 20, tzinfo=UTC)
PATIENCE_S = 20.0


class Still:
    def now(self) -> datetime:
        return START

    def sleep_until(self, moment: datetime) -> None:
        raise AssertionError(moment)


def value_of(node: str, at_s: int) -> float:
    return at_s + (0.25 if node == "a" else 0.75)


def record(buffer: Buffer, number: int) -> None:
    for node in ("a", "b"):
        values = np.array([[value_of(node, number)]])
        keys = (SeriesKey(f"{node}_load", POWER_KW),)
        buffer.record(node, Readings.from_table(PLANT, keys, np.array([number]), values, arrived_s=number))


def command(number: int) -> Command:
    return Command(f"c{number}", PLANT, "store", START, START, START + timedelta(hours=1), float(number))


def say(line: str) -> None:
    os.write(1, f"{line}\n".encode())


def main(path: str, boot: str, first: int, rounds: int) -> None:
    try:
        buffer = Buffer(Path(path), plant=PLANT, boot=boot, clock=Still(), ballast_bytes=65_536)
    except StoreError as fault:
        say(f"unopened {fault}")
        os._exit(3)
    say("open")
    for number in range(first, first + rounds):
        record(buffer, number)
        try:
            buffer.take([("a", command(number))], wait_s=PATIENCE_S)
        except StoreError as fault:
            say(f"failed {number} {fault}")
        else:
            say(f"ack {number}")
    for _ in range(200):
        counts = buffer.counts()
        if not counts.halted and not counts.shedding:
            break
        time.sleep(0.05)
    say(f"counts {json.dumps(asdict(buffer.counts()))}")
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
