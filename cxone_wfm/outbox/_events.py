"""What happens to accepted events, as statements of SQL: delivered, dead, listed, forgotten."""

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

from ._counters import Counters
from ._schema import pieces
from ._window import Row
from .store import KINDS, DeadLetter, EventKind, Outcome, StoredEvent

SELECT_ROW = "SELECT position, stream, length(payload) FROM event WHERE"
_SELECT_EVENT = "SELECT kind, position, event_id, stream, seq, accepted_at, payload FROM event WHERE"
_SELECT_DEAD = """SELECT kind, number, event_id, stream, seq, accepted_at, payload,
 reason, status, detail, tries, unknown, died_at FROM dead WHERE"""
AT_ONCE = 500
"""So many rows one statement names, and one transaction deletes of a stream, for others wait meanwhile."""
_PAGE = 5000
END = 2**62
"""Beyond every position."""
_FREE_PAGES_KEPT = 1000
_GIVEN_BACK_AT_ONCE = 1000


def deliver(
    connection: sqlite3.Connection, kind: EventKind, rows: Iterable[Row], age: int, ledger_rows: int
) -> None:
    """Delete events that were delivered, and remember their keys."""
    place = KINDS.index(kind)
    for part in pieces([row.position for row in rows], AT_ONCE):
        these = f"WHERE kind = ? AND position IN ({','.join('?' * len(part))})"
        connection.execute(
            "INSERT OR REPLACE INTO ledger (key, digest, event_id, stream, seq, age)"  # noqa: S608 - our own words
            f" SELECT key, digest, event_id, stream, seq, ? FROM event {these} AND key IS NOT NULL",
            (age, place, *part),
        )
        connection.execute(
            "UPDATE stream SET last_age = ? WHERE last_age < ?"  # noqa: S608 - our own words
            f" AND stream IN (SELECT stream FROM event {these})",
            (age, age, place, *part),
        )
        connection.execute(f"DELETE FROM event {these}", (place, *part))  # noqa: S608 - our own words
    connection.execute(
        "DELETE FROM ledger WHERE number <= (SELECT max(number) FROM ledger) - ?", (ledger_rows,)
    )


def bury(
    connection: sqlite3.Connection,
    kind: EventKind,
    rows: Sequence[Row],
    outcome: Outcome,
    counters: Counters,
    *,
    unknown: bool,
) -> None:
    """Make dead letters of events. `unknown`: a try of theirs may have arrived."""
    place = KINDS.index(kind)
    for row, dead in zip(rows, outcome.dead, strict=True):
        connection.execute(
            "INSERT INTO dead SELECT ?, kind, event_id, stream, seq, key, digest, accepted_at, payload,"
            " ?, ?, ?, ?, ?, ? FROM event WHERE kind = ? AND position = ?",
            (
                counters.add("died"),
                dead.reason,
                dead.status,
                dead.detail,
                outcome.attempt.tries,
                unknown,
                outcome.at,
                place,
                row.position,
            ),
        )
        connection.execute("DELETE FROM event WHERE kind = ? AND position = ?", (place, row.position))
        counters.dead(1, row.size)
        counters.add(f"parked {dead.reason}")


def events(
    connection: sqlite3.Connection, kind: EventKind, positions: Sequence[int]
) -> tuple[StoredEvent, ...]:
    """These events, in the order of acceptance."""
    place = KINDS.index(kind)
    found = []
    for part in pieces(positions, AT_ONCE):
        marks = ",".join("?" * len(part))
        found += connection.execute(
            f"{_SELECT_EVENT} kind = ? AND position IN ({marks}) ORDER BY position", (place, *part)
        ).fetchall()
    return tuple(_event(*row) for row in found)


def pending(connection: sqlite3.Connection, kind: EventKind, after: int, limit: int) -> list[StoredEvent]:
    """Pending events of one kind in their order."""
    rows = connection.execute(
        f"{_SELECT_EVENT} kind = ? AND position > ? ORDER BY position LIMIT ?",
        (KINDS.index(kind), after, limit),
    )
    return [_event(*row) for row in rows]


def dead_letters(connection: sqlite3.Connection, after: int, limit: int) -> list[tuple[int, DeadLetter]]:
    """Dead letters with their numbers."""
    rows = connection.execute(f"{_SELECT_DEAD} number > ? ORDER BY number LIMIT ?", (after, limit))
    return [(letter.event.position, letter) for letter in (_letter(*row) for row in rows)]


