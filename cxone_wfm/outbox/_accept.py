"""How events get their numbers: what is new among them, and what was accepted before."""

import sqlite3
from collections.abc import Sequence

from attrs import define, field

from ..errors import ConflictingDuplicateError
from ._schema import pieces
from .store import KINDS, EventKind, NewEvent, Receipt, Usage

_AT_ONCE = 500
_PLACES = {kind: place for place, kind in enumerate(KINDS)}
_Known = tuple[bytes, str, str, int]
"""Digest, event id, stream and seq of an event that was accepted before."""


@define
class NewRows:
    """What a call adds to the tables."""

    position: int
    """Of the last of them."""
    events: list[list[object]] = field(factory=list)
    streams: dict[str, tuple[object, ...]] = field(factory=dict)
    moved: set[bytes] = field(factory=set)
    """Keys that name a content, and pass from an earlier event to a new one."""
    usage: dict[EventKind, Usage] = field(factory=dict)

    def write(self, connection: sqlite3.Connection) -> None:
        """Add them."""
        for key in self.moved:
            connection.execute("UPDATE event SET key = NULL WHERE key = ?", (key,))
            connection.execute("UPDATE dead SET key = NULL WHERE key = ?", (key,))
            connection.execute("DELETE FROM ledger WHERE key = ?", (key,))
        connection.executemany("INSERT INTO event VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", self.events)
        connection.executemany("INSERT OR REPLACE INTO stream VALUES (?, ?, ?, ?)", self.streams.values())


def plan(
    connection: sqlite3.Connection, events: Sequence[NewEvent], accepted_at: float, position: int, age: int
) -> tuple[list[Receipt], NewRows]:
    """The receipts, and the rows to add after `position`. Writes nothing.

    Raises `ConflictingDuplicateError` where a key is known with another digest.
    """
    known = _known(connection, [event.key for event in events])
    last = _last_numbers(connection, list({event.stream for event in events}))
    new = NewRows(position)
    receipts: list[Receipt] = []
    at: dict[bytes, int] = {}
    sums = {kind: [0, 0] for kind in KINDS}
    for index, event in enumerate(events):
        stream, key, kind = event.stream, event.key, event.kind
        seq = last.get(stream, 0)
        if earlier := known.get(key):
            digest, event_id, its_stream, its_seq = earlier
            if digest != event.digest:
                raise ConflictingDuplicateError(index, event_id)
            if not event.key_is_content or its_seq == seq:
                receipts.append(Receipt(event_id=event_id, stream=its_stream, seq=its_seq, duplicate=True))
                continue
            if key in at:
                new.events[at[key]][_KEY] = None
            else:
                new.moved.add(key)
        event_id, payload = event.event_id, event.payload
        seq = last[stream] = seq + 1
        position += 1
        at[key] = len(new.events)
        known[key] = (event.digest, event_id, stream, seq)
        new.events.append(
            [_PLACES[kind], position, event_id, stream, seq, key, event.digest, accepted_at, payload]
        )
        new.streams[stream] = (stream, seq, position, age)
        receipts.append(Receipt(event_id=event_id, stream=stream, seq=seq, duplicate=False))
        total = sums[kind]
        total[0] += 1
        total[1] += len(payload)
    new.position = position
    new.usage = {kind: Usage(items=items, bytes=size) for kind, (items, size) in sums.items() if items}
    return receipts, new


_KEY = 5
"""The key's place in a row of `event`."""


def _known(connection: sqlite3.Connection, keys: list[bytes]) -> dict[bytes, _Known]:
    found: dict[bytes, _Known] = {}
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
