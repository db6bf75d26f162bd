"""Live: a plant that runs in this process, on the wall clock or replaying the past faster than it was."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from vpp.config import VPPConfig
from vpp.core.errors import InvalidInputError
from vpp.core.messages import Event, Parcel, Readings
from vpp.core.ports import Bus, Clock, Device, Market, SeriesTable, Store
from vpp.core.time import TimeGrid, epoch_s, floor_time
from vpp.runtime.build import (
    Assembly,
    assemble,
    first_start,
    forecast_service,
    market_table,
    planner_of,
    power_table,
    preload,
    price_book,
    read_history,
)
from vpp.runtime.clock import ReplayClock, WallClock
from vpp.runtime.documents import moment
from vpp.runtime.hub import Hub
from vpp.runtime.ingestion.listening import Listening
from vpp.runtime.ingestion.reception import Received
from vpp.runtime.loop import Tick
from vpp.runtime.prices import SPOT
from vpp.runtime.setup import Setup, setup_of
from vpp.runtime.store_offers import DescribedStore, RollingStore
from vpp.simulation.feed import ReplayedFeed
from vpp.simulation.replay import ReplayedPlant
from vpp.trading.day_ahead import DayAheadAuction

REPLAY_HISTORY = timedelta(days=14)
REPLAY_SPEED = 1800.0


@dataclass(slots=True, kw_only=True)
class LivePlant:
    """A running plant.

    Parameters
    ----------
    setup : Setup
        The plant.
    assembly : Assembly
        Its loop and services.
    clock : Clock
        Its present.
    hub : Hub
        Tells faces what happens.
    start : datetime
        First tick; aware.
    end : datetime or None
        End of a replay's data.
    speed : float or None
        Seconds of data per second of wall; None on the wall clock.
    listening : Listening or None
        What hears and tells its nodes on a bus.
    """

    setup: Setup
    assembly: Assembly
    clock: Clock
    hub: Hub
    start: datetime
    end: datetime | None = None
    speed: float | None = None
    ticks: int = 0
    last_tick: datetime | None = None
    stopping: threading.Event
    thread: threading.Thread | None = None
    listening: Listening | None = None

    @property
    def store(self) -> Store:
        """The plant's store."""
        return self.assembly.store

    def begin(self) -> None:
        """Run the loop in a thread of its own, and listen where there is a bus."""
        if self.listening is not None:
            self.listening.begin()
        self.thread = threading.Thread(target=self._run, name=f"loop-{self.setup.plant.id}", daemon=True)
        self.thread.start()

    def stop(self) -> None:
        """Stop after the tick in progress and close the store."""
        self.stopping.set()
        if self.thread is not None:
            self.thread.join(timeout=30.0)
        if self.listening is not None:
            self.listening.stop()
        self.store.close()

    def observe(self, tick: Tick) -> None:
        """Count a tick and tell the listeners."""
        self.ticks += 1
        self.last_tick = tick.now
        if tick.schedule is not None:
            self.hub.publish(
                {"topic": "schedule", "issued_at": moment(tick.schedule.issued_at), "status": str(tick.schedule.status)}
            )
        self.hub.publish({"topic": "tick", "now": moment(tick.now), "ticks": self.ticks})
        if isinstance(self.store, RollingStore):
            self.store.refresh_rollups(before_s=epoch_s(tick.now))

    def _run(self) -> None:
        self.assembly.loop.run(self.clock, until=self.end, stopped=self.stopping.is_set)


