"""Write the tables of docs/reference/lint.md from the rules themselves.

Run this file after a change of a rule.
"""

from pathlib import Path

from cxone_wfm._wire import wire_name
from cxone_wfm.connector.linting import RULES, Media
from cxone_wfm.connector.linting._media import NEEDS
from cxone_wfm.models import QueueReport

DOCUMENT = Path(__file__).parents[2] / "docs" / "reference" / "lint.md"
_WORDS = {"req": "yes", "ria": "if available", "nr": "no", "na": "\N{EN DASH}", "ign": "ignored"}


def rules_table():
    """Return a row for each rule."""
    lines = [
        "| rule | severity | what it looks for, and what to do | source | needs |",
        "|---|---|---|---|---|",
    ]
    for rule in RULES:
        needs = "" if rule.needs == "nothing" else rule.needs
        what = f"**{rule.name}**: {rule.summary} {rule.advice}"
        lines.append(f"| {rule.id} | {rule.severity.value} | {what} | {rule.source} | {needs} |")
    return "\n".join(lines)


def needs_table():
    """Return a row for each measure of a queue."""
    lines = [f"| measure | {' | '.join(media.value for media in Media)} |", "|---|---|---|---|---|"]
    for name, needs in NEEDS.items():
        cells = " | ".join(_WORDS[needs[media].value] for media in Media)
        lines.append(f"| `{wire_name(QueueReport, name)}` | {cells} |")
    return "\n".join(lines)


def updated(text):
    """Return the document with its tables written anew."""
    for name, table in {"rules": rules_table(), "needs": needs_table()}.items():
        start, end = f"<!-- {name}: written from the rules -->\n", f"\n<!-- {name}: end -->"
        head, _, rest = text.partition(start)
        _, _, tail = rest.partition(end)
        text = head + start + table + end + tail
    return text


if __name__ == "__main__":
    DOCUMENT.write_text(updated(DOCUMENT.read_text("utf-8")), "utf-8")
