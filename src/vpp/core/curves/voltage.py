"""Voltage: Volt-VAR, Volt-Watt and watt-var of IEEE 1547-2018, in per unit of nominal voltage and of rating."""

from __future__ import annotations

from math import nan

from vpp.core.curves.shape import ResponseCurve
from vpp.core.errors import InvalidInputError, UnknownNameError

VOLT_VAR_CURVES: dict[str, ResponseCurve] = {
    "A": ResponseCurve(
        "volt-var A", ((0.9, 0.25), (1.0, 0.0), (1.1, -0.25)), 1.0, "IEEE 1547-2018, Category A default", full_s=10.0
    ),
    "B": ResponseCurve(
        "volt-var B",
        ((0.92, 0.44), (0.98, 0.0), (1.02, 0.0), (1.08, -0.44)),
        1.0,
        "IEEE 1547-2018, Category B default",
        full_s=5.0,
    ),
}

_LEAST_POWER_PU = 0.2


def volt_watt_curve(category: str, *, power_min_pu: float = _LEAST_POWER_PU) -> ResponseCurve:
    """Return the largest active power [pu of rating] over voltage [pu], 1 up to 1.06 pu and falling to 1.10 pu.

    Parameters
    ----------
    category : str
        "A" or "B".
    power_min_pu : float
        Least power the resource can hold (0-1). Category A ends at the lesser of 0.2 and this; 0 for a storage that
        can absorb. Category B ends at 0.2.

    Returns
    -------
    ResponseCurve
        A limit, not a response. ``confirmed`` is False: the end point rests on memory (OpenDER's file uses 0 for A).

    Raises
    ------
    UnknownNameError, InvalidInputError
        For another category, or a power outside 0 to 1.

    Examples
    --------
    >>> round(volt_watt_curve("B")(1.08), 9), round(volt_watt_curve("A", power_min_pu=0.0)(1.08), 9)
    (0.6, 0.5)
    """
    if category not in ("A", "B"):
        raise UnknownNameError("category", category, ("A", "B"))
    if not 0.0 <= power_min_pu <= 1.0:
        raise InvalidInputError("power_min_pu", power_min_pu, "a fraction of the rating, 0 to 1")
    end = min(_LEAST_POWER_PU, power_min_pu) if category == "A" else _LEAST_POWER_PU
    return ResponseCurve(
        f"volt-watt {category}",
        ((1.06, 1.0), (1.1, end)),
        nan,
        "IEEE 1547-2018 default as in OpenDER; power at 1.10 pu to be confirmed",
        confirmed=False,
        full_s=10.0,
    )


VOLT_WATT_CURVES: dict[str, ResponseCurve] = {category: volt_watt_curve(category) for category in ("A", "B")}

WATT_VAR_CURVES: dict[str, ResponseCurve] = {
    "B": ResponseCurve(
        "watt-var B", ((0.2, 0.0), (0.5, 0.0), (1.0, -0.44)), nan, "IEEE 1547-2018, Category B default, as in OpenDER"
    ),
}
