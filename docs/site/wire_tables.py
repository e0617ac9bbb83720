"""The tables of docs/reference/wire.md, from the records' own fields.

Names, what a field holds, its unit, whether it is needed, and what it means are read off the classes. How
sure a meaning is stands here, once: a class cannot know who said so.
"""

import ast
import inspect
from collections.abc import Iterator
from typing import get_args

import attrs

from cxone_assist import (
    ActionExecutionInfo,
    AgentAssistUtteranceV1,
    CXoneWebSocketMessage,
    SystemTelemetryData,
    WebHooksMessagesRequest,
    WebSocketHookInitializeMessage,
)
from cxone_wfm import models
from cxone_wfm._kinds import Count, Milliseconds, Percent, Seconds
from cxone_wfm._wire import WireField, wire_fields

STATED, MATCHED, INFERRED, NAME_ONLY, OBSERVED = "stated", "matched", "inferred", "name only", "observed"
_UNITS = {get_args(Seconds)[1]: "s", get_args(Milliseconds)[1]: "ms", get_args(Percent)[1]: "%"}
_UNITS |= {get_args(Count)[1]: "count"}

_NEGOTIATED_INIT = "minimum_version maximum_version capabilities required_capabilities format"
_NEGOTIATED_ANSWER = "protocol_version format agreed_capabilities"

RECORDS: dict[str, dict[type, tuple[str, dict[str, str]]]] = {
    "agent-states": {
        models.AgentStateList: (NAME_ONLY, {}),
        models.AgentState: (STATED, {"acd_id": NAME_ONLY, "event_utc_time": INFERRED}),
    },
    "historical-report": {
        models.HistoricalReport: (NAME_ONLY, {}),
        models.HistoricalReportData: (NAME_ONLY, {}),
        models.QueueReport: (
            MATCHED,
            {"queue_name": NAME_ONLY, "is_outbound": NAME_ONLY, "active": INFERRED},
        ),
        models.AgentQueueReport: (
            MATCHED,
            {"queue_name": NAME_ONLY, "is_outbound": NAME_ONLY, "agent_id": NAME_ONLY, "active": INFERRED},
        ),
        models.AgentSystemPerformanceReport: (MATCHED, {"agent_id": NAME_ONLY}),
    },
    "agent-activity-report": {
        models.AgentActivityReport: (NAME_ONLY, {}),
        models.AgentActivityData: (NAME_ONLY, {"agent_value": MATCHED}),
        models.AgentActivity: (NAME_ONLY, {"duration": INFERRED}),
    },
    "tokens": {
        models.TokenRequest: (NAME_ONLY, {}),
        models.AccessKeyTokenRequest: (NAME_ONLY, {}),
        models.TokenResponse: (NAME_ONLY, {"expires_in": INFERRED}),
        models.RefreshTokenRequest: (NAME_ONLY, {"token": STATED}),
        models.RefreshTokenResponse: (NAME_ONLY, {}),
    },
    "assist-audio": {
        WebSocketHookInitializeMessage: (STATED, dict.fromkeys(_NEGOTIATED_INIT.split(), OBSERVED)),
        ActionExecutionInfo: (STATED, {}),
        SystemTelemetryData: (STATED, {}),
        CXoneWebSocketMessage: (STATED, dict.fromkeys(_NEGOTIATED_ANSWER.split(), OBSERVED)),
    },
    "assist-text": {WebHooksMessagesRequest: (STATED, {}), AgentAssistUtteranceV1: (STATED, {})},
}
"""Payload -> its records -> how sure the meanings are, and of which fields not as sure or surer."""


def table(payload: str) -> str:
    """A table for each record of a payload."""
    return "\n\n".join(_record(cls, *sure) for cls, sure in RECORDS[payload].items())


def _record(cls: type, sure: str, exceptions: dict[str, str]) -> str:
    meanings = _meanings(cls)
    lines = [
        f"### {cls.__name__}",
        "",
        "| on the wire | in Python | holds | unit | needed | meaning | how sure |",
        "|---|---|---|---|---|---|---|",
    ]
    rows = list(_assist_rows(cls) if cls.__module__.startswith("cxone_assist") else _wfm_rows(cls))
    unknown = set(exceptions) - {name for _, name, *_ in rows}
    assert not unknown, f"{cls.__name__} has no {unknown}"  # noqa: S101 - a slip in the table above
    for wire, name, holds, unit, needed in rows:
        meaning = meanings.get(name, "")
        cells = (f"`{wire}`", f"`{name}`", holds, unit, needed, meaning, exceptions.get(name, sure))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


_Row = tuple[str, str, str, str, str]


def _wfm_rows(cls: type) -> Iterator[_Row]:
    attributes = attrs.fields_dict(cls)
    for field in wire_fields(cls):
        default = attributes[field.name].default
        needed = (
            "yes" if default is attrs.NOTHING else "no" if default is None else f"else `{_json(default)}`"
        )
        yield field.wire, field.name, _holds(field), _UNITS.get(field.kind, ""), needed


def _holds(field: WireField) -> str:
    if field.kind is not None:
        words = field.kind.expected
        return words.partition(": ")[2] if field.kind in _UNITS else words
    record = field.rows or field.record
    assert record is not None  # noqa: S101 - a field is one of the three
    name = f"[`{record.__name__}`](#{record.__name__.lower()})"
    return f"list of {name}" if field.rows else name


def _json(value: object) -> str:
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else f'"{value}"'


def _assist_rows(cls: type) -> Iterator[_Row]:
    for attribute in attrs.fields(cls):
        if "wire" in attribute.metadata:
            key, kind = attribute.metadata["wire"]
            record = kind.record
            holds = kind.wanted if record is None else f"[`{record.__name__}`](#{record.__name__.lower()})"
            yield key, attribute.name, holds, "", "no"


def _meanings(cls: type) -> dict[str, str]:
    """The docstrings below the fields, each as one line."""
    body = ast.parse(inspect.getsource(cls)).body[0]
    assert isinstance(body, ast.ClassDef)  # noqa: S101 - it is the source of a class
    found = {}
    for field, text in zip(body.body, body.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            match text:
                case ast.Expr(value=ast.Constant(value=str(words))):
                    found[field.target.id] = " ".join(words.split()).replace("``", "`")
    return found
