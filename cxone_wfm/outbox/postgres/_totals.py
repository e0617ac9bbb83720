"""The counters: how the store stands, without counting the backlog."""

import threading
from collections import Counter

import psycopg

from ..._fork import start_over_in_child
from .._counters import counts
from ..store import Counts

Delta = Counter[str]
"""What a transaction adds to the counters, by name."""


class Totals:
    """The sums of the counters as of some recent transaction.

    They are what the server said lately, and what was committed here since. Each of the two is balanced in
    itself, so their sum is. `now` is a moment of the monotonic clock.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: Delta = Counter()
        self._asked = float("-inf")
        start_over_in_child(self)

    def start_over(self) -> None:
        """In a forked child: another thread may have held the lock."""
        self._lock = threading.Lock()

    def add(self, delta: Delta) -> None:
        """This was committed here."""
        with self._lock:
            self._values.update(delta)

    def replace(self, values: Delta, now: float) -> None:
        """The server said so."""
        with self._lock:
            self._values, self._asked = values, now

    def age(self, now: float) -> float:
        """Seconds since the server was asked."""
        return now - self._asked

    def counts(self) -> Counts:
        """How the store stands."""
        with self._lock:
            return counts({name: value for name, value in self._values.items() if value})


def read(connection: psycopg.Connection) -> Delta:
    """The sums, from the server."""
    found = connection.execute("SELECT name, sum(value)::bigint FROM counter GROUP BY name")
    return Counter(dict(found.fetchall()))


def write(connection: psycopg.Connection, room: int, delta: Delta) -> None:
    """Add to the counters. Last in a transaction, for others may wait for these rows."""
    changed = sorted(name for name, value in delta.items() if value)
    if changed:
        connection.execute(
            "INSERT INTO counter SELECT %s, name, value"
            " FROM unnest(%s::text[], %s::bigint[]) AS one (name, value)"
            " ON CONFLICT (room, name) DO UPDATE SET value = counter.value + excluded.value",
            (room, changed, [delta[name] for name in changed]),
        )
