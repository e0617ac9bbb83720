"""What the commands show: tables and marks on a terminal, plain lines elsewhere, JSON for machines."""

import json
from collections.abc import Iterable, Sequence

from attrs import frozen
from rich.console import Console
from rich.markup import escape
from rich.table import Table


@frozen
class Output:
    """Where a command shows its results. With `as_json` only `document()` shows anything."""

    as_json: bool
    console: Console

    @classmethod
    def make(cls, *, as_json: bool) -> "Output":
        """To the standard output of now."""
        return cls(as_json, Console(highlight=False, soft_wrap=True))

    def line(self, text: str) -> None:
        """A line for people."""
        if not self.as_json:
            self.console.print(escape(text))

    def step(self, name: str, result: str, seconds: float, *, ok: bool = True) -> None:
        """One step of a command: whether it went well, what came out, how long it took."""
        mark, style = ("ok", "green") if ok else ("FAILED", "bold red")
        if not self.as_json:
            milliseconds = f"{seconds * 1000:.0f} ms"
            self.console.print(
                f"[{style}]{mark:<6}[/] {escape(name):<30} {milliseconds:>8}  {escape(result)}"
            )

    def table(self, title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """A table: drawn on a terminal, tab-separated elsewhere."""
        cells = [[str(cell) for cell in row] for row in rows]
        if self.as_json:
            return
        if not self.console.is_terminal:
            for row in [columns, *cells]:
                self.console.print(escape("\t".join(row)))
            return
        table = Table(*columns, title=title, title_justify="left")
        for row in cells:
            table.add_row(*(escape(cell) for cell in row))
        self.console.print(table)

    def document(self, value: object) -> None:
        """The whole result as one line of JSON."""
        if self.as_json:
            self.console.out(json.dumps(value))
