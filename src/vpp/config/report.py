"""The findings of a validation: every fault at once, each with its path in the file, the value and the range."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from vpp.core.errors import nearest_names


@dataclass(frozen=True, slots=True)
class ConfigIssue:
    """One finding.

    Parameters
    ----------
    path : str
        Where in the file, e.g. ``sites[0].assets[1].capacity_kwh``.
    value : object
        What stands there; None when nothing does.
    message : str
        What was expected, in words.
    """

    path: str
    value: Any
    message: str

    def __str__(self) -> str:
        """Return the finding as one line."""
        shown = repr(self.value)
        return f"{self.path}: {self.message}" + (
            f" (got {shown})" if self.value is not None and len(shown) < 80 else ""
        )


@dataclass(frozen=True, slots=True)
class ConfigReport:
    """All findings of one file; ``is_valid`` when there is no error. Warnings do not stop anything."""

    errors: tuple[ConfigIssue, ...]
    warnings: tuple[ConfigIssue, ...]

    @property
    def is_valid(self) -> bool:
        """True when nothing has to be mended."""
        return not self.errors


def path_text(location: Sequence[str | int]) -> str:
    """Return a path such as ``sites[0].id`` from its parts.

    >>> path_text(("sites", 0, "id"))
    'sites[0].id'
    """
    text = ""
    for part in location:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else str(part)
    return text or "(file)"


def issues_of(fault: ValidationError, model: type[BaseModel], raw: Any) -> tuple[ConfigIssue, ...]:
    """Return the findings of a failed pydantic validation in the file's own terms."""
    return tuple(_issue(error, model, raw) for error in fault.errors() if not _follows_from_others(error))


def _follows_from_others(error: ErrorDetails) -> bool:
    """Tell whether pydantic only repeats a fault: a list too short without its faulty members."""
    return error["type"] == "too_short" and bool(error["input"])


def _issue(error: ErrorDetails, model: type[BaseModel], raw: Any) -> ConfigIssue:
    location = _real_location(error["loc"], raw)
    path = path_text(location)
    kind = error["type"]
    if kind == "extra_forbidden":
        known = _known_keys(location[:-1], model, raw)
        near = nearest_names(str(location[-1]), known)
        hint = f"; did you mean {', '.join(near)}" if near else f"; known: {', '.join(sorted(known))}"
        return ConfigIssue(path, None, f"unknown key{hint}")
    if kind.startswith("union_tag"):
        return _union_issue(error, path, model, raw, location)
    return ConfigIssue(path, _plain(error["input"]), _words(error, location))


def _words(error: ErrorDetails, location: Sequence[str | int]) -> str:
    """Return what was expected, as a phrase that follows the path."""
    kind, context = error["type"], error.get("ctx", {})
    if kind == "string_pattern_mismatch":
        return _PATTERNS.get(str(context["pattern"]), "has the wrong form")
    if kind == "model_type" and location[-1:] == ("location",):
        return "must be a place name, or a section with latitude_deg and longitude_deg"
    if kind == "too_short" or (kind == "string_too_short" and context.get("min_length") == 1):
        return "must not be empty"
    if kind == "string_too_long":
        return f"must be at most {context['max_length']} characters long"
    if kind == "literal_error":
        return f"must be {context['expected']}"
    return _WORDS.get(kind, str(error["msg"]).removeprefix("Value error, "))


def _union_issue(
    error: ErrorDetails, path: str, model: type[BaseModel], raw: Any, location: tuple[str | int, ...]
) -> ConfigIssue:
    discriminator = str(error.get("ctx", {}).get("discriminator", "'kind'")).strip("'")
    found = _at(raw, location)
    known = _tags(location, model, raw, discriminator)
    if not isinstance(found, dict) or found.get(discriminator) is None:
        return ConfigIssue(f"{path}.{discriminator}", None, f"is required; one of {', '.join(known)}")
    value = _plain(found[discriminator])
    near = nearest_names(value, known) if isinstance(value, str) else ()
    hint = f"; did you mean {', '.join(near)}" if near else f"; one of {', '.join(known)}"
    return ConfigIssue(f"{path}.{discriminator}", value, f"unknown {discriminator}{hint}")


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)  # a report is printed as JSON, which has no such number
    return value if isinstance(value, (str, int, float, bool)) else None


def _at(raw: Any, location: Iterable[str | int]) -> Any:
    for part in location:
        try:
            raw = raw[part]
        except (KeyError, IndexError, TypeError):
            return None
    return raw


def _real_location(location: Sequence[str | int], raw: Any) -> tuple[str | int, ...]:
    """Drop the parts that pydantic adds for unions: they do not stand in the file."""
    real: list[str | int] = []
    here = raw
    for i, part in enumerate(location):
        following = location[i + 1] if i + 1 < len(location) else None
        below = _at(here, (part,))
        if below is not None:
            here = below
        elif part in _UNION_PARTS or (isinstance(here, dict) and isinstance(part, str) and following is not None):
            continue
        real.append(part)
    return tuple(real)


_PATTERNS = {
    "^[A-Z]{3}$": "must be a currency code of three capitals, e.g. EUR",
    "^[a-z0-9][a-z0-9_-]{0,62}$": "must be a lower-case slug of at most 63 letters, digits, '-' and '_'",
}
_WORDS = {
    "missing": "is required",
    "string_type": "must be text (a number or yes/no stands in quotes)",
    "bool_type": "must be true or false",
    "tuple_type": "must be a list",
    "model_type": "must be a section of keys and values",
    "model_attributes_type": "must be a section of keys and values",
    "dict_type": "must be a section of keys and values",
    "invalid_key": "a key must be text",
}
_UNION_PARTS = {"place", "point"}


def _annotation(location: Sequence[str | int], model: type[BaseModel], raw: Any) -> tuple[Any, Any]:
    """Return the type of a place in the file, by walking the model along the path, and what stands there."""
    current: Any = model
    here = raw
    for part in location:
        if not isinstance(part, int):
            field = _field(_model_for(current, here), part)
            if field is None:
                return None, None
            current = field.annotation
        here = _at(here, (part,))
    return current, here


def _known_keys(location: Sequence[str | int], model: type[BaseModel], raw: Any) -> set[str]:
    section = _model_for(*_annotation(location, model, raw))
    return set() if section is None else {field.alias or name for name, field in section.model_fields.items()}


def _tags(location: Sequence[str | int], model: type[BaseModel], raw: Any, discriminator: str) -> list[str]:
    annotation, _ = _annotation(location, model, raw)
    fields = (candidate.model_fields.get(discriminator) for candidate in _models_in(annotation))
    return [str(tag) for field in fields if field is not None for tag in getattr(field.annotation, "__args__", ())]


def _field(section: type[BaseModel] | None, key: str) -> FieldInfo | None:
    fields = section.model_fields if section is not None else {}
    return next((field for name, field in fields.items() if key in (name, field.alias)), None)


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    inner = getattr(annotation, "__args__", ())
    return [found for part in inner for found in _models_in(part)]


def _model_for(annotation: Any, value: Any) -> type[BaseModel] | None:
    candidates = _models_in(annotation)
    for tag in ("kind", "type"):
        if not isinstance(value, dict) or tag not in value:
            continue
        for candidate in candidates:
            field = candidate.model_fields.get(tag)
            if field is not None and value[tag] in getattr(field.annotation, "__args__", ()):
                return candidate
    return candidates[0] if candidates else None