def find_dead(connection: sqlite3.Connection, event_id: str) -> DeadLetter | None:
    """The dead letter with this id."""
    row = connection.execute(f"{_SELECT_DEAD} event_id = ?", (event_id,)).fetchone()
    return _letter(*row) if row else None


def end_of_page(connection: sqlite3.Connection, kind: EventKind, after: int) -> int:
    """The last position of the next page of pending events. Beyond every position at the end."""
    row = connection.execute(
        "SELECT position FROM event WHERE kind = ? AND position > ? ORDER BY position LIMIT 1 OFFSET ?",
        (KINDS.index(kind), after, _PAGE),
    ).fetchone()
    return row[0] if row else END


def find_pending(
    connection: sqlite3.Connection, kind: EventKind, after: int, last: int, event_id: str
) -> StoredEvent | None:
    """The pending event with this id, if it is beyond one position and up to another."""
    row = connection.execute(
        f"{_SELECT_EVENT} kind = ? AND position > ? AND position <= ? AND event_id = ?",
        (KINDS.index(kind), after, last, event_id),
    ).fetchone()
    return _event(*row) if row else None


def rows(
    connection: sqlite3.Connection,
    kind: EventKind,
    after: int,
    last: int,
    *,
    limit: int = -1,
    stream: str | None = None,
) -> list[Row]:
    """Pending rows beyond one position and up to another; of one stream only, if it is given."""
    only, values = ("", ()) if stream is None else ("AND stream = ?", (stream,))
    found = connection.execute(
        f"{SELECT_ROW} kind = ? AND position > ? AND position <= ? {only} ORDER BY position LIMIT ?",
        (KINDS.index(kind), after, last, *values, limit),
    )
    return list(map(Row._make, found))


def requeue(
    connection: sqlite3.Connection, event_ids: Iterable[str], accepted_at: float, counters: Counters
) -> list[EventKind]:
    """Put dead letters at the ends of their streams. Gives the kinds of those that were found."""
    found: list[EventKind] = []
    for event_id in dict.fromkeys(event_ids):
        row = connection.execute(
            "SELECT kind, stream, length(payload) FROM dead WHERE event_id = ?", (event_id,)
        ).fetchone()
        if row is None:
            continue
        place, stream, size = row
        position = counters.add("position")
        last = connection.execute("SELECT last_seq FROM stream WHERE stream = ?", (stream,)).fetchone()
        seq = 1 if last is None else last[0] + 1
        connection.execute(
            "INSERT OR REPLACE INTO stream VALUES (?, ?, ?, ?)", (stream, seq, position, counters["age"])
        )
        connection.execute(
            "INSERT INTO event SELECT kind, ?, event_id, stream, ?, key, digest, ?, payload"
            " FROM dead WHERE event_id = ?",
            (position, seq, accepted_at, event_id),
        )
        connection.execute("DELETE FROM dead WHERE event_id = ?", (event_id,))
        counters.dead(-1, -size)
        counters.pending(KINDS[place], 1, size)
        found.append(KINDS[place])
    return found


def purge(connection: sqlite3.Connection, event_ids: Iterable[str], counters: Counters) -> int:
    """Delete dead letters."""
    gone = 0
    for event_id in dict.fromkeys(event_ids):
        found = connection.execute(
            "SELECT length(payload) FROM dead WHERE event_id = ?", (event_id,)
        ).fetchone()
        if found is not None:
            connection.execute("DELETE FROM dead WHERE event_id = ?", (event_id,))
            counters.dead(-1, -found[0])
            counters.add("purged")
            gone += 1
    return gone


def discard(
    connection: sqlite3.Connection, kind: EventKind, rows: Iterable[Row], counters: Counters
) -> list[Row]:
    """Delete pending events for good. Gives those that were there."""
    place = KINDS.index(kind)
    gone = [
        row
        for row in rows
        if connection.execute(
            "DELETE FROM event WHERE kind = ? AND position = ?", (place, row.position)
        ).rowcount
    ]
    counters.pending(kind, -len(gone), -sum(row.size for row in gone))
    counters.add("purged", len(gone))
    return gone


def dead_of_stream(connection: sqlite3.Connection, stream: str) -> list[str]:
    """The ids of dead letters of one stream, at most as many as are deleted at once."""
    found = connection.execute("SELECT event_id FROM dead WHERE stream = ? LIMIT ?", (stream, AT_ONCE))
    return [row[0] for row in found]


