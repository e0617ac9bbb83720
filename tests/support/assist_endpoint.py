"""Somebody else's endpoint, right or wrong."""

import threading
from contextlib import contextmanager

from websockets.sync.server import serve


@contextmanager
def endpoint(handler):
    """Run a function of a websocket as an endpoint, and give its address."""
    with serve(handler, "127.0.0.1", 0, close_timeout=0.1) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}/"
        finally:
            server.shutdown()
            thread.join()
