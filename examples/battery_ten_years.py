"""Ten years of a battery: two chemistries, one cycle a day, what is left of them.

Run it with ``python examples/battery_ten_years.py [FOLDER]``; the plot lands in the folder (here by default). With
``pip install vpp[fast]`` it takes a second, without it half a minute.
"""

# %% Two batteries of the same size
import sys
from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt

from vpp.simulation.battery import LFP, NMC, PhysicalBattery

plt.switch_backend("agg")
FOLDER = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
HOURS = 10 * 365 * 24
hour = np.arange(HOURS)
batteries = {
    name: PhysicalBattery(cell=cell, capacity_kwh=10.0, charge_max_kw=5.0, discharge_max_kw=5.0)
    for name, cell in (("LFP", LFP), ("NMC", NMC))
}

# %% Charged at noon, emptied in the evening, in a cellar that follows the seasons
request_kw = np.select([(hour % 24 >= 11) & (hour % 24 < 15), (hour % 24 >= 18) & (hour % 24 < 22)], [-2.0, 2.0], 0.0)
cellar_c = 17.0 - 6.0 * np.cos(2 * np.pi * hour / 8766)
years = {
    name: battery.run(battery.initial(0.3), request_kw[:, None], duration_h=1.0, ambient_c=cellar_c[:, None]).record
    for name, battery in batteries.items()
}
for name, record in years.items():
    given = np.maximum(record.power_kw, 0.0).sum()
    taken = -np.minimum(record.power_kw, 0.0).sum()
    print(
        f"{name}: {record.state_of_health[-1, 0]:.1%} of the capacity left after "
        f"{record.equivalent_full_cycles[-1, 0]:.0f} full cycles; {given / taken:.1%} of the energy came back"
    )

# %% The plot
figure, (health, day) = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
for name, record in years.items():
    health.plot(hour[::240] / 8766, 100 * record.state_of_health[::240, 0], label=name)
    day.plot(100 * record.soc[:48, 0], label=f"{name}, first days", lw=1)
    day.plot(100 * record.soc[-48:, 0], label=f"{name}, last days", lw=1, ls="--")
health.set_xlabel("year")
health.set_ylabel("capacity left [%]")
health.legend(fontsize=8, frameon=False)
day.set_xlabel("hour")
day.set_ylabel("state of charge [%]")
day.legend(fontsize=8, frameon=False)
figure.savefig(FOLDER / "battery_ten_years.png", dpi=80)
