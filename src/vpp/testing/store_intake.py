"""The contract of a store's intake: deliveries, refusals, aggregates and heartbeats.

Invariant: the checks know only the port, as those of ``vpp.testing.store``, which runs them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from vpp.core.errors import InvalidInputError
from vpp.core.messages import NO_ORIGIN, Delivery, Heartbeat, Intake, Origin, Readings, Refusal, SeriesKey
from vpp.core.ports import Store
from vpp.core.time import TimeGrid, from_epoch_s
from vpp.testing import samples
from vpp.testing.promises import expect, refuses

PLANT = samples.PLANT
OTHER_PLANT = "another"
START = samples.START
KEYS = (SeriesKey("home01", "power_kw"), SeriesKey("home01-battery", "soc"))
HOUR = timedelta(hours=1)
STEP_S = 900


def message(
    sequence: int, value: float | None = None, *, boot: str = "b1", source: str = "home01", late_s: int = 0
) -> tuple[Origin, Readings]:
    """Return one message with one reading of each key, which holds at the step of its sequence."""
    time_s = np.array([int(START.timestamp()) + STEP_S * sequence], dtype=np.int64)
    values = np.array([[float(sequence), 0.5]]) if value is None else np.array([[value, 0.5]])
    arrived_s = time_s + STEP_S + late_s
    return Origin(PLANT, source, boot, sequence), Readings.from_table(PLANT, KEYS, time_s, values, arrived_s=arrived_s)


def delivery(messages: Sequence[tuple[Origin, Readings]], *refused: Refusal) -> Delivery:
    """Return a delivery of messages of one plant."""
    rows = Readings.of([row for _, readings in messages for row in readings.rows()])
    index = np.repeat(np.arange(len(messages), dtype=np.int64), [len(readings) for _, readings in messages])
    return Delivery(tuple(origin for origin, _ in messages), (rows,), (index,), refused)


def refusal(number: int, *, plant: str = PLANT) -> Refusal:
    """Return something that was refused, at a time of its own."""
    payload = bytes([number, 0, 255]) + samples.ODD_WORDS.encode()
    return Refusal(plant, "home01", START + number * HOUR, "json", samples.ODD_WORDS, payload)


def values_at(store: Store, steps: int) -> list[float]:
    """Return the winning values of the first key over the first steps."""
    values: list[float] = store.series(PLANT, KEYS[:1], TimeGrid(START, STEP_S, steps)).value[:, 0].tolist()
    return values


def a_message_is_taken_once(store: Store) -> None:
    """Check that a message is kept once, however often and in whatever order it comes."""
    rng = np.random.default_rng(17)
    messages = [message(sequence) for sequence in range(60)]
    taken, copies, rows = set[int](), 0, 0
    for _ in range(12):
        chosen = rng.integers(0, 60, size=25).tolist()
        new = len(set(chosen) - taken)
        got = store.take(delivery([messages[i] for i in chosen]))
        expect(got, Intake(new, 25 - new, 2 * new, 0), "a message is new once, and a duplicate ever after")
        taken |= set(chosen)
        copies += 25 - new
        rows += got.rows
    rest = [i for i in range(60) if i not in taken]
    store.take(delivery([messages[i] for i in [*rest, *range(60)]]))
    expect(values_at(store, 60), [float(i) for i in range(60)], "every message stands in its place")
    kept = store.readings(PLANT, KEYS, START, START + 24 * HOUR)
    expect(len(kept), 120, "and nothing came twice")
    expect(store.take(Delivery()), Intake(0, 0, 0, 0), "an empty delivery changes nothing")


def a_restarted_counter_loses_nothing(store: Store) -> None:
    """Check that a source that counts from the beginning again, and another with the same numbers, are believed."""
    store.take(delivery([message(sequence) for sequence in range(5)]))
    again = [(Origin(PLANT, "home01", "b2", i), message(5 + i)[1]) for i in range(5)]
    expect(store.take(delivery(again)), Intake(5, 0, 10, 0), "a new boot counts from the beginning")
    other = [(Origin(PLANT, "home02", "b1", i), message(10 + i)[1]) for i in range(5)]
    expect(store.take(delivery(other)), Intake(5, 0, 10, 0), "another source has numbers of its own")
    expect(values_at(store, 15), [float(i) for i in range(15)], "nothing of the three was lost")
    foreign = replace(message(0)[1], plant=OTHER_PLANT)
    one = Delivery((Origin(OTHER_PLANT, "home01", "b1", 0),), (foreign,), (np.zeros(2, dtype=np.int64),))
    expect(store.take(one), Intake(1, 0, 2, 0), "another plant has numbers of its own")


def a_copy_is_no_revision(store: Store) -> None:
    """Check that a copy that arrives later changes nothing, and that a later value of its own message does."""
    store.take(delivery([message(0), message(1)]))
    copy = message(1, late_s=7200)
    expect(store.take(delivery([copy])), Intake(0, 1, 0, 0), "a copy under a later arrival is a copy")
    rows = store.readings(PLANT, KEYS[:1], START, START + HOUR)
    expect(rows.arrived_s.tolist()[1], int(START.timestamp()) + 2 * STEP_S, "the first arrival stands")
    revised = (Origin(PLANT, "home01", "b1", 2), message(1, 30.0, late_s=7200)[1])
    expect(store.take(delivery([revised])), Intake(1, 0, 2, 0), "a later value comes in a message of its own")
    expect(values_at(store, 2), [0.0, 30.0], "the last to arrive wins")
    known = store.series(PLANT, KEYS[:1], TimeGrid(START, STEP_S, 2), known_at=START + HOUR).value[:, 0]
    expect(known.tolist(), [0.0, 1.0], "what was known before stays as it was")
    twice = delivery([message(5, 5.0), message(5, 50.0), message(6)])
    expect(store.take(twice), Intake(2, 1, 4, 0), "of a message that stands twice in a delivery the first counts")
    expect(values_at(store, 6)[5], 5.0, "and its values are the first one's")


def rows_of_no_message_are_kept(store: Store) -> None:
    """Check that readings that carry no sequence are kept as ``write_readings`` keeps them."""
    origin, numbered = message(0)
    bare = message(1)[1]
    rows = Readings.of([*numbered.rows(), *bare.rows()])
    mixed = Delivery((origin,), (rows,), (np.array([0, 0, NO_ORIGIN, NO_ORIGIN]),))
    expect(store.take(mixed), Intake(1, 0, 4, 0), "numbered rows and bare ones")
    expect(store.take(mixed), Intake(0, 1, 0, 0), "the same again")
    alone = Delivery((), (message(2)[1],), (np.full(2, NO_ORIGIN),))
    expect(store.take(alone), Intake(0, 0, 2, 0), "bare rows alone")
    expect(store.take(Delivery((origin,))), Intake(0, 1, 0, 0), "a message without rows is a message")
    expect(values_at(store, 3), [0.0, 1.0, 2.0], "all of them stand in their places")


def refusals_are_kept_once(store: Store) -> None:
    """Check that what was refused is kept once, comes back exactly, newest first, and by plant."""
    first, second, foreign = refusal(1), refusal(2), refusal(3, plant=OTHER_PLANT)
    expect(store.take(delivery([message(0)], second, first, second)), Intake(1, 0, 2, 2), "two of three were new")
    later = replace(first, arrived_at=START + 9 * HOUR)
    expect(store.take(Delivery(refusals=(later, foreign))), Intake(0, 0, 0, 1), "delivered again it is the same one")
    expect(store.refusals(), [foreign, second, first], "newest first, under their first arrival")
    expect(store.refusals(plant=PLANT), [second, first], "of one plant")
    expect(store.refusals(most=1), [foreign], "at most as many as asked for")
    counts = (store.refusal_count(), store.refusal_count(plant=PLANT), store.refusal_count(plant="unknown"))
    expect(counts, (3, 2, 0), "how many there are")


def a_delivery_is_kept_whole_or_not_at_all(store: Store) -> None:
    """Check that a delivery with a fault in it leaves nothing, and can be taken once the fault is mended."""
    naive = replace(refusal(1), arrived_at=datetime(2020, 1, 1))  # noqa: DTZ001, that is the point
    refuses(lambda: store.take(delivery([message(0)], naive)), InvalidInputError, "a refusal at a naive time")
    astray = replace(delivery([message(0)], refusal(1)), message=(np.array([0, 7]),))
    refuses(lambda: store.take(astray), InvalidInputError, "a row of a message that is not there")
    expect(store.readings(PLANT, KEYS, START, START + HOUR).value.tolist(), [], "no reading of it was kept")
    expect(store.refusal_count(), 0, "no refusal of it was kept")
    expect(store.take(delivery([message(0)], refusal(1))), Intake(1, 0, 2, 1), "its message is not taken for a copy")


def aggregates_are_those_of_the_winners(store: Store) -> None:
    """Check aggregates against a plain loop, under late, shuffled and revised rows and after each of them."""
    rng = np.random.default_rng(23)
    start_s = int(START.timestamp())
    span = (START, START + 48 * HOUR)
    for sequence in range(6):
        size = 150
        series = rng.integers(0, 2, size=size)
        # Every third batch lands on times already kept, which makes revisions of them.
        time_s = start_s + 20 * rng.integers(0, 8640, size=size) if sequence % 3 else start_s + 60 * np.arange(size)
        arrived_s = time_s + rng.integers(1, 100_000, size=size)
        values = np.round(rng.normal(size=size), 6)
        flags = np.zeros(size, dtype=np.int64)
        rows = Readings(PLANT, KEYS, series, time_s, arrived_s, arrived_s, values, flags)
        store.take(Delivery((Origin(PLANT, "home01", "b1", sequence),), (rows,), (np.zeros(size, dtype=np.int64),)))
        for bucket_s in (20, 60, 300, 900, 3600, 86_400, 172_800):
            end = span[1] if bucket_s < 172_800 else from_epoch_s(-(-int(span[1].timestamp()) // bucket_s) * bucket_s)
            start = from_epoch_s(start_s - start_s % bucket_s)
            _compare_buckets(store, start, end, bucket_s)
    nothing = store.aggregates(PLANT, [SeriesKey("unknown", "soc")], *span, bucket_s=3600)
    expect([one.time_s.size for one in nothing], [0], "an unknown series has no bucket")
    expect(store.aggregates(OTHER_PLANT, KEYS[:1], *span, bucket_s=3600)[0].count.size, 0, "nor has another plant")
    for bucket_s in (0, -60, 7, 61, 420, 90_000):
        refuses(lambda b=bucket_s: store.aggregates(PLANT, KEYS, *span, bucket_s=b), InvalidInputError, "odd buckets")  # type: ignore[misc]
    half = START + timedelta(seconds=30)
    refuses(lambda: store.aggregates(PLANT, KEYS, half, span[1], bucket_s=60), InvalidInputError, "a bucket cut in two")


def heartbeats_replace_one_another(store: Store) -> None:
    """Check that the last heartbeat of each service comes back, by name."""
    expect(store.heartbeats(), [], "none was told")
    old = Heartbeat("ingest-2", START, {"readings": 1.0})
    new = Heartbeat("ingest-2", START + timedelta(microseconds=1), {"readings": 2.0, "lag_s": 0.1 + 0.2})
    other = Heartbeat("ingest-1", START + HOUR, {samples.ODD_WORDS: -1e-300})
    for heartbeat in (old, other, new):
        store.write_heartbeat(heartbeat)
    expect(store.heartbeats(), [other, new], "the last of each service, by name")
    naive = replace(new, at=datetime(2020, 1, 1))  # noqa: DTZ001, that is the point
    refuses(lambda: store.write_heartbeat(naive), InvalidInputError, "a heartbeat at a naive time")


def _compare_buckets(store: Store, start: datetime, end: datetime, bucket_s: int) -> None:
    winners = store.readings(PLANT, KEYS, start, end)
    for i, got in enumerate(store.aggregates(PLANT, KEYS, start, end, bucket_s=bucket_s)):
        of_key = winners.series == i
        want = _slow_buckets(winners.time_s[of_key], winners.value[of_key], bucket_s)
        promise = f"buckets of {bucket_s} s of {KEYS[i]}"
        expect((got.key, got.bucket_s), (KEYS[i], bucket_s), promise)
        expect(got.time_s.tolist(), list(want), promise)
        expect(got.count.tolist(), [len(values) for values in want.values()], promise)
        # A sum of numbers of both signs is as exact as the numbers that went into it.
        size = np.array([sum(map(abs, values)) for values in want.values()])
        totals = np.array([sum(values) for values in want.values()])
        assert np.all(np.abs(got.total - totals) <= 1e-9 * size), promise
        expect(got.low.tolist(), [min(values) for values in want.values()], promise)
        expect(got.high.tolist(), [max(values) for values in want.values()], promise)


def _slow_buckets(time_s: NDArray[np.int64], value: NDArray[np.float64], bucket_s: int) -> dict[int, list[float]]:
    buckets: dict[int, list[float]] = {}
    for at, one in zip(time_s.tolist(), value.tolist(), strict=True):
        buckets.setdefault(at - at % bucket_s, []).append(one)
    return dict(sorted(buckets.items()))


INTAKE_CHECKS: tuple[Callable[[Store], None], ...] = (
    a_message_is_taken_once,
    a_restarted_counter_loses_nothing,
    a_copy_is_no_revision,
    rows_of_no_message_are_kept,
    refusals_are_kept_once,
    a_delivery_is_kept_whole_or_not_at_all,
    aggregates_are_those_of_the_winners,
    heartbeats_replace_one_another,
)
