"""Extras: what is missing is said with the extra that brings it."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

import pytest

from vpp.core.errors import MissingExtraError
from vpp.core.extras import EXTRAS, Extra, require

DEVELOPERS_ONLY = {"dev"}


def test_a_module_that_is_there_is_returned() -> None:
    assert require("json", extra="none") is sys.modules["json"]
    assert require("importlib.metadata", extra="none") is sys.modules["importlib.metadata"]


@pytest.mark.parametrize("module", ["no_such_package", "no_such_package.part"])
def test_a_missing_module_names_its_extra(module: str) -> None:
    with pytest.raises(MissingExtraError, match=rf"{module} is not installed; .*'vpp\[scale\]'") as caught:
        require(module, extra="scale")
    assert (caught.value.package, caught.value.extra) == (module, "scale")


def test_a_module_that_lacks_something_itself_is_not_called_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "half_there.py").write_text("import no_such_package\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="no_such_package") as caught:
        require("half_there", extra="scale")
    assert not isinstance(caught.value, MissingExtraError)


def test_an_extra_knows_what_it_lacks() -> None:
    assert Extra("x", ("json", "no_such_package", "no_such.part"), "nothing").missing == (
        "no_such_package",
        "no_such.part",
    )
    assert Extra("x", ("json",), "nothing").missing == ()


def test_extras_are_those_of_the_project_file(root: Path) -> None:
    declared = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    assert {extra.name for extra in EXTRAS} == set(declared) - DEVELOPERS_ONLY
    for extra in EXTRAS:
        assert extra.adds
        assert len(extra.modules) == len(declared[extra.name])
