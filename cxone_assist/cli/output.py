"""What the commands show: tables and colours on a terminal, plain lines elsewhere, JSON for machines."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from attrs import frozen
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from .._wire import printable


@frozen
class Output:
    """Where a command shows its results. With ``as_json`` only ``document()`` shows anything."""

    as_json: bool
    console: Console
    errors: Console

    @classmethod
    def make(cls, *, as_json: bool) -> Output:
        """To the standard output and the standard error of now."""
        return cls(as_json, Console(soft_wrap=True), Console(soft_wrap=True, stderr=True))

    def line(self, text: str) -> None:
        """A line for people."""
        if not self.as_json:
            self.console.print(Text(printable(text)))

    def failure(self, text: str) -> None:
        """Why the command failed: on the standard error, out of the way of results."""
        self.errors.print(Text(printable(text)))

    def step(self, name: str, result: str, *, ok: bool | None = True) -> None:
        """One thing that was looked at: well, not well, or, where ``ok`` is None, worth a look."""
        if self.as_json:
            return
        mark, style = {True: ("ok", "green"), None: ("look", "yellow"), False: ("FAILED", "bold red")}[ok]
        self.console.print(Text.assemble((f"{mark:<6}", style), f" {name}  {printable(result)}".rstrip()))

    def table(self, title: str, columns: Sequence[str], rows: Iterable[Sequence[str | Text]]) -> None:
        """A table: with lines on a terminal, with spaces alone elsewhere."""
        if not self.as_json:
            self.console.print(Text(title))
            self.console.print(self.grid(columns, rows))

    def grid(self, columns: Sequence[str], rows: Iterable[Sequence[str | Text]]) -> Table:
        """The table itself. A cell that is a ``Text`` is shown as it is: it must not be what others wrote."""
        lines = box.ROUNDED if self.console.is_terminal else None
        table = Table(*columns, box=lines, pad_edge=lines is not None)
        for row in rows:
            table.add_row(*(cell if isinstance(cell, Text) else Text(printable(cell)) for cell in row))
        return table

    def document(self, value: object) -> None:
        """A result as one line of JSON."""
        if self.as_json:
            self.console.out(json.dumps(value), highlight=False)
