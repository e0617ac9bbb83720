"""Agent states, as CXone WFM's real-time adherence takes them.

Source of the names and types: the vendor's page.
"""

from collections.abc import Iterable

from attrs import field, frozen

from .._kinds import Instant, Name, Note, as_tuple, to_instant
from ._record import Record


@frozen(kw_only=True)
class AgentState(Record):
    """One agent's state from a moment on. CXone works with states of 3 seconds or more (vendor)."""

    login_id: Name
    """The agent's login in the ACD. The same text must stand as ACD Login ID in the employee's profile."""
    acd_id: Name
    event_code: Name
    """The ACD's event; with `reason_code` it is what is mapped to an activity in CXone WFM."""
    reason_code: Note = ""
    event_utc_time: Instant = field(converter=to_instant)
    """When the state really began, not when it was sent. Any offset is taken and sent as UTC."""


# A converter of its own: type checkers read the argument's type off it.
def _states(rows: Iterable[AgentState]) -> tuple[AgentState, ...]:
    return as_tuple(rows)


@frozen(kw_only=True)
class AgentStateList(Record):
    """The states that one request carries, in the order in which they are to be taken."""

    agent_state_list: tuple[AgentState, ...] = field(converter=_states)
