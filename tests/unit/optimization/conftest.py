"""The problems of ``problems.py`` and ``mixtures.py`` as fixtures; test modules cannot import one another."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest


def _load(name: str, file: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(file))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def problems() -> ModuleType:
    return _load("planning_problems", "problems.py")


@pytest.fixture(scope="session")
def mixtures() -> ModuleType:
    return _load("planning_mixtures", "mixtures.py")
