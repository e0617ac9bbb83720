"""`cxone-wfm demo`: everything at work against a local CXone WFM."""

import json
import time
from collections.abc import Sequence

from ..client import WfmClient
from ..errors import CXoneError, ValidationError
from ..models._record import Record
from ..models.agent_activity import AgentActivityReport
from ..models.agent_state import AgentStateList
from ..models.historical import HistoricalReport
from ..samples import sample
from ..simulator import Simulator, Status
from .output import Output
from .steps import Steps

_COLUMNS = ("data", "sent", "held", "content")
_WRONG_REPORT = {
    "acdType": "Generic_LiveVox",
    "startDate": "2024-04-17T10:15:00.000Z",
    "endDate": "2024-04-17T10:00:00.000Z",
    "reportData": {"queueReport": [{"queueValue": "", "handleTime": -1, "handledShort": "7", "talkTime": 3}]},
}


def demo(output: Output) -> int:
    """Run the whole sequence. Gives the exit code: 0 only where the server holds what was sent."""
    with Simulator() as simulator, WfmClient(simulator.config()) as wfm:
        output.line(f"A local CXone WFM is serving at {simulator.base_url}\n")
        steps = Steps(output)
        steps.run("log in", lambda: f"a token for {wfm.auth.login().expires_at - time.monotonic():.0f} s")
        steps.run("refresh", lambda: f"token number {wfm.auth.refresh().generation}")
        steps.run("ACD types", lambda: ", ".join(wfm.heartbeat.acd_types().names))
        steps.run("heartbeat", lambda: _beat(wfm))
        steps.run("agent states", lambda: _send_states(wfm))
        steps.run("agent activity report", lambda: _send_activity(wfm))
        steps.run("historical report, after a 503", lambda: _send_historical(wfm, simulator))
        steps.run("a wrong report is refused", _send_wrong_report)
        held = simulator.received
    rows = [
        _compare("agent states", json.loads(sample("states"))["agentStateList"], held.agent_states),
        _compare("agent activity reports", [json.loads(sample("activity"))], held.agent_activity_reports),
        _compare("historical reports", [json.loads(sample("historical"))], held.historical_reports),
        ("heartbeats", 1, held.heartbeats, "equal" if held.heartbeats == 1 else "DIFFERENT"),
    ]
    output.line("")
    output.table("What was sent, and what the server holds:", _COLUMNS, rows)
    ok = steps.ok and all(content == "equal" for *_, content in rows)
    output.line("")
    output.line("All that was sent has arrived, unchanged." if ok else "Something is not as it should be.")
    compared = [dict(zip(_COLUMNS, row, strict=True)) for row in rows]
    output.document({"ok": ok, "steps": steps.results, "compared": compared})
    return 0 if ok else 1


def _beat(wfm: WfmClient) -> str:
    wfm.heartbeat.send()
    return "confirmed"


def _send_states(wfm: WfmClient) -> str:
    states = AgentStateList.from_json(sample("states")).agent_state_list
    return f"{wfm.agent_states.send(states).states} confirmed"


def _send_activity(wfm: WfmClient) -> str:
    wfm.reports.send_agent_activity(AgentActivityReport.from_json(sample("activity")))
    return "confirmed"


def _send_historical(wfm: WfmClient, simulator: Simulator) -> str:
    simulator.fail("historical_report", Status(503))
    wfm.reports.send_historical(HistoricalReport.from_json(sample("historical")))
    answers = [r.status for r in simulator.received.requests if r.operation == "historical_report"]
    if answers != [503, 200]:
        raise CXoneError(f"the answers were to be 503 and then 200, and were {answers}")
    return "confirmed; the answers were 503, 200"


def _send_wrong_report() -> str:
    """What is wrong never leaves: the step goes well where it is refused."""
    try:
        HistoricalReport.from_json(_WRONG_REPORT)
    except ValidationError as error:
        return "\n".join(["nothing was sent, for this is wrong:", *(f"  {fault}" for fault in error.faults)])
    raise CXoneError("a wrong report was taken")


def _compare(data: str, sent: Sequence[object], held: Sequence[Record]) -> tuple[str, int, int, str]:
    same = sent == [json.loads(record.to_json()) for record in held]
    return data, len(sent), len(held), "equal" if same else "DIFFERENT"
