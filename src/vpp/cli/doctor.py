"""``vpp doctor``: what is installed here, and what each missing piece would add."""

from __future__ import annotations

import typer

from vpp.cli.shared import JsonOption, console, print_json


def doctor(json: JsonOption = False) -> None:
    """Say which packages, extras and servers are present, and what each would add. Exit code 1 when vpp cannot run."""
    from vpp.runtime.doctor import examine

    findings = examine()
    if json:
        print_json(
            [{"kind": f.kind, "name": f.name, "found": f.found, "adds": f.adds, "remedy": f.remedy} for f in findings]
        )
    else:
        from rich.markup import escape
        from rich.table import Table

        table = Table(title="vpp doctor")
        for heading in ("", "what", "here", "what it adds", "how to get it"):
            table.add_column(heading)
        for finding in findings:
            mark = "[green]yes[/]" if finding.found else ("[red]no[/]" if finding.required else "[dim]no[/]")
            found = mark if finding.found is None else escape(finding.found)
            table.add_row(finding.kind, finding.name, found, escape(finding.adds), escape(finding.remedy))
        console().print(table)
    if any(finding.required and finding.found is None for finding in findings):
        raise typer.Exit(1)
