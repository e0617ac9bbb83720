"""The sockets of picows, the fast websocket library. It hands over frames, and answers pings."""

from __future__ import annotations

import asyncio
import socket
import ssl

from picows import WSFrame, WSListener, WSMsgType, WSTransport, WSUpgradeRequest, ws_create_server

from ._fragments import BINARY, CONTINUATION, PROTOCOL_ERROR, TEXT, Fragments, MalformedMessage
from ._hub import Hub
from ._request import ABNORMAL_CLOSURE, BACKLOG, NO_STATUS, peers_log, read_request
from ._session import NORMAL, Session

__all__ = ["listen"]

_OPCODES = {WSMsgType.CONTINUATION: CONTINUATION, WSMsgType.TEXT: TEXT, WSMsgType.BINARY: BINARY}
_TEXT, _BINARY, _PONG, _CLOSE = WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.PONG, WSMsgType.CLOSE


class _Socket:
    __slots__ = ("_transport",)

    def __init__(self, transport: WSTransport) -> None:
        self._transport = transport

    def send_text(self, text: str) -> None:
        self._transport.send(_TEXT, text)

    def ping(self) -> None:
        self._transport.send_ping()

    def close(self, code: int, reason: str) -> None:
        self._transport.send_close(code, reason)  # type: ignore[arg-type]  # its stub has an enum without 3000

    def abort(self) -> None:
        self._transport.disconnect(graceful=False)

    def unsent(self) -> int:
        return self._transport.underlying_transport.get_write_buffer_size()


class _Listener(WSListener):
    _session: Session

    def __init__(self, hub: Hub, request: WSUpgradeRequest) -> None:
        self._hub = hub
        self._request = request
        self._fragments = Fragments(hub.limits.message_bytes)

    def on_ws_connected(self, transport: WSTransport) -> None:
        peer = transport.underlying_transport.get_extra_info("peername")
        request = read_request(self._request.path.decode("latin-1"), self._request.headers.items(), peer)
        self._session = self._hub.connected(_Socket(transport), request)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        kind = frame.msg_type
        if frame.rsv1 or frame.rsv2 or frame.rsv3:
            self._session.close_now(PROTOCOL_ERROR, "a reserved bit is set")
        elif kind == _BINARY and frame.fin and not self._fragments.open:
            self._session.binary(frame.get_payload_as_bytes())
        elif kind == _CLOSE:
            self._answer_close(transport)
        elif kind == _PONG:
            self._session.heard += 1
        else:
            self._add(kind, frame)

    def _add(self, kind: WSMsgType, frame: WSFrame) -> None:
        try:
            message = self._fragments.add(_OPCODES[kind], frame.get_payload_as_bytes(), fin=bool(frame.fin))
        except MalformedMessage as fault:
            self._session.close_now(fault.code, fault.reason)
            return
        if isinstance(message, str):
            self._session.text(message)
        elif message is not None:
            self._session.binary(message)

    def _answer_close(self, transport: WSTransport) -> None:
        if not transport.is_close_frame_sent:
            code, _ = _received(transport)
            self._session.close_now(NORMAL if code == NO_STATUS else code, "")
        transport.disconnect()

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self._session.closed(*_received(transport))


def _received(transport: WSTransport) -> tuple[int, str]:
    """Return code and reason of the peer's close."""
    # By name: the stubs call both of these always there, and they are not.
    received = getattr(getattr(transport, "close_handshake", None), "recv", None)
    return (ABNORMAL_CLOSURE, "") if received is None else (int(received.code) or NO_STATUS, received.reason)


async def listen(hub: Hub, listening: socket.socket, ssl_context: ssl.SSLContext | None) -> asyncio.Server:
    """Serve on a socket that is bound."""
    return await ws_create_server(
        lambda request: _Listener(hub, request),
        sock=listening,
        ssl=ssl_context,
        websocket_handshake_timeout=hub.limits.init_seconds,
        max_frame_size=hub.limits.message_bytes,
        backlog=BACKLOG,
        logger_name=peers_log,
    )
