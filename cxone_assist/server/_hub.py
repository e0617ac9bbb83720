"""All the streams of one server: who is let in, which call each belongs to, and what is due.

Everything here runs in the server's thread, except ``in_thread()`` and ``join()``.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from time import monotonic
from weakref import WeakSet

from .._connection import NORMAL, TRY_AGAIN_LATER
from .._deadlines import Deadlines
from ..call_events import CallEvent, Signal, StreamSuperseded
from ..calls import CallAssembler
from ..messages import WebSocketHookInitializeMessage
from ._delivery import Callbacks, CallDelivery, Delivery
from ._half_closed import HalfClosed
from ._session import Session, Socket
from .limits import Limits
from .stream import Authorize, Request, Stream

__all__ = ["Hub"]

_GOING_AWAY = 1001
_TICK_SECONDS = 0.1
_PAIR_GRACE = 30.0
"""Seconds until ``on_call`` is told that one side of a call has no stream."""
_CALLS_ON_HOLD = 10000
"""Calls that are remembered at least, of which most have no socket."""


class Hub:
    """The sessions of one server, and what they have in common."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        *,
        authorize: Authorize,
        callbacks: Callbacks,
        limits: Limits,
        clock: Callable[[], float],
    ) -> None:
        self._loop = loop
        self.authorize = authorize
        self.callbacks = callbacks
        self.limits = limits
        self.now = clock
        self.call_later = loop.call_later
        self._drained_by: float | None = None
        self._drained = asyncio.Event()
        self._disconnected = asyncio.Event()
        self._sessions: set[Session] = set()
        self._deadlines: Deadlines[Session] = Deadlines()
        self.half_closed = HalfClosed(loop, limits.close_seconds)
        self._addresses: Counter[str] = Counter()
        self._deliveries: WeakSet[Delivery] = WeakSet()  # a thread that delivers keeps its own alive
        watched = callbacks.on_call is not None
        self._assembler = CallAssembler(
            resume_window=limits.resume_seconds,
            pair_grace=_PAIR_GRACE if watched else None,
            max_calls=max(limits.streams, _CALLS_ON_HOLD),
            place_audio=callbacks.place_audio,
        )
        self._calls = CallDelivery(callbacks)
        self.watch: Callable[[Stream, bytes], None] | None = self._audio if watched else None
        """Is told of all audio, where the program wants to know of calls."""

    def in_thread(self, action: Callable[[], object]) -> None:
        """Do something in the server's thread soon; nothing where the server has stopped."""
        try:
            self._loop.call_soon_threadsafe(action)
        except RuntimeError:  # the loop is closed, and every socket with it
            return

    @property
    def streams(self) -> list[Stream]:
        """The accepted streams whose sockets are open."""
        return [session.stream for session in self._sessions.copy() if session.stream is not None]

    # --- the life of the server ----------------------------------------------------------------

    async def run(self) -> None:
        """Do what is due until the server is drained, then close every socket."""
        self._tick()
        await self._drained.wait()
        for session in list(self._sessions):
            self._send_away(session)
        while self._sessions:
            self._disconnected.clear()
            await self._disconnected.wait()
        await self.half_closed.closed()
        self._timer.cancel()
        self._tell(self._assembler.close(self.now()))

    def drain(self, seconds: float) -> None:
        """Refuse new calls, and end ``run()`` when no call is left, or after ``seconds``."""
        self._drained_by = self.now() + seconds
        self._assembler.drain()
        self._look_whether_drained(self.now())

    def join(self, timeout: float) -> None:
        """Wait for the last callbacks, from a thread that is not the server's."""
        until = monotonic() + timeout
        for delivery in list(self._deliveries):
            delivery.join(max(0.0, until - monotonic()))
        self._calls.join(max(0.0, until - monotonic()))

    def _tick(self) -> None:
        now = self.now()
        for session in self._deadlines.due(now):
            session.tick(now)
        self._tell(self._assembler.tick(now))
        self._look_whether_drained(now)
        self._timer = self._loop.call_later(_TICK_SECONDS, self._tick)

    def _look_whether_drained(self, now: float) -> None:
        if self._drained_by is not None and (now >= self._drained_by or not self._assembler.calls):
            self._drained.set()

    def wake(self, session: Session, at: float) -> None:
        """Have ``session.tick()`` called at a time, or before."""
        self._deadlines.set(session, at)

    # --- sockets -------------------------------------------------------------------------------

    def connected(self, socket: Socket, request: Request) -> Session:
        """Take note of a socket that has opened, and turn it away where there are too many."""
        session = Session(self, socket, request)
        self._sessions.add(session)
        self._addresses[request.address] += 1
        limit = self.limits.streams_per_address
        if self._drained.is_set():
            self._send_away(session)
        elif len(self._sessions) > self.limits.streams:
            session.close_now(TRY_AGAIN_LATER, "too many streams")
        elif limit is not None and self._addresses[request.address] > limit:
            session.close_now(TRY_AGAIN_LATER, "too many streams from this address")
        return session

    def _send_away(self, session: Session) -> None:
        session.close_now(_GOING_AWAY, "the server is shutting down")

    def disconnected(self, session: Session) -> None:
        """Take note of a socket that is gone."""
        self._sessions.discard(session)
        self._deadlines.discard(session)
        address = session.request.address
        self._addresses[address] -= 1
        if not self._addresses[address]:
            del self._addresses[address]
        if session.stream is not None:
            self._tell(self._assembler.stream_closed(session.stream, self.now()))
        self._disconnected.set()

    # --- streams and calls ---------------------------------------------------------------------

    def refusal(self, init: WebSocketHookInitializeMessage) -> str | None:
        """Return why a stream that is authorized is not taken, None where it is."""
        refusal = self._assembler.refusal(init)
        return None if refusal is None else refusal.value

    def accepted(self, stream: Stream, delivery: Delivery) -> None:
        """Take note of a stream that was accepted."""
        self._deliveries.add(delivery)
        self._tell(self._assembler.stream_started(stream, stream.init, self.now()))

    def signal(self, bus_no: int | None, contact_id: int | None, signal: Signal) -> None:
        """Take note of what was learnt of a call by another way than its sockets."""
        self._tell(self._assembler.signal(bus_no, contact_id, signal, self.now()))

    def _audio(self, stream: Stream, payload: bytes) -> None:
        events = self._assembler.audio(stream, payload, self.now())
        if events:
            self._tell(events)

    def _tell(self, events: Sequence[CallEvent]) -> None:
        for event in events:
            if isinstance(event, StreamSuperseded) and isinstance(event.stream_id, Stream):
                event.stream_id.close(NORMAL, "a newer stream took its place")
            self._calls.tell(event)
