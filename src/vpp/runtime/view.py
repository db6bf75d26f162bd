"""The view of a running plant: what a face may ask, as plain JSON values. Thread-safe; only posts change anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from datetime import datetime, timedelta
from typing import Any

from vpp.core.assets import Asset
from vpp.core.errors import InvalidInputError, MissingDataError
from vpp.core.messages import POWER_KW, SOC, Schedule, SeriesKey
from vpp.core.ports import SeriesTable
from vpp.optimization.explain import Explanation, explain
from vpp.runtime.documents import (
    forecast_document,
    moment,
    number,
    schedule_document,
    table_document,
)
from vpp.runtime.forecasts import with_age
from vpp.runtime.hub import Subscription
from vpp.runtime.live import LivePlant
from vpp.runtime.posted import readings_of
from vpp.runtime.running_money import running_money
from vpp.runtime.sampled import MOST_CELLS, Sampling, check_cells, sampled_document
from vpp.runtime.telemetry_desk import TelemetryDesk
from vpp.runtime.totals import coarse_grid, overview_of


class PlantView:
    """One running plant, for the API and the page.

    Parameters
    ----------
    live : LivePlant
        The plant.
    """

    def __init__(self, live: LivePlant) -> None:
        self._live = live
        self._setup = live.setup
        self.plant_id = live.setup.plant.id
        self._desk = TelemetryDesk(live.setup.plant, live.store, live.clock, on_kept=self._tell_kept)

    @property
    def now(self) -> datetime:
        """The plant's present: the start of the step it is in."""
        return self._live.last_tick or self._live.start

    def describe(self) -> dict[str, Any]:
        """Return the plant's facts and its state."""
        setup, live = self._setup, self._live
        events = self._live.store.events(self.plant_id, most=1)
        plan = live.assembly.planning.current
        return {
            "id": self.plant_id,
            "name": setup.plant.name,
            "timezone": setup.timezone.key,
            "currency": setup.plant.currency,
            "control": setup.control,
            "strategy": setup.strategy,
            "mode": "live" if live.speed is None else "replay",
            "speed": live.speed,
            "now": moment(self.now),
            "started_at": moment(live.start),
            "ends_at": None if live.end is None else moment(live.end),
            "resolution_s": setup.resolution_s,
            "horizon_s": setup.horizon_s,
            "sites": [
                {
                    "id": site.id,
                    "import_max_kw": number(site.connection.import_max_kw),
                    "export_max_kw": number(site.connection.export_max_kw),
                    "assets": [_facts(asset) for asset in site.assets],
                }
                for site in setup.plant.sites
            ],
            "status": {
                "ticks": live.ticks,
                "last_tick": None if live.last_tick is None else moment(live.last_tick),
                "last_plan_status": None if plan is None else str(plan.schedule.status),
                "last_event": None if not events else events[0].message,
            },
        }

    def assets(self) -> list[dict[str, Any]]:
        """Return every asset with its newest measured state."""
        latest = self._live.store.latest(self.plant_id)
        newest = {} if latest is None else {row.key: row for row in latest.rows()}
        answer = []
        for site in self._setup.plant.sites:
            for asset in site.assets:
                power = newest.get(SeriesKey(asset.id, POWER_KW))
                soc = newest.get(SeriesKey(asset.id, SOC))
                answer.append(
                    {
                        "id": asset.id,
                        "kind": asset.kind,
                        "site": site.id,
                        "power_kw": None if power is None else number(power.value),
                        "soc": None if soc is None else number(soc.value),
                        "time": None if power is None else moment(power.time),
                    }
                )
        return answer

    def readings(
        self,
        start: datetime,
        end: datetime,
        *,
        keys: Sequence[str] | None = None,
        most_points: int = 2000,
        sampling: Sampling = "mean",
    ) -> dict[str, Any]:
        """Return measured series of at most ``most_points`` values each.

        They are means over steps long enough or, with another sampling, the values as measured that draw the curve.
        """
        known = {
            str(key): key
            for key in (
                *self._setup.power_keys,
                *self._setup.battery_keys,
                *self._setup.soc_keys,
                *self._setup.meter_keys,
            )
        }
        for name in keys or ():
            if name not in known:
                raise InvalidInputError("keys", name, f"series such as {', '.join(list(known)[:3])}")
        chosen = tuple(known[name] for name in keys) if keys else tuple(known.values())
        if sampling == "mean":
            return table_document(self._table(chosen, start, end, most_points))
        grid = coarse_grid(start, end, self._setup.resolution_s, MOST_CELLS)
        check_cells(len(grid), len(chosen))
        table = self._live.store.series(self.plant_id, chosen, grid, reading_s=self._setup.resolution_s)
        return sampled_document(table, sampling, most_points)

    def overview(self, start: datetime, end: datetime, *, site: str | None = None) -> dict[str, Any]:
        """Return totals of the plant or of one site: measured up to now, planned and forecast from now."""
        return overview_of(self._live, start, end, now=self.now, site_id=site)

    def forecasts(self) -> list[dict[str, Any]]:
        """Return the newest forecast of every series."""
        every_s = max(self._setup.forecast_every_s, self._setup.resolution_s)
        latest = self._live.assembly.loop.forecasts.latest.values()
        return [forecast_document(with_age(forecast, self.now, every_s)) for forecast in latest]

    def schedule(self) -> dict[str, Any] | None:
        """Return the schedule in force; None before the first plan."""
        plan = self._live.assembly.planning.current
        return None if plan is None else schedule_document(plan.schedule, initial_soc=plan.problem.initial_soc)

    def explain(self, asset_id: str, time: datetime) -> dict[str, Any]:
        """Return why a battery does what it does at a time, in words and as data.

        Raises
        ------
        UnknownNameError
            When no controllable asset has that id.
        MissingDataError
            When no plan covered that time.
        """
        issued = self._live.assembly.planning.in_force(time)
        schedule = issued.schedule if issued is not None else self._live.store.schedule(self.plant_id, issued_by=time)
        if schedule is None or not schedule.grid.start <= time < schedule.grid.end:
            raise MissingDataError(f"no plan covers {moment(time)}")
        currency = self._setup.plant.currency
        if issued is not None:
            told = explain(issued.problem, schedule, asset_id, time, currency, time_limit_s=2.0)
        else:
            told = _without_problem(schedule, asset_id, schedule.grid.index(time), currency)
        data = {name: number(value) if isinstance(value, float) else value for name, value in told.data.items()}
        return {"issued_at": moment(schedule.issued_at), **data, "sentence": told.words}

    def money(self) -> dict[str, Any]:
        """Return the cost so far beside the cost the same loads and sun would have had without batteries."""
        return running_money(self._live, self.now)

    def commands(self, start: datetime, end: datetime) -> list[dict[str, Any]]:
        """Return the commands of steps that start in ``[start, end)``, with their answers."""
        acks = {ack.command_id: ack for ack in self._live.store.acks(self.plant_id, start, end + timedelta(days=1))}
        answer = []
        for command in self._live.store.commands(self.plant_id, start, end):
            ack = acks.get(command.id)
            answer.append(
                {
                    "id": command.id,
                    "asset": command.asset_id,
                    "start": moment(command.start),
                    "end": moment(command.end),
                    "power_kw": number(command.power_kw),
                    "grid_floor_kw": command.grid_floor_kw,
                    "grid_ceiling_kw": command.grid_ceiling_kw,
                    "may_reverse": command.may_reverse,
                    "status": "open" if ack is None else str(ack.status),
                    "measured_kw": None if ack is None or ack.power_kw is None else number(ack.power_kw),
                    "message": "" if ack is None else ack.message,
                }
            )
        return answer

    def events(self, most: int = 100) -> list[dict[str, Any]]:
        """Return the newest events, newest first."""
        return [
            {
                "at": moment(event.at),
                "kind": event.kind,
                "severity": str(event.severity),
                "message": event.message,
                "fields": dict(event.fields),
            }
            for event in self._live.store.events(self.plant_id, most=most)
        ]

    def post_readings(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Keep posted readings, all or none.

        Raises
        ------
        InvalidInputError
            When any row is wrong; its index, field and range are named.
        """
        readings = readings_of(rows, self._setup, now=self._live.clock.now())
        new = self._live.store.write_readings(readings)
        self._live.hub.publish({"topic": "readings", "count": len(readings)})
        return {"accepted": len(readings), "new": new}

    def post_telemetry(self, node: str, messages: Sequence[bytes]) -> dict[str, Any]:
        """Keep messages of one node as they go over the bus, each once, and return what became of them.

        Raises
        ------
        InvalidInputError
            When the node has no name, or there are no messages or too many.
        """
        return asdict(self._desk.post(node, messages))

    def subscribe(self) -> Subscription:
        """Return a subscription to ticks, schedules and readings."""
        return self._live.hub.subscribe()

    def _tell_kept(self, count: int) -> None:
        self._live.hub.publish({"topic": "readings", "count": count})

    def _table(self, keys: tuple[SeriesKey, ...], start: datetime, end: datetime, most_points: int) -> SeriesTable:
        grid = coarse_grid(start, end, self._setup.resolution_s, most_points)
        return self._live.store.series(self.plant_id, keys, grid, reading_s=self._setup.resolution_s)


def _without_problem(schedule: Schedule, asset_id: str, step: int, currency: str) -> Explanation:
    """Return what a schedule alone can say: its problem is no longer kept, so no alternative can be solved."""
    column = schedule.column(asset_id)
    power_kw, soc = float(schedule.power_kw[step, column]), float(schedule.soc[step, column])
    words = "The problem behind this plan is no longer kept; its limits and values are shown as planned."
    reason = schedule.reason(asset_id, step)
    return Explanation(asset_id, schedule.grid.time(step), power_kw, soc, reason, currency, words)


def _facts(asset: Asset) -> dict[str, Any]:
    facts: dict[str, Any] = {"kind": asset.kind}
    for field in fields(asset):
        value = getattr(asset, field.name)
        facts[field.name] = number(value) if isinstance(value, float) else value
    return facts
