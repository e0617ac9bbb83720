"""What both websocket libraries are given, and the HTTP request as the callbacks see it."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from .stream import Request

__all__ = ["ABNORMAL_CLOSURE", "BACKLOG", "NO_STATUS", "peers_log", "read_request"]

NO_STATUS, ABNORMAL_CLOSURE = 1005, 1006
BACKLOG = 2048
"""Connections that wait to be accepted: all streams of a server may come back at once."""

peers_log = logging.getLogger("cxone_assist.server.peers")
"""Where the websocket libraries report what peers do wrong. Silent until a program configures logging."""
peers_log.addHandler(logging.NullHandler())


def read_request(target: str, headers: Iterable[tuple[str, str]], peer: object) -> Request:
    """Return the request for ``target``, path and query; ``peer`` is what the socket calls its peer."""
    path, _, query = target.partition("?")
    return Request(
        path=path,
        query=query,
        headers={name.lower(): value for name, value in headers},
        address=str(peer[0]) if isinstance(peer, tuple) else "",
    )
