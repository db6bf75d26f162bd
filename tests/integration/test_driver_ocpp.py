"""Chargers of both versions call in over loopback, written with the client side of the same package."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import websockets
from ocpp.exceptions import OCPPError
from ocpp.routing import on
from ocpp.v16 import ChargePoint as ChargePoint16
from ocpp.v16 import call as call16
from ocpp.v16 import call_result as result16
from ocpp.v201 import ChargePoint as ChargePoint201
from ocpp.v201 import call as call201
from ocpp.v201 import call_result as result201
from websockets.exceptions import ConnectionClosed, InvalidMessage, InvalidStatus

from vpp.core.errors import InvalidInputError
from vpp.core.messages import POWER_KW, SOC
from vpp.edge.driver import Driver, DriverError
from vpp.edge.drivers.ocpp import ChargingSite, OcppDriver
from vpp.edge.drivers.ocpp_charger import Charger, Connector
from vpp.runtime.clock import WallClock

PASSWORD = "q7Zr2mXw9LpT4vKc"
PATIENCE_S = 5.0


class Box:
    """What both clients remember and how they answer."""

    verdict = "Accepted"
    profiles: list[dict[str, Any]]
    settings: list[Any]


class Box16(ChargePoint16, Box):
    @on("SetChargingProfile")
    async def profile(self, connector_id: int, cs_charging_profiles: dict[str, Any]) -> Any:
        self.profiles.append({"socket": connector_id} | cs_charging_profiles)
        return result16.SetChargingProfile(self.verdict)

    @on("ChangeConfiguration")
    async def change(self, key: str, value: str) -> Any:
        self.settings.append((key, value))
        return result16.ChangeConfiguration("Accepted")


class Box201(ChargePoint201, Box):
    @on("SetChargingProfile")
    async def profile(self, evse_id: int, charging_profile: dict[str, Any], **_: Any) -> Any:
        schedules = charging_profile["charging_schedule"]
        self.profiles.append({"socket": evse_id} | charging_profile | {"charging_schedule": schedules[0]})
        return result201.SetChargingProfile(self.verdict)

    @on("SetVariables")
    async def change(self, set_variable_data: list[dict[str, Any]], **_: Any) -> Any:
        self.settings += [(one["variable"]["name"], one["attribute_value"]) for one in set_variable_data]
        asked = set_variable_data[0]
        answer = {"attribute_status": "Accepted", "component": asked["component"], "variable": asked["variable"]}
        return result201.SetVariables([answer])


BOXES: dict[str, type[Any]] = {"ocpp1.6": Box16, "ocpp2.0.1": Box201}


@pytest.fixture
def driver() -> Iterator[OcppDriver]:
    chargers = (
        Charger(id="box-1", connectors=(Connector(asset_id="car1"), Connector(asset_id="car2", number=2)),
                password=PASSWORD),
        Charger(id="box-2", connectors=(Connector(asset_id="car3", rate_unit="A", phases=1, full_kw=7.4),),
                anonymous=True, id_tags=("known",)),
    )  # fmt: skip
    site = ChargingSite(name="yard", chargers=chargers, port=0, timeout_s=2.0, meter_interval_s=7)
    one = OcppDriver("plant", site, WallClock())
    one.open()
    yield one
    one.close()


def authorization(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def connect(driver: OcppDriver, box: str, version: str, **more: Any) -> Any:
    headers = authorization(box, PASSWORD) if box == "box-1" else {}
    given = {"subprotocols": [version], "additional_headers": headers} | more
    return websockets.connect(f"ws://127.0.0.1:{driver.port}/ocpp/{box}", **given)


@asynccontextmanager
async def boxed(driver: OcppDriver, box: str, version: str, *, boot: bool = True) -> AsyncIterator[Any]:
    async with connect(driver, box, version) as socket:
        one = BOXES[version](box, socket, response_timeout=2)
        one.profiles, one.settings = [], []
        running = asyncio.create_task(one.start())
        if boot:
            model = {"model": "M", "vendor_name": "V"}
            asked = (
                call16.BootNotification("M", "V")
                if version == "ocpp1.6"
                else call201.BootNotification(model, "PowerUp")
            )
            answer = await one.call(asked)
            assert (answer.status, answer.interval) == ("Accepted", 60)
            assert abs(datetime.fromisoformat(answer.current_time) - datetime.now(UTC)) < timedelta(seconds=5)
        try:
            yield one
        finally:
            running.cancel()


async def eventually(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def run(work: Callable[[], Awaitable[None]]) -> None:
    async def whole() -> None:
        await asyncio.wait_for(work(), 20.0)

    asyncio.run(whole())


async def told(driver: OcppDriver, count: int) -> dict[tuple[str, str], float]:
    found: dict[tuple[str, str], float] = {}
    deadline = time.monotonic() + PATIENCE_S
    while len(found) < count and time.monotonic() < deadline:
        readings = driver.poll(datetime.now(UTC))
        for row in readings.rows() if readings is not None else ():
            assert row.plant == "plant"
            found[row.key.source, row.key.metric] = round(row.value, 9)
        await asyncio.sleep(0.01)
    return found


def test_a_session_of_version_1_6(driver: OcppDriver) -> None:
    async def work() -> None:
        async with boxed(driver, "box-1", "ocpp1.6") as box:
            await eventually(lambda: len(box.settings) == 3)
            assert box.settings[0] == ("MeterValueSampleInterval", "7")
            assert box.settings[-1] == (
                "MeterValuesSampledData",
                "Power.Active.Import,Energy.Active.Import.Register,SoC",
            )
            assert await box.call(call16.StatusNotification(1, "NoError", "Preparing")) == result16.StatusNotification()
            assert (await box.call(call16.Heartbeat())).current_time
            started = await box.call(call16.StartTransaction(2, "anyone", 0, now()))
            assert started.id_tag_info["status"] == "Accepted"
            sampled = [
                {"value": "2300", "measurand": "Power.Active.Import", "unit": "W", "phase": phase}
                for phase in ("L1", "L2", "L3")
            ] + [{"value": "42", "measurand": "SoC", "unit": "Percent"}, {"value": "1500"}]
            await box.call(
                call16.MeterValues(2, [{"timestamp": now(), "sampled_value": sampled}], started.transaction_id)
            )
            assert await told(driver, 3) == {
                ("car2", POWER_KW): -6.9,
                ("car2", SOC): 0.42,
                ("car2", "energy_import_kwh"): 1.5,
            }

            await asyncio.to_thread(driver.apply, "car2", -5.0)
            profiles = [one for one in box.profiles if one["socket"] == 2]
            assert [one["charging_profile_purpose"] for one in profiles] == ["TxDefaultProfile", "TxProfile"]
            assert profiles[1]["transaction_id"] == started.transaction_id
            for one in profiles:
                assert one["charging_schedule"]["charging_rate_unit"] == "W"
                assert one["charging_schedule"]["charging_schedule_period"][0]["limit"] == 5000.0
            await asyncio.to_thread(driver.apply, "car2", 0.0)
            assert box.profiles[-1]["charging_schedule"]["charging_schedule_period"][0]["limit"] == 0.0

            await box.call(call16.StopTransaction(1500, now(), started.transaction_id))
            assert await told(driver, 1) == {("car2", POWER_KW): 0.0}
            await asyncio.to_thread(driver.apply, "car2", -6.0)
            assert box.profiles[-1]["charging_profile_purpose"] == "TxDefaultProfile"

    run(work)


def test_a_session_of_version_2_0_1(driver: OcppDriver) -> None:
    async def work() -> None:
        async with boxed(driver, "box-2", "ocpp2.0.1") as box:
            await eventually(lambda: len(box.settings) == 2)
            assert box.settings[0] == ("TxUpdatedInterval", "7")
            await box.call(call201.StatusNotification(now(), "Occupied", 1, 1))
            card = {"id_token": "known", "type": "ISO14443"}
            assert (await box.call(call201.Authorize(card))).id_token_info["status"] == "Accepted"
            assert (await box.call(call201.Authorize(card | {"id_token": "x"}))).id_token_info["status"] == "Invalid"
            await asyncio.to_thread(driver.apply, "car3", -3.68)
            assert [one["charging_profile_purpose"] for one in box.profiles] == ["TxDefaultProfile"]
            info = {"transaction_id": "abc-1"}
            started = call201.TransactionEvent(
                "Started", now(), "Authorized", 0, info, evse={"id": 1, "connector_id": 1}
            )
            await box.call(started)
            # what was told before is told again for the transaction
            await eventually(lambda: box.profiles[-1]["charging_profile_purpose"] == "TxProfile")
            last = box.profiles[-1]
            assert (last["transaction_id"], last["socket"]) == ("abc-1", 1)
            period = last["charging_schedule"]["charging_schedule_period"][0]
            assert (last["charging_schedule"]["charging_rate_unit"], period["limit"], period["number_phases"]) == (
                "A",
                16.0,
                1,
            )
            sampled = [
                {"value": 3.5, "measurand": "Power.Active.Import", "unit_of_measure": {"unit": "kW"}},
                {"value": 61.5, "measurand": "SoC", "unit_of_measure": {"unit": "Percent"}, "location": "EV"},
            ]
            meter = [{"timestamp": now(), "sampled_value": sampled}]
            await box.call(call201.TransactionEvent("Updated", now(), "MeterValuePeriodic", 1, info, meter_value=meter))
            assert await told(driver, 2) == {("car3", POWER_KW): -3.5, ("car3", SOC): 0.615}
            await box.call(call201.MeterValues(1, meter))
            assert len(await told(driver, 2)) == 2
            await box.call(call201.TransactionEvent("Ended", now(), "EVDeparted", 2, info))
            assert await told(driver, 1) == {("car3", POWER_KW): 0.0}

    run(work)


def purposes(box: Any) -> list[str]:
    return [one["charging_profile_purpose"] for one in box.profiles]


def test_a_transaction_from_before_the_gateway_started_is_found_and_not_after_its_end(driver: OcppDriver) -> None:
    async def work() -> None:
        async with boxed(driver, "box-1", "ocpp1.6", boot=False) as box:
            meter = [{"timestamp": now(), "sampled_value": [{"value": "1"}]}]
            await box.call(call16.MeterValues(1, meter, 77))
            await asyncio.to_thread(driver.apply, "car1", -5.0)
            assert purposes(box) == ["TxDefaultProfile", "TxProfile"]
            assert box.profiles[-1]["transaction_id"] == 77
            await box.call(call16.StopTransaction(5, now(), 77))
            await box.call(call16.MeterValues(1, meter, 77))
            box.profiles.clear()
            await asyncio.to_thread(driver.apply, "car1", -6.0)
            assert purposes(box) == ["TxDefaultProfile"]

    run(work)


def test_a_card_that_is_not_known_starts_nothing(driver: OcppDriver) -> None:
    async def work() -> None:
        async with boxed(driver, "box-2", "ocpp1.6", boot=False) as box:
            assert (await box.call(call16.Authorize("stranger"))).id_tag_info["status"] == "Invalid"
            started = await box.call(call16.StartTransaction(1, "stranger", 0, now()))
            assert started.id_tag_info["status"] == "Invalid"
            await asyncio.to_thread(driver.apply, "car3", -5.0)
            assert purposes(box) == ["TxDefaultProfile"]
            started = await box.call(call16.StartTransaction(1, "known", 0, now()))
            assert started.id_tag_info["status"] == "Accepted"
            await eventually(lambda: purposes(box)[-1] == "TxProfile")

    run(work)


@pytest.mark.parametrize("version", list(BOXES))
def test_a_charger_that_boots_again_is_told_again(driver: OcppDriver, version: str) -> None:
    async def work() -> None:
        async with boxed(driver, "box-1", version):
            await asyncio.to_thread(driver.apply, "car1", -7.0)
        async with boxed(driver, "box-1", version) as box:
            await eventually(lambda: bool(box.profiles))
            assert box.profiles[0]["socket"] == 1
            assert box.profiles[0]["charging_schedule"]["charging_schedule_period"][0]["limit"] == 7000.0

    run(work)


@pytest.mark.parametrize("version", list(BOXES))
def test_a_refused_set_point_is_an_error(driver: OcppDriver, version: str) -> None:
    async def work() -> None:
        async with boxed(driver, "box-1", version) as box:
            box.verdict = "Rejected"
            with pytest.raises(DriverError, match="box-1 connector 1: the charger answered Rejected"):
                await asyncio.to_thread(driver.apply, "car1", -7.0)
            assert not driver.health().healthy
            with pytest.raises(DriverError, match="this one cannot feed in"):
                await asyncio.to_thread(driver.apply, "car1", 0.1)

    run(work)


def test_a_silent_charger_delays_a_command_no_longer_than_its_timeout_and_a_poll_not_at_all(driver: OcppDriver) -> None:
    async def work() -> None:
        async with connect(driver, "box-2", "ocpp1.6"):
            # The charger knows of the connection before the gateway has taken note of it.
            await eventually(lambda: driver.health().message == "not connected: box-1")
            began = time.monotonic()
            asked = asyncio.create_task(asyncio.to_thread(driver.apply, "car3", -2.0))
            await asyncio.sleep(0.05)
            at = time.monotonic()
            driver.poll(datetime.now(UTC))
            assert time.monotonic() - at < 1.0
            with pytest.raises(DriverError, match=r"Waited|no answer"):
                await asked
            assert time.monotonic() - began < 10.0

    run(work)


def test_who_is_away_cannot_be_told(driver: OcppDriver) -> None:
    assert isinstance(driver, Driver)
    assert driver.controllable == driver.asset_ids == ("car1", "car2", "car3")
    with pytest.raises(DriverError, match="box-1: the charger is not connected"):
        driver.apply("car1", -5.0)
    with pytest.raises(DriverError, match="no charger here; those that are: car1, car2, car3"):
        driver.apply("car9", -5.0)
    assert driver.poll(datetime.now(UTC)) is None


MALFORMED = [
    "", "hello", "{}", "[]", "[2]", '[2,"a"]', '[2,"a",[],{}]', '[2,"a","Heartbeat",[]]', '[3,"a",{}]', '[3,"a",5]',
    '[4,"a","x","y",{}]', '[9,"a"]', '[2,"a","NoSuchAction",{}]', '[2,"a","MeterValues",{"connectorId":"x"}]',
    '[2,"a","BootNotification",{}]', '[2,"a","MeterValues",{"connectorId":1,"meterValue":[]}]', "[" * 50_000,
    '[2,"a","Heartbeat",{"x":NaN}]', "☃", '[2,"a","StopTransaction",{"transactionId":1e400}]',
]  # fmt: skip


@pytest.mark.parametrize("version", list(BOXES))
def test_malformed_frames_stop_nothing(driver: OcppDriver, version: str) -> None:
    async def work() -> None:
        async with connect(driver, "box-1", version) as socket, boxed(driver, "box-2", version) as other:
            for frame in MALFORMED:
                await socket.send(frame)
            await socket.send(b"\x00\xff")
            await socket.send('[2,"live","Heartbeat",{}]')
            while True:
                answer = json.loads(await asyncio.wait_for(socket.recv(), PATIENCE_S))
                if answer[1] == "live":
                    break
                assert answer[0] in (2, 4)
            assert answer[0] == 3
            assert driver.health().errors >= 10
            await other.call(call16.Heartbeat() if version == "ocpp1.6" else call201.Heartbeat())
        async with connect(driver, "box-1", version) as socket:
            await socket.send("x" * 200_000)
            with pytest.raises(ConnectionClosed):
                await socket.recv()
        async with boxed(driver, "box-1", version):
            pass

    run(work)


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("box-1", {}),
        ("box-1", authorization("box-1", "wrong")),
        ("box-1", authorization("box-2", PASSWORD)),
        ("box-1", {"Authorization": "Bearer x"}),
        ("box-1", {"Authorization": "Basic !!!"}),
        ("box-9", authorization("box-9", PASSWORD)),
        ("", authorization("box-1", PASSWORD)),
    ],
)
def test_who_does_not_belong_stays_outside(driver: OcppDriver, path: str, headers: dict[str, str]) -> None:
    async def work() -> None:
        url = f"ws://127.0.0.1:{driver.port}/{path}"
        with pytest.raises(InvalidStatus) as caught:
            await websockets.connect(url, subprotocols=["ocpp1.6"], additional_headers=headers)
        assert caught.value.response.status_code == 401
        assert b"not known here, or not by that" in caught.value.response.body

    run(work)


def test_who_guesses_ten_times_is_not_heard_again(driver: OcppDriver) -> None:
    async def work() -> None:
        url = f"ws://127.0.0.1:{driver.port}/box-1"

        async def attempt(password: str) -> int:
            try:
                async with websockets.connect(
                    url, subprotocols=["ocpp1.6"], additional_headers=authorization("box-1", password)
                ):
                    return 101
            except InvalidStatus as refused:
                return refused.response.status_code

        assert await attempt(PASSWORD) == 101
        assert [await attempt(f"guess-{number}") for number in range(12)] == [401] * 10 + [429] * 2
        # the right one does not help either, so that nobody learns it by going on
        assert await attempt(PASSWORD) == 429

    run(work)


@pytest.mark.parametrize("offered", [None, ["ocpp1.5"], ["soap"]])
def test_a_version_that_nobody_shares_is_refused(driver: OcppDriver, offered: list[str] | None) -> None:
    async def work() -> None:
        with pytest.raises(InvalidStatus) as caught:
            await connect(driver, "box-1", "", subprotocols=offered)
        assert caught.value.response.status_code == 400

    run(work)


def test_the_newer_version_is_preferred_and_the_newer_connection_stays(driver: OcppDriver) -> None:
    async def work() -> None:
        async with connect(driver, "box-1", "", subprotocols=["ocpp1.6", "ocpp2.0.1"]) as first:
            assert first.subprotocol == "ocpp2.0.1"
            async with boxed(driver, "box-1", "ocpp1.6") as second:
                with pytest.raises(ConnectionClosed):
                    await first.recv()
                await asyncio.to_thread(driver.apply, "car1", -8.0)
                assert second.profiles
                await eventually(lambda: driver.health().message == "not connected: box-2")

    run(work)


def test_an_unknown_action_is_answered_as_the_standard_says(driver: OcppDriver) -> None:
    async def work() -> None:
        async with boxed(driver, "box-1", "ocpp1.6") as box:
            with pytest.raises(OCPPError):
                await box.call(call16.SignCertificate("x"), suppress=False)
            answer = await box.call(call16.DataTransfer("vendor"))
            assert answer.status == "UnknownVendorId"

    run(work)


def test_a_taken_port_is_a_driver_error(driver: OcppDriver) -> None:
    site = ChargingSite(name="second", chargers=driver._site.chargers, port=driver.port)
    second = OcppDriver("plant", site, WallClock())
    with pytest.raises(DriverError, match=f"second: server: cannot listen on 127.0.0.1:{driver.port}"):
        second.open()


def test_with_a_certificate_nothing_travels_in_the_clear(
    driver: OcppDriver, tmp_path: Path, need_command: Callable[..., str]
) -> None:
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    subprocess.run(
        [need_command("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-days", "1", "-subj", "/CN=gateway", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key,
         "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(certificate, key)
    site = ChargingSite(name="secure", chargers=driver._site.chargers, port=0, tls=server_side)
    secure = OcppDriver("plant", site, WallClock())
    secure.open()

    async def work() -> None:
        asked = {"subprotocols": ["ocpp1.6"], "additional_headers": authorization("box-1", PASSWORD)}
        client_side = ssl.create_default_context(cafile=certificate)
        url = f"wss://127.0.0.1:{secure.port}/box-1"
        async with websockets.connect(url, ssl=client_side, **asked) as socket:
            await socket.send('[2,"a","Heartbeat",{}]')
            assert json.loads(await socket.recv())[:2] == [3, "a"]
        with pytest.raises((OSError, InvalidMessage)):
            await websockets.connect(url.replace("wss", "ws"), **asked)

    run(work)
    secure.close()


def test_it_closes_and_opens_again(driver: OcppDriver) -> None:
    driver.close()
    driver.close()
    driver.open()
    run(lambda: _beats(driver))


async def _beats(driver: OcppDriver) -> None:
    async with boxed(driver, "box-1", "ocpp1.6") as box:
        assert (await box.call(call16.Heartbeat())).current_time


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"chargers": ()}, "at least one"),
        ({"meter_interval_s": 0}, "1 to 3600"),
        ({"timeout_s": 0.0}, "above 0"),
        (
            {
                "chargers": (
                    Charger(id="a", connectors=(Connector(asset_id="x"),), anonymous=True),
                    Charger(id="b", connectors=(Connector(asset_id="x"),), anonymous=True),
                )
            },
            "each once",
        ),
    ],
)
def test_settings_that_cannot_be_are_refused(fields: dict[str, Any], message: str) -> None:
    good = Charger(id="a", connectors=(Connector(asset_id="x"),), anonymous=True)
    with pytest.raises(InvalidInputError, match=message):
        ChargingSite(**({"name": "yard", "chargers": (good,)} | fields))
