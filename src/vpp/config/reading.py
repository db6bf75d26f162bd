"""Reading a plant file: YAML, JSON or TOML into a mapping, or an error that says what is wrong and where."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import yaml

from vpp.core.errors import UnreadableFileError

LARGEST_FILE_BYTES = 4_000_000
SUFFIXES = (".yaml", ".yml", ".json", ".toml")
_MERGE_TAG = "tag:yaml.org,2002:merge"


class _StrictLoader(yaml.SafeLoader):
    """A safe loader that refuses the same key twice in one section."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        """Build a mapping, or say which key stands twice."""
        seen: set[str] = set()
        for key_node, _ in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(None, None, "a key must be text", key_node.start_mark)
            # a merge (<<) brings keys that the section may replace; it is no key itself
            if key_node.tag != _MERGE_TAG and key_node.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key_node.value!r} stands twice", key_node.start_mark
                )
            seen.add(key_node.value)
        return super().construct_mapping(node, deep)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content: dict[str, Any] = {}
    for key, value in pairs:
        if key in content:
            raise ValueError(f"the key {key!r} stands twice in one section")
        content[key] = value
    return content


def read_mapping(path: Path) -> dict[str, Any]:
    """Return the content of a YAML, JSON or TOML file.

    Raises
    ------
    UnreadableFileError
        When it is missing, too large, not text, not parseable, or not a mapping.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise UnreadableFileError(str(path), f"expected a name ending in {', '.join(SUFFIXES)}")
    text = _read_text(path)
    content = _parse(path, text)
    if content is None:
        raise UnreadableFileError(str(path), "it is empty")
    if not isinstance(content, dict):
        raise UnreadableFileError(str(path), f"expected a mapping of settings, found {type(content).__name__}")
    return content


def _read_text(path: Path) -> str:
    try:
        size = path.stat().st_size
        if not path.is_file():
            raise UnreadableFileError(str(path), "is a directory" if path.is_dir() else "is not a regular file")
        if size > LARGEST_FILE_BYTES:
            raise UnreadableFileError(str(path), f"larger than {LARGEST_FILE_BYTES} bytes; a plant file is text")
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as fault:
        raise UnreadableFileError(str(path), f"not UTF-8 text (byte {fault.start})") from fault
    except UnreadableFileError:
        raise
    except OSError as fault:
        raise UnreadableFileError(str(path), fault.strerror or "cannot be read") from fault
    except ValueError as fault:  # a zero byte in the name
        raise UnreadableFileError(str(path), str(fault)) from fault


def _parse(path: Path, text: str) -> Any:
    try:
        if path.suffix.lower() == ".json":
            return json.loads(text, object_pairs_hook=_once)
        if path.suffix.lower() == ".toml":
            return tomllib.loads(text)
        return yaml.load(text, Loader=_StrictLoader)  # noqa: S506, the loader is a SafeLoader
    except RecursionError as fault:
        raise UnreadableFileError(str(path), "nested too deeply") from fault
    # besides their own errors the parsers let through what a value's constructor says: a 13th month, 5,000 digits
    except (yaml.YAMLError, ValueError, TypeError, OverflowError, AttributeError) as fault:
        raise UnreadableFileError(str(path), " ".join(str(fault).split())) from fault
