"""Sockets that keep a call's total deadline, and know whether anything of it has left.

HTTP libraries time out a single read, so a peer that sends one byte a second is never late. These
sockets wait at most for what is left of the call. They also tell "not sent" from "outcome unknown":
that is a fact of the socket, not of the exception that comes out of five layers.
"""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

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
    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:  # noqa: ANN401 - as in socket
        self.settimeout(_current.budget.next_wait())
        return super().recv_into(buffer, nbytes, flags)

    def send(self, data: Any, flags: int = 0) -> int:  # noqa: ANN401 - as in socket
        self.settimeout(_current.budget.next_wait())
        _current.budget.connected = True
        count = super().send(data, flags)
        _current.budget.sent = True
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


def _with_budget(connected: socket.socket) -> socket.socket:
    _current.budget.connected = True
    timeout = connected.gettimeout()
    ours = _PlainSocket(connected.family, connected.type, connected.proto, fileno=connected.detach())
    ours.settimeout(timeout)
    return ours


class _PlainConnection(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        return _with_budget(super()._new_conn())


class _TLSConnection(HTTPSConnection):
    def _new_conn(self) -> socket.socket:
        return _with_budget(super()._new_conn())


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _PlainConnection


class _TLSPool(HTTPSConnectionPool):
    ConnectionCls = _TLSConnection


POOLS: dict[str, type[HTTPConnectionPool]] = {"http": _PlainPool, "https": _TLSPool}
"""The connection pools to use, by scheme."""
