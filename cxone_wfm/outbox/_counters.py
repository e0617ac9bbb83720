"""The counters of an outbox: how it stands, without counting the backlog."""

import sqlite3
from collections.abc import Mapping

from .store import KINDS, Counts, EventKind, Usage

_PENDING = {kind: (f"items {kind}", f"bytes {kind}") for kind in KINDS}
"""The names of the counters of what is pending of a kind."""


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
