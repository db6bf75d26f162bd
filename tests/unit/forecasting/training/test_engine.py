from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest

from vpp.core.errors import InvalidInputError, UnknownNameError
from vpp.core.time import parse_duration_s
from vpp.forecasting.training.engine import PoolEngine, SerialEngine, engine_of


def test_in_this_process_tasks_come_in_order_and_stop_at_the_deadline() -> None:
    assert list(SerialEngine().map(abs, [-1, 2, -3])) == [1, 2, 3]
    assert list(SerialEngine().map(abs, [-1, 2], until=time.monotonic() - 1.0)) == []


def test_the_pool_does_the_same_in_other_processes_and_holds_few_tasks() -> None:
    taken = []

    def tasks() -> Iterator[int]:
        for number in range(8):
            taken.append(number)
            yield -number

    ahead = []
    found = []
    for result in PoolEngine(2).map(abs, tasks()):
        found.append(result)
        ahead.append(len(taken) - len(found))
    assert sorted(found) == list(range(8))
    assert max(ahead) <= 4


def test_the_pool_stops_what_runs_at_the_deadline() -> None:
    began = time.monotonic()
    assert list(PoolEngine(1).map(time.sleep, [60.0], until=began + 1.5)) == []
    assert time.monotonic() - began < 20.0


def test_a_fault_in_a_worker_comes_out_as_it_is() -> None:
    with pytest.raises(InvalidInputError, match="duration: got 'soon', expected a duration"):
        list(PoolEngine(1).map(parse_duration_s, ["soon"]))


def test_engines_by_name() -> None:
    assert isinstance(engine_of("serial"), SerialEngine)
    assert engine_of("pool") == PoolEngine(os.cpu_count() or 1)
    with pytest.raises(UnknownNameError, match="no training engine called 'rai'; did you mean: ray"):
        engine_of("rai")
    with pytest.raises(InvalidInputError, match="workers: got 0, expected 1 or more"):
        engine_of("pool", workers=0)
