"""``vpp top``: ingestion at a glance: services, quarantine, and how fresh every source is."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from vpp.cli.shared import JsonOption, console, print_json
from vpp.core.errors import StoreError

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from vpp.core.messages import Heartbeat
    from vpp.runtime.ingestion.watching import Look

_COLOURS = {"running": "green", "stopped": "dim", "silent": "red", "store failing": "red"}
_MOST_SOURCES = 15
_MOST_REFUSALS = 5


def top(
    store: Annotated[str, typer.Option(help="The store that is written to, e.g. sqlite:///plant.db.")],
    plant: Annotated[
        list[str] | None, typer.Option(help="Only this plant; again for more. By default all that services name.")
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="Look once and end.")] = False,
    json: JsonOption = False,
    interval: Annotated[float, typer.Option(min=0.2, help="Seconds between two looks.")] = 1.0,
) -> None:
    """Watch ingestion: rates, lag, quarantine by reason, freshness of every source. Ctrl-C ends it."""
    from vpp.runtime.build import open_store
    from vpp.runtime.clock import WallClock
    from vpp.runtime.ingestion.watching import document, look

    clock = WallClock()
    kept = open_store(store)
    try:
        if json:
            print_json(document(look(kept, plant or (), clock.now())))
        elif once:
            console().print(page(look(kept, plant or (), clock.now())))
        else:
            from rich.live import Live
            from rich.text import Text

            shown = page(look(kept, plant or (), clock.now()))
            with Live(shown, console=console(), screen=True, auto_refresh=False) as live:
                while True:
                    time.sleep(interval)
                    try:
                        shown = page(look(kept, plant or (), clock.now()))
                    except StoreError as fault:
                        shown = Text(f"The store cannot be read, it is tried again: {fault}", style="red")
                    live.update(shown, refresh=True)
    finally:
        kept.close()


def page(seen: Look) -> RenderableType:
    """Return what was seen as one page for a terminal of 80 columns and more."""
    from rich.console import Group
    from rich.text import Text

    head = Text.assemble(("vpp top", "bold"), f"  {seen.now:%Y-%m-%d %H:%M:%S} UTC")
    return Group(head, Text(), _services(seen), Text(), _quarantine(seen), Text(), _sources(seen))


def _services(seen: Look) -> RenderableType:
    from rich.markup import escape
    from rich.text import Text

    from vpp.runtime.ingestion.watching import state_of

    if not seen.services:
        return Text("No service has told this store that it lives; vpp ingest does.", style="yellow")
    table = _table("service", "state", ">msg/s", ">read/s", ">lag", ">in hand", ">copies", ">refused", ">beat")
    for beat in seen.services:
        state = state_of(beat, seen.now)
        counts = beat.counts
        alive = state in ("running", "store failing")
        table.add_row(
            escape(beat.service),
            f"[{_COLOURS[state]}]{state}[/]",
            f"{counts.get('parcels_per_s', 0.0):,.0f}" if alive else "-",
            f"{counts.get('readings_per_s', 0.0):,.0f}" if alive else "-",
            f"{counts['lag_seconds']:,.0f} s" if alive and "lag_seconds" in counts else "-",
            f"{counts.get('in_hand_messages', 0.0):,.0f}",
            f"{counts.get('duplicates_total', 0.0):,.0f}",
            f"{_refused(beat):,.0f}",
            _age((seen.now - beat.at).total_seconds()),
        )
    return table


def _quarantine(seen: Look) -> RenderableType:
    from rich.console import Group
    from rich.markup import escape
    from rich.text import Text

    if not seen.quarantined:
        return Text("Quarantine is empty.", style="dim")
    reasons = ", ".join(f"{reason} {count}" for reason, count in seen.reasons.items())
    newest = f"; of the newest {len(seen.refusals)}: {reasons}" if reasons else ""
    title = Text(f"Quarantine: {seen.quarantined:,}{newest}", style="yellow")
    table = _table(">ago", "plant/source", "reason", "message")
    for refusal in seen.refusals[:_MOST_REFUSALS]:
        age_s = (seen.now - refusal.arrived_at).total_seconds()
        where = f"{refusal.plant or '?'}/{refusal.source or '?'}"
        table.add_row(_age(age_s), escape(where), refusal.reason, escape(refusal.message))
    table.expand = True
    table.columns[-1].ratio = 1
    return Group(title, table)


def _sources(seen: Look) -> RenderableType:
    from rich.console import Group
    from rich.markup import escape
    from rich.text import Text

    from vpp.core.time import epoch_s, from_epoch_s

    if not seen.sources:
        return Text("No readings yet.", style="dim")
    now_s = epoch_s(seen.now)
    table = _table("source, stalest first", ">series", "newest holds at", ">arrived", "flags")
    for state in seen.sources[:_MOST_SOURCES]:
        table.add_row(
            escape(f"{state.plant}/{state.source}"),
            str(state.series),
            f"{from_epoch_s(state.time_s):%Y-%m-%d %H:%M:%S}",
            _age(now_s - state.arrived_s),
            escape((state.flags.name or "").lower().replace("|", ", ")) if state.flags else "",
        )
    left = len(seen.sources) - _MOST_SOURCES
    return Group(table, Text(f"and {left} fresher sources" if left > 0 else "", style="dim"))


def _table(*headings: str) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for heading in headings:
        justify: Literal["left", "right"] = "right" if heading.startswith(">") else "left"
        table.add_column(heading.removeprefix(">"), justify=justify, no_wrap=True, overflow="ellipsis")
    return table


def _refused(beat: Heartbeat) -> float:
    return sum(count for name, count in beat.counts.items() if name.startswith("refusals_total:"))


def _age(age_s: float) -> str:
    """Return an age in the largest unit that keeps it a small number.

    >>> _age(3.2), _age(150.0), _age(8000.0), _age(300000.0)
    ('3 s', '2 min', '2 h', '3 d')
    """
    for limit_s, unit_s, name in ((120, 1, "s"), (7200, 60, "min"), (172_800, 3600, "h")):
        if age_s < limit_s:
            return f"{age_s / unit_s:.0f} {name}"
    return f"{age_s / 86_400:.0f} d"
