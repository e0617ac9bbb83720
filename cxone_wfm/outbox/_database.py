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
from typing import Generic, Literal, Protocol, TypeVar

from attrs import define, field

from .._fork import start_over_in_child
from ..errors import (
    ConfigurationError,
    EnqueueOutcomeUnknown,
    ForkedOutboxError,
    OutboxError,
    OutboxFull,
    OutboxUnavailable,
)
from ._connection import connect, make_it_ours, refuse_unfit_sqlite
from ._owner import Ballast, OwnerLock, prepare_folder, sync_folder

_FULL = "disk is full"
"""SQLite's words for SQLITE_FULL; Python tells the code only from 3.11 on."""

_Result = TypeVar("_Result")
_log = logging.getLogger(__name__)


class Content(Protocol):
    """What is in the file, and the memory that goes with it."""

    def load(self, connection: sqlite3.Connection, *, told: bool) -> None:
        """Make what is missing, and load the memory from the file, in a transaction.

        `told`: the callers of the last transaction heard how it ended. If not, nobody has what it gave out.
        """
        ...

    def begin(self) -> None:
        """A transaction begins, and the callers of the last one have heard how it ended."""
        ...

    def finish(self, connection: sqlite3.Connection) -> int | None:
        """Write what each transaction writes last. Gives its number, None where nothing hangs on it."""
        ...

    def last_transaction(self) -> int:
        """The number of the last transaction that is in the file, as it was loaded."""
        ...

    def committed(self, *, done: bool) -> None:
        """The transaction is done, or is not in the file. Told late where that could not be seen at once.

        It may be told twice: an interrupt may have come the first time.
        """
        ...


@define
class _Batch:
    """A transaction, and how it ended for all whose parts are in it.

    That it ended is one assignment, so an interrupt comes before or after it. Until then it is in doubt:
    whoever comes next opens the file anew and looks whether it was done.
    """

    end: Literal["in doubt", "done", "found done", "failed"] = "in doubt"
    number: int | None = None
    failure: OutboxError = field(factory=lambda: EnqueueOutcomeUnknown("the commit was interrupted"))


class _Job(Generic[_Result]):
    """One caller's part of a transaction."""

    def __init__(self, work: Callable[[sqlite3.Connection], _Result], *, survives_reload: bool) -> None:
        self.work = work
        self.survives_reload = survives_reload
        self.batch: _Batch | None = None
        self.error: BaseException | None = None
        self.result: list[_Result] = []

    def run(self, connection: sqlite3.Connection) -> None:
        try:
            self.result = [self.work(connection)]
        except OutboxError as error:  # refused before it wrote anything
            self.error = error
        except sqlite3.Error:
            raise
        except Exception as error:
            self.error = error  # it is this caller's, whoever commits for it
            raise

    def outcome(self) -> _Result:
        if self.error is not None:
            raise self.error
        batch = self.batch or _Batch()  # without one, an interrupt came when it was to get one
        if batch.end == "done" or (batch.end == "found done" and self.survives_reload):
            return self.result[0]
        raise batch.failure


class Database:
    """The file. `content` is told when it is opened and of the end of transactions, with the lock held."""

    def __init__(self, path: Path, content: Content, *, ballast_bytes: int) -> None:
        self.path = path
        self._content = content
        self._lock = threading.Lock()
        self._waiting: deque[_Job[object]] = deque()
        self._connection: sqlite3.Connection | None = None
        self._batch = _Batch("done")
        """The last transaction."""
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
            if job.batch is None:
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
        batch = self._batch
        if batch.end == "in doubt":
            self._abandon_handle()
        if self._connection is None:
            try:
                self._refuse_another_file()
                self._connection = self._open_with_room()
            except (sqlite3.Error, ConfigurationError, OSError) as error:
                raise OutboxUnavailable(f"{self.path} cannot be opened again: {error}") from error
        if batch.end == "in doubt":
            done = batch.number is not None and self._content.last_transaction() == batch.number
            self._content.committed(done=done)
            batch.end = "found done" if done else "failed"
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
        batch = _Batch()
        jobs: list[_Job[object]] = []
        while self._waiting:
            job = self._waiting.popleft()
            job.batch = batch
            jobs.append(job)
        try:
            connection = self._ready()
        except OutboxUnavailable as error:
            batch.failure = error
            return
        self._content.begin()
        self._batch = batch
        try:
            connection.execute("BEGIN IMMEDIATE")
            for job in jobs:
                job.run(connection)
            batch.number = self._content.finish(connection)
            connection.execute("COMMIT")
            self._content.committed(done=True)
            batch.end = "done"
        except BaseException as error:
            self._settle(batch, error)
            if not isinstance(error, Exception):  # an interrupt of the thread that commits
                raise

    def _settle(self, batch: _Batch, error: BaseException) -> None:
        """Open the file anew after a failure, and find out whether the commit was done."""
        _log.warning("the outbox %s failed and is opened anew: %s", self.path, error)
        self._abandon_handle()
        full = isinstance(error, sqlite3.Error) and _FULL in str(error)
        if full:
            self.ballast.drop()
        reason = f"{self.path}: {str(error) or type(error).__name__}"
        batch.failure = OutboxFull(reason) if full else OutboxUnavailable(reason)
        try:
            self._ready()
        except OutboxUnavailable as second:
            if batch.number is not None:
                batch.failure = EnqueueOutcomeUnknown(second.reason)

    def _abandon_handle(self) -> None:
        if self._connection is not None:
            try:
                self._connection.close()  # first of all: a handle that is lost keeps the file locked
            except sqlite3.Error as error:
                _log.warning("the outbox %s: closing a broken handle failed: %s", self.path, error)
            self._connection = None

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
        """Connect, look the file over, load the memory."""
        if not self.path.exists():
            self.path.touch(mode=0o600)
        connection = connect(self.path)
        try:
            connection.execute("BEGIN IMMEDIATE")
            make_it_ours(connection, self.path)
            self._content.load(connection, told=self._batch.end != "in doubt")
            connection.execute("COMMIT")
        except BaseException:
            connection.close()
            raise
        return connection
