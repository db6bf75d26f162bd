"""Doctor: what this machine has of what vpp needs or could use."""

from __future__ import annotations

import platform
import shutil
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, packages_distributions, version

from vpp.core.extras import EXTRAS

REQUIRED = {
    "numpy": "arrays",
    "pandas": "tables",
    "pyarrow": "Parquet files",
    "scipy": "numerics behind scenarios and the genetic algorithm",
    "highspy": "the solver behind every plan",
    "lightgbm": "the tree model among the forecasters",
    "mlforecast": "features and training of that model",
    "scikit-learn": "the linear models among the forecasters",
    "holidays": "public holidays in forecasts",
    "mlflow-skinny": "the record of every training",
    "sqlalchemy": "SQLite and PostgreSQL behind one store",
    "alembic": "upgrades of the store",
    "pvlib": "the sun and photovoltaics in simulations",
    "windpowerlib": "power curves of wind turbines in simulations",
    "rainflow": "battery cycles in simulations",
    "pydantic": "checked plant files",
    "fastapi": "the HTTP interface",
    "uvicorn": "the server behind it",
    "paho-mqtt": "MQTT as the bus",
    "msgspec": "messages, read and checked",
    "httpx": "sync of a gateway with the cloud",
    "prometheus-client": "counters for Prometheus",
    "plotly": "plots in the reports of back-tests",
}
SERVERS = {
    "node": ("Node.js", "building the dashboard from source; the page runs without"),
    "chromium": ("Chromium", "the browser tests of the page"),
    "strace": ("strace", "the power-cut and full-disk tests of the store"),
    "mosquitto": ("Mosquitto", "an MQTT broker, for the tests of the bus"),
    "postgres": ("PostgreSQL", "a database server, for the tests of the store"),
    "redis-server": ("Redis", "the tests of several API processes"),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked for; ``found`` is its version or place, None when it is missing."""

    kind: str
    name: str
    found: str | None
    adds: str
    remedy: str
    required: bool = False


def examine() -> list[Finding]:
    """Return everything looked for: the interpreter, packages, extras, programs."""
    findings = [Finding("python", "Python", platform.python_version(), "3.11 or newer", "", required=True)]
    for package, adds in REQUIRED.items():
        findings.append(Finding("package", package, _version(package), adds, f"pip install {package}", required=True))
    for extra in EXTRAS:
        found = None if extra.missing else ", ".join(_package_of(module) for module in extra.modules)
        findings.append(Finding("extra", extra.name, found, extra.adds, f"pip install 'vpp[{extra.name}]'"))
    for program, (name, adds) in SERVERS.items():
        found = "present" if shutil.which(program) else None
        findings.append(Finding("program", name, found, adds, f"your system's package {program}"))
    return findings


def _package_of(module: str) -> str:
    """Return the package that brought a module, with its version."""
    names = packages_distributions().get(module.split(".", maxsplit=1)[0], [])
    # Several packages may share a name such as ``google``.
    name = next((one for one in names if one in module), names[0] if names else module)
    return f"{name} {_version(name)}"


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
