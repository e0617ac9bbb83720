"""How events get their numbers and go into the tables: what is new among them, what was accepted before."""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence

from attrs import frozen

from ._receipts import Known, receipts
from ._schema import pieces
from .store import KINDS, EventKind, NewEvent, Receipt, Usage

_AT_ONCE = 500
_PLACES = {kind: place for place, kind in enumerate(KINDS)}
_Row = tuple[int, int, str, str, int, bytes | None, bytes, float, bytes]
"""A row of `event`."""

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
    rows, found = _as_new(events, last, accepted_at, position)
    if connection.executemany(_INSERT_UNKNOWN, rows).rowcount < len(rows):
        for place in range(len(KINDS)):
            connection.execute("DELETE FROM event WHERE kind = ? AND position > ?", (place, position))
        known = _known(connection, [event.key for event in events])
        before = set(known)
        found = receipts(events, known, last)
        rows = _rows_of_new(events, found, accepted_at, position)
        _take_keys(connection, [row[5] for row in rows if row[5] in before])
        connection.executemany(_INSERT, rows)
    ends = {row[3]: row for row in rows}.values()
    connection.executemany(
        "INSERT OR REPLACE INTO stream VALUES (?, ?, ?, ?)", [(row[3], row[4], row[1], age) for row in ends]
    )
    return Added(found, position + len(rows), _usage(rows))


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


def _rows_of_new(
    events: Sequence[NewEvent], found: Sequence[Receipt], accepted_at: float, position: int
) -> list[_Row]:
    """The rows of those events that are no duplicates."""
    new = [(event, receipt) for event, receipt in zip(events, found, strict=True) if not receipt.duplicate]
    newest = {event.key: place for place, (event, _) in enumerate(new)}
    return [
        (
            _PLACES[event.kind],
            position + 1 + place,
            event.event_id,
            event.stream,
            receipt.seq,
            event.key if newest[event.key] == place else None,
            event.digest,
            accepted_at,
            event.payload,
        )
        for place, (event, receipt) in enumerate(new)
    ]


def _take_keys(connection: sqlite3.Connection, keys: Iterable[bytes | None]) -> None:
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


def _known(connection: sqlite3.Connection, keys: list[bytes]) -> dict[bytes, Known]:
    found: dict[bytes, Known] = {}
    for part in pieces(keys, _AT_ONCE):
        marks = ",".join("?" * len(part))
        for table in ("event", "ledger", "dead"):
            rows = connection.execute(
                f"SELECT key, digest, event_id, stream, seq FROM {table} WHERE key IN ({marks})",  # noqa: S608 - our own words
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
