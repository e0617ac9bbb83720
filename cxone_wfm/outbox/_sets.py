"""The sets of events that are being sent or wait to be tried again: in memory, and as rows of `attempt`."""

import json
import sqlite3
from collections.abc import Collection, Iterator

from attrs import define

from ._counters import Counters
from ._events import SELECT_ROW
from ._window import Row
from .store import KINDS, SUSPECT_CRASHES, SUSPECT_SECONDS, EventKind


@define
class EventSet:
    """The events of an attempt, between and during its tries. `number` changes with each try."""

    number: int
    kind: EventKind
    rows: list[Row]
    tries: int = 0
    unknown: bool = False
    crashes: int = 0
    not_before: float = 0.0
    sending: bool = False


class Sets:
    """All sets. Changes are written in the caller's transaction.

    `on_their_way` are the numbers of requests that go on though the file is opened anew. All other sets
    get new numbers, so what comes of a try before that is nothing to them. `restarted`: the process is
    new, so what was being sent may have arrived, and may have been the end of the last process.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        counters: Counters,
        on_their_way: Collection[int],
        *,
        restarted: bool,
    ) -> None:
        self._counters = counters
        self._sets: dict[int, EventSet] = {}
        self._first_asked: float | None = None
        found = connection.execute("SELECT * FROM attempt ORDER BY number").fetchall()
        alone = sum(row[-1] for row in found) == 1
        for number, place, positions, tries, unknown, crashes, sending in found:
            try:
                kind, listed = KINDS[place], json.loads(positions)
            except (ValueError, TypeError, LookupError):
                raise sqlite3.DatabaseError(f"the file is damaged: attempt {number} cannot be read") from None
            rows = [_row(connection, place, position) for position in listed]
            kept = EventSet(number, kind, rows, tries, bool(unknown), crashes, sending=bool(sending))
            if number in on_their_way:
                self._sets[number] = kept
                continue
            connection.execute("DELETE FROM attempt WHERE number = ?", (number,))
            kept.sending = False
            if sending and restarted:
                kept.unknown, kept.crashes = True, crashes + (crashes < SUSPECT_CRASHES or alone)
            self.add(connection, kept)

    def __iter__(self) -> Iterator[EventSet]:
        return iter(self._sets.values())

    def held(self, kind: EventKind) -> list[Row]:
        """The rows of all sets of a kind."""
        return [row for each in self if each.kind == kind for row in each.rows]

    @property
    def were_asked_for(self) -> bool:
        """Whether this process asked for work: one that only accepts events says nothing of what kills."""
        return self._first_asked is not None

    def due(self, kind: EventKind, now: float) -> EventSet | None:
        """The set to be tried next."""
        if self._first_asked is None:
            self._first_asked = now
        sure = now - self._first_asked >= SUSPECT_SECONDS
        ready = (
            each
            for each in self
            if each.kind == kind
            and not each.sending
            and each.not_before <= now
            and (sure or each.crashes < SUSPECT_CRASHES)
        )
        return min(
            ready, key=lambda each: (each.crashes < SUSPECT_CRASHES, each.tries, each.number), default=None
        )

    def must_wait(self, kind: EventKind, now: float) -> bool:
        """Whether nothing may be given now: a suspect is being sent, or is due and others are being sent."""
        due = self.due(kind, now)
        sending = [each for each in self if each.sending]
        if any(each.crashes >= SUSPECT_CRASHES for each in sending):
            return True
        return bool(sending) and due is not None and due.crashes >= SUSPECT_CRASHES

    def add(self, connection: sqlite3.Connection, new: EventSet) -> EventSet:
        """Keep one more, under a new number."""
        new.number = self._counters.add("attempt")
        self._sets[new.number] = new
        self._write(connection, new)
        return new

    def begin(self, connection: sqlite3.Connection, chosen: EventSet) -> None:
        """Note that it is being sent once more."""
        chosen.sending = True
        chosen.tries += 1
        self._counters.add("tries")
        self._write(connection, chosen)

    def end(self, connection: sqlite3.Connection, number: int) -> EventSet | None:
        """Take out the set that is being sent under this number; None where none is."""
        mine = self._sets.pop(number, None)
        if mine is not None:
            connection.execute("DELETE FROM attempt WHERE number = ?", (number,))
        return mine

    def _write(self, connection: sqlite3.Connection, each: EventSet) -> None:
        positions = json.dumps([row.position for row in each.rows])
        connection.execute(
            "INSERT OR REPLACE INTO attempt VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                each.number,
                KINDS.index(each.kind),
                positions,
                each.tries,
                each.unknown,
                each.crashes,
                each.sending,
            ),
        )


def _row(connection: sqlite3.Connection, place: int, position: int) -> Row:
    found = connection.execute(f"{SELECT_ROW} kind = ? AND position = ?", (place, position)).fetchone()
    if found is None:
        raise sqlite3.DatabaseError(f"the file is damaged: event {position} of an attempt is missing")
    return Row(*found)
