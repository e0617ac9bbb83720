"""The sockets of picows, the fast websocket library. It hands over frames."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from picows import WSFrame, WSListener, WSMsgType, WSTransport, WSUpgradeRequest, ws_create_server

from .._connection import NORMAL
from ._fragments import BINARY, CONTINUATION, PROTOCOL_ERROR, TEXT, Fragments, MalformedMessage
from ._hub import Hub
from ._request import ABNORMAL_CLOSURE, BACKLOG, NO_STATUS, peers_log, read_request
from ._session import Session

__all__ = ["listen"]

_OPCODES = {WSMsgType.CONTINUATION: CONTINUATION, WSMsgType.TEXT: TEXT, WSMsgType.BINARY: BINARY}
_READ_BYTES = 4096
"""Of the buffer that each socket has at first. It grows where that is too little."""
_TEXT, _BINARY, _CLOSE = WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.CLOSE
_PING, _PONG = WSMsgType.PING, WSMsgType.PONG


class _Connection(WSListener):
    """One connection: a ``Socket`` of the server, and a listener of picows."""

    __slots__ = ("_aborted", "_fragments", "_hub", "_request", "_session", "_transport")

    _session: Session
    _transport: WSTransport

    def __init__(self, hub: Hub, request: WSUpgradeRequest) -> None:
        self._hub = hub
        self._request = request
        self._fragments: Fragments | None = None
        """Of a message that is incomplete."""
        self._aborted = False

    # --- the library's side --------------------------------------------------------------------

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._transport = transport
        transport.underlying_transport.set_write_buffer_limits(high=self._hub.limits.unsent_bytes)
        peer = transport.underlying_transport.get_extra_info("peername")
        request = read_request(self._request.path.decode("latin-1"), self._request.headers.items(), peer)
        self._session = self._hub.connected(self, request)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        kind = frame.msg_type
        if frame.rsv1 or frame.rsv2 or frame.rsv3:
            self._session.close_now(PROTOCOL_ERROR, "a reserved bit is set")
        elif kind == _BINARY and frame.fin and self._fragments is None:
            self._session.binary(frame.get_payload_as_bytes())
        elif kind == _CLOSE:
            self._answer_close(transport)
        elif kind == _PONG:
            self._session.heard += 1
        elif kind == _PING:
            self._session.heard += 1
            if not self._aborted:  # many come at once, and the pong of one may be what had the socket cut
                transport.send_pong(frame.get_payload_as_bytes())
        else:
            self._add(kind, frame)

    def pause_writing(self) -> None:
        self.abort()  # the peer does not read

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        received = _received(transport)
        if transport.is_close_frame_sent and received is None and not self._aborted:
            self._hub.half_closed.keep(transport.underlying_transport)
        self._session.closed(*received or (ABNORMAL_CLOSURE, ""))

    # --- the server's side ---------------------------------------------------------------------

    def send_text(self, text: str) -> None:
        self._transport.send(_TEXT, text)

    def ping(self) -> None:
        self._transport.send_ping()

    def close(self, code: int, reason: str) -> None:
        self._transport.send_close(code, reason)  # type: ignore[arg-type]  # its stub has an enum without 3000

    def abort(self) -> None:
        self._aborted = True
        self._transport.disconnect(graceful=False)

    # --- between the two -----------------------------------------------------------------------

    def _add(self, kind: WSMsgType, frame: WSFrame) -> None:
        fragments = self._fragments or Fragments(self._hub.limits.message_bytes)
        try:
            message = fragments.add(_OPCODES[kind], frame.get_payload_as_bytes(), fin=bool(frame.fin))
        except MalformedMessage as fault:
            self._session.close_now(fault.code, fault.reason)
            return
        self._fragments = fragments if message is None else None
        if isinstance(message, str):
            self._session.text(message)
        elif message is not None:
            self._session.binary(message)

    def _answer_close(self, transport: WSTransport) -> None:
        if not transport.is_close_frame_sent:
            code, _ = _received(transport) or (NO_STATUS, "")
            self._session.close_now(NORMAL if code == NO_STATUS else code, "")
        transport.disconnect()


def _received(transport: WSTransport) -> tuple[int, str] | None:
    """Return code and reason of the peer's close, None where it sent none."""
    # By name: the stubs call both of these always there, and they are not.
    received = getattr(getattr(transport, "close_handshake", None), "recv", None)
    return None if received is None else (int(received.code) or NO_STATUS, received.reason)


@asynccontextmanager
async def listen(
    hub: Hub, listening: socket.socket, ssl_context: ssl.SSLContext | None
) -> AsyncIterator[None]:
    """Serve on a socket that is bound, and cut what never became a websocket at the end."""
    server = await ws_create_server(
        lambda request: _Connection(hub, request),
        sock=listening,
        ssl=ssl_context,
        ssl_handshake_timeout=None if ssl_context is None else hub.limits.init_seconds,
        websocket_handshake_timeout=hub.limits.init_seconds,
        enable_auto_pong=False,
        max_frame_size=hub.limits.message_bytes,
        read_buffer_init_size=_READ_BYTES,
        backlog=BACKLOG,
        logger_name=peers_log,
    )
    yield
    server.close()
    # Not every version's server has it: what is left open then, its loop closes with a warning.
    getattr(server, "abort_clients", server.close)()
    await asyncio.sleep(0)
