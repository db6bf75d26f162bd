"""The contract of ``vpp.core.ports.Store``, to be run against any store.

Invariant: the checks know only the port. What they expect is stated in messages or computed by a slow and obvious
reference beside them.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from vpp.core.errors import InvalidInputError, VppError
from vpp.core.messages import DAY_AHEAD, MEMBER, Readings, SeriesKey
from vpp.core.ports import Store
from vpp.core.time import TimeGrid
from vpp.testing import samples
from vpp.testing.promises import expect, refuses
from vpp.testing.store_intake import INTAKE_CHECKS

Check = Callable[[Store], None]

PLANT = samples.PLANT
OTHER_PLANT = "another"
START = samples.START
KEYS = (SeriesKey("home01", "power_kw"), SeriesKey("home01-battery", "soc"))
HOUR = timedelta(hours=1)


def check_store(make_store: Callable[[], Store]) -> None:
    """Run the whole contract, each part on a store of its own.

    Parameters
    ----------
    make_store : callable
        Returns a new and empty store; it is closed after use.

    Raises
    ------
    AssertionError
        When the store breaks a promise of the port; the message says which.

    Examples
    --------
    >>> from vpp.store.memory import MemoryStore
    >>> check_store(MemoryStore)
    """
    for check in CHECKS:
        store = make_store()
        try:
            check(store)
        finally:
            store.close()


def quarter_hours(values: NDArray[np.float64], *, plant: str = PLANT, arrived_s: int | None = None) -> Readings:
    """Return readings of the first key by the quarter-hour from ``START``, each arriving when its step has ended."""
    times_s = TimeGrid(START, 900, values.size).times_s
    arrived = times_s + 900 if arrived_s is None else arrived_s
    return Readings.from_table(plant, KEYS[:1], times_s, values.reshape(-1, 1), arrived_s=arrived)


def empty_plant_is_empty(store: Store) -> None:
    """Check that a plant of which nothing was kept answers with nothing, not with an error."""
    grid = TimeGrid(START, 900, 4)
    expect(store.series(PLANT, KEYS, grid).value, np.full((4, 2), np.nan), "an unknown series is NaN")
    expect(store.series(PLANT, (), grid).value, np.empty((4, 0)), "no series asked for, none given")
    expect(len(store.readings(PLANT, KEYS, START, grid.end)), 0, "no reading of an unknown series")
    expect(store.latest(PLANT), None, "latest of an empty plant")
    expect(store.span(PLANT), None, "span of an empty plant")
    expect(store.forecasts(PLANT), [], "forecasts of an empty plant")
    expect(store.champions(PLANT), [], "champions of an empty plant")
    expect(store.scores(PLANT, KEYS[0], START, grid.end), [], "scores of an empty plant")
    expect(store.schedule(PLANT), None, "schedule of an empty plant")
    expect(store.commands(PLANT, START, grid.end), [], "commands of an empty plant")
    expect(store.acks(PLANT, START, grid.end), [], "acks of an empty plant")
    expect(store.awards(PLANT, START, grid.end), [], "awards of an empty plant")
    expect(store.events(PLANT), [], "events of an empty plant")


def readings_come_back(store: Store) -> None:
    """Check that readings come back value by value, with their times and flags."""
    written = samples.readings()
    expect(store.write_readings(written), len(written), "all rows are new")
    back = store.readings(PLANT, written.keys, START, START + 30 * HOUR)
    expect(back, written, "readings come back exactly")
    first = store.readings(PLANT, written.keys, START, START + 30 * HOUR, most=3)
    expect(list(first.rows()), list(written.rows())[:3], "the oldest come first when there are more than asked for")
    middle = store.readings(PLANT, written.keys, START + HOUR, START + 2 * HOUR)
    expect(bool((middle.time_s >= 3600 + int(START.timestamp())).all()), True, "the range begins at its start")
    expect(store.span(PLANT), (START, START + 23 * HOUR), "span is the first and last step start")


def same_reading_again_is_not_new(store: Store) -> None:
    """Check that the same rows again change nothing, whole or in part."""
    written = samples.readings()
    store.write_readings(written)
    expect(store.write_readings(written), 0, "the same rows again are not new")
    more = Readings.of([*list(written.rows())[:5], *(list(samples.readings(first_hour=24).rows())[:2])])
    expect(store.write_readings(more), 2, "of a mixed batch only the new rows count")
    twice = Readings.of([row for row in samples.readings(first_hour=48).rows() for _ in range(2)])
    expect(store.write_readings(twice), len(twice) // 2, "a row that stands twice in a batch is one row")
    expect(len(store.readings(PLANT, written.keys, START, START + 24 * HOUR)), len(written), "no row came twice")


def revisions_are_kept(store: Store) -> None:
    """Check that a later arrival wins and that what was known before stays known as it was."""
    grid = TimeGrid(START, 900, 4)
    start_s = grid.start_s
    first = np.array([1.0, 2.0, 3.0, 4.0])
    store.write_readings(quarter_hours(first))
    late = np.array([np.nan, 20.0, np.nan, np.nan])
    expect(store.write_readings(quarter_hours(late, arrived_s=start_s + 86_400)), 1, "a revision is a new row")

    def known(hours: float) -> list[float]:
        column: list[float] = store.series(PLANT, KEYS[:1], grid, known_at=START + hours * HOUR).value[:, 0].tolist()
        return column

    expect(store.series(PLANT, KEYS[:1], grid).value[:, 0].tolist(), [1.0, 20.0, 3.0, 4.0], "the last to arrive wins")
    expect(known(2), [1.0, 2.0, 3.0, 4.0], "before it arrived, a revision is not known")
    expect(known(24), [1.0, 20.0, 3.0, 4.0], "a revision is known from its arrival on")
    expect(known(0.5), [1.0, 2.0, np.nan, np.nan], "a reading is known from its arrival on")
    earlier = np.array([np.nan, 7.0, np.nan, np.nan])
    store.write_readings(quarter_hours(earlier, arrived_s=start_s + 7200))
    expect(known(24), [1.0, 20.0, 3.0, 4.0], "a row that arrived earlier does not win by being written later")
    expect(known(2), [1.0, 7.0, 3.0, 4.0], "but it is what was known then")
    again = np.array([np.nan, 30.0, np.nan, np.nan])
    store.write_readings(quarter_hours(again, arrived_s=start_s + 86_400))
    expect(known(24), [1.0, 30.0, 3.0, 4.0], "of two that arrived in one second the last written wins")
    rows = store.readings(PLANT, KEYS[:1], START, grid.end, known_at=START + 3 * HOUR)
    expect(rows.value.tolist(), [1.0, 7.0, 3.0, 4.0], "single readings follow the same rule")


def order_of_writing_does_not_matter(store: Store) -> None:
    """Check that late and shuffled rows give the same answers as rows in order."""
    rng = np.random.default_rng(3)
    values = rng.normal(size=200)
    rows = list(quarter_hours(values).rows())
    for chunk in np.array_split(rng.permutation(len(rows)), 17):
        store.write_readings(Readings.of([rows[int(i)] for i in chunk]))
    grid = TimeGrid(START, 900, 200)
    expect(store.series(PLANT, KEYS[:1], grid).value[:, 0], values, "shuffled rows stand in their places")
    known_at = START + 50 * 900 * timedelta(seconds=1)
    seen = np.where(np.arange(200) < 50, values, np.nan)
    expect(store.series(PLANT, KEYS[:1], grid, known_at=known_at).value[:, 0], seen, "only what had arrived is known")
    expect(store.span(PLANT), (grid.start, grid.time(199)), "span after shuffled writes")


def down_sampling_keeps_the_mean(store: Store) -> None:
    """Check that on a coarser grid a step is the mean of its readings, as an obvious loop computes it."""
    rng = np.random.default_rng(5)
    values = rng.normal(size=96)
    values[rng.integers(0, 96, size=20)] = np.nan
    values[8:12] = np.nan
    written = quarter_hours(values)
    store.write_readings(written)
    for resolution_s in (900, 1800, 3600, 10_800, 86_400):
        grid = TimeGrid(START, resolution_s, 86_400 // resolution_s)
        got = store.series(PLANT, KEYS[:1], grid).value[:, 0]
        np.testing.assert_allclose(got, _slow_means(written, grid), rtol=1e-12, equal_nan=True)
    exact = store.series(PLANT, KEYS[:1], TimeGrid(START, 3600, 24), reading_s=900).value[:, 0]
    whole = np.array([chunk.mean() for chunk in values.reshape(24, 4)])
    np.testing.assert_allclose(exact, whole, rtol=1e-12, equal_nan=True)
    fine = store.series(PLANT, KEYS[:1], TimeGrid(START + 2 * HOUR, 300, 12), reading_s=900).value[:, 0]
    expect(fine, np.repeat(values[8:12], 3), "a finer grid repeats what a reading covers")
    odd = store.series(PLANT, KEYS[:1], TimeGrid(START + timedelta(minutes=5), 300, 3), reading_s=900).value[:, 0]
    expect(odd, np.array([values[0], values[0], values[1]]), "a reading that began before the grid still holds")


def latest_is_the_newest(store: Store) -> None:
    """Check that the newest value of each series is the one that holds last."""
    written = samples.readings()
    store.write_readings(written)
    latest = store.latest(PLANT)
    assert latest is not None
    want = [row for row in written.rows() if row.time == START + 23 * HOUR]
    expect(sorted(latest.rows(), key=lambda row: str(row.key)), sorted(want, key=lambda row: str(row.key)), "latest")
    before = store.latest(PLANT, known_at=START + 2 * HOUR)
    assert before is not None
    expect({row.time for row in before.rows()}, {START + HOUR}, "latest as known then")
    expect(store.latest(PLANT, known_at=START - HOUR), None, "nothing was known before")


def answers_are_copies(store: Store) -> None:
    """Check that who writes into an answer does not change what is kept."""
    values = np.array([0.0, 1.0, 2.0, 3.0])
    store.write_readings(quarter_hours(values))
    grid = TimeGrid(START, 900, 4)
    store.series(PLANT, KEYS[:1], grid).value[:] = 99.0
    store.readings(PLANT, KEYS[:1], START, grid.end).value[:] = 99.0
    latest = store.latest(PLANT)
    assert latest is not None
    latest.value[:] = 99.0
    expect(store.series(PLANT, KEYS[:1], grid).value[:, 0], values, "an answer is the reader's own")


def forecasts_come_back(store: Store) -> None:
    """Check that forecasts come back exactly: of each series the newest issued in time."""
    old, new, other = samples.forecasts()
    store.write_forecasts([old, other])
    store.write_forecasts([new])
    expect(store.forecasts(PLANT), [new, other], "the newest forecast of every series")
    expect(store.forecasts(PLANT, issued_by=old.issued_at), [old, other], "as issued by then")
    expect(store.forecasts(PLANT, issued_by=old.issued_at - HOUR), [], "none was issued before")


def products_are_kept_apart(store: Store) -> None:
    """Check that forecasts of one product never answer for another, and that all issued ones are found again."""
    old, new, other = samples.forecasts()
    store.write_forecasts([old, other])
    store.write_forecasts([new], product=DAY_AHEAD)
    expect(store.forecasts(PLANT), [old, other], "the newest of what serves")
    expect(store.forecasts(PLANT, product=DAY_AHEAD), [new], "the newest of the other product")
    store.write_forecasts([new])
    end = new.issued_at + HOUR
    expect(store.issued(PLANT, old.key, START, end), [old, new], "all issued, oldest first")
    expect(store.issued(PLANT, old.key, START, new.issued_at), [old], "the range excludes its end")
    expect(store.issued(PLANT, old.key, START, end, model="lightgbm"), [new], "of one model")
    expect(store.issued(PLANT, old.key, START, end, product=DAY_AHEAD), [new], "of one product")
    expect(store.issued(PLANT, SeriesKey("unknown", "power_kw"), START, end), [], "an unknown series has none")


def scores_come_back(store: Store) -> None:
    """Check that scores come back exactly, by product and range, and that a second one replaces the first."""
    first, second, member = samples.scores()
    store.write_scores([second, member])
    store.write_scores([first])
    expect(store.scores(PLANT, first.key, START, START + HOUR), [first, second], "scores by issue")
    expect(store.scores(PLANT, first.key, START, second.issued_at), [first], "the range excludes its end")
    expect(store.scores(PLANT, first.key, START, START + HOUR, product=MEMBER), [member], "of one product")
    again = type(first)(**{**samples.as_fields(first), "mae": 7.0})
    store.write_scores([again])
    expect(store.scores(PLANT, first.key, START, START + HOUR), [again, second], "the last written counts")
    lost = type(first)(**{**samples.as_fields(first), "pinball": float("nan")})
    refuses(lambda: store.write_scores([lost]), InvalidInputError, "a score that is not a number")


def champions_come_back(store: Store) -> None:
    """Check that champions come back exactly: of each series the newest decided in time."""
    old, new, other = samples.champions()
    store.write_champions([old, other])
    store.write_champions([new])
    expect(store.champions(PLANT), [new, other], "the newest champion of every series")
    expect(store.champions(PLANT, decided_by=old.decided_at), [old, other], "as decided by then")
    expect(store.champions(PLANT, decided_by=old.decided_at - HOUR), [], "none was decided before")
    later = type(new)(**{**samples.as_fields(new), "artefact": "c.model"})
    store.write_champions([later])
    expect(store.champions(PLANT), [later, other], "of one moment, the last written")


def schedules_come_back(store: Store) -> None:
    """Check that schedules come back exactly, with reasons, conflicts and the plan of least violation."""
    first, second = samples.schedule(), samples.infeasible_schedule()
    store.write_schedule(first)
    store.write_schedule(second)
    expect(store.schedule(PLANT), second, "the newest schedule")
    expect(store.schedule(PLANT, issued_by=first.issued_at), first, "the newest schedule issued by then")
    expect(store.schedule(PLANT, issued_by=first.issued_at - HOUR), None, "none was issued before")


def commands_and_acks_come_back(store: Store) -> None:
    """Check that commands and answers come back exactly, once, in order of time."""
    commands, acks = samples.commands(), samples.acks()
    store.write_commands(commands)
    store.write_commands(commands[:1])
    expect(store.commands(PLANT, START, START + 9 * HOUR), commands, "commands come back once")
    expect(store.commands(PLANT, START + HOUR, START + 2 * HOUR), commands[1:2], "the range excludes its end")
    other = type(commands[0])(**{**samples.as_fields(commands[0]), "power_kw": 99.0})
    refuses(lambda: store.write_commands([other]), InvalidInputError, "another command under a used id")
    store.write_acks(acks)
    store.write_acks(acks)
    expect(store.acks(PLANT, START, START + 9 * HOUR), acks, "answers come back once")
    expect(store.acks(PLANT, acks[1].at, acks[2].at), acks[1:2], "the range excludes its end")


def awards_and_events_come_back(store: Store) -> None:
    """Check that awards and events come back exactly."""
    award, events = samples.award(), samples.events()
    store.write_award(award)
    expect(store.awards(PLANT, START, START + HOUR), [award], "awards come back")
    expect(store.awards(PLANT, START + HOUR, START + 2 * HOUR), [], "by the beginning of delivery")
    store.write_events(events)
    expect(store.events(PLANT), events[::-1], "events come back, newest first")
    expect(store.events(PLANT, most=1), events[-1:], "at most as many as asked for")


def plants_are_walled_off(store: Store) -> None:
    """Check that nothing of one plant is in the answer for another."""
    store.write_readings(samples.readings())
    store.write_forecasts(samples.forecasts())
    store.write_scores(samples.scores())
    store.write_champions(samples.champions())
    store.write_schedule(samples.schedule())
    store.write_commands(samples.commands())
    store.write_acks(samples.acks())
    store.write_award(samples.award())
    store.write_events(samples.events())
    store.write_readings(quarter_hours(np.array([5.0]), plant=OTHER_PLANT))
    end = START + 48 * HOUR
    expect(store.span(OTHER_PLANT), (START, START), "span of the other plant")
    latest = store.latest(OTHER_PLANT)
    assert latest is not None
    expect((latest.plant, latest.value.tolist()), (OTHER_PLANT, [5.0]), "latest of the other plant")
    soc = store.series(OTHER_PLANT, KEYS[1:], TimeGrid(START, 3600, 2)).value
    expect(soc, np.full((2, 1), np.nan), "series of the other plant")
    answers = (
        store.forecasts(OTHER_PLANT),
        store.issued(OTHER_PLANT, KEYS[0], START, end),
        store.scores(OTHER_PLANT, KEYS[0], START, end),
        store.champions(OTHER_PLANT),
        store.commands(OTHER_PLANT, START, end),
        store.acks(OTHER_PLANT, START, end),
        store.awards(OTHER_PLANT, START, end),
        store.events(OTHER_PLANT),
    )
    expect(answers, ([], [], [], [], [], [], [], []), "messages of the other plant")
    expect(store.schedule(OTHER_PLANT), None, "schedule of the other plant")
    store.write_commands([type(c)(**{**samples.as_fields(c), "plant": OTHER_PLANT}) for c in samples.commands()])
    expect(len(store.commands(OTHER_PLANT, START, end)), len(samples.commands()), "ids are unique within a plant only")


def naive_times_are_refused(store: Store) -> None:
    """Check that a time without a zone is an error, and that a closed store says so."""
    naive = datetime(2020, 1, 1)  # noqa: DTZ001, that is the point
    grid = TimeGrid(START, 900, 1)
    refuses(lambda: store.series(PLANT, KEYS, grid, known_at=naive), InvalidInputError, "a naive known_at")
    refuses(lambda: store.commands(PLANT, naive, START), InvalidInputError, "a naive start")
    refuses(lambda: store.schedule(PLANT, issued_by=naive), InvalidInputError, "a naive issued_by")
    store.close()
    store.close()
    refuses(lambda: store.latest(PLANT), VppError, "reading from a closed store")
    refuses(lambda: store.write_readings(samples.readings()), VppError, "writing to a closed store")


def _slow_means(written: Readings, grid: TimeGrid) -> NDArray[np.float64]:
    means = np.full(grid.count, np.nan)
    for i, start_s in enumerate(grid.times_s):
        inside = [
            value
            for time_s, value in zip(written.time_s, written.value, strict=True)
            if start_s <= time_s < start_s + grid.resolution_s
        ]
        if inside:
            means[i] = sum(inside) / len(inside)
    return means


CHECKS: tuple[Check, ...] = (
    empty_plant_is_empty,
    readings_come_back,
    same_reading_again_is_not_new,
    revisions_are_kept,
    order_of_writing_does_not_matter,
    down_sampling_keeps_the_mean,
    latest_is_the_newest,
    answers_are_copies,
    forecasts_come_back,
    products_are_kept_apart,
    scores_come_back,
    champions_come_back,
    schedules_come_back,
    commands_and_acks_come_back,
    awards_and_events_come_back,
    plants_are_walled_off,
    naive_times_are_refused,
    *INTAKE_CHECKS,
)
