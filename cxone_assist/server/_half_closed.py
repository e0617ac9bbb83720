"""Sockets that this side has closed while the peer may still be sending.

To close a socket on data that nobody has read makes the kernel send a reset, and a reset makes the peer's
kernel throw away what its program has not read yet: our close frame, which says what was wrong. So only
our half is closed, and what still comes is read and thrown away, until the peer closes its half or the
time is over.
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress

__all__ = ["HalfClosed"]

_READ_BYTES = 65536


class HalfClosed:
    """The half-closed sockets of one server. Everything here runs in the server's thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop, seconds: float) -> None:
        self._loop = loop
        self._seconds = seconds
        self._open: dict[socket.socket, asyncio.TimerHandle] = {}
        self._changed = asyncio.Event()

    def keep(self, transport: asyncio.BaseTransport) -> None:
        """Keep the socket of a transport that is just being closed: call it from ``connection_lost()``."""
        closing: socket.socket | None = transport.get_extra_info("socket")
        with suppress(OSError):  # the peer is gone already, or there is no file descriptor left
            if closing is not None and closing.fileno() >= 0:
                self._keep(closing.dup())

    def _keep(self, ours: socket.socket) -> None:
        try:
            ours.setblocking(False)  # noqa: FBT003 - its only argument
            ours.shutdown(socket.SHUT_WR)
        except OSError:
            ours.close()
            raise
        self._open[ours] = self._loop.call_later(self._seconds, self._close, ours)
        self._loop.add_reader(ours, self._read, ours)

    def _read(self, ours: socket.socket) -> None:
        try:
            at_end = not ours.recv(_READ_BYTES)
        except OSError:  # a reset
            at_end = True
        if at_end:
            self._close(ours)

    def _close(self, ours: socket.socket) -> None:
        self._open.pop(ours).cancel()
        self._loop.remove_reader(ours)
        ours.close()
        self._changed.set()

    async def closed(self) -> None:
        """Wait until none is open any more."""
        while self._open:
            self._changed.clear()
            await self._changed.wait()
