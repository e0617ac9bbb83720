"""Findings as SARIF 2.1.0 (OASIS), the form that code hosts and editors show."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from urllib.parse import quote

from attrs import frozen

from .. import __version__
from ..connector.linting import RULES, Finding, Rule
from ._positions import Position

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/os/schemas/sarif-schema-2.1.0.json"
_DOCUMENTATION = "https://github.com/cxone-wfm-sdk/cxone-wfm-sdk/blob/main/docs/reference/lint.md"
_NUMBERS = {rule.id: number for number, rule in enumerate(RULES)}


@frozen(kw_only=True)
class Located:
    """A finding, with the file that it is about and the place in there."""

    file: str
    finding: Finding
    position: Position


def sarif(found: Iterable[Located], unreadable: Sequence[tuple[str, str]]) -> dict[str, object]:
    """The log of one run. `unreadable` are the files that could not be judged, with the reason of each."""
    driver = {
        "name": "cxone-wfm lint",
        "semanticVersion": __version__,
        "informationUri": _DOCUMENTATION,
        "rules": [_rule(rule) for rule in RULES],
    }
    notifications = [
        {"level": "error", "message": {"text": reason}, "locations": _artifact(file)}
        for file, reason in unreadable
    ]
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "invocations": [{"executionSuccessful": not unreadable, "toolExecutionNotifications": notifications}],
        "results": [_result(each) for each in found],
    }
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(rule: Rule) -> dict[str, object]:
    return {
        "id": rule.id,
        "name": rule.name,
        "shortDescription": {"text": rule.summary},
        "fullDescription": {"text": f"{rule.summary} Source of the expectation: {rule.source}."},
        "help": {"text": rule.advice},
        "helpUri": _DOCUMENTATION,
        "defaultConfiguration": {"level": rule.severity.value},
    }


def _result(located: Located) -> dict[str, object]:
    finding = located.finding
    place: dict[str, object] = {"logicalLocations": [{"fullyQualifiedName": finding.path}]}
    for physical in _artifact(located.file):
        region = {"startLine": located.position.line, "startColumn": located.position.column}
        place["physicalLocation"] = {**physical["physicalLocation"], "region": region}
    return {
        "ruleId": finding.rule,
        "ruleIndex": _NUMBERS[finding.rule],
        "level": finding.severity.value,
        "message": {"text": f"{finding.problem} {finding.advice}"},
        "locations": [place],
        "properties": {"figures": dict(finding.figures)},
    }


def _artifact(file: str) -> list[dict[str, dict[str, object]]]:
    """The location of a file; none for the standard input, which has no address."""
    if file == "-":
        return []
    path = Path(file)
    uri = path.as_uri() if path.is_absolute() else quote(os.fsencode(path.as_posix()))
    return [{"physicalLocation": {"artifactLocation": {"uri": uri}}}]
