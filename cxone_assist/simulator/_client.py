"""CXone's end of a websocket: how every part of the simulator opens one, and how it cuts one."""

from __future__ import annotations

import logging
import socket
import ssl as ssl_module
import struct

from websockets.asyncio.client import ClientConnection, connect

__all__ = ["cut", "dial"]

_PATIENCE = 5.0
_RESET = struct.pack("ii", 1, 0)  # linger for no time: closing sends RST
_log = logging.getLogger("cxone_assist.simulator.peers")
_log.addHandler(logging.NullHandler())


def dial(url: str, ssl: ssl_module.SSLContext | None) -> connect:
    """Return the opening of a socket, to be awaited or entered; without ``ssl`` the system's trust holds."""
    return connect(
        url,
        compression=None,
        open_timeout=_PATIENCE,
        close_timeout=_PATIENCE,
        ping_interval=None,
        proxy=None,
        logger=_log,
        ssl=(ssl or True) if url.startswith("wss:") else None,
    )


def cut(websocket: ClientConnection) -> None:
    """Cut the connection without a word."""
    transport = websocket.transport
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    transport.abort()
