"""The receiving side of CXone's Custom Agent Assist.

Audio streams as a protocol without I/O, the G.711 µ-law codec, the text webhook, and the
agent tunnel. Nothing here opens a socket, reads a clock or starts a thread.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from . import mulaw
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

# What many programs do without is imported when it is first asked for: it is a quarter of the time.
_LATER = {
    "StaticTokens": "auth",
    "AgentTunnel": "tunnel",
    "CloseApplication": "tunnel",
    "ClosePlatform": "tunnel",
    "OpenApplication": "tunnel",
    "SendToApplication": "tunnel",
    "SendToPlatform": "tunnel",
    "TunnelAction": "tunnel",
    "rank_applications": "tunnel",
    "AgentAssistUtteranceV1": "utterance",
    "Participant": "utterance",
    "WebHooksMessagesRequest": "utterance",
    "utterance_app": "utterance",
}

if TYPE_CHECKING:
    from .auth import (
        StaticTokens,
    )
    from .tunnel import (
        AgentTunnel,
        CloseApplication,
        ClosePlatform,
        OpenApplication,
        SendToApplication,
        SendToPlatform,
        TunnelAction,
        rank_applications,
    )
    from .utterance import (
        AgentAssistUtteranceV1,
        Participant,
        WebHooksMessagesRequest,
        utterance_app,
    )
else:

    def __getattr__(name: str) -> object:
        if name not in _LATER:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value: object = getattr(import_module(f".{_LATER[name]}", __name__), name)
        globals()[name] = value
        return value


__all__ = [
    "ActionExecutionInfo",
    "AgentAssistUtteranceV1",
    "AgentTunnel",
    "AssistConnection",
    "AssistError",
    "AssistEvent",
    "AudioReceived",
    "Authenticate",
    "AuthenticationFailed",
    "CXoneWebSocketCommandType",
    "CXoneWebSocketMessage",
    "CloseApplication",
    "ClosePlatform",
    "Dialect",
    "Fault",
    "JsonValue",
    "LocalProtocolError",
    "MessageReceived",
    "OpenApplication",
    "Participant",
    "PlatformConnection",
    "PlatformEvent",
    "ProtocolError",
    "ProtocolViolation",
    "RemoteProtocolError",
    "SendToApplication",
    "SendToPlatform",
    "State",
    "StaticTokens",
    "StreamAccepted",
    "StreamClosed",
    "StreamPerspective",
    "StreamRefused",
    "StreamRequested",
    "SystemTelemetryData",
    "TextReceived",
    "TunnelAction",
    "WebHooksMessagesRequest",
    "WebSocketHookInitializeMessage",
    "build_connected",
    "build_error",
    "build_message",
    "mulaw",
    "rank_applications",
    "utterance_app",
]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
