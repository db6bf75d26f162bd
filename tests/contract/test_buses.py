"""Every bus keeps the contract, and the contract catches a bus that does not."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import pytest
from servers.mosquitto import Mosquitto
from servers.tansu import Tansu

from vpp.core.messages import Parcel
from vpp.core.ports import Bus
from vpp.streams.hub import Hub, HubBus
from vpp.streams.open import open_bus
from vpp.testing.bus import CHECKS, Rig

CHECK_NAMES = [check.__name__ for check in CHECKS]


def run(check: Any, open_one: Any, *, patience_s: float = 30.0) -> None:
    rig = Rig(open_one, patience_s)
    try:
        check(rig)
    finally:
        rig.close()


@pytest.mark.parametrize("check", CHECKS, ids=CHECK_NAMES)
def test_memory(check: Any) -> None:
    run(check, partial(open_bus, f"memory://{check.__name__}"))


@pytest.mark.server
@pytest.mark.parametrize("check", CHECKS, ids=CHECK_NAMES)
def test_mqtt(check: Any, mosquitto: Mosquitto) -> None:
    run(check, partial(open_bus, mosquitto.url))


@pytest.mark.server
@pytest.mark.parametrize("check", CHECKS, ids=CHECK_NAMES)
def test_kafka(check: Any, tansu: Tansu) -> None:
    run(check, partial(open_bus, f"{tansu.url}?session_ms=1500&partitions=3"))


class Broken(HubBus):
    """A bus with one fault."""

    fault = ""

    def publish(self, items: Sequence[Parcel]) -> None:
        if self.fault == "swaps":
            items = items[::-1]
        if self.fault == "loses":
            items = items[:-1]
        if self.fault == "doubles":
            items = [*items, *items[-1:]]
        if self.fault == "cuts":
            items = [item._replace(payload=item.payload[:255]) for item in items]
        super().publish(items)

    def consume(self, *, most: int = 512, wait_s: float = 0.0) -> list[Parcel]:
        got = super().consume(most=most + (self.fault == "gives more"), wait_s=wait_s)
        if self.fault == "forgets":
            super().acknowledge()
        return got

    def acknowledge(self) -> None:
        if self.fault != "never lets go":
            super().acknowledge()

    def close(self) -> None:
        if self.fault != "stays open":
            super().close()


@pytest.mark.parametrize(
    "fault", ["swaps", "loses", "doubles", "cuts", "gives more", "forgets", "never lets go", "stays open"]
)
def test_the_contract_catches(fault: str) -> None:
    hub = Hub()
    kind = type("Broken", (Broken,), {"fault": fault})

    def open_one(*, client_id: str | None, **wanted: Any) -> Bus[Parcel]:
        return kind(hub, **wanted)

    caught = 0
    for check in CHECKS:
        try:
            run(check, open_one, patience_s=0.2)
        except AssertionError:
            caught += 1
    assert caught
