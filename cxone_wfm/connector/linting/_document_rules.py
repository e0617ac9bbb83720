"""Rules for any document: its interval, its keys, rows that stand twice (WFM1xx)."""

from collections.abc import Iterator

from ..._kinds import describe
from ...intervals import INTERVAL_LENGTH, Interval
from ...models.agent_activity import AgentActivityReport
from ...models.historical import HistoricalReport
from ._rows import (
    Report,
    Row,
    States,
    agent_queues,
    agents,
    clock_hint,
    lasting,
    measures,
    number,
    performances,
    queues,
    repeated,
    states,
)
from ._rule import Context, Hit, Rules, Severity

REPORT_RULES: Rules[Report] = Rules()
HISTORICAL_RULES: Rules[HistoricalReport] = Rules()
ANY_RULES: Rules[Report | States] = Rules()


@REPORT_RULES.add(
    "WFM101",
    Severity.ERROR,
    summary="The report's interval is not 15 minutes long.",
    advice="Send one report for each quarter of an hour.",
    source="vendor: the SDK takes 15 minutes only",
)
def interval_length(report: Report, _: Context) -> Iterator[Hit]:
    length = report.end_date - report.start_date
    if length != INTERVAL_LENGTH:
        yield Row("$", report).hit(
            f"The report's interval is {number(length.total_seconds())} s long, not 900 s.",
            "end_date",
            "start_date",
            more={"seconds": length.total_seconds()},
        )


@REPORT_RULES.add(
    "WFM102",
    Severity.WARNING,
    summary="The report's interval does not begin at :00, :15, :30 or :45.",
    advice="Align it to the grid: Interval.containing(moment) gives the interval of any moment.",
    source="our choice; one of the page's two samples is off the grid",
)
def interval_off_the_grid(report: Report, _: Context) -> Iterator[Hit]:
    past = (report.start_date - Interval.containing(report.start_date).start).total_seconds()
    if past:
        yield Row("$", report).hit(
            f"The report's interval begins {number(past)} s past the 15-minute grid.",
            "start_date",
            more={"secondsPastGrid": past},
        )


@REPORT_RULES.add(
    "WFM103",
    Severity.ERROR,
    summary="The report's interval is not over yet.",
    advice="Report an interval after its end, and check the clock and the zone of the ACD.",
    source="inference: a report of an interval that goes on cannot be whole",
    needs="now",
)
def interval_not_over(report: Report, context: Context) -> Iterator[Hit]:
    if context.now is not None and report.end_date > context.now:
        ahead = (report.end_date - context.now).total_seconds()
        yield Row("$", report).hit(
            f"The report's interval ends {lasting(ahead)} from now{clock_hint(ahead)}.",
            "end_date",
            more={"secondsAhead": ahead},
        )


@HISTORICAL_RULES.add(
    "WFM104",
    Severity.WARNING,
    summary="The report has no rows at all.",
    advice="Where the extract failed, send nothing and raise an alarm; for a quiet interval send rows of"
    " zeros.",
    source="inference: WFM cannot tell a quiet interval from a failed extract",
)
def report_without_rows(report: HistoricalReport, _: Context) -> Iterator[Hit]:
    if not (queues(report) or agent_queues(report) or performances(report)):
        yield Hit(
            "$.reportData", "The report has no rows at all: it looks like a failed extract.", {"rows": 0}
        )


@HISTORICAL_RULES.add(
    "WFM105",
    Severity.WARNING,
    summary="Every count and every time in the report is 0.",
    advice="Make sure that nobody was logged in and nothing came in; a failed extract is to be repeated,"
    " not sent.",
    source="inference: WFM cannot tell a quiet interval from a failed extract",
)
def nothing_but_zeros(report: HistoricalReport, _: Context) -> Iterator[Hit]:
    data = report.report_data
    parts = (data.queue_report, data.agent_queue_report, data.agent_system_performance_report)
    rows = [row for part in parts for row in part or ()]
    found = [value for row in rows for value in measures(row)]
    if found and not any(found):
        yield Hit(
            "$.reportData",
            f"All {len(found)} counts and times of the report are 0: it looks like a failed extract.",
            {"rows": len(rows), "measures": len(found)},
        )


