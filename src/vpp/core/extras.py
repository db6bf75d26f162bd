"""Extras: which optional packages bring which capability, and how a missing one is reported."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from types import ModuleType
from typing import TypeVar, cast

from vpp.core.errors import MissingExtraError

Function = TypeVar("Function", bound=Callable[..., object])


@dataclass(frozen=True, slots=True)
class Extra:
    """An optional capability.

    Parameters
    ----------
    name : str
        Name of the extra, as in ``pip install 'vpp[name]'``.
    modules : tuple of str
        Modules that must be importable.
    adds : str
        What the user gains, in a few words.
    """

    name: str
    modules: tuple[str, ...]
    adds: str

    @property
    def missing(self) -> tuple[str, ...]:
        """Modules that are not installed."""
        return tuple(module for module in self.modules if not _is_there(module))


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # the package around it is not there either
        return False


EXTRAS: tuple[Extra, ...] = (
    Extra("fast", ("numba",), "compiled kernels: exact plans in microseconds, fleets of a hundred thousand batteries"),
    Extra("bench", ("pulp", "linopy", "cvxpy"), "the other modelling layers that `make bench` measures us against"),
    Extra("statistical", ("statsforecast",), "AutoARIMA and AutoETS among the forecasting models"),
    Extra("prophet", ("prophet",), "Prophet among the forecasting models"),
    Extra("neural", ("torch",), "N-BEATS and LSTM among the forecasting models"),
    Extra("tune", ("optuna",), "tuning of forecasting models within a time budget"),
    Extra("ray", ("ray",), "training of thousands of sources on a Ray cluster"),
    Extra("postgres", ("psycopg",), "PostgreSQL and TimescaleDB as the store"),
    Extra("kafka", ("confluent_kafka",), "Kafka as the bus"),
    Extra(
        "edge", ("pymodbus", "sunspec2", "ocpp", "influxdb_client", "google.protobuf"), "real devices at the gateway"
    ),
    Extra("redis", ("redis",), "one live view over several API processes"),
    Extra("mongo", ("pymongo",), "MongoDB as a second home of telemetry"),
    Extra("plots", ("matplotlib",), "the plots of the examples"),
    Extra("pulp", ("pulp",), "plans written as PuLP problems, and CBC as a second solver in the fallback chain"),
)


def require(module: str, *, extra: str) -> ModuleType:
    """Import an optional module or say which extra brings it.

    Raises
    ------
    MissingExtraError
        When the module is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as fault:
        if fault.name is not None and module.split(".", maxsplit=1)[0] != fault.name.split(".")[0]:
            raise
        raise MissingExtraError(module, extra) from fault


@cache
def compiled(function: Function, signature: str) -> Function | None:
    """Return a function compiled for one signature, None where numba is not installed.

    The work is done here, ahead of the first call: a frequency event must not wait for a compiler. What was compiled
    is kept on disk where a folder can be written.

    Parameters
    ----------
    function : callable
        A plain function over arrays and numbers.
    signature : str
        Numba's type signature, e.g. ``"void(float64, float64[:,::1], float64[::1])"``.
    """
    if find_spec("numba") is None:
        return None
    njit = importlib.import_module("numba").njit
    try:
        return cast(Function, njit(signature, cache=True, nogil=True)(function))
    except RuntimeError:  # neither the package's folder nor the user's can be written
        return cast(Function, njit(signature, nogil=True)(function))
