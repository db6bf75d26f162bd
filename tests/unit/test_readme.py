"""Every example in the README and the guide runs.

- ```` ```python ```` blocks run in order in one program; a failure names the README's own line.
- ```` ```bash ```` and ```` ```console ```` blocks run when ``<!-- run -->`` stands right above them (of a console
  block, the lines after ``$``); in the others every ``vpp`` command must exist with the options it is given.
- ``<!-- not run: reason -->`` right above a block leaves it out, with its reason in sight.

Examples run in an empty folder that is theirs, without standard input, with the environment's commands first.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
NAMES = (
    "guide",
    "index",
    "forecasting",
    "simulation",
    "gallery",
    "streams",
    "ingest",
    "store",
    "db",
    "edge",
    "drivers",
    "sync",
    "reliability",
)
PAGES = (README, *(ROOT / "docs" / f"{page}.md" for page in NAMES))
BIN = Path(sys.executable).parent
SHELL = ("bash", "sh", "shell", "console")
FENCE = re.compile(r"^(?P<indent> *)(?P<ticks>`{3,})(?P<language>\w*)[^\n]*$")
RUN = re.compile(r"^\s*<!--\s*run\s*-->\s*$")
NOT_RUN = re.compile(r"^\s*<!--\s*not run: \S.*-->\s*$")


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, the line its text begins on (from 1), its text, and what stands right above it."""

    language: str
    line: int
    text: str
    above: str = ""

    @property
    def marked_runnable(self) -> bool:
        return RUN.match(self.above) is not None

    @property
    def left_out(self) -> bool:
        return NOT_RUN.match(self.above) is not None


def blocks(page: str) -> list[Block]:
    """Return the fenced blocks of a Markdown page in order; an open fence is an error."""
    found: list[Block] = []
    lines = page.splitlines()
    opened: re.Match[str] | None = None
    first = 0
    for number, line in enumerate(lines):
        fence = FENCE.match(line)
        if opened is None and fence is not None:
            opened, first = fence, number + 1
        elif opened is not None and line.strip() == opened["ticks"]:
            indent = len(opened["indent"])
            text = "\n".join(inner[indent:] for inner in lines[first:number])
            above = next((one for one in reversed(lines[: first - 1]) if one.strip()), "")
            found.append(Block(opened["language"].lower(), first + 1, text, above))
            opened = None
    assert opened is None, f"the block opened on line {first} is never closed"
    return found


def python_program(page: Iterable[Block]) -> str:
    """Return the Python blocks as one program in which every line keeps its number in the page."""
    program: list[str] = []
    for block in page:
        if block.language in ("python", "py") and not block.left_out:
            program.extend([""] * (block.line - 1 - len(program)))
            program.extend(block.text.splitlines())
    return "\n".join(program)


def shell_script(block: Block) -> str:
    """Return what one types: the whole of a bash block, the lines after ``$`` of a console block."""
    if block.language != "console":
        return block.text
    # a command goes on in the next line after a backslash
    typed: list[str] = []
    for line in block.text.splitlines():
        if line.startswith("$ "):
            typed.append(line[2:])
        elif typed and typed[-1].endswith("\\"):
            typed.append(line.removeprefix("> "))
    return "\n".join(typed)


def vpp_commands(block: Block) -> list[list[str]]:
    """Return the words of every ``vpp`` command in a block, comments and later parts of a pipe left out."""
    commands: list[list[str]] = []
    for line in shell_script(block).replace("\\\n", " ").splitlines():
        try:
            words = shlex.split(line, comments=True)
        except ValueError:
            words = []  # a quote that spans lines belongs to another command
        if words and Path(words[0]).name == "vpp":
            stop = next(
                (i for i, word in enumerate(words) if word in ("|", "&&", ";", "&") or word.startswith(">")), None
            )
            commands.append(words[1:stop])
    return commands


def environment(home: Path) -> dict[str, str]:
    return os.environ | {
        "PATH": f"{BIN}{os.pathsep}{os.environ.get('PATH', '')}",
        "HOME": str(home),
        "COLUMNS": "200",
        "NO_COLOR": "1",
        "TERM": "dumb",
    }


