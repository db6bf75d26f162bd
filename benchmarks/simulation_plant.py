"""What a whole plant costs: one site with one of everything for a month, and a hundred thousand homes for a day.

CPU time of one process after a first run (imports and tables are not counted), medians. The site has a load, a roof, a
turbine, a battery, a car, a heat pump and a machine, 30 days at 5 minutes; its second row includes the JSON Lines. The
fleet is written to Parquet as it comes, its memory is the process's peak.
"""

from __future__ import annotations

import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from vpp.config import VPPConfig
from vpp.core.time import parse_time
from vpp.runtime.simulation import PlantSimulation
from vpp.runtime.simulation_files import write_fleet, write_records
from vpp.runtime.simulation_fleet import fleet_of
from vpp.simulation.plant import PlantRun

START = parse_time("2024-06-01T00:00Z")
PLANT: dict[str, Any] = {
    "name": "Everything",
    "timezone": "Europe/Amsterdam",
    "location": {"latitude_deg": 52.1, "longitude_deg": 5.2},
    "sites": [
        {
            "id": "home",
            "connection": {"import_max_kw": 17, "export_max_kw": 6},
            "assets": [
                {"kind": "load", "id": "house"},
                {"kind": "solar", "id": "roof", "peak_kw": 8, "curtailable": True},
                {"kind": "wind", "id": "mill", "rated_kw": 3},
                {"kind": "battery", "id": "battery", "capacity_kwh": 10, "power_kw": 5},
                {"kind": "ev_charger", "id": "car", "rated_kw": 11},
                {"kind": "heat_pump", "id": "heat", "rated_kw": 3},
                {"kind": "flexible_load", "id": "washer", "rated_kw": 2, "energy_kwh_per_day": 1.5},
            ],
        }
    ],
}
HOMES = 100_000
Row = dict[str, Any]


def run(*, repeats: int = 5, homes: int = HOMES) -> list[Row]:
    """Return one row per amount of work."""
    simulation = PlantSimulation(VPPConfig(PLANT), seed=1, resolution_s=300)
    month = timedelta(days=30)
    # another month every time, so that nothing is known from the one before
    starts = iter(START + number * month for number in range(2 * repeats + 2))

    def simulated() -> PlantRun:
        start = next(starts)
        return simulation.run(start, start + month)

    with tempfile.TemporaryDirectory() as folder:
        lines, parquet = Path(folder) / "month.jsonl", Path(folder) / "fleet.parquet"
        plain_s = _cpu_s(simulated, repeats)
        told_s = _cpu_s(lambda: write_records(simulation.columns(simulated()), lines), repeats)
        fleet = PlantSimulation(VPPConfig(PLANT), seed=1, resolution_s=900)
        day = START + timedelta(days=1)
        began = time.process_time()
        rows = write_fleet(fleet_of(fleet, homes, START, day), parquet, homes=homes)
        fleet_s = time.process_time() - began
    steps = 30 * 288
    peak_gib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    return [
        {
            "work": "one site, all assets, 30 days at 5 min",
            "cpu_s": plain_s,
            "bar_s": 0.15,
            "points_per_s": steps / plain_s,
        },
        {"work": "the same with its JSON Lines", "cpu_s": told_s, "bar_s": 0.5, "points_per_s": steps / told_s},
        {
            "work": f"{homes} homes x 96 steps to Parquet",
            "cpu_s": fleet_s,
            "bar_s": 60.0,
            "points_per_s": rows / fleet_s,
            "peak_gib": peak_gib,
            "bar_gib": 4.0,
        },
    ]


def _cpu_s(work: Callable[[], object], repeats: int) -> float:
    """Return the median CPU seconds of a call, after one that is not counted."""
    work()
    taken = []
    for _ in range(repeats):
        began = time.process_time()
        work()
        taken.append(time.process_time() - began)
    return statistics.median(taken)


if __name__ == "__main__":
    import json

    print(json.dumps(run(), indent=1))
