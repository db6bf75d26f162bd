"""The catalogue: power curves of 67 turbines, read once from the OEDB tables that the windpowerlib package brings.

Nothing is fetched: the tables lie in the installed package. Source: Open Energy Database, wind turbine library, in
windpowerlib 0.2.2 (MIT), https://doi.org/10.5281/zenodo.824267. The tables are taken as they are: those of E-101/3050,
S152/6330 and V164/8000 hold more power at some speeds than Betz's limit allows for the rotor stated beside them.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd

from vpp.core.errors import MissingDataError, UnknownNameError
from vpp.core.units import kw_from_w
from vpp.simulation.wind.curve import Floats, PowerCurve

_USUAL_CUT_OUT_M_S = 25.0
_SHORT_TABLE_M_S = 20.0


def turbine_types() -> tuple[str, ...]:
    """Return the names of the turbines in the catalogue, sorted."""
    return tuple(sorted(_table("oedb/power_curves.csv").index))


@cache
def power_curve(name: str) -> PowerCurve:
    """Return the power curve of a turbine of the catalogue.

    Parameters
    ----------
    name : str
        Its type, as in ``turbine_types()``.

    Raises
    ------
    UnknownNameError
        When the catalogue has no such turbine; the message names the nearest.

    Examples
    --------
    >>> curve = power_curve("E-126/4200")
    >>> curve.rated_kw, curve.diameter_m, curve.power([10.0]).tolist()
    (4200.0, 127.0, [3120.0])
    """
    curves = _table("oedb/power_curves.csv")
    if name not in curves.index:
        raise UnknownNameError("turbine type", name, curves.index)
    row = curves.loc[name].dropna()
    speeds, power = row.index.to_numpy(dtype=np.float64), kw_from_w(row.to_numpy(dtype=np.float64))
    # one table of the catalogue (V90/2000) breaks off at 16.5 m/s at full power: the turbine does not
    if speeds[-1] < _SHORT_TABLE_M_S and power[-1] > 0.0:
        speeds, power = np.append(speeds, _USUAL_CUT_OUT_M_S), np.append(power, power[-1])
    return PowerCurve(name, speeds, power, float(_table("oedb/turbine_data.csv")["rotor_diameter"].loc[name]))


@cache
def farm_efficiency(name: str = "dena_mean") -> tuple[Floats, Floats]:
    """Return wind speeds [m/s] and the share of them (0-1) that is left inside a farm of unknown layout.

    Parameters
    ----------
    name : str
        ``dena_mean`` (12 farms in Germany: dena-Netzstudie II, 2010, p. 101), ``knorr_mean`` (over 2000 farms: Knorr,
        dissertation, Kassel 2016, p. 124), or one of their extremes.

    Raises
    ------
    UnknownNameError
        For another name.
    """
    tables = [_table(f"data/wind_efficiency_curves_{study}.csv") for study in ("dena", "knorr")]
    for table in tables:
        if name in table:
            column = table[name].dropna()
            return column.index.to_numpy(dtype=np.float64), column.to_numpy(dtype=np.float64)
    raise UnknownNameError("farm efficiency", name, [str(column) for table in tables for column in table])


@cache
def _table(path: str) -> pd.DataFrame:
    # the package is located, not imported: its import brings an HTTP client that nothing here needs
    spec = find_spec("windpowerlib")
    if spec is None or not spec.submodule_search_locations:
        raise MissingDataError("windpowerlib is not installed; its turbine tables come with: pip install vpp")
    table = pd.read_csv(Path(spec.submodule_search_locations[0]) / path, index_col=0)
    if path == "oedb/power_curves.csv":
        table.columns = table.columns.astype(np.float64)
    return table