def execute(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=folder,
        env=environment(folder),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def missing_options(words: list[str], folder: Path) -> list[str]:
    """Return what a ``vpp`` command names that its help does not."""
    names = [word for word in words if re.fullmatch(r"[a-z][a-z0-9-]*", word)]
    options = [word.split("=")[0] for word in words if word.startswith("--")]
    deepest = ""
    for depth in (2, 1, 0):
        helped = help_text(tuple(names[:depth]), folder) if len(names) >= depth else None
        if helped is not None:
            deepest = helped
            break
    unknown = [names[0]] if names and depth == 0 else []
    return unknown + [option for option in options if option not in deepest]


@functools.cache
def help_text(names: tuple[str, ...], folder: Path) -> str | None:
    """Return the help of a command; None when there is no such command."""
    done = execute([str(BIN / "vpp"), *names, "--help"], folder)
    return done.stdout if done.returncode == 0 else None


def page_blocks() -> list[Block]:
    return blocks(README.read_text(encoding="utf-8"))


def shell_blocks(*, runnable: bool) -> list[Block]:
    return [
        block
        for block in page_blocks()
        if block.language in SHELL and not block.left_out and block.marked_runnable == runnable
    ]


def documented_commands() -> list[list[str]]:
    return [words for block in shell_blocks(runnable=False) for words in vpp_commands(block)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("readme")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_blocks_run(page: Path, folder: Path) -> None:
    program = folder / f"{page.stem}.py"
    program.write_text(python_program(blocks(page.read_text(encoding="utf-8"))), encoding="utf-8")
    done = execute([sys.executable, "-W", "error", str(program)], folder)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("block", shell_blocks(runnable=True), ids=lambda block: f"line-{block.line}")
def test_shell_blocks_marked_runnable_run(block: Block, folder: Path) -> None:
    done = execute(["bash", "-euo", "pipefail", "-c", shell_script(block)], folder)
    assert done.returncode == 0, f"README line {block.line}: {done.stdout[-2000:]}{done.stderr[-4000:]}"


@pytest.mark.skipif(importlib.util.find_spec("vpp.cli") is None, reason="there is no command line yet")
@pytest.mark.parametrize("words", documented_commands(), ids=" ".join)
def test_vpp_commands_of_the_other_blocks_exist(words: list[str], folder: Path) -> None:
    assert missing_options(words, folder) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_into_the_repository_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    targets = re.findall(r"\]\((?!https?:|mailto:|#)([^)#\s]+)", text)
    targets += re.findall(r"<img[^>]+src=\"(?!https?:)([^\"]+)\"", text)
    assert [target for target in targets if not (page.parent / target).exists()] == []


# --- the mechanism itself, on a page that has everything

PAGE = """# Title

```python
x = 1
```

text

<!-- not run: needs a car -->
```python
raise SystemExit(1)
```

1. item

   ```python
   assert x == 1
   ```

<!-- run -->

```console
$ echo one \\
> two
one two
```

```bash
make run
vpp plan my.yaml --data "a b.csv" --json | jq .  # one plan
.venv/bin/vpp up && echo done
```

````markdown
```python
not code of this page
```
````
"""


def test_blocks_know_their_language_line_and_mark() -> None:
    found = blocks(PAGE)
    assert [(block.language, block.line) for block in found] == [
        ("python", 4), ("python", 11), ("python", 17), ("console", 23), ("bash", 29), ("markdown", 35),
    ]  # fmt: skip
    assert [block.left_out for block in found] == [False, True, False, False, False, False]
    assert [block.marked_runnable for block in found] == [False, False, False, True, False, False]


def test_the_program_keeps_the_lines_of_the_page() -> None:
    lines = python_program(blocks(PAGE)).splitlines()
    assert {i: line for i, line in enumerate(lines, 1) if line} == {4: "x = 1", 17: "assert x == 1"}


def test_a_console_block_gives_what_one_types() -> None:
    assert shell_script(blocks(PAGE)[3]) == "echo one \\\ntwo"


def test_vpp_commands_are_found_with_their_words() -> None:
    assert vpp_commands(blocks(PAGE)[4]) == [["plan", "my.yaml", "--data", "a b.csv", "--json"], ["up"]]


def test_an_open_fence_is_an_error() -> None:
    with pytest.raises(AssertionError, match="line 1 is never closed"):
        blocks("```python\nx = 1\n")
