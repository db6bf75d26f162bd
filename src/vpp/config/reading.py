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


class _StrictLoader(yaml.SafeLoader):
    """A safe loader that refuses the same key twice in one section."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        """Build a mapping, or say which key stands twice."""
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} stands twice", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


def read_mapping(path: Path) -> dict[str, Any]:
    """Return the content of a YAML, JSON or TOML file.

    Raises
    ------
    UnreadableFileError
        When it is missing, too large, not text, not parseable, or not a mapping.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise UnreadableFileError(str(path), f"expected a name ending in {', '.join(SUFFIXES)}")
    try:
        if path.stat().st_size > LARGEST_FILE_BYTES:
            raise UnreadableFileError(str(path), f"larger than {LARGEST_FILE_BYTES} bytes; a plant file is text")
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as fault:
        raise UnreadableFileError(str(path), f"not UTF-8 text (byte {fault.start})") from fault
    except UnreadableFileError:
        raise
    except OSError as fault:
        raise UnreadableFileError(str(path), fault.strerror or "cannot be read") from fault
    content = _parse(path, text)
    if not isinstance(content, dict):
        raise UnreadableFileError(str(path), f"expected a mapping of settings, found {type(content).__name__}")
    return content


def _parse(path: Path, text: str) -> Any:
    try:
        if path.suffix.lower() == ".json":
            return json.loads(text)
        if path.suffix.lower() == ".toml":
            return tomllib.loads(text)
        return yaml.load(text, Loader=_StrictLoader)  # noqa: S506, the loader is a SafeLoader
    except (json.JSONDecodeError, tomllib.TOMLDecodeError, yaml.YAMLError) as fault:
        raise UnreadableFileError(str(path), " ".join(str(fault).split())) from fault
    except RecursionError as fault:
        raise UnreadableFileError(str(path), "nested too deeply") from fault
