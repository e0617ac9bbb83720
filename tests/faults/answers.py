"""How the harness' server may spoil an exchange: each fault once, as bytes on a socket.

A fault either keeps the request from being taken, or takes it and spoils the answer. It never does
both, and the server's log says which: that is what the comparison at the end rests on.
"""

import gzip
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache

from attrs import frozen

PLAIN = "application/json"
_LOGIN_PAGE = b"<!DOCTYPE html><html><title>Log in</title><body>Please log in.</body></html>"
_BOMB_BYTES = 200 * 1024 * 1024
_DRIP_SECONDS = 0.05


@frozen
class Line:
    """The connection on which the answer goes out. `over` is set when the server stops."""

    connection: socket.socket
    over: threading.Event
    elsewhere: str = ""
    """URL of the other host, to which redirects point."""

    def send(self, data: bytes) -> None:
        """All of it."""
        self.connection.sendall(data)

    def answer(self, status: int, body: bytes = b"{}", kind: str = PLAIN, *headers: str) -> None:
        """A whole answer."""
        lines = [f"HTTP/1.1 {status} X", f"Content-Type: {kind}", f"Content-Length: {len(body)}", *headers]
        self.send("\r\n".join([*lines, "", ""]).encode() + body)

    def head(self, *headers: str) -> None:
        """The head of a 200, with the body still to come."""
        self.send("\r\n".join(["HTTP/1.1 200 X", f"Content-Type: {PLAIN}", *headers, "", ""]).encode())

    def hang(self, seconds: float = 60.0) -> None:
        """Say nothing until the client goes, or the server stops."""
        for _ in range(int(seconds / _DRIP_SECONDS)):
            if self.over.wait(_DRIP_SECONDS) or self.client_has_gone():
                return

    def client_has_gone(self) -> bool:
        """The client has closed its side."""
        try:
            return self.connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
        except BlockingIOError:
            return False
        except OSError:
            return True

    def drip(self, data: bytes) -> None:
        """A byte at a time."""
        for index in range(len(data)):
            if self.over.wait(_DRIP_SECONDS):
                return
            self.send(data[index : index + 1])

    def reset(self) -> None:
        """End the connection with a TCP reset."""
        with suppress(OSError):
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@frozen
class Fault:
    """One way to answer badly. `takes`: the server has taken the data nevertheless.

    `spoil` answers; the connection is closed afterwards unless `keeps_open`.
    """

    name: str
    takes: bool
    spoil: Callable[[Line], None]
    keeps_open: bool = False


def _status(status: int, *headers: str, takes: bool = False) -> Fault:
    return Fault(
        str(status), takes, lambda line: line.answer(status, b"{}", PLAIN, *headers), keeps_open=True
    )


@lru_cache
def _bomb() -> bytes:
    return gzip.compress(b" " * _BOMB_BYTES, 9)


def _long_heads(line: Line) -> None:
    """64 KiB of headers, and yet a good answer."""
    line.answer(200, b"{}", PLAIN, *(f"X-Filler-{n}: {'x' * 1000}" for n in range(64)))


def _long_header(line: Line) -> None:
    line.answer(200, b"{}", PLAIN, f"X-Filler: {'x' * 70_000}")


def _chunk_garbage(line: Line) -> None:
    line.head("Transfer-Encoding: chunked")
    line.send(b"2\r\n{}\r\nnot-a-size\r\n\x00\xff\r\n")


def _too_few_bytes(line: Line) -> None:
    line.head("Content-Length: 50")
    line.send(b"{}")


def _endless(line: Line) -> None:
    line.head()
    for _ in range(64):
        line.send(b" " * 65536)


def _drip_body(line: Line) -> None:
    line.head("Content-Length: 4000")
    line.drip(b"{" + b" " * 3998 + b"}")


def _drip_head(line: Line) -> None:
    line.drip(b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 4000)


def _bomb_answer(line: Line) -> None:
    line.answer(200, _bomb(), PLAIN, "Content-Encoding: gzip")


def _redirect(line: Line) -> None:
    line.answer(307, b"", PLAIN, f"Location: {line.elsewhere}/asc-manager/v1/agent-states")


def _login_page(line: Line) -> None:
    line.answer(200, _LOGIN_PAGE, "text/html; charset=utf-8")


def _half_an_answer(line: Line) -> None:
    line.head("Content-Length: 2")
    line.send(b"{")
    line.reset()


def _nothing(_: Line) -> None:
    return


def _late(line: Line) -> None:
    line.hang()


FAULTS: dict[str, Fault] = {
    "500": _status(500),
    "502": _status(502),
    "503": _status(503),
    "504_taken": Fault("504_taken", takes=True, spoil=lambda line: line.answer(504), keeps_open=True),
    "408": _status(408),
    "429": _status(429, "Retry-After: 0"),
    "429_garbage": Fault(
        "429_garbage",
        takes=False,
        spoil=lambda line: line.answer(429, b"{}", PLAIN, "Retry-After: soon, or -5"),
        keeps_open=True,
    ),
    "refused_token": _status(401),
    "forbidden": _status(403),
    "no_such_path": _status(404),
    "bad_request": _status(400),
    "html": Fault("html", takes=False, spoil=_login_page, keeps_open=True),
    "redirect": Fault("redirect", takes=False, spoil=_redirect, keeps_open=True),
    "dropped": Fault("dropped", takes=False, spoil=_nothing),
    "answer_lost": Fault("answer_lost", takes=True, spoil=_nothing),
    "reset": Fault("reset", takes=False, spoil=Line.reset),
    "reset_inside": Fault("reset_inside", takes=True, spoil=_half_an_answer),
    "hang": Fault("hang", takes=False, spoil=_late),
    "hang_taken": Fault("hang_taken", takes=True, spoil=_late),
    "too_few_bytes": Fault("too_few_bytes", takes=True, spoil=_too_few_bytes),
    "chunk_garbage": Fault("chunk_garbage", takes=True, spoil=_chunk_garbage),
    "endless": Fault("endless", takes=False, spoil=_endless),
    "drip": Fault("drip", takes=True, spoil=_drip_body),
    "drip_head": Fault("drip_head", takes=True, spoil=_drip_head),
    "bomb": Fault("bomb", takes=False, spoil=_bomb_answer, keeps_open=True),
    "long_head": Fault("long_head", takes=True, spoil=_long_heads, keeps_open=True),
    "long_header": Fault("long_header", takes=False, spoil=_long_header),
}
"""Every fault by its name."""
