"""The report of an evaluation: one HTML file that needs nothing else, a leaderboard and four plots for each series."""

from __future__ import annotations

import json
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from plotly.offline import get_plotlyjs

from vpp.core.errors import UnreadableFileError
from vpp.core.messages import SeriesKey
from vpp.core.units import percent_from_fraction
from vpp.forecasting.evaluation.leaderboard import ModelScores, SeriesScores
from vpp.forecasting.evaluation.plots import figures_of
from vpp.forecasting.evaluation.rolling import Evaluation
from vpp.forecasting.scores import Score

DIGITS = 4
STYLE = """
:root { font-family: system-ui, sans-serif; color: #1a1a1a; background: #fff; }
body { margin: 0 auto; max-width: 1280px; padding: 1rem; }
h1 { font-size: 1.4rem; margin: 0 0 .3rem; } p { line-height: 1.45; margin: .4rem 0; }
.dim { color: #595959; font-size: .9rem; }
select { font: inherit; padding: .35rem; max-width: 100%; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: .6rem 0; font-size: .92rem; }
th, td { padding: .3rem .5rem; text-align: right; white-space: nowrap; border-bottom: 1px solid #e3e3e3; }
th:first-child, td:first-child { text-align: left; } th { font-weight: 600; } tr.best td { font-weight: 600; }
.plots { display: grid; grid-template-columns: repeat(3, minmax(0, 1fr)); gap: 1rem; }
.plots > div { min-height: 340px; } .plots > div:first-child { grid-column: 1 / -1; }
li { margin: .2rem 0; }
@media (max-width: 980px) { .plots { grid-template-columns: minmax(0, 1fr); } body { padding: .6rem; } }
"""
SCRIPT = """
const series = JSON.parse(document.getElementById("series").textContent);
const choice = document.getElementById("choice");
function show() {
  const one = series[choice.value];
  document.getElementById("board").innerHTML = one.board;
  one.figures.forEach((figure, i) =>
    Plotly.react("plot" + i, figure.data, figure.layout,
      {responsive: true, displayModeBar: i === 0, displaylogo: false}));
}
choice.addEventListener("change", show);
show();
"""


def write_report(
    evaluation: Evaluation,
    boards: tuple[SeriesScores, ...],
    path: Path,
    *,
    title: str,
    labels: Mapping[SeriesKey, str],
    notes: tuple[str, ...] = (),
    regrets: Mapping[tuple[SeriesKey, str], str] | None = None,
    currency: str = "",
) -> None:
    """Write the report; the file appears whole or not at all.

    Parameters
    ----------
    evaluation : Evaluation
        What was said and what happened.
    boards : tuple of SeriesScores
        The leaderboards, in the order of the evaluation's profiles.
    path : Path
        Where to.
    title : str
        What was evaluated.
    labels : mapping of SeriesKey to str
        What a reader calls each series.
    notes : tuple of str
        What was found in the data and done.
    regrets : mapping of (SeriesKey, model) to str, optional
        Regret as text; None leaves the column out.
    currency : str
        Of the regret.

    Raises
    ------
    UnreadableFileError
        When the file cannot be written.
    """
    series = []
    for k, board in enumerate(boards):
        told = None if regrets is None else {row.model: regrets[board.key, row.model] for row in board.models}
        figures = [figure.to_plotly_json() for figure in figures_of(evaluation, board, k)]
        series.append({"board": _board(board, told, currency), "figures": figures})
    page = _page(evaluation, boards, series, title=title, labels=labels, notes=notes)
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_text(page, encoding="utf-8")
        part.replace(path)
    except OSError as fault:
        part.unlink(missing_ok=True)
        raise UnreadableFileError(str(path), f"it cannot be written: {fault.strerror}") from fault


def _page(
    evaluation: Evaluation,
    boards: tuple[SeriesScores, ...],
    series: list[dict[str, Any]],
    *,
    title: str,
    labels: Mapping[SeriesKey, str],
    notes: tuple[str, ...],
) -> str:
    options = "".join(
        f'<option value="{k}">{escape(labels[board.key])} - best: {escape(board.best or "none")}</option>'
        for k, board in enumerate(boards)
    )
    told = "".join(f"<li>{escape(note)}</li>" for note in notes)
    found = f"<details><summary>{len(notes)} notes on the data</summary><ul>{told}</ul></details>" if notes else ""
    hours = evaluation.steps * evaluation.resolution_s / 3600
    # A closing tag inside the data would end the script element.
    data = json.dumps(series, allow_nan=False).replace("</", "<\\/")
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}: forecasts evaluated</title><style>{STYLE}</style></head><body>
<h1>{escape(title)}: forecasts evaluated</h1>
<p class="dim">{evaluation.origins.size} decisions, {hours:g} h ahead each, on the clock of
{escape(evaluation.timezone.key)}. No model saw anything after its decision.</p>
<p><label>Series <select id="choice">{options}</select></label></p>
<div class="scroll" id="board"></div>
<p class="dim">MAE, RMSE, pinball and CRPS in the unit of the series; rMAE over the better seasonal naive; p by Diebold
and Mariano against that naive; cover: share inside the central 80 %.</p>
<div class="plots"><div id="plot0"></div><div id="plot1"></div><div id="plot2"></div><div id="plot3"></div></div>
{found}
<script type="application/json" id="series">{data}</script>
<script>{get_plotlyjs()}</script><script>{SCRIPT}</script></body></html>
"""


def _board(board: SeriesScores, regrets: Mapping[str, str] | None, currency: str) -> str:
    headings = ["model", "MAE", "95 %", "rMAE", "p", "RMSE", "MASE", "pinball", "CRPS", "cover"]
    headings += [f"regret {escape(currency)}"] if regrets is not None else []
    headings += ["fit CPU s", "forecast CPU s"]
    rows = []
    for row in board.models:
        cells = [escape(row.model), *_cells(row)]
        cells += [escape(regrets[row.model])] if regrets is not None else []
        cells += [f"{row.fit_cpu_s:.2g}", f"{row.predict_cpu_s:.2g}"]
        style = ' class="best"' if row.model == board.best else ""
        rows.append(f"<tr{style}>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    head = "".join(f"<th>{heading}</th>" for heading in headings)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _cells(row: ModelScores) -> list[str]:
    low, high = row.mae_interval.low, row.mae_interval.high
    p_value = row.against_naive.p_value
    covered = row.coverage_80.value
    return [
        _number(row.mae),
        "-" if low is None or high is None else f"{_significant(low)} to {_significant(high)}",
        _number(row.rmae),
        "-" if p_value is None else "&lt;0.001" if p_value < 1e-3 else f"{p_value:.3f}",
        *(_number(score) for score in (row.rmse, row.mase, row.pinball, row.crps)),
        "-" if covered is None else f"{percent_from_fraction(covered):.0f} %",
    ]


def _number(score: Score) -> str:
    if score.value is None:
        return f'<span title="{escape(score.reason)}">-</span>'
    return _significant(score.value)


def _significant(value: float) -> str:
    """Return a number with four significant digits and no exponent.

    >>> _significant(12345.6), _significant(0.00123456)
    ('12,346', '0.001235')
    """
    return f"{value:,.0f}" if abs(value) >= 10**DIGITS else f"{value:.{DIGITS}g}"
