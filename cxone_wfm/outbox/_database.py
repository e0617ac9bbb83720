"""One SQLite file, one connection, one lock: transactions that are on the disk when they return.

Concurrent writers share a transaction: whoever gets the lock commits for all who wait for it. A single
writer never waits for others.

After any error of SQLite's in a write, the handle is dead. It is closed, the file is opened anew and looked
over, and whatever was in memory is loaded again: a failed fsync is never tried a second time, for the system
may have dropped the pages that it could not write. Whether a failed commit was done after all is read from
the file: each transaction writes its number.
"""

import ctypes
import logging
import sqlite3
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from .._fork import start_over_in_child
from ..errors import (
    ConfigurationError,
    EnqueueOutcomeUnknown,
    ForkedOutboxError,
    OutboxError,
    OutboxFull,
    OutboxUnavailable,
)
from ._owner import Ballast, OwnerLock, prepare_folder, sync_folder

APPLICATION_ID = 0x43584F42
SCHEMA_VERSION = 1
_SETTINGS = {
    "synchronous": 2,
    "wal_autocheckpoint": 1000,
    "journal_size_limit": 64 * 1024 * 1024,
    "busy_timeout": 5000,
    "foreign_keys": 1,
    "secure_delete": 1,
    "trusted_schema": 0,
    "fullfsync": 1,
    "checkpoint_fullfsync": 1,
    "cache_size": -8192,
}
"""What is set on each connection, and read back. Two are for macOS, where fsync alone is not enough."""
_AUTO_VACUUM_INCREMENTAL = 2
_OLDEST = (3, 31, 0)
"""The first SQLite that has all of these settings."""
_FULL = "disk is full"
"""SQLite's words for SQLITE_FULL; Python tells the code only from 3.11 on."""

_Result = TypeVar("_Result")
_log = logging.getLogger(__name__)


def journal_mode(version: tuple[int, ...]) -> str:
    """WAL where this SQLite is free of the WAL-reset bug, else TRUNCATE.

    The bug is in 3.7.0 to 3.51.2, but for two branches that got the correction later. Both modes
    keep what was committed through a power cut with synchronous=FULL; SQLite's own default, DELETE, does not.
    """
    repaired = version >= (3, 51, 3) or (3, 50, 7) <= version < (3, 51) or (3, 44, 6) <= version < (3, 45)
    return "wal" if repaired else "truncate"


def refuse_unfit_sqlite(version: tuple[int, ...], threadsafety: int) -> None:
    """Raise `ConfigurationError` where this SQLite is too old, or made for a single thread."""
    problems = []
    if version < _OLDEST:
        problems.append(
            f"this Python brings SQLite {'.'.join(map(str, version))}; an outbox in a file needs 3.31 or"
            " later: use another Python, or PostgreSQL"
        )
    if not threadsafety:
        problems.append(
            "this Python's SQLite was made for a single thread; use another Python, or PostgreSQL"
        )
    if problems:
        raise ConfigurationError(problems)


class Content(Protocol):
    """What is in the file, and the memory that goes with it."""

    def load(self, connection: sqlite3.Connection) -> None:
        """Make what is missing, and load the memory from the file, in a transaction."""
        ...

    def finish(self, connection: sqlite3.Connection) -> int | None:
        """Write what each transaction writes last. Gives its number, None where nothing hangs on it."""
        ...

    def last_transaction(self) -> int:
        """The number of the last transaction that is in the file, as it was loaded."""
        ...

    def committed(self, *, done: bool) -> None:
        """The transaction is done, or is not in the file. Told late where that could not be seen at once."""
        ...


class _Job(Generic[_Result]):
    """One caller's part of a transaction."""

    def __init__(self, work: Callable[[sqlite3.Connection], _Result], *, survives_reload: bool) -> None:
        self.work = work
        self.survives_reload = survives_reload
        self.settled = False
        self.error: BaseException | None = None
        self.result: list[_Result] = []

    def run(self, connection: sqlite3.Connection) -> None:
        try:
            self.result = [self.work(connection)]
        except OutboxError as error:  # refused before it wrote anything
            self.fail(error)
        except sqlite3.Error:
            raise
        except Exception as error:
            self.fail(error)  # it is this caller's, whoever commits for it
            raise

    def fail(self, error: BaseException) -> None:
        self.error = error
        self.settled = True

    def outcome(self) -> _Result:
        if self.error is not None:
            raise self.error
        return self.result[0]


