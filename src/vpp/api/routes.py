"""Addresses of a plant. Each parses, calls one method of the plant's view and gives what it returned."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body, Path, Query, Request
from starlette.exceptions import HTTPException

from vpp.api.models import (
    Accepted,
    AssetState,
    Document,
    ForecastDocument,
    MoneyDocument,
    OverviewDocument,
    PlantDocument,
    PlantName,
    ReadingRows,
    ReasonDocument,
    ScheduleDocument,
    SeriesDocument,
)
from vpp.api.problems import NO_SUCH_PLANT, Problem
from vpp.api.queries import End, Start, moment_of, span_of
from vpp.runtime.sampled import Sampling
from vpp.runtime.view import PlantView

MOST_POINTS = 5000
MOST_KEYS = 200
MOST_EVENTS = 500

PlantId = Annotated[str, Path(max_length=63, description="Plant id.", examples=["homes"])]
PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "description": text}
    for status, text in (
        (401, "Not signed in."),
        (404, "No such plant or name."),
        (409, "Not enough measurements yet."),
        (413, "The body is too large."),
        (422, "A value outside its range."),
    )
}
router = APIRouter(prefix="/api/v1/plants", responses=PROBLEMS, tags=["plants"])


def view_of(request: Request, plant: str) -> PlantView:
    """Return the view of a plant; a plant that is not there and one that is another's look the same."""
    view: PlantView | None = request.app.state.views.get(plant)
    if view is None:
        raise HTTPException(404, NO_SUCH_PLANT)
    return view


@router.get("", summary="List the plants", response_model=list[PlantName])
def plants(request: Request) -> list[dict[str, Any]]:
    """Return the plants of this server."""
    return [{"id": key, "name": view.describe()["name"]} for key, view in request.app.state.views.items()]


@router.get("/{plant}", summary="Describe a plant", response_model=PlantDocument)
def describe(request: Request, plant: PlantId) -> dict[str, Any]:
    """Return what a plant is made of, its present and its status."""
    return view_of(request, plant).describe()


@router.get("/{plant}/assets", summary="Latest state of every asset", response_model=list[AssetState])
def assets(request: Request, plant: PlantId) -> list[dict[str, Any]]:
    """Return the power and state of charge that each asset reported last."""
    return view_of(request, plant).assets()


@router.get(
    "/{plant}/readings", summary="Measured series", response_model=SeriesDocument, response_model_exclude_unset=True
)
def readings(
    request: Request,
    plant: PlantId,
    start: Start = None,
    end: End = None,
    key: Annotated[
        list[Annotated[str, Query(max_length=130)]] | None,
        Query(
            max_length=MOST_KEYS, description="Series, `source/metric`; all by default.", examples=["home01/power_kw"]
        ),
    ] = None,
    most_points: Annotated[int, Query(ge=1, le=MOST_POINTS, description="Values at most of each series.")] = 2000,
    sampling: Annotated[
        Sampling,
        Query(
            description="How too many become few: `mean` averages over longer steps; `minmax` keeps the lowest and "
            "highest of equal spans, `lttb` the values that draw the curve. These two alter no value, and take "
            "10 or more `most_points`."
        ),
    ] = "mean",
) -> dict[str, Any]:
    """Return measurements of a span as columns, made fewer when there are too many."""
    view = view_of(request, plant)
    first, last = span_of(start, end, view.describe()["now"])
    return view.readings(first, last, keys=key, most_points=most_points, sampling=sampling)


@router.post("/{plant}/readings", summary="Post measurements", response_model=Accepted)
def post_readings(
    request: Request,
    plant: PlantId,
    rows: Annotated[
        ReadingRows,
        Body(
            openapi_examples={
                "load": {
                    "summary": "A home that draws 1.25 kW",
                    "value": [
                        {"source": "home01_load", "metric": "power_kw", "time": "2016-08-15T17:00:00Z", "value": -1.25}
                    ],
                }
            }
        ),
    ],
) -> dict[str, Any]:
    """Keep measurements, all or none; powers are positive toward the grid. A later value of a step revises it."""
    view = view_of(request, plant)
    for i, row in enumerate(rows):
        moment_of(row.time, f"body.{i}.time")
    return view.post_readings([row.model_dump() for row in rows])


@router.get("/{plant}/overview", summary="Totals, past and planned", response_model=OverviewDocument)
def overview(
    request: Request,
    plant: PlantId,
    start: Start = None,
    end: End = None,
    site: Annotated[str | None, Query(max_length=63, description="One site; the whole plant by default.")] = None,
) -> dict[str, Any]:
    """Return totals of the plant or of one site: measured until now, and planned from now until the end."""
    view = view_of(request, plant)
    return view.overview(*span_of(start, end, view.describe()["now"]), site=site)


@router.get("/{plant}/forecasts", summary="Forecasts in force", response_model=list[ForecastDocument])
def forecasts(request: Request, plant: PlantId) -> list[dict[str, Any]]:
    """Return the latest forecast of every series."""
    return view_of(request, plant).forecasts()


@router.get("/{plant}/schedule", summary="The plan in force", response_model=ScheduleDocument | None)
def schedule(request: Request, plant: PlantId) -> dict[str, Any] | None:
    """Return the plan with its reasons; null before the first."""
    return view_of(request, plant).schedule()


@router.get("/{plant}/explain", summary="Why, for one asset and step", response_model=ReasonDocument)
def explain(
    request: Request,
    plant: PlantId,
    asset: Annotated[str, Query(max_length=63, examples=["home01_battery"])],
    time: Annotated[str, Query(max_length=40, description="ISO 8601 with a zone.", examples=["2016-08-15T17:00:00Z"])],
) -> dict[str, Any]:
    """Return the motive, the limit that binds, the worth of a kWh and what the alternative would have cost."""
    return view_of(request, plant).explain(asset, moment_of(time, "time"))


@router.get("/{plant}/money", summary="Cost so far", response_model=MoneyDocument)
def money(request: Request, plant: PlantId) -> dict[str, Any]:
    """Return the cumulative cost since the start beside that without a battery."""
    return view_of(request, plant).money()


@router.get("/{plant}/commands", summary="Commands sent", response_model=list[Document])
def commands(request: Request, plant: PlantId, start: Start = None, end: End = None) -> list[dict[str, Any]]:
    """Return the commands of a span and what became of them."""
    view = view_of(request, plant)
    return view.commands(*span_of(start, end, view.describe()["now"]))


@router.get("/{plant}/events", summary="Events, newest first", response_model=list[Document])
def events(
    request: Request,
    plant: PlantId,
    most: Annotated[int, Query(ge=1, le=MOST_EVENTS, description="How many at most.")] = 100,
) -> list[dict[str, Any]]:
    """Return what an operator should know."""
    return view_of(request, plant).events(most)
