"""DurableSender: the threads that move events from an outbox to CXone."""

import logging
import random
import threading
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import closing, contextmanager
from types import TracebackType
from typing import Literal

from .._calls import Operation
from .._fork import start_over_in_child
from ..client import WfmClient
from ..errors import (
    APIError,
    ConfigurationError,
    ForkedOutboxError,
    OutboxUnavailable,
    TransportError,
)
from .dispatch import Dispatcher
from .health import FlushResult, SenderCounters, SenderHealth
from .identity import EventRecord
from .outbox import ENQUEUE_SECONDS, Outbox
from .store import KINDS, Again, Attempt, EventKind, Outcome, Receipt, Watch
from .telemetry import Observer, Observers

WORKERS = 4
CLOSE_SECONDS = 5.0
UPKEEP_SECONDS = 1.0
_STORE_PAUSE = 0.5
_GRACE = 1.0
_OPERATIONS: dict[EventKind, Operation] = {
    "agent_state": "agent_states",
    "agent_activity_report": "agent_activity_report",
    "historical_report": "historical_report",
}
_NAMESPACE = uuid.UUID("6f8c7a1e-3a0b-5b0e-9a56-2c1d3b7e4f90")
_log = logging.getLogger(__name__)


class DurableSender:
    """Delivers what the outbox accepted, and accepts more. Use it in a `with` block, or start and close it.

    `workers`: so many requests at once at most, each in a thread of its own. A state's or a report's request
    carries its bytes as they were accepted, and the same X-Request-Id each time it is tried. `observer`
    is told of every request and, each second, of the counters; OpenTelemetry is told by itself where its
    API package is installed.
    """

    def __init__(
        self,
        wfm: WfmClient,
        outbox: Outbox,
        *,
        workers: int = WORKERS,
        observer: Observer | None = None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        if type(workers) is not int or workers < 1:
            raise ConfigurationError([f"workers is {workers!r}; it must be a whole number of at least 1"])
        self.outbox = outbox
        self._store = outbox.store
        self._calls = wfm.auth.calls_for(wfm.config)
        self._clock = self._calls.clock
        self._request_seconds = wfm.config.timeouts.total
        self._workers = workers
        self._dispatcher = Dispatcher(wfm.config, workers, chance)
        self._observers = Observers.of(wfm.config, observer)
        self._set_up_locks()
        self._stopped = threading.Event()
        self._threads: list[threading.Thread] = []
        self._state: Literal["new", "running", "closing", "stopping", "closed", "forked"] = "new"
        self._requests = self._failures = self._recorded = self._waiters = 0
        self._store_trouble = self._upkeep_trouble = ""
        outbox.listen(self._wake)
        start_over_in_child(self)

    def __enter__(self) -> "DurableSender":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._state == "forked":  # a child that leaves the block by its own end: that must not be hidden
            return
        try:
            self.close()
        except OutboxUnavailable as unavailable:
            if error is None:
                raise
            _log.warning("the sender is closed; what is pending is not known: %s", unavailable)

    def _set_up_locks(self) -> None:
        self._one_closes = threading.RLock()
        self._lock = threading.RLock()
        self._work_came = threading.Condition(self._lock)
        self._work_done = threading.Condition(self._lock)

    def start_over(self) -> None:
        """In a forked child: there are no threads here, and the outbox is the parent's."""
        self._set_up_locks()
        self._threads = []
        self._state = "forked"

    def start(self) -> None:
        """Begin to send."""
        self._refuse_in_child()
        if self._state != "new":
            raise RuntimeError("this sender was started already; make a new one")
        self._state = "running"
        work = [(self._work, f"cxone-wfm-outbox-{number}") for number in range(self._workers)]
        for target, name in [*work, (self._upkeep, "cxone-wfm-outbox-upkeep")]:
            thread = threading.Thread(target=target, name=name, daemon=True)
            self._threads.append(thread)
            thread.start()

    def enqueue(
        self, record: EventRecord, *, dedupe_key: str | None = None, timeout: float = ENQUEUE_SECONDS
    ) -> Receipt:
        """As `Outbox.enqueue`. Refused with `OutboxUnavailable` once the sender is closed."""
        self._refuse_after_close()
        return self.outbox.enqueue(record, dedupe_key=dedupe_key, timeout=timeout)

    def enqueue_many(
        self, records: Iterable[EventRecord], *, timeout: float = ENQUEUE_SECONDS
    ) -> list[Receipt]:
        """As `Outbox.enqueue_many`. Refused with `OutboxUnavailable` once the sender is closed."""
        self._refuse_after_close()
        return self.outbox.enqueue_many(records, timeout=timeout)

    def flush(self, timeout: float) -> FlushResult:
        """Wait until everything that is pending now is delivered or dead, at most `timeout` seconds.

        What is accepted meanwhile does not count, so this ends under a constant load.
        """
        self._refuse_in_child()
        with closing(self._store.watch()) as watch:
            self._wait(watch, timeout)
            return _result(watch)

    def close(self, timeout: float = CLOSE_SECONDS) -> FlushResult:
        """Accept no more, go on sending for at most `timeout` seconds while something is pending, then stop.

        Requests on their way may end within their own time limit (`timeouts.total`) and are recorded. What is
        still pending stays in the outbox. A second call does nothing more. The outbox stays open.
        """
        self._refuse_in_child()
        with self._one_closes:
            try:
                with closing(self._store.watch()) as watch:
                    if self._state == "running":
                        self._state = "closing"
                        self._wait(watch, timeout)
                    self._stop()
                    return _result(watch)
            finally:
                self._stop()

    def _wait(self, watch: Watch, timeout: float) -> None:
        seen = self._recorded

        def has_news() -> bool:
            return self._recorded != seen or self._state == "closed"

        deadline = self._clock.monotonic() + timeout
        with self._hurried():
            while watch.tally().pending:  # it may ask a server: the workers must not wait for that
                left = deadline - self._clock.monotonic()
                if left <= 0 or self._state == "closed":
                    break
                with self._lock:
                    self._work_done.wait_for(has_news, min(left, self._store.poll_seconds))
                    seen = self._recorded

    @contextmanager
    def _hurried(self) -> Iterator[None]:
        """Somebody waits: nothing is gathered meanwhile."""
        with self._lock:
            self._waiters += 1
            self._work_came.notify_all()
        try:
            yield
        finally:
            with self._lock:
                self._waiters -= 1

    def _stop(self) -> None:
        """Let the requests on their way end, and the threads."""
        with self._lock:
            self._state = "closed" if self._state in {"new", "closed"} else "stopping"
            self._work_came.notify_all()
        self._stopped.set()
        end = self._clock.monotonic() + self._request_seconds + _GRACE
        for thread in self._threads:
            thread.join(max(0.0, end - self._clock.monotonic()))
        with self._lock:
            self._state = "closed"
            self._work_came.notify_all()
            self._work_done.notify_all()

    def health(self) -> SenderHealth:
        """How it is, in one word and in sentences."""
        with self._lock:
            found = [
                (breaker.blocked, f"{kind}: {breaker.cause}")
                for kind, breaker in self._dispatcher.breakers.items()
                if breaker.cause
            ]
            if self._store_trouble:
                found.append((True, f"the outbox: {self._store_trouble}"))
            if self._upkeep_trouble:
                found.append((False, f"upkeep of the outbox fails: {self._upkeep_trouble}"))
        counts = self._store.counts()
        if reason := self.outbox.why_full():
            found.append((True, f"nothing more is accepted: {reason}"))
        if counts.dead.items:
            found.append((False, f"{counts.dead.items} dead letters wait to be requeued or purged"))
        if self._state != "running":
            found.append((True, f"the sender does not run: it is {self._state}"))
        causes = tuple(sentence for _, sentence in found)
        if any(blocked for blocked, _ in found):
            return SenderHealth(status="blocked", causes=causes)
        return SenderHealth(status="degraded" if found else "ok", causes=causes)

    def counters(self) -> SenderCounters:
        """What went in and out."""
        counts = self._store.counts()
        firsts = [event for kind in KINDS for event in self._store.pending(kind=kind, limit=1)]
        oldest = min((event.accepted_at for event in firsts), default=None)
        return SenderCounters(
            accepted=counts.accepted,
            delivered=counts.delivered,
            possibly_duplicated=counts.possibly_duplicated,
            purged=counts.purged,
            pending=counts.pending,
            dead=counts.dead,
            parked=counts.parked,
            oldest_pending_seconds=None if oldest is None else max(0.0, self.outbox.wall() - oldest),
            requests=self._requests,
            failures=self._failures,
        )

    # The threads

    def _work(self) -> None:
        """Send attempt after attempt, recording each with the giving out of the next."""
        outcomes: list[Outcome] = []
        while (attempt := self._next(outcomes)) is not None:
            outcomes = [self._outcome(attempt)]

    def _next(self, outcomes: list[Outcome]) -> Attempt | None:
        """Record the outcomes, and wait for the next attempt; None when it is time to stop."""
        while True:
            outcomes += self.outbox.take_unrecorded()
            now = self._clock.monotonic()
            with self._lock:
                going_on = self._state in {"running", "closing"}
                wants = self._dispatcher.wants(now, hurry=self._waiters > 0) if going_on else []
            attempt, recorded = None, False
            try:
                attempt = self._store.advance(outcomes, wants, now)
                recorded = True
            except Exception as error:  # noqa: BLE001 - a worker that dies in silence sends nothing for ever
                trouble = str(error) or type(error).__name__
            with self._lock:
                self._store_trouble = "" if recorded else trouble
                others_may = self._dispatcher.gave(wants, attempt, now)
                if others_may or attempt is not None:
                    self._work_came.notify()
                if recorded and outcomes:
                    self._recorded += 1
                    self._work_done.notify_all()
            if recorded and outcomes:
                self.outbox.made_room()
                outcomes = []
            if attempt is not None:
                return attempt
            if not going_on and (not outcomes or self._state == "closed"):
                self.outbox.keep_unrecorded(outcomes)
                return None
            with self._lock:
                pause = self._store.poll_seconds if recorded else _STORE_PAUSE
                self._work_came.wait(min(pause, self._dispatcher.gathers(now) or pause))

    def _outcome(self, attempt: Attempt) -> Outcome:
        """Send it once. Whatever happens, there is an outcome: else its streams would wait for ever."""
        try:
            return self._send(attempt)
        except Exception:  # noqa: BLE001 - whatever it is, the events are tried again
            _log.exception("what came of a request could not be judged; it is tried again")
        ids = tuple(event.event_id for event in attempt.events)
        again = Again(event_ids=ids, not_before=self._clock.monotonic() + _STORE_PAUSE)
        return Outcome(attempt=attempt, again=(again,), unknown=True, at=self.outbox.wall())

    def _send(self, attempt: Attempt) -> Outcome:
        """Send it once, and judge what came of it."""
        with self._lock:
            unsent = self._dispatcher.before(attempt, self._clock.monotonic(), self.outbox.wall())
        if unsent is not None:
            self._observers.tried(unsent, None, None)
            return unsent
        began = self._clock.monotonic()
        failure = self._try(attempt)
        seconds = self._clock.monotonic() - began
        with self._lock:
            self._requests += 1
            self._failures += failure is not None
            breaker = self._dispatcher.breakers[attempt.kind]
            was_open = bool(breaker.cause)
            outcome = self._dispatcher.judge(attempt, failure, self._clock.monotonic(), self.outbox.wall())
            if breaker.cause and not was_open:
                _log.warning("%s: sending stopped for now: %s", attempt.kind, breaker.cause)
            elif was_open and not breaker.cause:
                _log.warning("%s: sending goes on", attempt.kind)
        self._observers.tried(outcome, failure, seconds)
        return outcome

    def _try(self, attempt: Attempt) -> Exception | None:
        try:
            self._calls.make(
                _OPERATIONS[attempt.kind], _body(attempt), attempts=1, request_id=_request_id(attempt)
            )
        except (TransportError, APIError) as error:
            _log.info("try %d of %d events failed: %s", attempt.tries, len(attempt.events), error)
            return error
        except Exception as error:  # noqa: BLE001 - a worker that dies in silence sends nothing for ever
            _log.exception("a request of the outbox failed in an unforeseen way; it is tried again")
            return error
        return None

    def _upkeep(self) -> None:
        while not self._stopped.wait(UPKEEP_SECONDS):
            trouble = ""
            try:
                self._store.upkeep(self._clock.monotonic(), self.outbox.wall())
                self._observers.counted(self.counters)
            except Exception as error:  # noqa: BLE001 - without upkeep a lease or the disk's room would be lost
                trouble = str(error) or type(error).__name__
                _log.warning("upkeep of the outbox failed; it is tried again: %s", trouble)
            self._upkeep_trouble = trouble

    def _wake(self, kinds: Collection[EventKind]) -> None:
        with self._lock:
            if any(self._dispatcher.may_send(kind, self._clock.monotonic()) for kind in kinds):
                self._work_came.notify()

    def _refuse_in_child(self) -> None:
        if self._state == "forked":
            raise ForkedOutboxError

    def _refuse_after_close(self) -> None:
        self._refuse_in_child()
        if self._state in {"closing", "stopping", "closed"}:
            raise OutboxUnavailable("this sender is closed")


def _result(watch: Watch) -> FlushResult:
    tally = watch.tally()
    return FlushResult(
        delivered=tally.delivered, pending=tally.pending, dead=tally.dead, timed_out=tally.pending > 0
    )


def _body(attempt: Attempt) -> bytes:
    """The bytes that were accepted; of states, so many in one list."""
    payloads = [event.payload for event in attempt.events]
    if attempt.kind != "agent_state":
        return payloads[0]
    return b'{"agentStateList":[%s]}' % b",".join(payloads)


def _request_id(attempt: Attempt) -> str:
    """The same for the same events: the event's own id, or one made from all of theirs."""
    ids = [event.event_id for event in attempt.events]
    return ids[0] if len(ids) == 1 else str(uuid.uuid5(_NAMESPACE, ",".join(ids)))
