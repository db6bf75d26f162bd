"""Plots of one series: the best model's fan, how honest the bands are, and where the errors lie."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from plotly import graph_objects

from vpp.core.time import from_epoch_s
from vpp.core.units import SECONDS_PER_HOUR, percent_from_fraction
from vpp.forecasting.evaluation.leaderboard import SeriesScores
from vpp.forecasting.evaluation.rolling import Evaluation
from vpp.forecasting.local_time import LocalClock

Floats = NDArray[np.float64]
FAN_ORIGINS = 7
"""Decisions shown in the fan, the last ones."""
SHOWN_MODELS = 4
COLOURS = ("#009e73", "#0072b2", "#d55e00", "#cc79a7")
NAIVE_COLOUR = "#7a7a7a"
DIGITS = 5


def figures_of(evaluation: Evaluation, board: SeriesScores, k: int) -> list[graph_objects.Figure]:
    """Return the four figures of series ``k``: fan, reliability, errors by local hour, errors by lead."""
    leaders = [row.model for row in board.models if row.mae.value is not None][:SHOWN_MODELS]
    return [
        _fan(evaluation, board, k),
        _reliability(evaluation, leaders, k),
        _by_hour(evaluation, board, leaders, k),
        _by_lead(evaluation, board, leaders, k),
    ]


def _fan(evaluation: Evaluation, board: SeriesScores, k: int) -> graph_objects.Figure:
    """Return the last decisions of the best model, each shown until the next one."""
    figure = _figure(f"Last decisions of {board.best or 'no model'}: 80 % and 90 % bands", "")
    direction = evaluation.profiles[k].direction
    if board.best is None:
        return figure
    run = evaluation.runs[board.best]
    first = max(0, evaluation.origins.size - FAN_ORIGINS)
    times: list[str] = []
    rows: list[tuple[int, int]] = []
    for o in range(first, evaluation.origins.size):
        last = evaluation.steps
        if o + 1 < evaluation.origins.size:
            last = min(last, int(evaluation.origins[o + 1] - evaluation.origins[o]))
        for step in range(last):
            rows.append((o, step))
            at_s = int(evaluation.origins_s[o]) + step * evaluation.resolution_s
            times.append(from_epoch_s(at_s).astimezone(evaluation.timezone).replace(tzinfo=None).isoformat())
    o_index, s_index = np.array(rows).T
    levels = np.array(evaluation.levels)
    for low, high, shade in ((0.05, 0.95, "rgba(0,158,115,.15)"), (0.1, 0.9, "rgba(0,158,115,.25)")):
        ends = [np.flatnonzero(np.isclose(levels, level)) for level in (low, high)]
        if not all(end.size for end in ends):
            continue
        lower, upper = (direction * run.quantiles[o_index, int(end[0]), s_index, k] for end in ends)
        name = f"{percent_from_fraction(high - low):.0f} %"
        _add(figure, times, lower, name, {"width": 0}, legend=False)
        figure.add_trace(
            graph_objects.Scatter(
                x=times, y=_values(upper), name=name, mode="lines", line={"width": 0}, fill="tonexty", fillcolor=shade
            )
        )
    said = direction * run.value[o_index, s_index, k]
    happened = direction * evaluation.actual[o_index, s_index, k]
    _add(figure, times, said, "forecast", {"color": COLOURS[0], "width": 2})
    _add(figure, times, happened, "happened", {"color": "#0b0b0b", "width": 1.2})
    figure.update_xaxes(title_text=f"clock of {evaluation.timezone.key}")
    return figure


def _reliability(evaluation: Evaluation, leaders: list[str], k: int) -> graph_objects.Figure:
    figure = _figure("Reliability: share below each level [%]", "as it came [%]")
    levels = np.array(evaluation.levels)
    actual = evaluation.actual[:, None, :, k]
    _add(figure, [0, 100], np.array([0.0, 100.0]), "ideal", {"color": NAIVE_COLOUR, "width": 1, "dash": "dot"})
    for colour, name in zip(COLOURS, leaders, strict=False):
        quantiles = evaluation.runs[name].quantiles[:, :, :, k]
        known = np.isfinite(quantiles) & np.isfinite(actual)
        # A value on a quantile lies half below it: PV at night is exactly what was forecast.
        below = np.where(actual < quantiles, 1.0, np.where(actual == quantiles, 0.5, 0.0))
        count = known.sum(axis=(0, 2))
        share = np.divide(
            np.where(known, below, 0.0).sum(axis=(0, 2)), count, out=np.full(levels.size, np.nan), where=count > 0
        )
        _add(figure, (100.0 * levels).tolist(), 100.0 * share, name, {"color": colour, "width": 1.8})
    figure.update_xaxes(title_text="as it was said [%]")
    return figure


def _by_hour(evaluation: Evaluation, board: SeriesScores, leaders: list[str], k: int) -> graph_objects.Figure:
    clock = LocalClock(evaluation.timezone)
    ahead_s = evaluation.resolution_s * np.arange(evaluation.steps)
    hour = clock.hour_of_day(evaluation.origins_s[:, None] + ahead_s[None, :]).astype(np.int64)
    figure = _figure("Mean absolute error by local hour", "")
    _errors(figure, evaluation, board, leaders, k, groups=hour, count=24)
    figure.update_xaxes(title_text="local hour of what was forecast", dtick=3)
    return figure


def _by_lead(evaluation: Evaluation, board: SeriesScores, leaders: list[str], k: int) -> graph_objects.Figure:
    lead = np.arange(evaluation.steps) * evaluation.resolution_s // SECONDS_PER_HOUR
    groups = np.broadcast_to(lead, (evaluation.origins.size, evaluation.steps))
    figure = _figure("Mean absolute error by lead", "")
    _errors(figure, evaluation, board, leaders, k, groups=groups, count=int(lead[-1]) + 1)
    figure.update_xaxes(title_text="hours ahead")
    return figure


def _errors(
    figure: graph_objects.Figure,
    evaluation: Evaluation,
    board: SeriesScores,
    leaders: list[str],
    k: int,
    *,
    groups: NDArray[np.int64],
    count: int,
) -> None:
    """Add the mean absolute error of the naive and of each leader in each group."""
    actual = evaluation.actual[:, :, k]
    said = {board.naive: evaluation.naive[board.naive][:, :, k]}
    said |= {name: evaluation.runs[name].value[:, :, k] for name in leaders}
    colours = {board.naive: NAIVE_COLOUR}
    colours |= dict(zip((name for name in leaders if name != board.naive), COLOURS, strict=False))
    for name, values in said.items():
        off = np.abs(values - actual)
        known = np.isfinite(off)
        total = np.bincount(groups[known], off[known], count)
        number = np.bincount(groups[known], minlength=count)
        mean = np.divide(total, number, out=np.full(count, np.nan), where=number > 0)
        line = {"color": colours[name], "width": 1.8, "dash": "dot" if name == board.naive else "solid"}
        _add(figure, list(range(count)), mean, name, line)


def _figure(title: str, unit: str) -> graph_objects.Figure:
    figure = graph_objects.Figure()
    figure.update_layout(
        title={"text": title, "font": {"size": 14}, "x": 0.0, "xanchor": "left"},
        margin={"l": 52, "r": 8, "t": 44, "b": 48},
        height=340,
        font={"family": "system-ui, sans-serif", "size": 12},
        legend={"orientation": "h", "y": -0.24, "yanchor": "top", "x": 0.0},
        hovermode="x unified",
        plot_bgcolor="#ffffff",
        template="none",
    )
    figure.update_xaxes(gridcolor="#ececec", automargin=True, title_standoff=4)
    figure.update_yaxes(gridcolor="#ececec", title_text=unit, automargin=True, rangemode="tozero")
    return figure


def _add(
    figure: graph_objects.Figure,
    x: list[str] | list[float] | list[int],
    y: Floats,
    name: str,
    line: dict[str, object],
    *,
    legend: bool = True,
) -> None:
    figure.add_trace(graph_objects.Scatter(x=x, y=_values(y), name=name, mode="lines", line=line, showlegend=legend))


def _values(values: Floats) -> list[float | None]:
    """Return numbers as JSON holds them, five significant digits, None where there is none."""
    return [float(f"{value:.{DIGITS}g}") if np.isfinite(value) else None for value in values.tolist()]
