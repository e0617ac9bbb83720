"""What the contacts and the agents' time of one interval add up to: the rows of a historical report.

Lengths are added as timedeltas, which are exact, so the order of the contacts cannot show in a sum.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import timedelta
from operator import itemgetter

from attrs import Factory, define

from ..models.historical import (
    AgentQueueReport,
    AgentSystemPerformanceReport,
    HistoricalReportData,
    QueueReport,
)
from .records import ZERO, AgentTimeState, Contact, Queue

Piece = tuple[int, int, AgentTimeState]
"""What of a span lies in an interval: from and to, in microseconds after its start, and the state."""


_MILLION = 1_000_000
NOT_COMPLETE = "complete() was not called for it"


@define(eq=False)
class IntervalData:
    """What is held of one interval. Contacts are by their id, so that none is in a part twice."""

    arrived: dict[str, Contact] = Factory(dict)
    """Inbound contacts that arrived in it."""
    active: dict[str, Contact] = Factory(dict)
    """Contacts answered in it that arrived in an earlier one."""
    ended: dict[str, Contact] = Factory(dict)
    """Contacts that ended in it, but for the outbound ones that reached nobody."""
    agent_time: dict[str, list[Piece]] = Factory(dict)
    told: set[tuple[str, str | None]] = Factory(set)
    """Queues, and agents on them, that lost a contact after a report had told of it."""
    no_data: str | None = NOT_COMPLETE
    """Why there is no report. None: there is one."""
    reported: bool = False
    changed: bool = False
    """Whether its figures have changed since it was last reported."""


def report_data(
    data: IntervalData, queues: Mapping[str, Queue], known: Iterable[str]
) -> HistoricalReportData:
    """The rows of one interval, sorted by queue and agent.

    A known queue has a row in any case. So has what an earlier report had, even where nothing is left of
    it: whether CXone drops the old rows when it is given an interval again is unknown. A part of the
    agents without rows is left out, not sent as empty: the ACD may not tell of agents at all.
    """
    by_queue: defaultdict[str, _Totals] = defaultdict(_Totals, {value: _Totals() for value in known})
    by_agent: defaultdict[tuple[str, str], _Totals] = defaultdict(_Totals)
    for value, agent in data.told:
        by_queue.setdefault(value, _Totals())
        if agent is not None:
            by_agent.setdefault((value, agent), _Totals())
    for contact in data.arrived.values():
        by_queue[contact.queue].contacts_received += 1
    for contact in data.active.values():
        by_queue[contact.queue].active += 1
        if contact.agent is not None:
            by_agent[contact.queue, contact.agent].active += 1
    for contact in data.ended.values():
        threshold, wait = queues[contact.queue].service_level_threshold, contact.wait
        short = threshold is not None and wait < threshold
        if contact.answered is None:
            by_queue[contact.queue].add_abandoned(short=short)
            continue
        handle_time = contact.handle_time
        by_queue[contact.queue].add_handled(contact, handle_time, wait, short=short)
        if contact.agent is not None:
            by_agent[contact.queue, contact.agent].add_handled(contact, handle_time, wait, short=short)
    agent_rows = [
        _agent_row(queues[value], agent, by_agent[value, agent]) for value, agent in sorted(by_agent)
    ]
    performances = [_performance(agent, pieces) for agent, pieces in sorted(data.agent_time.items())]
    return HistoricalReportData(
        queue_report=[_queue_row(queues[value], by_queue[value]) for value in sorted(by_queue)],
        agent_queue_report=agent_rows or None,
        agent_system_performance_report=performances or None,
    )


class _Totals:
    """What the contacts of one row add up to. Defaults in the class: most rows change a few of them."""

    contacts_received: int = 0
    active: int = 0
    abandoned_short: int = 0
    abandoned_long: int = 0
    handled_short: int = 0
    handled_long: int = 0
    handle_time: timedelta = ZERO
    hold_time: timedelta = ZERO
    work_time: timedelta = ZERO
    queue_delay_time: timedelta = ZERO
    right_party_contacts: int = 0
    right_party_handle_time: timedelta = ZERO
    wrong_party_contacts: int = 0
    wrong_party_handle_time: timedelta = ZERO

    def add_abandoned(self, *, short: bool) -> None:
        if short:
            self.abandoned_short += 1
        else:
            self.abandoned_long += 1

    def add_handled(self, contact: Contact, handle_time: timedelta, wait: timedelta, *, short: bool) -> None:
        self.hold_time += contact.hold_time
        self.work_time += contact.after_contact_work_time
        if not contact.outbound:
            self.handle_time += handle_time
            self.queue_delay_time += wait
            if short:
                self.handled_short += 1
            else:
                self.handled_long += 1
        elif contact.right_party:
            self.right_party_contacts += 1
            self.right_party_handle_time += handle_time
        else:
            self.wrong_party_contacts += 1
            self.wrong_party_handle_time += handle_time


# Each row has the measures of its direction, and of the others none: see docs/reference/fields.md.


def _queue_row(queue: Queue, totals: _Totals) -> QueueReport:
    if queue.outbound:
        return QueueReport(
            queue_value=queue.value,
            queue_name=queue.name,
            is_outbound=True,
            right_party_contacts=totals.right_party_contacts,
            right_party_handle_time=_seconds(totals.right_party_handle_time),
            wrong_party_contacts=totals.wrong_party_contacts,
            wrong_party_handle_time=_seconds(totals.wrong_party_handle_time),
            hold_time=_seconds(totals.hold_time),
            work_time=_seconds(totals.work_time),
            active=totals.active,
        )
    split = queue.service_level_threshold is not None
    return QueueReport(
        queue_value=queue.value,
        queue_name=queue.name,
        is_outbound=False,
        contacts_received=totals.contacts_received,
        abandoned_short=totals.abandoned_short if split else None,
        abandoned_long=totals.abandoned_long,
        handled_short=totals.handled_short if split else None,
        handled_long=totals.handled_long,
        handle_time=_seconds(totals.handle_time),
        hold_time=_seconds(totals.hold_time),
        work_time=_seconds(totals.work_time),
        queue_delay_time=_seconds(totals.queue_delay_time),
        active=totals.active,
    )


def _agent_row(queue: Queue, agent: str, totals: _Totals) -> AgentQueueReport:
    if queue.outbound:
        return AgentQueueReport(
            queue_value=queue.value,
            queue_name=queue.name,
            is_outbound=True,
            agent_value=agent,
            right_party_contacts=totals.right_party_contacts,
            right_party_handle_time=_seconds(totals.right_party_handle_time),
            wrong_party_contacts=totals.wrong_party_contacts,
            wrong_party_handle_time=_seconds(totals.wrong_party_handle_time),
            hold_time=_seconds(totals.hold_time),
            work_time=_seconds(totals.work_time),
            active=totals.active,
        )
    return AgentQueueReport(
        queue_value=queue.value,
        queue_name=queue.name,
        is_outbound=False,
        agent_value=agent,
        handled=totals.handled_short + totals.handled_long,
        handled_time=_seconds(totals.handle_time),
        hold_time=_seconds(totals.hold_time),
        work_time=_seconds(totals.work_time),
        active=totals.active,
    )


def _performance(agent: str, pieces: list[Piece]) -> AgentSystemPerformanceReport:
    """Where pieces lie over each other, a moment counts once: as work, else as ready, else as not ready."""
    pieces = sorted(pieces, key=itemgetter(0))
    working = _covered([piece for piece in pieces if piece[2] is AgentTimeState.WORKING])
    working_or_ready = _covered([piece for piece in pieces if piece[2] is not AgentTimeState.NOT_READY])
    login = _covered(pieces)
    return AgentSystemPerformanceReport(
        agent_value=agent,
        ready_time=_plain((working_or_ready - working) / _MILLION),
        not_ready_time=_plain((login - working_or_ready) / _MILLION),
        login_time=_plain(login / _MILLION),
    )


def _covered(pieces: list[Piece]) -> int:
    """How many microseconds lie in at least one of the pieces, which are sorted by their start."""
    covered = reached = 0
    for start, end, _ in pieces:
        if end > reached:
            covered += end - max(start, reached)
            reached = end
    return covered


def _seconds(length: timedelta) -> float:
    return _plain(length.total_seconds()) if length else 0


def _plain(seconds: float) -> float:
    """Whole seconds as a whole number: 276, not 276.0."""
    return int(seconds) if seconds.is_integer() else seconds
