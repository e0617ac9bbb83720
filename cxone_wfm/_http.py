"""One HTTP exchange as data, and the two doors to the outside world: Transport and Clock."""

import time
from collections.abc import Mapping
from typing import NoReturn, Protocol

from attrs import field, frozen

from .secrets import Secret

__all__ = ["Clock", "Request", "Response", "SystemClock", "Transport"]


def _refuse_pickling(exchange: object, _: object) -> NoReturn:
    raise TypeError(f"a {type(exchange).__name__} cannot be pickled or copied: it may hold a key or a token")


@frozen(kw_only=True)
class Request:
    """A request that is to be sent. `token` goes out as the Bearer token."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None = field(default=None, repr=False)
    token: Secret | None = None

    __reduce_ex__ = _refuse_pickling


@frozen(kw_only=True)
class Response:
    """An answer that arrived. Header names are in lower case. `cut`: the body was longer than the cap."""

    status: int
    headers: Mapping[str, str] = field(factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    cut: bool = False

    __reduce_ex__ = _refuse_pickling


class Transport(Protocol):
    """Sends one request once. No retries, no redirects, no token handling.

    `connect` and `read` are in seconds, `deadline` is a moment of the clock's `monotonic()`. Raises
    a `TransportError` where no whole answer came.
    """

    def send(self, request: Request, *, connect: float, read: float, deadline: float) -> Response:
        """Send the request and give the answer, whatever its status is."""
        ...

    def close(self) -> None:
        """Let go of the connections."""
        ...


class Clock(Protocol):
    """The only time that the library knows."""

    def monotonic(self) -> float:
        """Seconds that never go back."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class SystemClock:
    """The machine's clock."""

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)
