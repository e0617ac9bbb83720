"""One connection to PostgreSQL: looked over when it is made, made anew after any trouble.

Every statement names its values as parameters. What is wrong is told in words of our own and by the SQLSTATE:
the driver's texts may hold parts of the URL.
"""

import threading
from collections.abc import Callable
from typing import TypeVar

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from ..._fork import start_over_in_child
from ...errors import ConfigurationError, ForkedOutboxError, OutboxError, OutboxUnavailable
from ...secrets import Secret
from . import _schema

LOCK_SECONDS, STATEMENT_SECONDS, IDLE_SECONDS = 3.0, 15.0, 3.0
"""How long a statement may wait for a lock, run, and how long a transaction may stand idle: a frozen process
must not hold the others up. Our choice, as all numbers here."""
AGAIN = 5
"""So often a transaction is tried that met another one."""
_CONNECTION = {
    "application_name": "cxone-wfm outbox",
    "connect_timeout": 3,
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 5000,
    "target_session_attrs": "read-write",
}
"""What a URL may set otherwise."""
_OLDEST_SERVER = 130000
_SETTINGS = {
    # A plan must not hang on what was known of a table when it was empty: it may have a million rows now.
    "plan_cache_mode": "force_custom_plan",
    "enable_seqscan": "off",
    "jit": "off",
    "lock_timeout": f"{LOCK_SECONDS * 1000:.0f}",
    "statement_timeout": f"{STATEMENT_SECONDS * 1000:.0f}",
}
_MET_ANOTHER = (psycopg.errors.DeadlockDetected, psycopg.errors.UniqueViolation)
_Result = TypeVar("_Result")


class CommitUnknown(OutboxUnavailable):
    """The connection broke in the middle of a commit."""


class Session:
    """A connection that is opened when it is needed. `lock` is held while it is used.

    `idle_seconds`: the server ends a transaction that stands idle for longer.
    """

    def __init__(self, url: Secret, *, idle_seconds: float = IDLE_SECONDS) -> None:
        self.lock = threading.RLock()
        self._conninfo = _conninfo(url)
        self._idle_seconds = idle_seconds
        self._connection: psycopg.Connection | None = None
        self._closed = self._forked = False
        start_over_in_child(self)

    def start_over(self) -> None:
        """In a forked child: never touch the connection, which the driver leaves to the parent."""
        self.lock = threading.RLock()
        self._forked = True

    def read(self, work: Callable[[psycopg.Connection], _Result]) -> _Result:
        """Do work that only reads, each statement for itself."""
        with self.lock:
            connection = self._ready()
            try:
                return work(connection)
            except psycopg.Error as error:
                self._abandon()
                raise OutboxUnavailable(in_words(error)) from None

    def transaction(self, work: Callable[[psycopg.Connection], _Result], *, again: int = 1) -> _Result:
        """Do the work in a transaction that is on stable storage on return.

        `again`: so often the work may be done, where it met another transaction. Only the last counts.
        An `OutboxError` of the work ends the transaction without a trace. Raises `CommitUnknown` where the
        connection broke after the commit was asked for, `OutboxUnavailable` for all else.
        """
        with self.lock:
            while True:
                again -= 1
                try:
                    return self._once(work)
                except _MET_ANOTHER as error:
                    if again <= 0:
                        raise OutboxUnavailable(in_words(error)) from None

    def _once(self, work: Callable[[psycopg.Connection], _Result]) -> _Result:
        connection = self._ready()
        committing = False
        try:
            connection.execute("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE", prepare=False)
            result = work(connection)
            committing = True
            connection.execute("COMMIT", prepare=False)
        except (OutboxError, *_MET_ANOTHER):
            self._roll_back(connection)
            raise
        except psycopg.Error as error:
            if committing and error.diag.severity_nonlocalized != "ERROR":
                self._abandon()
                raise CommitUnknown(in_words(error)) from None
            self._roll_back(connection)
            raise OutboxUnavailable(in_words(error)) from None
        except BaseException:
            self._abandon()
            raise
        return result

    def _roll_back(self, connection: psycopg.Connection) -> None:
        try:
            connection.execute("ROLLBACK", prepare=False)
        except psycopg.Error:
            self._abandon()

    def close(self) -> None:
        """Let go of the connection, for good."""
        with self.lock:
            self._closed = True
            if not self._forked:
                self._abandon()

    @property
    def is_open(self) -> bool:
        """Whether there is a connection that may be used: made here, and not found broken."""
        return self._connection is not None and not self._forked

    def _abandon(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def check(self) -> None:
        """Raise what a closed session raises, or one in a forked child."""
        if self._forked:
            raise ForkedOutboxError
        if self._closed:
            raise OutboxUnavailable("it is closed; open it again")

    def _ready(self) -> psycopg.Connection:
        self.check()
        if self._connection is None:
            self._connection = self._connect()
        return self._connection

    def _connect(self) -> psycopg.Connection:
        try:
            connection = psycopg.connect(self._conninfo.reveal(), autocommit=True)
        except psycopg.Error as error:
            raise OutboxUnavailable(in_words(error)) from None
        try:
            self._look_over(connection)
        except BaseException as error:
            connection.close()
            if isinstance(error, psycopg.Error):
                raise OutboxUnavailable(in_words(error)) from None
            raise
        return connection

    def _look_over(self, connection: psycopg.Connection) -> None:
        """Set what we rely on, and refuse a server that would lose what it has confirmed."""
        problems = []
        if connection.info.server_version < _OLDEST_SERVER:
            problems.append("the server is older than PostgreSQL 13")
        row = connection.execute(
            "SELECT current_setting('fsync'), current_setting('server_encoding'),"
            " set_config('synchronous_commit', CASE WHEN current_setting('synchronous_commit')"
            " IN ('on', 'remote_apply') THEN current_setting('synchronous_commit') ELSE 'on' END, false)"
        ).fetchone() or ("", "", "")
        if row[0] != "on":
            problems.append("the server has fsync=off: it may lose what it confirmed")
        if row[1] != "UTF8":
            problems.append(f"the database's encoding is {row[1]}, and it must be UTF8")
        if row[2] not in {"on", "remote_apply"}:
            problems.append("synchronous_commit cannot be switched on")
        if problems:
            raise ConfigurationError([f"PostgreSQL: {problem}" for problem in problems])
        settings = _SETTINGS | {
            "idle_in_transaction_session_timeout": f"{self._idle_seconds * 1000:.0f}",
        }
        connection.execute(
            "SELECT set_config(name, value, false)"
            " FROM unnest(%s::text[], %s::text[]) AS setting (name, value)",
            (list(settings), list(settings.values())),
        )
        _schema.prepare(connection)


def _conninfo(url: Secret) -> Secret:
    """What is given to the driver. Raises `ConfigurationError` where the URL cannot be read."""
    try:
        given = conninfo_to_dict(url.reveal())
        return Secret(make_conninfo(**(_CONNECTION | given), client_encoding="utf8"))  # type: ignore[arg-type]
    except psycopg.Error:  # its text may hold the password
        raise ConfigurationError(
            [
                "the PostgreSQL URL cannot be read; it looks like postgresql://user:password@host:5432/database,"
                " with special characters of user and password percent-encoded"
            ]
        ) from None


def in_words(error: psycopg.Error) -> str:
    """What is wrong, without the driver's text."""
    if error.sqlstate is None:
        return "PostgreSQL cannot be reached or refused the user, or the connection broke"
    return f"PostgreSQL says {type(error).__name__} (SQLSTATE {error.sqlstate})"
