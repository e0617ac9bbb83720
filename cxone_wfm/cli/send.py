"""`cxone-wfm send`: a report or agent states from a file."""

import codecs
import json
import re
import sys
from enum import Enum
from pathlib import Path

import attrs

from ..agent_states import batches
from ..client import WfmClient
from ..config import MAX_BATCH, MAX_BATCH_BYTES, WfmConfig
from ..errors import ConfigurationError, CXoneError, Fault, ValidationError
from ..models.agent_activity import AgentActivityReport
from ..models.agent_state import AgentState, AgentStateList
from ..models.historical import HistoricalReport
from . import durable
from .output import Output


class Kind(str, Enum):
    """What a file holds."""

    historical = "historical"
    activity = "activity"
    states = "states"


Data = HistoricalReport | AgentActivityReport | list[AgentState]

_NOTHING = "There is nothing to send: the input holds no agent states."
_OBJECT_ON_ONE_LINE = re.compile(rb"\s*\{.*\}\s*", re.DOTALL)
_LIST_OF_STATES = re.compile(rb'\s*\{\s*"agentStateList"')


def send(output: Output, kind: Kind, file: str, *, dry_run: bool, outbox: str | None, timeout: float) -> int:
    """Read, validate and send; with `dry_run` show what would go out instead. Gives the exit code.

    `file` is a path, or "-" for the standard input. `outbox`: what was read is accepted there first, and then
    sent for at most `timeout` seconds.
    """
    try:
        data = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        return output.failed(f"{file} cannot be read: {error.strerror}", faults=[])
    try:
        records = read(kind, data)
        if dry_run:
            _show(output, records)
        elif outbox is not None:
            return durable.send(output, outbox, records if isinstance(records, list) else [records], timeout)
        else:
            _send(output, records)
    except ValidationError as error:
        return output.failed(str(error), faults=[attrs.asdict(fault) for fault in error.faults])
    except (CXoneError, ImportError) as error:  # an outbox in PostgreSQL needs its extra
        return output.failed(str(error), faults=[])
    return 0


def read(kind: Kind, data: bytes) -> Data:
    """The records in the file. States may be the page's list, or one JSON object a line."""
    if kind is Kind.historical:
        return HistoricalReport.from_json(data)
    if kind is Kind.activity:
        return AgentActivityReport.from_json(data)
    data = data.removeprefix(codecs.BOM_UTF8)
    lines = [(number, line) for number, line in enumerate(data.splitlines(), 1) if line.strip()]
    if lines and not _is_one_state_a_line(lines[0][1]):
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


def _is_one_state_a_line(first: bytes) -> bool:
    """Whether the first line looks like an object of its own, and not like the page's list on one line."""
    return bool(_OBJECT_ON_ONE_LINE.fullmatch(first)) and not _LIST_OF_STATES.match(first)


def _show(output: Output, records: Data) -> None:
    bodies = [records.to_json()] if not isinstance(records, list) else _batched(records)
    output.document({"ok": True, "would_send": [json.loads(body) for body in bodies]})
    if not bodies:
        output.line(_NOTHING)
    for number, body in enumerate(bodies, 1):
        output.line(f"request {number} of {len(bodies)}, {len(body)} bytes:")
        output.line(json.dumps(json.loads(body), indent=2, ensure_ascii=False))


def _batched(states: list[AgentState]) -> list[bytes]:
    """The requests as the settings of the environment cut them; the defaults do where it holds none."""
    most, most_bytes, in_order = MAX_BATCH, MAX_BATCH_BYTES, False
    try:
        config = WfmConfig.from_env()
    except ConfigurationError:
        pass
    else:
        most, most_bytes, in_order = config.max_batch, config.max_batch_bytes, config.lists_applied_in_order
    cut = batches(states, most, most_bytes, several_per_agent=in_order)
    return [AgentStateList(agent_state_list=batch).to_json() for batch in cut]


def _send(output: Output, records: Data) -> None:
    with WfmClient.from_env() as wfm:
        requests = 1
        if isinstance(records, list):
            requests = wfm.agent_states.send(records).requests
            what = f"{len(records)} agent {'state' if len(records) == 1 else 'states'}"
        elif isinstance(records, HistoricalReport):
            wfm.reports.send_historical(records)
            what = "the historical report"
        else:
            wfm.reports.send_agent_activity(records)
            what = "the agent activity report"
    output.document({"ok": True, "sent": what, "requests": requests})
    output.line(f"CXone confirmed {what} (requests: {requests})" if requests else _NOTHING)
