"""The bridge: what one bus brings is put on another, and acknowledged to the first once the second holds it.

Invariant: killed at any moment, the bridge loses nothing; what it had published and not acknowledged goes over twice.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event

from vpp.core.errors import StoreError
from vpp.core.messages import MOST_KEPT_OF_PAYLOAD, Parcel
from vpp.core.ports import Bus
from vpp.streams.wire_fault import MOST_BYTES

log = logging.getLogger(__name__)
MOST_AT_ONCE = 5000
NOWHERE = "nowhere"
"""Stands for a plant or a source that an address does not name; the consumer behind puts it in quarantine."""
_FIRST_WAIT_S = 0.5
_LONGEST_WAIT_S = 10.0


@dataclass(slots=True)
class BridgeCounts:
    """What a bridge has done so far, in parcels.

    Parameters
    ----------
    carried : int
        Put on the second bus and acknowledged to the first.
    nameless : int
        Of them, those whose address did not fit; they went over as ``nowhere``.
    cut : int
        Of them, those too long for anyone to read; their beginning went over.
    faults : int
        How often the second bus, or the first, did not answer.
    """

    carried: int = 0
    nameless: int = 0
    cut: int = 0
    faults: int = 0


def carry(source: Bus[Parcel], target: Bus[Parcel], counts: BridgeCounts, *, wait_s: float = 0.5) -> int:
    """Carry what has arrived over, once; return how many parcels.

    Raises
    ------
    StoreError
        When either bus did not answer; nothing was acknowledged, and the same parcels come again.
    """
    parcels = source.consume(most=MOST_AT_ONCE, wait_s=wait_s)
    if not parcels:
        return 0
    sent = []
    for parcel in parcels:
        if not parcel.plant or not parcel.source:
            counts.nameless += 1
            parcel = parcel._replace(plant=parcel.plant or NOWHERE, source=parcel.source or NOWHERE)
        if len(parcel.payload) > MOST_BYTES:
            counts.cut += 1
            parcel = parcel._replace(payload=parcel.payload[:MOST_KEPT_OF_PAYLOAD])
        sent.append(parcel)
    target.publish(sent)
    source.acknowledge()
    counts.carried += len(parcels)
    return len(parcels)


def bridge(
    source: Bus[Parcel],
    target: Bus[Parcel],
    stopped: Event,
    *,
    on_progress: Callable[[BridgeCounts], None] = lambda _counts: None,
) -> BridgeCounts:
    """Carry parcels over until ``stopped`` is set; a bus that does not answer is asked again, ever more slowly."""
    counts = BridgeCounts()
    wait_s = _FIRST_WAIT_S
    while not stopped.is_set():
        try:
            carry(source, target, counts)
        except StoreError as fault:
            counts.faults += 1
            log.warning("%s; again in %g s", fault, wait_s)
            stopped.wait(wait_s)
            wait_s = min(2.0 * wait_s, _LONGEST_WAIT_S)
        else:
            wait_s = _FIRST_WAIT_S
        on_progress(counts)
    return counts
