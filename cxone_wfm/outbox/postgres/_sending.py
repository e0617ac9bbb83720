"""What one process sends: attempts out of the lanes that are its own, and what comes of them.

In memory are the sets that are being sent or wait to be tried again, and some thousand rows of what comes
next. After any trouble all of it is thrown away and read anew. Each change is made under the lanes' row locks
and only where their epochs are still ours, so a process that lost a lane cannot change what happens in it.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import psycopg
from attrs import define, evolve, field

from ...errors import OutboxError, OutboxUnavailable
from ..store import KINDS, Attempt, Dead, EventKind, Outcome, Want
from . import _events, _totals
from ._backlog import Backlog, Row
from ._leases import LeaseLost, Leases, Tended
from ._session import Session
from ._sets import EventSet, Sets
from ._totals import Delta

POLL_SECONDS = 0.25
"""How soon events that other processes accepted are seen."""
_NUMBERS_OF_AN_OWNER = 2**32
_ONE_MORE_TIME = 3
_log = logging.getLogger(__name__)


@define
class _Deaths:
    """Events of an outcome that died. `unknown`: a try of theirs may have arrived."""

    rows: list[Row]
    dead: list[Dead]
    outcome: Outcome
    unknown: bool


@define
class _Writes:
    """What came of tries, to be written in the next transaction."""

    delivered: list[list[Row]] = field(factory=list)
    dead: list[_Deaths] = field(factory=list)
    again: list[EventSet] = field(factory=list)
    came_back: set[int] = field(factory=set)
    delta: Delta = field(factory=Counter)

    def lanes(self) -> set[int]:
        """The lanes in which something changes."""
        rows = [
            *(row for each in self.delivered for row in each),
            *(row for each in self.dead for row in each.rows),
            *(row for each in self.again for row in each.rows),
        ]
        return {row.lane for row in rows}

    def write(self, connection: psycopg.Connection) -> None:
        """Write it. The lanes are fenced."""
        for rows in self.delivered:
            _events.deliver(connection, rows)
        for each in self.dead:
            tries, at = each.outcome.attempt.tries, each.outcome.at
            _events.bury(connection, each.rows, each.dead, tries=tries, unknown=each.unknown, at=at)
        for kept in self.again:
            _note(connection, kept)


class Sending:
    """Gives out attempts and records what came of them. It owns lanes from when something is first wanted."""

    def __init__(
        self,
        session: Session,
        totals: _totals.Totals,
        room: int,
        *,
        lease_seconds: float,
        monotonic: Callable[[], float],
    ) -> None:
        self._session = session
        self._totals = totals
        self._room = room
        self._monotonic = monotonic
        self._leases = Leases(lease_seconds, monotonic)
        self._count = 0
        self._given: set[int] = set()
        """Numbers of the sets that were given out and did not come back."""
        self._news = True
        self._looked = float("-inf")
        self._stale = False
        self._sets = Sets()
        self._forget_everything()

    def _forget_everything(self) -> None:
        self._active: set[int] = set()
        """The lanes of which the memory knows."""
        self._sets.clear()
        self._backlogs = {kind: self._backlog(kind) for kind in KINDS}

    def _backlog(self, kind: EventKind) -> Backlog:
        return Backlog(
            lambda lanes, most: self._session.read(
                lambda connection: _events.rows_of_lanes(connection, kind, lanes, most)
            ),
            lambda stream, after, last, limit: self._session.read(
                lambda connection: _events.rows_of_stream(connection, stream, after, last, limit)
            ),
        )

    def wake(self) -> None:
        """This process accepted something."""
        self._news = True

    def advance(self, outcomes: Sequence[Outcome], wants: Sequence[Want], now: float) -> Attempt | None:
        """See `Store.advance`."""
        with self._session.lock:
            self._session.check()
            for _ in range(_ONE_MORE_TIME):
                try:
                    if not self._get_ready(wants):
                        return None
                    return self._advance(outcomes, wants, now)
                except LeaseLost:  # noqa: PERF203 - it nearly never happens
                    _log.warning("a lane of the outbox went to another process; its outcomes are ignored")
                    self._stale = True
                    self._tend()
                except BaseException:
                    self._stale = True
                    raise
            raise OutboxUnavailable("lanes go from owner to owner")

    def upkeep(self) -> None:
        """Renew the leases, take or give lanes."""
        with self._session.lock:
            self._session.check()
            if self._leases.owner and (
                self._leases.due() or self._stale or self._session.read(self._leases.worth_a_look)
            ):
                self._tend()

    def close(self) -> None:
        """Let go of all lanes, in order."""
        with self._session.lock:
            if self._leases.owner and self._session.is_open:
                try:
                    self._session.transaction(self._leases.let_go_of_all)
                except OutboxError as error:
                    _log.warning("the lanes could not be given back; others wait for their leases: %s", error)
            self._leases.owner = 0
            self._session.close()

    # Whose the lanes are

    def _get_ready(self, wants: Sequence[Want]) -> bool:
        """Renew what must be, and know what there is in the lanes. False where it never sent."""
        for want in wants:
            self._leases.mind(want.seconds)
        if wants and self._leases.due():
            self._tend()
        if not self._leases.owner:
            return False
        if self._stale:
            self._forget_everything()
            self._stale = False
        if new := self._leases.usable() - self._active:
            self._remember(new)
        return True

    def _tend(self) -> None:
        def work(connection: psycopg.Connection) -> Tended:
            return self._leases.tend(connection, self._idle())

        try:
            tended = self._session.transaction(work)
        except BaseException:
            self._stale = True
            raise
        gone, _ = self._leases.apply(tended)
        self._drop(gone)

    def _idle(self) -> set[int]:
        """Lanes of which nothing is being sent, as far as that is known now."""
        return set() if self._stale else set(self._leases.lanes) - self._sets.busy_lanes()

    def _drop(self, lanes: set[int]) -> None:
        """These lanes are another's now, or nobody's."""
        if not lanes:
            return
        self._active -= lanes
        for backlog in self._backlogs.values():
            backlog.drop(lanes)
        self._sets.drop(lanes)

    def _remember(self, lanes: set[int]) -> None:
        """Read what was given out before in lanes that came to us."""
        groups: dict[int, list[_events.Tried]] = {}
        for each in self._session.read(lambda connection: _events.tried(connection, lanes)):
            groups.setdefault(each.number, []).append(each)
        for kind, backlog in self._backlogs.items():
            backlog.add(lanes, [each.row for group in groups.values() for each in group if each.kind == kind])
        for number, group in groups.items():
            first = group[0]
            goes_on = first.sending and number in self._given
            self._sets.add(
                EventSet(
                    number=number if goes_on else self._number(),
                    kind=first.kind,
                    rows=[each.row for each in group],
                    tries=first.tries,
                    unknown=any(each.unknown for each in group),
                    crashes=max(each.crashes for each in group),
                    sending=goes_on,
                )
            )
        self._active |= lanes
        self._news = True

    def _number(self) -> int:
        self._count += 1
        return self._leases.owner * _NUMBERS_OF_AN_OWNER + self._count

    # What is sent

    def _advance(self, outcomes: Sequence[Outcome], wants: Sequence[Want], now: float) -> Attempt | None:
        writes = _Writes()
        for outcome in outcomes:
            self._settle(outcome, writes)
        while True:
            want, chosen = self._choose(wants, now)
            if chosen is None and not writes.came_back:
                return None
            attempt = self._commit(writes, chosen)
            if want is None or chosen is None:
                return None
            if attempt is not None:
                if self._leases.cover(want.seconds):
                    return evolve(attempt, send_before=self._leases.send_before(want.seconds))
                # The commit took too long. It was not sent, and is given out again when the lease is renewed.
                self._given.discard(chosen.number)
                chosen.sending = False
                return None
            writes = _Writes()

    def _settle(self, outcome: Outcome, writes: _Writes) -> None:
        mine = self._sets.take(outcome.attempt.number)
        if mine is None:
            self._given.discard(outcome.attempt.number)
            return
        writes.came_back.add(mine.number)
        positions = {event.position: event.event_id for event in outcome.attempt.events}
        rows = {positions[row.position]: row for row in mine.rows}  # of lanes that were not lost
        delta = writes.delta
        if gone := [rows[each] for each in outcome.delivered if each in rows]:
            writes.delivered.append(gone)
            delta["delivered"] += len(gone)
            delta["possibly duplicated"] += len(gone) * mine.unknown
            self._end(mine.kind, gone, delta)
        unknown = mine.unknown or outcome.unknown
        if dead := [each for each in outcome.dead if each.event_id in rows]:
            gone = [rows[each.event_id] for each in dead]
            writes.dead.append(_Deaths(gone, dead, outcome, unknown))
            delta.update({"dead items": len(gone), "dead bytes": sum(row.size for row in gone)})
            delta.update(Counter(f"parked {each.reason}" for each in dead))
            self._end(mine.kind, gone, delta)
        for again in outcome.again:
            if left := [rows[each] for each in again.event_ids if each in rows]:
                kept = EventSet(self._number(), mine.kind, left, mine.tries, unknown, 0, again.not_before)
                writes.again.append(self._sets.add(kept))

    def _end(self, kind: EventKind, gone: Iterable[Row], delta: Delta) -> None:
        for row in gone:
            delta[f"items {kind}"] -= 1
            delta[f"bytes {kind}"] -= row.size
            self._backlogs[kind].free(row)

    def _choose(self, wants: Sequence[Want], now: float) -> tuple[Want | None, EventSet | None]:
        """The first want that can be met, and with what."""
        if self._news or self._monotonic() - self._looked >= POLL_SECONDS:
            self._news, self._looked = False, self._monotonic()
            for backlog in self._backlogs.values():
                backlog.look()
        if not self._sets.must_wait(wants, now):
            for want in wants:
                if self._leases.cover(want.seconds) and (chosen := self._first(want, now)):
                    return want, chosen
        return None, None

    def _first(self, want: Want, now: float) -> EventSet | None:
        due = None if want.fresh_first else self._sets.due(want.kind, now)
        return due or self._fresh(want) or self._sets.due(want.kind, now)

    def _fresh(self, want: Want) -> EventSet | None:
        rows = self._backlogs[want.kind].take(want.most, want.most_bytes)
        if not rows:
            return None
        return self._sets.add(EventSet(self._number(), want.kind, rows))

    def _commit(self, writes: _Writes, chosen: EventSet | None) -> Attempt | None:
        """Write what came back and that the chosen set is being sent. None where it is not there."""
        if chosen is not None:
            chosen.sending = True
            chosen.tries += 1

        def work(connection: psycopg.Connection) -> Attempt | None:
            lanes = writes.lanes() | {row.lane for row in (chosen.rows if chosen else ())}
            self._leases.fence(connection, lanes)
            writes.write(connection)
            found = self._give(connection, chosen) if chosen is not None else None
            _totals.write(connection, self._room, writes.delta)
            return found

        attempt = self._session.transaction(work)
        self._totals.add(writes.delta)
        self._given -= writes.came_back
        if attempt is not None:
            self._given.add(attempt.number)
        return attempt

    def _give(self, connection: psycopg.Connection, chosen: EventSet) -> Attempt | None:
        events = _events.events(connection, chosen.rows)
        there = {event.position for event in events}
        for row in chosen.rows:
            if row.position not in there:  # another process was told to forget its stream
                self._backlogs[chosen.kind].free(row)
        chosen.rows = [row for row in chosen.rows if row.position in there]
        if not chosen.rows:
            self._sets.take(chosen.number)
            return None
        _note(connection, chosen)
        return Attempt(
            number=chosen.number,
            kind=chosen.kind,
            events=events,
            tries=chosen.tries,
            unknown=chosen.unknown,
            crashes=chosen.crashes,
        )


def _note(connection: psycopg.Connection, each: EventSet) -> None:
    _events.note_tries(
        connection,
        each.rows,
        each.number,
        tries=each.tries,
        unknown=each.unknown,
        crashes=each.crashes,
        sending=each.sending,
    )
