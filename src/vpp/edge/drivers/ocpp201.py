"""OCPP 2.0.1: what answers a charging station's calls, and the calls that limit it. Source: OCPP 2.0.1 part 2."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from websockets.asyncio.server import ServerConnection

from vpp.core.extras import require
from vpp.edge.drivers.ocpp_charger import Connector
from vpp.edge.drivers.ocpp_session import SILENT, Route, Session, ended_at, iso

_v201: Any = require("ocpp.v201", extra="edge")
_call: Any = require("ocpp.v201.call", extra="edge")
_result: Any = require("ocpp.v201.call_result", extra="edge")

MEASURANDS = "Power.Active.Import,Energy.Active.Import.Register,SoC"
_DEFAULT_PROFILE, _RUNNING_PROFILE = 1, 2
_UNANSWERED = (
    "FirmwareStatusNotification",
    "LogStatusNotification",
    "NotifyEvent",
    "NotifyReport",
    "SecurityEventNotification",
)


class Ocpp201:
    """The dialect of OCPP 2.0.1."""

    def station(self, charger_id: str, connection: ServerConnection, timeout_s: float) -> Any:
        """Return the library's side of a connection."""
        return _v201.ChargePoint(charger_id, connection, response_timeout=timeout_s, logger=SILENT)

    def routes(self, session: Session) -> Mapping[str, Route]:
        """Return what answers each action."""
        answers = _Answers(session)
        routes: dict[str, Route] = {
            "Authorize": answers.authorize,
            "BootNotification": answers.boot,
            "DataTransfer": lambda **_: _result.DataTransfer("UnknownVendorId"),
            "Heartbeat": lambda **_: _result.Heartbeat(iso(session.now)),
            "MeterValues": answers.meter_values,
            "StatusNotification": answers.status,
            "TransactionEvent": answers.transaction_event,
        }
        return routes | {action: _empty(action) for action in _UNANSWERED}

    def limits(self, connector: Connector, limit: float, transaction: Any) -> Sequence[Any]:
        """Return the calls that set a limit: for what will start, and for what runs."""
        calls = [_profile(connector, limit, "TxDefaultProfile", _DEFAULT_PROFILE)]
        if transaction is not None:
            calls.append(_profile(connector, limit, "TxProfile", _RUNNING_PROFILE, transaction_id=transaction))
        return calls

    def settings(self, meter_interval_s: int) -> Sequence[Any]:
        """Return the calls that ask for meter values."""
        wanted = {"TxUpdatedInterval": str(meter_interval_s), "TxUpdatedMeasurands": MEASURANDS}
        return [
            _call.SetVariables(
                [
                    {
                        "attribute_value": value,
                        "component": {"name": "SampledDataCtrlr"},
                        "variable": {"name": name},
                    }
                ]
            )
            for name, value in wanted.items()
        ]

    def refusals(self, answer: Any) -> str:
        """Return why a call was not accepted, empty when it was."""
        results = getattr(answer, "set_variable_result", None)
        statuses = [answer.status] if results is None else [one["attribute_status"] for one in results]
        return ", ".join(str(status) for status in statuses if status not in ("Accepted", "RebootRequired"))


def _empty(action: str) -> Route:
    answer = getattr(_result, action)
    return lambda **_: answer()


def _profile(connector: Connector, limit: float, purpose: str, number: int, **more: Any) -> Any:
    period = {"start_period": 0, "limit": limit, "number_phases": connector.phases}
    schedule = {"id": number, "charging_rate_unit": connector.rate_unit, "charging_schedule_period": [period]}
    profile = {
        # the running and the default profile of every EVSE need ids of their own in the whole station
        "id": 2 * connector.number + number,
        "stack_level": 0,
        "charging_profile_purpose": purpose,
        "charging_profile_kind": "Relative",
        "charging_schedule": [schedule],
    }
    return _call.SetChargingProfile(connector.number, profile | more)


class _Answers:
    def __init__(self, session: Session) -> None:
        self._session = session

    def boot(self, **_: Any) -> Any:
        self._session.transactions.clear()
        self._session.after_boot()
        return _result.BootNotification(iso(self._session.now), self._session.told.heartbeat_s, "Accepted")

    def authorize(self, id_token: Mapping[str, Any], **_: Any) -> Any:
        return _result.Authorize({"status": self._verdict(id_token)})

    def status(self, connector_status: str, evse_id: int, **_: Any) -> Any:
        self._session.status(evse_id, connector_status)
        return _result.StatusNotification()

    def meter_values(self, evse_id: int, meter_value: Any, **_: Any) -> Any:
        self._session.measured(evse_id, meter_value)
        return _result.MeterValues()

    def transaction_event(
        self,
        event_type: str,
        timestamp: str,
        transaction_info: Mapping[str, Any],
        evse: Mapping[str, Any] | None = None,
        meter_value: Any = None,
        id_token: Mapping[str, Any] | None = None,
        **_: Any,
    ) -> Any:
        transaction = transaction_info["transaction_id"]
        # the station names the EVSE in the first event of a transaction, and may leave it out afterwards
        number = self._session.connector_of(transaction) if evse is None else evse["id"]
        if number is not None and event_type != "Ended":
            self._session.started(number, transaction)
        if meter_value:
            self._session.measured(number, meter_value)
        if event_type == "Ended":
            self._session.ended(transaction, ended_at(timestamp, self._session.now))
        if id_token is None:
            return _result.TransactionEvent()
        return _result.TransactionEvent(id_token_info={"status": self._verdict(id_token)})

    def _verdict(self, id_token: Mapping[str, Any]) -> str:
        return "Accepted" if self._session.accepts(str(id_token.get("id_token", ""))) else "Invalid"
