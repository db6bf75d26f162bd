"""The report of a back-test: one HTML file that needs nothing else, with plots one can zoom into."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from plotly import graph_objects, subplots

from vpp.core.errors import InvalidInputError, UnreadableFileError
from vpp.core.units import percent_from_fraction
from vpp.runtime.backtest import BacktestResult, StrategyResult
from vpp.runtime.names import STRATEGY_NAMES

COLOURS = {
    "solar_kw": "#e69f00",
    "wind_kw": "#56b4e9",
    "discharge_kw": "#009e73",
    "charge_kw": "#009e73",
    "load_kw": "#999999",
    "grid_kw": "#0b0b0b",
    "no_battery": "#999999",
    "rule": "#cc79a7",
    "yesterday": "#56b4e9",
    "plan": "#009e73",
    "perfect_foresight": "#e69f00",
}


def write_report(result: BacktestResult, path: Path) -> None:
    """Write the report; the file appears whole or not at all.

    Raises
    ------
    InvalidInputError
        When the folder does not exist.
    UnreadableFileError
        When the file cannot be written.
    """
    if not path.parent.is_dir():
        raise InvalidInputError("--html", str(path), "a file in a folder that exists")
    page = _figure(result).to_html(include_plotlyjs=True, full_html=True, config={"displaylogo": False})
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_text(page, encoding="utf-8")
        part.replace(path)
    except OSError as fault:
        part.unlink(missing_ok=True)
        raise UnreadableFileError(str(path), f"it cannot be written: {fault.strerror}") from fault


def _figure(result: BacktestResult) -> graph_objects.Figure:
    figure = subplots.make_subplots(
        rows=4,
        cols=1,
        shared_xaxes=True,
        vertical_spacing=0.05,
        row_heights=[0.4, 0.16, 0.16, 0.28],
        subplot_titles=(
            "Power with the plan [kW]: up is supply, down is use",
            "State of charge [%]",
            f"Price [{result.currency}/kWh]",
            f"Cumulative cost [{result.currency}]",
        ),
    )
    times = [time.isoformat() for time in result.grid]
    shown = result.strategies.get("plan") or next(iter(result.strategies.values()))
    _power(figure, result, shown, times)
    for name, strategy in result.strategies.items():
        line = {"color": COLOURS[name], "width": 2.5 if name == "plan" else 1.2}
        if name in ("plan", "perfect_foresight"):
            _line(
                figure,
                times,
                percent_from_fraction(strategy.series["soc"]),
                STRATEGY_NAMES[name],
                line,
                row=2,
                legend=False,
            )
        _line(figure, times, np.cumsum(strategy.statement.step_cost), STRATEGY_NAMES[name], line, row=4)
    for key, dash in (("import_price_per_kwh", "solid"), ("export_price_per_kwh", "dot")):
        line = {"color": "#0072b2", "width": 1.2, "dash": dash}
        _line(figure, times, result.world[key], key.split("_", maxsplit=1)[0] + " price", line, row=3)
    figure.update_layout(
        title={"text": f"{result.name}, {_span(result)}", "subtitle": {"text": _headline(result)}},
        margin={"t": 140},
        template="plotly_white",
        hovermode="x unified",
        height=1100,
        font={"family": "system-ui, sans-serif"},
        legend={"orientation": "h", "y": -0.08},
    )
    figure.update_xaxes(title_text="time (UTC)", row=4, col=1)
    return figure


def _power(figure: graph_objects.Figure, result: BacktestResult, plan: StrategyResult, times: list[str]) -> None:
    battery = plan.series["battery_kw"]
    stacks = (
        ("solar_kw", "solar", result.world["solar_kw"], "up"),
        ("wind_kw", "wind", result.world["wind_kw"], "up"),
        ("discharge_kw", "battery discharges", np.maximum(battery, 0.0), "up"),
        ("load_kw", "load", -result.world["load_kw"], "down"),
        ("charge_kw", "battery charges", np.minimum(battery, 0.0), "down"),
    )
    for key, name, values, group in stacks:
        if np.abs(values).max() > 0.0:
            trace = graph_objects.Scatter(
                x=times, y=values, name=name, stackgroup=group, line={"width": 0.5, "color": COLOURS[key]}
            )
            figure.add_trace(trace, row=1, col=1)
    _line(
        figure, times, plan.series["grid_kw"], "grid (up feeds in)", {"color": COLOURS["grid_kw"], "width": 1.2}, row=1
    )


def _line(
    figure: graph_objects.Figure,
    times: list[str],
    values: object,
    name: str,
    line: dict[str, object],
    *,
    row: int,
    legend: bool = True,
) -> None:
    trace = graph_objects.Scatter(x=times, y=values, name=name, mode="lines", line=line, showlegend=legend)
    figure.add_trace(trace, row=row, col=1)


def _span(result: BacktestResult) -> str:
    return f"{result.grid.start:%Y-%m-%d} to {result.grid.end:%Y-%m-%d}"


def _headline(result: BacktestResult) -> str:
    words = []
    for name, strategy in result.strategies.items():
        share = "" if strategy.share is None else f" ({strategy.share:.0%})"
        words.append(f"{STRATEGY_NAMES[name]} {strategy.statement.cost:,.0f}{share}")
    cost = f"cost [{result.currency}], share of perfect foresight: "
    return cost + ", ".join(words[:3]) + "<br>" + ", ".join(words[3:])
