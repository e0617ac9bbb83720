"""The agent tunnel: what stands between CXone and one or several assist applications, without I/O.

The vendor page describes it as an optional piece of one's own: one entry point that checks
the authorization, translates between the two sides, balances and fails over. Here is the
part that decides. It is fed what happens on both sockets of one stream, and returns what
to do, in order; the sockets are the caller's.

Both sockets of a call carry the same ``busNo`` and ``contactId``, so ``rank_applications()`` sends
them to the same application, in every process and after every restart.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import Final, TypeAlias

from attrs import field, frozen

from ._connection import NORMAL, POLICY_VIOLATION, SENDABLE, TRY_AGAIN_LATER
from .errors import LocalProtocolError
from .events import (
    AuthenticationFailed,
    MessageReceived,
    ProtocolViolation,
    StreamAccepted,
    StreamRefused,
    StreamRequested,
    TextReceived,
)
from .messages import CXoneWebSocketCommandType, Dialect, WebSocketHookInitializeMessage, build_error
from .protocol import AssistConnection, Authenticate, Buffer, PlatformConnection, State

__all__ = [
    "AgentTunnel",
    "CloseApplication",
    "ClosePlatform",
    "OpenApplication",
    "SendToApplication",
    "SendToPlatform",
    "TunnelAction",
    "rank_applications",
]

INTERNAL_ERROR: Final = 1011


def rank_applications(applications: Sequence[str], init: WebSocketHookInitializeMessage) -> list[str]:
    """Return the applications in the order in which a call should try them.

    Rendezvous hashing: calls spread evenly, and taking an application away moves only its own calls.
    """
    call = f"{init.execution_info.bus_no}/{init.execution_info.contact_id}"

    def weight(application: str) -> bytes:
        return blake2b(f"{call}\n{application}".encode(), digest_size=8).digest()

    return sorted(applications, key=weight, reverse=True)


def _size(message: str | bytes) -> str:
    return f"<{type(message).__name__} of {len(message)}>"


@frozen
class OpenApplication:
    """Open a websocket to an application; tell ``application_opened()`` or ``application_closed()``."""

    address: str


@frozen
class SendToPlatform:
    """Send to CXone."""

    message: str = field(repr=_size)


@frozen
class SendToApplication:
    """Send to the application, text as text and bytes as binary."""

    message: str | bytes = field(repr=_size)


@frozen
class ClosePlatform:
    """Close the socket to CXone."""

    code: int


@frozen
class CloseApplication:
    """Close the socket to the application, or stop opening it, and tell nothing more of it."""

    code: int


TunnelAction: TypeAlias = (
    OpenApplication
    | SendToPlatform
    | SendToApplication
    | ClosePlatform
    | CloseApplication
    | ProtocolViolation
)
"""What to do, or to note: a violation asks for nothing, the actions beside it do."""


class AgentTunnel:
    """One stream through the tunnel.

    CXone is answered when the application has answered. An application that cannot be
    reached, or closes before it answers, is followed by the next one; a refusal is an
    answer and is passed on. Whichever side closes, the other is closed too, and CXone
    then opens a new stream by itself where the call goes on (vendor page).

    Args:
        applications: addresses of the assist applications, each as ``OpenApplication`` gives it back.
        authenticate: as for ``AssistConnection``.
        prepare: makes the initialize message that the application gets, to put in the
            application's own token; by default it gets CXone's as it is.
    """

    def __init__(
        self,
        applications: Sequence[str],
        *,
        authenticate: Authenticate | None = None,
        prepare: Callable[[WebSocketHookInitializeMessage], WebSocketHookInitializeMessage] | None = None,
    ) -> None:
        if isinstance(applications, str) or not applications:
            raise LocalProtocolError("a tunnel needs a list of at least one application")
        self._left = list(applications)
        self._prepare = prepare
        self._facing_platform = AssistConnection(authenticate=authenticate)
        self._facing_application: PlatformConnection | None = None
        self._opening = False
        self._ended = False

    def platform_received(self, message: str | Buffer) -> list[TunnelAction]:
        """Take a message from CXone."""
        event = self._facing_platform.receive(message)
        if isinstance(event, (ProtocolViolation, AuthenticationFailed)):
            return self._violated(event)
        if isinstance(event, StreamRequested):
            self._left = rank_applications(self._left, event.init)
            return self._open_next()
        application = self._facing_application
        if self._ended or application is None or application.state is not State.STREAMING:
            return []  # what came while a socket was being closed, or a text before the answer
        if isinstance(event, TextReceived):
            return [SendToApplication(event.text)]
        return [SendToApplication(application.send_audio(event.payload))]

    def platform_closed(self, code: int | None = None) -> list[TunnelAction]:
        """Take note that the socket to CXone is closed."""
        self._facing_platform.closed(code)
        return self._end(close_application=_sendable(code, INTERNAL_ERROR))

    def application_opened(self) -> list[TunnelAction]:
        """Take note that the socket to the application is open.

        Raises:
            LocalProtocolError: none was being opened.
        """
        if self._ended:
            return [CloseApplication(NORMAL)]
        init = self._facing_platform.init
        if init is None or not self._opening:
            raise LocalProtocolError("application_opened() answers OpenApplication, and none is outstanding")
        self._opening = False
        self._facing_application = PlatformConnection()
        init = init if self._prepare is None else self._prepare(init)
        return [SendToApplication(self._facing_application.connect(init))]

    def application_received(self, message: str | Buffer) -> list[TunnelAction]:
        """Take a message from the application.

        Raises:
            LocalProtocolError: its socket is not open.
        """
        if self._ended:
            return []
        if self._facing_application is None:
            raise LocalProtocolError("a message of the application came, but application_opened() did not")
        event = self._facing_application.receive(message)
        platform = self._facing_platform
        if isinstance(event, ProtocolViolation):
            if event.close_code is None:
                return [event]
            return [event, CloseApplication(event.close_code), *self._application_gone(event.close_code)]
        if isinstance(event, StreamAccepted):
            agreed = event.message.agreed_capabilities if platform.dialect is Dialect.NEGOTIATED else None
            return [SendToPlatform(platform.accept(agreed_capabilities=agreed))]
        return self._relayed(event)

    def application_closed(self, code: int | None = None) -> list[TunnelAction]:
        """Take note that the socket to the application is closed, or could not be opened.

        Raises:
            LocalProtocolError: there is none.
        """
        if self._ended:
            return []
        if not self._opening and self._facing_application is None:
            raise LocalProtocolError("application_closed() tells of a socket, and none was asked for")
        return self._application_gone(code)

    def next_deadline(self) -> float | None:
        """Return when ``tick()`` is wanted; None where nothing is awaited."""
        sides = (self._facing_platform, self._facing_application)
        return min((at for side in sides if side and (at := side.next_deadline()) is not None), default=None)

    def tick(self, now: float) -> list[TunnelAction]:
        """Tell the time. Call it once when CXone's socket opens, after each ``application_opened()``,
        and when ``next_deadline()`` has come.
        """
        late = self._facing_platform.tick(now)
        if late is not None:
            return self._violated(late)
        late = None if self._facing_application is None else self._facing_application.tick(now)
        if late is not None and late.close_code is not None:
            return [late, CloseApplication(late.close_code), *self._application_gone(late.close_code)]
        return []

    def _violated(self, event: ProtocolViolation | AuthenticationFailed) -> list[TunnelAction]:
        actions: list[TunnelAction] = [event] if isinstance(event, ProtocolViolation) else []
        if event.reply is not None and event.close_code is not None:
            actions += self._end(SendToPlatform(event.reply), ClosePlatform(event.close_code))
        return actions

    def _relayed(self, event: StreamRefused | MessageReceived) -> list[TunnelAction]:
        platform, message = self._facing_platform, event.message
        text = message.message or ""
        if isinstance(event, StreamRefused):
            reply = platform.reject(text)
            return self._end(SendToPlatform(reply), ClosePlatform(platform.close_code or POLICY_VIOLATION))
        if message.command is CXoneWebSocketCommandType.ERROR:
            return [SendToPlatform(build_error(text, platform.dialect))]
        reply = platform.send_message(message.message_type or "", text, parameters=message.parameters)
        return [SendToPlatform(reply)]

    def _open_next(self) -> list[TunnelAction]:
        self._opening = True
        return [OpenApplication(self._left.pop(0))]

    def _application_gone(self, code: int | None) -> list[TunnelAction]:
        self._facing_application = None
        self._opening = False
        if self._facing_platform.state is not State.REQUESTED:
            return self._end(ClosePlatform(_sendable(code, INTERNAL_ERROR)))
        if self._left:
            return self._open_next()
        reply = self._facing_platform.reject("no assist application is available")
        return self._end(SendToPlatform(reply), ClosePlatform(TRY_AGAIN_LATER))

    def _end(self, *actions: TunnelAction, close_application: int = NORMAL) -> list[TunnelAction]:
        """Return the actions, and the close of the application's socket where there is one to close."""
        to_close = not self._ended and (self._opening or self._facing_application is not None)
        self._ended = True
        return [*actions, CloseApplication(close_application)] if to_close else list(actions)


def _sendable(code: int | None, otherwise: int) -> int:
    """Return the close code, or the other one where it is of the kind that may not be sent."""
    return code if code is not None and code in SENDABLE else otherwise
