"""Decision bundles: exact round trips, the same plan elsewhere, and a clear refusal of everything else."""

from __future__ import annotations

import hashlib
import json
import tracemalloc
import warnings
import zipfile
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import UTC, datetime
from enum import Enum

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from vpp.core.assets import HeatPump
from vpp.core.errors import InvalidInputError, UnknownNameError, UnreadableFileError
from vpp.core.messages.planned import PlanStatus, ReasonCode
from vpp.core.time import TimeGrid
from vpp.optimization import bundle as bundles
from vpp.optimization import bundle_archive
from vpp.optimization.bundle import BundleOptions, load_bundle, save_bundle
from vpp.optimization.bundle_codec import decode, encode
from vpp.optimization.explain import explain, explanations
from vpp.optimization.flexible import EvSession, HeatedHouse
from vpp.optimization.linear import LinearPlanner
from vpp.optimization.matrix import build
from vpp.optimization.modes import solve_exclusive
from vpp.optimization.reserve import Reserve
from vpp.optimization.rules import RulePlanner
from vpp.optimization.solver import Solver
from vpp.optimization.wear import WearCurve

OPTIONS = BundleOptions(planner="linear", time_limit_s=5.0, currency="EUR", timezone="Europe/Amsterdam")


def assert_equal(one, other, where="value"):
    """Compare two values field by field, NaN equal to NaN, types too."""
    if isinstance(one, np.ndarray):
        assert one.dtype == other.dtype, where
        np.testing.assert_array_equal(one, other, err_msg=where)
    elif is_dataclass(one):
        assert type(one) is type(other), where
        for field in fields(one):
            assert_equal(getattr(one, field.name), getattr(other, field.name), f"{where}.{field.name}")
    elif isinstance(one, tuple):
        assert len(one) == len(other), where
        for index, (mine, yours) in enumerate(zip(one, other, strict=True)):
            assert_equal(mine, yours, f"{where}[{index}]")
    else:
        assert one == other or (one != one and other != other), where


@pytest.fixture
def saved(problems, tmp_path):
    """A bundle of a day, with its problem and schedule."""
    problem = problems.problem(24, import_price_per_kwh=problems.DAY_PRICES, export_price_per_kwh=0.02, fixed_kw=-1.0)
    schedule = LinearPlanner().plan(problem)
    path = tmp_path / "day.vpp"
    return path, problem, schedule, save_bundle(path, problem, schedule, OPTIONS)


