"""SqliteStore: events in one SQLite file that one process owns.

The file is written by `_database`, its tables stand in `_schema`, and what comes next is found by `_window`.
In memory are the sets that are being sent or wait to be tried again, and some thousand rows of what comes
next; never the backlog.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Literal

from attrs import define

from ..errors import OutboxFull
from . import _accept, _events, _opener
from ._counters import Counters, counts
from ._database import Database
from ._schema import SCHEMA, pieces
from ._sets import EventSet, Sets
from ._window import Row, Window
from .store import (
    KINDS,
    Attempt,
    Counts,
    DeadLetter,
    EventKind,
    NewEvent,
    Outcome,
    Receipt,
    StoredEvent,
    Tally,
    Want,
)

BALLAST_BYTES = 8 * 1024 * 1024
LEDGER_SECONDS = 7 * 24 * 3600.0
LEDGER_ROWS = 2_000_000
_FORGOTTEN_AT_ONCE = 5000
_AGE_STEP = 60
"""Seconds: so seldom the age is written, for that costs a commit."""


_Fate = Literal["delivered", "dead", "forgotten"]


@define(eq=False)
class _Watch:
    store: "SqliteStore"
    mark: int
    state: tuple[int, Tally]
    """The number of the last transaction of which it was told, and how it stood then."""

    def follow(self, number: int, ended: Sequence[tuple[int, _Fate]]) -> None:
        """So ended events at these positions in a transaction. To be told of one again changes nothing."""
        seen, left = self.state
        if number != seen:
            fates = [fate for position, fate in ended if position <= self.mark]
            left = Tally(
                delivered=left.delivered + fates.count("delivered"),
                pending=left.pending - len(fates),
                dead=left.dead + fates.count("dead"),
            )
            self.state = (number, left)

    def tally(self) -> Tally:
        """How many of them are delivered, pending and dead now."""
        return self.state[1]

    def close(self) -> None:
        """Stop to follow."""
        self.store.end_watch(self)


class SqliteStore:
    """A `Store` in the file at `path`. Open it once: a second opener gets `OutboxLockedError`.

    Raises `ConfigurationError` where the place will not do, and `OutboxUnavailable` where the file
    cannot be read or is damaged. `ledger_seconds` (of operation) and `ledger_rows` bound how long keys of
    delivered events are remembered. `ballast_bytes` is the size of the file that keeps room for draining a
    full disk.
    """

    poll_seconds = 0.1

    def __init__(
        self,
        path: str | Path,
        *,
        ballast_bytes: int = BALLAST_BYTES,
        ledger_seconds: float = LEDGER_SECONDS,
        ledger_rows: int = LEDGER_ROWS,
    ) -> None:
        self._ledger_seconds = ledger_seconds
        self._ledger_rows = ledger_rows
        self._watches: list[_Watch] = []
        self._given: set[int] = set()
        """Numbers of the attempts that were given out and did not come back."""
        # What happened in the last transaction, or in the one that is not done yet.
        self._number: int | None = None
        self._ended: list[tuple[int, _Fate]] = []
        self._gave: set[int] = set()
        self._took_back: set[int] = set()
        self._streams_seen = ""
        self._aged_at: float | None = None
        self._opened = False
        self._number_of_opening = _opener.draw()
        self._database = Database(Path(path).absolute(), self, ballast_bytes=ballast_bytes)
        self._opened = True

    @property
    def path(self) -> Path:
        """The file."""
        return self._database.path

    # What `Database` asks for, with its lock held

    def load(self, connection: sqlite3.Connection, *, told: bool) -> None:
        """Load counters, sets and windows. After a dirty stop the file is looked over first."""
        for statement in SCHEMA.split(";"):
            connection.execute(statement)
        if not self._opened:
            _opener.take_over(connection, self._number_of_opening)
        _opener.refuse_another(connection, self._number_of_opening)
        self._counters = Counters(connection)
        self._in_file = self._counters["transaction"]  # nothing below changes it: this may fail halfway
        if self._counters["dirty"]:
            (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            if found != "ok":
                raise sqlite3.DatabaseError(f"the file is damaged: {found}")
        else:
            self._counters.add("dirty")
        self._values = self._counters.snapshot()
        if not told:
            self._gave.clear()
        on_their_way = self._given | self._gave
        self._sets = Sets(connection, self._counters, on_their_way, restarted=not self._opened)
        self._windows = {kind: self._window(connection, kind) for kind in KINDS}
        self._counters.save(connection)

    def _window(self, connection: sqlite3.Connection, kind: EventKind) -> Window:
        place = KINDS.index(kind)
        (last,) = connection.execute("SELECT max(position) FROM event WHERE kind = ?", (place,)).fetchone()

        def load(after: int, last: int, limit: int, stream: str | None) -> list[Row]:
            return _events.rows(connection, kind, after, last, limit=limit, stream=stream)

        return Window(load, last or 0, self._sets.held(kind))

    def begin(self) -> None:
        """What the last transaction gave out is on its way."""
        self._given = (self._given | self._gave) - self._took_back
        self._number, self._ended, self._gave, self._took_back = None, [], set(), set()

    def finish(self, connection: sqlite3.Connection) -> int | None:
        """Write the counters, the number of the transaction among them. Not where another owns the file."""
        _opener.refuse_another(connection, self._number_of_opening)
        self._number = self._counters.write(connection)
        return self._number

    def last_transaction(self) -> int:
        """The number of the last transaction that was in the file when it was opened."""
        return self._in_file

    def committed(self, *, done: bool) -> None:
        """Note what the transaction did, if it is done."""
        if not done:
            self._took_back.clear()
        elif self._number is not None:
            self._values = self._counters.snapshot()
            for watch in self._watches:
                watch.follow(self._number, self._ended)

    # The store

    def accept(self, events: Sequence[NewEvent], accepted_at: float) -> list[Receipt]:
        """See `Store`. Raises `OutboxFull` too, where the disk is full."""

        def work(connection: sqlite3.Connection) -> list[Receipt]:
            self._database.ballast.restore()
            if not self._database.ballast.here:
                raise OutboxFull(f"the disk of {self.path} is full")
            position = self._counters["position"]
            age = self._counters["age"]
            added = _accept.add(connection, events, accepted_at, position, age)
            for kind, usage in added.usage.items():
                self._counters.pending(kind, usage.items, usage.bytes)
                self._counters.add("accepted", usage.items)
                self._windows[kind].added(added.position)
            self._counters.add("position", added.position - position)
            return added.receipts

        return self._database.write(work, survives_reload=True)

    def advance(self, outcomes: Sequence[Outcome], wants: Sequence[Want], now: float) -> Attempt | None:
        """See `Store`."""

        def work(connection: sqlite3.Connection) -> Attempt | None:
            for outcome in outcomes:
                self._settle(connection, outcome)
            if any(self._sets.must_wait(want.kind, now) for want in wants):
                return None
            return next((found for want in wants if (found := self._give(connection, want, now))), None)

        return self._database.write(work)

    def _settle(self, connection: sqlite3.Connection, outcome: Outcome) -> None:
        attempt = outcome.attempt
        mine = self._sets.end(connection, attempt.number)
        if mine is None:
            return
        self._took_back.add(mine.number)
        rows = {event.event_id: row for event, row in zip(attempt.events, mine.rows, strict=True)}
        if outcome.delivered:
            gone = [rows[event_id] for event_id in outcome.delivered]
            _events.deliver(connection, mine.kind, gone, self._counters["age"], self._ledger_rows)
            self._counters.add("delivered", len(gone))
            if mine.unknown:
                self._counters.add("possibly duplicated", len(gone))
            self._end(mine.kind, gone, "delivered")
        unknown = mine.unknown or outcome.unknown
        if outcome.dead:
            gone = [rows[dead.event_id] for dead in outcome.dead]
            _events.bury(connection, mine.kind, gone, outcome, self._counters, unknown=unknown)
            self._end(mine.kind, gone, "dead")
        for again in outcome.again:
            kept = sorted(rows[event_id] for event_id in again.event_ids)
            self._sets.add(
                connection,
                EventSet(0, mine.kind, kept, mine.tries, unknown, not_before=again.not_before),
            )

    def _end(self, kind: EventKind, gone: list[Row], fate: _Fate) -> None:
        self._counters.pending(kind, -len(gone), -sum(row.size for row in gone))
        for row in gone:
            self._windows[kind].free(row)
            self._ended.append((row.position, fate))

    def _give(self, connection: sqlite3.Connection, want: Want, now: float) -> Attempt | None:
        chosen = None if want.fresh_first else self._sets.due(want.kind, now)
        chosen = chosen or self._fresh(connection, want) or self._sets.due(want.kind, now)
        if chosen is None:
            return None
        self._sets.begin(connection, chosen)
        self._gave.add(chosen.number)
        return Attempt(
            number=chosen.number,
            kind=chosen.kind,
            events=_events.events(connection, chosen.kind, [row.position for row in chosen.rows]),
            tries=chosen.tries,
            unknown=chosen.unknown,
            crashes=chosen.crashes,
        )

    def _fresh(self, connection: sqlite3.Connection, want: Want) -> EventSet | None:
        patient = any(each.sending for each in self._sets if each.kind == want.kind)
        rows = self._windows[want.kind].take(want.most, want.most_bytes, patient=patient)
        return self._sets.add(connection, EventSet(0, want.kind, rows)) if rows else None

    def counts(self) -> Counts:
        """See `Store`. As of the last transaction."""
        return counts(self._values)

    def watch(self) -> _Watch:
        """See `Store`."""

        def work(_: sqlite3.Connection) -> _Watch:
            pending = sum(self._counters[f"items {kind}"] for kind in KINDS)
            left = Tally(delivered=0, pending=pending, dead=0)
            watch = _Watch(self, self._counters["position"], (0, left))
            self._watches.append(watch)
            return watch

        return self._database.read(work)

    def end_watch(self, watch: _Watch) -> None:
        """For the watch: it is followed no longer."""
        self._watches = [each for each in self._watches if each is not watch]

    def upkeep(self, now: float, wall: float) -> None:  # noqa: ARG002 - a wall clock may jump by years
        """See `Store`. Keys are forgotten by the time that an outbox was open and looked after."""
        aged = int(now - self._aged_at) if self._aged_at is not None else 0

        def forget(connection: sqlite3.Connection) -> None:
            self._database.ballast.restore()
            if aged >= _AGE_STEP:
                self._counters.add("age", aged)
            before = self._counters["age"] - self._ledger_seconds
            _events.forget_keys(connection, before, _FORGOTTEN_AT_ONCE)
            self._streams_seen = _events.forget_streams(
                connection, before, self._streams_seen, _FORGOTTEN_AT_ONCE
            )

        self._database.look_for_the_file()
        self._database.write(forget)
        if self._aged_at is None or aged >= _AGE_STEP:
            self._aged_at = now
        if not any(self._sets):
            self._database.read(_events.give_space_back)

    def pending(self, *, kind: EventKind, after: int = 0, limit: int = 100) -> list[StoredEvent]:
        """See `Store`."""
        return self._database.read(lambda connection: _events.pending(connection, kind, after, limit))

    def dead_letters(self, *, after: int = 0, limit: int = 100) -> list[tuple[int, DeadLetter]]:
        """See `Store`."""
        return self._database.read(lambda connection: _events.dead_letters(connection, after, limit))

    def find(self, event_id: str) -> StoredEvent | DeadLetter | None:
        """See `Store`."""
        letter = self._database.read(lambda connection: _events.find_dead(connection, event_id))
        if letter is not None:
            return letter
        for kind in KINDS:
            for after, last in self._pages(kind):  # ids have no index
                found = self._database.read(
                    partial(_events.find_pending, kind=kind, after=after, last=last, event_id=event_id)
                )
                if found is not None:
                    return found
        return None

    def _pages(self, kind: EventKind) -> Iterator[tuple[int, int]]:
        """The backlog in pieces, beyond one position and up to another: others wait for the lock."""
        end = 0
        while end < _events.END:
            after = end
            end = self._database.read(partial(_events.end_of_page, kind=kind, after=after))
            yield after, end

    def requeue(self, event_ids: Sequence[str], accepted_at: float) -> int:
        """See `Store`."""

        def work(connection: sqlite3.Connection) -> int:
            again = _events.requeue(connection, event_ids, accepted_at, self._counters)
            for kind in again:
                self._windows[kind].added(self._counters["position"])
            return len(again)

        return self._database.write(work)

    def purge(self, event_ids: Sequence[str]) -> int:
        """See `Store`."""
        return self._database.write(lambda connection: _events.purge(connection, event_ids, self._counters))

    def forget(self, stream: str) -> int:
        """See `Store`."""
        mark = self._database.read(lambda _: self._counters["position"])
        gone = stayed = 0
        for kind in KINDS:
            for after, last in self._pages(kind):
                found = self._database.read(
                    partial(_events.rows, kind=kind, after=after, last=min(last, mark), stream=stream)
                )
                for part in pieces(found, _events.AT_ONCE):
                    done, kept = self._database.write(partial(self._discard, kind=kind, rows=part))
                    gone, stayed = gone + done, stayed + kept
        while letters := self._database.read(partial(_events.dead_of_stream, stream=stream)):
            gone += self.purge(letters)
        for after in self._database.read(_events.pages_of_keys):
            keys = self._database.read(partial(_events.keys_of_stream, stream=stream, after=after))
            for numbers in pieces(keys, _events.AT_ONCE):
                self._database.write(partial(_events.discard_keys, numbers=numbers))
        if not stayed:
            self._database.write(partial(_events.discard_stream, stream=stream, mark=mark))
        return gone

    def _discard(
        self, connection: sqlite3.Connection, kind: EventKind, rows: Sequence[Row]
    ) -> tuple[int, int]:
        """Delete pending events of a stream, but for those of sets. How many, and how many stay."""
        held = {row.position for each in self._sets for row in each.rows if each.kind == kind}
        free = [row for row in rows if row.position not in held]
        gone = _events.discard(connection, kind, free, self._counters)
        self._windows[kind].discard(rows[0].stream, {row.position for row in gone})
        self._ended += [(row.position, "forgotten") for row in gone]
        return len(gone), len(rows) - len(free)

    def close(self) -> None:
        """See `Store`. Sets that are still being sent are given out again by the next opener.

        Where this process was asked for work, it does not die of any: their dirty starts are counted anew.
        """

        def last(connection: sqlite3.Connection) -> None:
            connection.execute(
                "UPDATE attempt SET sending = 0, unknown = unknown OR sending, crashes = crashes * ?",
                (not self._sets.were_asked_for,),
            )
            self._counters.add("dirty", -1)
            self.finish(connection)

        self._database.close(last)
