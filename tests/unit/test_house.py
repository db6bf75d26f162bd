"""The house rules as tests. Each rule is a small function over one parsed file, tried on a snippet that breaks it.

A line may step out of a rule with a comment that names the rule and says why: ``# house: allow-1000, a count``.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "src" / "vpp"
LONGEST_FILE = 400
LONGEST_BODY = 60
UNITS = "core/units.py"
CLOCK = "runtime/clock.py"
GUARD = "runtime/loop.py"


@dataclass(frozen=True)
class SourceFile:
    """One file of the package: its path below ``src/vpp``, its text and its tree."""

    name: str
    text: str
    tree: ast.Module

    @classmethod
    def of(cls, name: str, text: str) -> SourceFile:
        return cls(name, text, ast.parse(text))

    def allows(self, line: int, waiver: str) -> bool:
        return f"# house: {waiver}, " in self.text.splitlines()[line - 1]


Rule = Callable[[SourceFile], Iterator[str]]


@cache
def sources() -> tuple[SourceFile, ...]:
    return tuple(
        SourceFile.of(path.relative_to(SOURCE).as_posix(), path.read_text(encoding="utf-8"))
        for path in sorted(SOURCE.rglob("*.py"))
    )


def statements_without_docstring(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[ast.stmt]:
    documented = ast.get_docstring(function, clean=False) is not None
    return function.body[1:] if documented else function.body


def long_files(file: SourceFile) -> Iterator[str]:
    lines = len(file.text.splitlines())
    if lines > LONGEST_FILE:
        yield f"{file.name}: {lines} lines, at most {LONGEST_FILE}"


def long_bodies(file: SourceFile) -> Iterator[str]:
    for node in ast.walk(file.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = statements_without_docstring(node)
            lines = (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0
            if lines > LONGEST_BODY:
                yield f"{file.name}:{node.lineno}: body of {node.name} has {lines} lines, at most {LONGEST_BODY}"


def thousands(file: SourceFile) -> Iterator[str]:
    """A conversion between kW and W (or MW) stands in core/units.py, nowhere else."""
    for node in ast.walk(file.tree):
        if not isinstance(node, ast.Constant) or isinstance(node.value, bool | str | bytes):
            continue
        if node.value == 1000 and file.name != UNITS and not file.allows(node.lineno, "allow-1000"):
            yield f"{file.name}:{node.lineno}: the number 1000; convert by core/units.py"


def dotted_name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{dotted_name(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def clock_reads(file: SourceFile) -> Iterator[str]:
    """Nobody reads the wall clock but the clock; a naive time is wrong even there."""
    for node in ast.walk(file.tree):
        if not isinstance(node, ast.Call):
            continue
        called = dotted_name(node.func)
        naive_now = called.endswith("datetime.now") and not (node.args or node.keywords)
        naive = naive_now or called.endswith(
            ("datetime.utcnow", "datetime.utcfromtimestamp", "date.today", "datetime.today")
        )
        reads = called in ("time.time", "time.time_ns") or called.endswith(("datetime.now", "Timestamp.now"))
        if naive or (reads and file.name != CLOCK and not file.allows(node.lineno, "allow-clock")):
            yield f"{file.name}:{node.lineno}: {called}() reads the wall clock; take the time from Clock"


def broad_excepts(file: SourceFile) -> Iterator[str]:
    """The loop's guard holds the one broad except."""
    found = [
        f"{file.name}:{node.lineno}: a broad except; name the errors"
        for node in ast.walk(file.tree)
        if isinstance(node, ast.ExceptHandler) and catches_all(node.type)
    ]
    yield from found[1:] if file.name == GUARD else found


def catches_all(caught: ast.expr | None) -> bool:
    if isinstance(caught, ast.Tuple):
        return any(catches_all(one) for one in caught.elts)
    return caught is None or dotted_name(caught).split(".")[-1] in ("Exception", "BaseException")


def nondescript_names(file: SourceFile) -> Iterator[str]:
    stem = Path(file.name).stem
    if stem in ("utils", "helpers", "manager", "common", "misc"):
        yield f"{file.name}: a file is named after its matter"


RULES: tuple[Rule, ...] = (long_files, long_bodies, thousands, clock_reads, broad_excepts, nondescript_names)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_house_keeps_the_rule(rule: Rule) -> None:
    broken = [complaint for file in sources() for complaint in rule(file)]
    assert not broken, "\n".join(broken)


def test_there_is_a_house() -> None:
    assert {"core/units.py", "core/time.py"} <= {file.name for file in sources()}


@pytest.mark.parametrize(
    ("rule", "name", "text", "complaints"),
    [
        (long_files, "core/a.py", "x = 1\n" * LONGEST_FILE, 0),
        (long_files, "core/a.py", "x = 1\n" * (LONGEST_FILE + 1), 1),
        (long_bodies, "core/a.py", "def f():\n    '''Doc.'''\n" + "    x = 1\n" * LONGEST_BODY, 0),
        (long_bodies, "core/a.py", "async def f():\n" + "    x = 1\n" * (LONGEST_BODY + 1), 1),
        (thousands, "core/a.py", "x = 1000", 1),
        (thousands, "core/a.py", "x = 1e3 + 1_000 + 1000.0", 3),
        (thousands, "core/a.py", "x = '1000'; y = 1001; z = True", 0),
        (thousands, "core/a.py", "x = 1000  # house: allow-1000, a count of rows", 0),
        (thousands, "core/a.py", "x = 1000  # house: allow-1000", 1),
        (thousands, UNITS, "x = 1000.0", 0),
        (clock_reads, "core/a.py", "datetime.now()", 1),
        (clock_reads, CLOCK, "datetime.now()", 1),
        (clock_reads, "core/a.py", "datetime.datetime.now(UTC)", 1),
        (clock_reads, CLOCK, "datetime.now(UTC)", 0),
        (clock_reads, "core/a.py", "datetime.utcnow()", 1),
        (clock_reads, "core/a.py", "time.time()", 1),
        (clock_reads, CLOCK, "time.time()", 0),
        (clock_reads, "core/a.py", "time.perf_counter(); time.monotonic(); clock.now()", 0),
        (broad_excepts, "core/a.py", "try: ...\nexcept ValueError: ...", 0),
        (broad_excepts, "core/a.py", "try: ...\nexcept Exception: ...", 1),
        (broad_excepts, "core/a.py", "try: ...\nexcept (OSError, BaseException): ...", 1),
        (broad_excepts, "core/a.py", "try: ...\nexcept: ...", 1),
        (broad_excepts, GUARD, "try: ...\nexcept Exception: ...", 0),
        (broad_excepts, GUARD, "try: ...\nexcept Exception: ...\ntry: ...\nexcept Exception: ...", 1),
        (nondescript_names, "core/utils.py", "", 1),
    ],
)
def test_a_rule_sees_what_breaks_it(rule: Rule, name: str, text: str, complaints: int) -> None:
    assert len(list(rule(SourceFile.of(name, text)))) == complaints
