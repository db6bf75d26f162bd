"""Ranges of an asset's fields: one check, one sentence."""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import inf, isfinite

from vpp.core.errors import InvalidInputError, UnknownNameError

_SLUG = re.compile(r"^[a-z0-9][a-z0-9_-]{0,62}$")


def check_slug(text: str, *, field: str = "id") -> str:
    """Return ``text`` when it is a lower-case slug of at most 63 characters."""
    if not _SLUG.fullmatch(text):
        raise InvalidInputError(field, text, "a lower-case slug of letters, digits, '-' and '_', e.g. home-01")
    return text


def check_range(
    owner: str, field: str, value: float, *, low: float, high: float = inf, unit: str = "", unlimited: bool = False
) -> None:
    """Refuse a value outside [low, high]; infinity means "no limit" and is taken only where ``unlimited`` says so."""
    if not (isfinite(value) or (unlimited and value == inf)) or not low <= value <= high:
        upper = f" to {high:g}" if high != inf else " or more" + (", infinity for no limit" if unlimited else "")
        raise InvalidInputError(f"{owner}.{field}", value, f"{low:g}{upper}{f' [{unit}]' if unit else ''}")


def check_optional(
    owner: str, field: str, value: float | None, *, low: float, high: float = inf, unit: str = ""
) -> None:
    """Refuse a value outside [low, high]; None means that the default follows from other fields."""
    if value is not None:
        check_range(owner, field, value, low=low, high=high, unit=unit)


def check_choice(owner: str, field: str, value: str, known: Sequence[str]) -> None:
    """Refuse a word that is not among the known ones; the nearest are named."""
    if value not in known:
        raise UnknownNameError(f"{owner}.{field}", value, known)