def start_replay(
    config: VPPConfig,
    store: Store,
    *,
    speed: float = REPLAY_SPEED,
    start: datetime | None = None,
    table: SeriesTable | None = None,
    device: Device | None = None,
) -> LivePlant:
    """Return a plant whose recorded past is replayed as live telemetry, with simulated batteries; not begun yet.

    Parameters
    ----------
    config : VPPConfig
        A valid plant file that names a history, or give ``table``.
    store : Store
        Filled with the 14 days before ``start``.
    speed : float
        Seconds of data per second of wall, above 0.
    start : datetime, optional
        Where the replay begins; by default 14 days into the data.
    table : SeriesTable, optional
        What is replayed, instead of the history the file names.
    device : Device, optional
        The plant itself, in place of its recordings; they still tell the past and the prices.

    Raises
    ------
    InvalidInputError
        When ``start`` leaves nothing to replay.
    """
    setup = setup_of(config)
    setup = replace(setup, control=True)
    data = read_history(config, setup) if table is None else table
    begin = first_start(setup, data, history=REPLAY_HISTORY) if start is None else floor_time(start, setup.resolution_s)
    last = data.grid.end - timedelta(seconds=setup.resolution_s)
    if not data.grid.start <= begin < last:
        raise InvalidInputError(
            "from", begin.isoformat(), f"a time from {data.grid.start.isoformat()} to before {last.isoformat()}"
        )
    preload(setup, store, data, start=max(data.grid.start, begin - REPLAY_HISTORY), end=begin)
    grid = TimeGrid.between(begin, data.grid.end, setup.resolution_s)
    power, market = power_table(setup, data), market_table(data)
    first = power.grid.index(begin)
    plant = device or ReplayedPlant(setup.plant, SeriesTable(grid, power.keys, power.value[first:]))
    devices: list[Device] = [plant]
    auction: Market | None = None
    if market.keys:
        devices.append(ReplayedFeed(setup.plant.id, market, setup.calendar.known_until))
    if setup.sells_day_ahead:
        auction = DayAheadAuction(SeriesTable(market.grid, (SPOT,), market.column(SPOT)[:, None]))
    stopping = threading.Event()
    clock = ReplayClock(begin, speed, stopping)
    return _live(setup, store, devices, clock, stopping, market=auction, start=begin, end=data.grid.end, speed=speed)


def start_live(
    config: VPPConfig, store: Store, *, models: Path | None = None, bus: Bus[Parcel] | None = None
) -> LivePlant:
    """Return a user's own plant on the wall clock, fed by posted or dropped readings or by a bus; not begun yet.

    Parameters
    ----------
    config : VPPConfig
        A valid plant file.
    store : Store
        Where its readings are and go.
    models : Path, optional
        Folder where ``vpp train`` keeps what serves; without champions the combination learns here.
    bus : Bus of Parcel, optional
        What its nodes tell is heard there, and with ``control`` on its commands go out there.
    """
    setup = setup_of(config)
    stopping = threading.Event()
    clock = WallClock(stopping)
    start = floor_time(clock.now(), setup.resolution_s)
    if bus is None:
        return _live(setup, store, [], clock, stopping, market=None, start=start, models=models)
    running: list[LivePlant] = []

    def kept(received: Received) -> None:
        if received.readings:
            running[0].hub.publish({"topic": "readings", "count": received.readings})

    listening = Listening(setup.plant, bus, store, clock=clock, on_kept=kept)
    live = _live(setup, store, [listening.fleet], clock, stopping, market=None, start=start, models=models)
    live.listening = listening
    running.append(live)
    return live


def _live(
    setup: Setup,
    store: Store,
    devices: list[Device],
    clock: Clock,
    stopping: threading.Event,
    *,
    market: Market | None,
    start: datetime,
    end: datetime | None = None,
    speed: float | None = None,
    models: Path | None = None,
) -> LivePlant:
    hub = Hub()
    if isinstance(store, DescribedStore):
        store.describe(setup.plant)
    prices = price_book(setup, store)
    running: list[LivePlant] = []

    def told(readings: Readings) -> None:
        hub.publish({"topic": "readings", "count": len(readings)})

    def happened(event: Event) -> None:
        hub.publish({"topic": "event", "message": event.message, "severity": str(event.severity)})

    def ticked(tick: Tick) -> None:
        running[0].observe(tick)

    assembly = assemble(
        setup,
        store,
        devices,
        planner=planner_of(setup.strategy, solver_timeout_s=setup.solver_timeout_s),
        forecasts=forecast_service(setup, store, needs_spot=prices.needs_spot, models=models),
        market=market,
        follow_meter=setup.strategy != "no_battery",
        on_tick=ticked,
        on_readings=told,
        on_event=happened,
    )
    live = LivePlant(
        setup=setup,
        assembly=assembly,
        clock=clock,
        hub=hub,
        start=start,
        end=end,
        speed=speed,
        stopping=stopping,
    )
    running.append(live)
    return live
