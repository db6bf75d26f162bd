"""A home's week: sun, load, car, battery and meter, in June and in January.

Run it with ``python examples/home_week.py [FOLDER]``; the plot lands in the folder (here by default).
"""

# %% The home, as a plant file would say it
import sys
from datetime import timedelta
from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt

from vpp import VPPConfig
from vpp.core.time import parse_time
from vpp.simulation.plant import simulate

plt.switch_backend("agg")
FOLDER = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
plant = VPPConfig(
    {
        "name": "A home near Utrecht",
        "timezone": "Europe/Amsterdam",
        "location": {"latitude_deg": 52.1, "longitude_deg": 5.2},
        "sites": [
            {
                "id": "home",
                "assets": [
                    {"kind": "load", "id": "house", "annual_energy_kwh": 3500},
                    {"kind": "solar", "id": "roof", "peak_kw": 6, "tilt_deg": 35, "azimuth_deg": 160},
                    {"kind": "battery", "id": "battery", "capacity_kwh": 10, "power_kw": 5},
                    {"kind": "ev_charger", "id": "car", "rated_kw": 7.4, "sessions_per_week": 3},
                    {"kind": "heat_pump", "id": "heat", "rated_kw": 3, "thermal_resistance_k_per_kw": 5},
                ],
            }
        ],
    }
).plant

# %% A week of each, the battery following the meter
weeks = {
    name: simulate(plant, parse_time(start), parse_time(start) + timedelta(days=7), 900, seed=4)
    for name, start in (("June", "2024-06-10T00:00+02:00"), ("January", "2024-01-15T00:00+01:00"))
}
for name, week in weeks.items():
    made = week.assets["roof"].power_kw.sum() / 4
    drawn = np.minimum(week.sites["home"].grid_kw, 0.0).sum() / -4
    used = sum(week.assets[asset].power_kw.sum() for asset in ("house", "car", "heat")) / -4
    print(f"{name}: {made:.0f} kWh of sun, {used:.0f} kWh used, {drawn:.0f} kWh from the grid ({drawn / used:.0%})")

# %% The plot
figure, axes = plt.subplots(2, 2, figsize=(11, 5.5), sharex="col", layout="constrained")
for column, (name, week) in enumerate(weeks.items()):
    days = np.arange(week.grid.count) / 96
    top, bottom = axes[:, column]
    top.set_title(name, fontsize=10)
    for asset, colour in (("roof", "#e6ab02"), ("house", "#666666"), ("car", "#7570b3"), ("heat", "#d95f02")):
        top.plot(days, week.assets[asset].power_kw, label=asset, color=colour, lw=0.8)
    bottom.plot(days, week.sites["home"].grid_kw, color="#1f78b4", lw=0.8, label="meter [kW]")
    bottom.plot(days, 10 * week.assets["battery"].soc, color="#1b9e77", lw=0.8, label="battery [kWh]")
    bottom.set_xlabel("day")
axes[0, 0].set_ylabel("kW, toward the grid positive")
axes[0, 0].legend(fontsize=8, frameon=False, ncol=4)
axes[1, 0].legend(fontsize=8, frameon=False)
figure.savefig(FOLDER / "home_week.png", dpi=80)
