"""A CXone of the harness' own: raw sockets, a log of all that arrived, and faults by chance or by rule.

It shares no code with the library or its simulator, so neither can hide the other's mistakes. It
takes states and reports, checks the token, and gives out tokens.
"""

import json
import random
import re
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress

from attrs import define, field, frozen

from faults.answers import FAULTS, Fault, Line
from faults.ledger import Delivery, Event
from faults.waiting import wait_for

LOGIN = "/authentication/v1/token/access-key"
REFRESH = "/public/user/refresh"
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_BEARER = re.compile(rb"\r\nauthorization: *Bearer (\S+)", re.IGNORECASE)
_REQUEST_ID = re.compile(rb"\r\nx-request-id: *(\S+)", re.IGNORECASE)
_PATIENCE = 30.0
LATE = 0.5
"""Seconds after which an answer may come too late: no client of the harness waits for less."""
Rule = Callable[["Request"], "str | Fault | int | None"]
"""Says what becomes of a request: a fault or its name, a status to refuse it with, or None: it is taken."""


@frozen
class Request:
    """One whole request as it arrived."""

    number: int
    life: int
    """Of which sender process it is: the harness counts them up."""
    path: str
    head: bytes = field(repr=False)
    body: bytes = field(repr=False)
    events: tuple[Event, ...] = ()

    @property
    def token(self) -> str:
        """The Bearer token it carries."""
        found = _BEARER.search(self.head)
        return found[1].decode() if found else ""

    @property
    def request_id(self) -> str:
        """What stands in X-Request-Id."""
        found = _REQUEST_ID.search(self.head)
        return found[1].decode() if found else ""


@define
class Entry:
    """One line of the log. `fault` is what was done to it, "" where all went well."""

    request: Request
    fault: str
    taken: bool
    told: bool
    """The client got a whole answer that says it was taken."""
    came: float
    went: float = 0.0
    """When the answer was out, or the client gone. Both of the monotonic clock."""

    @property
    def in_time(self) -> bool:
        """The client still waited for the answer."""
        return self.went - self.came < LATE


def chance_of(rates: Mapping[str, float], seed: int) -> Rule:
    """A rule that spoils data requests by chance: a fault's name -> how often, of 1."""
    chance, lock = random.Random(seed), threading.Lock()

    def rule(request: Request) -> str | None:
        if request.path in {LOGIN, REFRESH}:
            return None
        with lock:
            drawn = chance.random()
        for name, rate in rates.items():
            drawn -= rate
            if drawn < 0:
                return name
        return None

    return rule


def events_of(body: bytes) -> tuple[Event, ...]:
    """The events in a body: states, alone or in a list, or one report. Their names are in the payload."""
    document = json.loads(body or b"{}")
    if "loginId" in document:
        document = {"agentStateList": [document]}
    if "agentStateList" in document:
        return tuple((state["loginId"], int(state["reasonCode"])) for state in document["agentStateList"])
    if "statusReason" in document:
        stream, _, number = document["statusReason"].rpartition("#")
        return ((stream, int(number)),)
    return ()


