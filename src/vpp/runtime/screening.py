"""Screening: what may be learnt from and scored on, and what is set aside, with its reason.

A value that a device cannot have produced is set aside (NaN), and a channel of which more than half is such values is
left out as a whole. The rules look at the whole table: what they find is a matter of the measurement, not of the
forecast. Prices and series that belong to no asset are not judged.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vpp.core.assets import Plant
from vpp.core.messages import MARKET, SeriesKey
from vpp.core.ports import SeriesTable
from vpp.core.units import percent_from_fraction
from vpp.streams.quality import Fault, find_faults, flag

LEFT_OUT = 0.5
"""Share of faulty values beyond which a channel is not what it is called."""


@dataclass(frozen=True, slots=True)
class Screened:
    """A table after screening.

    Parameters
    ----------
    table : SeriesTable
        The series that are kept, faulty values NaN.
    left_out : mapping of SeriesKey to str
        Series left out as a whole, with the reason.
    whole : SeriesTable
        All the series, faulty values NaN but in those left out, which stay as they were: what stands in for the
        outside world where it must have a value.
    faults : tuple of Fault
        Everything found.
    notes : tuple of str
        What was done, one line for each series concerned.
    """

    table: SeriesTable
    left_out: dict[SeriesKey, str]
    whole: SeriesTable
    faults: tuple[Fault, ...]
    notes: tuple[str, ...]


def screen(table: SeriesTable, plant: Plant, *, keep_faulty: bool = False) -> Screened:
    """Set aside what cannot be right.

    Parameters
    ----------
    table : SeriesTable
        Powers in the sign of the house, and market series, which pass unchanged.
    plant : Plant
        Whose assets they are.
    keep_faulty : bool
        True changes nothing and only reports.
    """
    faults = find_faults(table, plant)
    flags = flag(table, plant) != 0
    told: dict[SeriesKey, list[str]] = {}
    for fault in faults:
        told.setdefault(fault.key, []).append(fault.message.removeprefix(f"{fault.key}: "))
    value = table.value.copy()
    left_out: dict[SeriesKey, str] = {}
    notes = []
    for k, key in enumerate(table.keys):
        if key not in told:
            continue
        words = "; ".join(told[key])
        share = float(flags[:, k].mean())
        if keep_faulty or key.source == MARKET:
            action = "kept all the same"
        elif share > LEFT_OUT:
            left_out[key] = words
            action = "left out"
        elif share > 0.0:
            value[flags[:, k], k] = np.nan
            count = int(flags[:, k].sum())
            action = f"{count} values ({percent_from_fraction(share):.2g} %) set aside"
        else:
            action = "kept"
        notes.append(f"{key.source}: {words}: {action}")
    kept = [k for k, key in enumerate(table.keys) if key not in left_out]
    screened = SeriesTable(table.grid, tuple(table.keys[k] for k in kept), value[:, kept])
    whole = SeriesTable(table.grid, table.keys, value)
    return Screened(screened, left_out, whole, faults, tuple(notes))