def pages_of_keys(connection: sqlite3.Connection) -> range:
    """Where the pages of the ledger begin: numbers after which so many come."""
    # Each end alone is read off the index; both in one statement would read all rows.
    (first,) = connection.execute("SELECT min(number) FROM ledger").fetchone()
    (last,) = connection.execute("SELECT max(number) FROM ledger").fetchone()
    return range(first - 1, last, _PAGE) if last is not None else range(0)


def keys_of_stream(connection: sqlite3.Connection, stream: str, after: int) -> list[int]:
    """The numbers of a stream's keys on a page of the ledger."""
    found = connection.execute(
        "SELECT number FROM ledger WHERE number > ? AND number <= ? AND stream = ?",
        (after, after + _PAGE, stream),
    )
    return [row[0] for row in found]


def discard_keys(connection: sqlite3.Connection, numbers: Sequence[int]) -> None:
    """Forget keys by their numbers."""
    marks = ",".join("?" * len(numbers))
    connection.execute(f"DELETE FROM ledger WHERE number IN ({marks})", numbers)  # noqa: S608 - our own words


def discard_stream(connection: sqlite3.Connection, stream: str, mark: int) -> None:
    """Forget a stream of which nothing is kept, unless something of it was accepted beyond a position."""
    connection.execute("DELETE FROM stream WHERE stream = ? AND last_position <= ?", (stream, mark))


def forget_keys(connection: sqlite3.Connection, before: float, most: int) -> None:
    """Forget the keys of events that were delivered before an age: at most so many at once."""
    oldest = connection.execute("SELECT number, age FROM ledger ORDER BY number LIMIT ?", (most,)).fetchall()
    cut = max((number for number, age in oldest if age < before), default=None)
    if cut is not None:
        connection.execute("DELETE FROM ledger WHERE number <= ?", (cut,))


def forget_streams(connection: sqlite3.Connection, before: float, after: str, most: int) -> str:
    """Forget streams of which all was delivered before an age, and of which no key is known any more.

    By a stream's last number it is known whether a report is a repetition, so it outlives the keys. Looks at
    so many streams after one, and gives the last that it looked at; an empty text at the end.
    """
    page = connection.execute(
        "SELECT stream, last_age, last_position FROM stream WHERE stream > ? ORDER BY stream LIMIT ?",
        (after, most),
    ).fetchall()
    firsts = [
        connection.execute("SELECT min(position) FROM event WHERE kind = ?", (place,)).fetchone()[0]
        for place in range(len(KINDS))
    ]
    first = min((position for position in firsts if position is not None), default=None)
    oldest_key = connection.execute("SELECT age FROM ledger ORDER BY number LIMIT 1").fetchone()
    before = before if oldest_key is None else min(before, oldest_key[0])
    connection.executemany(
        "DELETE FROM stream WHERE stream = ?1 AND NOT EXISTS (SELECT 1 FROM dead WHERE stream = ?1)",
        [
            (stream,)
            for stream, last_age, last_position in page
            if last_age < before and (first is None or last_position < first)
        ],
    )
    return page[-1][0] if len(page) == most else ""


def give_space_back(connection: sqlite3.Connection) -> None:
    """Shorten the file where much of it is free, and the write-ahead log where there is one."""
    (free,) = connection.execute("PRAGMA freelist_count").fetchone()
    if free > _FREE_PAGES_KEPT:
        # Not `execute`: it takes one step, and each step frees one page.
        connection.executescript(f"PRAGMA incremental_vacuum({_GIVEN_BACK_AT_ONCE})")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def _event(*row: Any) -> StoredEvent:  # noqa: ANN401 - what the table holds
    kind, position, event_id, stream, seq, accepted_at, payload = row
    return StoredEvent(
        position=position,
        event_id=event_id,
        kind=KINDS[kind],
        stream=stream,
        seq=seq,
        accepted_at=accepted_at,
        payload=payload,
    )


def _letter(*row: Any) -> DeadLetter:  # noqa: ANN401 - what the table holds
    reason, status, detail, tries, unknown, died_at = row[7:]
    return DeadLetter(
        event=_event(*row[:7]),
        reason=reason,
        status=status,
        detail=detail,
        tries=tries,
        possibly_arrived=bool(unknown),
        died_at=died_at,
    )
