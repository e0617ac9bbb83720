"""How events get their numbers: what is new among them, and what was accepted before."""

import sqlite3
from collections.abc import Iterator, Sequence
from typing import TypeVar

from attrs import define, field

from ..errors import ConflictingDuplicateError
from .store import KINDS, EventKind, NewEvent, Receipt, Usage

_AT_ONCE = 500
_Item = TypeVar("_Item")
_Known = tuple[bytes, str, str, int]
"""Digest, event id, stream and seq of an event that was accepted before."""


@define
class NewRows:
    """What a call adds to the tables."""

    position: int
    """Of the last of them."""
    events: dict[int, list[object]] = field(factory=dict)
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
        connection.executemany("INSERT INTO event VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", self.events.values())
        connection.executemany("INSERT OR REPLACE INTO stream VALUES (?, ?, ?, ?)", self.streams.values())


def plan(
    connection: sqlite3.Connection, events: Sequence[NewEvent], accepted_at: float, position: int
) -> tuple[list[Receipt], NewRows]:
    """The receipts, and the rows to add after `position`. Writes nothing.

    Raises `ConflictingDuplicateError` where a key is known with another digest.
    """
    known = _known(connection, [event.key for event in events])
    last = _last_numbers(connection, list({event.stream for event in events}))
    new = NewRows(position)
    receipts: list[Receipt] = []
    at: dict[bytes, int] = {}
    sums: dict[EventKind, list[int]] = {}
    for index, event in enumerate(events):
        stream, key = event.stream, event.key
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
        seq = last[stream] = seq + 1
        new.position = at[key] = place = new.position + 1
        kind = KINDS.index(event.kind)
        known[key] = (event.digest, event.event_id, stream, seq)
        new.events[place] = [
            kind, place, event.event_id, stream, seq, key, event.digest, accepted_at, event.payload
        ]  # fmt: skip
        new.streams[stream] = (stream, seq, place, accepted_at)
        receipts.append(Receipt(event_id=event.event_id, stream=stream, seq=seq, duplicate=False))
        total = sums.setdefault(event.kind, [0, 0])
        total[0] += 1
        total[1] += len(event.payload)
    new.usage = {each: Usage(items=items, bytes=size) for each, (items, size) in sums.items()}
    return receipts, new


_KEY = 5
"""The key's place in a row of `event`."""


def _known(connection: sqlite3.Connection, keys: list[bytes]) -> dict[bytes, _Known]:
    found: dict[bytes, _Known] = {}
    for part in pieces(keys, _AT_ONCE):
        marks = ",".join(f"?{number}" for number in range(1, len(part) + 1))
        rows = connection.execute(
            " UNION ALL ".join(
                f"SELECT key, digest, event_id, stream, seq FROM {table} WHERE key IN ({marks})"  # noqa: S608 - our own words
                for table in ("event", "ledger", "dead")
            ),
            part,
        )
        found |= {key: (digest, event_id, stream, seq) for key, digest, event_id, stream, seq in rows}
    return found


def _last_numbers(connection: sqlite3.Connection, streams: list[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for part in pieces(streams, _AT_ONCE):
        marks = ",".join("?" * len(part))
        found |= dict(
            connection.execute(f"SELECT stream, last_seq FROM stream WHERE stream IN ({marks})", part)  # noqa: S608 - our own words
        )
    return found


def pieces(items: Sequence[_Item], size: int) -> Iterator[Sequence[_Item]]:
    """The items in their order, at most `size` at a time."""
    return (items[start : start + size] for start in range(0, len(items), size))
