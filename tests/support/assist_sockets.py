"""Peers over real sockets: an ordinary one, and one that says exactly the bytes it is told to."""

import base64
import os
import socket
import struct
import threading
import time
from contextlib import suppress

UPGRADE = (
    b"GET /audio?token=query-secret HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\nX-Tenant: t1\r\n\r\n"
)


def frame(opcode, payload=b"", *, fin=True, masked=True, rsv=0):
    """Return a websocket frame."""
    first = bytes([fin << 7 | rsv << 4 | opcode])
    size = len(payload)
    bit = 0x80 if masked else 0
    if size < 126:
        length = bytes([bit | size])
    elif size < 65536:
        length = bytes([bit | 126]) + struct.pack(">H", size)
    else:
        length = bytes([bit | 127]) + struct.pack(">Q", size)
    return first + length + (b"\0\0\0\0" if masked else b"") + payload


class RawPeer:
    """A peer below the websocket library."""

    def __init__(self, port, *, upgrade=True, tls=None):
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=5)
        if tls is not None:
            self.sock = tls.wrap_socket(self.sock, server_hostname="localhost")
        self._data = b""
        if upgrade:
            try:
                self._upgrade()
            except BaseException:
                self.sock.close()
                raise

    def _upgrade(self):
        self.sock.sendall(UPGRADE % base64.b64encode(os.urandom(16)))
        head = self.until(b"\r\n\r\n")
        assert b" 101 " in head.split(b"\r\n")[0], head

    def until(self, mark):
        while mark not in self._data:
            self._fill()
        head, self._data = self._data.split(mark, 1)
        return head

    def _fill(self):
        data = self.sock.recv(65536)
        if not data:
            raise EOFError
        self._data += data

    def _take(self, count):
        while len(self._data) < count:
            self._fill()
        taken, self._data = self._data[:count], self._data[count:]
        return taken

    def send(self, *frames):
        self.sock.sendall(b"".join(frames))

    def text(self, text):
        self.send(frame(1, text.encode()))

    def audio(self, payload):
        self.send(frame(2, payload))

    def read(self):
        """Return opcode and payload of the next frame."""
        first, second = self._take(2)
        size = second & 0x7F
        if size == 126:
            size = struct.unpack(">H", self._take(2))[0]
        return first & 0xF, self._take(size)

    def read_text(self):
        opcode, payload = self.read()
        assert opcode == 1, (opcode, payload)
        return payload.decode()

    def read_close(self):
        """Skip to the close, answer it, and return its code and reason."""
        while True:
            opcode, payload = self.read()
            if opcode == 8:
                with suppress(OSError):  # an endpoint that gave up on the peer waits for no answer
                    self.send(frame(8, payload[:2]))
                return struct.unpack(">H", payload[:2] or b"\x03\xed")[0], payload[2:].decode()

    def gone(self):
        """Wait for the end of the connection."""
        try:
            while True:
                self._fill()
        except (EOFError, OSError):
            return True

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()


class Log:
    """A list that can be waited for, from another thread."""

    def __init__(self):
        self.items = []
        self._changed = threading.Condition()

    def __call__(self, *item):
        with self._changed:
            self.items.append(item[0] if len(item) == 1 else item)
            self._changed.notify_all()

    def wait(self, true, seconds=5):
        """Return the items once ``true`` of them."""
        with self._changed:
            assert self._changed.wait_for(lambda: true(self.items), seconds), self.items
            return list(self.items)

    def __len__(self):
        return len(self.items)


def eventually(true, seconds=5):
    """Wait for what another thread changes without telling."""
    until = time.monotonic() + seconds
    while not (value := true()):
        assert time.monotonic() < until, "it did not come true"
        time.sleep(0.002)
    return value
