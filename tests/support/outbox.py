"""Stores to test, and events to put into them."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta, timezone
from itertools import count
from pathlib import Path
from typing import Protocol
from unittest.mock import patch

from support.outbox_postgres import PostgresPlace

from cxone_wfm import AgentState, HistoricalReport, HistoricalReportData, QueueReport
from cxone_wfm.outbox import _connection
from cxone_wfm.outbox.identity import new_event
from cxone_wfm.outbox.sqlite import SqliteStore
from cxone_wfm.outbox.store import (
    Again,
    Attempt,
    Counts,
    Dead,
    EventKind,
    NewEvent,
    Outcome,
    Receipt,
    Store,
    Tally,
    Want,
)

NOON = datetime(2026, 11, 21, 12, tzinfo=timezone.utc)
AT = 1_795_262_400.0
"""Seconds since 1970 of noon."""


class Place(Protocol):
    """Where one store's events are. It can be opened again and again."""

    def open(self) -> Store:
        """Open the store."""
        ...

    def crash(self, store: Store) -> None:
        """End the store as a kill of its process would, and set all of its leases free."""
        ...


class SqlitePlace:
    """A file in a folder. Nothing is synced to the disk: that is tested elsewhere, and slow."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "outbox.db"

    def open(self) -> SqliteStore:
        with patch.dict(_connection.SETTINGS, synchronous=0):
            return SqliteStore(self._path, ballast_bytes=0)

    def crash(self, store: Store) -> None:
        assert isinstance(store, SqliteStore)
        database = store._database
        if not database._closed:
            database._abandon_handle()
            database._owner.release()
            database._closed = True


PLACES: dict[str, Callable[[Path], Place]] = {"sqlite": SqlitePlace, "postgres": PostgresPlace}
"""Every store that there is; each passes the same tests. A factory gets an empty folder."""


def state(agent: str, number: int = 0, *, acd: str = "ACD", reason: str = "") -> AgentState:
    """The state of an agent `number` seconds after noon."""
    return AgentState(
        login_id=agent,
        acd_id=acd,
        event_code="READY",
        reason_code=reason,
        event_utc_time=NOON + timedelta(seconds=number),
    )


def report(quarter: int = 0, *, active: int = 0, version: str = "0") -> HistoricalReport:
    """The report of the interval that begins so many quarters after noon."""
    start = NOON + quarter * timedelta(minutes=15)
    return HistoricalReport(
        acd_type="Generic",
        report_version=version,
        start_date=start,
        end_date=start + timedelta(minutes=15),
        report_data=HistoricalReportData(queue_report=[QueueReport(queue_value="1", active=active)]),
    )


_numbers = count(1)


def event(agent: str, *, key: str | None = None) -> NewEvent:
    """A new event of an agent's stream; no two are the same but for the key."""
    return new_event(state(agent, next(_numbers)), key)


def events(agents: Iterable[str]) -> list[NewEvent]:
    """New events of agents' streams: a letter for each."""
    return [event(agent) for agent in agents]


def want(kind: EventKind = "agent_state", most: int = 100, *, fresh_first: bool = False) -> Want:
    """What a sender might want."""
    return Want(kind=kind, most=most, most_bytes=10**6, seconds=1.0, fresh_first=fresh_first)


def take(store: Store, most: int = 100, now: float = 0.0) -> Attempt:
    """The next attempt of states; there must be one."""
    attempt = store.advance([], [want(most=most)], now)
    assert attempt is not None
    return attempt


def ids(attempt: Attempt) -> tuple[str, ...]:
    """The ids of the events of an attempt."""
    return tuple(each.event_id for each in attempt.events)


def agents(attempt: Attempt | None) -> str:
    """The agents of an attempt, a letter for each."""
    return "" if attempt is None else "".join(each.stream[-1] for each in attempt.events)


def delivered(attempt: Attempt) -> Outcome:
    """It was taken."""
    return Outcome(attempt=attempt, delivered=ids(attempt), at=AT)


def again(attempt: Attempt, not_before: float = 0.0, *, unknown: bool = False) -> Outcome:
    """It failed, and is tried again as it is."""
    sets = (Again(event_ids=ids(attempt), not_before=not_before),)
    return Outcome(attempt=attempt, again=sets, unknown=unknown, at=AT)


def dead(attempt: Attempt, reason: str = "refused") -> Outcome:
    """None of it will be taken."""
    letters = tuple(Dead(event_id=each, reason=reason, status=422, detail="no") for each in ids(attempt))
    return Outcome(attempt=attempt, dead=letters, at=AT)


def deliver_all(store: Store, now: float = 0.0) -> list[Attempt]:
    """Deliver what there is of all kinds; the attempts in their order."""
    wants = [want("agent_state"), want("agent_activity_report"), want("historical_report")]
    done: list[Attempt] = []
    outcomes: list[Outcome] = []
    while (attempt := store.advance(outcomes, wants, now)) is not None:
        done.append(attempt)
        outcomes = [delivered(attempt)]
    return done


def is_balanced(counts: Counts) -> bool:
    """Whether nothing is missing and nothing is counted twice."""
    pending = sum(usage.items for usage in counts.pending.values())
    return counts.accepted == counts.delivered + counts.purged + pending + counts.dead.items


def accept(store: Store, new: Sequence[NewEvent]) -> list[Receipt]:
    """Accept them at noon."""
    return store.accept(new, AT)


def tally(delivered_: int, pending: int, dead_: int) -> Tally:
    """In this order."""
    return Tally(delivered=delivered_, pending=pending, dead=dead_)
