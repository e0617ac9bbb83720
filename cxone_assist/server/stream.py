"""What the callbacks are given: a stream, the request that opened it, and its counters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol, TypeAlias

from attrs import define, field, frozen

from .._connection import SENDABLE
from .._wire import hidden
from ..auth import StaticTokens
from ..errors import LocalProtocolError
from ..messages import JsonValue, StreamPerspective, WebSocketHookInitializeMessage, build_message

__all__ = ["Authorize", "Request", "Stream", "StreamStats", "allow_all"]


@frozen(kw_only=True)
class Request:
    """The HTTP request that opened a stream's socket. ``repr()`` hides what may carry credentials."""

    path: str
    """Without the query."""
    query: str = field(default="", repr=hidden)
    """As it came; credentials and tenant ids are seen in it. ``urllib.parse.parse_qs`` reads it."""
    headers: Mapping[str, str] = field(factory=dict, repr=hidden)
    """By names in lower case; of a header that came twice, the last."""
    address: str = ""
    """The peer's network address, which is a proxy's where there is one."""


Authorize: TypeAlias = StaticTokens | Callable[[WebSocketHookInitializeMessage, Request], bool]
"""Who may stream: the tokens that are accepted, or a function of which only ``True`` lets a stream start."""


def allow_all(init: WebSocketHookInitializeMessage, request: Request) -> bool:  # noqa: ARG001 - asks nothing
    """Let everybody stream: an ``authorize`` to spell out where something in front checks, or in tests."""
    return True


@define
class StreamStats:
    """What happened on one stream so far. Read it; the server counts."""

    frames: int = 0
    """Messages of audio that arrived."""
    samples: int = 0
    """Samples of audio that arrived, 8,000 for each second."""
    dropped_frames: int = 0
    """Messages of audio that ``on_audio`` never saw: it was too slow, and the buffer was full."""
    dropped_samples: int = 0
    errors: int = 0
    """Times that a callback raised."""
    violations: int = 0
    """Messages that broke the protocol and were ignored."""
    messages_sent: int = 0


class _Session(Protocol):
    """What a stream needs of the server."""

    def send(self, text: str) -> None: ...
    def close(self, code: int, reason: str) -> None: ...


class Stream:
    """One open stream. Its methods may be called from any thread.

    Attributes:
        init: the initialize message.
        request: the HTTP request that opened the socket.
        stats: live counters.
        open: whether the socket is open.
        data: the program's own, None at first; the server never looks at it.
    """

    __slots__ = ("_session", "data", "init", "open", "request", "stats")

    def __init__(
        self,
        session: _Session,
        init: WebSocketHookInitializeMessage,
        request: Request,
        stats: StreamStats,
    ) -> None:
        self._session = session
        self.init = init
        self.request = request
        self.stats = stats
        self.open = True
        self.data: object = None

    @property
    def bus_no(self) -> int | None:
        """The business unit."""
        return self.init.execution_info.bus_no

    @property
    def contact_id(self) -> int | None:
        """The contact, unique within its business unit only (vendor page)."""
        return self.init.execution_info.contact_id

    @property
    def perspective(self) -> StreamPerspective | str | None:
        """Whose voice it is."""
        return self.init.stream_perspective

    def send_message(self, message_type: str, message: str, *, parameters: JsonValue = None) -> None:
        """Send MESSAGE to CXone; it is lost where the socket closes before it is out.

        CXone shows nothing of it to the agent by itself: see ``docs/how-to/assist-setup.md``.

        Raises:
            LocalProtocolError: the stream is closed, or the message cannot be written as JSON.
        """
        text = build_message(message_type, message, parameters=parameters, dialect=self.init.dialect)
        if not self.open:
            raise LocalProtocolError("the stream is closed; nothing can be sent on it")
        self._session.send(text)

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Close the socket. CXone may open it again, with the same handshake (vendor page).

        Raises:
            ValueError: the code is none that a program may send, or the reason exceeds 123 bytes.
        """
        if code not in SENDABLE:
            raise ValueError(
                f"{code} is no close code to send; 1000, 1001, 1008, 1009, 1011 to 1013 and 3000 to 4999 are"
            )
        if len(reason.encode()) > _LONGEST_REASON:
            raise ValueError(f"the reason of a close has at most {_LONGEST_REASON} bytes in UTF-8")
        self._session.close(code, reason)

    def __repr__(self) -> str:
        return f"<Stream {self.perspective} of contact {self.contact_id}, business unit {self.bus_no}>"


_LONGEST_REASON = 123
