"""Processes under proof: started, watched for memory and open files, killed at any moment, started again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Self

HERE = Path(__file__).resolve().parent
VPP = [sys.executable, "-c", "from vpp.cli.main import run; run()"]
PATIENCE_S = 60.0

PLANT_HEAD = """
name: proof
timezone: Europe/Amsterdam
currency: EUR
prices:
  import: {price_per_kwh: 0.30}
  export: {price_per_kwh: 0.07}
sites:
"""
PLANT_SITE = """
  - id: site{number:02d}
    connection: {{import_max_kw: 500, export_max_kw: 500}}
    assets:
      - kind: battery
        id: site{number:02d}_battery
        capacity_kwh: 200
        power_kw: 100
        round_trip_efficiency: 0.9
        soc_min: 0.05
        soc_max: 0.95
        soc_initial: 0.5
"""


def write_plant(folder: Path, *, sites: int) -> Path:
    """Write a plant called ``proof`` with one battery at each site, as ``load.py`` sends them."""
    path = folder / "proof.yaml"
    path.write_text(PLANT_HEAD + "".join(PLANT_SITE.format(number=i) for i in range(sites)))
    return path


def wait_until(true: Callable[[], bool], what: str, *, patience_s: float = PATIENCE_S, every_s: float = 0.1) -> float:
    """Return the seconds until it was true; fail when it did not come to be."""
    begun = time.monotonic()
    while not true():
        assert time.monotonic() - begun < patience_s, f"not within {patience_s:g} s: {what}"
        time.sleep(every_s)
    return time.monotonic() - begun


class Worker:
    """One process with its log.

    Parameters
    ----------
    command : sequence of str
        What is started.
    log : Path
        Takes what it says; carried on at every start.
    """

    def __init__(self, command: Sequence[str], log: Path) -> None:
        self.command = list(command)
        self.log_path = log
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The process that runs, or ran last."""
        assert self._process is not None
        return self._process

    def start(self) -> int:
        """Start it, again after it ended; return how much it had said before."""
        said = len(self.log())
        environment = {**os.environ, "PYTHONUNBUFFERED": "1", "COLUMNS": "400", "OMP_NUM_THREADS": "1"}
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, env=environment
            )
        return said

    def ended(self) -> bool:
        """Tell whether it has ended."""
        return self.process.poll() is not None

    def log(self) -> str:
        """Return what it said since the first start."""
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def says(self, words: str, *, since: int = 0) -> bool:
        """Tell whether it said so; fail when it ended."""
        if words in self.log()[since:]:
            return True
        assert self.process.poll() is None, f"{self.command[-4:]} ended with {self.process.returncode}:\n{self.log()}"
        return False

    def kill(self) -> None:
        """End it as ``kill -9`` does."""
        self.process.kill()
        self.process.wait(PATIENCE_S)

    def pause(self) -> None:
        """Freeze it."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self.process.send_signal(signal.SIGCONT)

    def stop(self, *, patience_s: float = PATIENCE_S) -> int:
        """Ask it to end and return its exit code; fail when it does not."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
        return self.process.wait(patience_s)

    def wait(self, *, patience_s: float = PATIENCE_S) -> int:
        """Return its exit code once it has ended."""
        return self.process.wait(patience_s)

    def rss_bytes(self) -> int:
        """Return how much memory it holds."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        kib = next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:"))
        return int(kib) * 1024

    def open_files(self) -> int:
        """Return how many files and connections it holds open."""
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))

    def end(self) -> None:
        """Kill it when it runs; for the end of a test."""
        if self._process is not None and self._process.poll() is None:
            self.kill()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *fault: object) -> None:
        self.end()


@contextmanager
def load(url: str, journal: Path, *options: str) -> Iterator[Worker]:
    """Yield a connected producer that keeps a journal; see ``load.py``."""
    command = [sys.executable, str(HERE / "load.py"), url, str(journal), *options]
    with Worker(command, journal.with_suffix(".log")) as worker:
        wait_until(lambda: worker.says("started"), "the producer is connected")
        yield worker


def finish(producer: Worker) -> None:
    """Ask a producer to stop and fail unless everything it sent was acknowledged."""
    if producer.process.poll() is None:
        producer.process.terminate()
    assert producer.wait() == 0, producer.log()
