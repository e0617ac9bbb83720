"""What the commands show: tables and colours on a terminal, plain lines elsewhere, JSON for machines."""

import json
import textwrap
from collections.abc import Iterable, Sequence
from typing import Annotated

import typer
from attrs import frozen
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines instead of text for people.")]

UNREADABLE = 2
"""The exit code where a file cannot be read or is not valid."""
_WIDEST = 100
_INDENT = " " * 7


@frozen
class Output:
    """Where a command shows its results. With `as_json` only `document()` shows anything."""

    as_json: bool
    console: Console
    errors: Console

    @classmethod
    def make(cls, *, as_json: bool) -> "Output":
        """To the standard output and the standard error of now."""
        return cls(as_json, Console(soft_wrap=True), Console(soft_wrap=True, stderr=True))

    def line(self, text: str) -> None:
        """A line for people."""
        if not self.as_json:
            self.console.print(Text(_printable(text)))

    def failure(self, text: str) -> None:
        """Why the command failed, for people: on the standard error, out of the way of results."""
        if not self.as_json:
            self.errors.print(Text(_folded(_printable(text), "", self.errors)))

    def failed(self, message: str, **facts: object) -> int:
        """Say why the command failed: in a line for people, with more facts for machines. Gives the code."""
        self.document({"ok": False, "error": message, **facts})
        self.failure(message)
        return 1

    def step(self, name: str, result: str, seconds: float, *, ok: bool = True) -> None:
        """One step of a command: whether it went well, how long it took, what came out."""
        if self.as_json:
            return
        mark, style = ("ok", "green") if ok else ("FAILED", "bold red")
        head = f" {name:<30} {seconds * 1000:>5.0f} ms"
        result = _printable(result)
        beside = f"{mark:<6}{head}  {result}"
        if "\n" in result or (self.console.is_terminal and len(beside) > _width(self.console)):
            rest = f"{head}\n{_folded(result, _INDENT, self.console)}"
        else:
            rest = f"{head}  {result}"
        self.console.print(Text.assemble((f"{mark:<6}", style), rest))

    def table(self, title: str, columns: Sequence[str], rows: Iterable[Sequence[str | int]]) -> None:
        """A table, numbers to the right: with lines on a terminal, with spaces alone elsewhere."""
        if self.as_json:
            return
        lines = box.ROUNDED if self.console.is_terminal else None
        cells = list(rows)
        table = Table(box=lines, pad_edge=lines is not None)
        for name, *below in zip(columns, *cells, strict=True):
            numbers = all(isinstance(cell, int) for cell in below)
            table.add_column(Text(name), justify="right" if numbers else "left")
        for row in cells:
            table.add_row(*(Text(str(cell)) for cell in row))
        self.console.print(Text(title))
        self.console.print(table)

    def document(self, value: object) -> None:
        """The whole result as one line of JSON."""
        if self.as_json:
            self.console.out(json.dumps(value), highlight=False)


def _width(console: Console) -> int:
    return min(console.width, _WIDEST)


def _folded(text: str, indent: str, console: Console) -> str:
    """The text with every line indented; on a terminal also folded to its width, between words."""
    lines = [indent + line for line in text.split("\n")]
    if not console.is_terminal:
        return "\n".join(lines)
    folded: list[str] = []
    for line in lines:
        deeper = line[: len(line) - len(line.lstrip())] + "  "
        folded += textwrap.wrap(
            line,
            _width(console),
            subsequent_indent=deeper if line.startswith(indent + " ") else indent,
            break_long_words=False,
            break_on_hyphens=False,
        )
    return "\n".join(folded)


def _printable(text: str) -> str:
    """What others wrote must not steer the terminal."""
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)
