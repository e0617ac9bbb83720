"""One socket, from its opening to its end, whatever library it belongs to.

Everything here runs in the server's thread, except ``send()`` and ``close()``, which any may call.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from math import inf
from threading import Thread
from typing import TYPE_CHECKING, Protocol, TypeAlias

from .._connection import NORMAL, TRY_AGAIN_LATER
from ..auth import StaticTokens
from ..events import AssistEvent, ProtocolViolation, StreamRequested
from ..messages import WebSocketHookInitializeMessage
from ..protocol import UNAUTHORIZED, AssistConnection, State
from ._delivery import Delivery
from .stream import Request, Stream, StreamStats, allow_all

if TYPE_CHECKING:
    from ._hub import Hub

Ask: TypeAlias = Callable[[WebSocketHookInitializeMessage, Request], bool]

log = logging.getLogger("cxone_assist.server")

__all__ = ["Session", "Socket"]

_LOOKS_FOR_BYTES = 10
"""Times that a socket is looked at while it may be silent: it is cut a tenth of that time late, at most."""


class Socket(Protocol):
    """What the server asks of a websocket library, in the server's thread only.

    It cuts its connection by itself where more than ``limits.unsent_bytes`` wait for the peer, be it texts
    or pongs.
    """

    def send_text(self, text: str) -> None:
        """Send a text message."""

    def ping(self) -> None:
        """Send a ping."""

    def close(self, code: int, reason: str) -> None:
        """Start the closing handshake."""

    def abort(self) -> None:
        """Cut the connection."""


class Session:
    """What the server knows of one socket."""

    __slots__ = (
        "_authorize_by",
        "_conn",
        "_cut_at",
        "_delivery",
        "_hub",
        "_last_byte",
        "_last_heard",
        "_ping_at",
        "_socket",
        "_stats",
        "heard",
        "request",
        "stream",
    )

    def __init__(self, hub: Hub, socket: Socket, request: Request) -> None:
        limits, now = hub.limits, hub.now()
        self._hub = hub
        self._socket = socket
        self._conn = AssistConnection(init_timeout=limits.init_seconds, max_message=limits.message_bytes)
        self._conn.tick(now)
        self._authorize_by = inf
        self._cut_at = inf
        """From when the socket is cut: it is closing, and the peer does not answer."""
        self._ping_at = now + limits.ping_seconds
        self._last_byte = now
        self._last_heard = 0
        self._stats = StreamStats()
        self._delivery: Delivery | None = None
        self.heard = 0
        """What came but audio: texts, pings and pongs."""
        self.request = request
        self.stream: Stream | None = None
        """Once the stream was accepted."""
        hub.wake(self, self._next_deadline(now))

    # --- what the socket tells -----------------------------------------------------------------

    def binary(self, payload: bytes) -> None:
        """Take a binary message: the hot path.

        The audio of a stream that runs goes past the connection, which would only count it again: its
        limit on a message's size is the adapters', too.
        """
        delivery = self._delivery
        if delivery is None or self._cut_at < inf:
            self.heard += 1
            self._handle(self._conn.receive(payload))
            return
        watch = self._hub.watch
        if watch is not None:
            watch(delivery.stream, payload)
        delivery.audio(payload)

    def text(self, message: str) -> None:
        """Take a text message."""
        self.heard += 1
        self._handle(self._conn.receive(message))

    def closed(self, code: int, reason: str) -> None:
        """Note that the socket is gone."""
        self._conn.closed(code, reason)
        self._cut_at = -inf  # so that nobody closes it again
        if self.stream is not None:
            self.stream.open = False
        self._hub.disconnected(self)
        if self._delivery is not None:
            self._delivery.end()

    # --- what the clock tells ------------------------------------------------------------------

    def tick(self, now: float) -> None:
        """Do what is due."""
        if self._cut_at < inf:
            if now >= self._cut_at:
                self._socket.abort()
        elif (overdue := self._conn.tick(now)) is not None:
            self._handle(overdue)
        elif now >= self._authorize_by:
            self._reject("the authorization took too long", None)
        elif self._is_idle(now):
            self._socket.abort()
        elif now >= self._ping_at:
            self._ping_at = now + self._hub.limits.ping_seconds
            self._socket.ping()
        self._hub.wake(self, self._next_deadline(now))

    def _next_deadline(self, now: float) -> float:
        if self._cut_at < inf:
            return self._cut_at
        idle_seconds = self._hub.limits.idle_seconds
        return min(
            self._ping_at,
            self._authorize_by,
            inf if (init_by := self._conn.next_deadline()) is None else init_by,
            inf if idle_seconds is None else now + idle_seconds / _LOOKS_FOR_BYTES,
        )

    def _is_idle(self, now: float) -> bool:
        heard = self.heard + self._stats.frames
        if heard != self._last_heard:
            self._last_heard, self._last_byte = heard, now
        idle_seconds = self._hub.limits.idle_seconds
        return idle_seconds is not None and now - self._last_byte >= idle_seconds

    # --- what a stream or the hub asks for -----------------------------------------------------

    def send(self, text: str) -> None:
        """Send a text, from any thread."""
        self._hub.in_thread(lambda: self._send(text))

    def close(self, code: int, reason: str) -> None:
        """Close the socket, from any thread."""
        self._hub.in_thread(lambda: self.close_now(code, reason))

    def close_now(self, code: int, reason: str) -> None:
        """Close the socket; what still comes is ignored."""
        self._conn.closed(code, reason)
        self._end(None, code, reason)

    def _send(self, text: str) -> None:
        if self._conn.state is State.STREAMING:
            self._socket.send_text(text)
            self._stats.messages_sent += 1

    # --- the handshake -------------------------------------------------------------------------

    def _handle(self, event: AssistEvent) -> None:
        if isinstance(event, StreamRequested):
            self._authorize(event.init)
        elif isinstance(event, ProtocolViolation):
            self._stats.violations += 1
            if event.close_code is not None:
                self._end(event.reply, event.close_code, event.error.fault.value)

    def _authorize(self, init: WebSocketHookInitializeMessage) -> None:
        authorize = self._hub.authorize
        if authorize is allow_all:
            self._decide(init, allowed=True)
        elif isinstance(authorize, StaticTokens):
            self._decide(init, allowed=authorize(init))
        else:
            self._authorize_by = self._hub.now() + self._hub.limits.authorize_seconds
            self._hub.wake(self, self._authorize_by)
            thread = Thread(
                target=self._ask, args=(authorize, init), name="cxone-assist-authorize", daemon=True
            )
            thread.start()

    def _ask(self, authorize: Ask, init: WebSocketHookInitializeMessage) -> None:
        """Ask the program's own ``authorize``, in a thread that may block."""
        try:
            # `is True`: a coroutine, returned by an async function in error, must not let anybody in.
            allowed = authorize(init, self.request) is True
        except Exception:
            log.exception("authorize raised; the stream is refused")
            allowed = False
        self._hub.in_thread(lambda: self._decide(init, allowed=allowed))

    def _decide(self, init: WebSocketHookInitializeMessage, *, allowed: bool) -> None:
        self._authorize_by = inf
        if self._conn.state is not State.REQUESTED:  # closed, or refused for the delay
            return
        refusal = self._hub.refusal(init) if allowed else None
        if not allowed:
            self._reject(UNAUTHORIZED, None)
        elif refusal is not None:
            self._reject(refusal, TRY_AGAIN_LATER)
        else:
            self._accept(init)

    def _reject(self, reason: str, code: int | None) -> None:
        reply = self._conn.reject(reason)
        self._end(reply, code or self._conn.close_code or NORMAL, reason)

    def _accept(self, init: WebSocketHookInitializeMessage) -> None:
        self._socket.send_text(self._conn.accept())  # before any callback: CXone waits for it
        stream = self.stream = Stream(self, init, self.request, self._stats)
        hub = self._hub
        delivery = self._delivery = Delivery(stream, hub.callbacks, buffer_seconds=hub.limits.buffer_seconds)
        hub.accepted(stream, delivery)

    def _end(self, reply: str | None, code: int, reason: str) -> None:
        if self._cut_at == inf:
            self._cut_at = self._hub.now() + self._hub.limits.close_seconds
            self._hub.wake(self, self._cut_at)
            if reply is not None:
                self._socket.send_text(reply)
            self._socket.close(code, reason)
