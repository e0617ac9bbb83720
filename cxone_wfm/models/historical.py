"""The historical report: what each queue and each agent did in one 15-minute interval.

Source of the names and types: the vendor's page. Source of the meanings: the public field list of
NICE WFM's historical import, which the page's fields match one to one.

Times are seconds, whole or with a fraction. A measure that is None is left out of the JSON: it
says "my ACD does not know", where 0 says "there was none". A contact counts once, in the interval
in which it ends, with its whole handle time, which may exceed the interval's 900 seconds.
"""

from collections.abc import Iterable
from typing import ClassVar

from attrs import field, frozen

from .._kinds import (
    AgentKey,
    Count,
    Flag,
    Instant,
    Name,
    Note,
    Percent,
    QueueKey,
    Seconds,
    as_tuple,
    to_instant,
)
from ._record import Record


@frozen(kw_only=True)
class QueueReport(Record):
    """One queue (skill) in one interval. Queues are inbound or outbound, never both."""

    queue_value: QueueKey
    """The ACD's own id of the queue, stable over time: 1 to 100 ASCII characters. May be text like "-4"."""
    queue_name: Note | None = None
    is_outbound: Flag | None = None
    right_party_handle_time: Seconds | None = None
    """Outbound: seconds with the person who was meant."""
    right_party_contacts: Count | None = None
    wrong_party_handle_time: Seconds | None = None
    wrong_party_contacts: Count | None = None
    hold_time: Seconds | None = None
    """Seconds on hold; also part of `handle_time`."""
    active: Count | None = None
    """Contacts answered in this interval that arrived in an earlier one.

    An inference: see docs/reference/fields.md.
    """
    contacts_received: Count | None = None
    abandoned_short: Count | None = None
    """Abandoned before the service-level threshold."""
    abandoned_long: Count | None = None
    """Abandoned after it; all of them where the ACD cannot split."""
    handled_short: Count | None = None
    """Answered before the service-level threshold."""
    handled_long: Count | None = None
    """Answered after it; all of them where the ACD cannot split."""
    handle_time: Seconds | None = None
    """Seconds of talk and hold of all handled contacts, never after-contact work."""
    work_time: Seconds | None = None
    """Seconds of after-contact work only."""
    queue_delay_time: Seconds | None = None
    """Seconds that all handled contacts together waited before an agent had them."""
    svc_lvl_pct: Percent | None = None
    """Service level, 0 to 100. WFM uses it for deferrable media; for voice and chat it derives its own."""
    backlog: Count | None = None
    """Deferrable media: `backlog_not_expired` and `backlog_expired` together."""
    backlog_not_expired: Count | None = None
    backlog_expired: Count | None = None


@frozen(kw_only=True)
class AgentQueueReport(Record):
    """One agent's share of one queue in one interval."""

    queue_value: QueueKey
    queue_name: Note | None = None
    is_outbound: Flag | None = None
    agent_value: AgentKey
    """The agent's id in the ACD, as mapped to the employee in CXone: 1 to 256 ASCII characters."""
    agent_id: Note | None = None
    handled: Count | None = None
    """Contacts that this agent handled on this queue."""
    handled_time: Seconds | None = None
    """Seconds of talk and hold. On the wire it is `handledTime` here and `handleTime` in the queue report."""
    work_time: Seconds | None = None
    """Seconds of after-contact work only."""
    right_party_handle_time: Seconds | None = None
    right_party_contacts: Count | None = None
    wrong_party_handle_time: Seconds | None = None
    wrong_party_contacts: Count | None = None
    hold_time: Seconds | None = None
    """Seconds on hold; also part of `handled_time`."""
    active: Count | None = None


@frozen(kw_only=True)
class AgentSystemPerformanceReport(Record):
    """One agent's time in one interval, over all queues. None of the three exceeds the interval's length."""

    agent_value: AgentKey
    agent_id: Note | None = None
    ready_time: Seconds | None = None
    """Seconds ready for contacts."""
    not_ready_time: Seconds | None = None
    """Seconds logged in, neither ready nor at work on a contact; without after-contact work."""
    login_time: Seconds | None = None
    """Seconds logged in."""


# One converter for each kind of row: type checkers read the argument's type off it.
def _queues(rows: Iterable[QueueReport] | None) -> tuple[QueueReport, ...] | None:
    return as_tuple(rows)


def _agent_queues(rows: Iterable[AgentQueueReport] | None) -> tuple[AgentQueueReport, ...] | None:
    return as_tuple(rows)


def _performances(
    rows: Iterable[AgentSystemPerformanceReport] | None,
) -> tuple[AgentSystemPerformanceReport, ...] | None:
    return as_tuple(rows)


@frozen(kw_only=True)
class HistoricalReportData(Record):
    """The three parts of a historical report. One that is None is left out; an empty one is sent as `[]`."""

    queue_report: tuple[QueueReport, ...] | None = field(default=None, converter=_queues)
    agent_queue_report: tuple[AgentQueueReport, ...] | None = field(default=None, converter=_agent_queues)
    agent_system_performance_report: tuple[AgentSystemPerformanceReport, ...] | None = field(
        default=None, converter=_performances
    )


@frozen(kw_only=True)
class HistoricalReport(Record):
    """What the ACD did in one 15-minute interval: the page's "intraday and skill history".

    `report_version`, `status` and `status_reason` take the values of the page's sample where they
    are left out.
    """

    earlier_later: ClassVar[tuple[str, str] | None] = ("start_date", "end_date")

    acd_type: Name
    """The ACD's type as CXone knows it, such as "Generic_LiveVox": see `HeartbeatClient.acd_types()`."""
    report_version: Note = "0"
    start_date: Instant = field(converter=to_instant)
    end_date: Instant = field(converter=to_instant)
    status: Name = "SUCCESS"
    status_reason: Note = ""
    report_data: HistoricalReportData
