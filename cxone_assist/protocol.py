"""One audio stream as a protocol without I/O: what came in, what it means, what to answer.

``AssistConnection`` is the side of the assist application, ``PlatformConnection`` that
of CXone. Either is fed one websocket message at a time, returns one event for it, and
returns the text to send from the methods that say something. Neither touches a socket,
a clock or a thread, and neither may be used from two threads at once.

What a peer sends never makes ``receive()`` raise. ``LocalProtocolError`` is raised where
our own caller does what the state of the stream forbids.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Literal, TypeAlias

from . import _wire
from ._connection import POLICY_VIOLATION, Connection
from ._states import ASSIST, PLATFORM, Input, State
from .errors import Fault, LocalProtocolError, RemoteProtocolError
from .events import (
    AssistEvent,
    AudioReceived,
    AuthenticationFailed,
    MessageReceived,
    PlatformEvent,
    ProtocolViolation,
    StreamAccepted,
    StreamRefused,
    StreamRequested,
    TextReceived,
)
from .messages import (
    BEGIN_AUDIO_STREAM,
    CXoneWebSocketCommandType,
    CXoneWebSocketMessage,
    Dialect,
    JsonValue,
    WebSocketHookInitializeMessage,
    agreed_version,
    build_connected,
    build_error,
    build_message,
    is_init,
    read_init,
)

__all__ = ["AssistConnection", "Authenticate", "PlatformConnection", "State"]

Authenticate: TypeAlias = Callable[[WebSocketHookInitializeMessage], bool]
Buffer: TypeAlias = bytes | bytearray | memoryview

MAX_MESSAGE: Final = 65536
"""Bytes of the largest audio message, and characters of the largest text, that are read. Ours:
the vendor states no limit, and the only audio message observed has 160 bytes."""

INIT_TIMEOUT: Final = 5.0
"""Seconds that a peer has for its first message. Ours; the vendor states none."""

UNAUTHORIZED: Final = "unauthorized"
_STREAMING: Final = State.STREAMING  # reading a member from its enum costs a fifth of the hot path


class AssistConnection(Connection):
    """The side of the assist application: it is asked to take a stream, and receives audio.

    Args:
        authenticate: called with the initialize message; only ``True`` lets the stream
            start, and raising refuses it. ``StaticTokens`` is one. Without it no token is
            asked for. It must not block; to ask elsewhere, leave it out, and call
            ``accept()`` or ``reject()`` when the answer is there.
        refusal_close_code: the code to close with after ``reject()`` and a wrong token:
            3000 is "unauthorized" and what a public receiver uses, 1008 is "policy
            violation". The page names none.
        init_timeout: seconds for the initialize message to come, None for no limit.
        max_message: bytes of the largest audio message, characters of the largest text.
    """

    _waiting = State.AWAITING_INIT

    def __init__(
        self,
        *,
        authenticate: Authenticate | None = None,
        refusal_close_code: Literal[1008, 3000] = 3000,
        init_timeout: float | None = INIT_TIMEOUT,
        max_message: int = MAX_MESSAGE,
    ) -> None:
        if refusal_close_code not in (1008, 3000):
            raise LocalProtocolError("refusal_close_code must be 3000 or 1008")
        super().__init__(ASSIST, timeout=init_timeout, max_message=max_message)
        self._authenticate = authenticate
        self._refusal_close_code = refusal_close_code

    def receive(self, message: str | Buffer) -> AssistEvent:
        """Take one websocket message, text as ``str`` and binary as bytes, and tell what it is.

        Raises:
            LocalProtocolError: the message is neither text nor bytes.
        """
        if type(message) is bytes:
            size = len(message)
            # Audio leaves a streaming connection where it is: no need to ask the table.
            if self._machine.state is _STREAMING and size <= self._max_message:
                position = self._position
                self._position = position + size
                return AudioReceived(message, position)
            return self._receive_audio(message)
        if isinstance(message, str):
            return self._receive_text(message)
        if isinstance(message, (bytes, bytearray, memoryview)):
            return self._receive_audio(bytes(message))
        raise LocalProtocolError(f"a message is text or bytes, not {type(message).__name__}")

    def receive_audio(self, payload: bytes, on_audio: Callable[[bytes, int], object]) -> AssistEvent | None:
        """Take one binary message as ``receive()`` does, but build no event for audio: the hot path.

        Audio is handed to ``on_audio(payload, position)``, and None is returned; position
        is in samples since the start of the stream. An error that the callback raises
        passes through, and the audio counts as received.
        """
        size = len(payload)
        if self._machine.state is _STREAMING and size <= self._max_message:
            position = self._position
            self._position = position + size
            on_audio(payload, position)
            return None
        return self._receive_audio(payload)

    def accept(self, *, agreed_capabilities: Sequence[str] | None = None) -> str:
        """Accept the stream, and return the CONNECTED text to send. Audio flows after it.

        Send it before anything that takes time: CXone waits for it. ``agreed_capabilities``
        belongs to the negotiated dialect; by default all that are on offer.

        Raises:
            LocalProtocolError: no stream is asked for, or it was answered already.
        """
        reply = build_connected(self._init, agreed_capabilities=agreed_capabilities)
        self._machine.step(Input.ACCEPT)
        return reply

    def reject(self, reason: str = UNAUTHORIZED) -> str:
        """Refuse the stream, and return the ERROR text to send before closing with ``close_code``.

        Raises:
            LocalProtocolError: the stream was answered already.
        """
        reply = build_error(reason, self.dialect)
        self._machine.step(Input.REJECT)
        self._close_code = self._refusal_close_code
        return reply

    def send_message(self, message_type: str, message: str, *, parameters: JsonValue = None) -> str:
        """Return the MESSAGE text to send on an accepted stream.

        CXone shows nothing of it to the agent by itself; see ``docs/explanation/assist-protocol.md``.

        Raises:
            LocalProtocolError: the stream is not accepted or has ended, or the parameters
                cannot be written as JSON.
        """
        text = build_message(message_type, message, parameters=parameters, dialect=self.dialect)
        self._machine.step(Input.SEND_MESSAGE)
        return text

    def _farewell(self, reason: str) -> str:
        return build_error(reason, self.dialect)

    def _receive_audio(self, payload: bytes) -> AssistEvent:
        if len(payload) > self._max_message:
            return self._oversize(len(payload))
        fault = self._machine.step(Input.AUDIO)
        if fault is not None:
            return ProtocolViolation(RemoteProtocolError(fault, f"{len(payload)} bytes"))
        position = self._position
        self._position = position + len(payload)
        return AudioReceived(payload, position)

    def _receive_text(self, text: str) -> AssistEvent:
        if len(text) > self._max_message:
            return self._oversize(len(text))
        if self.state is State.AWAITING_INIT:
            return self._receive_init(text)
        try:
            data = _wire.load(text)
        except RemoteProtocolError:
            data = None
        second = isinstance(data, Mapping) and is_init(data)
        fault = self._machine.step(Input.INIT if second else Input.TEXT)
        if fault is not None:
            return ProtocolViolation(RemoteProtocolError(fault))
        return TextReceived(text, data)

    def _receive_init(self, text: str) -> AssistEvent:
        warnings: list[str] = []
        try:
            init = read_init(text, warnings)
        except RemoteProtocolError as error:
            self._machine.step(Input.TEXT)
            return self._end(error, POLICY_VIOLATION)
        if init.dialect is Dialect.NEGOTIATED and agreed_version(init) is None:
            self._machine.step(Input.BAD_INIT)
            self._close_code = POLICY_VIOLATION
            detail = f"{init.minimum_version} to {init.maximum_version}"
            unsupported = RemoteProtocolError(Fault.UNSUPPORTED_VERSION, detail)
            reply = build_error(str(unsupported), init.dialect)
            return ProtocolViolation(unsupported, reply, POLICY_VIOLATION)
        refusal = self._refusal(init)
        if refusal is not None:
            self._machine.step(Input.BAD_INIT)
            self._close_code = refusal.close_code
            return refusal
        self._machine.step(Input.INIT)
        self._init = init
        return StreamRequested(init, init.dialect, tuple(warnings))

    def _refusal(self, init: WebSocketHookInitializeMessage) -> AuthenticationFailed | None:
        raised: Exception | None = None
        try:
            # `is True`: a coroutine, returned by an async function in error, must not let anybody in.
            if self._authenticate is None or self._authenticate(init) is True:
                return None
        except Exception as error:  # noqa: BLE001 - the callback is not ours; the event carries what it raised
            raised = error
        reply = build_error(UNAUTHORIZED, init.dialect)
        return AuthenticationFailed(init, reply, self._refusal_close_code, raised)


class PlatformConnection(Connection):
    """The side of CXone: it asks for a stream, and sends audio once it is accepted.

    Args:
        reply_timeout: seconds for the answer to the initialize message, None for no limit.
        max_message: characters of the largest text that is read.
    """

    _waiting = State.AWAITING_REPLY

    def __init__(self, *, reply_timeout: float | None = INIT_TIMEOUT, max_message: int = MAX_MESSAGE) -> None:
        super().__init__(PLATFORM, timeout=reply_timeout, max_message=max_message)

    def connect(self, init: WebSocketHookInitializeMessage) -> str:
        """Return the initialize text, the first message to send.

        Raises:
            LocalProtocolError: it was sent already, or it holds what it may not.
        """
        text = init.to_json()
        self._machine.step(Input.CONNECT)
        self._init = init
        return text

    def send_audio(self, ulaw: Buffer) -> bytes:
        """Return a frame of µ-law audio to send as a binary message.

        Raises:
            LocalProtocolError: the stream was not accepted, or has ended.
        """
        self._machine.step(Input.SEND_AUDIO)
        payload = bytes(ulaw)
        self._position += len(payload)
        return payload

    def receive(self, message: str | Buffer) -> PlatformEvent:
        """Take one websocket message, text as ``str`` and binary as bytes, and tell what it is.

        Raises:
            LocalProtocolError: the message is neither text nor bytes.
        """
        if not isinstance(message, (str, bytes, bytearray, memoryview)):
            raise LocalProtocolError(f"a message is text or bytes, not {type(message).__name__}")
        if len(message) > self._max_message:
            return self._oversize(len(message))
        if not isinstance(message, str):
            return self._apply(Input.BINARY, RemoteProtocolError(Fault.BINARY_FROM_APPLICATION))
        return self._receive_text(message)

    def _receive_text(self, text: str) -> PlatformEvent:
        try:
            document = _wire.load_object(text)
        except RemoteProtocolError as error:
            return self._apply(Input.MALFORMED, error)
        reply = _wire.read(CXoneWebSocketMessage, document, [])
        occurrence = self._classify(reply)
        if occurrence is Input.MALFORMED:
            return self._apply(occurrence, RemoteProtocolError(Fault.NOT_A_COMMAND))
        awaited = self.state is State.AWAITING_REPLY
        fault = self._machine.step(occurrence)
        if fault is not None:
            return ProtocolViolation(RemoteProtocolError(fault))
        if occurrence is Input.CONNECTED:
            return StreamAccepted(reply, self._deviations(document, reply))
        if occurrence is Input.REFUSAL and awaited:
            return StreamRefused(reply)
        return MessageReceived(reply)

    def _apply(self, occurrence: Input, error: RemoteProtocolError) -> ProtocolViolation:
        fault = self._machine.step(occurrence)
        return ProtocolViolation(error if fault in (None, error.fault) else RemoteProtocolError(fault))

    def _classify(self, reply: CXoneWebSocketMessage) -> Input:
        commands = {
            CXoneWebSocketCommandType.CONNECTED: Input.CONNECTED,
            CXoneWebSocketCommandType.ERROR: Input.REFUSAL,
            CXoneWebSocketCommandType.MESSAGE: Input.MESSAGE,
        }
        if isinstance(reply.command, CXoneWebSocketCommandType):
            return commands.get(reply.command, Input.MALFORMED)
        if reply.command is not None or self.dialect is Dialect.DOCUMENTED or reply.message_type is None:
            return Input.MALFORMED
        if reply.message_type == "COMMAND":
            return Input.CONNECTED
        return Input.REFUSAL if reply.message_type == "ERROR" else Input.MESSAGE

    def _deviations(self, document: Mapping[str, JsonValue], reply: CXoneWebSocketMessage) -> tuple[str, ...]:
        expected: dict[str, JsonValue] = {"messageType": "COMMAND", "message": BEGIN_AUDIO_STREAM}
        if self.dialect is Dialect.DOCUMENTED:
            expected = {"command": "CONNECTED", **expected}
            known = {*expected, "parameters"}
        else:
            expected = {_wire.pascal(key): value for key, value in expected.items()}
            known = {*expected, "ProtocolVersion", "Format", "AgreedCapabilities", "Parameters"}
        warnings = [
            f"{key} is not {value!r}" for key, value in expected.items() if document.get(key) != value
        ]
        warnings += [f"{key[:40]!r} is no key of the answer" for key in document if key not in known]
        init = self._init
        if init and init.dialect is Dialect.NEGOTIATED and reply.protocol_version != agreed_version(init):
            warnings.append("ProtocolVersion is not the newest on offer")
        return tuple(warnings)
