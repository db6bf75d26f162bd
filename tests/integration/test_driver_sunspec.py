"""SunSpec devices, served by a real Modbus server from a register image that is laid out here by the definitions."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
import sunspec2.device
from servers.modbus import ModbusServer

from vpp.core.messages import POWER_KW, SOC
from vpp.core.time import parse_time
from vpp.edge.driver import Driver, DriverError
from vpp.edge.drivers.modbus_line import ModbusAddress
from vpp.edge.drivers.sunspec import Obeys, SunSpecDevice, SunSpecDriver

BASE = 40_000
NOW = parse_time("2026-06-01T12:00:00Z")
DEFINITIONS = Path(sunspec2.device.__file__).parent / "models" / "json"
WORDS = {
    "uint16": 1, "int16": 1, "sunssf": 1, "enum16": 1, "bitfield16": 1, "count": 1, "pad": 1, "acc16": 1,
    "uint32": 2, "int32": 2, "bitfield32": 2, "acc32": 2, "float32": 2, "ipaddr": 2,
    "uint64": 4, "int64": 4, "bitfield64": 4, "acc64": 4, "float64": 4,
}  # fmt: skip
NOT_THERE = {"int16": 0x8000, "sunssf": 0x8000, "int32": 0x80000000, "int64": 0x8000000000000000}
Model = tuple[int, dict[str, int]]


class Image:
    """Registers of a device, and where each point of it stands."""

    def __init__(self, *models: Model) -> None:
        self.registers = {BASE: 0x5375, BASE + 1: 0x6E53}
        self.place: dict[tuple[int, str], int] = {}
        at = BASE + 2
        for number, values in models:
            at = self._model(at, number, values)
        self.registers |= {at: 0xFFFF, at + 1: 0}

    def _model(self, start: int, number: int, values: dict[str, int]) -> int:
        group = json.loads((DEFINITIONS / f"model_{number}.json").read_text())["group"]
        at = start
        for points in (group["points"], *(one["points"] for one in group.get("groups", []) if "count" not in one)):
            for point in points:
                name, kind = point["name"], point["type"]
                size = point["size"] if kind == "string" else WORDS[kind]
                unset = 0 if kind.startswith("acc") or kind == "string" else (1 << (16 * size)) - 1
                raw = values.get(name, NOT_THERE.get(kind, unset)) % (1 << (16 * size))
                self.place.setdefault((number, name), at)
                for place in range(size):
                    self.registers[at + place] = raw >> (16 * (size - 1 - place)) & 0xFFFF
                at += size
        self.registers |= {start: number, start + 1: at - start - 2}
        return at

    def held(self, server: ModbusServer, model: int, name: str, *, words: int = 1) -> int:
        at = self.place[model, name]
        raw = 0
        for place in range(words):
            raw = raw << 16 | server.registers[at + place]
        return raw - (1 << 16 * words) if raw >> (16 * words - 1) else raw


COMMON: Model = (1, {"Mn": 0x41, "Md": 0x42})
METER: Model = (701, {"W": -1234, "W_SF": 0, "TotWhInj": 9_000_000, "TotWhAbs": 1_500, "TotWh_SF": 1})
CAPACITY: Model = (702, {"WMax": 800, "W_SF": 1})
STORED: Model = (713, {"SoC": 555, "Pct_SF": -1})
CONTROL: Model = (
    704,
    {"WMaxLimPct": 1000, "WMaxLimPct_SF": -1, "WMaxLimPctEna": 0, "WMaxLimPctRvrtTms": 0,
     "WSet": 0, "WSet_SF": 0, "WSetEna": 0, "WSetMod": 0, "WSetRvrtTms": 0},
)  # fmt: skip
OLD_INVERTER: Model = (103, {"W": 4321, "W_SF": 0, "WH": 77_000, "WH_SF": 0})
RATING: Model = (120, {"WRtg": 5000, "WRtg_SF": 0})
OLD_CONTROL: Model = (123, {"WMaxLimPct": 100, "WMaxLimPct_SF": 0, "WMaxLim_Ena": 0})
OLD_STORE: Model = (
    124,
    {"WChaMax": 4000, "WChaMax_SF": 0, "StorCtl_Mod": 0, "ChaState": 8000, "ChaState_SF": -2,
     "OutWRte": 0, "InWRte": 0, "InOutWRte_SF": -2, "InOutWRte_RvrtTms": 0},
)  # fmt: skip


def driver(server: ModbusServer, obeys: Obeys = "nothing", *, revert_s: int = 0) -> SunSpecDriver:
    address = ModbusAddress(host="127.0.0.1", port=server.port, timeout_s=2.0)
    device = SunSpecDevice(name="inverter", address=address, asset_id="home", obeys=obeys, revert_s=revert_s)
    return SunSpecDriver("plant", device)


def measured(one: SunSpecDriver) -> dict[str, float]:
    readings = one.poll(NOW)
    return {} if readings is None else {row.key.metric: round(row.value, 9) for row in readings.rows()}


@pytest.mark.parametrize(
    ("models", "expected"),
    [
        ((METER, STORED), {POWER_KW: -1.234, SOC: 0.555, "energy_export_kwh": 90_000.0, "energy_import_kwh": 15.0}),
        ((OLD_INVERTER, OLD_STORE), {POWER_KW: 4.321, SOC: 0.8, "energy_export_kwh": 77.0}),
        (((103, {"W": -50, "W_SF": 1, "WH": 5}),), {POWER_KW: -0.5, "energy_export_kwh": 0.005}),
        # the newer meter is preferred to the older one
        ((OLD_INVERTER, METER), {POWER_KW: -1.234, "energy_export_kwh": 90_000.0, "energy_import_kwh": 15.0}),
    ],
)
def test_a_device_says_by_its_models_what_it_measures(models: tuple[Model, ...], expected: dict[str, float]) -> None:
    with ModbusServer(Image(COMMON, *models).registers) as server:
        one = driver(server)
        assert isinstance(one, Driver)
        assert measured(one) == expected
        assert one.health().healthy
        one.close()


def test_what_a_device_marks_as_missing_is_left_out_and_comes_back() -> None:
    image = Image(COMMON, METER, STORED)
    with ModbusServer(image.registers) as server:
        one = driver(server)
        one.open()
        server.registers[image.place[701, "W"]] = 0x8000
        server.registers[image.place[713, "SoC"]] = 1001
        assert measured(one).keys() == {"energy_export_kwh", "energy_import_kwh"}
        assert (one.health().healthy, one.health().errors) == (True, 1)
        assert "soc: got 1.001" in one.health().message
        server.registers[image.place[701, "W"]] = 2500
        assert measured(one)[POWER_KW] == 2.5
        one.close()


@pytest.mark.parametrize(("power_kw", "watts"), [(2.5, 2500), (-3.0, -3000), (0.0, 0)])
def test_the_power_of_a_battery_by_model_704(power_kw: float, watts: int) -> None:
    image = Image(COMMON, METER, CAPACITY, CONTROL)
    with ModbusServer(image.registers) as server:
        one = driver(server, "power", revert_s=300)
        one.apply("home", power_kw)
        assert image.held(server, 704, "WSet", words=2) == watts
        assert image.held(server, 704, "WSetMod") == 1
        assert image.held(server, 704, "WSetEna") == 1
        assert image.held(server, 704, "WSetRvrtTms", words=2) == 300
        writes = [address for function, address, _ in server.requests if function == 16]
        assert writes[-1] == image.place[704, "WSetEna"]
        one.close()


@pytest.mark.parametrize(
    ("power_kw", "out_rate", "in_rate"), [(1.0, 2500, -2500), (-4.0, -10_000, 10_000), (0.0, 0, 0)]
)
def test_the_power_of_a_battery_by_model_124(power_kw: float, out_rate: int, in_rate: int) -> None:
    image = Image(COMMON, OLD_INVERTER, OLD_STORE)
    with ModbusServer(image.registers) as server:
        one = driver(server, "power")
        one.apply("home", power_kw)
        assert image.held(server, 124, "OutWRte") == out_rate
        assert image.held(server, 124, "InWRte") == in_rate
        assert image.held(server, 124, "StorCtl_Mod") == 3
        with pytest.raises(DriverError, match=r"got 4.1 kW, expected at most 4 kW"):
            one.apply("home", 4.1)
        one.close()


@pytest.mark.parametrize(
    ("models", "point", "enable", "full_kw", "raw_full"),
    [
        ((METER, CAPACITY, CONTROL), (704, "WMaxLimPct"), (704, "WMaxLimPctEna"), 8.0, 1000),
        ((OLD_INVERTER, RATING, OLD_CONTROL), (123, "WMaxLimPct"), (123, "WMaxLim_Ena"), 5.0, 100),
    ],
)
def test_the_cap_of_a_generator(
    models: tuple[Model, ...], point: tuple[int, str], enable: tuple[int, str], full_kw: float, raw_full: int
) -> None:
    image = Image(COMMON, *models)
    with ModbusServer(image.registers) as server:
        one = driver(server, "cap")
        for share, held in ((1.0, 1.0), (0.5, 0.5), (0.0, 0.0), (1.3, 1.0)):
            one.apply("home", share * full_kw)
            assert image.held(server, *point) == round(held * raw_full)
            assert image.held(server, *enable) == 1
        with pytest.raises(DriverError, match=r"got a cap of -0.1 kW, expected 0 or more"):
            one.apply("home", -0.1)
        one.close()


def test_a_set_point_that_the_device_does_not_keep_is_an_error() -> None:
    image = Image(COMMON, METER, CAPACITY, CONTROL)
    with ModbusServer(image.registers) as server:
        one = driver(server, "power")
        server.frozen.add(image.place[704, "WSet"] + 1)
        with pytest.raises(DriverError, match="WSet: wrote 700 and read back 0"):
            one.apply("home", 0.7)
        assert image.held(server, 704, "WSetEna") == 0
        one.close()


@pytest.mark.parametrize(
    ("registers", "obeys", "message"),
    [
        ({BASE: 1, BASE + 1: 2, BASE + 2: 3}, "nothing", "not SunSpec"),
        (Image(COMMON).registers, "nothing", "no model that measures power; found models 1"),
        (Image(COMMON, METER).registers, "power", "needs model 704 with WSet, or 124"),
        (Image(COMMON, METER).registers, "cap", "needs model 702, 121 or 120"),
        (Image(COMMON, METER, CAPACITY).registers, "cap", "needs model 704 with WMaxLimPct, or 123"),
    ],
)
def test_a_device_that_cannot_do_it_says_what_it_lacks(registers: dict[int, int], obeys: Obeys, message: str) -> None:
    with ModbusServer(registers) as server:
        one = driver(server, obeys)
        with pytest.raises(DriverError, match=message):
            one.open()
        assert not one.health().healthy
        one.close()


def test_a_vendors_own_model_is_passed_over() -> None:
    image = Image(COMMON, METER)
    end = max(image.registers) - 1
    image.registers |= {end: 64_900, end + 1: 3, end + 2: 1, end + 3: 2, end + 4: 3, end + 5: 0xFFFF, end + 6: 0}
    with ModbusServer(image.registers) as server:
        one = driver(server)
        assert measured(one)[POWER_KW] == -1.234
        one.close()


def test_a_map_without_end_ends_by_the_clock() -> None:
    image = Image(COMMON, METER)
    registers = image.registers | dict.fromkeys(range(max(image.registers) - 1, BASE + 3000), 0)
    with ModbusServer(registers) as server:
        device = SunSpecDevice(
            name="x", address=ModbusAddress(host="127.0.0.1", port=server.port, timeout_s=0.1), asset_id="home"
        )
        server.delay_s = 0.02
        began = time.monotonic()
        with pytest.raises(DriverError, match=r"no (usable )?answer"):
            SunSpecDriver("plant", device).open()
        assert time.monotonic() - began < 1.0 + 0.5


def test_a_lost_connection_is_made_again() -> None:
    with ModbusServer(Image(COMMON, METER).registers) as server:
        address = ModbusAddress(host="127.0.0.1", port=server.port, timeout_s=0.2)
        one = SunSpecDriver("plant", SunSpecDevice(name="x", address=address, asset_id="home"))
        one.open()
        server.stop()
        with pytest.raises(DriverError):
            one.poll(NOW)
        with pytest.raises(DriverError, match="not tried for another"):
            one.poll(NOW)
        server.start()
        time.sleep(0.25)
        assert measured(one)[POWER_KW] == -1.234
        assert one.health().healthy
        one.close()