class Database:
    """The file. `content` is told when it is opened and of the end of transactions, with the lock held."""

    def __init__(self, path: Path, content: Content, *, ballast_bytes: int) -> None:
        self.path = path
        self._content = content
        self._lock = threading.Lock()
        self._waiting: deque[_Job[object]] = deque()
        self._connection: sqlite3.Connection | None = None
        self._unseen: int | None = None
        """The number of a transaction of which it is not known whether it was done."""
        self._forked = self._closed = False
        self._file: tuple[int, int] | None = None
        """Device and inode of the file, once it was opened."""
        refuse_unfit_sqlite(sqlite3.sqlite_version_info, sqlite3.threadsafety)
        prepare_folder(path)
        self._owner = OwnerLock(path)
        try:
            self.ballast = Ballast(path, ballast_bytes)
            try:
                self._connection = self._open_with_room()
                self._file = self._file_now()
            except (sqlite3.Error, OSError) as error:
                raise OutboxUnavailable(f"{path}: {error}") from error
            sync_folder(path.parent)
        except BaseException:
            self._owner.release()
            raise
        start_over_in_child(self)

    def start_over(self) -> None:
        """In a forked child: never touch the connection again, not even to close it."""
        if self._connection is not None:
            # Closing it here would roll the parent's transaction back. It is leaked on purpose.
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._connection))
        if not self._closed:
            self._owner.abandon()
        self._forked = True
        self._lock = threading.Lock()

    def write(
        self, work: Callable[[sqlite3.Connection], _Result], *, survives_reload: bool = False
    ) -> _Result:
        """Do the work in a transaction, and return when that is on stable storage.

        `work` may raise an `OutboxError` before it has written anything; then the rest of the transaction
        goes on without it. Where a commit failed and was done after all, the result counts only if it
        `survives_reload`: if it does not hang on the memory of before.
        """
        if self._forked:
            raise ForkedOutboxError
        job = _Job(work, survives_reload=survives_reload)
        self._waiting.append(job)  # type: ignore[arg-type]
        with self._lock:
            if not job.settled:
                self._commit_all()
        return job.outcome()

    def read(self, work: Callable[[sqlite3.Connection], _Result]) -> _Result:
        """Do the work outside a transaction: what reads, and what SQLite does in one of its own."""
        if self._forked:
            raise ForkedOutboxError
        with self._lock:
            connection = self._ready()
            try:
                return work(connection)
            except sqlite3.Error as error:
                self._abandon_handle()
                raise OutboxUnavailable(f"{self.path}: {error}") from error

    def close(self, last: Callable[[sqlite3.Connection], None]) -> None:
        """Write the last thing, close the file and give up the lock. A second call does nothing."""
        if self._forked:
            return
        with self._lock:
            if self._closed:
                return
            try:
                connection = self._ready()
                connection.execute("BEGIN IMMEDIATE")
                last(connection)
                connection.execute("COMMIT")
            except (sqlite3.Error, OutboxUnavailable) as error:
                _log.warning("the outbox %s could not be closed in order: %s", self.path, error)
            self._abandon_handle()
            self._closed = True
            self._owner.release()

    def _ready(self) -> sqlite3.Connection:
        """The connection, opened anew where the last one is dead. The lock is held."""
        if self._closed:
            raise OutboxUnavailable("it is closed; open it again")
        if not self._owner.is_in_place():
            raise OutboxUnavailable(
                f"the lock file of {self.path} was taken away, so another process may own it now; close it"
                " and open it again"
            )
        if self._connection is None:
            try:
                self._refuse_another_file()
                self._connection = self._open_with_room()
            except (sqlite3.Error, ConfigurationError, OSError) as error:
                raise OutboxUnavailable(f"{self.path} cannot be opened again: {error}") from error
            unseen, self._unseen = self._unseen, None
            if unseen is not None:
                self._content.committed(done=self._content.last_transaction() == unseen)
        return self._connection

    def look_for_the_file(self) -> None:
        """Raise `OutboxUnavailable` where the file was taken away: what is written then would be gone."""
        with self._lock:
            try:
                self._refuse_another_file()
            except OSError as error:
                self._abandon_handle()
                raise OutboxUnavailable(str(error)) from error

    def _refuse_another_file(self) -> None:
        if self._file_now() != self._file:
            raise FileNotFoundError(f"{self.path} is another file than the one that was opened")

    def _file_now(self) -> tuple[int, int]:
        found = self.path.stat()
        return found.st_dev, found.st_ino

    def _commit_all(self) -> None:
        """Commit for all who wait. The lock is held."""
        jobs = [self._waiting.popleft() for _ in range(len(self._waiting))]
        try:
            self._commit(jobs)
        finally:
            for job in jobs:
                if not job.settled:  # an interrupt came in between
                    job.fail(EnqueueOutcomeUnknown("the commit was interrupted"))

    def _commit(self, jobs: list[_Job[object]]) -> None:
        number = None
        try:
            connection = self._ready()
            connection.execute("BEGIN IMMEDIATE")
            for job in jobs:
                job.run(connection)
            number = self._content.finish(connection)
            connection.execute("COMMIT")
        except OutboxUnavailable as error:
            for job in jobs:
                job.fail(error)
        except BaseException as error:
            self._settle(jobs, error, number)
            if not isinstance(error, Exception):  # an interrupt of the thread that commits
                raise
        else:
            self._content.committed(done=True)
            for job in jobs:
                job.settled = True

    def _settle(self, jobs: list[_Job[object]], error: BaseException, number: int | None) -> None:
        """Open the file anew after a failure, find out whether the commit was done, and tell the callers."""
        _log.warning("the outbox %s failed and is opened anew: %s", self.path, error)
        self._abandon_handle()
        full = isinstance(error, sqlite3.Error) and _FULL in str(error)
        if full:
            self.ballast.drop()
        reason = f"{self.path}: {str(error) or type(error).__name__}"
        failure: OutboxError = OutboxFull(reason) if full else OutboxUnavailable(reason)
        done = False
        try:
            self._ready()
            done = number is not None and self._content.last_transaction() == number
        except OutboxUnavailable as second:
            if number is not None:
                failure = EnqueueOutcomeUnknown(second.reason)
                self._unseen = number
        if self._unseen is None:
            self._content.committed(done=done)
        for job in jobs:
            if done and job.survives_reload:
                job.settled = True
            elif not job.settled:
                job.fail(failure)

    def _abandon_handle(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.close()
            except sqlite3.Error as error:
                _log.warning("the outbox %s: closing a broken handle failed: %s", self.path, error)

    def _open_with_room(self) -> sqlite3.Connection:
        """Open it; where the disk is full, with the ballast's room."""
        try:
            return self._open()
        except sqlite3.Error as error:
            if _FULL not in str(error):
                raise
            self.ballast.drop()
            return self._open()

    def _open(self) -> sqlite3.Connection:
        """Connect, set everything and read it back, look the file over, load the memory."""
        new = not self.path.exists()
        if new:
            self.path.touch(mode=0o600)
        # No statement cache: with one, Python 3.12 and later gave wrong results in rare cases.
        connection = sqlite3.connect(
            self.path, isolation_level=None, check_same_thread=False, cached_statements=0
        )
        try:
            connection.execute(f"PRAGMA auto_vacuum={_AUTO_VACUUM_INCREMENTAL}")
            mode = journal_mode(sqlite3.sqlite_version_info)
            set_to: dict[str, object] = {
                "journal_mode": connection.execute(f"PRAGMA journal_mode={mode}").fetchone()[0]
            }
            wanted: dict[str, object] = {"journal_mode": mode}
            for name, value in _SETTINGS.items():
                connection.execute(f"PRAGMA {name}={value}")
                set_to[name] = connection.execute(f"PRAGMA {name}").fetchone()[0]
                wanted[name] = value
            _refuse_other_settings(set_to, wanted)
            connection.execute("BEGIN IMMEDIATE")
            self._check(connection)
            self._content.load(connection)
            connection.execute("COMMIT")
        except BaseException:
            connection.close()
            raise
        return connection

    def _check(self, connection: sqlite3.Connection) -> None:
        application, version = (
            connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")
        )
        empty = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
        if empty and (application, version) == (0, 0):
            connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
        elif application != APPLICATION_ID:
            raise ConfigurationError([f"{self.path} is an SQLite file, but no outbox"])
        elif version != SCHEMA_VERSION:
            raise ConfigurationError(
                [f"{self.path} is an outbox of version {version}; this library knows {SCHEMA_VERSION}"]
            )


def _refuse_other_settings(found: dict[str, object], wanted: dict[str, object]) -> None:
    if found != wanted:
        raise ConfigurationError(
            [
                f"this SQLite does not take the setting {name}={value}"
                for name, value in wanted.items()
                if found[name] != value
            ]
        )
