"""How events are accepted: numbers from the streams' counters, one transaction for all who wait.

Who accepts into a lane holds its advisory lock to the end of the transaction. So inside a lane, positions and
numbers of streams grow in the order of the commits, and no row is locked but those of streams of this call.
"""

from collections import ChainMap, Counter, deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

import psycopg
from attrs import define, field, frozen

from ...errors import ConflictingDuplicateError, EnqueueOutcomeUnknown, OutboxError, OutboxUnavailable
from .._receipts import Known, receipts
from ..store import KINDS, NewEvent, Receipt, lane_of
from ._session import AGAIN, CommitUnknown, Session
from ._totals import Delta, write

_LANE_LOCKS = 0x43584F43


@frozen
class Placed:
    """Where an event is put."""

    position: int
    stream: str
    seq: int


def lock_lanes(connection: psycopg.Connection, lanes: Collection[int]) -> None:
    """Nobody else puts events into these lanes until the end of the transaction."""
    connection.execute(
        "SELECT pg_advisory_xact_lock(%s, lane) FROM (SELECT lane FROM unnest(%s::int[]) AS wanted (lane)"
        " ORDER BY lane) AS ordered",
        (_LANE_LOCKS, list(lanes)),
    )


def next_places(
    connection: psycopg.Connection, streams: Collection[str], count: int
) -> tuple[dict[str, int], list[int]]:
    """The last numbers of these streams, and so many new positions. Their lanes are locked."""
    found = connection.execute("SELECT stream, last_seq FROM stream WHERE stream = ANY(%s)", (list(streams),))
    last: dict[str, int] = dict(found.fetchall())
    positions = connection.execute(
        "SELECT nextval('event_position') FROM generate_series(1, %s)", (count,)
    ).fetchall()
    return last, sorted(row[0] for row in positions)


def place(connection: psycopg.Connection, placed: Iterable[Placed]) -> None:
    """Write down the last numbers of the streams."""
    last = {each.stream: each.seq for each in placed}
    connection.execute(
        "INSERT INTO stream (stream, last_seq)"
        " SELECT stream, seq FROM unnest(%s::text[], %s::bigint[]) AS last (stream, seq)"
        " ON CONFLICT (stream) DO UPDATE SET last_seq = excluded.last_seq, last_at = excluded.last_at",
        (list(last), list(last.values())),
    )


@define(eq=False)
class _Job:
    """One caller's events."""

    events: Sequence[NewEvent]
    accepted_at: float
    outcome: list[Receipt] | OutboxError | None = None

    def end(self) -> list[Receipt]:
        """What it is told."""
        if self.outcome is None:
            raise EnqueueOutcomeUnknown("the commit was interrupted")
        if isinstance(self.outcome, OutboxError):
            raise self.outcome
        return self.outcome


@frozen
class _New:
    """An event that is new, and where it is put."""

    event: NewEvent
    placed: Placed
    accepted_at: float


@define
class _Plan:
    """What is to be written for all jobs, and what each is told when it is."""

    told: list[list[Receipt] | OutboxError] = field(factory=list)
    new: list[_New] = field(factory=list)
    moved: list[bytes] = field(factory=list)
    """Keys that name a content, and pass from an earlier event to a new one."""

    def delta(self) -> Delta:
        """What it adds to the counters."""
        delta: Delta = Counter()
        for each in self.new:
            kind = each.event.kind
            delta.update(
                {"accepted": 1, f"items {kind}": 1, f"bytes {kind}": len(each.event.payload)},
            )
        return delta


class Acceptor:
    """Accepts for all threads. `added` is told what each commit added, with the session's lock held."""

    def __init__(self, session: Session, room: int, added: Callable[[Delta], None]) -> None:
        self._session = session
        self._room = room
        self._added = added
        self._waiting: deque[_Job] = deque()

    def accept(self, events: Sequence[NewEvent], accepted_at: float) -> list[Receipt]:
        """See `Store.accept`. Whoever gets the lock commits for all who wait for it."""
        job = _Job(events, accepted_at)
        self._waiting.append(job)
        with self._session.lock:
            if job.outcome is None:
                self._commit([self._waiting.popleft() for _ in range(len(self._waiting))])
        return job.end()

    def _commit(self, jobs: list[_Job]) -> None:
        plan = _Plan()

        def work(connection: psycopg.Connection) -> _Plan:
            nonlocal plan
            plan = self._write(connection, jobs)
            return plan

        failure: OutboxError = EnqueueOutcomeUnknown("the commit was interrupted")
        try:
            try:
                done = self._session.transaction(work, again=AGAIN)
            except CommitUnknown as error:
                done = self._settle(plan, jobs, error)
            self._added(done.delta())
            for job, told in zip(jobs, done.told, strict=True):
                job.outcome = told
        except OutboxError as error:
            failure = error
        finally:
            for job in jobs:
                if job.outcome is None:
                    job.outcome = failure

    def _settle(self, plan: _Plan, jobs: list[_Job], error: CommitUnknown) -> _Plan:
        """Find out whether the transaction was done, by its events; if not, do it again."""

        def work(connection: psycopg.Connection) -> _Plan:
            # The locks are free when the broken transaction has ended, one way or the other.
            lock_lanes(connection, _lanes(jobs))
            return plan if _is_there(connection, plan) else self._write(connection, jobs)

        try:
            return self._session.transaction(work, again=AGAIN)
        except OutboxUnavailable:
            raise EnqueueOutcomeUnknown(error.reason) from None

    def _write(self, connection: psycopg.Connection, jobs: list[_Job]) -> _Plan:
        lock_lanes(connection, _lanes(jobs))
        events = [event for job in jobs for event in job.events]
        known = _known(connection, [event.key for event in events])
        last, positions = next_places(connection, {event.stream for event in events}, len(events))
        plan = _plan(jobs, known, last, positions)
        if plan.new:
            _move_keys(connection, plan.moved)
            _insert(connection, plan.new)
            place(connection, [each.placed for each in plan.new])
            write(connection, self._room, plan.delta())
        return plan


