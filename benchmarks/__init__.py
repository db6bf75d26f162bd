"""Benchmarks: what the house promises about speed and size, measured by one command.

Each module has a ``run() -> list[dict]`` whose dictionaries are the rows of its table, and a docstring whose first line
is the table's caption. ``python -m benchmarks`` runs them all and writes ``RESULTS.md``.
"""
