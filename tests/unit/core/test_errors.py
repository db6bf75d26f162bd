"""Errors: one tree, each with fields and with fault, value and remedy in its message, whole across processes."""

from __future__ import annotations

import copy
import inspect
import pickle
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from vpp.core import errors
from vpp.core.assets import check_slug
from vpp.core.curves import frequency_curve
from vpp.core.errors import (
    ClosedError,
    InvalidInputError,
    MissingDataError,
    MissingExtraError,
    NaiveTimeError,
    SeriesMismatchError,
    StoreError,
    UnknownNameError,
    UnreadableFileError,
    VppError,
    nearest_names,
)
from vpp.core.time import parse_time

CASES = [
    (VppError("something"), Exception, "something"),
    (
        InvalidInputError("sites.home01.battery.capacity_kwh", -1.0, "a positive number [kWh]"),
        ValueError,
        "sites.home01.battery.capacity_kwh: got -1.0, expected a positive number [kWh]",
    ),
    (
        NaiveTimeError("start", "2016-08-01T00:00"),
        ValueError,
        "start: got '2016-08-01T00:00', expected a time with a zone, e.g. 2016-08-01T00:00:00Z",
    ),
    (SeriesMismatchError("values", (3,), "(4,)"), ValueError, "values: got (3,), expected (4,)"),
    (
        UnknownNameError("plant", "home", ["homes", "wholesale"]),
        LookupError,
        "no plant called 'home'; did you mean: homes",
    ),
    (UnreadableFileError("plant.yaml", "line 3 is no YAML"), OSError, "plant.yaml: line 3 is no YAML"),
    (
        MissingExtraError("pulp", "bench"),
        ImportError,
        "pulp is not installed; it comes with: pip install 'vpp[bench]'",
    ),
    (MissingDataError("12 of 96 steps are measured; at least 48 are needed"), LookupError, None),
    (StoreError("the disk is full; nothing was kept"), RuntimeError, None),
    (ClosedError("the bus is closed"), RuntimeError, None),
]
EVERY_ERROR = pytest.mark.parametrize("error", [case[0] for case in CASES], ids=lambda error: type(error).__name__)


def fields_of(error: VppError) -> dict[str, object]:
    # what a pool adds to tell where the error came from is no field of ours
    fields = {name: value for name, value in vars(error).items() if not name.startswith("__")}
    return {"type": type(error), "message": str(error), "args": error.args, **fields}


def test_every_error_of_the_tree_is_tried_here() -> None:
    tree = {kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, VppError)}
    assert tree == {type(case[0]) for case in CASES}
    assert all(kind.__name__ in (errors.__doc__ or "") for kind in tree)


@pytest.mark.parametrize(("error", "parent", "message"), CASES, ids=lambda case: type(case).__name__)
def test_errors_have_a_message_and_a_standard_parent(error: VppError, parent: type, message: str | None) -> None:
    assert isinstance(error, parent)
    assert isinstance(error, VppError)
    if message is not None:
        assert str(error) == message


@EVERY_ERROR
def test_errors_survive_pickling_and_copying(error: VppError) -> None:
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        assert fields_of(pickle.loads(pickle.dumps(error, protocol))) == fields_of(error)
    assert fields_of(copy.copy(error)) == fields_of(error)
    assert fields_of(copy.deepcopy(error)) == fields_of(error)


def test_notes_and_the_import_message_survive_too() -> None:
    error = MissingExtraError("pulp", "bench")
    error.add_note("while measuring")
    back = pickle.loads(pickle.dumps(error))
    assert back.__notes__ == ["while measuring"]
    assert back.msg == error.msg


def test_errors_cross_a_process_pool() -> None:
    # a plain exception with two arguments breaks the pool instead of arriving
    calls: list[tuple[Callable[..., object], object, type[VppError]]] = [
        (check_slug, "Not a slug", InvalidInputError),
        (parse_time, "2016-08-01", NaiveTimeError),
        (frequency_curve, "FCR", UnknownNameError),
    ]
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        for function, argument, kind in calls:
            with pytest.raises(kind) as here:
                function(argument)
            with pytest.raises(kind) as there:
                pool.submit(function, argument).result(timeout=60)
            assert fields_of(there.value) == fields_of(here.value)


def test_fields_are_kept() -> None:
    error = UnknownNameError("plant", "whole", ["wholesale", "barn"])
    assert (error.kind, error.name, error.known) == ("plant", "whole", ("barn", "wholesale"))
    assert error.nearest == ("wholesale",)
    invalid = InvalidInputError("soc", 2.0, "0 to 1")
    assert (invalid.field, invalid.value, invalid.expected) == ("soc", 2.0, "0 to 1")
    unreadable = UnreadableFileError("a.csv", "empty")
    assert (unreadable.path, unreadable.why) == ("a.csv", "empty")
    missing = MissingExtraError("ray", "scale")
    assert (missing.package, missing.extra) == ("ray", "scale")


@pytest.mark.parametrize(
    ("name", "known", "hint"),
    [
        ("batery", ["battery", "solar"], "did you mean: battery"),
        ("zzz", ["battery", "solar"], "did you mean: battery, solar"),  # nothing near: say what there is
        ("zzz", [f"home{i:02}" for i in range(20)], "did you mean: home00, .*, home07$"),  # but not a whole page
        ("zzz", [], "did you mean: none is defined"),
    ],
)
def test_an_unknown_name_is_answered_with_names(name: str, known: list[str], hint: str) -> None:
    with pytest.raises(UnknownNameError, match=hint):
        raise UnknownNameError("thing", name, known)


def test_nearest_names_come_nearest_first() -> None:
    assert nearest_names("solar", ["polar", "solar1", "wind"]) == ("solar1", "polar")
    assert len(nearest_names("solar", ["solar1", "solar2", "solar3", "solar4"], most=2)) == 2
    assert nearest_names("solar", []) == ()
