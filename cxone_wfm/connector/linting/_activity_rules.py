"""Rules for the agent activity report: when an activity was completed, and in what unit it lasted (WFM5xx).

The vendor does not name the unit of a duration. The library sends milliseconds, so that is the first
reading; where only the other one makes sense, the rules say so.
"""

from collections.abc import Iterator
from itertools import pairwise

from attrs import frozen

from ..._kinds import describe
from ...models.agent_activity import AgentActivity, AgentActivityReport
from ._rows import ROUNDING, SHORTEST_STATE, Row, activities, agent_activities, agents, lasting
from ._rule import Context, Hit, Rules, Severity

ACTIVITY_RULES: Rules[AgentActivityReport] = Rules()

_ENOUGH_ACTIVITIES = 3
"""From how many activities on they say something together (our choice)."""


@frozen
class _Timed:
    """An activity, in seconds from the start of the report's interval; `length` is the interval's."""

    row: Row[AgentActivity]
    start: float
    length: float

    @property
    def end(self) -> float:
        """Its end where the duration is in milliseconds."""
        return self.start + self.row.record.duration / 1000

    @property
    def fits(self) -> bool:
        """Whether it is completed in the interval, the duration being milliseconds."""
        return -ROUNDING <= self.end <= self.length + ROUNDING

    @property
    def fits_in_seconds(self) -> bool:
        """Whether it is completed in the interval, the duration being seconds."""
        return -ROUNDING <= self.start + self.row.record.duration <= self.length + ROUNDING

    @property
    def begins_inside(self) -> bool:
        """Whether it begins in the interval."""
        return 0 <= self.start < self.length


def _timed(report: AgentActivityReport) -> Iterator[_Timed]:
    length = (report.end_date - report.start_date).total_seconds()
    for row in activities(report):
        yield _Timed(row, (row.record.start_time - report.start_date).total_seconds(), length)


@ACTIVITY_RULES.add(
    "WFM501",
    Severity.WARNING,
    summary="An activity has nothing to do with the report's interval.",
    advice="Report an activity in the interval in which it is completed, and check the zone of its start.",
    source="vendor: recorded in the interval in which it is completed; the page's own sample is outside",
)
def activity_outside_interval(report: AgentActivityReport, _: Context) -> Iterator[Hit]:
    for each in _timed(report):
        if not (each.fits or each.fits_in_seconds or each.begins_inside):
            away = (
                f"{lasting(-each.end)} before" if each.end < 0 else f"{lasting(each.end - each.length)} after"
            )
            yield each.row.hit(f"The activity ends {away} the report's interval.", "start_time", "duration")


@ACTIVITY_RULES.add(
    "WFM502",
    Severity.WARNING,
    summary="An activity begins in the report's interval and ends after it.",
    advice="Report it in the interval in which it is completed, with its whole duration.",
    source="vendor: recorded in the interval in which it is completed",
)
def activity_not_completed(report: AgentActivityReport, _: Context) -> Iterator[Hit]:
    for each in _timed(report):
        if each.begins_inside and not each.fits:
            yield each.row.hit(
                f"The activity of {lasting(each.row.record.duration / 1000)} ends"
                f" {lasting(each.end - each.length)} after the report's interval.",
                "duration",
                "start_time",
            )


@ACTIVITY_RULES.add(
    "WFM503",
    Severity.WARNING,
    summary="A duration makes sense in seconds alone, and is taken for milliseconds.",
    advice="Give AgentActivity a timedelta: it is sent as milliseconds.",
    source="inference from the page's sample, which makes sense in milliseconds alone",
)
def duration_in_seconds(report: AgentActivityReport, _: Context) -> Iterator[Hit]:
    for each in _timed(report):
        if each.fits_in_seconds and not each.fits:
            duration = each.row.record.duration
            yield each.row.hit(
                f"A duration of {duration} ms ends before the report's interval, one of {duration} s ends in"
                " it.",
                "duration",
                "start_time",
            )


@ACTIVITY_RULES.add(
    "WFM504",
    Severity.WARNING,
    summary="All of at least 3 durations are below 3 seconds when taken for milliseconds.",
    advice="Give AgentActivity a timedelta: it is sent as milliseconds.",
    source="vendor: states of 3 seconds or more; inference from the page's sample",
)
def all_durations_tiny(report: AgentActivityReport, _: Context) -> Iterator[Hit]:
    durations = [row.record.duration for row in activities(report)]
    if len(durations) >= _ENOUGH_ACTIVITIES and 0 < max(durations) < SHORTEST_STATE * 1000:
        yield Hit(
            "$.reportData",
            f"The longest of {len(durations)} durations is {max(durations)} ms: they look like seconds.",
            {"activities": len(durations), "longest": max(durations)},
        )


@ACTIVITY_RULES.add(
    "WFM505",
    Severity.WARNING,
    summary="Some durations of the report make sense in milliseconds alone, others in seconds alone.",
    advice="Bring all of them to one unit: give AgentActivity timedeltas.",
    source="inference: a report has one unit",
)
def units_differ(report: AgentActivityReport, _: Context) -> Iterator[Hit]:
    timed = list(_timed(report))
    in_ms = [each for each in timed if each.fits and not each.fits_in_seconds]
    in_seconds = [each for each in timed if each.fits_in_seconds and not each.fits]
    if in_ms and in_seconds:
        yield in_seconds[0].row.hit(
            f"{len(in_ms)} durations make sense in milliseconds alone, and {len(in_seconds)} in seconds"
            " alone.",
            "duration",
            more={"milliseconds": len(in_ms), "seconds": len(in_seconds)},
        )


@ACTIVITY_RULES.add(
    "WFM506",
    Severity.NOTE,
    summary="An agent's activity begins before the one that began before it has ended.",
    advice="Collapse parallel contacts to one state at a time.",
    source="inference: adherence compares one actual activity with one planned",
)
def activities_overlap(report: AgentActivityReport, _: Context) -> Iterator[Hit]:
    for agent in agents(report):
        in_order = sorted(agent_activities(agent), key=lambda row: row.record.start_time)
        for row, following in pairwise(in_order):
            gap = (following.record.start_time - row.record.start_time).total_seconds()
            overlap = row.record.duration / 1000 - gap
            if overlap > ROUNDING:
                yield following.hit(
                    f"Agent {describe(agent.record.agent_value)} is in {describe(following.record.state)}"
                    f" while {describe(row.record.state)} goes on for another {lasting(overlap)}.",
                    "start_time",
                    more={"overlap": overlap},
                )
