"""A small TCP proxy on loopback that can be told to break, in the ways in which networks do.

`refuse`     nobody listens
`black_hole` connection requests vanish: no answer to a SYN
`one_way`    what the client sends arrives, what the server answers does not
`reset`      a TCP reset in the middle of an answer
`half_open`  the server's side is gone, and nobody tells the client
`stutter`    one piece in ten comes late, as after a packet was lost
`slow`       64 kbit/s
"""

import random
import socket
import struct
import threading
import time
from contextlib import suppress

MODES = ("refuse", "black_hole", "one_way", "reset", "half_open", "stutter", "slow")
GOOD = "good"
_PIECE = 65536
_SLOW_BYTES_PER_SECOND = 8000
_LATE_SECONDS = 0.2


class Proxy:
    """Passes connections on to a port of this machine. Use it in a `with` block."""

    def __init__(self, target: int, seed: int = 1) -> None:
        self._target = target
        self._chance = random.Random(seed)
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._listener: socket.socket | None = None
        self._fillers: list[socket.socket] = []
        self._open: set[socket.socket] = set()
        self.mode = GOOD
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.port: int = listener.getsockname()[1]
        self.windows: list[tuple[float, float]] = []
        """From when to when the network was bad, on the monotonic clock."""
        self._since = 0.0
        self.switch(GOOD)

    def __enter__(self) -> "Proxy":
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._stop_listening()
        self._cut_all()

    @property
    def url(self) -> str:
        """The base URL for the client."""
        return f"http://127.0.0.1:{self.port}"

    def switch(self, mode: str) -> None:
        """Break in this way from now on; "good" heals. Connections that hang are cut by the healing."""
        now = time.monotonic()
        if self.mode != GOOD:
            self.windows.append((self._since, now))
        self.mode, self._since = mode, now
        self._stop_listening()
        if mode in {"refuse", "black_hole", GOOD}:
            self._cut_all()
        if mode == "black_hole":
            self._fill_backlog()
        elif mode != "refuse":
            self._listener = self._listen(128)
            threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def _listen(self, backlog: int) -> socket.socket:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen(backlog)
        return listener

    def _fill_backlog(self) -> None:
        """Linux drops the SYNs to a listener whose queue is full."""
        self._listener = self._listen(0)
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            with suppress(BlockingIOError):
                filler.connect(("127.0.0.1", self.port))
            self._fillers.append(filler)

    def _stop_listening(self) -> None:
        for each in (self._listener, *self._fillers):
            if each is not None:
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
                each.close()
        self._listener, self._fillers = None, []

    def _cut_all(self) -> None:
        for each in list(self._open):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self._target))
            except OSError:  # the target is away for now
                client.close()
                continue
            for each in (client, server):
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._open.add(each)
            threading.Thread(target=self._pass_on, args=(client, server, False), daemon=True).start()
            threading.Thread(target=self._pass_on, args=(server, client, True), daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket, is_answer: bool) -> None:
        with suppress(OSError):
            while data := source.recv(_PIECE):
                if not self._piece(data, source, sink, is_answer):
                    break
        if self.mode not in {"half_open", "reset"}:
            for each in (source, sink):
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
        self._open.discard(source)

    def _piece(self, data: bytes, source: socket.socket, sink: socket.socket, is_answer: bool) -> bool:
        """Pass one piece on, or break. False where the connection is over."""
        match self.mode:
            case "one_way" if is_answer:
                return True
            case "half_open" if is_answer:
                source.close()
                return False
            case "reset" if is_answer:
                sink.sendall(data[: len(data) // 2])
                sink.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                sink.shutdown(socket.SHUT_RD)  # so that the other thread lets go of it: only then it is reset
                sink.close()
                return False
            case "slow":
                return self._slowly(data, sink)
            case "stutter":
                with self._lock:
                    late = self._chance.random() < 0.1
                if late:
                    self._over.wait(_LATE_SECONDS)
        sink.sendall(data)
        return True

    def _slowly(self, data: bytes, sink: socket.socket) -> bool:
        for start in range(0, len(data), 800):
            sink.sendall(data[start : start + 800])
            if self._over.wait(800 / _SLOW_BYTES_PER_SECOND):
                return False
        return True
