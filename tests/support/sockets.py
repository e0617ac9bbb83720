"""A server that does exactly what a test tells it to, down to the byte."""

import socket
import struct
import threading
from collections.abc import Callable
from contextlib import contextmanager, suppress

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: application/json\r\n\r\n{}"


class Peer:
    """One accepted connection."""

    def __init__(self, connection: socket.socket, number: int, over: threading.Event) -> None:
        self.connection = connection
        self.number = number
        self.over = over
        """Set when the test is over: what stalls waits on it."""

    def read_request(self) -> bytes:
        """One whole request, head and body; empty where the client has gone."""
        head = b""
        while b"\r\n\r\n" not in head:
            part = self.connection.recv(65536)
            if not part:
                return b""
            head += part
        head, _, body = head.partition(b"\r\n\r\n")
        length = 0
        for line in head.split(b"\r\n")[1:]:
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        while len(body) < length:
            body += self.connection.recv(65536)
        return head + b"\r\n\r\n" + body

    def send(self, data: bytes) -> None:
        self.connection.sendall(data)

    def drip(self, data: bytes, seconds_each: float) -> None:
        """Send byte by byte until the client gives up or the test is over."""
        for index in range(len(data)):
            if self.over.wait(seconds_each):
                return
            self.connection.sendall(data[index : index + 1])

    def stall(self) -> None:
        """Say nothing until the test is over."""
        self.over.wait(30)

    def reset(self) -> None:
        """Close with a TCP reset."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()


class ScriptedServer:
    """Calls `script(peer)` in a thread for each connection. What the script raises, `check()` raises."""

    def __init__(
        self, script: Callable[[Peer], None], wrap: Callable[[socket.socket], socket.socket] | None = None
    ):
        self._script = script
        self._wrap = wrap
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._over = threading.Event()
        self._threads: list[threading.Thread] = []
        self._errors: list[BaseException] = []
        self._open: list[socket.socket] = []
        self.connections = 0
        self.port = self._listener.getsockname()[1]
        self._acceptor = threading.Thread(target=self._accept)
        self._acceptor.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            thread = threading.Thread(target=self._serve, args=(connection, self.connections))
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        try:
            if self._wrap is not None:
                connection = self._wrap(connection)
            self._script(Peer(connection, number, self._over))
        except OSError:
            pass  # the client has gone: its right
        except BaseException as error:  # noqa: BLE001 - it is raised again in the test's own thread
            self._errors.append(error)
        finally:
            with suppress(OSError):
                connection.close()

    def close(self) -> None:
        self._over.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._acceptor.join()
        for connection in self._open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        if self._errors:
            raise self._errors[0]


@contextmanager
def serving(script: Callable[[Peer], None], wrap: Callable[[socket.socket], socket.socket] | None = None):
    """A scripted server for the length of the block."""
    server = ScriptedServer(script, wrap)
    try:
        yield server
    finally:
        server.close()


def unused_port() -> int:
    """A port of this machine on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]
