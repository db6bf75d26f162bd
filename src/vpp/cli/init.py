"""``vpp init``: a commented plant file to start from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vpp.cli.shared import writable_target
from vpp.core.errors import InvalidInputError

TEMPLATE = """\
# A plant for vpp. Check it with: vpp config validate {name}
name: My home
timezone: Europe/Amsterdam # IANA zone of the tariff's clock
currency: EUR
# location: {{latitude_deg: 52.1, longitude_deg: 5.2}}

# false: vpp advises; true: it sends commands to devices
control: false

# Past readings for `vpp backtest`, relative to this file: time, <asset-id>_kw, price_per_kwh, ...
# history: readings.csv

prices:
  # What a kWh drawn costs: (price + fee) * (1 + tax). Give exactly one of spot, price_per_kwh and time_of_use.
  import:
    spot: true # the column price_per_kwh of your readings
    fee_per_kwh: 0.02
    tax_fraction: 0.21
    # price_per_kwh: 0.30
    # time_of_use:
    #   - {{price_per_kwh: 0.40, days: weekdays, start: "17:00", end: "21:00"}}
    #   - {{price_per_kwh: 0.25}}
  # What a kWh fed in earns; without it the column export_price_per_kwh or the spot price
  export: {{price_per_kwh: 0.07}}
  # Local time at which tomorrow's spot prices are published; leave out when your data hold what is known
  # published: "13:00"

planning:
  resolution: 15min # length of a step; your readings are means over these steps
  horizon: 36h
  # plan_every: 15min
  # forecast_every: 1h
  # refit_every: 7d

sites:
  - id: home
    connection: {{import_max_kw: 17, export_max_kw: 17}}
    assets:
      - {{kind: load, id: load, peak_kw: 12}}
      - {{kind: solar, id: pv, peak_kw: 4.5}}
      - kind: battery
        id: battery
        capacity_kwh: 10
        power_kw: 5
        round_trip_efficiency: 0.9
        soc_min: 0.1
        soc_max: 0.9
        soc_initial: 0.5
        backup_soc: 0.2 # kept for an outage; left only when nothing else is feasible
        wear_cost_per_kwh: 0.02 # per kWh discharged
"""


def init(
    path: Annotated[Path, typer.Argument(help="Where to write it.")] = Path("my-plant.yaml"),
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Write a commented plant file to start from."""
    if path.suffix.lower() not in (".yaml", ".yml"):
        raise InvalidInputError("path", str(path), "a name ending in .yaml")
    if path.exists() and not force:
        raise InvalidInputError("path", str(path), "a file that is not there yet, or --force to replace it")
    writable_target(path, field="path")
    path.write_text(TEMPLATE.format(name=path.name), encoding="utf-8")
    typer.echo(f"Wrote {path}. Edit it, then: vpp config validate {path} && vpp up {path}")