def members_of(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write_zip(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def resealed(members):
    """Return members with every hash made anew, as a patient forger would."""
    manifest = json.loads(members["manifest.json"])
    manifest["sha256"] = {
        name: hashlib.sha256(content).hexdigest() for name, content in members.items() if name != "manifest.json"
    }
    manifest["content_sha256"] = bundles._content_hash(manifest)
    return members | {"manifest.json": json.dumps(manifest).encode()}


@given(seed=st.integers(0, 100_000))
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_read_is_what_was_saved_and_plans_the_same(problems, tmp_path, seed):
    problem = problems.random_problem(seed, feed_in_above=seed % 3 == 0)
    schedule = LinearPlanner().plan(problem)
    path = tmp_path / "plan.vpp"
    written = save_bundle(path, problem, schedule, OPTIONS)
    found = load_bundle(path)
    assert_equal(found.problem, problem)
    assert_equal(found.schedule, schedule)
    assert (found.options, found.content_hash) == (OPTIONS, written)
    comparison = found.compare(found.resolve())
    assert comparison.same, comparison.words
    if schedule.objective is not None:
        assert abs(comparison.objective_difference) <= 1e-9 * max(1.0, abs(schedule.objective))
        assert comparison.largest_power_difference_kw <= 1e-9


def test_cars_houses_and_reserve_come_along(problems, tmp_path):
    outdoor = np.linspace(-5.0, 5.0, 4)
    house = HeatedHouse(
        heat_pump=HeatPump(id="hp", rated_kw=4.0), initial_temperature_c=20.5, outdoor_temperature_c=outdoor
    )
    problem = replace(
        problems.problem(4, import_price_per_kwh=[0.1, 0.4, 0.2, 0.3], export_price_per_kwh=0.0),
        ev_sessions=(
            EvSession(asset_id="car", arrival_step=0, departure_step=3, energy_needed_kwh=30.0, charge_max_kw=5.0),
        ),
        heated_houses=(house,),
        reserve=Reserve(sustain_h=1.0, up_price_per_kwh=np.full(4, 0.01)),
        wear_curves=(WearCurve(cost_per_kwh=(0.01, 0.03)),),
    )
    schedule = LinearPlanner().plan(problem)
    assert schedule.goals_missed
    save_bundle(tmp_path / "plan.vpp", problem, schedule, OPTIONS)
    found = load_bundle(tmp_path / "plan.vpp")
    assert_equal(found.problem, problem)
    assert_equal(found.schedule, schedule)
    assert found.compare(found.resolve()).same
    told = explanations(problem, schedule, "EUR")
    assert {one.asset_id for one in told} == {"battery0", "car", "hp"}
    assert all(one.words.endswith(".") for one in told)


@given(
    value=arrays.arrays(
        st.sampled_from([np.float64, np.float32, np.int64, np.int32, np.bool_]),
        arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
    )
)
def test_every_array_comes_back_to_the_bit(value):
    text = json.dumps(encode(Holder(value)), allow_nan=False)
    back = decode(json.loads(text), Holder).array
    assert back.dtype == value.dtype
    assert back.shape == value.shape
    assert np.where(value != value, 0, value).tobytes() == np.where(back != back, 0, back).tobytes()


class Colour(Enum):
    RED = 1


@dataclass(frozen=True)
class Holder:
    array: np.ndarray
    number: float | None = None
    time: datetime | None = None
    colour: Colour | None = None
    code: ReasonCode | None = None
    some: tuple[TimeGrid, ...] = ()


def test_other_values_come_back(problems):
    held = Holder(
        np.array(["soc_max", "none"], dtype=object),
        float("-inf"),
        datetime(2026, 3, 1, 12, 30, 5, 123_456, tzinfo=UTC),
        Colour.RED,
        ReasonCode.HOLD_FULL,
        (problems.problem().grid,),
    )
    assert_equal(decode(json.loads(json.dumps(encode(held))), Holder), held)


@pytest.mark.parametrize(
    ("value", "match"),
    [
        (Holder(np.array([1 + 2j])), r"value\.array: got 'complex128'"),
        (Holder(np.array([None], dtype=object)), "array of objects"),
        (Holder(np.zeros(1), number={1: 2}), "names as keys"),
        (Holder(np.zeros(1), number=(b"x",)), r"value\.number\[0\]: got 'bytes'"),
    ],
)
def test_what_no_file_can_give_back_is_refused(value, match):
    with pytest.raises(InvalidInputError, match=match):
        encode(value)


def grid_of(start, resolution_s):
    return {"is": "TimeGrid", "start": start, "resolution_s": resolution_s, "count": 1}


ARRAY = {"is": "array", "type": "float64", "shape": [2], "data": [1.0, 2.0]}


@pytest.mark.parametrize(
    ("document", "match"),
    [
        ({"is": "Holder", "array": ARRAY, "extra": 1}, "extra"),
        ({"is": "Holder"}, "array"),
        ({"is": "Path", "at": "/etc/passwd"}, "Path"),
        ({"is": "TimeGrid", "start": {"is": "time", "at": "2016-08-01T00:00:00Z"}, "resolution_s": 7, "count": 1}, "7"),
        (
            {"is": "TimeGrid", "start": {"is": "time", "at": "2016-08-01T00:00:00"}, "resolution_s": 60, "count": 1},
            "zone",
        ),
        ({"is": "TimeGrid", "start": {"is": "time"}, "resolution_s": 60, "count": 1}, "damaged time"),
        ({"is": "Holder", "array": ARRAY | {"shape": [3]}}, r"shape: got \[3\]"),
        ({"is": "Holder", "array": ARRAY | {"shape": [-2]}}, "whole numbers"),
        ({"is": "Holder", "array": ARRAY | {"shape": [1] * 64}}, "at most 8"),
        ({"is": "Holder", "array": ARRAY | {"shape": [2, 1]}}, "damaged array"),
        ({"is": "Holder", "array": ARRAY | {"type": "object"}}, "object"),
        ({"is": "Holder", "array": ARRAY | {"type": "int64"}}, "1.0"),
        ({"is": "Holder", "array": ARRAY | {"type": "text"}}, "words"),
        ({"is": "Holder", "array": ARRAY | {"data": [1.0, "x"]}}, "'x'"),
        ({"is": "Holder", "array": ARRAY, "colour": {"is": "Colour", "name": "BLUE"}}, "BLUE"),
        ([], "Holder"),
    ],
)
def test_documents_that_say_nothing_known_are_refused(document, match):
    with pytest.raises(InvalidInputError, match=match):
        decode(document, Holder)


def test_the_same_decision_gives_the_same_bytes(saved, tmp_path):
    path, problem, schedule, written = saved
    again = tmp_path / "again.vpp"
    assert save_bundle(again, problem, schedule, OPTIONS) == written
    assert again.read_bytes() == path.read_bytes()
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["again.vpp", "day.vpp"]


def test_it_can_be_read_by_eye(saved):
    members = members_of(saved[0])
    assert sorted(members) == ["manifest.json", "options.json", "problem.json", "result.json"]
    problem = json.loads(members["problem.json"])
    assert problem["import_price_per_kwh"]["data"][0] == [0.06]
    assert problem["import_max_kw"]["data"] == ["inf"]
    assert problem["committed_kw"]["data"][0] == [None]
    assert json.loads(members["options.json"]) == {
        "is": "BundleOptions", "planner": "linear", "time_limit_s": 5.0, "currency": "EUR",
        "timezone": "Europe/Amsterdam",
    }  # fmt: skip
    assert {"vpp", "highspy", "numpy", "python", "platform"} <= json.loads(members["manifest.json"])["versions"].keys()


@pytest.mark.parametrize("name", ["problem.json", "options.json", "result.json"])
def test_an_edited_member_is_seen(saved, name):
    path = saved[0]
    members = members_of(path)
    members[name] = members[name].replace(b"0", b"1", 1) if b"0" in members[name] else members[name] + b" "
    write_zip(path, members)
    with pytest.raises(UnreadableFileError, match=f"{name} is not what was saved"):
        load_bundle(path)


def test_an_edited_manifest_is_seen(saved):
    path = saved[0]
    members = members_of(path)
    members["manifest.json"] = members["manifest.json"].replace(b'"numpy": "', b'"numpy": "9')
    write_zip(path, members)
    with pytest.raises(UnreadableFileError, match=r"manifest\.json is not what was saved"):
        load_bundle(path)


def test_a_forged_bundle_loads_but_under_another_hash(saved):
    path, _, _, written = saved
    members = members_of(path)
    members["options.json"] = members["options.json"].replace(b"EUR", b"USD")
    write_zip(path, resealed(members))
    found = load_bundle(path)
    assert found.options.currency == "USD"
    assert found.content_hash != written


def test_a_newer_format_says_who_wrote_it(saved):
    path = saved[0]
    members = members_of(path)
    manifest = json.loads(members["manifest.json"]) | {"format": 2}
    manifest["versions"]["vpp"] = "9.0.0"
    write_zip(path, members | {"manifest.json": json.dumps(manifest).encode()})
    with pytest.raises(UnreadableFileError, match=r"format is 2, written by vpp 9\.0\.0; .* reads 1: upgrade vpp"):
        load_bundle(path)


def test_a_cut_file_is_damaged_wherever_it_is_cut(saved):
    path = saved[0]
    content = path.read_bytes()
    for end in (0, 10, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:end])
        with pytest.raises(UnreadableFileError, match="damaged or cut short"):
            load_bundle(path)


def test_no_flipped_byte_goes_unseen_or_raises_something_else(saved):
    path, problem, schedule, written = saved
    content = path.read_bytes()
    rng = np.random.default_rng(1)
    for place in rng.integers(0, len(content), 150):
        flipped = bytearray(content)
        flipped[place] ^= 1 << int(rng.integers(0, 8))
        path.write_bytes(bytes(flipped))
        try:
            found = load_bundle(path)
        except UnreadableFileError:
            continue
        # what a zip says beside its members (dates, attributes) carries no meaning
        assert found.content_hash == written
        assert_equal(found.problem, problem)
        assert_equal(found.schedule, schedule)


@pytest.mark.parametrize("name", ["../evil.json", "/etc/passwd", "problem.json/..", "extra.json", "C:\\x"])
def test_members_that_no_bundle_has_are_refused(saved, name, tmp_path):
    path = saved[0]
    write_zip(path, members_of(path) | {name: b"{}"})
    with pytest.raises(UnreadableFileError, match="not a decision bundle"):
        load_bundle(path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["day.vpp"]


def test_a_member_twice_or_missing_is_refused(saved):
    path = saved[0]
    members = members_of(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr("problem.json", b"{}")
    with pytest.raises(UnreadableFileError, match="not a decision bundle"):
        load_bundle(path)
    del members["options.json"]
    write_zip(path, members)
    with pytest.raises(UnreadableFileError, match=r"it holds 'manifest\.json', 'problem\.json', 'result\.json'"):
        load_bundle(path)


def test_a_zip_bomb_is_refused_before_it_is_unpacked(saved, monkeypatch):
    path = saved[0]
    members = members_of(path)
    write_zip(path, members | {"options.json": b" " * (bundle_archive.MOST_FACTS_BYTES + 1)})
    with pytest.raises(UnreadableFileError, match="unpacks to more than"):
        load_bundle(path)
    monkeypatch.setattr(bundle_archive, "MOST_BYTES", 10_000)
    write_zip(path, members | {"problem.json": b" " * 20_000})
    with pytest.raises(UnreadableFileError, match="unpacks to more than"):
        load_bundle(path)


def test_a_member_that_understates_its_size_is_never_held_in_full(saved):
    path = saved[0]
    size = 64 * 1024**2 + 123_457
    write_zip(path, members_of(path) | {"options.json": b" " * size})
    content = path.read_bytes()
    assert content.count(size.to_bytes(4, "little")) == 2
    path.write_bytes(content.replace(size.to_bytes(4, "little"), (500).to_bytes(4, "little")))
    tracemalloc.start()
    try:
        with pytest.raises(UnreadableFileError, match="CRC"):
            load_bundle(path)
        assert tracemalloc.get_traced_memory()[1] < 4 * 1024**2
    finally:
        tracemalloc.stop()


def test_what_could_not_be_read_again_is_not_written(saved, monkeypatch, tmp_path):
    _, problem, schedule, _ = saved
    monkeypatch.setattr(bundle_archive, "MOST_BYTES", 100)
    with pytest.raises(InvalidInputError, match="at most 100 bytes"):
        save_bundle(tmp_path / "large.vpp", problem, schedule, OPTIONS)
    assert not (tmp_path / "large.vpp").exists()


@pytest.mark.parametrize(
    ("member", "content", "match"),
    [
        ("problem.json", b"not json", r"problem\.json is no JSON"),
        ("problem.json", b"[1]", r"problem\.json holds no object"),
        ("problem.json", b"[" * 100_000, r"problem\.json is no JSON"),
        ("problem.json", b'{"is": "PlanProblem"}', r"problem\.json holds no PlanProblem"),
        ("options.json", b'{"is": "BundleOptions", "time_limit_s": -1.0}', "above 0"),
        ("options.json", b'{"is": "BundleOptions", "timezone": "Mars"}', "Mars"),
        ("options.json", b'{"is": "BundleOptions", "currency": 3}', "a word"),
    ],
)
def test_well_sealed_nonsense_is_refused(saved, member, content, match):
    path = saved[0]
    write_zip(path, resealed(members_of(path) | {member: content}))
    with pytest.raises(UnreadableFileError, match=match):
        load_bundle(path)


def test_a_result_of_another_problem_is_refused(problems, saved, tmp_path):
    path, _, schedule, _ = saved
    other = problems.problem(12)
    with pytest.raises(InvalidInputError, match="an answer to the problem"):
        save_bundle(path, other, schedule, OPTIONS)
    save_bundle(tmp_path / "other.vpp", other, LinearPlanner().plan(other), OPTIONS)
    result = members_of(tmp_path / "other.vpp")["result.json"]
    write_zip(path, resealed(members_of(path) | {"result.json": result}))
    with pytest.raises(UnreadableFileError, match=r"result\.json is no answer to problem\.json"):
        load_bundle(path)


@pytest.mark.parametrize("manifest", [b"{}", b'{"kind": "vpp decision bundle"}', b"\xff"])
def test_a_manifest_that_does_not_say_what_it_is(saved, manifest):
    path = saved[0]
    write_zip(path, members_of(path) | {"manifest.json": manifest})
    with pytest.raises(UnreadableFileError, match="manifest"):
        load_bundle(path)


def test_missing_files_and_folders_are_said(saved, tmp_path):
    _, problem, schedule, _ = saved
    with pytest.raises(UnreadableFileError, match="No such file"):
        load_bundle(tmp_path / "none.vpp")
    with pytest.raises(UnreadableFileError, match="cannot be read"):
        load_bundle(tmp_path)
    with pytest.raises(UnreadableFileError, match="cannot be written"):
        save_bundle(tmp_path / "nowhere" / "x.vpp", problem, schedule, OPTIONS)


def test_a_write_that_fails_leaves_the_old_file(saved, monkeypatch, tmp_path):
    path, problem, schedule, _ = saved
    before = path.read_bytes()

    def fail(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(bundle_archive.os, "fsync", fail)
    with pytest.raises(UnreadableFileError, match="No space left"):
        save_bundle(path, problem, replace(schedule, message="other"), OPTIONS)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["day.vpp"]


def test_another_plan_is_called_so(saved):
    found = load_bundle(saved[0])
    other = found.compare(found.resolve(RulePlanner()))
    assert not other.same
    assert other.words.startswith("the plan was optimal, made again it is feasible")
    dearer = found.compare(replace(found.schedule, objective=found.schedule.objective + 1.0))
    assert dearer.words == "made again, the plan is optimal but its cost is not the same: it differs by 1"
    moved = replace(found.schedule, power_kw=found.schedule.power_kw + 0.5)
    assert not found.compare(moved).same
    assert "powers differ by up to 0.5 kW" in found.compare(moved).words
    # with another solver's version, the cost decides
    elsewhere = replace(found, versions={**found.versions, "highspy": "0.0.1"})
    assert elsewhere.compare(moved).same
    assert "versions differ: highspy 0.0.1, here" in elsewhere.compare(moved).words


def test_an_infeasible_decision_keeps_its_conflict(problems, tmp_path):
    problem = problems.problem(fixed_kw=-50.0, import_max_kw=1.0)
    path = tmp_path / "bad.vpp"
    save_bundle(path, problem, LinearPlanner().plan(problem), OPTIONS)
    found = load_bundle(path)
    assert found.schedule.status is PlanStatus.INFEASIBLE
    assert found.schedule.conflicts
    comparison = found.compare(found.resolve())
    assert (comparison.same, comparison.objective_difference) == (True, 0.0)


def test_the_planner_of_then_must_be_known(saved):
    found = load_bundle(saved[0])
    assert replace(found, options=replace(OPTIONS, planner="rule")).resolve().status is PlanStatus.FEASIBLE
    with pytest.raises(UnknownNameError, match="linear"):
        replace(found, options=replace(OPTIONS, planner="linaer")).resolve()


def test_a_bundle_by_pulp_agrees(saved):
    pytest.importorskip("pulp")
    found = load_bundle(saved[0])
    again = replace(found, options=replace(OPTIONS, planner="pulp")).resolve()
    assert again.objective == pytest.approx(found.schedule.objective, abs=1e-6)


def forced_cost(problem, told):
    """Return the cost of a program made anew in which one battery has to do the alternative."""
    matrix = build(problem)
    layout = matrix.layout
    step = problem.grid.index(told.time)
    column = [battery.id for battery in problem.batteries].index(told.asset_id)
    power = told.reason.alternative_power_kw
    lower, upper = matrix.lower.copy(), matrix.upper.copy()
    for name, value in (("charge", max(-power, 0.0)), ("discharge", max(power, 0.0))):
        layout.block(lower, name)[column, step] = value
        layout.block(upper, name)[column, step] = value
    forced = replace(matrix, lower=lower, upper=upper)
    return solve_exclusive(Solver(), problem, forced, time_limit_s=30.0).solution.objective


@pytest.mark.parametrize("seed", [0, 3, 5, 11, 17, 30])
def test_forcing_the_alternative_changes_the_cost_by_the_stated_amount(problems, seed):
    rng = np.random.default_rng(seed)
    prices = rng.uniform(0.05, 0.4, 12)
    problem = problems.problem(
        12, import_price_per_kwh=prices, export_price_per_kwh=prices - 0.03, fixed_kw=rng.uniform(-3.0, 1.0, 12)
    )
    schedule = LinearPlanner().plan(problem)
    told = explanations(problem, schedule, "EUR")
    known = [one for one in told if one.reason.alternative_cost is not None]
    assert len(known) >= 10
    for one in known:
        stated = schedule.objective + one.reason.alternative_cost
        assert forced_cost(problem, one) == pytest.approx(stated, abs=1e-7)


def test_an_explanation_in_words_and_as_data(problems):
    problem = problems.problem(3, import_price_per_kwh=[0.1, 0.4, 0.2], export_price_per_kwh=0.0, fixed_kw=-2.0)
    schedule = LinearPlanner().plan(problem)
    middle = datetime(2016, 8, 1, 1, 59, tzinfo=UTC)
    told = explain(problem, schedule, "battery0", middle, "EUR")
    assert told.time == datetime(2016, 8, 1, 1, 0, tzinfo=UTC)
    assert told.words.startswith("Discharging 2 kW to cover consumption: a kWh drawn would cost 0.4 EUR")
    assert f"Holding instead would cost {told.reason.alternative_cost:.2f} EUR more." in told.words
    assert told.data["code"] == "discharge_load"
    assert told.data["time"] == "2016-08-01T01:00:00Z"
    assert json.dumps(told.data, allow_nan=False)
    with pytest.raises(UnknownNameError, match="battery0"):
        explain(problem, schedule, "batery0", middle, "EUR")
    with pytest.raises(InvalidInputError, match="time"):
        explain(problem, schedule, "battery0", middle.replace(year=2017), "EUR")
    rule = explain(problem, RulePlanner().plan(problem), "battery0", middle, "EUR")
    assert rule.reason.alternative_cost is None
    assert "by the rule" in rule.words
