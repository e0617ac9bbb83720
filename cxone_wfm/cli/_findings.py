"""Findings of the lint as a table, for people at a terminal."""

from collections import Counter
from collections.abc import Iterable

from rich import box
from rich.table import Table
from rich.text import Text

from ..connector.linting import Finding, Severity
from .output import Output

_SHOWN = 10
"""How many findings of one rule a table shows."""
_WIDEST = 120
_STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "yellow", Severity.NOTE: "cyan"}


def show_findings(output: Output, found: Iterable[tuple[str, Finding]], *, more: str) -> None:
    """One table. Each finding comes with where it is; of a rule that was broken often it shows the first.

    `more` says how to see all of them.
    """
    table = Table(box=box.ROUNDED, show_lines=True, width=min(output.console.width, _WIDEST))
    table.add_column("", no_wrap=True)
    table.add_column("where", overflow="fold", ratio=2)
    table.add_column("what is probably wrong, and what to do", ratio=5)
    times: Counter[str] = Counter()
    for where, finding in found:
        times[finding.rule] += 1
        if times[finding.rule] <= _SHOWN:
            table.add_row(
                Text.assemble((finding.severity.value, _STYLES[finding.severity]), f"\n{finding.rule}"),
                Text(where),
                Text.assemble(f"{finding.problem}\n", (finding.advice, "dim")),
            )
    output.console.print(table, soft_wrap=False)
    for rule, count in times.items():
        if count > _SHOWN:
            output.line(f"  ... and {count - _SHOWN} more of {rule}; {more}")
