"""The tables of docs/reference/lint.md, from the rules themselves."""

from cxone_wfm._wire import wire_name
from cxone_wfm.connector.linting import RULES, Media
from cxone_wfm.connector.linting._media import NEEDS
from cxone_wfm.models import QueueReport

_WORDS = {"req": "yes", "ria": "if available", "nr": "no", "na": "\N{EN DASH}", "ign": "ignored"}


def rules_table() -> str:
    """A row for each rule."""
    lines = [
        "| rule | severity | what it looks for, and what to do | source | needs |",
        "|---|---|---|---|---|",
    ]
    for rule in RULES:
        needs = "" if rule.needs == "nothing" else rule.needs
        what = f"**{rule.name}**: {rule.summary} {rule.advice}"
        lines.append(f"| {rule.id} | {rule.severity.value} | {what} | {rule.source} | {needs} |")
    return "\n".join(lines)


def needs_table() -> str:
    """A row for each measure of a queue."""
    lines = [f"| measure | {' | '.join(media.value for media in Media)} |", "|---|---|---|---|---|"]
    for name, needs in NEEDS.items():
        cells = " | ".join(_WORDS[needs[media].value] for media in Media)
        lines.append(f"| `{wire_name(QueueReport, name)}` | {cells} |")
    return "\n".join(lines)
