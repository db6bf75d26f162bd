"""Where a plant's training and forecasting happen: its store, the folder of its models, and its clock.

A built-in plant and a file given with ``--data`` are recorded: their present is the end of the data, or a moment given,
and the clock is the data's. Anything else is live, on the wall clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from vpp.config import VPPConfig
from vpp.core.errors import InvalidInputError
from vpp.core.messages import MARKET
from vpp.core.ports import Clock, SeriesTable, Store
from vpp.core.time import floor_time
from vpp.forecasting.kinds import SeriesProfile
from vpp.runtime.build import open_store, power_table, preload, price_book, profiles_of, read_history
from vpp.runtime.clock import DataClock, WallClock
from vpp.runtime.setup import Setup, setup_of


@dataclass(slots=True, kw_only=True)
class Workplace:
    """A plant with what its training needs.

    Parameters
    ----------
    setup : Setup
        The plant.
    store : Store
        Readings in, forecasts, scores and champions out.
    profiles : tuple of SeriesProfile
        The series that are forecast.
    folder : Path
        Where fitted models are kept.
    clock : Clock
        Its present.
    until : datetime or None
        End of recorded data; None for a live plant.
    """

    setup: Setup
    store: Store
    profiles: tuple[SeriesProfile, ...]
    folder: Path
    clock: Clock
    until: datetime | None


def home_of(config: VPPConfig, *, builtin: bool) -> Path:
    """Return the folder beside a plant file; for a built-in plant the one the user is in."""
    return Path.cwd() if builtin or config.path is None else config.path.parent.resolve()


def store_url(config: VPPConfig, home: Path) -> str:
    """Return the URL of a plant's own store."""
    return f"sqlite:///{home / (config.plant.id + '.db')}"


def models_folder(config: VPPConfig, home: Path) -> Path:
    """Return the folder of a plant's models."""
    return home / f"{config.plant.id}-models"


def open_workplace(
    config: VPPConfig,
    *,
    builtin: bool,
    store: str | None = None,
    folder: Path | None = None,
    data: Path | None = None,
    at: datetime | None = None,
) -> Workplace:
    """Open a plant's workplace; the caller closes its store.

    Parameters
    ----------
    config : VPPConfig
        A valid plant file.
    builtin : bool
        True for a built-in plant: its recorded past is put into the store.
    store : str, optional
        URL of the store; by default the plant's own file beside the plant file.
    folder : Path, optional
        Folder of the models; by default beside the plant file.
    data : Path, optional
        Readings to put into the store first; the plant is then recorded.
    at : datetime, optional
        Moment of decision; by default the end of recorded data, or the wall clock.

    Raises
    ------
    VppError
        When the store, the folder or the data cannot be opened, or ``at`` lies outside the data.
    """
    setup = setup_of(config)
    home = home_of(config, builtin=builtin)
    table = read_history(config, setup, data) if builtin or data is not None else None
    if table is not None:
        power_table(setup, table)
        _require_inside(at, table)
    opened = open_store(store or store_url(config, home))
    clock: Clock = WallClock() if at is None else DataClock(at)
    if table is not None:
        if not _holds(opened, setup, table):
            preload(setup, opened, table, start=table.grid.start, end=table.grid.end)
        clock = DataClock(floor_time(table.grid.end if at is None else at, setup.resolution_s))
    return Workplace(
        setup=setup,
        store=opened,
        profiles=profiles_of(setup, needs_spot=price_book(setup, opened).needs_spot),
        folder=models_folder(config, home) if folder is None else folder,
        clock=clock,
        until=None if table is None else table.grid.end,
    )


def _holds(store: Store, setup: Setup, table: SeriesTable) -> bool:
    """Return whether a store has taken in a table already: it is written from its first row to its last."""
    span, latest = store.span(setup.plant.id), store.latest(setup.plant.id)
    measured = tuple(key for key in table.keys if key.source == MARKET or key in setup.power_keys)
    if span is None or latest is None or span[0] > table.grid.start or not set(measured) <= set(latest.keys):
        return False
    last = np.flatnonzero(np.isfinite(np.column_stack([table.column(key) for key in measured])).any(axis=1))
    return bool(last.size) and span[1] >= table.grid.time(int(last[-1]))


def _require_inside(at: datetime | None, table: SeriesTable) -> None:
    if at is not None and not table.grid.start < at <= table.grid.end:
        raise InvalidInputError(
            "--at",
            at.isoformat(),
            f"a time after {table.grid.start.isoformat()}, the first step of the data, and up to their end, "
            f"{table.grid.end.isoformat()}",
        )
