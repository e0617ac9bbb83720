"""Rules for documents that must agree with one another: the reports of a day, or both kinds (WFM7xx)."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import pairwise

from ..._kinds import describe
from ...models.agent_activity import AgentActivityReport
from ...models.historical import HistoricalReport
from ._rows import Report, Row, States, agents, lasting, performances, queues
from ._rule import Context, Hit, Rules, Severity

Documents = tuple[Report | States, ...]

SEVERAL_RULES: Rules[Documents] = Rules()

_LONGEST_GAP = timedelta(days=1)
"""Reports further apart than this are taken for two periods, not for one with a gap (our choice)."""


def _historical(documents: Documents) -> list[tuple[int, HistoricalReport]]:
    """The historical reports with their numbers, by time."""
    found = [(number_, each) for number_, each in enumerate(documents) if isinstance(each, HistoricalReport)]
    return sorted(found, key=lambda pair: (pair[1].start_date, pair[0]))


def _activity(documents: Documents) -> list[tuple[int, AgentActivityReport]]:
    """The activity reports with their numbers, by time."""
    found = [
        (number_, each) for number_, each in enumerate(documents) if isinstance(each, AgentActivityReport)
    ]
    return sorted(found, key=lambda pair: (pair[1].start_date, pair[0]))


def _neighbours(documents: Documents) -> Iterator[tuple[Report, int, Report]]:
    """Each report with the number of the next of its kind, and that one."""
    kinds: tuple[Sequence[tuple[int, Report]], ...] = (_historical(documents), _activity(documents))
    for reports in kinds:
        for (_, earlier), (number_, later) in pairwise(reports):
            yield earlier, number_, later


@SEVERAL_RULES.add(
    "WFM701",
    Severity.WARNING,
    summary="Two reports of one kind cover the same time.",
    advice="Send the corrected one last, and only where it is meant to replace the first.",
    source="inference: what CXone makes of a second report for an interval is not published",
    needs="several documents",
)
def intervals_overlap(documents: Documents, _: Context) -> Iterator[Hit]:
    for earlier, place, later in _neighbours(documents):
        overlap = (earlier.end_date - later.start_date).total_seconds()
        if overlap > 0:
            yield Row("$", later).hit(
                f"The report shares {lasting(overlap)} with another of the same kind, which begins at"
                f" {describe(earlier.start_date)}.",
                "start_date",
                more={"seconds": overlap},
                document=place,
            )


@SEVERAL_RULES.add(
    "WFM702",
    Severity.WARNING,
    summary="Between two reports of one kind an interval is missing.",
    advice="Report it later, or send rows of zeros if it was quiet: to a forecast, no report is no fact.",
    source="inference: WFM cannot tell a quiet interval from a failed extract",
    needs="several documents",
)
def interval_missing(documents: Documents, _: Context) -> Iterator[Hit]:
    for earlier, place, later in _neighbours(documents):
        gap = later.start_date - earlier.end_date
        if timedelta(0) < gap <= _LONGEST_GAP:
            yield Row("$", later).hit(
                f"Nothing is reported for the {lasting(gap.total_seconds())} before this report.",
                "start_date",
                more={"seconds": gap.total_seconds()},
                document=place,
            )


@SEVERAL_RULES.add(
    "WFM703",
    Severity.NOTE,
    summary="A queue has a row in some reports and none in others.",
    advice="Send a row of zeros for a quiet queue, and check that the ACD has not renumbered its queues.",
    source="inference: WFM cannot tell a quiet queue from one that is missing",
    needs="several documents",
)
def queue_comes_and_goes(documents: Documents, _: Context) -> Iterator[Hit]:
    reports = [
        (place, {row.record.queue_value for row in queues(report)})
        for place, report in _historical(documents)
        if report.report_data.queue_report is not None
    ]
    times = Counter(queue for _, present in reports for queue in present)
    for queue, count in times.items():
        if count < len(reports):
            place = next(place for place, present in reports if queue not in present)
            yield Hit(
                "$.reportData.queueReport",
                f"Queue {describe(queue)} has a row in {count} of {len(reports)} reports, and none here.",
                {"queueValue": queue, "reports": len(reports), "with": count},
                place,
            )


@SEVERAL_RULES.add(
    "WFM704",
    Severity.WARNING,
    summary="The reports name different types of ACD.",
    advice="Send one ACD's reports.",
    source="vendor: WFM integrates one ACD at a time",
    needs="several documents",
)
def acd_types_differ(documents: Documents, _: Context) -> Iterator[Hit]:
    reports: list[tuple[int, Report]] = [*_historical(documents), *_activity(documents)]
    for place, report in reports:
        if report.acd_type != reports[0][1].acd_type:
            yield Row("$", report).hit(
                f"acdType is {describe(report.acd_type)} here and {describe(reports[0][1].acd_type)} in"
                " another report.",
                "acd_type",
                document=place,
            )
            return


@SEVERAL_RULES.add(
    "WFM705",
    Severity.WARNING,
    summary="An agent has activities in an interval for which the historical report has no login time.",
    advice="Check that both reports name the agent alike; if they do, repeat the extract.",
    source="inference: who is active is logged in",
    needs="several documents",
)
def active_without_login_time(documents: Documents, _: Context) -> Iterator[Hit]:
    timed = {
        (report.start_date, report.end_date): {row.record.agent_value for row in performances(report)}
        for _, report in _historical(documents)
    }
    for place, report in _activity(documents):
        known = timed.get((report.start_date, report.end_date))
        for row in agents(report) if known else ():
            if row.record.agent_activity and row.record.agent_value not in (known or ()):
                yield row.hit(
                    f"Agent {describe(row.record.agent_value)} has activities, and no row in the historical"
                    " report's agentSystemPerformanceReport.",
                    "agent_value",
                    document=place,
                )
