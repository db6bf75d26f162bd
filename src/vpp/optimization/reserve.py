"""Reserve: power that batteries hold ready, up (more toward the grid) and down, sold at a price or required.

What is promised in a step is held as power and as energy at the step's start and at its end, so that, called at any
moment of the step and for as long as ``sustain_h`` within it, it is there beside the plan; behind the meter and within
the connection's limits. Repeated calls are beyond the promise: a plan is made anew after each.
Energy below a soft floor (``backup_soc``, ``final_soc_min``) is promised only where a duty leaves nothing else: being
there after a call is penalised like being there. A battery that starts outside its band promises nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vpp.core.errors import InvalidInputError, SeriesMismatchError
from vpp.optimization.flexible import require

Floats = NDArray[np.float64]
DIRECTIONS = ("up", "down")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reserve:
    """What reserve is worth, and how much is owed, over the batteries of all sites. None leaves a direction as it is.

    Parameters
    ----------
    sustain_h : float
        How long a call may last, above 0.
    up_price_per_kwh, down_price_per_kwh : float array, shape (T,), or None
        Earned per kW held for an hour [currency/(kW h)], 0 or more; None: not sold.
    up_required_kw, down_required_kw : float array, shape (T,), or None
        Owed in each step, 0 or more; None: nothing.
    up_max_kw, down_max_kw : float array, shape (T,), or None
        The most that can be promised, at least what is owed; None: no limit.
    """

    sustain_h: float
    up_price_per_kwh: Floats | None = None
    down_price_per_kwh: Floats | None = None
    up_required_kw: Floats | None = None
    down_required_kw: Floats | None = None
    up_max_kw: Floats | None = None
    down_max_kw: Floats | None = None

    def __post_init__(self) -> None:
        """Check what does not depend on the horizon."""
        require("reserve", "sustain_h", self.sustain_h, low=1e-6, unit="h")

    def offers(self, direction: str) -> bool:
        """Return whether a direction is sold or owed."""
        return getattr(self, f"{direction}_price_per_kwh") is not None or (
            getattr(self, f"{direction}_required_kw") is not None
        )

    def series(self, direction: str, name: str, steps: int) -> Floats:
        """Return a series of a direction, with the value that None stands for."""
        value: Floats | None = getattr(self, f"{direction}_{name}")
        return np.full(steps, np.inf if name == "max_kw" else 0.0) if value is None else value

    def check(self, steps: int) -> None:
        """Check shapes and ranges, naming field, value and range."""
        for direction in DIRECTIONS:
            for name in ("price_per_kwh", "required_kw", "max_kw"):
                value: Floats | None = getattr(self, f"{direction}_{name}")
                field = f"reserve.{direction}_{name}"
                if value is None:
                    continue
                if value.shape != (steps,):
                    raise SeriesMismatchError(field, value.shape, f"shape {(steps,)}")
                good = (value >= 0.0) & (np.isfinite(value) | (name == "max_kw"))
                if not good.all():
                    where = int(np.argmin(good))
                    raise InvalidInputError(f"{field}[{where}]", float(value[where]), "a finite number, 0 or more")
            most, owed = self.series(direction, "max_kw", steps), self.series(direction, "required_kw", steps)
            if not (most >= owed).all():
                where = int(np.argmin(most >= owed))
                text = f"at least {direction}_required_kw ({owed[where]:g} kW)"
                raise InvalidInputError(f"reserve.{direction}_max_kw[{where}]", float(most[where]), text)
