"""For the tests of programs that use this package: a connected pair, messages and audio."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Final

from . import mulaw
from .messages import (
    ActionExecutionInfo,
    JsonValue,
    StreamPerspective,
    SystemTelemetryData,
    WebSocketHookInitializeMessage,
)
from .protocol import AssistConnection, Authenticate, PlatformConnection

__all__ = ["audio_frames", "connected_pair", "init_message", "init_text", "negotiated_init", "tone"]

_HALF_SCALE: Final = 16000


def init_message(
    *,
    authentication_token: str = "",
    bus_no: int = 4602609,
    contact_id: int = 506314056968,
    stream_perspective: StreamPerspective = StreamPerspective.TX,
) -> WebSocketHookInitializeMessage:
    """Return an initialize message of the documented dialect, with values of the observed kind."""
    return WebSocketHookInitializeMessage(
        authentication_token=authentication_token,
        execution_info=ActionExecutionInfo(
            contact_id=contact_id,
            bus_no=bus_no,
            request_id=6,
            action_type="AgentAssist",
            action_id=88,
            script_name="DEV\\Agent Assist",
        ),
        system_telemetry_data=SystemTelemetryData(
            consumer_process_host="media-server", consumer_process_name="EsnMediaServer"
        ),
        stream_perspective=stream_perspective,
        app_params={"param1": "value1"},
        app_config={},
    )


def negotiated_init() -> WebSocketHookInitializeMessage:
    """Return an initialize message of the negotiated dialect, as it was observed."""
    return WebSocketHookInitializeMessage(
        execution_info=ActionExecutionInfo(
            contact_id=506314056968, bus_no=4602609, action_type="WebSocketRelay"
        ),
        system_telemetry_data=SystemTelemetryData(consumer_process_name="EsnMediaServer"),
        stream_perspective="TX_RELAY",
        app_params={},
        app_config={},
        minimum_version=0,
        maximum_version=1,
        capabilities=("UTTERANCE_DETECT",),
        format="MONO",
    )


def init_text(**keys: JsonValue) -> str:
    """Return an initialize text with top-level keys replaced or added, under their names on the wire.

    Anything that JSON can hold is taken: this is how to show a program something odd.
    """
    document: dict[str, JsonValue] = json.loads(init_message().to_json())
    return json.dumps(document | keys)


def connected_pair(
    init: WebSocketHookInitializeMessage | None = None, *, authenticate: Authenticate | None = None
) -> tuple[PlatformConnection, AssistConnection]:
    """Return the two ends of an accepted stream.

    Raises:
        LocalProtocolError: ``authenticate`` does not let the initialize message pass.
    """
    platform = PlatformConnection()
    assist = AssistConnection(authenticate=authenticate)
    assist.receive(platform.connect(init or init_message()))
    platform.receive(assist.accept())
    return platform, assist


def tone(seconds: float, *, frequency: float = 440.0) -> bytes:
    """Return µ-law audio of a sine of half the full scale; the frequency is in hertz."""
    step = 2 * math.pi * frequency / mulaw.SAMPLE_RATE
    samples = [
        round(_HALF_SCALE * math.sin(step * index)) for index in range(round(seconds * mulaw.SAMPLE_RATE))
    ]
    return mulaw.encode(b"".join(sample.to_bytes(2, "little", signed=True) for sample in samples))


def audio_frames(ulaw: bytes, *, size: int = 160) -> Iterator[bytes]:
    """Cut µ-law audio into frames of ``size`` bytes; 160 bytes, the size observed, are 20 ms."""
    for start in range(0, len(ulaw), size):
        yield ulaw[start : start + size]
