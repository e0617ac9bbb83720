"""The store: one connection to accept and to look, one to send. Neither waits for the other's locks."""

import logging
import random
import time
from collections.abc import Callable, Sequence
from functools import partial

import psycopg

from ...errors import Fault, OutboxUnavailable, ValidationError
from ...secrets import Secret
from ..store import (
    Attempt,
    Counts,
    DeadLetter,
    EventKind,
    NewEvent,
    Outcome,
    Receipt,
    StoredEvent,
    Want,
)
from . import _events, _totals
from ._accept import Acceptor
from ._leases import LEASE_SECONDS
from ._schema import ROOMS
from ._sending import POLL_SECONDS, Sending
from ._session import AGAIN, IDLE_SECONDS, Session
from ._totals import Delta, Totals
from ._watch import Watch

LEDGER_SECONDS = 7 * 24 * 3600.0
LEDGER_ROWS = 2_000_000
_COUNTS_SECONDS = 1.0
_FORGET_SECONDS = 10.0
_PAGE = 5000
_FORGET_LOCK = 0x43584F44
_log = logging.getLogger(__name__)


class PostgresStore:
    """A `Store` in a PostgreSQL database. `url` is a libpq URL; its password is shown nowhere.

    Raises `ConfigurationError` where the URL, the server's settings or the tables will not do, and
    `OutboxUnavailable` where the server cannot be reached. `lease_seconds`: how long a lane stays with a
    process that says nothing more; it lasts longer where a request may take more than a third of it.
    `ledger_seconds` and `ledger_rows` bound how long keys of delivered events are remembered.
    """

    poll_seconds = POLL_SECONDS

    def __init__(
        self,
        url: str,
        *,
        lease_seconds: float = LEASE_SECONDS,
        ledger_seconds: float = LEDGER_SECONDS,
        ledger_rows: int = LEDGER_ROWS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        secret = Secret(url)
        room = random.randrange(ROOMS)  # noqa: S311 - to spread, not to hide
        self._ledger_seconds, self._ledger_rows = ledger_seconds, ledger_rows
        self._monotonic = monotonic
        self._room = room
        self._totals = Totals()
        self._front = Session(secret)
        sending = Session(secret, idle_seconds=min(IDLE_SECONDS, lease_seconds / 4))
        self._sending = Sending(sending, self._totals, room, lease_seconds=lease_seconds, monotonic=monotonic)
        self._acceptor = Acceptor(self._front, room, self._added)
        self._forgotten = monotonic()
        self._streams_seen = ""
        try:
            self._ask()
        except BaseException:
            self._front.close()
            raise

    @classmethod
    def open(cls, url: str) -> "PostgresStore":
        """The store at a URL, as `Outbox.open` makes it."""
        return cls(url)

    def _added(self, delta: Delta) -> None:
        if delta:
            self._totals.add(delta)
            self._sending.wake()

    def _ask(self) -> None:
        self._totals.replace(self._front.read(_totals.read), self._monotonic())

    def accept(self, events: Sequence[NewEvent], accepted_at: float) -> list[Receipt]:
        """See `Store`. Raises `ValidationError` too, where a name holds NUL, which PostgreSQL cannot keep."""
        for event in events:
            if "\0" in event.stream:
                raise ValidationError(
                    event.kind, [Fault("$", "the character NUL in a name", "a name without it")]
                )
        return self._acceptor.accept(events, accepted_at) if events else []

    def advance(self, outcomes: Sequence[Outcome], wants: Sequence[Want], now: float) -> Attempt | None:
        """See `Store`."""
        return self._sending.advance(outcomes, wants, now)

    def counts(self) -> Counts:
        """See `Store`. Where the server is away or busy: as it was known last."""
        if self._totals.age(self._monotonic()) > _COUNTS_SECONDS and self._front.lock.acquire(blocking=False):
            try:
                self._ask()
            except OutboxUnavailable as error:
                _log.info("the counters are old: %s", error)
            finally:
                self._front.lock.release()
        return self._totals.counts()

    def watch(self) -> Watch:
        """See `Store`."""
        return Watch(self._front, self._monotonic)

    def upkeep(self, now: float, wall: float) -> None:  # noqa: ARG002 - the server has a clock
        """See `Store`."""
        self._sending.upkeep()
        if self._monotonic() - self._forgotten < _FORGET_SECONDS:
            return
        self._forgotten = self._monotonic()

        def forget(connection: psycopg.Connection) -> str:
            row = connection.execute("SELECT pg_try_advisory_xact_lock(%s)", (_FORGET_LOCK,)).fetchone()
            if row != (True,):  # another process does it
                return self._streams_seen
            return _events.forget_old(
                connection, self._ledger_seconds, self._ledger_rows, self._streams_seen, _PAGE
            )

        self._streams_seen = self._front.transaction(forget, again=AGAIN)

    def pending(self, *, kind: EventKind, after: int = 0, limit: int = 100) -> list[StoredEvent]:
        """See `Store`."""
        return self._front.read(lambda connection: _events.pending(connection, kind, after, limit))

    def dead_letters(self, *, after: int = 0, limit: int = 100) -> list[tuple[int, DeadLetter]]:
        """See `Store`."""
        return self._front.read(lambda connection: _events.dead_letters(connection, after, limit))

    def find(self, event_id: str) -> StoredEvent | DeadLetter | None:
        """See `Store`."""
        letter = self._front.read(lambda connection: _events.find_dead(connection, event_id))
        after: int | None = 0
        found: StoredEvent | None = None
        while (
            letter is None and found is None and after is not None
        ):  # in pages, for others wait for the lock
            page = partial(_events.find_pending, event_id=event_id, after=after, most=_PAGE)
            found, after = self._front.read(page)
        return letter or found

    def requeue(self, event_ids: Sequence[str], accepted_at: float) -> int:
        """See `Store`."""
        return self._change(lambda connection: _events.requeue(connection, event_ids, accepted_at))

    def purge(self, event_ids: Sequence[str]) -> int:
        """See `Store`."""
        return self._change(lambda connection: _events.purge(connection, event_ids))

    def forget(self, stream: str) -> int:
        """See `Store`."""
        mark = self._front.read(partial(_events.last_of_stream, stream=stream))
        gone = self._in_pages(partial(_events.discard, stream=stream, mark=mark))
        gone += self._in_pages(partial(_events.discard_letters, stream=stream))
        self._in_pages(partial(_events.discard_keys, stream=stream))
        self._change(partial(_events.discard_stream, stream=stream))
        return gone

    def _in_pages(self, work: Callable[..., tuple[int, Delta]]) -> int:
        """Do the work so often, on some rows at a time, that none is left.

        A page that is not full is not the last: another process may have taken some of its rows meanwhile.
        """
        done = 0
        while some := self._change(partial(work, most=_PAGE)):
            done += some
        return done

    def _change(self, work: Callable[[psycopg.Connection], tuple[int, Delta]]) -> int:
        def counted(connection: psycopg.Connection) -> tuple[int, Delta]:
            done, delta = work(connection)
            _totals.write(connection, self._room, delta)
            return done, delta

        done, delta = self._front.transaction(counted, again=AGAIN)
        self._added(delta)
        return done

    def close(self) -> None:
        """See `Store`. Another process may go on with its lanes at once."""
        self._sending.close()
        self._front.close()
