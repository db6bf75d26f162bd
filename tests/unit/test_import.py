"""``import vpp`` is silent and light, and every module of the package can be imported without a warning."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

ALLOWED = {"numpy", "vpp"}
HEAVY = {"highspy", "lightgbm", "sklearn", "mlforecast", "plotly", "pandas", "pyarrow", "fastapi", "uvicorn", "typer"}

NEW_MODULES = """
import json, sys
before = set(sys.modules)
import {module}
print(json.dumps(sorted({{name.partition(".")[0] for name in set(sys.modules) - before}})))
"""

IMPORT_EVERYTHING = """
import importlib, pkgutil
import vpp
for found in pkgutil.walk_packages(vpp.__path__, "vpp."):
    if not found.name.endswith("__main__"):
        importlib.import_module(found.name)
"""


def run_python(code: str, *options: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "COV"))}
    return subprocess.run(
        [sys.executable, *options, "-c", code],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=environment,
    )


def test_import_prints_nothing() -> None:
    done = run_python("import vpp")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def modules_brought_by(module: str) -> set[str]:
    done = run_python(NEW_MODULES.format(module=module))
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout)) - set(sys.stdlib_module_names)


def test_import_brings_no_third_party_module_beyond_numpy() -> None:
    assert modules_brought_by("vpp") <= ALLOWED


@pytest.mark.parametrize("module", ["vpp", "vpp.core.assets", "vpp.core.ports", "vpp.core.messages"])
def test_import_brings_no_solver_plotting_or_learning_library(module: str) -> None:
    assert not modules_brought_by(module) & HEAVY


def test_every_module_imports_in_silence() -> None:
    done = run_python(IMPORT_EVERYTHING, "-W", "error")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_an_unknown_name_is_an_attribute_error() -> None:
    import vpp

    with pytest.raises(AttributeError, match="no attribute 'Batery'"):
        vpp.Batery  # noqa: B018


@pytest.mark.parametrize("name", ["Battery", "Plant", "TimeGrid", "VppError"])
def test_public_names_load_on_first_use(name: str) -> None:
    import vpp

    assert name in dir(vpp)
    assert getattr(vpp, name).__name__ == name
