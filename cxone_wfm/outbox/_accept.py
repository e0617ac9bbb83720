"""How events get their numbers and go into the tables: what is new among them, what was accepted before."""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence

from attrs import frozen

from ..errors import ConflictingDuplicateError
from ._schema import pieces
from .store import KINDS, EventKind, NewEvent, Receipt, Usage

_AT_ONCE = 500
_PLACES = {kind: place for place, kind in enumerate(KINDS)}
_Row = tuple[int, int, str, str, int, bytes | None, bytes, float, bytes]
"""A row of `event`."""
_Known = tuple[int, str, str, int, bytes]
"""Position, event id, stream, seq and digest of an event that was accepted before, position 0 by a call
before this."""

_INSERT = "INSERT INTO event VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
_INSERT_UNKNOWN = """INSERT OR IGNORE INTO event SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9
 WHERE NOT EXISTS (SELECT 1 FROM ledger WHERE key = ?6) AND NOT EXISTS (SELECT 1 FROM dead WHERE key = ?6)"""


@frozen
class Added:
    """What a call added to the tables: the position of the last event, and how much of each kind."""

    receipts: list[Receipt]
    position: int
    usage: dict[EventKind, Usage]


def add(
    connection: sqlite3.Connection, events: Sequence[NewEvent], accepted_at: float, position: int, age: int
) -> Added:
    """Add what is new of the events, beyond `position`.

    Raises `ConflictingDuplicateError` where a key is known with another digest; then nothing is added.
    """
    last = _last_numbers(connection, list({event.stream for event in events}))
    # Nearly always all are new, and to add them as such costs less than to look first.
    rows, receipts = _as_new(events, last, accepted_at, position)
    if connection.executemany(_INSERT_UNKNOWN, rows).rowcount < len(rows):
        for place in range(len(KINDS)):
            connection.execute("DELETE FROM event WHERE kind = ? AND position > ?", (place, position))
        known = _known(connection, [event.key for event in events])
        rows, receipts, moved = _what_is_new(events, known, last, accepted_at, position)
        _take_keys(connection, moved)
        connection.executemany(_INSERT, rows)
    ends = {row[3]: row for row in rows}.values()
    connection.executemany(
        "INSERT OR REPLACE INTO stream VALUES (?, ?, ?, ?)", [(row[3], row[4], row[1], age) for row in ends]
    )
    return Added(receipts, position + len(rows), _usage(rows))


def _as_new(
    events: Iterable[NewEvent], last: Mapping[str, int], accepted_at: float, position: int
) -> tuple[list[_Row], list[Receipt]]:
    """The rows of events, and their receipts, if none of them is known."""
    last = dict(last)
    rows: list[_Row] = []
    for event_id, kind, stream, key, _, digest, payload in events:
        position += 1
        seq = last[stream] = last.get(stream, 0) + 1
        rows.append((_PLACES[kind], position, event_id, stream, seq, key, digest, accepted_at, payload))
    return rows, [Receipt(event_id=row[2], stream=row[3], seq=row[4], duplicate=False) for row in rows]


def _what_is_new(
    events: Iterable[NewEvent],
    known: dict[bytes, _Known],
    last: dict[str, int],
    accepted_at: float,
    position: int,
) -> tuple[list[_Row], list[Receipt], list[bytes]]:
    """The rows of new events, all receipts, and keys that name a content and pass to a new event."""
    before = position
    rows: list[_Row] = []
    receipts: list[Receipt] = []
    moved: list[bytes] = []
    for index, event in enumerate(events):
        event_id, kind, stream, key, key_is_content, digest, payload = event
        seq = last.get(stream, 0)
        if earlier := known.get(key):
            its_position, its_id, its_stream, its_seq, its_digest = earlier
            if its_digest != digest:
                raise ConflictingDuplicateError(index, its_id)
            if not key_is_content or its_seq == seq or its_id == event_id:
                receipts.append(Receipt(event_id=its_id, stream=its_stream, seq=its_seq, duplicate=True))
                continue
            if its_position:
                place = its_position - before - 1
                rows[place] = (*rows[place][:5], None, *rows[place][6:])
            else:
                moved.append(key)
        position += 1
        seq = last[stream] = seq + 1
        known[key] = (position, event_id, stream, seq, digest)
        rows.append((_PLACES[kind], position, event_id, stream, seq, key, digest, accepted_at, payload))
        receipts.append(Receipt(event_id=event_id, stream=stream, seq=seq, duplicate=False))
    return rows, receipts, moved


def _take_keys(connection: sqlite3.Connection, keys: Iterable[bytes]) -> None:
    for key in keys:
        connection.execute("UPDATE event SET key = NULL WHERE key = ?", (key,))
        connection.execute("UPDATE dead SET key = NULL WHERE key = ?", (key,))
        connection.execute("DELETE FROM ledger WHERE key = ?", (key,))


def _usage(rows: Sequence[_Row]) -> dict[EventKind, Usage]:
    found: dict[EventKind, Usage] = {}
    for place in {row[0] for row in rows}:
        sizes = [len(row[8]) for row in rows if row[0] == place]
        found[KINDS[place]] = Usage(items=len(sizes), bytes=sum(sizes))
    return found


def _known(connection: sqlite3.Connection, keys: list[bytes]) -> dict[bytes, _Known]:
    found: dict[bytes, _Known] = {}
    for part in pieces(keys, _AT_ONCE):
        marks = ",".join("?" * len(part))
        for table in ("event", "ledger", "dead"):
            rows = connection.execute(
                f"SELECT key, 0, event_id, stream, seq, digest FROM {table} WHERE key IN ({marks})",  # noqa: S608 - our own words
                part,
            )
            found.update((row[0], row[1:]) for row in rows)
    return found


def _last_numbers(connection: sqlite3.Connection, streams: list[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for part in pieces(streams, _AT_ONCE):
        marks = ",".join("?" * len(part))
        found |= dict(
            connection.execute(f"SELECT stream, last_seq FROM stream WHERE stream IN ({marks})", part)  # noqa: S608 - our own words
        )
    return found
