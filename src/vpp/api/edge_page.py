"""The gateway's page as HTML: tables that a phone can show, no script, made anew every five seconds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from html import escape

from vpp.runtime.gateway_view import DriverView, GatewayView, NodeView, OrderView

STYLE = """\
:root { color-scheme: light dark; --line: #8884; --good: #1a7f37; --bad: #c62828; --dim: #777; }
* { box-sizing: border-box; }
body { font: 16px/1.45 system-ui, sans-serif; margin: 0 auto; max-width: 72rem; padding: 1rem; }
h1 { font-size: 1.4rem; margin: 0 0 .25rem; }
h2 { font-size: 1.05rem; margin: 1.75rem 0 .5rem; }
p { margin: .25rem 0; }
.dim { color: var(--dim); }
.good { color: var(--good); font-weight: 600; }
.bad { color: var(--bad); font-weight: 600; }
.tiles { display: grid; gap: .75rem; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); margin-top: 1rem; }
.tile { border: 1px solid var(--line); border-radius: .5rem; padding: .6rem .75rem; }
.tile b { display: block; font-size: 1.25rem; overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; }
th, td { border-bottom: 1px solid var(--line); padding: .4rem .5rem; text-align: left; vertical-align: top; }
th { font-weight: 600; }
td.number, th.number { font-variant-numeric: tabular-nums; text-align: right; white-space: nowrap; }
td { overflow-wrap: anywhere; }
@media (prefers-color-scheme: dark) { :root { --good: #56d364; --bad: #ff7b72; --dim: #999; } }
@media (max-width: 40rem) {
  thead { display: none; }
  tr { border-bottom: 1px solid var(--line); display: block; padding: .4rem 0; }
  td, td.number { border: 0; display: flex; gap: 1rem; justify-content: space-between; padding: .1rem 0;
    text-align: right; white-space: normal; }
  td::before { color: var(--dim); content: attr(data-name); flex: none; text-align: left; }
}
"""
_TOOK = {"executed": "good", "limited": "", "refused": "bad", "expired": "bad", "waiting": "dim"}


def page_of(view: GatewayView) -> str:
    """Return the page of a gateway at one moment."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><meta http-equiv="refresh" content="5">'
        f'<title>{escape(view.plant)} gateway</title><link rel="stylesheet" href="/style.css"></head><body>'
        f"<h1>Gateway of {escape(view.plant)}</h1>"
        f'<p class="dim">{_time(view.at)} UTC, boot {escape(view.boot)}</p>'
        f"{_tiles(view)}"
        f"<h2>Drivers</h2>{_table(('driver', 'state', '#readings', '#errors'), map(_driver, view.drivers))}"
        f"<h2>Nodes</h2>{_table(('node', 'commands', 'set-points'), map(_node, view.nodes))}"
        f"<h2>Last commands</h2>{_orders(view.orders)}"
        f"<h2>Events</h2>{_table(('time (UTC)', 'what happened'), map(_event, view.events))}"
        '<p class="dim">Powers are positive toward the grid. <a href="/status">JSON</a>, '
        '<a href="/metrics">metrics</a>, <a href="/health">health</a></p></body></html>'
    )


def _tiles(view: GatewayView) -> str:
    safe = sum(node.safe for node in view.nodes)
    failed = view.halted or view.disk_full
    words = view.halted or f"{view.dropped_rows:,} dropped, {view.shed_rows:,} shed"
    oldest = "nothing waits" if view.oldest_at is None else f"oldest {_age(view.at, view.oldest_at)}"
    tiles = (
        ("link", not view.link_up, "up" if view.link_up else "down", f"{view.sent_rows:,} readings sent"),
        ("buffer", None, f"{view.waiting_rows:,}", oldest),
        ("disk", bool(failed), "failed" if view.halted else "full" if view.disk_full else "well", words),
        ("safe mode", bool(safe), f"{safe} of {len(view.nodes)}" if safe else "off", "nodes nobody commands"),
        (
            "clock",
            bool(view.clock_off_s),
            f"{view.clock_off_s:+.0f} s" if view.clock_off_s else "steady",
            "wall against counter",
        ),
    )
    return f'<div class="tiles">{"".join(_tile(*tile) for tile in tiles)}</div>'


def _tile(name: str, is_bad: bool | None, value: str, words: str) -> str:
    look = "" if is_bad is None else "bad" if is_bad else "good"
    shown = f'<b class="{look}">{escape(value)}</b><span class="dim">{escape(words)}</span>'
    return f'<div class="tile">{escape(name)}{shown}</div>'


def _driver(driver: DriverView) -> list[str]:
    state = '<span class="good">well</span>' if driver.healthy else '<span class="bad">not well</span>'
    words = f" {escape(driver.message)}" if driver.message else ""
    name = f'{escape(driver.name)} <span class="dim">{driver.assets} assets, every {driver.interval_s:g} s</span>'
    return [f"<span>{name}</span>", f"<span>{state}{words}</span>", f"{driver.readings:,}", f"{driver.errors:,}"]


def _node(node: NodeView) -> list[str]:
    state = '<span class="bad">safe mode</span>' if node.safe else '<span class="good">commanded</span>'
    told = ", ".join(f"{escape(asset)} {power_kw:+.2f} kW ({escape(why)})" for asset, power_kw, why in node.set_points)
    silence = f'<span class="dim">last one {node.silence_s:,.0f} s ago</span>'
    return [escape(node.id), f"<span>{state} {silence}</span>", f"<span>{told or 'none'}</span>"]


def _orders(orders: Sequence[OrderView]) -> str:
    names = ("start (UTC)", "asset", "#asked kW", "answer", "#measured kW")
    return _table(names, map(_order, orders))


def _order(order: OrderView) -> list[str]:
    words = f" {escape(order.message)}" if order.message else ""
    answer = f'<span><span class="{_TOOK.get(order.status, "")}">{escape(order.status)}</span>{words}</span>'
    measured = "" if order.measured_kw is None else f"{order.measured_kw:+.2f}"
    return [_time(order.start), escape(order.asset), f"{order.power_kw:+.2f}", answer, measured]


def _event(event: tuple[datetime, str, str]) -> list[str]:
    at, severity, words = event
    look = "bad" if severity == "error" else ""
    return [_time(at), f'<span class="{look}">{escape(words)}</span>']


def _table(names: Sequence[str], rows: Iterable[list[str]]) -> str:
    """Return a table; a name that begins with # is that of a column of numbers."""
    heads = [(name.lstrip("#"), ' class="number"' if name.startswith("#") else "") for name in names]
    body = "".join(
        "<tr>"
        + "".join(
            f'<td{look} data-name="{escape(name)}">{cell}</td>' for (name, look), cell in zip(heads, row, strict=True)
        )
        + "</tr>"
        for row in rows
    )
    if not body:
        return '<p class="dim">none yet</p>'
    head = "".join(f"<th{look}>{escape(name)}</th>" for name, look in heads)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}"


def _age(now: datetime, then: datetime) -> str:
    seconds = max((now - then).total_seconds(), 0.0)
    if seconds < 120.0:
        return f"{seconds:.0f} s"
    return f"{seconds / 60.0:.0f} min" if seconds < 7200.0 else f"{seconds / 3600.0:.1f} h"