def _lanes(jobs: Iterable[_Job]) -> set[int]:
    return {lane_of(stream) for stream in {event.stream for job in jobs for event in job.events}}


def _known(connection: psycopg.Connection, keys: list[bytes]) -> dict[bytes, Known]:
    found = connection.execute(
        "SELECT key, digest, event_id, stream, seq FROM event WHERE key = ANY(%(keys)b)"
        " UNION ALL SELECT key, digest, event_id, stream, seq FROM ledger WHERE key = ANY(%(keys)b)"
        " UNION ALL SELECT key, digest, event_id, stream, seq FROM dead WHERE key = ANY(%(keys)b)",
        {"keys": keys},
        binary=True,
    )
    return {key: (digest, event_id, stream, seq) for key, digest, event_id, stream, seq in found}


def _is_there(connection: psycopg.Connection, plan: _Plan) -> bool:
    """Whether one of the plan's events is in the tables. All of them went there, or none."""
    found = connection.execute(
        "SELECT EXISTS (SELECT FROM event WHERE position = ANY(%(positions)s::bigint[]))"
        " OR EXISTS (SELECT FROM ledger WHERE key = ANY(%(keys)b) AND event_id = ANY(%(ids)s))"
        " OR EXISTS (SELECT FROM dead WHERE event_id = ANY(%(ids)s))",
        {
            "positions": [each.placed.position for each in plan.new],
            "keys": [each.event.key for each in plan.new],
            "ids": [each.event.event_id for each in plan.new],
        },
    ).fetchone()
    return found == (True,)


def _plan(
    jobs: Iterable[_Job], known: Mapping[bytes, Known], last: Mapping[str, int], positions: Sequence[int]
) -> _Plan:
    """What is new among the events. A job with a conflict adds nothing."""
    plan = _Plan()
    known, last, free = dict(known), dict(last), iter(positions)
    before = set(known)
    for job in jobs:
        known_here, last_here = ChainMap({}, known), ChainMap({}, last)
        try:
            found = receipts(job.events, known_here, last_here)
        except ConflictingDuplicateError as error:
            plan.told.append(error)
            continue
        known.update(known_here.maps[0])
        last.update(last_here.maps[0])
        plan.new += [
            _New(event, Placed(next(free), event.stream, receipt.seq), job.accepted_at)
            for event, receipt in zip(job.events, found, strict=True)
            if not receipt.duplicate
        ]
        plan.told.append(found)
    plan.moved = [each.event.key for each in plan.new if each.event.key in before]
    return plan


def _move_keys(connection: psycopg.Connection, keys: list[bytes]) -> None:
    if keys:
        connection.execute("UPDATE event SET key = NULL WHERE key = ANY(%b)", (keys,))
        connection.execute("DELETE FROM ledger WHERE key = ANY(%b)", (keys,))
        connection.execute("UPDATE dead SET key = NULL WHERE key = ANY(%b)", (keys,))


def _insert(connection: psycopg.Connection, new: Sequence[_New]) -> None:
    holder = {each.event.key: each.placed.position for each in new}
    connection.execute(
        "INSERT INTO event (position, kind, lane, event_id, stream, seq, key, digest, accepted_at, payload)"
        " SELECT * FROM unnest(%s::bigint[], %s::smallint[], %s::smallint[], %s::text[], %s::text[],"
        " %s::bigint[], %b::bytea[], %b::bytea[], %s::double precision[], %b::bytea[])",
        (
            [each.placed.position for each in new],
            [KINDS.index(each.event.kind) for each in new],
            [lane_of(each.event.stream) for each in new],
            [each.event.event_id for each in new],
            [each.event.stream for each in new],
            [each.placed.seq for each in new],
            # Of events with the same key, the newest has it.
            [each.event.key if holder[each.event.key] == each.placed.position else None for each in new],
            [each.event.digest for each in new],
            [each.accepted_at for each in new],
            [each.event.payload for each in new],
        ),
    )