class Cxone:
    """The server, in threads of this process. Use it in a `with` block."""

    def __init__(
        self, rule: Rule = lambda _: None, *, token_life: int = 3600, elsewhere: str = "", mark: str = ""
    ) -> None:
        self.rule = rule
        self.life = 0
        self.log: list[Entry] = []
        self.taken = 0
        """Events in requests that were taken."""
        self.refuses_key = False
        self._tokens = Tokens(token_life, mark)
        self._elsewhere = elsewhere
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def __enter__(self) -> "Cxone":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def url(self) -> str:
        """Its base URL."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def tokens(self) -> "Tokens":
        """What it gave out."""
        return self._tokens

    def close(self) -> None:
        """Refuse and cut everything."""
        self._over.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in list(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def next_life(self) -> None:
        """The sender's process has ended: read what it left on the way, then count the one after it.

        What a killed process wrote may still wait in the kernel. Nobody else may be connected.
        """
        with socket.create_connection(("127.0.0.1", self.port)) as last:  # accepted after all that is its
            last.shutdown(socket.SHUT_WR)
            last.recv(1)
        if wait_for(lambda: not self._open, _PATIENCE) >= _PATIENCE:
            raise RuntimeError(f"{len(self._open)} connections of a process that has ended go on")
        self.life += 1

    def data(self) -> list[Entry]:
        """The requests that brought events, in the order of their arrival."""
        return [entry for entry in list(self.log) if entry.request.events]

    def deliveries(self) -> list[Delivery]:
        """Every event that was taken, in that order."""
        return [
            Delivery(event, entry.told and entry.in_time, entry.request.life, entry.request.number)
            for entry in self.data()
            if entry.taken
            for event in entry.request.events
        ]

    def faults(self) -> Counter[str]:
        """How often each fault was done."""
        return Counter(entry.fault for entry in list(self.log) if entry.fault)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            self._open.add(connection)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        line = Line(connection, self._over, self._elsewhere)
        try:
            with connection, suppress(OSError):
                while whole := _read(connection):
                    if not self._exchange(line, *whole):
                        break
        finally:
            self._open.discard(connection)

    def _exchange(self, line: Line, head: bytes, body: bytes) -> bool:
        """One request; False where the connection is to be closed."""
        path = head.split(b" ", 2)[1].decode()
        events = () if path in {LOGIN, REFRESH} else events_of(body)
        with self._lock:  # the place in the log and whether it is taken are decided as one
            request = Request(len(self.log), self.life, path, head, body, events)
            verdict = self.rule(request)
            fault = FAULTS[verdict] if isinstance(verdict, str) else verdict
            status = 200
            if not isinstance(fault, Fault):
                status = self._tokens.status(request, self.refuses_key) if fault is None else fault
                fault = None
            name = fault.name if fault else str(status) if status >= 300 else ""
            taken = fault.takes if fault else status < 300
            entry = Entry(request, name, taken, told=False, came=time.monotonic())
            self.log.append(entry)
            self.taken += taken * len(events)
        try:
            return self._answer(line, entry, fault, status)
        finally:
            entry.went = time.monotonic()

    def _answer(self, line: Line, entry: Entry, fault: Fault | None, status: int) -> bool:
        if fault is not None:
            fault.spoil(line)
            return fault.keeps_open
        body = b"{}"
        if status < 300 and entry.request.path in {LOGIN, REFRESH}:
            body = self._tokens.grant(entry.request)
        entry.told = entry.taken  # before it leaves: a client is never told what the log does not say
        try:
            line.answer(status, body)
        except OSError:
            entry.told = False
            raise
        return True


class Tokens:
    """Gives out tokens, and knows which are good. A refresh token works once (the strictest reading)."""

    def __init__(self, life: int, mark: str = "") -> None:
        self.life = life
        self._mark = mark
        self.logins = 0
        self.refreshes = 0
        self.reused = 0
        """Refresh tokens that came a second time."""
        self._good: set[str] = set()
        self._refresh: set[str] = set()
        self._spent: set[str] = set()
        self._lock = threading.Lock()

    def status(self, request: Request, refuses_key: bool) -> int:
        """Whether a request's key or token is good: 200 or 401."""
        if request.path == LOGIN:
            return 401 if refuses_key else 200
        if request.path == REFRESH:
            token = str(json.loads(request.body).get("token"))
            with self._lock:
                self.reused += token in self._spent
                return 200 if token in self._refresh else 401
        return 200 if request.token in self._good else 401

    def grant(self, request: Request) -> bytes:
        """A new token, as the two endpoints write it."""
        with self._lock:
            number = self.logins + self.refreshes + 1
            access, refresh = f"access{self._mark}-{number}", f"refresh{self._mark}-{number}"
            self._good.add(access)
            if request.path == LOGIN:
                self.logins += 1
                document: dict[str, object] = {
                    "token_type": "Bearer",
                    "expires_in": self.life,
                    "access_token": access,
                    "refresh_token": refresh,
                }
            else:
                self.refreshes += 1
                used = str(json.loads(request.body)["token"])
                self._spent.add(used)
                self._refresh.discard(used)
                document = {"token": access, "tokenExpirationTimeSec": self.life, "refreshToken": refresh}
            self._refresh.add(refresh)
        return json.dumps(document).encode()

    def revoke(self) -> None:
        """No access token is good any more."""
        with self._lock:
            self._good = set()


def _read(connection: socket.socket) -> tuple[bytes, bytes] | None:
    """Head and body of one request; None where the client has gone."""
    data = b""
    while b"\r\n\r\n" not in data:
        part = connection.recv(65536)
        if not part:
            return None
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    length = _LENGTH.search(head)
    pieces, missing = [body], (int(length[1]) if length else 0) - len(body)
    while missing > 0:
        part = connection.recv(65536)
        if not part:
            return None
        pieces.append(part)
        missing -= len(part)
    return head, b"".join(pieces)
