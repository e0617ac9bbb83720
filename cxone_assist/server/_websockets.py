"""The sockets of ``websockets``, where picows is not installed: its core without I/O, on asyncio."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

from websockets.frames import Frame, Opcode
from websockets.http11 import Request as HttpRequest
from websockets.protocol import State
from websockets.server import ServerProtocol

from ._fragments import Fragments, MalformedMessage
from ._hub import Hub
from ._request import ABNORMAL_CLOSURE, BACKLOG, peers_log, read_request
from ._session import Session

__all__ = ["listen"]

_DATA = frozenset({Opcode.CONT, Opcode.TEXT, Opcode.BINARY})


class _Connection(asyncio.Protocol):
    """One connection: a ``Socket`` of the server, and an asyncio protocol."""

    _transport: asyncio.Transport
    _deadline: asyncio.TimerHandle

    def __init__(self, hub: Hub, unopened: set[_Connection]) -> None:
        self._hub = hub
        self._unopened = unopened
        self._ws = ServerProtocol(max_size=hub.limits.message_bytes, logger=peers_log)
        self._fragments = Fragments(hub.limits.message_bytes)
        self._session: Session | None = None
        self._aborted = False

    # --- asyncio's side ------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but its class
        self._transport.set_write_buffer_limits(high=self._hub.limits.unsent_bytes)
        self._deadline = self._hub.call_later(self._hub.limits.init_seconds, self.abort)
        self._unopened.add(self)

    def data_received(self, data: bytes) -> None:
        self._ws.receive_data(data)
        for event in self._ws.events_received():
            if isinstance(event, Frame):
                self._frame(event)
            elif isinstance(event, HttpRequest):  # pragma: no branch - a server is told of nothing else
                self._open(event)
        self._flush()

    def eof_received(self) -> None:
        self._transport.close()  # asyncio of 3.10 complains of a TLS transport that only its peer has closed

    def pause_writing(self) -> None:
        self.abort()  # the peer does not read

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self._deadline.cancel()
        self._unopened.discard(self)
        received = self._ws.close_rcvd
        if received is None and not self._aborted:
            self._hub.half_closed.keep(self._transport)
        if self._session is not None:
            code = ABNORMAL_CLOSURE if received is None else received.code
            self._session.closed(code, "" if received is None else received.reason)

    # --- the server's side ---------------------------------------------------------------------

    def send_text(self, text: str) -> None:
        if self._ws.state is State.OPEN:
            self._ws.send_text(text.encode())
            self._flush()

    def ping(self) -> None:
        if self._ws.state is State.OPEN:
            self._ws.send_ping(b"")
            self._flush()

    def close(self, code: int, reason: str) -> None:
        if self._ws.state is State.OPEN:
            self._ws.send_close(code, reason)
            self._flush()

    def abort(self) -> None:
        self._aborted = True
        self._transport.abort()

    # --- between the two -----------------------------------------------------------------------

    def _open(self, request: HttpRequest) -> None:
        self._ws.send_response(self._ws.accept(request))
        self._flush()
        if self._ws.state is State.OPEN:
            self._deadline.cancel()
            self._unopened.discard(self)
            peer = self._transport.get_extra_info("peername")
            self._session = self._hub.connected(
                self, read_request(request.path, request.headers.raw_items(), peer)
            )

    def _frame(self, frame: Frame) -> None:
        session = self._session
        if session is None:  # pragma: no cover - no frame comes before the request; the type wants it
            return
        if frame.opcode in _DATA:
            self._add(session, frame)
        else:
            session.heard += 1

    def _add(self, session: Session, frame: Frame) -> None:
        if frame.opcode is Opcode.BINARY and frame.fin:
            session.binary(bytes(frame.data))
            return
        try:
            message = self._fragments.add(frame.opcode, bytes(frame.data), fin=frame.fin)
        except MalformedMessage as fault:
            session.close_now(fault.code, fault.reason)
            return
        if isinstance(message, str):
            session.text(message)
        elif message is not None:
            session.binary(message)

    def _flush(self) -> None:
        pieces = self._ws.data_to_send()
        self._transport.write(b"".join(pieces))
        if b"" in pieces:  # the library's sign for the end
            self._transport.close()


@asynccontextmanager
async def listen(
    hub: Hub, listening: socket.socket, ssl_context: ssl.SSLContext | None
) -> AsyncIterator[None]:
    """Serve on a socket that is bound, and cut what never became a websocket at the end."""
    unopened: set[_Connection] = set()
    server = await asyncio.get_running_loop().create_server(
        lambda: _Connection(hub, unopened),
        sock=listening,
        ssl=ssl_context,
        ssl_handshake_timeout=None if ssl_context is None else hub.limits.init_seconds,
        backlog=BACKLOG,
    )
    yield
    server.close()
    for connection in list(unopened):
        connection.abort()
    await asyncio.sleep(0)
