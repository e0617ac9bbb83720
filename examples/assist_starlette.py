"""The protocol without I/O inside Starlette and uvicorn: for an application that is asynchronous already.

`AssistConnection` decides, this program moves the bytes. It prints how loud each side is, once a second.
"""

import asyncio
import os
import socket
from contextlib import suppress
from time import monotonic

import uvicorn
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from cxone_assist import (
    AssistConnection,
    AssistEvent,
    AudioReceived,
    AuthenticationFailed,
    ProtocolViolation,
    StaticTokens,
    StreamRequested,
    mulaw,
)

tokens = StaticTokens(os.environ["CXONE_ASSIST_TOKEN"])


async def listen(websocket: WebSocket) -> None:
    """One socket of CXone, from its opening to its end."""
    await websocket.accept()
    conn = AssistConnection(authenticate=tokens)
    conn.tick(monotonic())  # the initialize message is awaited from now on
    with suppress(WebSocketDisconnect):
        while conn.close_code is None:
            event = await next_event(websocket, conn)
            if isinstance(event, StreamRequested):
                await websocket.send_text(conn.accept())  # first of all: CXone waits for it
            elif isinstance(event, AudioReceived) and conn.init is not None:
                on_audio(f"{conn.init.execution_info.contact_id} {conn.init.stream_perspective}", event)
            elif isinstance(event, AuthenticationFailed | ProtocolViolation) and event.reply:
                await websocket.send_text(event.reply)
        await websocket.close(conn.close_code)


async def next_event(websocket: WebSocket, conn: AssistConnection) -> AssistEvent | None:
    """Wait for what comes next: a message, the deadline of the first one, or the end."""
    deadline = conn.next_deadline()
    try:
        message = await asyncio.wait_for(websocket.receive(), deadline and deadline - monotonic())
    except asyncio.TimeoutError:
        return conn.tick(monotonic())
    if message["type"] == "websocket.disconnect":
        conn.closed(message["code"])  # which is not the end of the call: a hold closes the socket, too
        raise WebSocketDisconnect(message["code"])
    text = message.get("text")
    return conn.receive(message["bytes"] if text is None else text)


def on_audio(who: str, audio: AudioReceived) -> None:
    if audio.position % mulaw.SAMPLE_RATE == 0:
        second = audio.position // mulaw.SAMPLE_RATE
        print(f"{who} {second} s {mulaw.level(audio.payload):.0f} dB", flush=True)


app = Starlette(routes=[WebSocketRoute("/", listen)])

if __name__ == "__main__":
    # A missing pong closes nothing (ws_ping_timeout): a call on hold may keep its socket open and silent.
    config = uvicorn.Config(app, log_level="warning", ws_max_size=65536, ws_ping_timeout=None)
    with socket.create_server(("127.0.0.1", int(os.environ.get("CXONE_ASSIST_PORT", "8080")))) as listening:
        print(f"listening on {listening.getsockname()[1]}", flush=True)
        with suppress(KeyboardInterrupt):
            uvicorn.Server(config).run(sockets=[listening])
