"""The problems of ``problems.py`` as a fixture; test modules cannot import one another."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def problems() -> ModuleType:
    spec = importlib.util.spec_from_file_location("planning_problems", Path(__file__).with_name("problems.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
