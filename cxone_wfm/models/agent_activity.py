"""The agent activity report: the states that each agent completed.

Source of the names and types: the vendor's page. CXone WFM records an activity in the interval in
which it is completed and shows it in the Agent Adherence Report (vendor).
"""

from collections.abc import Iterable
from typing import ClassVar

from attrs import field, frozen

from .._kinds import AgentKey, Instant, Milliseconds, Name, Note, as_tuple, to_instant, to_milliseconds
from ._record import Record


@frozen(kw_only=True)
class AgentActivity(Record):
    """One state that an agent was in, from its start to its end."""

    state: Name
    """The ACD's name of the state, such as "CallContact"."""
    start_time: Instant = field(converter=to_instant)
    duration: Milliseconds = field(converter=to_milliseconds)
    """How long it lasted: most probably **milliseconds**, unlike every other time, which is in seconds.

    The vendor does not name the unit. Its sample, 139090 in a report of 15 minutes, is 2 min 19 s in
    milliseconds and 38.6 hours in seconds. Give a `timedelta` to be safe: it is sent as milliseconds.
    """
    reason: Note = ""


# A converter for each kind of row: type checkers read the argument's type off it.
def _activities(rows: Iterable[AgentActivity]) -> tuple[AgentActivity, ...]:
    return as_tuple(rows)


@frozen(kw_only=True)
class AgentActivityData(Record):
    """The activities of one agent."""

    agent_value: AgentKey
    """The agent's id in the ACD, as mapped to the employee in CXone: 1 to 256 ASCII characters."""
    agent_id: Note | None = None
    user_name: Note | None = None
    agent_activity: tuple[AgentActivity, ...] = field(converter=_activities)


def _agents(rows: Iterable[AgentActivityData]) -> tuple[AgentActivityData, ...]:
    return as_tuple(rows)


@frozen(kw_only=True)
class AgentActivityReport(Record):
    """The activities of agents in one interval.

    `report_version` takes the value of the page's sample, "0", where it is left out.
    """

    earlier_later: ClassVar[tuple[str, str] | None] = ("start_date", "end_date")

    acd_type: Name
    """The ACD's type as CXone knows it, such as "Generic_LiveVox": see `HeartbeatClient.acd_types()`."""
    report_version: Note = "0"
    start_date: Instant = field(converter=to_instant)
    end_date: Instant = field(converter=to_instant)
    report_data: tuple[AgentActivityData, ...] = field(converter=_agents)
