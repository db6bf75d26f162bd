"""Reception: parcels as they came -> what a store is to keep of them.

Invariant: every parcel ends as readings, as an answer, as a status or as a refusal, whatever its bytes are; of a
message that is wrong in part the good readings are kept and each bad one is refused by itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b

import msgspec
import numpy as np

from vpp.core.assets import Plant
from vpp.core.errors import InvalidInputError, UnknownNameError, VppError
from vpp.core.messages import (
    MOST_KEPT_OF_PAYLOAD,
    NO_ORIGIN,
    Ack,
    Channel,
    Delivery,
    Origin,
    Parcel,
    Readings,
    Refusal,
)
from vpp.core.time import epoch_s
from vpp.core.units import SECONDS_PER_DAY
from vpp.runtime.ingestion.judge import FUTURE_ALLOWED_S, ClockRules, Counts, Judge, Verdict, shown_time
from vpp.streams.wire import NO_SEQUENCE, NodeStatus, Telemetry, WireError, decode_ack, decode_status, decode_telemetry

_LONGEST_NAME = 128
_LONGEST_MESSAGE = 2000
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """What a batch of parcels came to.

    Parameters
    ----------
    delivery : Delivery
        What the store is to take.
    acks : tuple of Ack
        Answers of devices.
    statuses : tuple of NodeStatus
        How nodes are, in the order of arrival.
    readings, flagged, bytes : int
        Readings told, those among the kept that carry a flag, and length of the payloads.
    newest_issued_s : int or None
        When the newest message was issued [epoch s].
    """

    delivery: Delivery
    acks: tuple[Ack, ...] = ()
    statuses: tuple[NodeStatus, ...] = ()
    readings: int = 0
    flagged: int = 0
    bytes: int = 0
    newest_issued_s: int | None = None

    @property
    def refused(self) -> Counter[str]:
        """How many refusals there are of each reason."""
        return Counter(refusal.reason for refusal in self.delivery.refusals)


@dataclass(slots=True)
class _Sheet:
    """The readings of one plant in a batch, row by row."""

    judge: Judge
    series: list[int] = field(default_factory=list)
    times_s: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    issued_s: list[int] = field(default_factory=list)
    message: list[int] = field(default_factory=list)
    tellers: list[tuple[str, str, int]] = field(default_factory=list)


class Reception:
    """Reads and judges parcels; not safe to share between threads.

    Parameters
    ----------
    plants : sequence of Plant
        Whose parcels are taken; those of others are refused.
    clock : ClockRules, optional
        Which times are taken.
    """

    def __init__(self, plants: Sequence[Plant], clock: ClockRules | None = None) -> None:
        self._rules = clock or ClockRules()
        self._judges = {plant.id: Judge(plant, self._rules) for plant in plants}

    def receive(self, parcels: Sequence[Parcel], now: datetime) -> Received:
        """Return what parcels that arrived at ``now`` (aware) came to."""
        batch = _Batch(self._judges, self._rules, now)
        for parcel in parcels:
            batch.add(parcel)
        return batch.received()


class _Batch:
    def __init__(self, judges: dict[str, Judge], rules: ClockRules, now: datetime) -> None:
        self._judges = judges
        self._rules = rules
        self._now, self._now_s = now, epoch_s(now)
        self._sheets: dict[str, _Sheet] = {}
        self._origins: list[Origin] = []
        self._refusals: list[Refusal] = []
        self._acks: list[Ack] = []
        self._statuses: list[NodeStatus] = []
        self._bytes = 0
        self._told = 0
        self._newest_s: int | None = None

    def add(self, parcel: Parcel) -> None:
        self._bytes += len(parcel.payload)
        try:
            judge = self._judges.get(parcel.plant)
            if judge is None:
                raise UnknownNameError("plant", _clean(parcel.plant), self._judges)
            if not parcel.source:
                raise InvalidInputError("source", "", "an address that names the node in lower-case letters and digits")
            if parcel.channel is Channel.TELEMETRY:
                self._add_telemetry(parcel, judge, decode_telemetry(parcel))
            elif parcel.channel is Channel.ACK:
                self._acks.append(self._checked_ack(decode_ack(parcel.payload), parcel, judge.plant))
            elif parcel.channel is Channel.STATUS:
                self._statuses.append(_checked_status(decode_status(parcel.payload), parcel))
            else:
                raise InvalidInputError("channel", str(parcel.channel), "telemetry, status or ack; nodes obey control")
        except WireError as fault:
            self._refuse(parcel, fault.reason, fault)
        except VppError as fault:
            self._refuse(parcel, "name", fault)

    def received(self) -> Received:
        readings, messages, flagged = [], [], 0
        for plant, sheet in self._sheets.items():
            rows, message = self._judged(plant, sheet)
            if len(rows):
                readings.append(rows)
                messages.append(message)
                flagged += int(np.count_nonzero(rows.quality))
        delivery = Delivery(tuple(self._origins), tuple(readings), tuple(messages), tuple(self._refusals))
        return Received(
            delivery=delivery,
            acks=tuple(self._acks),
            statuses=tuple(self._statuses),
            readings=self._told,
            flagged=flagged,
            bytes=self._bytes,
            newest_issued_s=self._newest_s,
        )

    def _add_telemetry(self, parcel: Parcel, judge: Judge, told: Telemetry) -> None:
        sheet = self._sheets.get(parcel.plant)
        if sheet is None:
            sheet = self._sheets[parcel.plant] = _Sheet(judge)
        message = NO_ORIGIN
        if told.sequence != NO_SEQUENCE:
            message = len(self._origins)
            self._origins.append(Origin(parcel.plant, parcel.source, told.boot, told.sequence, told.extra))
        count = len(told.values)
        self._told += count
        # A device whose clock is ahead cannot have issued what has already arrived.
        issued_s = min(told.issued_s, self._now_s)
        if self._newest_s is None or issued_s > self._newest_s:
            self._newest_s = issued_s
        first = len(sheet.series)
        try:
            sheet.series += map(judge.index, told.assets, told.metrics)
        except VppError:
            del sheet.series[first:]
            self._add_one_by_one(parcel, sheet, told, message, issued_s)
            return
        sheet.times_s += told.times_s
        sheet.values += told.values
        sheet.issued_s += [issued_s] * count
        sheet.message += [message] * count
        sheet.tellers += [(parcel.source, told.boot, told.sequence)] * count

    def _add_one_by_one(self, parcel: Parcel, sheet: _Sheet, told: Telemetry, message: int, issued_s: int) -> None:
        """Add the readings whose series is known and refuse the others."""
        teller = (parcel.source, told.boot, told.sequence)
        rows = zip(told.assets, told.metrics, told.times_s, told.values, strict=True)
        for asset, metric, time_s, value in rows:
            try:
                number = sheet.judge.index(asset, metric)
            except VppError as fault:
                self._refuse_row(parcel.plant, teller, "name", fault, (asset, metric, time_s, value))
                continue
            sheet.series.append(number)
            sheet.times_s.append(time_s)
            sheet.values.append(value)
            sheet.issued_s.append(issued_s)
            sheet.message.append(message)
            sheet.tellers.append(teller)

    def _judged(self, plant: str, sheet: _Sheet) -> tuple[Readings, Counts]:
        judge = sheet.judge
        series, times_s, issued_s, message = (
            np.array(column, dtype=np.int64) for column in (sheet.series, sheet.times_s, sheet.issued_s, sheet.message)
        )
        # Zero has no sign here: adding it turns -0.0 into 0.0.
        value = np.array(sheet.values, dtype=np.float64) + 0.0
        verdict, quality = judge.judge(series, times_s, value, self._now)
        for row in np.flatnonzero(verdict).tolist():
            place = (sheet.series[row], sheet.times_s[row], sheet.values[row], int(verdict[row]))
            key = judge.keys[place[0]]
            fault = judge.fault(*place, self._now, where="reading")
            told = (key.source, key.metric, place[1], place[2])
            self._refuse_row(plant, sheet.tellers[row], Verdict(place[3]).reason, fault, told)
        if verdict.any():
            good = np.flatnonzero(verdict == Verdict.KEPT)
            series, times_s, issued_s, message = series[good], times_s[good], issued_s[good], message[good]
            value, quality = value[good], quality[good]
        arrived_s = np.full(series.shape, self._now_s, dtype=np.int64)
        return Readings(plant, tuple(judge.keys), series, times_s, issued_s, arrived_s, value, quality), message

    def _checked_ack(self, ack: Ack, parcel: Parcel, plant: Plant) -> Ack:
        _require_same("plant", ack.plant, parcel.plant)
        plant.asset(ack.asset_id)
        ahead_s = epoch_s(ack.at) - self._now_s
        if not -self._rules.oldest_days * SECONDS_PER_DAY <= ahead_s <= FUTURE_ALLOWED_S:
            expected = f"a time no later than {self._now.isoformat(timespec='seconds')} and 5 minutes, and no older one"
            raise WireError("clock", "at", ack.at.isoformat(), f"{expected} than {self._rules.oldest_days:g} days")
        return ack

    def _refuse(self, parcel: Parcel, reason: str, fault: VppError) -> None:
        self._add_refusal(parcel.plant, parcel.source, reason, str(fault), parcel.payload)

    def _refuse_row(
        self,
        plant: str,
        teller: tuple[str, str, int],
        reason: str,
        fault: VppError,
        told: tuple[str, str, int, float],
    ) -> None:
        """Refuse one reading; its payload is what identifies it, not the message it shares with others."""
        source, boot, sequence = teller
        asset, metric, time_s, value = told
        document = {"boot": boot, "sequence": sequence, "asset": asset, "metric": metric}
        payload = _encode({**document, "time": shown_time(time_s), "value": value})
        self._add_refusal(plant, source, reason, str(fault), payload)

    def _add_refusal(self, plant: str, source: str, reason: str, message: str, payload: bytes) -> None:
        words = _clean(message, _LONGEST_MESSAGE)
        self._refusals.append(Refusal(_clean(plant), _clean(source), self._now, reason, words, kept_of(payload)))


def kept_of(payload: bytes) -> bytes:
    """Return what quarantine keeps of a payload: all of it, or its beginning with its length and digest.

    The digest tells long payloads apart that begin alike, so that each is counted.
    """
    if len(payload) <= MOST_KEPT_OF_PAYLOAD:
        return payload
    digest = blake2b(payload, digest_size=16).hexdigest()
    mark = f" ... cut, {len(payload)} bytes, blake2b {digest}".encode()
    return payload[: MOST_KEPT_OF_PAYLOAD - len(mark)] + mark


def _checked_status(status: NodeStatus, parcel: Parcel) -> NodeStatus:
    _require_same("plant", status.plant, parcel.plant)
    _require_same("source", status.source, parcel.source)
    return status


def _require_same(field_name: str, claimed: str, address: str) -> None:
    if claimed != address:
        raise WireError("name", field_name, claimed, f"what the address says, {address!r}")


def _clean(text: str, most: int = _LONGEST_NAME) -> str:
    """Return a text that every database can hold and every terminal can show."""
    short = text[:most]
    return short if short.isprintable() else "".join(one if one.isprintable() else "?" for one in short)
