"""What a connection tells its caller: one event for each message that comes in.

An event that has a ``close_code`` which is not None ends the stream: send its ``reply``
where there is one, then close the socket with that code.
"""

from __future__ import annotations

from typing import TypeAlias

from attrs import field, frozen

from ._wire import JsonValue
from .errors import RemoteProtocolError
from .messages import CXoneWebSocketMessage, Dialect, WebSocketHookInitializeMessage

__all__ = [
    "AssistEvent",
    "AudioReceived",
    "AuthenticationFailed",
    "MessageReceived",
    "PlatformEvent",
    "ProtocolViolation",
    "StreamAccepted",
    "StreamClosed",
    "StreamRefused",
    "StreamRequested",
    "TextReceived",
]


def _bytes(payload: bytes) -> str:
    return f"<{len(payload)} bytes>"


def _characters(text: str) -> str:
    return f"<{len(text)} characters>"


def _type_name(error: Exception | None) -> str:
    return type(error).__name__


# --- on our side -------------------------------------------------------------------------------


@frozen
class StreamRequested:
    """CXone asks to stream, and its token was accepted: answer with ``accept()`` or ``reject()``."""

    init: WebSocketHookInitializeMessage
    dialect: Dialect
    warnings: tuple[str, ...] = ()
    """What in the message could not be read as documented, each with its path; never a value."""


@frozen
class AuthenticationFailed:
    """CXone asks to stream, and ``authenticate`` did not return True."""

    init: WebSocketHookInitializeMessage
    reply: str = field(repr=False)
    close_code: int
    error: Exception | None = field(default=None, repr=_type_name)
    """What ``authenticate`` raised, where it did."""


@frozen
class AudioReceived:
    """A frame of µ-law audio."""

    payload: bytes = field(repr=_bytes)
    position: int
    """Samples of this stream before the frame: 8,000 for each second."""


@frozen
class TextReceived:
    """A text after the initialize message. The page knows none; one dialect ends with ``{"eof":1}``."""

    text: str = field(repr=_characters)
    data: JsonValue = field(default=None, repr=False)
    """The JSON value of the text, None where it is not JSON."""


# --- on CXone's side ---------------------------------------------------------------------------


@frozen
class StreamAccepted:
    """The assist application answered CONNECTED: audio may flow."""

    message: CXoneWebSocketMessage
    warnings: tuple[str, ...] = ()
    """Where the answer differs from the page's, in a way that is understood all the same."""


@frozen
class StreamRefused:
    """The assist application answered ERROR, and will close the socket."""

    message: CXoneWebSocketMessage


@frozen
class MessageReceived:
    """The assist application sent a message of its own, or an ERROR in the middle of a stream."""

    message: CXoneWebSocketMessage


# --- on both -----------------------------------------------------------------------------------


@frozen
class ProtocolViolation:
    """The peer broke a rule. Where ``close_code`` is None the message was ignored and the stream goes on."""

    error: RemoteProtocolError
    reply: str | None = field(default=None, repr=False)
    close_code: int | None = None


@frozen
class StreamClosed:
    """The socket is closed. That is not the end of the call: a hold closes the socket too."""

    code: int | None
    """The websocket close code; 1006 or None where the peer vanished."""
    reason: str
    position: int
    """Samples of audio that the stream carried."""
    init: WebSocketHookInitializeMessage | None
    """None where the socket closed before its initialize message, as a probe does."""


AssistEvent: TypeAlias = (
    StreamRequested | AuthenticationFailed | AudioReceived | TextReceived | ProtocolViolation
)
PlatformEvent: TypeAlias = StreamAccepted | StreamRefused | MessageReceived | ProtocolViolation
