"""The findings of a validation: every fault at once, each with its path in the file, the value and the range."""

from __future__ import annotations

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
    """Tell whether pydantic only repeats a fault: a list too short without its faulty members, a union's other side."""
    if error["type"] == "string_type" and isinstance(error["input"], dict):
        return True
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
    if kind == "missing":
        return ConfigIssue(path, None, "is required")
    if kind.startswith("union_tag"):
        return _union_issue(error, path, raw, location)
    if kind == "string_pattern_mismatch":
        return ConfigIssue(
            path, _plain(error["input"]), _PATTERNS.get(str(error["ctx"]["pattern"]), "has the wrong form")
        )
    if kind == "finite_number":
        return ConfigIssue(path, str(error["input"]), "must be a finite number")
    message = str(error["msg"]).removeprefix("Value error, ")
    message = message[:1].lower() + message[1:]
    return ConfigIssue(path, _plain(error["input"]), _with_verb(message))


def _with_verb(message: str) -> str:
    if message.startswith("input should be"):
        return message.replace("input should be", "must be", 1)
    return f"expected {message}"


def _union_issue(error: ErrorDetails, path: str, raw: Any, location: tuple[str | int, ...]) -> ConfigIssue:
    context = error.get("ctx", {})
    discriminator = str(context.get("discriminator", "'kind'")).strip("'")
    found = _at(raw, location)
    value = found.get(discriminator) if isinstance(found, dict) else None
    known = [tag.strip(" '") for tag in str(context.get("expected_tags", "")).split(",") if tag.strip()]
    if value is None:
        return ConfigIssue(
            f"{path}.{discriminator}", None, f"is required; one of {', '.join(known) or 'the known kinds'}"
        )
    near = nearest_names(str(value), known)
    hint = f"; did you mean {', '.join(near)}" if near else f"; one of {', '.join(known)}"
    return ConfigIssue(f"{path}.{discriminator}", value, f"unknown {discriminator}{hint}")


def _plain(value: Any) -> Any:
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
        elif isinstance(here, dict) and isinstance(part, str) and (following is not None or part in _UNION_PARTS):
            continue
        real.append(part)
    return tuple(real)


_PATTERNS = {
    "^[A-Z]{3}$": "must be a currency code of three capitals, e.g. EUR",
    "^[a-z0-9][a-z0-9_-]{0,62}$": "must be a lower-case slug of letters, digits, '-' and '_'",
}
_UNION_PARTS = {"str", "LocationSpec"}


def _known_keys(location: Sequence[str | int], model: type[BaseModel], raw: Any) -> set[str]:
    """Return the keys a section may hold, by walking the model along the path."""
    current: Any = model
    here = raw
    for part in location:
        here = _at(here, (part,))
        if isinstance(part, int):
            continue
        field = _field(current, part)
        if field is None:
            return set()
        current = field.annotation
    section = _model_for(current, here)
    return set() if section is None else {field.alias or name for name, field in section.model_fields.items()}


def _field(current: Any, key: str) -> FieldInfo | None:
    for candidate in _models_in(current):
        for name, field in candidate.model_fields.items():
            if key in (name, field.alias):
                return field
    return None


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    inner = getattr(annotation, "__args__", ())
    return [found for part in inner for found in _models_in(part)]


def _model_for(annotation: Any, value: Any) -> type[BaseModel] | None:
    candidates = _models_in(annotation)
    for tag in ("kind", "type"):
        if isinstance(value, dict) and tag in value:
            for candidate in candidates:
                field = candidate.model_fields.get(tag)
                if field is not None and value[tag] in getattr(field.annotation, "__args__", ()):
                    return candidate
    return candidates[0] if candidates else None
