"""Outbox: takes records, and returns when they are on stable storage."""

import logging
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType

from attrs import evolve

from .._fork import start_over_in_child
from .._http import Clock, SystemClock
from ..errors import EnqueueOutcomeUnknown, ForkedOutboxError, OutboxFull, OutboxUnavailable
from ._place import file_of, server_of
from .identity import EventRecord, new_event, new_events
from .limits import Limits, Need, bound_met, level, used
from .sqlite import SqliteStore
from .store import KINDS, Counts, DeadLetter, EventKind, NewEvent, Outcome, Receipt, Store, StoredEvent

ENQUEUE_SECONDS = 5.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 0.5
_HIGH_WATER = 0.8
_SMALLEST = Need(1, 1, 1, 1)
_log = logging.getLogger(__name__)


class Outbox:
    """Accepts records for delivery. `Outbox.open` makes one. Thread-safe.

    `store` is where events are kept. `wall` gives seconds since 1970, for the times that people read.
    `on_high_water(share)` is called, in a thread that enqueues, when 80 % of a bound are passed, and again
    only after it fell below. The records are accepted by then: what it raises is logged, and no more.
    """

    def __init__(
        self,
        store: Store,
        *,
        limits: Limits | None = None,
        folder: Path | None = None,
        clock: Clock | None = None,
        wall: Callable[[], float] = time.time,
        on_high_water: Callable[[float], object] | None = None,
    ) -> None:
        self.store = store
        self.limits = Limits() if limits is None else limits
        self.clock = SystemClock() if clock is None else clock
        self.wall = wall
        self._folder = folder
        self._on_high_water = on_high_water
        self._above = False
        self._listeners: list[Callable[[Collection[EventKind]], object]] = []
        self._closed = self._forked = False
        self._changed = threading.Condition()
        self._coming = Need()
        self._next = _SMALLEST
        """What the next event is taken to need: what was refused last, until something is accepted."""
        self._refusal: str | None = None
        self._unrecorded: list[Outcome] = []
        start_over_in_child(self)

    @classmethod
    def open(
        cls,
        url: str | Path,
        *,
        limits: Limits | None = None,
        on_high_water: Callable[[float], object] | None = None,
    ) -> "Outbox":
        """Open an outbox: a path is an SQLite file, `postgresql://...` a PostgreSQL database.

        The file is made where it is missing. Raises `OutboxLockedError` where another process has the file
        open, `ConfigurationError` where the place or the server will not do or the URL is of another kind,
        `OutboxUnavailable` where it cannot be read.
        """
        limits = Limits() if limits is None else limits
        if server := server_of(url):
            from .postgres import PostgresStore  # here, for it needs an extra  # noqa: PLC0415

            return cls(PostgresStore.open(server), limits=limits, on_high_water=on_high_water)
        store = SqliteStore(file_of(url), ballast_bytes=limits.ballast_bytes)
        return cls(store, limits=limits, folder=store.path.parent, on_high_water=on_high_water)

    def __enter__(self) -> "Outbox":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def start_over(self) -> None:
        """In a forked child: refuse everything."""
        self._changed = threading.Condition()
        self._coming = Need()
        self._forked = True

    def close(self) -> None:
        """Let go of the file or the connection. What is pending stays there. A second call does nothing."""
        self._closed = True
        self.store.close()

    def enqueue(
        self, record: EventRecord, *, dedupe_key: str | None = None, timeout: float = ENQUEUE_SECONDS
    ) -> Receipt:
        """Accept one record. When this returns, it is on stable storage: it will be delivered or found dead.

        `dedupe_key`: a name of the event of your own, instead of what the record says. `timeout`: seconds to
        wait for room, or for a store that fails. A sync that has begun is waited for, however slow the disk.

        Raises `OutboxFull` or `OutboxUnavailable` after that time: it was not accepted.
        `EnqueueOutcomeUnknown`: enqueue it again. `ConflictingDuplicateError`: the key is known with other
        data. `TypeError`: this is no record that can be delivered later, or the key is no text.
        """
        return self._accept([new_event(record, dedupe_key)], timeout)[0]

    def enqueue_many(
        self, records: Iterable[EventRecord], *, timeout: float = ENQUEUE_SECONDS
    ) -> list[Receipt]:
        """Accept records in their order, all or none, with one commit. Raises what `enqueue` raises."""
        return self._accept(new_events(records), timeout)

    def counts(self) -> Counts:
        """How the store stands."""
        self._refuse_in_child()
        return self.store.counts()

    def find(self, event_id: str) -> StoredEvent | DeadLetter | None:
        """The pending or dead event with this id; None where it was delivered, purged or never accepted."""
        return self.store.find(event_id)

    def dead_letters(self) -> Iterator[DeadLetter]:
        """All dead letters, in the order of their deaths."""
        after = 0
        while page := self.store.dead_letters(after=after):
            after = page[-1][0]
            yield from (letter for _, letter in page)

    def requeue(self, event_ids: Iterable[str]) -> int:
        """Put dead letters at the ends of their streams, maybe after newer events. Gives how many."""
        done = self.store.requeue(list(event_ids), self.wall())
        if done:
            _log.warning("%d dead letters were put at the ends of their streams", done)
            self._tell(KINDS)
        return done

    def purge(self, event_ids: Iterable[str]) -> int:
        """Delete dead letters for good. Gives how many."""
        done = self.store.purge(list(event_ids))
        self.made_room()
        return done

    def forget(self, stream: str) -> int:
        """Delete all that is kept of a stream, for data-protection requests. Gives how many events.

        Events that are being sent, or wait to be tried again, stay, and the stream's name with them: call
        again later. Then its numbers begin at 1 again. The stream of an agent is `state:{acd_id}:{login_id}`.
        Reports, which may name agents too, are in streams of their own and stay.
        """
        done = self.store.forget(stream)
        self.made_room()
        return done

    # For the sender

    def listen(self, listener: Callable[[Collection[EventKind]], object]) -> None:
        """Call it after each acceptance of something new, with the kinds that it may be of."""
        self._listeners.append(listener)

    def made_room(self) -> None:
        """Events have left the store: who waits for room may look again."""
        with self._changed:
            self._changed.notify_all()

    def keep_unrecorded(self, outcomes: Sequence[Outcome]) -> None:
        """A sender that ends could not record these, for the store failed: the next one does it.

        Until then their events count as being sent, and their streams wait.
        """
        with self._changed:
            self._unrecorded += outcomes

    def take_unrecorded(self) -> list[Outcome]:
        """What a sender that ended could not record. Whoever takes it records it or keeps it again."""
        with self._changed:
            taken, self._unrecorded = self._unrecorded, []
        return taken

    def why_full(self) -> str | None:
        """Why one more event would be refused, in words; None where there is no reason known.

        Where the store refused the last one, its reason stays until it accepts one.
        """
        total = used(self.counts()) + self._next
        try:
            return bound_met(total, self.limits, self._folder, states=True) or self._refusal
        except OutboxUnavailable as error:
            return error.reason

    # Acceptance

    def _accept(self, events: Sequence[NewEvent], timeout: float) -> list[Receipt]:
        deadline = self.clock.monotonic() + timeout
        pause, unknown = _FIRST_PAUSE, False
        while events:
            failure, receipts = self._try(events)
            if failure is None:
                return receipts
            unknown = unknown or isinstance(failure, EnqueueOutcomeUnknown)
            left = deadline - self.clock.monotonic()
            if self._closed or left <= 0:
                raise EnqueueOutcomeUnknown(failure.reason) if unknown else failure
            with self._changed:
                self._changed.wait(min(pause, left))
            pause = min(2 * pause, _LONGEST_PAUSE)
        return []

    def _try(self, events: Sequence[NewEvent]) -> tuple[OutboxFull | OutboxUnavailable | None, list[Receipt]]:
        """Accept the events if there is room for them now; the receipts, or why not."""
        self._refuse_in_child()
        need = Need.of(events)
        with self._changed:
            total = used(self.store.counts()) + self._coming + need
            try:
                reason = bound_met(total, self.limits, self._folder, states=need.states > 0)
            except OutboxUnavailable as error:
                return error, []
            if reason:
                self._next = Need.of_the_largest(events)
                return OutboxFull(reason), []
            self._coming += need
        try:
            receipts = self.store.accept(events, self.wall())
        except (OutboxUnavailable, OutboxFull) as error:
            self._refusal = f"the last try failed: {error.reason}"
            return error, []
        finally:
            with self._changed:
                self._coming += -need
        self._next, self._refusal = _SMALLEST, None
        self._mind_the_level(level(total, self.limits))
        if any(receipt.duplicate for receipt in receipts):
            # A try that seemed to fail may have been done: then this call's own event comes back as known.
            receipts = [
                evolve(receipt, duplicate=receipt.duplicate and receipt.event_id != event.event_id)
                for receipt, event in zip(receipts, events, strict=True)
            ]
        if not all(receipt.duplicate for receipt in receipts):
            self._tell({event.kind for event in events})
        return None, receipts

    def _refuse_in_child(self) -> None:
        if self._forked:
            raise ForkedOutboxError

    def _tell(self, kinds: Collection[EventKind]) -> None:
        for listener in self._listeners:
            listener(kinds)

    def _mind_the_level(self, share: float) -> None:
        was, self._above = self._above, share >= _HIGH_WATER
        if self._above and not was:
            _log.warning("the outbox is %d %% full", share * 100)
            if self._on_high_water is not None:
                try:
                    self._on_high_water(share)
                except Exception:  # noqa: BLE001 - whatever it is, the records are accepted
                    _log.exception("on_high_water failed; what was enqueued is accepted all the same")
