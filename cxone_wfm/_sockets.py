"""Sockets that keep a call's total deadline, and know whether anything of it has left.

HTTP libraries time out a single read, so a peer that sends one byte a second is never late. These
sockets wait at most for what is left of the call. They also tell "not sent" from "outcome unknown":
that is a fact of the socket, not of the exception that comes out of five layers.
"""

import http.client
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

from attrs import define
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool


@define
class Budget:
    """What one call may still use.

    `deadline` is a moment of `now`; `read` is how long one read may wait, in seconds.
    """

    now: Callable[[], float]
    deadline: float
    read: float
    connected: bool = False
    """A socket of ours was connected or reused."""
    sent: bool = False
    """At least one byte of the request has left."""

    def left(self) -> float:
        """Seconds until the deadline."""
        return self.deadline - self.now()

    def next_wait(self) -> float:
        """Seconds that the next read or write may wait. Raises `TimeoutError` when the call is over."""
        wait = min(self.read, self.left())
        if wait <= 0:
            raise TimeoutError("the call's total time is over")
        return wait


_current = threading.local()


@contextmanager
def budget_of_this_thread(budget: Budget) -> Iterator[None]:
    """The sockets that this thread uses inside the block keep this budget."""
    _current.budget = budget
    try:
        yield
    finally:
        del _current.budget


class _PlainSocket(socket.socket):
    carries_request = True
    """False below TLS: only the set-up with a proxy goes out there, the request goes over the TLS socket."""

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:  # noqa: ANN401 - as in socket
        self.settimeout(_current.budget.next_wait())
        return super().recv_into(buffer, nbytes, flags)

    def send(self, data: Any, flags: int = 0) -> int:  # noqa: ANN401 - as in socket
        self.settimeout(_current.budget.next_wait())
        _current.budget.connected = True
        count = super().send(data, flags)
        _current.budget.sent = self.carries_request
        return count

    def sendall(self, data: Any, flags: int = 0) -> None:  # noqa: ANN401 - as in socket
        rest = memoryview(data).cast("B")
        while rest:
            rest = rest[self.send(rest, flags) :]


class _TLSSocket(ssl.SSLSocket):
    # SSLSocket.sendall calls send() for each part, so that is enough.
    def recv_into(self, buffer: Any, nbytes: int | None = None, flags: int = 0) -> int:  # noqa: ANN401 - as in ssl
        self.settimeout(_current.budget.next_wait())
        return super().recv_into(buffer, nbytes, flags)

    def send(self, data: Any, flags: int = 0) -> int:  # noqa: ANN401 - as in ssl
        self.settimeout(_current.budget.next_wait())
        _current.budget.connected = True
        count = super().send(data, flags)
        _current.budget.sent = True
        return count


def use_budget_sockets(context: ssl.SSLContext) -> None:
    """Make the context wrap connections into sockets that keep the budget."""
    context.sslsocket_class = _TLSSocket


def _with_budget(connected: socket.socket, *, carries_request: bool) -> socket.socket:
    _current.budget.connected = True
    timeout = connected.gettimeout()
    ours = _PlainSocket(connected.family, connected.type, connected.proto, fileno=connected.detach())
    ours.settimeout(timeout)
    ours.carries_request = carries_request
    return ours


class _LastLine:
    """Reads lines from a file and remembers the last of them."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.last = b""

    def readline(self, limit: int = -1) -> bytes:
        self.last = self._file.readline(limit)
        return self.last

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever else a file can do
        return getattr(self._file, name)


class _WholeHeadResponse(http.client.HTTPResponse):
    """Refuses an answer that ends inside its headers: http.client takes it for a whole one without a body."""

    def begin(self) -> None:
        file: Any = self.fp
        watched: Any = _LastLine(file)
        self.fp = watched
        super().begin()
        self.fp = file
        if watched.last not in {b"\r\n", b"\n"}:
            raise http.client.IncompleteRead(watched.last)


class _PlainConnection(HTTPConnection):
    response_class = _WholeHeadResponse

    def _new_conn(self) -> socket.socket:
        return _with_budget(super()._new_conn(), carries_request=True)


class _TLSConnection(HTTPSConnection):
    response_class = _WholeHeadResponse

    def _new_conn(self) -> socket.socket:
        return _with_budget(super()._new_conn(), carries_request=False)


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _PlainConnection


class _TLSPool(HTTPSConnectionPool):
    ConnectionCls = _TLSConnection


POOLS: dict[str, type[HTTPConnectionPool]] = {"http": _PlainPool, "https": _TLSPool}
"""The connection pools to use, by scheme."""
