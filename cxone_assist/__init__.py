"""The receiving side of CXone's Custom Agent Assist.

Audio streams as a protocol without I/O, the G.711 µ-law codec, and the text webhook.
Nothing here opens a socket, reads a clock or starts a thread.
"""

from . import mulaw
from .auth import (
    StaticTokens,
)
from .errors import (
    AssistError,
    Fault,
    LocalProtocolError,
    ProtocolError,
    RemoteProtocolError,
)
from .events import (
    AssistEvent,
    AudioReceived,
    AuthenticationFailed,
    MessageReceived,
    PlatformEvent,
    ProtocolViolation,
    StreamAccepted,
    StreamClosed,
    StreamRefused,
    StreamRequested,
    TextReceived,
)
from .messages import (
    ActionExecutionInfo,
    CXoneWebSocketCommandType,
    CXoneWebSocketMessage,
    Dialect,
    JsonValue,
    StreamPerspective,
    SystemTelemetryData,
    WebSocketHookInitializeMessage,
    build_connected,
    build_error,
    build_message,
)
from .protocol import (
    AssistConnection,
    Authenticate,
    PlatformConnection,
    State,
)
from .utterance import (
    AgentAssistUtteranceV1,
    Participant,
    WebHooksMessagesRequest,
    utterance_app,
)

__all__ = [
    "ActionExecutionInfo",
    "AgentAssistUtteranceV1",
    "AssistConnection",
    "AssistError",
    "AssistEvent",
    "AudioReceived",
    "Authenticate",
    "AuthenticationFailed",
    "CXoneWebSocketCommandType",
    "CXoneWebSocketMessage",
    "Dialect",
    "Fault",
    "JsonValue",
    "LocalProtocolError",
    "MessageReceived",
    "Participant",
    "PlatformConnection",
    "PlatformEvent",
    "ProtocolError",
    "ProtocolViolation",
    "RemoteProtocolError",
    "State",
    "StaticTokens",
    "StreamAccepted",
    "StreamClosed",
    "StreamPerspective",
    "StreamRefused",
    "StreamRequested",
    "SystemTelemetryData",
    "TextReceived",
    "WebHooksMessagesRequest",
    "WebSocketHookInitializeMessage",
    "build_connected",
    "build_error",
    "build_message",
    "mulaw",
    "utterance_app",
]