@HISTORICAL_RULES.add(
    "WFM106",
    Severity.WARNING,
    summary="A part of the report is an empty list although contacts were handled.",
    advice="Repeat the extract of that part, or leave the part out where the ACD does not have it.",
    source="inference: who handles contacts is logged in, on a queue",
)
def part_without_rows(report: HistoricalReport, _: Context) -> Iterator[Hit]:
    by_queues = [
        v for row in queues(report) for v in (row.record.handled_short, row.record.handled_long) if v
    ]
    by_agents = [row.record.handled for row in agent_queues(report) if row.record.handled]
    if not (by_queues or by_agents):
        return
    data = report.report_data
    for name, rows in {
        "queueReport": data.queue_report,
        "agentQueueReport": data.agent_queue_report,
        "agentSystemPerformanceReport": data.agent_system_performance_report,
    }.items():
        if rows == ():
            handled = max(sum(by_queues), sum(by_agents))
            yield Hit(
                f"$.reportData.{name}",
                f"{name} is empty although {handled} contacts were handled.",
                {"handled": handled},
            )


@HISTORICAL_RULES.add(
    "WFM107",
    Severity.ERROR,
    summary="A queue stands twice in the queue report.",
    advice="Add the rows up into one: a queue is unique in an interval.",
    source="field list: the queue's value is unique in an interval",
)
def queue_twice(report: HistoricalReport, _: Context) -> Iterator[Hit]:
    for row, first in repeated(queues(report), "queue_value"):
        yield row.hit(
            f"Queue {describe(row.record.queue_value)} has a row already, at {first.path}.", "queue_value"
        )


@REPORT_RULES.add(
    "WFM108",
    Severity.ERROR,
    summary="An agent stands twice: on the same queue, in the performance report or in the activity report.",
    advice="Add the rows up into one for each agent.",
    source="field list: the agent's value is unique",
)
def agent_twice(report: Report, _: Context) -> Iterator[Hit]:
    if isinstance(report, AgentActivityReport):
        found = [*repeated(agents(report), "agent_value")]
        for row, first in found:
            yield row.hit(_has_a_row(row.record.agent_value, first.path), "agent_value")
        return
    for share, first_share in repeated(agent_queues(report), "queue_value", "agent_value"):
        yield share.hit(_has_a_row(share.record.agent_value, first_share.path), "agent_value", "queue_value")
    for time, first_time in repeated(performances(report), "agent_value"):
        yield time.hit(_has_a_row(time.record.agent_value, first_time.path), "agent_value")


def _has_a_row(agent: str, path: str) -> str:
    return f"Agent {describe(agent)} has a row already, at {path}."


@ANY_RULES.add(
    "WFM109",
    Severity.WARNING,
    summary="The id of a queue or an agent begins or ends with a blank.",
    advice="Strip it: the id must be the one that is mapped in CXone, character by character.",
    source="inference: columns of fixed width are padded",
)
def blank_at_the_edge_of_an_id(document: Report | States, _: Context) -> Iterator[Hit]:
    for path, name, value in _ids(document):
        if value != value.strip():
            yield Hit(
                f"{path}.{name}", f"The id {describe(value)} begins or ends with a blank.", {name: value}
            )


def _ids(document: Report | States) -> Iterator[tuple[str, str, str]]:
    if isinstance(document, tuple):
        yield from ((row.path, "loginId", row.record.login_id) for row in states(document))
    elif isinstance(document, AgentActivityReport):
        yield from ((row.path, "agentValue", row.record.agent_value) for row in agents(document))
    else:
        yield from ((row.path, "queueValue", row.record.queue_value) for row in queues(document))
        for share in agent_queues(document):
            yield share.path, "queueValue", share.record.queue_value
            yield share.path, "agentValue", share.record.agent_value
        yield from ((row.path, "agentValue", row.record.agent_value) for row in performances(document))
