"""Commands, answers, events and forecasts of any content come back from the SQLite store as they were."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from vpp.core.errors import InvalidInputError
from vpp.core.messages import Ack, AckStatus, Award, Command, Event, Forecast, Readings, SeriesKey, Severity
from vpp.core.time import TimeGrid, from_epoch_s
from vpp.store.codec import EPOCH, from_us
from vpp.store.sqlite import SqliteStore
from vpp.testing.equality import difference

BEGIN, END = EPOCH, EPOCH + timedelta(days=40_000)
times = st.integers(0, 3 * 10**15).map(from_us)
words = st.text(max_size=8)
powers = st.floats(allow_nan=False, allow_infinity=False)
starts = st.integers(0, 10**9).map(from_epoch_s)


@contextmanager
def new_store() -> Iterator[SqliteStore]:
    with tempfile.TemporaryDirectory() as folder, closing(SqliteStore(Path(folder) / "plant.db")) as store:
        yield store


@settings(max_examples=20)
@given(
    st.lists(
        st.builds(
            Command, words, st.just("p"), words, times, times, times, powers, st.none() | powers, st.none() | powers
        ),
        max_size=4,
        unique_by=lambda command: command.id,
    ),
    st.lists(
        st.builds(Ack, words, st.just("p"), words, times, st.sampled_from(AckStatus), st.none() | powers, words),
        max_size=4,
        unique=True,
    ),
)
def test_commands_and_answers_come_back(commands: list[Command], acks: list[Ack]) -> None:
    with new_store() as store:
        store.write_commands(commands)
        store.write_acks([*acks, *acks])
        assert store.commands("p", BEGIN, END) == sorted(commands, key=lambda command: command.start)
        assert store.acks("p", BEGIN, END) == sorted(acks, key=lambda ack: ack.at)


facts = st.dictionaries(words, st.recursive(st.floats() | st.integers() | words, lambda one: st.lists(one, max_size=2)))


@settings(max_examples=20)
@given(st.lists(st.builds(Event, st.just("p"), times, words, st.sampled_from(Severity), words, facts), max_size=4))
def test_events_come_back(events: list[Event]) -> None:
    with new_store() as store:
        store.write_events(events)
        want = sorted(events, key=lambda event: event.at)[::-1]
        got = store.events("p")
        # Of the same moment, the last written comes first.
        if len({event.at for event in events}) == len(events):
            assert difference(got, want) is None
        assert len(got) == len(events)


@st.composite
def forecasts(draw: st.DrawFn) -> Forecast:
    grid = TimeGrid(draw(starts), draw(st.sampled_from([300, 900, 3600])), draw(st.integers(0, 5)))
    levels = tuple(sorted(draw(st.sets(st.floats(0.01, 0.99), max_size=3))))
    shape = (len(levels), grid.count) if levels else (0, 0)
    value = draw(hnp.arrays(np.float64, (grid.count,)))
    quantiles = draw(hnp.arrays(np.float64, shape))
    key = SeriesKey(draw(words), draw(words))
    flags = tuple(draw(st.lists(words, max_size=2)))
    return Forecast("p", key, draw(times), grid, value, draw(words), levels, quantiles, flags)


@settings(max_examples=20)
@given(forecasts(), words)
def test_forecasts_and_awards_come_back(forecast: Forecast, name: str) -> None:
    award = Award(name, "p", name, forecast.grid, forecast.value, forecast.value)
    with new_store() as store:
        store.write_forecasts([forecast])
        store.write_award(award)
        assert difference(store.forecasts("p"), [forecast]) is None
        assert difference(store.awards("p", BEGIN, END), [award]) is None


def test_text_that_no_encoding_holds_is_refused() -> None:
    key = SeriesKey("\ud800", "power_kw")
    readings = Readings.from_table("p", (key,), np.array([0]), np.ones((1, 1)), arrived_s=0)
    with new_store() as store:
        with pytest.raises(InvalidInputError, match="surrogates"):
            store.write_readings(readings)
        with pytest.raises(InvalidInputError, match="surrogates"):
            store.latest("\ud800")
        assert store.latest("p") is None
