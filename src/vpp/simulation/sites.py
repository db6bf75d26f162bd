"""Sites in one step: batteries hold their set-points, follow the meter where told, and the meter's limits hold.

Vectorised over sites. Grid power is positive when feeding in. Invariant: at every meter the grid power is the sum of
the powers behind it, and every battery obeys the energy balance of ``core.storage``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vpp.core.assets import Battery, Plant
from vpp.core.storage import StorageLimits, execute, power_band_kw

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SitesStep:
    """What happened at S sites with A batteries in one step.

    Parameters
    ----------
    battery_kw : float array, shape (A,)
        Battery powers; positive discharges.
    energy_kwh : float array, shape (A,)
        Stored energy at the end.
    curtailed_kw : float array, shape (S,)
        Generation left unused, non-negative.
    grid_kw : float array, shape (S,)
        Power at the meters.
    violation_kw : float array, shape (S,)
        Power beyond a connection's limit that nothing behind the meter could prevent, non-negative.
    """

    battery_kw: Floats
    energy_kwh: Floats
    curtailed_kw: Floats
    grid_kw: Floats
    violation_kw: Floats


@dataclass(frozen=True, slots=True)
class SetPoints:
    """What was commanded for one step.

    Parameters
    ----------
    battery_kw : float array, shape (A,)
        Set-points; positive discharges.
    floor_kw, ceiling_kw : float arrays, shape (A,)
        Grid power below which a battery raises, above which it lowers its power; -inf and inf for never.
    may_reverse : bool array, shape (A,)
        True where following may turn charging into discharging or back.
    generation_ceiling_kw : float array, shape (S,)
        Grid power above which curtailable generation is lowered; inf for never.
    """

    battery_kw: Floats
    floor_kw: Floats
    ceiling_kw: Floats
    may_reverse: NDArray[np.bool_]
    generation_ceiling_kw: Floats

    @classmethod
    def idle(cls, *, batteries: int, sites: int) -> SetPoints:
        """Return set-points that leave everything alone."""
        return cls(
            battery_kw=np.zeros(batteries),
            floor_kw=np.full(batteries, -np.inf),
            ceiling_kw=np.full(batteries, np.inf),
            may_reverse=np.zeros(batteries, dtype=bool),
            generation_ceiling_kw=np.full(sites, np.inf),
        )


class SiteBank:
    """The batteries and meters of a plant, ready to be stepped.

    Parameters
    ----------
    plant : Plant
        Its sites and batteries.
    """

    def __init__(self, plant: Plant) -> None:
        self.batteries: tuple[Battery, ...] = plant.batteries
        self.battery_site = np.array([i for i, site in enumerate(plant.sites) for _ in site.batteries], dtype=np.int64)
        self.import_max_kw = np.array([site.connection.import_max_kw for site in plant.sites])
        self.export_max_kw = np.array([site.connection.export_max_kw for site in plant.sites])
        self.limits = _limits(self.batteries)
        self._turns = _turns(self.battery_site)

    def step(
        self, energy_kwh: Floats, points: SetPoints, *, fixed_kw: Floats, curtailable_kw: Floats, duration_h: float
    ) -> SitesStep:
        """Return what one step did.

        Parameters
        ----------
        energy_kwh : float array, shape (A,)
            Stored energy at the start.
        points : SetPoints
            What was commanded.
        fixed_kw : float array, shape (S,)
            Uncontrolled power at each site, positive toward the grid.
        curtailable_kw : float array, shape (S,)
            Generation that may be curtailed, non-negative, not in ``fixed_kw``.
        duration_h : float
            Length of the step [h].
        """
        power, made_kw = self.settle(
            power_band_kw(energy_kwh, self.limits, duration_h=duration_h),
            points,
            fixed_kw=fixed_kw,
            curtailable_kw=curtailable_kw,
        )
        done = execute(energy_kwh, power, self.limits, duration_h=duration_h)
        return self.metered(
            done.power_kw, done.energy_kwh, made_kw, fixed_kw=fixed_kw, curtailed_kw=curtailable_kw - made_kw
        )

    def settle(
        self, band_kw: tuple[Floats, Floats], points: SetPoints, *, fixed_kw: Floats, curtailable_kw: Floats
    ) -> tuple[Floats, Floats]:
        """Return what batteries are to do and what generation is to be left, from commands, meters and limits.

        Parameters
        ----------
        band_kw : tuple of float arrays, shape (A,)
            Lowest and highest power each battery can hold for the step.
        points, fixed_kw, curtailable_kw
            As for ``step``.
        """
        low, high = band_kw
        power = np.clip(points.battery_kw, low, high)
        # following stops at rest unless it may reverse
        lowest = np.where(points.may_reverse | (power <= 0.0), low, 0.0)
        highest = np.where(points.may_reverse | (power >= 0.0), high, 0.0)
        made_kw = curtailable_kw
        self._follow(
            power, lowest, highest, floor=points.floor_kw, ceiling=points.ceiling_kw, other_kw=fixed_kw + made_kw
        )
        grid = fixed_kw + made_kw + self._by_site(power)
        most_kw = np.minimum(points.generation_ceiling_kw, self.export_max_kw)
        made_kw = made_kw - np.clip(grid - most_kw, 0.0, made_kw)
        # the connection comes before every set-point: what curtailment cannot hold, the batteries must
        self._follow(
            power,
            low,
            high,
            floor=-self.import_max_kw[self.battery_site],
            ceiling=self.export_max_kw[self.battery_site],
            other_kw=fixed_kw + made_kw,
        )
        return power, made_kw

    def metered(
        self, battery_kw: Floats, energy_kwh: Floats, made_kw: Floats, *, fixed_kw: Floats, curtailed_kw: Floats
    ) -> SitesStep:
        """Return the step with its meters, from what the batteries did and what generation was left."""
        grid = fixed_kw + made_kw + self._by_site(battery_kw)
        beyond = np.maximum(grid - self.export_max_kw, 0.0) + np.maximum(-grid - self.import_max_kw, 0.0)
        return SitesStep(battery_kw, energy_kwh, curtailed_kw, grid, beyond)

    def _by_site(self, power: Floats) -> Floats:
        return np.bincount(self.battery_site, weights=power, minlength=self.import_max_kw.size).astype(np.float64)

    def _follow(
        self, power: Floats, low: Floats, high: Floats, *, floor: Floats, ceiling: Floats, other_kw: Floats
    ) -> None:
        """Move ``power`` in place to keep the grid between floor and ceiling, one battery of each site at a time."""
        for turn in self._turns:
            site = self.battery_site[turn]
            grid = (other_kw + self._by_site(power))[site]
            lift = np.maximum(floor[turn] - grid, 0.0)
            drop = np.maximum(grid - ceiling[turn], 0.0)
            power[turn] = np.clip(power[turn] + lift - drop, low[turn], high[turn])


def _limits(batteries: tuple[Battery, ...]) -> StorageLimits:
    return StorageLimits(
        np.array([b.soc_min * b.capacity_kwh for b in batteries]),
        np.array([b.soc_max * b.capacity_kwh for b in batteries]),
        np.array([b.charge_max_kw for b in batteries]),
        np.array([b.discharge_max_kw for b in batteries]),
        np.array([b.charge_efficiency for b in batteries]),
        np.array([b.discharge_efficiency for b in batteries]),
    )


def _turns(battery_site: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Return index arrays: the first battery of every site, then the second of every site that has one, and so on."""
    rank = np.array([int((battery_site[:i] == site).sum()) for i, site in enumerate(battery_site)], dtype=np.int64)
    return [np.flatnonzero(rank == turn) for turn in range(int(rank.max()) + 1)] if rank.size else []
