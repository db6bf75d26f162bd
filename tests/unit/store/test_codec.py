"""Messages come back from bytes as they went in."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from vpp.core.errors import InvalidInputError, NaiveTimeError, StoreError
from vpp.core.messages import Ack, AckStatus, Conflict, PlanStatus, ReasonCode, Schedule
from vpp.core.time import TimeGrid, from_epoch_s
from vpp.store.codec import (
    check_ack,
    check_command,
    decode_fields,
    decode_schedule,
    encode_fields,
    encode_schedule,
    from_us,
    pack,
    to_us,
    unpack,
)
from vpp.testing import samples
from vpp.testing.equality import difference

times = st.integers(-(10**15), 10**16).map(from_us)
words = st.text(max_size=12)
numbers = st.floats()


@given(times)
def test_times_keep_their_microseconds(moment: datetime) -> None:
    assert from_us(to_us(moment)) == moment


def test_times_of_any_zone_are_the_same_moment() -> None:
    local = datetime(2020, 1, 1, 2, tzinfo=timezone(timedelta(hours=2)))
    assert from_us(to_us(local)) == local
    with pytest.raises(NaiveTimeError):
        to_us(local.replace(tzinfo=None))


@settings(max_examples=50)
@given(
    st.lists(
        st.one_of(
            hnp.arrays(np.float64, hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=4), elements=numbers),
            hnp.arrays(np.int64, hnp.array_shapes(min_dims=1, max_dims=2, min_side=0, max_side=4)),
        ),
        max_size=3,
    ),
    st.dictionaries(words, st.one_of(numbers, words, st.none(), st.booleans(), st.integers())),
)
def test_arrays_and_headers_come_back(arrays: list[np.ndarray], header: dict[str, object]) -> None:
    back_header, back = unpack(pack(header, arrays))
    assert difference(back_header, header) is None
    assert [column.tobytes() for column in back] == [np.ascontiguousarray(array).tobytes() for array in arrays]
    assert [column.shape for column in back] == [array.shape for array in arrays]
    assert all(column.flags.writeable for column in back)


@st.composite
def schedules(draw: st.DrawFn, *, nested: bool = True) -> Schedule:
    steps, assets, sites = draw(st.integers(0, 4)), draw(st.integers(0, 3)), draw(st.integers(0, 2))

    def floats(columns: int) -> np.ndarray:
        return draw(hnp.arrays(np.float64, (steps, columns), elements=numbers))

    return Schedule(
        plant=draw(words),
        issued_at=draw(times),
        grid=TimeGrid(from_epoch_s(draw(st.integers(0, 10**9))), 900, steps),
        status=draw(st.sampled_from(PlanStatus)),
        objective=draw(st.none() | numbers),
        parts=draw(st.dictionaries(words, numbers)),
        asset_ids=tuple(f"a{i}" for i in range(assets)),
        site_ids=tuple(f"s{i}" for i in range(sites)),
        asset_site=(0,) * assets,
        power_kw=floats(assets),
        soc=floats(assets),
        import_kw=floats(sites),
        export_kw=floats(sites),
        curtailed_kw=floats(sites),
        marginal_value_per_kwh=floats(assets),
        energy_price_per_kwh=floats(sites),
        code=draw(hnp.arrays(np.int64, (steps, assets), elements=st.sampled_from([int(c) for c in ReasonCode]))),
        limit=draw(hnp.arrays(object, (steps, assets), elements=words)),
        method=draw(words),
        message=draw(words),
        solve_time_s=draw(numbers),
        conflicts=tuple(draw(st.lists(st.builds(Conflict, words, times, numbers, words), max_size=2))),
        least_violation=draw(st.none() | schedules(nested=False)) if nested else None,
    )


@given(schedules())
def test_schedules_come_back(schedule: Schedule) -> None:
    assert difference(decode_schedule(encode_schedule(schedule)), schedule) is None


def test_numpy_numbers_in_a_schedule_are_plain_after() -> None:
    schedule = replace(samples.schedule(), objective=np.float64(0.1), parts={"energy_cost": np.float32(0.5)})
    back = decode_schedule(encode_schedule(schedule))
    assert (back.objective, back.parts) == (0.1, {"energy_cost": 0.5})


@pytest.mark.parametrize("payload", [b"", b"not compressed", pack({}, [])[:-3]])
def test_damaged_bytes_are_an_error(payload: bytes) -> None:
    with pytest.raises(StoreError, match="cannot be read"):
        unpack(payload)


@given(st.dictionaries(words, st.recursive(st.none() | numbers | words, lambda inner: st.lists(inner, max_size=3))))
def test_facts_come_back(facts: dict[str, object]) -> None:
    assert difference(decode_fields(encode_fields(facts)), facts) is None


def test_facts_that_are_no_json_are_refused() -> None:
    with pytest.raises(InvalidInputError, match=r"event\.fields"):
        encode_fields({"when": datetime(2020, 1, 1, tzinfo=UTC)})
    assert encode_fields({"count": np.int64(3)}) == '{"count": 3}'


@pytest.mark.parametrize("power_kw", [float("nan"), float("inf"), -float("inf")])
def test_powers_that_no_database_keeps_are_refused(power_kw: float) -> None:
    with pytest.raises(InvalidInputError, match=r"command\.power_kw"):
        check_command(replace(samples.commands()[0], power_kw=power_kw))
    with pytest.raises(InvalidInputError, match=r"ack\.power_kw"):
        check_ack(replace(samples.acks()[0], power_kw=power_kw))
    check_ack(Ack("c1", "homes", "a", samples.START, AckStatus.EXECUTED, None))
