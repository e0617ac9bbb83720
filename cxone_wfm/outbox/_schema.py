"""The tables of an outbox in SQLite, and the counters that are kept with each transaction."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar

from .store import KINDS, Counts, EventKind, Usage

SCHEMA = """
CREATE TABLE IF NOT EXISTS event (
  kind INTEGER NOT NULL,            -- place in KINDS
  position INTEGER NOT NULL,        -- order of acceptance
  event_id TEXT NOT NULL,
  stream TEXT NOT NULL,
  seq INTEGER NOT NULL,
  key BLOB,                         -- NULL once the same content was accepted again
  digest BLOB NOT NULL,
  accepted_at REAL NOT NULL,        -- seconds since 1970
  payload BLOB NOT NULL,
  PRIMARY KEY (kind, position)
) WITHOUT ROWID;
CREATE UNIQUE INDEX IF NOT EXISTS event_key ON event (key);
CREATE TABLE IF NOT EXISTS stream (
  stream TEXT PRIMARY KEY,
  last_seq INTEGER NOT NULL,
  last_position INTEGER NOT NULL,
  last_age INTEGER NOT NULL         -- the outbox's age when last one was accepted or delivered: seconds open
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS attempt (
  number INTEGER PRIMARY KEY,
  kind INTEGER NOT NULL,
  positions TEXT NOT NULL,          -- a JSON list
  tries INTEGER NOT NULL,
  unknown INTEGER NOT NULL,
  crashes INTEGER NOT NULL,
  sending INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS ledger (
  number INTEGER PRIMARY KEY,
  key BLOB NOT NULL UNIQUE,
  digest BLOB NOT NULL,
  event_id TEXT NOT NULL,
  stream TEXT NOT NULL,
  seq INTEGER NOT NULL,
  age INTEGER NOT NULL              -- the outbox's when it was delivered
);
CREATE TABLE IF NOT EXISTS dead (
  number INTEGER PRIMARY KEY,
  kind INTEGER NOT NULL,
  event_id TEXT NOT NULL UNIQUE,
  stream TEXT NOT NULL,
  seq INTEGER NOT NULL,
  key BLOB UNIQUE,
  digest BLOB NOT NULL,
  accepted_at REAL NOT NULL,
  payload BLOB NOT NULL,
  reason TEXT NOT NULL,
  status INTEGER,
  detail TEXT NOT NULL,
  tries INTEGER NOT NULL,
  died_at REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS dead_stream ON dead (stream);
CREATE TABLE IF NOT EXISTS counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
"""


_PENDING = {kind: (f"items {kind}", f"bytes {kind}") for kind in KINDS}
"""The names of the counters of what is pending of a kind."""
_Item = TypeVar("_Item")


def pieces(items: Sequence[_Item], size: int) -> Iterator[Sequence[_Item]]:
    """The items in their order, at most `size` at a time: a statement takes only so many values."""
    return (items[start : start + size] for start in range(0, len(items), size))


class Counters:
    """Whole numbers that live in the file, and in memory as they will be after the transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._values: dict[str, int] = dict(connection.execute("SELECT name, value FROM counter"))
        self._changed: set[str] = set()

    def __getitem__(self, name: str) -> int:
        return self._values.get(name, 0)

    def add(self, name: str, by: int = 1) -> int:
        """Change one, and give its new value."""
        value = self._values[name] = self._values.get(name, 0) + by
        self._changed.add(name)
        return value

    def write(self, connection: sqlite3.Connection) -> int | None:
        """Write those that changed, and give the number of the transaction; None where nothing changed."""
        if not self._changed:
            return None
        number = self.add("transaction")
        self.save(connection)
        return number

    def save(self, connection: sqlite3.Connection) -> None:
        """Write those that changed. This is no transaction that anybody asks for."""
        connection.executemany(
            "INSERT INTO counter VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            [(name, self._values[name]) for name in self._changed],
        )
        self._changed.clear()

    def pending(self, kind: EventKind, items: int, size: int) -> None:
        """So many events and bytes more, or less, are pending."""
        its_items, its_bytes = _PENDING[kind]
        self.add(its_items, items)
        self.add(its_bytes, size)

    def dead(self, items: int, size: int) -> None:
        """So many events and bytes more, or less, are dead."""
        self.add("dead items", items)
        self.add("dead bytes", size)

    def snapshot(self) -> dict[str, int]:
        """All of them as they are now."""
        return dict(self._values)


def counts(values: Mapping[str, int]) -> Counts:
    """What a snapshot of the counters says."""
    return Counts(
        accepted=values.get("accepted", 0),
        delivered=values.get("delivered", 0),
        possibly_duplicated=values.get("possibly duplicated", 0),
        purged=values.get("purged", 0),
        pending={
            kind: Usage(items=values.get(items, 0), bytes=values.get(size, 0))
            for kind, (items, size) in _PENDING.items()
        },
        dead=Usage(items=values.get("dead items", 0), bytes=values.get("dead bytes", 0)),
        parked={
            name.removeprefix("parked "): value
            for name, value in values.items()
            if name.startswith("parked ")
        },
    )
