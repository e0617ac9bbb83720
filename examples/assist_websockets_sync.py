"""The protocol without I/O inside `websockets.sync`: a thread for each stream, no asyncio.

`AssistConnection` decides, this program moves the bytes. It prints how loud each side is, once a second.
"""

import os
from contextlib import suppress
from threading import Thread
from time import monotonic, sleep

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

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
streams: set[ServerConnection] = set()
GOING_AWAY = 1001


def listen(websocket: ServerConnection) -> None:
    """One socket of CXone, from its opening to its end."""
    conn = AssistConnection(authenticate=tokens)
    conn.tick(monotonic())  # the initialize message is awaited from now on
    streams.add(websocket)
    with suppress(ConnectionClosed):  # which is not the end of the call: a hold closes the socket, too
        while conn.close_code is None:
            event = next_event(websocket, conn)
            if isinstance(event, StreamRequested):
                websocket.send(conn.accept())  # first of all: CXone waits for it
            elif isinstance(event, AudioReceived) and conn.init is not None:
                on_audio(f"{conn.init.execution_info.contact_id} {conn.init.stream_perspective}", event)
            elif isinstance(event, AuthenticationFailed | ProtocolViolation) and event.reply:
                websocket.send(event.reply)
        websocket.close(conn.close_code)
    conn.closed(websocket.close_code)
    streams.discard(websocket)


def next_event(websocket: ServerConnection, conn: AssistConnection) -> AssistEvent | None:
    """Wait for what comes next: a message, or the deadline of the first one."""
    deadline = conn.next_deadline()
    try:
        return conn.receive(websocket.recv(deadline and max(0.0, deadline - monotonic())))
    except TimeoutError:
        return conn.tick(monotonic())


def on_audio(who: str, audio: AudioReceived) -> None:
    if audio.position % mulaw.SAMPLE_RATE == 0:
        second = audio.position // mulaw.SAMPLE_RATE
        # One write, for the other streams are in threads of their own.
        print(f"{who} {second} s {mulaw.level(audio.payload):.0f} dB\n", end="", flush=True)


if __name__ == "__main__":
    port = int(os.environ.get("CXONE_ASSIST_PORT", "8080"))
    # A missing pong closes nothing (ping_timeout): a call on hold may keep its socket open and silent.
    with serve(listen, "127.0.0.1", port, compression=None, max_size=65536, ping_timeout=None) as server:
        print(f"listening on {server.socket.getsockname()[1]}", flush=True)
        Thread(target=server.serve_forever).start()
        with suppress(KeyboardInterrupt):
            while True:  # Ctrl-C may reach any thread, and wakes up only that one
                sleep(0.2)
        for websocket in list(streams):
            websocket.close(GOING_AWAY)
