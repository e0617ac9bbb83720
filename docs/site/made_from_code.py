"""The parts of pages that are made from the code: run this file after a change of what they show.

A part stands between two comments, `<!-- NAME: made from the code -->` and `<!-- NAME: end -->`. The pages
are committed, so that they can be read without building anything; a test fails where a part is not what
this file would write.
"""

import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import attrs
import command_line
import diagrams
import lint_tables
import wire_tables

import cxone_assist.errors
import cxone_wfm.connector
import cxone_wfm.errors
import cxone_wfm.outbox
from cxone_assist._states import ASSIST, PLATFORM
from cxone_assist.cli.app import app as assist_app
from cxone_wfm.cli.app import app as wfm_app
from cxone_wfm.config import _NEEDED, RetryPolicy, Timeouts, WfmConfig, _optional

DOCS = Path(__file__).parents[1]
_PART = re.compile(
    r"<!-- (?P<name>[a-z-]+): made from the code -->\n(?P<text>.*?)<!-- (?P=name): end -->", re.DOTALL
)

_GROUPS = {"": WfmConfig, "timeouts": Timeouts, "retry": RetryPolicy}
_SOURCES = {
    "base_url": "yours, from NICE",
    "tenant_name": "yours",
    "access_key_id": "yours",
    "access_key_secret": "yours",
    "token_request": "vendor page; `flat` is observed at the regional endpoint",
    "max_batch": "agent states; our choice, the vendor names no limit",
    "max_batch_bytes": "our choice, the vendor names no limit",
    "lists_applied_in_order": "the safe reading",
    "heartbeat_interval": "our choice; the vendor names no period",
    "ca_bundle": "certifi's certificates where it is left out",
    "proxy": "`http://[user:password@]host:port`",
    "auth_url": "`base_url` where it is left out",
}
"""Where a default is from; "our choice" where it is not said here."""


def exceptions(root: type[BaseException]) -> str:
    """The tree of an exception's descendants, each with the first line of its docstring."""
    return "\n".join(["```text", *_branch(root, "", ""), "```"])


def _branch(cls: type[BaseException], first: str, rest: str) -> Iterator[str]:
    sentence = " ".join((cls.__doc__ or "").split()).partition(". ")[0].rstrip(".")
    yield f"{first + cls.__name__:<36} {sentence}"
    children = list(_children(cls))
    for child in children:
        last = child is children[-1]
        yield from _branch(child, rest + ("└── " if last else "├── "), rest + ("    " if last else "│   "))


def _children(cls: type[BaseException]) -> Iterator[type[BaseException]]:
    """The public classes of ours below one, in the place of a private one those below it."""
    package = cls.__module__.partition(".")[0]
    for child in cls.__subclasses__():
        path = child.__module__.split(".")
        if path[0] == package and not any(part.startswith("_") for part in path):
            yield from _children(child) if child.__name__.startswith("_") else [child]


def settings() -> str:
    """A row for each setting that the environment can give: its name, variable and default."""
    lines = ["| setting | variable | default | source |", "|---|---|---|---|"]
    of_needed = [(variable, "", name) for variable, name in _NEEDED.items()]
    of_optional = [(variable, group, name) for variable, (group, name, _) in _optional().items()]
    for variable, group, name in [*of_needed, *of_optional]:
        if group != "endpoints":
            attribute = attrs.fields_dict(_GROUPS[group])[name]
            default = "needed" if attribute.default is attrs.NOTHING else _value(attribute.default)
            setting = f"{group}.{name}" if group else name
            source = _SOURCES.get(name, "our choice")
            lines.append(f"| `{setting}` | `{variable}` | {default} | {source} |")
    return "\n".join(lines)


def _value(default: object) -> str:
    if default is None:
        return "none"
    if isinstance(default, float):
        return f"`{default:g}` s"
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


PARTS: dict[str, Callable[[], str]] = {
    "wfm-exceptions": partial(exceptions, cxone_wfm.errors.CXoneError),
    "assist-exceptions": partial(exceptions, cxone_assist.errors.AssistError),
    "settings": settings,
    "commands-of-cxone-wfm": partial(command_line.page, "cxone-wfm", wfm_app),
    "commands-of-cxone-assist": partial(command_line.page, "cxone-assist", assist_app),
    "lint-rules": lint_tables.rules_table,
    "lint-needs": lint_tables.needs_table,
    "states-assist-faults": partial(diagrams.faults, ASSIST),
    "states-platform-faults": partial(diagrams.faults, PLATFORM),
    **{payload: partial(wire_tables.table, payload) for payload in wire_tables.RECORDS},
}


def updated(text: str) -> str:
    """The text of a page with its parts made anew."""

    def part(found: re.Match[str]) -> str:
        name = found["name"]
        return f"<!-- {name}: made from the code -->\n{PARTS[name]()}\n<!-- {name}: end -->"

    return _PART.sub(part, text)


def parts_of(text: str) -> list[str]:
    """The names of the parts in a page."""
    return [found["name"] for found in _PART.finditer(text)]


if __name__ == "__main__":
    for document in sorted(DOCS.rglob("*.md")):
        before = document.read_text("utf-8")
        if (after := updated(before)) != before:
            document.write_text(after, "utf-8")
