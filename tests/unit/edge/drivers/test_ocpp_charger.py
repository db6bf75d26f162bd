from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpp.core.errors import InvalidInputError
from vpp.core.units import kw_from_w, w_from_kw
from vpp.edge.drivers.ocpp_charger import Charger, Connector

PASSWORD = "q7Zr2mXw9LpT4vKc"
SOCKET = Connector(asset_id="car")


@pytest.mark.parametrize(
    ("connector", "power_kw", "limit"),
    [
        (SOCKET, -11.0, 11_000.0),
        (SOCKET, -22.0, 11_000.0),
        (SOCKET, float("-inf"), 11_000.0),
        (SOCKET, -7.3456, 7345.6),
        (SOCKET, -4.14, 4140.0),  # 6 A on three phases
        (SOCKET, -4.13, 0.0),  # less than 6 A is a pause, not 6 A
        (SOCKET, 0.0, 0.0),
        (SOCKET, -0.0, 0.0),
        (Connector(asset_id="car", rate_unit="A"), -11.0, 15.9),
        (Connector(asset_id="car", rate_unit="A"), -4.14, 6.0),
        (Connector(asset_id="car", rate_unit="A", phases=1, full_kw=7.4), -3.68, 16.0),
        (Connector(asset_id="car", rate_unit="A", phases=1, full_kw=7.4), -1.0, 0.0),
        (Connector(asset_id="car", least_current_a=0.0), -0.05, 50.0),
    ],
)
def test_a_set_point_becomes_a_limit(connector: Connector, power_kw: float, limit: float) -> None:
    assert connector.limit(power_kw) == pytest.approx(limit, abs=1e-9)


@given(
    st.floats(-11.0, 0.0),
    st.sampled_from(["W", "A"]),
    st.integers(1, 3),
    st.floats(200.0, 250.0),
)
def test_a_limit_never_lets_more_through_than_was_asked(power_kw: float, unit: Any, phases: int, volts: float) -> None:
    connector = Connector(asset_id="car", rate_unit=unit, phases=phases, voltage_v=volts)
    limit = connector.limit(power_kw)
    power_w = limit if unit == "W" else limit * phases * volts
    assert -1e-9 <= power_w <= w_from_kw(-power_kw) + 1e-3
    # one decimal, and not rounded away by more than that
    assert round(limit * 10) == pytest.approx(limit * 10, abs=1e-6)
    step_kw = kw_from_w(0.1 if unit == "W" else 0.1 * phases * volts)
    assert limit == 0.0 or kw_from_w(power_w) >= -power_kw - step_kw - 1e-9


@pytest.mark.parametrize("power_kw", [0.001, 11.0, float("inf"), float("nan")])
def test_a_charger_does_not_feed_in(power_kw: float) -> None:
    with pytest.raises(InvalidInputError, match="this one cannot feed in"):
        SOCKET.limit(power_kw)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"password": "short"}, "16 or more random characters"),
        ({"password": "aaaaaaaaaaaaaaaaaaaa"}, "16 or more random characters"),
        ({"password": "box-1-q7Zr2mXw9LpT4vKc"}, "without its id"),
        ({}, "or anonymous: true"),
        ({"password": PASSWORD, "id": "a/b"}, "a name without"),
        ({"password": PASSWORD, "connectors": ()}, "at least one"),
        ({"password": PASSWORD, "connectors": (SOCKET, Connector(asset_id="other"))}, "each number once"),
    ],
)
def test_a_charger_that_may_not_be(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message) as caught:
        Charger(**({"id": "box-1", "connectors": (SOCKET,)} | fields))
    if "password" in fields:
        assert fields["password"] not in str(caught.value)


def test_a_password_is_never_shown() -> None:
    charger = Charger(id="box", connectors=(SOCKET,), password=PASSWORD)
    assert PASSWORD not in repr(charger)
    assert Charger(id="box", connectors=(SOCKET,), anonymous=True).password == ""


@pytest.mark.parametrize(
    "fields",
    [{"number": 0}, {"full_kw": 0.0}, {"phases": 4}, {"voltage_v": 12.0}, {"rate_unit": "kW"}, {"least_current_a": -1}],
)
def test_a_connector_that_cannot_be(fields: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError):
        Connector(**({"asset_id": "car"} | fields))
