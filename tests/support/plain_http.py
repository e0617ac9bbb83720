"""HTTP without any client of ours: one request, one answer, one connection; and bytes as they are."""

import http.client
import json
import socket
from collections.abc import Mapping
from urllib.parse import urlsplit

from attrs import field, frozen

PATIENCE = 10.0


@frozen(kw_only=True)
class Reply:
    """What came back. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self):
        return json.loads(self.body)


@frozen
class PlainClient:
    """Talks to one base URL. `headers` go with every request."""

    base_url: str
    headers: Mapping[str, str] = field(factory=dict)

    def send(self, method, path, body=None, **headers):
        """One request on a connection of its own; names of headers are written with _ for -."""
        connection = http.client.HTTPConnection(urlsplit(self.base_url).netloc, timeout=PATIENCE)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            connection.request(method, path, body=body, headers={**self.headers, **named})
            answer = connection.getresponse()
            return Reply(
                status=answer.status,
                headers={name.lower(): value for name, value in answer.getheaders()},
                body=answer.read(),
            )
        finally:
            connection.close()

    def post(self, path, document, **headers):
        """POST a value as JSON; bytes as they are."""
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        return self.send("POST", path, body, **{"Content_Type": "application/json", **headers})

    def connect(self):
        """A bare socket to the server."""
        parts = urlsplit(self.base_url)
        return socket.create_connection((parts.hostname, parts.port), timeout=PATIENCE)

    def raw(self, data, *, end=True):
        """Send bytes, and give all that comes until the server closes. `end` says that no more follows."""
        with self.connect() as connection:
            connection.sendall(data)
            if end:
                connection.shutdown(socket.SHUT_WR)
            return read_to_end(connection)


def read_to_end(connection):
    """All bytes until the peer closes, or resets, the connection."""
    pieces = []
    try:
        while piece := connection.recv(65536):
            pieces.append(piece)
    except ConnectionResetError:
        pass
    return b"".join(pieces)
