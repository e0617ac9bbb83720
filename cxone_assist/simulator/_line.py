"""One stream of a load: a plain socket, for a general client costs more than the endpoint under load."""

from __future__ import annotations

import socket
import ssl as ssl_module
import time
from contextlib import suppress
from typing import TypeVar

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidState, InvalidURI
from websockets.frames import CTRL_OPCODES, Frame
from websockets.http11 import Response as HttpResponse
from websockets.uri import parse_uri

from ..events import StreamAccepted
from ..messages import WebSocketHookInitializeMessage
from ..protocol import PlatformConnection

__all__ = ["Line", "LoadError"]

_READ = 65536
_NOT_NOW = (BlockingIOError, ssl_module.SSLWantReadError, ssl_module.SSLWantWriteError)

E = TypeVar("E")


class LoadError(Exception):
    """The load could not be put on; the message says why."""


class Line:
    """A stream whose handshake is done. Nothing here waits for the network after that.

    Raises:
        LoadError: the endpoint does not accept the stream.
        OSError: it cannot be reached, or does not answer in time.
    """

    def __init__(
        self,
        url: str,
        init: WebSocketHookInitializeMessage,
        ssl: ssl_module.SSLContext | None,
        timeout: float,
    ) -> None:
        try:
            uri = parse_uri(url)
        except InvalidURI as error:
            raise LoadError(str(error)) from None
        self._ws = ClientProtocol(uri)
        self._rest = b""  # of a frame that the network took a part of
        self._sock = socket.create_connection((uri.host, uri.port), timeout=timeout)
        try:
            self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if uri.secure and ssl is not None:
                self._sock = ssl.wrap_socket(self._sock, server_hostname=uri.host)
            self._shake_hands(init)
        except BaseException:
            self._sock.close()
            raise
        self._sock.setblocking(False)  # noqa: FBT003 - its only argument

    def _shake_hands(self, init: WebSocketHookInitializeMessage) -> None:
        platform = PlatformConnection()
        self._ws.send_request(self._ws.connect())
        self._await(HttpResponse)
        began = time.perf_counter()
        self._ws.send_text(platform.connect(init).encode())
        answer = platform.receive(bytes(self._await(Frame).data).decode(errors="replace"))
        self.handshake_seconds = time.perf_counter() - began
        """From the initialize message to CONNECTED."""
        if not isinstance(answer, StreamAccepted):
            raise LoadError(f"the endpoint did not accept a stream: {type(answer).__name__}")

    def _await(self, kind: type[E]) -> E:
        """Send what is to be sent, pongs included, and return the next event of this kind but pings."""
        while True:
            self._sock.sendall(b"".join(self._ws.data_to_send()))
            data = self._sock.recv(_READ)
            if not data:
                raise LoadError("the endpoint closed a socket before it answered")
            self._ws.receive_data(data)
            if self._ws.handshake_exc is not None:
                raise LoadError(f"the endpoint opens no websocket: {self._ws.handshake_exc}")
            for event in self._ws.events_received():
                if isinstance(event, kind) and not (
                    isinstance(event, Frame) and event.opcode in CTRL_OPCODES
                ):
                    return event

    def send(self, frame: bytes) -> bool:
        """Send a frame; False where the endpoint does not read, and an earlier one is still on its way.

        Raises:
            OSError: the connection is broken.
        """
        if self._rest:
            self._rest = self._rest[self._write(self._rest) :]
            if self._rest:
                return False
        sent = self._write(frame)
        if sent != len(frame):
            self._rest = frame[sent:]
        return True

    def _write(self, data: bytes) -> int:
        try:
            return self._sock.send(data)
        except _NOT_NOW:
            return 0  # TLS wants to be asked again with the same data, which it is

    def listen(self) -> bool:
        """Read what the endpoint sends, and answer its pings; False where it has closed the socket."""
        try:
            data = self._sock.recv(_READ)
        except _NOT_NOW:
            return True
        except OSError:
            return False
        self._ws.receive_data(data)
        self._ws.events_received()
        answers = b"".join(self._ws.data_to_send())
        return bool(data) and (not answers or self._answer(answers))

    def _answer(self, answers: bytes) -> bool:
        try:
            self.send(answers)  # a pong that finds no way out is left out
        except OSError:
            return False
        return True

    def close(self) -> None:
        """Close the stream as CXone does at the end of a call."""
        with suppress(OSError, InvalidState):  # it may have ended already
            self.listen()  # what is left unread would turn the close into a reset, and cost frames
            self._ws.send_close(1000)
            self.send(b"".join(self._ws.data_to_send()))
        self._sock.close()
