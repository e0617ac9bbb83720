"""`cxone-wfm send`: a report or agent states from a file."""

import json
from enum import Enum

import attrs

from ..agent_states import batches
from ..client import WfmClient
from ..config import MAX_BATCH, MAX_BATCH_BYTES
from ..errors import CXoneError, Fault, ValidationError
from ..models.agent_activity import AgentActivityReport
from ..models.agent_state import AgentState, AgentStateList
from ..models.historical import HistoricalReport
from .output import Output


class Kind(str, Enum):
    """What a file holds."""

    historical = "historical"
    activity = "activity"
    states = "states"


Data = HistoricalReport | AgentActivityReport | list[AgentState]


def send(output: Output, kind: Kind, data: bytes, *, dry_run: bool) -> int:
    """Read, validate and send; with `dry_run` show what would go out instead. Gives the exit code."""
    try:
        records = read(kind, data)
        if dry_run:
            _show(output, records)
        else:
            _send(output, records)
    except CXoneError as error:
        faults = [attrs.asdict(fault) for fault in error.faults] if isinstance(error, ValidationError) else []
        output.document({"ok": False, "error": str(error), "faults": faults})
        output.line(str(error))
        return 1
    return 0


def read(kind: Kind, data: bytes) -> Data:
    """The records in the file. States may be the page's list, or one JSON object a line."""
    if kind is Kind.historical:
        return HistoricalReport.from_json(data)
    if kind is Kind.activity:
        return AgentActivityReport.from_json(data)
    lines = [(number, line) for number, line in enumerate(data.splitlines(), 1) if line.strip()]
    if not _is_one_state_a_line(lines):
        return list(AgentStateList.from_json(data).agent_state_list)
    states, faults = [], []
    for number, line in lines:
        try:
            states.append(AgentState.from_json(line))
        except ValidationError as error:  # noqa: PERF203 - every line is to be judged
            faults += [
                Fault(f"line {number}: {fault.path}", fault.found, fault.expected) for fault in error.faults
            ]
    if faults:
        raise ValidationError(AgentState.__name__, faults)
    return states


def _is_one_state_a_line(lines: list[tuple[int, bytes]]) -> bool:
    """Whether the first line is an object of its own that is no list of states."""
    try:
        first = json.loads(lines[0][1]) if lines else {}
    except (ValueError, RecursionError):
        return False
    return isinstance(first, dict) and "agentStateList" not in first


def _show(output: Output, records: Data) -> None:
    if isinstance(records, list):
        cut = batches(records, MAX_BATCH, MAX_BATCH_BYTES, several_per_agent=False)
        bodies = [AgentStateList(agent_state_list=batch).to_json() for batch in cut]
    else:
        bodies = [records.to_json()]
    output.document({"ok": True, "requests": [json.loads(body) for body in bodies]})
    for number, body in enumerate(bodies, 1):
        output.line(f"request {number} of {len(bodies)}, {len(body)} bytes:")
        output.line(json.dumps(json.loads(body), indent=2, ensure_ascii=False))


def _send(output: Output, records: Data) -> None:
    with WfmClient.from_env() as wfm:
        requests = 1
        if isinstance(records, list):
            requests = wfm.agent_states.send(records).requests
            what = f"{len(records)} agent states"
        elif isinstance(records, HistoricalReport):
            wfm.reports.send_historical(records)
            what = "the historical report"
        else:
            wfm.reports.send_agent_activity(records)
            what = "the agent activity report"
    output.document({"ok": True, "sent": what, "requests": requests})
    output.line(f"CXone confirmed {what} (requests: {requests})")
