"""A wind farm's wake: what ten turbines lose to each other, by the direction of the wind.

Run it with ``python examples/wind_wake.py [FOLDER]``; the plot lands in the folder (here by default).
"""

# %% Two rows of five turbines, six diameters apart
import sys
from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt

from vpp.simulation.wind.catalogue import power_curve
from vpp.simulation.wind.farm import FarmLayout, farm_power
from vpp.simulation.wind.wake import GaussianWake, JensenWake

plt.switch_backend("agg")
FOLDER = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
curve = power_curve("V80/2000")
apart = 6.0 * curve.diameter_m
farm = FarmLayout(east_m=np.repeat(np.arange(5.0), 2) * apart, north_m=np.tile(np.arange(2.0), 5) * apart, curve=curve)

# %% Nine metres per second from every direction, by two models of the wake
direction = np.arange(0.0, 360.0, 1.0)
speed = np.full(direction.size, 9.0)
wakes = {"Jensen": JensenWake(), "Gaussian": GaussianWake()}
kept = {
    name: (done := farm_power(farm, speed, direction, wake=wake)).power_kw.sum(axis=1) / done.free_power_kw
    for name, wake in wakes.items()
}
for name, share in kept.items():
    worst = int(share.argmin())
    print(f"{name}: {1 - share.mean():.1%} lost on average, {1 - share[worst]:.0%} with the wind from {worst} degrees")

# %% The wind inside the farm when it blows along the rows
along = farm_power(farm, np.array([9.0]), np.array([270.0]), wake=wakes["Gaussian"]).wind_speed_m_s[0]
print("wind at the turbines of one row, from the west [m/s]:", np.round(along[::2], 2))

# %% The plot
figure, (rose, plan) = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
for name, share in kept.items():
    rose.plot(direction, 100 * share, label=name, lw=1)
rose.set_xlabel("wind from [deg]")
rose.set_ylabel("power left [% of turbines that stand alone]")
rose.legend(fontsize=8, frameon=False)
shown = plan.scatter(farm.east_m, farm.north_m, c=along, s=160, cmap="viridis")
figure.colorbar(shown, ax=plan, label="wind at the hub [m/s], from the west at 9 m/s")
plan.set_xlabel("east [m]")
plan.set_ylabel("north [m]")
plan.set_aspect("equal")
figure.savefig(FOLDER / "wind_wake.png", dpi=80)
