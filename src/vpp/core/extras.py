"""Extras: which optional packages bring which capability, and how a missing one is reported."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from importlib.util import find_spec
from types import ModuleType

from vpp.core.errors import MissingExtraError


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
        return tuple(module for module in self.modules if find_spec(module) is None)


EXTRAS: tuple[Extra, ...] = (
    Extra("bench", ("pulp", "linopy", "cvxpy"), "the other modelling layers that `make bench` measures us against"),
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
