"""``vpp forecast evaluate``: which model forecasts what best, how sure that is, and what its errors cost."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vpp.cli.shared import JsonOption, console, error_console, optional_time, print_json, print_note, writable_target
from vpp.core.errors import InvalidInputError
from vpp.core.time import parse_duration_s

if TYPE_CHECKING:
    from datetime import datetime

    from rich.table import Table

    from vpp.runtime.evaluation import Board, Evaluated

SURE = 0.05
"""Probability below which a difference is called one."""
ALL = "all"


def evaluate(
    data: Annotated[
        str,
        typer.Argument(
            help="A built-in plant (homes, wholesale), a plant file, or a CSV or Parquet file: time, series."
        ),
    ],
    horizon: Annotated[str, typer.Option(help="How far to forecast, e.g. 30h, 48h.")] = "30h",
    days: Annotated[int, typer.Option(min=1, help="Decisions at 18:00 local time on the last so many days.")] = 28,
    models: Annotated[
        str | None,
        typer.Option(
            help="Models, separated by commas, e.g. median,lear; all adds the heavy ones; default: the light."
        ),
    ] = None,
    plant: Annotated[
        str | None, typer.Option(help="The plant whose readings the file holds: its errors are priced as regret.")
    ] = None,
    timezone: Annotated[
        str | None, typer.Option(help="IANA zone of local hours and of stamps without a zone, e.g. Europe/Berlin.")
    ] = None,
    origins: Annotated[
        Path | None, typer.Option(help="Text file of moments of decision, one a line, ISO 8601 with zone.")
    ] = None,
    report: Annotated[Path | None, typer.Option(help="Write a self-contained HTML report with plots here.")] = None,
    keep_faulty: Annotated[
        bool, typer.Option("--keep-faulty", help="Evaluate also series that cannot be what they are called.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Let models forecast the past, and rank them by error, by how sure that is, and by what their errors cost.

    Each model is fitted once a week and sees nothing after the decision. Faulty values are set aside and told.
    """
    from vpp.runtime.evaluation import evaluate as run
    from vpp.runtime.evaluation import models_for
    from vpp.runtime.evaluation_data import evaluation_data

    horizon_s = parse_duration_s(horizon, field="--horizon")
    if report is not None:
        writable_target(report, field="--report")
    names = _names(models)
    moments = () if origins is None else _moments(origins)
    read = evaluation_data(data, plant=plant, timezone=timezone, keep_faulty=keep_faulty)
    for note in read.notes:
        print_note(note)
    with error_console().status("evaluating") as status:
        evaluated = run(
            read,
            models=models_for(read, heavy=True) if names == (ALL,) else names,
            horizon_s=horizon_s,
            days=days,
            origins=moments,
            progress=lambda what, share: status.update(f"evaluating: {what} {share:.0%}"),
        )
    if report is not None:
        from vpp.runtime.evaluation_report import write_evaluation

        write_evaluation(evaluated, report)
    if json:
        print_json(evaluated.document())
        return
    _print(evaluated)
    if report is not None:
        console().print(f"Report: {report}", soft_wrap=True)


def _names(text: str | None) -> tuple[str, ...]:
    if text is None:
        return ()
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not names:
        raise InvalidInputError("--models", text, "names separated by commas, e.g. median,seasonal_naive_24h")
    return names


def _moments(path: Path) -> tuple[datetime, ...]:
    from vpp.core.errors import UnreadableFileError

    try:
        lines = path.read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError) as fault:
        raise UnreadableFileError(str(path), "it cannot be read as text") from fault
    read = [optional_time(line, field=f"{path.name}:{number}") for number, line in enumerate(lines, 1)]
    moments = tuple(moment for moment in read if moment is not None)
    if not moments:
        raise InvalidInputError("--origins", str(path), "a file with a moment on each line")
    return moments


def _print(evaluated: Evaluated) -> None:
    count = evaluated.evaluation.origins.size
    to = console()
    for board in evaluated.boards:
        to.print(_table(evaluated, board))
        to.print(_sentence(board), soft_wrap=True)
        for reason in _reasons(evaluated, board):
            to.print(reason, style="dim", soft_wrap=True)
    if len(evaluated.boards) > 1:
        to.print(_overall(evaluated))
    to.print(
        f"{count} decisions, {evaluated.horizon_s / 3600:g} h ahead each\n"
        "MAE: with its 95 % interval, in the unit of the series\n"
        "rMAE: MAE over that of the better seasonal naive (24 h, 168 h)\n"
        "p: chance of a difference from that naive as large by luck (Diebold-Mariano)\n"
        "cover: of the 80 % band; regret: what the errors cost the plant, all decisions",
        style="dim",
    )


