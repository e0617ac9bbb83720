"""Doubles for tests: of ours, and of programs that use this library.

>>> from cxone_wfm import WfmClient
>>> from cxone_wfm.testing import FakeClock, FakeTransport, fake_config, reply
>>> transport = FakeTransport([reply(200, {"access_token": "t", "expires_in": 3600}), reply(200)])
>>> with WfmClient(fake_config(), transport=transport, clock=FakeClock()) as wfm:
...     wfm.heartbeat.send()
>>> [request.url for request in transport.requests]
['https://cxone.example/authentication/v1/token/access-key', 'https://cxone.example/asc-manager/v1/heartbeat']
"""

import json
import threading
from collections.abc import Callable, Iterable

from attrs import frozen

from ._http import Request, Response
from .config import WfmConfig

__all__ = ["Attempt", "FakeClock", "FakeTransport", "fake_config", "reply"]

Answer = Response | Exception | Callable[[Request], Response]


def fake_config(base_url: str = "https://cxone.example") -> WfmConfig:
    """A configuration for tests; nothing real listens there."""
    return WfmConfig(
        base_url=base_url,
        tenant_name="Tenant_Name",
        access_key_id="key-id",
        access_key_secret="key-secret",  # noqa: S106 - of a server that does not exist
    )


def reply(status: int, document: object = None, **headers: str) -> Response:
    """An answer with a JSON document, or with an empty body. Header names: `retry_after` is `retry-after`."""
    body = b"" if document is None else json.dumps(document).encode()
    lowered = {name.replace("_", "-").lower(): value for name, value in headers.items()}
    return Response(status=status, headers={"content-type": "application/json", **lowered}, body=body)


class FakeClock:
    """Time that moves only when it is told to: by `advance()`, or because somebody sleeps. Thread-safe."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now
        self._lock = threading.Lock()
        self.sleeps: list[float] = []
        """Seconds of every sleep so far."""

    def monotonic(self) -> float:
        """The time now."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Note the wait, and let the time pass."""
        self.sleeps.append(seconds)
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        with self._lock:
            self.now += seconds


@frozen(kw_only=True)
class Attempt:
    """A request as a `FakeTransport` got it, with the limits it came with, in seconds and clock time."""

    request: Request
    connect: float
    read: float
    deadline: float


class FakeTransport:
    """Answers from a list, in order, and keeps what it was sent. Thread-safe.

    An answer is a `Response`, an exception to raise, or a function of the request. When the list is
    used up it raises `AssertionError`: the program sent more than the test expects. Like the real
    one it sends nothing after `close()`.
    """

    def __init__(self, answers: Iterable[Answer] = ()) -> None:
        self._answers = list(answers)
        self._lock = threading.Lock()
        self.attempts: list[Attempt] = []
        """What was sent, with its limits."""
        self.closed = False

    @property
    def requests(self) -> list[Request]:
        """What was sent."""
        return [attempt.request for attempt in self.attempts]

    def add(self, *answers: Answer) -> None:
        """More answers, after those that are there."""
        with self._lock:
            self._answers += answers

    def send(self, request: Request, *, connect: float, read: float, deadline: float) -> Response:
        """Keep the request and give the next answer."""
        if self.closed:
            raise RuntimeError("this client is closed; make a new one")
        with self._lock:
            self.attempts.append(Attempt(request=request, connect=connect, read=read, deadline=deadline))
            if not self._answers:
                raise AssertionError(f"unexpected request: {request.method} {request.url}")
            answer = self._answers.pop(0)
        if isinstance(answer, Response):
            return answer
        if isinstance(answer, Exception):
            raise answer
        return answer(request)

    def close(self) -> None:
        """Note that it was closed."""
        self.closed = True
