"""The receiving side of CXone's Custom Agent Assist.

Audio streams as a protocol without I/O, the G.711 µ-law codec, calls and their recordings, the text
webhook, and the agent tunnel. Nothing here opens a socket, and nothing reads a clock or starts a
thread on import; a ``Recorder`` does once it is started.
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
    "AudioLost": "call_events",
    "AudioPlaced": "call_events",
    "Call": "call_events",
    "CallEndReason": "call_events",
    "CallEnded": "call_events",
    "CallEvent": "call_events",
    "CallRefused": "call_events",
    "CallResumed": "call_events",
    "CallStarted": "call_events",
    "CallSuspended": "call_events",
    "PeerMissing": "call_events",
    "Perspective": "call_events",
    "Refusal": "call_events",
    "Signal": "call_events",
    "SignalReceived": "call_events",
    "StreamAttached": "call_events",
    "StreamDetached": "call_events",
    "StreamId": "call_events",
    "StreamRecovered": "call_events",
    "StreamStalled": "call_events",
    "StreamSuperseded": "call_events",
    "CallAssembler": "calls",
    "Capture": "capture",
    "CaptureOpcode": "capture",
    "CaptureWriter": "capture",
    "CapturedMessage": "capture",
    "assemble": "capture",
    "replay": "capture",
    "Layout": "recording",
    "Recorder": "recording",
    "RecorderStats": "recording",
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
    "Encoding": "wav",
    "WavAudio": "wav",
    "WavWriter": "wav",
    "read_wav": "wav",
}

if TYPE_CHECKING:
    from .auth import (
        StaticTokens,
    )
    from .call_events import (
        AudioLost,
        AudioPlaced,
        Call,
        CallEnded,
        CallEndReason,
        CallEvent,
        CallRefused,
        CallResumed,
        CallStarted,
        CallSuspended,
        PeerMissing,
        Perspective,
        Refusal,
        Signal,
        SignalReceived,
        StreamAttached,
        StreamDetached,
        StreamId,
        StreamRecovered,
        StreamStalled,
        StreamSuperseded,
    )
    from .calls import (
        CallAssembler,
    )
    from .capture import (
        Capture,
        CapturedMessage,
        CaptureOpcode,
        CaptureWriter,
        assemble,
        replay,
    )
    from .recording import (
        Layout,
        Recorder,
        RecorderStats,
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
    from .wav import (
        Encoding,
        WavAudio,
        WavWriter,
        read_wav,
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
    "AudioLost",
    "AudioPlaced",
    "AudioReceived",
    "Authenticate",
    "AuthenticationFailed",
    "CXoneWebSocketCommandType",
    "CXoneWebSocketMessage",
    "Call",
    "CallAssembler",
    "CallEndReason",
    "CallEnded",
    "CallEvent",
    "CallRefused",
    "CallResumed",
    "CallStarted",
    "CallSuspended",
    "Capture",
    "CaptureOpcode",
    "CaptureWriter",
    "CapturedMessage",
    "CloseApplication",
    "ClosePlatform",
    "Dialect",
    "Encoding",
    "Fault",
    "JsonValue",
    "Layout",
    "LocalProtocolError",
    "MessageReceived",
    "OpenApplication",
    "Participant",
    "PeerMissing",
    "Perspective",
    "PlatformConnection",
    "PlatformEvent",
    "ProtocolError",
    "ProtocolViolation",
    "Recorder",
    "RecorderStats",
    "Refusal",
    "RemoteProtocolError",
    "SendToApplication",
    "SendToPlatform",
    "Signal",
    "SignalReceived",
    "State",
    "StaticTokens",
    "StreamAccepted",
    "StreamAttached",
    "StreamClosed",
    "StreamDetached",
    "StreamId",
    "StreamPerspective",
    "StreamRecovered",
    "StreamRefused",
    "StreamRequested",
    "StreamStalled",
    "StreamSuperseded",
    "SystemTelemetryData",
    "TextReceived",
    "TunnelAction",
    "WavAudio",
    "WavWriter",
    "WebHooksMessagesRequest",
    "WebSocketHookInitializeMessage",
    "assemble",
    "build_connected",
    "build_error",
    "build_message",
    "mulaw",
    "rank_applications",
    "read_wav",
    "replay",
    "utterance_app",
]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
