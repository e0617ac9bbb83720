"""Seeded bugs: what the harness must catch, or it has no teeth. FAULTS_BUG names one for a process.

Each replaces one function of the library, here and only here, with one that has a plausible mistake.
"""

import os
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import attrs

import cxone_wfm._calls
import cxone_wfm._http
import cxone_wfm._sockets
import cxone_wfm._token_cache
import cxone_wfm._transport
from cxone_wfm import OutboxUnavailable, Request, Response, WfmClient
from cxone_wfm.outbox import DurableSender, Limits, Outbox, _connection, _database, _opener, _owner, _window
from cxone_wfm.outbox.sqlite import SqliteStore
from cxone_wfm.outbox.store import Attempt, NewEvent, Outcome, Receipt, Want

BUG = "FAULTS_BUG"


def acknowledge_before_send() -> None:
    """An event counts as delivered from the moment at which it is given out."""
    advance = SqliteStore.advance

    def too_early(
        self: SqliteStore, outcomes: Sequence[Outcome], wants: Sequence[Want], now: float
    ) -> Attempt | None:
        attempt = advance(self, outcomes, wants, now)
        if attempt is not None:
            ids = tuple(event.event_id for event in attempt.events)
            advance(self, [Outcome(attempt=attempt, delivered=ids, at=time.time())], [], now)
        return attempt

    SqliteStore.advance = too_early


def _no_lock(self: _owner.OwnerLock, _: object) -> None:
    self._name = os.devnull
    self._descriptor = os.open(self._name, os.O_RDONLY)


def _own_nothing() -> None:
    """Neither the lock nor the number in the file says who owns it."""
    _owner.OwnerLock.__init__ = _no_lock
    _opener.draw = lambda: 1


def two_senders() -> None:
    """Nobody is kept from opening the file a second time, and a second sender does."""

    _own_nothing()
    start = DurableSender.start

    def start_two(self: DurableSender) -> None:
        start(self)
        if not hasattr(self, "second"):
            path = self.outbox.store.path
            wfm = WfmClient(attrs.evolve(self._dispatcher._config))
            second = DurableSender(wfm, Outbox.open(path, limits=Limits(min_free_bytes=0)))
            self.second = second.second = second
            second.start()

    DurableSender.start = start_two


def unavailable_is_success() -> None:
    """A 503 is taken for success."""
    judge = cxone_wfm._calls._Call._judge

    def mild(self: Any, response: Response, token: Any) -> bytes:
        return b"" if response.status == 503 else judge(self, response, token)

    cxone_wfm._calls._Call._judge = mild


def several_of_an_agent() -> None:
    """A request may hold several states of one agent, so a repeated one goes back in time."""

    def take(self: _window.Window, most: int, most_bytes: int, *, patient: bool) -> list[_window.Row]:
        taken: list[_window.Row] = []
        while len(taken) < most and (more := take_wave(self, most - len(taken), most_bytes, patient=patient)):
            taken += more
            for row in more:
                self.free(row)
        self._busy |= {row.stream for row in taken}
        self._heads = [(place, stream) for place, stream in self._heads if stream not in self._busy]
        return taken

    take_wave = _window.Window.take
    _window.Window.take = take


def careless_sync() -> None:
    """synchronous=NORMAL: a commit may come back before it is on the disk."""
    _connection.SETTINGS["synchronous"] = 1


def no_fencing() -> None:
    """Whoever comes second gets the store too."""
    _own_nothing()


def no_dedupe() -> None:
    """Every event is new."""
    accept = SqliteStore.accept

    def unknown(self: SqliteStore, events: Sequence[NewEvent], accepted_at: float) -> list[Receipt]:
        keys = [uuid.uuid4().bytes + bytes(8) for _ in events]
        new = [event._replace(key=key) for event, key in zip(events, keys, strict=True)]
        return accept(self, new, accepted_at)

    SqliteStore.accept = unknown


def follow_redirects() -> None:
    """A redirect is followed, and the token goes along."""
    send = cxone_wfm._transport.HttpTransport.send

    def follow(self: Any, request: Request, **limits: float) -> Response:
        response = send(self, request, **limits)
        if 300 <= response.status < 400:
            return send(self, attrs.evolve(request, url=response.headers["location"]), **limits)
        return response

    cxone_wfm._transport.HttpTransport.send = follow


def swallow_io_errors() -> None:
    """A commit that failed is taken for one that was done."""

    def nothing_happened(self: _database.Database, batch: Any, *_: object) -> None:
        self._abandon_handle()
        with suppress(OutboxUnavailable):
            self._ready()
        batch.end = "done"

    _database.Database._settle = nothing_happened


def wall_clock() -> None:
    """Deadlines and waits are reckoned with the wall clock."""
    cxone_wfm._http.SystemClock.monotonic = lambda _: time.time()


def fixed_leeway() -> None:
    """A token is renewed two hours before its end, however short its life is."""
    cxone_wfm._token_cache.ADVISORY_SECONDS = cxone_wfm._token_cache.MANDATORY_SECONDS = 7200.0
    cxone_wfm._token_cache.ADVISORY_PART = cxone_wfm._token_cache.MANDATORY_PART = 1000.0


def log_token() -> None:
    """The headers of a request are logged at DEBUG."""
    send = cxone_wfm._transport.HttpTransport.send

    def talkative(self: Any, request: Request, **limits: float) -> Response:
        cxone_wfm._calls._log.debug("Bearer %s", request.token and request.token.reveal())
        return send(self, request, **limits)

    cxone_wfm._transport.HttpTransport.send = talkative


BUGS: dict[str, Callable[[], None]] = {
    each.__name__: each
    for each in (
        acknowledge_before_send,
        two_senders,
        unavailable_is_success,
        several_of_an_agent,
        careless_sync,
        no_fencing,
        no_dedupe,
        follow_redirects,
        swallow_io_errors,
        wall_clock,
        fixed_leeway,
        log_token,
    )
}
"""Every bug by its name."""


def install() -> None:
    """Break the library in this process, where the environment asks for it."""
    if name := os.environ.get(BUG):
        BUGS[name]()
