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
    broken: bool = False
    """Not all of the request could be written."""

    def left(self) -> float:
        """Seconds until the deadline."""
        return self.deadline - self.now()

    def next_wait(self) -> float:
        """Seconds that the next read or write may wait. Raises `TimeoutError` when the call is over."""
        wait = min(self.read, self.left())
        if wait <= 0:
            raise TimeoutError("the call's total time is over")
        return wait


_INTERIM = (102, 103)
"""Answers before the answer, beside 100, which http.client skips itself."""
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
        with _writing(self):
            count = super().send(data, flags)
        _current.budget.sent = self.carries_request
        return count

    def sendall(self, data: Any, flags: int = 0) -> None:  # noqa: ANN401 - as in socket
        rest = memoryview(data).cast("B")
        while rest:
            rest = rest[self.send(rest, flags) :]


class _TLSSocket(ssl.SSLSocket):
    # SSLSocket.sendall calls send() for each part, so that is enough.
    def do_handshake(self, block: bool = False) -> None:  # noqa: FBT001, FBT002 - as in ssl
        self.settimeout(min(_current.budget.next_wait(), self.gettimeout() or _current.budget.left()))
        super().do_handshake(block)

    def recv_into(self, buffer: Any, nbytes: int | None = None, flags: int = 0) -> int:  # noqa: ANN401 - as in ssl
        self.settimeout(_current.budget.next_wait())
        return super().recv_into(buffer, nbytes, flags)

    def send(self, data: Any, flags: int = 0) -> int:  # noqa: ANN401 - as in ssl
        with _writing(self):
            count = super().send(data, flags)
        _current.budget.sent = True
        return count


@contextmanager
def _writing(ours: socket.socket) -> Iterator[None]:
    """A write within the budget, which learns of it when it fails: urllib3 reads on after a broken pipe."""
    budget: Budget = _current.budget
    ours.settimeout(budget.next_wait())
    budget.connected = True
    try:
        yield
    except OSError:
        budget.broken = True
        raise


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


class _StrictResponse(http.client.HTTPResponse):
    """Refuses heads that http.client lets pass, and that would make a failure look like an empty success.

    It takes a head that is cut for a whole answer without a body, skips lines that are no headers,
    and takes 102 and 103 for the final answer, which then meets the next request of the connection.
    """

    def begin(self) -> None:
        file: Any = self.fp
        watched: Any = _LastLine(file)
        self.fp = watched
        super().begin()
        self.fp = file
        if watched.last not in {b"\r\n", b"\n"}:
            raise http.client.IncompleteRead(watched.last)
        if self.msg.defects:
            raise http.client.HTTPException("a line in the head is no header")

    def _read_status(self) -> tuple[str, int, str]:
        read_status: Callable[[], tuple[str, int, str]] = super()._read_status  # type: ignore[misc]  # not in the stubs
        version, status, reason = read_status()
        while status in _INTERIM:
            http.client.parse_headers(self.fp)
            version, status, reason = read_status()
        return version, status, reason


class _PlainConnection(HTTPConnection):
    response_class = _StrictResponse

    def _new_conn(self) -> socket.socket:
        return _with_budget(super()._new_conn(), carries_request=True)


class _TLSConnection(HTTPSConnection):
    response_class = _StrictResponse

    def request(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - as in urllib3
        if isinstance(self.sock, ssl.SSLSocket) and self.sock.pending():
            self.close()  # what is left of the last answer must not be read as the next one
        super().request(*arguments, **options)

    def _new_conn(self) -> socket.socket:
        return _with_budget(super()._new_conn(), carries_request=False)


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _PlainConnection


class _TLSPool(HTTPSConnectionPool):
    ConnectionCls = _TLSConnection


POOLS: dict[str, type[HTTPConnectionPool]] = {"http": _PlainPool, "https": _TLSPool}
"""The connection pools to use, by scheme."""
