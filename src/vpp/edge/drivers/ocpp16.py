"""OCPP 1.6: what answers a charger's calls, and the calls that limit it. Source: OCPP 1.6 edition 2, sections 4-7."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from websockets.asyncio.server import ServerConnection

from vpp.core.extras import require
from vpp.core.time import epoch_s
from vpp.edge.drivers.ocpp_charger import Connector
from vpp.edge.drivers.ocpp_session import SILENT, Route, Session, ended_at, iso

_v16: Any = require("ocpp.v16", extra="edge")
_call: Any = require("ocpp.v16.call", extra="edge")
_result: Any = require("ocpp.v16.call_result", extra="edge")

MEASURANDS = "Power.Active.Import,Energy.Active.Import.Register,SoC"
_FEWER_MEASURANDS = "Power.Active.Import,Energy.Active.Import.Register"
_DEFAULT_PROFILE, _RUNNING_PROFILE = 1, 2
_ID_RANGE = 2**31


class Ocpp16:
    """The dialect of OCPP 1.6."""

    def station(self, charger_id: str, connection: ServerConnection, timeout_s: float) -> Any:
        """Return the library's side of a connection."""
        return _v16.ChargePoint(charger_id, connection, response_timeout=timeout_s, logger=SILENT)

    def routes(self, session: Session) -> Mapping[str, Route]:
        """Return what answers each action."""
        answers = _Answers(session)
        return {
            "Authorize": answers.authorize,
            "BootNotification": answers.boot,
            "DataTransfer": lambda **_: _result.DataTransfer("UnknownVendorId"),
            "DiagnosticsStatusNotification": lambda **_: _result.DiagnosticsStatusNotification(),
            "FirmwareStatusNotification": lambda **_: _result.FirmwareStatusNotification(),
            "Heartbeat": lambda **_: _result.Heartbeat(iso(session.now)),
            "MeterValues": answers.meter_values,
            "StartTransaction": answers.start,
            "StatusNotification": answers.status,
            "StopTransaction": answers.stop,
        }

    def limits(self, connector: Connector, limit: float, transaction: Any) -> Sequence[Any]:
        """Return the calls that set a limit: for what will start, and for what runs."""
        calls = [_profile(connector, limit, "TxDefaultProfile", _DEFAULT_PROFILE)]
        if transaction is not None:
            calls.append(_profile(connector, limit, "TxProfile", _RUNNING_PROFILE, transaction_id=transaction))
        return calls

    def settings(self, meter_interval_s: int) -> Sequence[Any]:
        """Return the calls that ask for meter values; one that knows no state of charge takes the shorter list last."""
        return [
            _call.ChangeConfiguration("MeterValueSampleInterval", str(meter_interval_s)),
            _call.ChangeConfiguration("MeterValuesSampledData", _FEWER_MEASURANDS),
            _call.ChangeConfiguration("MeterValuesSampledData", MEASURANDS),
        ]

    def refusals(self, answer: Any) -> str:
        """Return why a call was not accepted, empty when it was."""
        return "" if answer.status in ("Accepted", "RebootRequired") else str(answer.status)


def _profile(connector: Connector, limit: float, purpose: str, number: int, **more: Any) -> Any:
    period = {"start_period": 0, "limit": limit, "number_phases": connector.phases}
    profile = {
        "charging_profile_id": number,
        "stack_level": 0,
        "charging_profile_purpose": purpose,
        "charging_profile_kind": "Relative",
        "charging_schedule": {"charging_rate_unit": connector.rate_unit, "charging_schedule_period": [period]},
    }
    return _call.SetChargingProfile(connector.number, profile | more)


class _Answers:
    def __init__(self, session: Session) -> None:
        self._session = session
        # counts on from the present, so that a gateway that starts anew gives no number twice
        self._next_transaction = epoch_s(session.now) % _ID_RANGE

    def boot(self, **_: Any) -> Any:
        self._session.transactions.clear()
        self._session.after_boot()
        return _result.BootNotification(iso(self._session.now), self._session.told.heartbeat_s, "Accepted")

    def authorize(self, id_tag: str, **_: Any) -> Any:
        return _result.Authorize({"status": self._verdict(id_tag)})

    def status(self, connector_id: int, error_code: str, status: str, **_: Any) -> Any:
        self._session.status(connector_id, status, error_code)
        return _result.StatusNotification()

    def start(self, connector_id: int, id_tag: str, **_: Any) -> Any:
        self._next_transaction = (self._next_transaction + 1) % _ID_RANGE
        verdict = self._verdict(id_tag)
        if verdict == "Accepted":
            self._session.started(connector_id, self._next_transaction)
        return _result.StartTransaction(self._next_transaction, {"status": verdict})

    def stop(self, transaction_id: int, timestamp: str, transaction_data: Any = None, **_: Any) -> Any:
        self._session.measured(self._session.connector_of(transaction_id) or 0, transaction_data or ())
        self._session.ended(transaction_id, ended_at(timestamp, self._session.now))
        return _result.StopTransaction()

    def meter_values(self, connector_id: int, meter_value: Any, transaction_id: int | None = None, **_: Any) -> Any:
        if transaction_id is not None and connector_id:
            # a transaction that runs since before the gateway was started
            self._session.started(connector_id, transaction_id)
        self._session.measured(connector_id, meter_value)
        return _result.MeterValues()

    def _verdict(self, id_tag: str) -> str:
        return "Accepted" if self._session.accepts(id_tag) else "Invalid"
