"""The gateway: drivers, buffer, nodes and link put together, each on threads of its own.

Invariants: a command is on the disk before it is executed, and forgotten by the bus only after that; an answer is on
the disk before it is sent. Commands are timed on a steady counter: setting the clock executes and expires nothing.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vpp.core.errors import ClosedError, InvalidInputError, StoreError
from vpp.core.messages import Ack, AckStatus, Command, Event, Readings, Severity
from vpp.edge.buffer import Buffer
from vpp.edge.buffer_rows import Taken
from vpp.edge.by_node import by_node
from vpp.edge.driver import Driver
from vpp.edge.head_end import HeadEnd, NodeFacts
from vpp.edge.limits import AssetLimits
from vpp.edge.node import Node
from vpp.edge.sender import Sender
from vpp.edge.steady import SteadyClock, steady_s
from vpp.edge.worker import Telling, Told, Worker

log = logging.getLogger(__name__)
TICK_S = 0.25
_COMMANDS_WAIT_S = 0.2
_MOST_JUDGED = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewaySettings:
    """How a gateway behaves.

    Parameters
    ----------
    head_end_timeout_s : float
        Silence of the head-end after which every asset of a node is made safe [s], above 0.
    hold_s : float
        How long the set-point of a command that ended stays when no other follows [s], 0 or more.
    status_every_s : float
        Time between two status messages [s], above 0.
    backfill_rows_per_s : float
        Most readings a second of what gathered while the link was down, above 0.
    recall_s : int
        After a break what was acknowledged in the last so many seconds is sent again [s], 0 or more.
    """

    head_end_timeout_s: float = 900.0
    hold_s: float = 60.0
    status_every_s: float = 10.0
    backfill_rows_per_s: float = 5_000.0
    recall_s: int = 60

    def __post_init__(self) -> None:
        """Check every range."""
        for field in ("head_end_timeout_s", "status_every_s", "backfill_rows_per_s"):
            if not getattr(self, field) > 0.0:
                raise InvalidInputError(field, getattr(self, field), "above 0")
        for field in ("hold_s", "recall_s"):
            if not getattr(self, field) >= 0:
                raise InvalidInputError(field, getattr(self, field), "0 or more [s]")


@dataclass(frozen=True, slots=True)
class DrivenBy:
    """A driver with its name and its interval [s]."""

    name: str
    driver: Driver
    interval_s: float


class Gateway:
    """Runs the nodes of one plant.

    Parameters
    ----------
    plant : str
        Plant id.
    sites : mapping of str to sequence of str
        Assets of every node, by the id of the node, which is that of its site.
    limits : mapping of str to AssetLimits
        Limits of the assets that may be steered, by id; only those that a driver controls are.
    drivers : sequence of DrivenBy
        Where readings come from and set-points go.
    buffer : Buffer
        Belongs to the gateway from now on.
    head_end : HeadEnd
        Belongs to the gateway from now on.
    clock : SteadyClock
        The present.
    settings : GatewaySettings
        How it behaves.
    on_readings : callable, optional
        Given a node and what was measured there; must not block.
    """

    def __init__(
        self,
        plant: str,
        sites: Mapping[str, Sequence[str]],
        limits: Mapping[str, AssetLimits],
        drivers: Sequence[DrivenBy],
        *,
        buffer: Buffer,
        head_end: HeadEnd,
        clock: SteadyClock,
        settings: GatewaySettings,
        on_readings: Callable[[str, Readings], None] | None = None,
    ) -> None:
        self.plant = plant
        self.buffer = buffer
        self.clock = clock
        self.settings = settings
        self.counts: Counter[str] = Counter()
        self._head_end = head_end
        self._on_readings = on_readings
        self._lock = threading.RLock()
        self._stopping = threading.Event()
        self._node_of = {source: node for node, assets in sites.items() for source in (node, *assets)}
        self._judged: dict[str, None] = {}
        self._workers: dict[str, Worker] = {}
        self.workers = [self._worker(one) for one in drivers]
        now_s = steady_s()
        self.nodes = {
            node: Node(
                plant,
                node,
                {asset: limits[asset] for asset in assets if asset in self._workers and asset in limits},
                head_end_timeout_s=settings.head_end_timeout_s,
                hold_s=settings.hold_s,
                now_s=now_s,
            )
            for node, assets in sites.items()
        }
        self.sender = Sender(
            buffer,
            head_end,
            statuses=self._statuses,
            status_every_s=settings.status_every_s,
            backfill_rows_per_s=settings.backfill_rows_per_s,
            recall_s=settings.recall_s,
            on_link=self._on_link,
        )
        self._threads = [
            threading.Thread(target=self._listen, name="vpp-edge-commands", daemon=True),
            threading.Thread(target=self._tick_on, name="vpp-edge-ticks", daemon=True),
        ]

    def begin(self) -> None:
        """Take up what a former run left, and start; returns at once."""
        self._take_up()
        for worker in self.workers:
            worker.begin()
        self.sender.begin()
        for thread in self._threads:
            thread.start()
        self._note("gateway_started", Severity.INFO, f"gateway started with boot {self.buffer.boot}")

    def stop(self) -> None:
        """Make every asset safe, tell the head-end, and end; twice does no harm."""
        if self._stopping.is_set():
            return
        self._stopping.set()
        for thread in self._threads:
            thread.join(5.0)
        with self._lock:
            for node in self.nodes.values():
                self._dispatch([Telling(a, s.limits.safe_kw, s.why) for a, s in node.steerings.items()])
        for worker in self.workers:
            worker.stop(wait_s=5.0)
        self._note("gateway_stopped", Severity.INFO, "gateway stopped; its assets were told their safe set-points")
        self.sender.stop(wait_s=30.0)
        self.buffer.close()

    def facts(self) -> dict[str, dict[str, Any]]:
        """Return how every node is, as JSON values."""
        counts = self.buffer.counts()
        shared = {
            "waiting_rows": counts.waiting_rows,
            "dropped_rows": counts.dropped_rows,
            "shed_rows": counts.shed_rows,
            "halted": counts.halted,
            "drivers": {worker.name: worker.health().healthy for worker in self.workers},
            "status_every_s": self.settings.status_every_s,
        }
        now_s = steady_s()
        with self._lock:
            return {
                name: {
                    "safe": node.is_silent,
                    "silence_s": round(node.silence_s(now_s), 1),
                    "set_points_kw": {a: s.told_kw for a, s in node.steerings.items() if s.told_kw is not None},
                    **shared,
                }
                for name, node in self.nodes.items()
            }

    def take(self, arrived: Sequence[tuple[str, Command]]) -> None:
        """Write commands down, then execute, refuse or answer each.

        Raises
        ------
        StoreError
            When they could not be written down; then none is executed.
        """
        self.counts["commands"] += len(arrived)
        taken = self.buffer.take(arrived)
        answers: list[tuple[str, Ack]] = []
        touched: dict[str, None] = {}
        with self._lock:
            for one in taken:
                if not self._is_first(one):
                    self._repeat(one)
                elif (answer := self._judge(one)) is not None:
                    answers.append((one.node, answer))
                else:
                    touched[one.node] = None
            self._answer(answers)
            for node in touched:
                self._tick(self.nodes[node])

    def _is_first(self, taken: Taken) -> bool:
        """Tell whether a command is to be judged: one that was written down too late for its taker still is."""
        command = taken.command.id
        if command in self._judged or not (taken.is_new or (taken.is_same and taken.answer is None)):
            return False
        self._judged[command] = None
        if len(self._judged) > _MOST_JUDGED:
            del self._judged[next(iter(self._judged))]
        return True

    def _judge(self, taken: Taken) -> Ack | None:
        node = self.nodes.get(taken.node)
        command, now = taken.command, self.clock.now()
        if node is None:
            why = f"no node {taken.node!r} here"
            return Ack(command.id, command.plant, command.asset_id, now, AckStatus.REFUSED, None, why)
        return node.take(command, now=now, now_s=steady_s())

    def _repeat(self, taken: Taken) -> None:
        """Answer a command that came before as it was answered then: it is never executed again."""
        self.counts["repeated"] += 1
        command = taken.command
        if not taken.is_same:
            why = "another command came before under this id"
            ack = Ack(command.id, command.plant, command.asset_id, self.clock.now(), AckStatus.REFUSED, None, why)
            self.buffer.answer_again([(taken.node, ack)])
        elif taken.answer is not None:
            self.buffer.answer_again([(taken.node, taken.answer)])

    def _take_up(self) -> None:
        """Go on with commands in force, and say of those that a crash tore away that nobody knows."""
        now, now_s = self.clock.now(), steady_s()
        with self._lock:
            for node_id, command, ack in self.buffer.in_force():
                if node_id in self.nodes and ack.status in (AckStatus.EXECUTED, AckStatus.LIMITED):
                    self.nodes[node_id].resume(command, now=now, now_s=now_s)
            why = "the gateway was started anew before it could tell what became of it"
            unanswered = self.buffer.unanswered()
            self._judged.update((one.id, None) for _, one in unanswered)
            self._answer(
                [
                    (node_id, Ack(one.id, one.plant, one.asset_id, now, AckStatus.REFUSED, None, why))
                    for node_id, one in unanswered
                ]
            )

    def _listen(self) -> None:
        while not self._stopping.is_set():
            try:
                arrived = self._head_end.commands(wait_s=_COMMANDS_WAIT_S)
                if arrived:
                    self.take(arrived)
                self._head_end.taken()
            except ClosedError:
                return
            except StoreError as fault:
                log.warning("commands cannot be taken: %s", fault)
                self._stopping.wait(1.0)

    def _tick_on(self) -> None:
        while not self._stopping.wait(TICK_S):
            with self._lock:
                for node in self.nodes.values():
                    self._tick(node)

    def _tick(self, node: Node) -> None:
        was_silent = node.is_silent
        tellings, answers = node.tick(now=self.clock.now(), now_s=steady_s())
        self._answer(answers)
        self._dispatch(tellings)
        if node.is_silent != was_silent:
            self._tell_of_silence(node)

    def _tell_of_silence(self, node: Node) -> None:
        if node.is_silent:
            safe = {asset: steering.limits.safe_kw for asset, steering in node.steerings.items()}
            words = f"{node.id}: no command for {self.settings.head_end_timeout_s:g} s; its assets are made safe"
            self._note("safe_mode", Severity.WARNING, words, {"node": node.id, "set_points_kw": safe})
        else:
            self._note("commanded_again", Severity.INFO, f"{node.id}: commands come again", {"node": node.id})

    def _dispatch(self, tellings: Sequence[Telling]) -> None:
        by_worker: dict[Worker, list[Telling]] = {}
        for telling in tellings:
            by_worker.setdefault(self._workers[telling.asset_id], []).append(telling)
        for worker, some in by_worker.items():
            worker.tell(some)

    def _told(self, done: list[Told]) -> None:
        answers = []
        now, now_s = self.clock.now(), steady_s()
        with self._lock:
            for told in done:
                self.counts["set_points"] += not told.fault
                answers += self._of(told.telling).told(told, now=now, now_s=now_s)
            self._answer(answers)

    def _superseded(self, telling: Telling) -> None:
        with self._lock:
            self._answer(self._of(telling).superseded(telling, now=self.clock.now()))

    def _of(self, telling: Telling) -> Node:
        return self.nodes[self._node_of[telling.asset_id]]

    def _answer(self, answers: Sequence[tuple[str, Ack]]) -> None:
        if answers:
            self.counts.update(f"ack_{ack.status}" for _, ack in answers)
            self.buffer.answer(answers)

    def _measured(self, readings: Readings) -> None:
        now_s = steady_s()
        with self._lock:
            for index in range(len(readings)):
                key = readings.keys[int(readings.series[index])]
                node = self._node_of.get(key.source)
                if node is not None:
                    self.nodes[node].measured(key.source, key.metric, float(readings.value[index]), now_s)
        for node, part in by_node(readings, self._node_of):
            self.buffer.record(node, part)
            if self._on_readings is not None:
                self._on_readings(node, part)

    def _worker(self, driven: DrivenBy) -> Worker:
        unknown = [asset for asset in driven.driver.asset_ids if asset not in self._node_of]
        if unknown:
            raise InvalidInputError(f"drivers.{driven.name}", unknown, f"assets of these sites of {self.plant}")
        worker = Worker(
            driven.name,
            driven.driver,
            interval_s=driven.interval_s,
            clock=self.clock,
            on_readings=self._measured,
            on_told=self._told,
            on_superseded=self._superseded,
        )
        for asset in driven.driver.controllable:
            if asset in self._workers:
                raise InvalidInputError(f"drivers.{driven.name}", asset, "an asset that one driver controls")
            self._workers[asset] = worker
        return worker

    def _statuses(self, online: bool) -> list[NodeFacts]:
        now = self.clock.now()
        return [NodeFacts(node, self.buffer.boot, online, now, facts) for node, facts in self.facts().items()]

    def _on_link(self, is_up: bool, why: str) -> None:
        kind, severity = ("link_up", Severity.INFO) if is_up else ("link_down", Severity.WARNING)
        self._note(kind, severity, "the link to the head-end is up" if is_up else f"no link to the head-end: {why}")

    def _note(self, kind: str, severity: Severity, words: str, fields: Mapping[str, Any] | None = None) -> None:
        log.log(logging.WARNING if severity is Severity.WARNING else logging.INFO, "%s", words)
        self.buffer.note(Event(self.plant, self.clock.now(), kind, severity, words, fields or {}))
