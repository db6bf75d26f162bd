"""Consuming: what travels on a bus, for people and scripts to look at."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Sequence

from vpp.core.messages import Channel, Parcel
from vpp.streams.open import open_bus

_AT_ONCE = 500
_POLL_S = 0.5


def parcels_of(
    url: str,
    *,
    plants: Sequence[str] = (),
    channels: Sequence[Channel] = (Channel.TELEMETRY,),
    group: str | None = None,
    most: int | None = None,
    wait_s: float | None = None,
) -> Iterator[Parcel]:
    """Yield parcels as they come; those that were yielded are acknowledged.

    Parameters
    ----------
    url : str
        The bus.
    plants, channels : sequence
        Which parcels; those of all plants when none is named.
    group : str, optional
        The group they are taken for. By default one of our own, which keeps nothing from anybody.
    most : int, optional
        Stop after so many.
    wait_s : float, optional
        Stop when nothing came for so long [s]; never by default.

    Raises
    ------
    VppError
        When the bus cannot be opened or does not answer.
    """
    name = group or f"vpp-consume-{secrets.token_hex(6)}"
    bus = open_bus(url, plants=plants, channels=channels, group=name, client_id=name, keep=group is not None)
    told, heard_s = 0, time.monotonic()
    try:
        while most is None or told < most:
            room = _AT_ONCE if most is None else min(_AT_ONCE, most - told)
            parcels = bus.consume(most=room, wait_s=_POLL_S)
            yield from parcels
            bus.acknowledge()
            told += len(parcels)
            if parcels:
                heard_s = time.monotonic()
            elif wait_s is not None and time.monotonic() - heard_s > wait_s:
                return
    finally:
        bus.close()
