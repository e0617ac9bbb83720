"""Reading an outbox that another process may own: what there is, and whose it is. Nothing is changed.

A file is read with short statements and no transaction around them, because the owner's commit waits for
whoever reads.
"""

import json
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Protocol, TypeVar
from urllib.parse import quote

from attrs import frozen

from ..errors import ConfigurationError, OutboxLockedError, OutboxUnavailable
from . import _events
from ._connection import APPLICATION_ID, SCHEMA_VERSION
from ._counters import Counters, counts
from ._owner import OwnerLock
from ._place import file_of, server_of
from .store import KINDS, Counts, DeadLetter, EventKind, StoredEvent

_ROWS_AT_ONCE = 20_000
_LONGEST_LOCK_TEXT = 4096
_Result = TypeVar("_Result")


class Reader(Protocol):
    """What can be read of an outbox. A `Store` can do all of it, and more."""

    def counts(self) -> Counts:
        """How the outbox stands."""
        ...

    def pending(self, *, kind: EventKind, after: int = 0, limit: int = 100) -> list[StoredEvent]:
        """Pending events of one kind with a position beyond `after`, in the order of acceptance."""
        ...

    def dead_letters(self, *, after: int = 0, limit: int = 100) -> list[tuple[int, DeadLetter]]:
        """Dead letters with their numbers, beyond `after`, in the order of their deaths."""
        ...

    def find(self, event_id: str) -> StoredEvent | DeadLetter | None:
        """The pending or dead event with this id; None where there is none."""
        ...

    def close(self) -> None:
        """Let go of the file or the connection."""
        ...


@frozen
class Owner:
    """The process that has the outbox open: its id, its machine, since when (seconds since 1970).

    Each is None where the lock file does not tell.
    """

    pid: int | None
    host: str | None
    since: float | None


def read_outbox(url: str) -> Reader:
    """Open an outbox for reading: a path is an SQLite file, `postgresql://...` a PostgreSQL database.

    Raises `ConfigurationError` where it is not there or none of ours, and `OutboxUnavailable` where it cannot
    be read.
    """
    if server := server_of(url):
        from .postgres import PostgresStore  # here, for it needs an extra  # noqa: PLC0415

        return PostgresStore.open(server)
    return SqliteReader(file_of(url))


def owner_of(url: str) -> Owner | None:
    """Which process has the file open; None where none has. A PostgreSQL database has no single owner.

    It is looked up by taking the lock for some microseconds, shared with others who look.
    """
    if server_of(url):
        return None
    try:
        import fcntl  # here, for Windows has none  # noqa: PLC0415

        descriptor = os.open(f"{file_of(url)}.lock", os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except (ImportError, OSError):
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return _owner(os.pread(descriptor, _LONGEST_LOCK_TEXT, 0))
    else:
        return None
    finally:
        os.close(descriptor)


def _owner(text: bytes) -> Owner:
    try:
        told = json.loads(text)
        return Owner(int(told["pid"]), str(told["host"]), float(told["since"]))
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return Owner(None, None, None)


class SqliteReader:
    """A `Reader` of the file at `path`, while another process works with it or none does."""

    def __init__(self, path: Path) -> None:
        self._path = path
        if not path.is_file():
            raise ConfigurationError([f"there is no outbox {path}"])
        self._connection = self._connect()

    def _connect(self) -> sqlite3.Connection:
        try:
            return self._checked()
        except sqlite3.OperationalError as error:
            reason = str(error)
        # A process was killed in the middle of a write. Only who may write can take that back.
        try:
            self._take_back()
            return self._checked()
        except OutboxLockedError:
            raise OutboxUnavailable(f"{self._path}: {reason}") from None
        except sqlite3.Error as error:
            raise OutboxUnavailable(f"{self._path}: {error}") from None

    def _checked(self) -> sqlite3.Connection:
        """A connection to what is an outbox of ours."""
        connection = sqlite3.connect(
            f"file:{quote(str(self._path))}?mode=ro", uri=True, isolation_level=None, cached_statements=0
        )
        try:
            connection.execute("PRAGMA trusted_schema=0")
            self._check(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _check(self, connection: sqlite3.Connection) -> None:
        try:
            found = tuple(
                connection.execute(f"PRAGMA {name}").fetchone()[0]
                for name in ("application_id", "user_version")
            )
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError as error:
            raise ConfigurationError([f"{self._path} is no outbox: {error}"]) from None
        if found != (APPLICATION_ID, SCHEMA_VERSION):
            raise ConfigurationError([f"{self._path} is no outbox, or none of this version"])

    def _take_back(self) -> None:
        """Let SQLite take back what a killed process had half written, as the outbox's owner for a moment."""
        lock = OwnerLock(self._path)
        try:
            with closing(sqlite3.connect(self._path, isolation_level=None)) as connection:
                connection.execute("PRAGMA synchronous=2")
                connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        finally:
            lock.release()

    def _read(self, work: Callable[[sqlite3.Connection], _Result]) -> _Result:
        try:
            return work(self._connection)
        except sqlite3.Error as error:
            raise OutboxUnavailable(f"{self._path}: {error}") from error

    def counts(self) -> Counts:
        """See `Reader`."""
        return self._read(lambda connection: counts(Counters(connection).snapshot()))

    def pending(self, *, kind: EventKind, after: int = 0, limit: int = 100) -> list[StoredEvent]:
        """See `Reader`."""
        return self._read(lambda connection: _events.pending(connection, kind, after, limit))

    def dead_letters(self, *, after: int = 0, limit: int = 100) -> list[tuple[int, DeadLetter]]:
        """See `Reader`."""
        return self._read(lambda connection: _events.dead_letters(connection, after, limit))

    def find(self, event_id: str) -> StoredEvent | DeadLetter | None:
        """See `Reader`. Reads the backlog, some thousand rows at a time: ids have no index."""
        return self._read(lambda connection: _find(connection, event_id))

    def close(self) -> None:
        """See `Reader`."""
        self._connection.close()


def _find(connection: sqlite3.Connection, event_id: str) -> StoredEvent | DeadLetter | None:
    if row := connection.execute("SELECT number FROM dead WHERE event_id = ?", (event_id,)).fetchone():
        return next((letter for _, letter in _events.dead_letters(connection, row[0] - 1, 1)), None)
    for place, kind in enumerate(KINDS):
        # Each end alone is read off the index; both in one statement would read all rows.
        (first,) = connection.execute("SELECT min(position) FROM event WHERE kind = ?", (place,)).fetchone()
        (last,) = connection.execute("SELECT max(position) FROM event WHERE kind = ?", (place,)).fetchone()
        for start in range(first or 0, (last or -1) + 1, _ROWS_AT_ONCE):
            row = connection.execute(
                "SELECT position FROM event WHERE kind = ? AND position BETWEEN ? AND ? AND event_id = ?",
                (place, start, start + _ROWS_AT_ONCE - 1, event_id),
            ).fetchone()
            if row:
                return next(iter(_events.events(connection, kind, row)), None)
    return None
