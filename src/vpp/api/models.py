"""What the API takes and gives, as the OpenAPI document shows it.

Powers are positive toward the grid; times are ISO 8601 in UTC; a value holds over the step that starts at its time.
Documents may carry more than is named here; what is named is promised.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

Number = float | None
Numbers = list[float | None]
Moment = Annotated[str, Field(description="ISO 8601, UTC.", examples=["2016-08-15T17:00:00Z"])]

MOST_ROWS = 10_000
LARGEST_VALUE = 1e9


class Document(BaseModel):
    """An answer."""

    model_config = ConfigDict(extra="allow")


class Health(Document):
    """Whether the server is up."""

    status: Literal["ok"] = "ok"


class SignIn(BaseModel):
    """The one-time code of the printed link."""

    model_config = ConfigDict(extra="forbid")

    code: str = Field(min_length=1, max_length=200, description="What follows `#code=` in the link.")


class OneTimeCode(Document):
    """A code for one more browser."""

    code: str = Field(description="Works once, within ten minutes: open `/#code=<code>`.")


class PlantName(Document):
    """A plant one may ask for."""

    id: str = Field(examples=["homes"])
    name: str = Field(examples=["Eleven homes in Fontana"])


class AssetFacts(Document):
    """An asset as the plant file states it; more facts follow its kind."""

    id: str = Field(examples=["home01_battery"])
    kind: str = Field(examples=["battery"])


class SiteFacts(Document):
    """Assets behind one meter."""

    id: str = Field(examples=["home01"])
    import_max_kw: Number = Field(description="Most it may draw [kW]; null for no limit.")
    export_max_kw: Number = Field(description="Most it may feed in [kW]; null for no limit.")
    assets: list[AssetFacts]


class PlantDocument(PlantName):
    """A plant, its settings and how it is doing."""

    timezone: str = Field(examples=["America/Los_Angeles"])
    currency: str = Field(examples=["USD"])
    control: bool = Field(description="Whether commands are sent; false is advice only.")
    strategy: str
    mode: Literal["replay", "live"]
    speed: Number = Field(description="Seconds of the plant's time per second; null when live.", examples=[1800.0])
    now: Moment
    resolution_s: int = Field(examples=[3600])
    horizon_s: int
    started_at: Moment
    ends_at: Moment | None = Field(description="Where a replay's data end; null when live.")
    sites: list[SiteFacts]
    status: dict[str, JsonValue]


class AssetState(Document):
    """An asset's latest measurement."""

    id: str
    kind: str
    site: str
    power_kw: Number = Field(description="Positive toward the grid [kW].")
    soc: Number = Field(description="State of charge, 0 to 1.")
    time: Moment | None


class SeriesDocument(Document):
    """Measured series on one grid; with another sampling than the mean, some of their values and where they stand."""

    start: Moment
    resolution_s: int
    series: dict[str, Numbers] = Field(examples=[{"home01_load/power_kw": [-0.8, -1.1, None]}])
    steps: dict[str, list[int]] | None = Field(
        default=None,
        description="With sampling: for each value, how many steps of the resolution after the start it stands.",
        examples=[{"home01_load/power_kw": [0, 17, 18]}],
    )


class Totals(Document):
    """Totals of the plant on one grid, each a list of values."""

    start: Moment
    resolution_s: int
    load_kw: Numbers = Field(description="Consumption [kW].")
    solar_kw: Numbers = Field(description="Solar generation [kW].")
    wind_kw: Numbers = Field(description="Wind generation [kW].")
    battery_kw: Numbers = Field(description="Positive discharges [kW].")
    grid_kw: Numbers = Field(description="Positive feeds in [kW].")
    soc: Numbers = Field(description="State of charge weighted by energy, 0 to 1.")
    import_price_per_kwh: Numbers
    export_price_per_kwh: Numbers


class OverviewDocument(Totals):
    """Totals of the past, and of the plan under `plan`."""

    plan: dict[str, Any] | None = Field(description="The same series for the steps ahead; null before the first plan.")


class ForecastDocument(Document):
    """A forecast of one series."""

    source: str
    metric: str
    issued_at: Moment
    start: Moment
    resolution_s: int
    model: str
    flags: list[str]
    value: Numbers
    quantiles: dict[str, Numbers]


class ScheduleDocument(Document):
    """The plan in force, with a reason for every asset and step."""

    plant: str
    issued_at: Moment
    resolution_s: int
    status: str = Field(examples=["optimal"])
    objective: Number
    steps: list[dict[str, Any]]


class MoneyDocument(Document):
    """Cumulative cost since the start, beside that of the same plant without a battery."""

    start: Moment
    resolution_s: int
    cost: Numbers
    no_battery_cost: Numbers
    saved: Number
    currency: str


class ReasonDocument(Document):
    """Why an asset does what it does in one step."""

    asset: str
    time: Moment
    power_kw: Number
    soc: Number
    code: str = Field(examples=["charge_surplus"])
    limit: str = Field(description="The limit that binds; `none` when none does.", examples=["soc_max"])
    marginal_value_per_kwh: Number
    alternative_power_kw: Number
    alternative_cost: Number
    currency: str
    sentence: str


class ReadingRow(BaseModel):
    """One measured value."""

    model_config = ConfigDict(extra="forbid")

    source: str = Field(min_length=1, max_length=63, examples=["home01_load"])
    metric: str = Field(min_length=1, max_length=63, examples=["power_kw"])
    time: str = Field(max_length=40, description="ISO 8601 with a zone.", examples=["2016-08-15T17:00:00Z"])
    value: float = Field(
        strict=True, allow_inf_nan=False, ge=-LARGEST_VALUE, le=LARGEST_VALUE, description="Finite.", examples=[-1.25]
    )


ReadingRows = Annotated[list[ReadingRow], Field(min_length=1, max_length=MOST_ROWS)]


class Accepted(Document):
    """What became of posted readings; all are kept or none is."""

    accepted: int
    new: int = Field(description="How many were not there before.")


class RefusedTelemetry(Document):
    """A message, or a reading of it, that was put in quarantine."""

    message: int | None = Field(description="Index of the message in the request; null where it cannot be told.")
    reason: str = Field(examples=["unit"])
    detail: str = Field(description="Fault, value and remedy.")


class TelemetryAnswer(Document):
    """What became of telemetry; it is durable."""

    messages: int = Field(description="Messages in the request.")
    readings: int = Field(description="Readings they told.")
    accepted: int = Field(description="Readings that passed the checks, those of copies among them.")
    new: int | None = Field(
        description="Messages that had not come before; null where it was kept together with other requests and one of "
        "them held copies."
    )
    duplicates: int | None = Field(description="Messages that had come before; null as `new`.")
    rows: int | None = Field(description="Rows that were not there before; null as `new`.")
    refused: int = Field(description="Messages and single readings that were put in quarantine.")
    refusals: list[RefusedTelemetry] = Field(description="The first hundred of them.")
