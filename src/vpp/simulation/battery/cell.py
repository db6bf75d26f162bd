"""Cells: what a physical battery is made of, as short tables of published numbers.

Open-circuit voltages and resistances are rounded points of the data that SimSES (Technical University of Munich,
https://doi.org/10.1016/j.est.2021.103743, BSD-3) gives for these cells. Not published there, hence assumed: how the
resistance splits between the series element and the RC pair, the pair's time constant, heat capacity and cooling of a
cell in a pack, and all resistances of the NMC cell.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from vpp.core.errors import InvalidInputError
from vpp.core.units import SECONDS_PER_HOUR
from vpp.simulation.battery.circuit import Tables
from vpp.simulation.battery.wear import NAUMANN, NO_LAW, SCHMALSTIEG

Law = Literal["none", "naumann", "schmalstieg"]
LAWS: dict[str, int] = {"none": NO_LAW, "naumann": NAUMANN, "schmalstieg": SCHMALSTIEG}
ZERO_C_K = 273.15
POINTS = 101
Points = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One kind of cell.

    Parameters
    ----------
    name : str
        For messages.
    capacity_ah : float
        Charge when new, above 0.
    ocv_v : tuple of pairs
        State of charge (0 to 1, ascending) and open-circuit voltage [V], never falling.
    resistance_temperature_c : tuple of float, length K
        Ascending, two or more.
    resistance_ohm : tuple of pairs
        State of charge (0 to 1, ascending) and K resistances [ohm], above 0: series and RC pair together.
    rc_share : float
        Share of the resistance at half charge and 25 C that belongs to the RC pair, in (0, 1).
    rc_tau_s : float
        Time constant of the pair, above 0.
    voltage_min_v, voltage_max_v : float
        Limits at the cell's terminals.
    charge_c_rate_max, discharge_c_rate_max : float
        Largest currents per capacity [1/h], above 0.
    heat_j_per_k, cooling_w_per_k : float
        Heat capacity and heat shed per kelvin above ambient, above 0.
    entropy_v_per_k : tuple of pairs
        State of charge and change of the open-circuit voltage with temperature [V/K]; 0 unless given.
    law : str
        Ageing law: none, naumann or schmalstieg.
    """

    name: str
    capacity_ah: float
    ocv_v: Points
    resistance_temperature_c: tuple[float, ...]
    resistance_ohm: tuple[tuple[float, tuple[float, ...]], ...]
    rc_share: float = 0.4
    rc_tau_s: float = 30.0
    voltage_min_v: float
    voltage_max_v: float
    charge_c_rate_max: float = 1.0
    discharge_c_rate_max: float = 2.0
    heat_j_per_k: float
    cooling_w_per_k: float
    entropy_v_per_k: Points = ((0.0, 0.0), (1.0, 0.0))
    law: Law = "none"

    def __post_init__(self) -> None:
        """Check every range."""
        for name in (
            "capacity_ah",
            "rc_tau_s",
            "charge_c_rate_max",
            "discharge_c_rate_max",
            "heat_j_per_k",
            "cooling_w_per_k",
        ):
            if not 0.0 < getattr(self, name) < np.inf:
                raise InvalidInputError(f"cell.{name}", getattr(self, name), "a finite number above 0")
        if not 0.0 < self.rc_share < 1.0:
            raise InvalidInputError("cell.rc_share", self.rc_share, "a share between 0 and 1, both excluded")
        if not 0.0 < self.voltage_min_v < self.voltage_max_v:
            raise InvalidInputError("cell.voltage_min_v", self.voltage_min_v, f"0 to {self.voltage_max_v} [V]")
        if self.law not in LAWS:
            raise InvalidInputError("cell.law", self.law, f"one of {', '.join(LAWS)}")
        for name in ("ocv_v", "resistance_ohm", "entropy_v_per_k"):
            at = np.array([row[0] for row in getattr(self, name)])
            if at.size < 2 or at[0] != 0.0 or at[-1] != 1.0 or not (np.diff(at) > 0.0).all():
                raise InvalidInputError(f"cell.{name}", at.tolist(), "states of charge ascending from 0 to 1")
        volts = np.array([row[1] for row in self.ocv_v])
        if not (volts[0] > 0.0 and (np.diff(volts) >= 0.0).all()):
            raise InvalidInputError("cell.ocv_v", volts.tolist(), "voltages above 0 that never fall with the charge")
        warm, ohms = np.array(self.resistance_temperature_c), [row[1] for row in self.resistance_ohm]
        if warm.size < 2 or not (np.diff(warm) > 0.0).all():
            raise InvalidInputError("cell.resistance_temperature_c", warm.tolist(), "two or more, ascending [C]")
        if any(len(row) != warm.size or min(row) <= 0.0 for row in ohms):
            raise InvalidInputError("cell.resistance_ohm", ohms, f"{warm.size} resistances above 0 in every row")

    @property
    def tables(self) -> Tables:
        """The numbers in the form the loop looks up."""
        soc = np.linspace(0.0, 1.0, POINTS)
        ocv = np.interp(soc, *np.array(self.ocv_v).T)
        rows = np.array([row[0] for row in self.resistance_ohm])
        ohms = np.array([row[1] for row in self.resistance_ohm])
        total = np.stack([np.interp(soc, rows, column) for column in ohms.T], axis=1)
        warm = np.array(self.resistance_temperature_c)
        rc_ohm = self.rc_share * float(np.interp(25.0, warm, total[POINTS // 2]))
        return Tables(
            ocv_v=ocv,
            area_v=np.concatenate(([0.0], np.cumsum((ocv[1:] + ocv[:-1]) / 2.0) / (POINTS - 1))),
            entropy_v_per_k=np.interp(soc, *np.array(self.entropy_v_per_k).T),
            resistance_ohm=(1.0 - self.rc_share) * total,
            temperature_k=warm + ZERO_C_K,
            rc_ohm=rc_ohm,
            rc_tau_s=self.rc_tau_s,
            capacity_as=self.capacity_ah * SECONDS_PER_HOUR,
            voltage_min_v=self.voltage_min_v,
            voltage_max_v=self.voltage_max_v,
            heat_j_per_k=self.heat_j_per_k,
            cooling_w_per_k=self.cooling_w_per_k,
            law=LAWS[self.law],
        )


LFP = Cell(
    name="LFP (Sony/Murata US26650, 3 Ah)",
    capacity_ah=3.0,
    ocv_v=(
        (0.0, 2.0),
        (0.01, 2.75),
        (0.02, 2.873),
        (0.03, 2.949),
        (0.05, 3.05),
        (0.1, 3.189),
        (0.15, 3.211),
        (0.2, 3.231),
        (0.25, 3.251),
        (0.3, 3.267),
        (0.35, 3.28),
        (0.4, 3.29),
        (0.5, 3.299),
        (0.6, 3.303),
        (0.7, 3.309),
        (0.75, 3.314),
        (0.8, 3.325),
        (0.85, 3.339),
        (0.9, 3.342),
        (0.98, 3.348),
        (0.99, 3.369),
        (1.0, 3.6),
    ),
    resistance_temperature_c=(10.0, 25.0, 40.0),
    resistance_ohm=(
        (0.0, (0.1243, 0.0496, 0.0373)),
        (0.1, (0.1243, 0.0496, 0.0373)),
        (0.2, (0.0700, 0.0459, 0.0358)),
        (0.4, (0.0670, 0.0468, 0.0363)),
        (0.6, (0.0663, 0.0460, 0.0364)),
        (0.8, (0.0670, 0.0467, 0.0366)),
        (1.0, (0.0710, 0.0480, 0.0370)),
    ),
    voltage_min_v=2.0,
    voltage_max_v=3.6,
    heat_j_per_k=90.0,
    cooling_w_per_k=0.05,
    law="naumann",
)
"""Lithium iron phosphate on graphite; resistances are means of both directions."""

NMC = Cell(
    name="NMC (Sanyo UR18650E, 2.05 Ah)",
    capacity_ah=2.05,
    ocv_v=(
        (0.0, 3.441),
        (0.05, 3.502),
        (0.1, 3.545),
        (0.2, 3.612),
        (0.3, 3.661),
        (0.4, 3.699),
        (0.5, 3.747),
        (0.6, 3.811),
        (0.7, 3.897),
        (0.8, 4.003),
        (0.9, 4.12),
        (1.0, 4.24),
    ),
    resistance_temperature_c=(10.0, 25.0, 40.0),
    resistance_ohm=((0.0, (0.14, 0.08, 0.06)), (0.2, (0.09, 0.055, 0.042)), (1.0, (0.085, 0.05, 0.04))),
    voltage_min_v=2.75,
    voltage_max_v=4.25,
    heat_j_per_k=45.0,
    cooling_w_per_k=0.03,
    law="schmalstieg",
)
"""Nickel manganese cobalt on graphite: voltages of a Molicel NMC cell, ageing of the Sanyo cell."""
CELLS: dict[str, Cell] = {"lfp": LFP, "nmc": NMC}
