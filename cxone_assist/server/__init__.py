"""A websocket server for CXone's audio streams, with synchronous callbacks (extra ``server``)."""

try:
    import websockets as _websockets  # noqa: F401 - to see whether the extra is there
except ImportError as error:
    raise ImportError(
        'cxone_assist.server needs its extra: python -m pip install "cxone-wfm-sdk[server]"'
    ) from error

from ._server import Server
from ._workers import serve
from .limits import Limits
from .stream import Authorize, Request, Stream, StreamStats, allow_all

__all__ = [
    "Authorize",
    "Limits",
    "Request",
    "Server",
    "Stream",
    "StreamStats",
    "allow_all",
    "serve",
]
