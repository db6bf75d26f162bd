"""The planning problem as columns: what is known about a horizon, and nothing about how it is solved."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from math import inf

import numpy as np
from numpy.typing import NDArray

from vpp.core.assets import Battery
from vpp.core.errors import InvalidInputError, SeriesMismatchError
from vpp.core.time import TimeGrid
from vpp.optimization.flexible import DeferrableLoad, DeferrableRun, EvSession, HeatedHouse
from vpp.optimization.problem_checks import check_additions
from vpp.optimization.reserve import Reserve
from vpp.optimization.wear import WearCurve

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanProblem:
    """Everything a planner may use for one decision.

    Sites exchange with the grid through their own meter; a battery stands at one site. T steps, S sites, A batteries.
    What follows ``final_soc_min`` is optional: a problem without it costs nothing more to plan.

    Parameters
    ----------
    plant : str
        Plant id.
    issued_at : datetime
        Moment of decision, aware.
    grid : TimeGrid
        The T steps, T >= 1.
    site_ids : tuple of str
        The S sites.
    batteries : tuple of Battery
        The A batteries.
    battery_site : tuple of int, length A
        Site index of each battery.
    initial_soc : float array, shape (A,)
        State of charge at the start (0-1); may lie outside the battery's band, which the plan then returns to.
    fixed_kw : float array, shape (T, S)
        Power that is not controlled, positive toward the grid: firm generation minus consumption.
    curtailable_kw : float array, shape (T, S)
        Generation that may be left unused, non-negative; not contained in ``fixed_kw``.
    import_price_per_kwh, export_price_per_kwh : float arrays, shape (T, S)
        Paid per kWh drawn, earned per kWh fed in [currency/kWh]; any sign.
    import_max_kw, export_max_kw : float arrays, shape (S,)
        Limits of the connections, non-negative; infinity for none.
    terminal_value_per_kwh : float array, shape (A,)
        Worth of a kWh stored at the end of the horizon [currency/kWh].
    committed_kw : float array, shape (T, S)
        Grid power sold ahead (positive feeds in); NaN where nothing is sold.
    imbalance_spread_per_kwh : float
        Paid per kWh by which the grid power misses ``committed_kw``, either way, 0 or more.
    price_known : bool array, shape (T,)
        True where the prices are published; elsewhere they are forecast.
    final_soc_min : float array, shape (A,), or None
        State of charge to end with at least (0-1); a soft floor like ``backup_soc``. None asks for nothing.
    ev_sessions : tuple of EvSession
        Cars to be charged; sessions of one charging point do not overlap.
    heated_houses : tuple of HeatedHouse
        Heat pumps with their houses.
    deferrable_loads : tuple of DeferrableLoad
        Machines that need energy in a window and may pause.
    deferrable_runs : tuple of DeferrableRun
        Machines that run once through a fixed profile.
    portfolio_import_max_kw, portfolio_export_max_kw : float
        Limits of the net exchange of all sites together, non-negative; infinity for none.
    demand_charge_per_kw : float array, shape (S,), or None
        Paid per kW by which the horizon's highest import of a meter exceeds ``peak_so_far_kw``, 0 or more.
    peak_so_far_kw : float array, shape (S,), or None
        Highest import that the billing period has already seen, 0 or more; None: 0.
    carbon_price_per_kg : float
        Paid per kg emitted [currency/kg], 0 or more.
    carbon_kg_per_kwh : float array, shape (T, S), or None
        Emitted per kWh drawn, 0 or more; None: nothing.
    reserve : Reserve or None
        Power to be held ready by the batteries.
    wear_curves : tuple of (WearCurve or None), length A or 0
        Wear by depth of each battery, in place of its flat ``wear_cost_per_kwh``; empty: flat for all.
    """

    plant: str
    issued_at: datetime
    grid: TimeGrid
    site_ids: tuple[str, ...]
    batteries: tuple[Battery, ...]
    battery_site: tuple[int, ...]
    initial_soc: Floats
    fixed_kw: Floats
    curtailable_kw: Floats
    import_price_per_kwh: Floats
    export_price_per_kwh: Floats
    import_max_kw: Floats
    export_max_kw: Floats
    terminal_value_per_kwh: Floats
    committed_kw: Floats
    imbalance_spread_per_kwh: float
    price_known: NDArray[np.bool_]
    final_soc_min: Floats | None = None
    ev_sessions: tuple[EvSession, ...] = ()
    heated_houses: tuple[HeatedHouse, ...] = ()
    deferrable_loads: tuple[DeferrableLoad, ...] = ()
    deferrable_runs: tuple[DeferrableRun, ...] = ()
    portfolio_import_max_kw: float = inf
    portfolio_export_max_kw: float = inf
    demand_charge_per_kw: Floats | None = None
    peak_so_far_kw: Floats | None = None
    carbon_price_per_kg: float = 0.0
    carbon_kg_per_kwh: Floats | None = None
    reserve: Reserve | None = None
    wear_curves: tuple[WearCurve | None, ...] = ()

    def __post_init__(self) -> None:
        """Check shapes and ranges, naming the field, the value and the range."""
        steps, sites, batteries = self.grid.count, len(self.site_ids), len(self.batteries)
        if steps < 1:
            raise InvalidInputError("grid", steps, "at least one step")
        shapes: dict[str, tuple[int, ...]] = {
            "fixed_kw": (steps, sites),
            "curtailable_kw": (steps, sites),
            "import_price_per_kwh": (steps, sites),
            "export_price_per_kwh": (steps, sites),
            "committed_kw": (steps, sites),
            "price_known": (steps,),
            "import_max_kw": (sites,),
            "export_max_kw": (sites,),
            "initial_soc": (batteries,),
            "terminal_value_per_kwh": (batteries,),
        }
        for name, shape in shapes.items():
            value = getattr(self, name)
            if value.shape != shape:
                raise SeriesMismatchError(name, value.shape, f"shape {shape}")
            if name in ("committed_kw", "price_known", "import_max_kw", "export_max_kw"):
                continue
            if not np.isfinite(value).all():
                where = tuple(int(i) for i in np.argwhere(~np.isfinite(value))[0])
                raise InvalidInputError(f"{name}{list(where)}", float(value[where]), "a finite number")
        for name in ("curtailable_kw", "import_max_kw", "export_max_kw"):
            value = getattr(self, name)
            if not (value >= 0.0).all():
                raise InvalidInputError(name, float(np.nanmin(value)), "0 or more [kW]")
        if not ((self.initial_soc >= 0.0) & (self.initial_soc <= 1.0)).all():
            raise InvalidInputError("initial_soc", self.initial_soc.tolist(), "fractions, 0 to 1")
        if len(self.battery_site) != batteries or any(not 0 <= site < sites for site in self.battery_site):
            raise InvalidInputError("battery_site", self.battery_site, f"{batteries} indices of {sites} sites")
        if not (np.isfinite(self.imbalance_spread_per_kwh) and self.imbalance_spread_per_kwh >= 0.0):
            raise InvalidInputError("imbalance_spread_per_kwh", self.imbalance_spread_per_kwh, "0 or more")
        if np.isinf(self.committed_kw).any():
            raise InvalidInputError(
                "committed_kw", "an infinite power", "finite powers [kW], NaN where nothing is sold"
            )
        self._check_final_soc()
        check_additions(self)

    def _check_final_soc(self) -> None:
        """Check the floor at the end, which few problems have."""
        if self.final_soc_min is None:
            return
        if self.final_soc_min.shape != (len(self.batteries),):
            raise SeriesMismatchError("final_soc_min", self.final_soc_min.shape, f"shape {(len(self.batteries),)}")
        highest = np.array([battery.soc_max for battery in self.batteries])
        if not ((self.final_soc_min >= 0.0) & (self.final_soc_min <= highest)).all():
            raise InvalidInputError("final_soc_min", self.final_soc_min.tolist(), "fractions, 0 to soc_max")

    @property
    def flexible(self) -> bool:
        """True when something besides batteries can be planned."""
        return bool(self.ev_sessions or self.heated_houses or self.deferrable_loads or self.deferrable_runs)

    @property
    def coupled(self) -> bool:
        """True when sites share a limit or a duty, so that none can be planned alone."""
        return len(self.site_ids) > 1 and (
            self.portfolio_import_max_kw < inf or self.portfolio_export_max_kw < inf or self.reserve is not None
        )

    @property
    def goals(self) -> tuple[EvSession | DeferrableLoad, ...]:
        """Everything that needs energy within a window, cars first."""
        return self.ev_sessions + self.deferrable_loads

    @property
    def import_cost_per_kwh(self) -> Floats:
        """Paid per kWh drawn, with carbon [currency/kWh], shape (T, S)."""
        if self.carbon_kg_per_kwh is None or self.carbon_price_per_kg == 0.0:
            return self.import_price_per_kwh
        return self.import_price_per_kwh + self.carbon_price_per_kg * self.carbon_kg_per_kwh

    def at_site(self, site: int) -> PlanProblem:
        """Return the problem of one site, which stands alone because sites share nothing.

        Raises
        ------
        InvalidInputError
            When sites share a limit or reserve: such a problem has no parts.
        """
        if self.coupled:
            raise InvalidInputError("site", site, "a problem whose sites share no portfolio limit and no reserve")
        mine = [index for index, where in enumerate(self.battery_site) if where == site]
        here = slice(site, site + 1)
        return replace(
            self,
            site_ids=self.site_ids[here],
            batteries=tuple(self.batteries[index] for index in mine),
            battery_site=(0,) * len(mine),
            initial_soc=self.initial_soc[mine],
            fixed_kw=self.fixed_kw[:, here],
            curtailable_kw=self.curtailable_kw[:, here],
            import_price_per_kwh=self.import_price_per_kwh[:, here],
            export_price_per_kwh=self.export_price_per_kwh[:, here],
            import_max_kw=self.import_max_kw[here],
            export_max_kw=self.export_max_kw[here],
            terminal_value_per_kwh=self.terminal_value_per_kwh[mine],
            committed_kw=self.committed_kw[:, here],
            final_soc_min=None if self.final_soc_min is None else self.final_soc_min[mine],
            ev_sessions=tuple(replace(one, site=0) for one in self.ev_sessions if one.site == site),
            heated_houses=tuple(replace(one, site=0) for one in self.heated_houses if one.site == site),
            deferrable_loads=tuple(replace(one, site=0) for one in self.deferrable_loads if one.site == site),
            deferrable_runs=tuple(replace(one, site=0) for one in self.deferrable_runs if one.site == site),
            demand_charge_per_kw=None if self.demand_charge_per_kw is None else self.demand_charge_per_kw[here],
            peak_so_far_kw=None if self.peak_so_far_kw is None else self.peak_so_far_kw[here],
            carbon_kg_per_kwh=None if self.carbon_kg_per_kwh is None else self.carbon_kg_per_kwh[:, here],
            wear_curves=tuple(self.wear_curves[index] for index in mine) if self.wear_curves else (),
        )
