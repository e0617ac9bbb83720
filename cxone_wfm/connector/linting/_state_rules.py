"""Rules for agent states: their order, their length, their codes (WFM6xx)."""

from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise

from ..._kinds import describe
from ...models.agent_state import AgentState
from ._rows import SHORTEST_STATE, Row, States, clock_hint, lasting, number, states
from ._rule import Context, Hit, Rules, Severity

STATE_RULES: Rules[States] = Rules()

_CLOCKS_DIFFER = 5
"""Seconds by which an ACD's clock may be ahead (our choice)."""


def _following(listed: States) -> Iterator[tuple[Row[AgentState], Row[AgentState], float, bool]]:
    """Each state with the agent's next one, the seconds between, and whether it is the agent's first."""
    by_agent: dict[str, list[Row[AgentState]]] = defaultdict(list)
    for row in states(listed):
        by_agent[row.record.login_id].append(row)
    for rows in by_agent.values():
        for place, (row, following) in enumerate(pairwise(rows)):
            gap = following.record.event_utc_time - row.record.event_utc_time
            yield row, following, gap.total_seconds(), place == 0


def _event(state: AgentState) -> tuple[str, str]:
    return state.event_code, state.reason_code


@STATE_RULES.add(
    "WFM601",
    Severity.WARNING,
    summary="A state lasts less than 3 seconds.",
    advice="Leave it out: the last state within 3 seconds is the one to send.",
    source="vendor: agent states of 3 seconds or more",
)
def state_too_short(listed: States, _: Context) -> Iterator[Hit]:
    for row, following, gap, _first in _following(listed):
        if 0 < gap < SHORTEST_STATE:
            yield row.hit(
                f"{describe(row.record.event_code)} lasts {number(gap)} s, until"
                f" {describe(following.record.event_code)} at {following.path}.",
                "event_utc_time",
                "event_code",
                more={"seconds": gap},
            )


@STATE_RULES.add(
    "WFM602",
    Severity.WARNING,
    summary="An agent's states are out of order.",
    advice="Send each agent's states in the order in which they began.",
    source="inference: the last state sent is the one that holds",
)
def states_out_of_order(listed: States, _: Context) -> Iterator[Hit]:
    for row, following, gap, _first in _following(listed):
        if gap < 0:
            yield following.hit(
                f"The state began {lasting(-gap)} before the one at {row.path}, which stands before it.",
                "event_utc_time",
                "login_id",
                more={"seconds": gap},
            )


@STATE_RULES.add(
    "WFM603",
    Severity.NOTE,
    summary="An agent has two states that began at the same moment, the first of them not being the agent's"
    " first.",
    advice="Send the one that holds. A login with the state that follows it is no such case.",
    source="inference: the first of the two never showed",
)
def two_states_at_once(listed: States, _: Context) -> Iterator[Hit]:
    for row, following, gap, is_first in _following(listed):
        if gap == 0 and not is_first and _event(row.record) != _event(following.record):
            yield following.hit(
                f"{describe(following.record.event_code)} began at the same moment as"
                f" {describe(row.record.event_code)} at {row.path}.",
                "event_utc_time",
                "login_id",
            )


@STATE_RULES.add(
    "WFM604",
    Severity.NOTE,
    summary="A state is sent again, unchanged, with a later time.",
    advice="Send changes alone, with the time at which the state really began.",
    source="inference: the second time is not that at which the state began",
)
def state_unchanged(listed: States, _: Context) -> Iterator[Hit]:
    for row, following, gap, _first in _following(listed):
        if gap > 0 and _event(row.record) == _event(following.record):
            yield following.hit(
                f"The agent has been in {describe(row.record.event_code)} for {lasting(gap)} already, since"
                f" {row.path}.",
                "event_utc_time",
                "login_id",
                more={"seconds": gap},
            )


@STATE_RULES.add(
    "WFM605",
    Severity.WARNING,
    summary="A state begins in the future.",
    advice="Check the clock and the zone of the ACD.",
    source="our choice: clocks may be 5 s apart",
    needs="now",
)
def state_in_the_future(listed: States, context: Context) -> Iterator[Hit]:
    if context.now is None:
        return
    for row in states(listed):
        ahead = (row.record.event_utc_time - context.now).total_seconds()
        if ahead > _CLOCKS_DIFFER:
            yield row.hit(
                f"The state begins {lasting(ahead)} from now{clock_hint(ahead)}.",
                "event_utc_time",
                more={"secondsAhead": ahead},
            )


@STATE_RULES.add(
    "WFM606",
    Severity.WARNING,
    summary="The event set does not have this event code with this reason code.",
    advice="Map the event in CXone WFM, or correct the code: an event that is not mapped shows as unmapped.",
    source="vendor: the event sets are published for some ACDs",
    needs="events",
)
def unknown_event(listed: States, context: Context) -> Iterator[Hit]:
    if context.events is None:
        return
    for row in states(listed):
        if context.events.find(*_event(row.record)) is None:
            reason = row.record.reason_code
            with_reason = f" with reason {describe(reason)}" if reason else ""
            yield row.hit(
                f"The events of {context.events.acd} have no {describe(row.record.event_code)}{with_reason}.",
                "event_code",
                "reason_code",
            )


@STATE_RULES.add(
    "WFM607",
    Severity.WARNING,
    summary="The states come from more than one ACD.",
    advice="Send one ACD's states.",
    source="vendor: WFM integrates one ACD at a time",
)
def several_acds(listed: States, _: Context) -> Iterator[Hit]:
    rows = states(listed)
    for row in rows:
        if row.record.acd_id != rows[0].record.acd_id:
            yield row.hit(
                f"acdId is {describe(row.record.acd_id)} here and {describe(rows[0].record.acd_id)} at"
                f" {rows[0].path}.",
                "acd_id",
            )
            return
