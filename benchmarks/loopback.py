"""The peer of the clients: a bare HTTP server, a process of its own, which takes all and does nothing.

It reads the headers no further than the length of the body, so that what is measured is the client.
"""

import multiprocessing
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection

TOKEN = b'{"access_token":"t","token_type":"Bearer","expires_in":3600,"refresh_token":"r"}'
LENGTH = b"content-length:"


def answer(body: bytes) -> bytes:
    """An answer that keeps the connection."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    return head % len(body) + body


def talk(connection: socket.socket) -> None:
    """Answer the requests of one connection, until it is closed."""
    token, nothing = answer(TOKEN), answer(b"")
    waiting = b""
    with connection:
        while True:
            while b"\r\n\r\n" not in waiting:
                if not (piece := connection.recv(1 << 18)):
                    return
                waiting += piece
            head, _, waiting = waiting.partition(b"\r\n\r\n")
            lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(LENGTH)]
            missing = (int(lengths[0][len(LENGTH) :]) if lengths else 0) - len(waiting)
            while missing > 0:
                missing -= len(connection.recv(1 << 18))
            waiting = b""  # no client sends the next request before the answer
            connection.sendall(token if b"/token/" in head.partition(b"\r\n")[0] else nothing)


def serve(pipe: Connection) -> None:
    """Serve until the process is ended."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        pipe.send(listening.getsockname()[1])
        while True:
            connection, _ = listening.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=talk, args=(connection,), daemon=True).start()


@contextmanager
def loopback() -> Iterator[str]:
    """The URL of such a server."""
    context = multiprocessing.get_context("spawn")
    pipe, other = context.Pipe()
    process = context.Process(target=serve, args=(other,), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{pipe.recv()}"
    finally:
        process.terminate()
        process.join()
