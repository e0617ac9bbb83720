"""What both sides of a stream share: the state, the deadline, and the close of the socket."""

from __future__ import annotations

from typing import Final

from ._states import Input, Machine, State, Table
from .errors import Fault, RemoteProtocolError
from .events import ProtocolViolation, StreamClosed
from .messages import Dialect, WebSocketHookInitializeMessage

__all__ = ["NORMAL", "POLICY_VIOLATION", "SENDABLE", "TOO_BIG", "TRY_AGAIN_LATER", "Connection"]

NORMAL: Final = 1000
POLICY_VIOLATION: Final = 1008
TOO_BIG: Final = 1009
TRY_AGAIN_LATER: Final = 1013

SENDABLE: Final = frozenset({1000, 1001, 1008, 1009, 1011, 1012, 1013, *range(3000, 5000)})
"""The close codes that a program may send: the others are for the websocket library (RFC 6455)."""


class Connection:
    """The base of ``AssistConnection`` and ``PlatformConnection``."""

    _waiting: State

    def __init__(self, table: Table, *, timeout: float | None, max_message: int) -> None:
        self._machine = Machine(table)
        self._timeout = timeout
        self._deadline: float | None = None
        self._max_message = max_message
        self._position = 0
        self._init: WebSocketHookInitializeMessage | None = None
        self._close_code: int | None = None
        self._closed: StreamClosed | None = None

    @property
    def state(self) -> State:
        """Where the stream is."""
        return self._machine.state

    @property
    def init(self) -> WebSocketHookInitializeMessage | None:
        """The initialize message; None before it, and where its token was not accepted."""
        return self._init

    @property
    def dialect(self) -> Dialect:
        """The dialect of the initialize message; the documented one before it."""
        return Dialect.DOCUMENTED if self._init is None else self._init.dialect

    @property
    def position(self) -> int:
        """Samples of audio so far, 8,000 for each second."""
        return self._position

    @property
    def close_code(self) -> int | None:
        """The code to close the socket with, once this side has ended the stream, else None."""
        return self._close_code

    def next_deadline(self) -> float | None:
        """Return when ``tick()`` is wanted, on the caller's clock; None where nothing is awaited.

        It is None until the first ``tick()``, which starts the clock.
        """
        return self._deadline if self.state is self._waiting else None

    def tick(self, now: float) -> ProtocolViolation | None:
        """Tell the time, in seconds of a clock that does not go back.

        Call it once when the socket opens, and again when ``next_deadline()`` has come. It
        returns the event that ends the stream where the peer's first message is overdue.
        """
        if self.state is not self._waiting or self._timeout is None:
            return None
        if self._deadline is None:
            self._deadline = now + self._timeout
        if now < self._deadline:
            return None
        self._machine.step(Input.EXPIRED)
        error = RemoteProtocolError(Fault.NO_MESSAGE_IN_TIME, f"within {self._timeout:g} seconds")
        return self._end(error, POLICY_VIOLATION)

    def closed(self, code: int | None = None, reason: str = "") -> StreamClosed:
        """Tell that the socket is closed, by whomever, and return what that ends.

        A second call returns the event of the first.
        """
        if self._closed is None:
            self._machine.step(Input.CLOSE)
            self._closed = StreamClosed(code, reason, self._position, self._init)
        return self._closed

    def _end(self, error: RemoteProtocolError, close_code: int) -> ProtocolViolation:
        self._close_code = close_code
        return ProtocolViolation(error, self._farewell(str(error)), close_code)

    def _farewell(self, reason: str) -> str | None:
        """Return what is said to the peer before the socket is closed on it; CXone says nothing."""

    def _oversize(self, size: int) -> ProtocolViolation:
        fault = self._machine.step(Input.OVERSIZE)
        if fault is not None:
            return ProtocolViolation(RemoteProtocolError(fault))
        detail = f"{size}, at most {self._max_message}"
        return self._end(RemoteProtocolError(Fault.TOO_LARGE, detail), TOO_BIG)