def _table(evaluated: Evaluated, board: Board) -> Table:
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    setup = evaluated.data.setup
    title = escape(f"{evaluated.data.labels[board.key]} ({board.kind})")
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    table.add_column("model", no_wrap=True)
    headings = ["MAE", "+-", "rMAE", "pinball", "cover", "p"]
    headings += [f"regret {setup.plant.currency}"] if setup is not None else []
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    for row in board.models:
        error, high = row.mae.value, row.mae_interval.high
        reach = None if high is None or error is None else high - error
        covered = row.coverage_80.value
        cells = [_figure(error), _figure(reach, digits=2), _ratio(row.rmae.value), _figure(row.pinball.value)]
        cells += ["-" if covered is None else f"{covered:.0%}", _p(row.against_naive.p_value)]
        if setup is not None:
            regret = evaluated.regrets[board.key, row.model].value
            cells.append("-" if regret is None else f"{regret:,.2f}")
        table.add_row(row.model, *cells, style="bold" if row.model == board.best else "")
    return table


def _overall(evaluated: Evaluated) -> Table:
    """Return the models over all series, where their relative errors can be averaged."""
    from rich import box
    from rich.table import Table

    names = list(evaluated.evaluation.runs)
    boards = [b for b in evaluated.boards if all(b.of(name).rmae.value is not None for name in names)]
    setup = evaluated.data.setup
    title = f"over all {len(boards)} series"
    if len(boards) < len(evaluated.boards):
        title = f"over the {len(boards)} of {len(evaluated.boards)} series on which every model has a figure"
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    table.add_column("model", no_wrap=True)
    headings = ["mean rMAE", "best on", "worse than naive on"]
    headings += [f"regret {setup.plant.currency}"] if setup is not None else []
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    rows = []
    for name in names if boards else ():
        ratios = [board.of(name).rmae.value or 0.0 for board in boards]
        mean = sum(ratios) / len(ratios)
        cells = [_ratio(mean), str(sum(b.best == name for b in boards)), str(sum(ratio > 1.0 for ratio in ratios))]
        if setup is not None:
            regrets = [evaluated.regrets[board.key, name].value for board in boards]
            told = [regret for regret in regrets if regret is not None]
            cells.append(f"{sum(told):,.2f}" if len(told) == len(boards) else "-")
        rows.append((mean, [name, *cells]))
    for _, cells in sorted(rows):
        table.add_row(*cells)
    return table


def _figure(value: float | None, *, digits: int = 3) -> str:
    """Return a number with a few significant digits and no exponent.

    >>> _figure(12345.6), _figure(0.00123456), _figure(None)
    ('12,346', '0.00123', '-')
    """
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 10**digits else f"{value:.{digits}g}"


def _ratio(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _p(value: float | None) -> str:
    return "-" if value is None else "<0.001" if value < 1e-3 else f"{value:.3f}"


def _sentence(board: Board) -> str:
    """Return what the figures say, in words."""
    if board.best is None:
        return "No model could be scored."
    best = board.of(board.best)
    words = [f"Best: {board.best}"]
    naive = best.against_naive
    if naive.p_value is not None and naive.difference is not None:
        better = "better" if naive.difference < 0.0 else "worse"
        surely = "surely" if naive.p_value < SURE else "not surely"
        words.append(f"{surely} {better} than {board.naive} (p {_p(naive.p_value)})")
    second = [row.model for row in board.models if row.model != board.best]
    if second and not (second[0] == board.naive and naive.p_value is not None):
        compared = board.against_second
        if compared.p_value is None:
            words.append(f"against {second[0]}: {compared.reason}")
        else:
            surely = "surely" if compared.p_value < SURE else "not surely"
            words.append(f"{surely} better than {second[0]} (p {_p(compared.p_value)})")
    return "; ".join(words)


def _reasons(evaluated: Evaluated, board: Board) -> list[str]:
    """Return why figures are missing, one line for each reason."""
    models: dict[str, list[str]] = {}
    for row in board.models:
        missing: list[Any] = [row.mae, row.rmae, row.pinball, row.coverage_80]
        reasons = [score.reason for score in missing if score.value is None]
        regret = evaluated.regrets[board.key, row.model]
        if evaluated.data.setup is not None and regret.value is None:
            reasons.append(f"regret: {regret.reason}")
        if row.mae.value is not None and row.answered < 1.0:
            reasons.append(f"answered {row.answered:.0%} of the steps")
        for reason in dict.fromkeys(reasons):
            models.setdefault(reason, []).append(row.model)
    return [f"- {', '.join(names)}: {reason}" for reason, names in models.items()]
