"""The reference is written from the code: an undescribed or stale command, setting, route, error or code fails here."""

from __future__ import annotations

import importlib.util
from pathlib import Path


def test_the_reference_pages_say_what_the_code_says(root: Path) -> None:
    spec = importlib.util.spec_from_file_location("make_reference", root / "scripts" / "make_reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name, text in module.pages().items():
        written = (root / "docs" / "reference" / name).read_text(encoding="utf-8")
        assert written == text, f"docs/reference/{name} is stale; run python scripts/make_reference.py"
