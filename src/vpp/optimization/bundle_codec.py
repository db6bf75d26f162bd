"""Problems, options and schedules to JSON values and back, exactly; written for eyes as well as for programs.

Floats are written in the shortest form that reads back as the same number, NaN as null, infinities as words.
Only the types that the fields of a problem, an option or a schedule name are ever made: a file is data, never code.
Invariant: ``decode(encode(value), type(value))`` equals the value field by field. A field younger than the file keeps
its default; a field that this program does not know is an error, since leaving it out would change the question.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from enum import Enum
from functools import cache
from math import isfinite, prod
from typing import Any, TypeVar, get_args, get_type_hints

import numpy as np
from numpy.typing import NDArray

from vpp.core.errors import InvalidInputError, VppError
from vpp.core.time import parse_time, require_aware

KIND = "is"
"""The key that says what an object is; no field can be called so, for Python keeps the word."""
WORDS = {"inf": np.inf, "-inf": -np.inf}
ARRAYS = ("float64", "float32", "int64", "int32", "bool")
TEXT = "text"
MOST_DIMENSIONS = 8
T = TypeVar("T")


def encode(value: Any, *, field: str = "value") -> Any:
    """Return a value as JSON values.

    Raises
    ------
    InvalidInputError
        For a type that is not known here; its place is named.
    """
    if value is None or (isinstance(value, (str, bool, int)) and not isinstance(value, Enum)):
        return value
    if isinstance(value, Enum):
        return {KIND: type(value).__name__, "name": value.name}
    if isinstance(value, float):
        return value if isfinite(value) else {KIND: "number", "value": str(float(value))}
    if isinstance(value, np.generic):
        return encode(value.item(), field=field)
    if isinstance(value, np.ndarray):
        return _encode_array(value, field)
    if isinstance(value, datetime):
        return {KIND: "time", "at": require_aware(value, field=field).astimezone(UTC).isoformat()}
    if isinstance(value, (tuple, list)):
        return [encode(item, field=f"{field}[{index}]") for index, item in enumerate(value)]
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise InvalidInputError(field, list(value), "a mapping with names as keys")
        items = {key: encode(item, field=f"{field}.{key}") for key, item in value.items()}
        return {KIND: "mapping", "items": items}
    if is_dataclass(value) and not isinstance(value, type):
        mine = {one.name: getattr(value, one.name) for one in fields(value) if one.init}
        return {KIND: type(value).__name__} | {
            name: encode(item, field=f"{field}.{name}") for name, item in mine.items()
        }
    raise InvalidInputError(field, type(value).__name__, "numbers, words, times, arrays, tuples, mappings, dataclasses")


def _encode_array(array: NDArray[Any], field: str) -> dict[str, Any]:
    """Return an array with its rows as lists."""
    if array.dtype == object:
        if not all(isinstance(item, str) for item in array.flat):
            raise InvalidInputError(field, "an array of objects", "an array of numbers or words")
        kind, data = TEXT, array.tolist()
    elif array.dtype.name in ARRAYS:
        kind, data = array.dtype.name, array.tolist()
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            data = _named(data)
    else:
        raise InvalidInputError(field, str(array.dtype), f"an array of {', '.join(ARRAYS)} or words")
    return {KIND: "array", "type": kind, "shape": list(array.shape), "data": data}


def _named(data: Any) -> Any:
    """Return nested lists of floats with null for NaN and words for infinities."""
    if isinstance(data, list):
        return [_named(item) for item in data]
    if isfinite(data):
        return data
    return None if np.isnan(data) else str(data)


def decode(value: Any, kind: type[T], *, field: str = "value") -> T:
    """Return the value of some JSON values, which must be of a kind.

    Parameters
    ----------
    value : JSON values
        As ``encode`` returns them.
    kind : type
        A dataclass; its fields' types, and theirs, are the only ones that are made.
    field : str
        What to call it in errors.

    Raises
    ------
    InvalidInputError
        When something is missing, unknown, of the wrong shape or out of range; its place is named.
    """
    root: Any = kind
    found = _decode(value, types_of(root), field)
    if not isinstance(found, kind):
        raise InvalidInputError(field, type(found).__name__, f"a {kind.__name__}")
    return found


@cache
def types_of(kind: Any) -> Mapping[str, type[Any]]:
    """Return the dataclasses and enums that a dataclass is made of, itself included, by name."""
    found: dict[str, type[Any]] = {}
    waiting: list[type[Any]] = [kind]
    while waiting:
        one = waiting.pop()
        if one.__name__ in found:
            continue
        found[one.__name__] = one
        if is_dataclass(one):
            waiting += [part for hint in get_type_hints(one).values() for part in _named_types(hint)]
    return found


def _named_types(hint: Any) -> Iterator[type[Any]]:
    """Return the dataclasses and enums that an annotation mentions."""
    if isinstance(hint, type) and (is_dataclass(hint) or issubclass(hint, Enum)):
        yield hint
    for part in get_args(hint):
        yield from _named_types(part)


def _decode(value: Any, known: Mapping[str, type[Any]], field: str) -> Any:
    """Return the value of some JSON values."""
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, list):
        return tuple(_decode(item, known, f"{field}[{index}]") for index, item in enumerate(value))
    kind = value.get(KIND)
    rest = {name: item for name, item in value.items() if name != KIND}
    try:
        if kind == "number":
            return float(rest["value"])
        if kind == "time":
            return parse_time(rest["at"], field=field)
        if kind == "mapping":
            return {name: _decode(item, known, f"{field}.{name}") for name, item in rest["items"].items()}
        if kind == "array":
            return _decode_array(rest, field)
    except (KeyError, TypeError, ValueError, AttributeError) as fault:
        if isinstance(fault, InvalidInputError):
            raise
        raise InvalidInputError(field, f"a damaged {kind}", f"a {kind} as vpp writes it") from fault
    if kind not in known:
        raise InvalidInputError(f"{field}.{KIND}", kind, f"one of {', '.join(sorted(known))}")
    return _decode_named(known[kind], rest, known, field)


def _decode_named(kind: type[Any], rest: dict[str, Any], known: Mapping[str, type[Any]], field: str) -> Any:
    """Return a dataclass or an enum of its fields."""
    if issubclass(kind, Enum):
        if rest.get("name") not in kind.__members__:
            raise InvalidInputError(field, rest.get("name"), f"one of {', '.join(kind.__members__)}")
        return kind[rest["name"]]
    names = {one.name for one in fields(kind) if one.init}
    if not rest.keys() <= names:
        unknown = ", ".join(sorted(rest.keys() - names))
        raise InvalidInputError(f"{field}.{unknown}", "a field", f"fields of {kind.__name__} that this vpp knows")
    given = {name: _decode(item, known, f"{field}.{name}") for name, item in rest.items()}
    try:
        return kind(**given)
    except VppError:
        raise
    except (TypeError, AttributeError, ValueError, LookupError) as fault:
        raise InvalidInputError(field, str(fault), f"the fields of {kind.__name__}") from fault


def _decode_array(rest: dict[str, Any], field: str) -> NDArray[Any]:
    """Return an array; its shape must be that of its data."""
    kind, shape, data = rest["type"], rest["shape"], rest["data"]
    if kind != TEXT and kind not in ARRAYS:
        raise InvalidInputError(f"{field}.type", kind, f"one of {', '.join(ARRAYS)}, {TEXT}")
    whole = all(isinstance(size, int) and not isinstance(size, bool) and size >= 0 for size in shape)
    if len(shape) > MOST_DIMENSIONS or not whole:
        raise InvalidInputError(f"{field}.shape", shape, f"at most {MOST_DIMENSIONS} whole numbers")
    flat = list(_flat(data, len(shape)))
    if len(flat) != prod(shape):
        raise InvalidInputError(f"{field}.shape", shape, f"the shape of {len(flat)} values")
    if kind == TEXT:
        if not all(isinstance(item, str) for item in flat):
            raise InvalidInputError(f"{field}.data", "a value that is no word", "words")
        words = np.empty(len(flat), dtype=object)
        words[:] = flat
        return words.reshape(shape)
    wanted = (bool,) if kind == "bool" else (int,) if kind.startswith("int") else (int, float)
    numbers = [_plain(item) for item in flat] if kind.startswith("float") else flat
    wrong = [item for item in numbers if not isinstance(item, wanted) or (kind != "bool" and isinstance(item, bool))]
    if wrong:
        raise InvalidInputError(f"{field}.data", wrong[0], f"values of type {kind}")
    return np.array(numbers, dtype=kind).reshape(shape)


def _flat(data: Any, depth: int) -> Iterator[Any]:
    """Return the values of lists nested ``depth`` deep, row by row."""
    if depth == 0:
        yield data
    elif not isinstance(data, list):
        raise TypeError
    else:
        for item in data:
            yield from _flat(item, depth - 1)


def _plain(item: Any) -> Any:
    """Return a float for null and for the words of infinities."""
    if item is None:
        return np.nan
    return WORDS.get(item, item) if isinstance(item, str) else item
