"""The tables of an outbox in SQLite."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

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
  unknown INTEGER NOT NULL,         -- whether a try may have arrived
  died_at REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS dead_stream ON dead (stream);
CREATE TABLE IF NOT EXISTS counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
"""

_Item = TypeVar("_Item")


def pieces(items: Sequence[_Item], size: int) -> Iterator[Sequence[_Item]]:
    """The items in their order, at most `size` at a time: a statement takes only so many values."""
    return (items[start : start + size] for start in range(0, len(items), size))
