from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vpp.edge.drivers.ocpp_frames import frame_fault


@pytest.mark.parametrize(
    "frame",
    [
        '[2,"a","Heartbeat",{}]',
        '[3,"a",{}]',
        '[4,"a","InternalError","",{}]',
        '[4,"a","InternalError",""]',
        '[2,"' + "x" * 36 + '","Heartbeat",{"a":[[[[1]]]]}]',
    ],
)
def test_a_well_formed_frame(frame: str) -> None:
    assert frame_fault(frame) == ""


@pytest.mark.parametrize(
    "frame",
    [
        b'[2,"a","Heartbeat",{}]',
        "",
        "hello",
        "{}",
        "null",
        "[]",
        "[2]",
        '[2,"a"]',
        '[2,"a","Heartbeat"]',
        '[2,"a","Heartbeat",{},1]',
        '[2,"a",["Heartbeat"],{}]',
        '[2,"a","Heartbeat",[]]',
        '[2,5,"Heartbeat",{}]',
        '[2,"","Heartbeat",{}]',
        '[2,"' + "x" * 37 + '","Heartbeat",{}]',
        '[3,"a",null]',
        '[3,"a"]',
        '[4,"a",1,2,{}]',
        '[5,"a","Heartbeat",{}]',
        '["2","a","Heartbeat",{}]',
        '[2,"a","Heartbeat",{"a":NaN}]',
        '[2,"a","Heartbeat",' + '{"a":' * 20 + "1" + "}" * 20 + "]",
        "[" * 60_000,
        '[2,"a","X",' + "[" * 30_000 + "]" * 30_000 + "]",
    ],
)
def test_a_malformed_frame(frame: str | bytes) -> None:
    assert frame_fault(frame)


@settings(max_examples=30)
@given(st.recursive(st.none() | st.floats() | st.text(max_size=5), lambda inner: st.lists(inner), max_leaves=8))
def test_no_frame_breaks_it(told: object) -> None:
    assert isinstance(frame_fault(json.dumps(told)), str)
