"""What is in a store's file, read with plain SQL: the harness does not ask the library what it kept."""

import sqlite3
from pathlib import Path

from attrs import frozen

from faults.ledger import Event
from faults.server import events_of


@frozen
class Stock:
    """The events in the file."""

    pending: list[Event]
    """In the order of acceptance, by kind."""
    dead: dict[Event, str]
    """Event -> the reason of its death."""

    @property
    def events(self) -> set[Event]:
        """All of them."""
        return {*self.pending, *self.dead}


def stock_of(path: Path) -> Stock:
    """Read the file, which nobody else may have open. Raises `sqlite3.DatabaseError` where it is corrupt.

    An empty file, or one without tables, holds nothing: a store that was being made.
    """
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        if (found := connection.execute("PRAGMA quick_check").fetchone()) != ("ok",):
            raise sqlite3.DatabaseError(str(found))
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
        if not {"event", "dead"} <= tables:
            return Stock([], {})
        pending = connection.execute("SELECT payload FROM event ORDER BY kind, position")
        dead = connection.execute("SELECT payload, reason FROM dead")
        return Stock(
            [event for (payload,) in pending for event in events_of(payload)],
            {event: reason for payload, reason in dead for event in events_of(payload)},
        )
    finally:
        connection.close()
