"""HttpTransport: the only place that uses `requests`."""

import http.client
import socket
import ssl
from collections.abc import Iterator
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.util.ssl_ import create_urllib3_context

from ._fork import start_over_in_child
from ._http import Clock, Request, Response
from ._sockets import POOLS, Budget, budget_of_this_thread, use_budget_sockets
from .config import WfmConfig
from .errors import CertificateError, NotSentError, OutcomeUnknownError, TransportError

MAX_RESPONSE_BYTES = 1024 * 1024
"""The longest body of an answer that is read; of a longer one this much (our choice)."""
MAX_CONNECTIONS = 64
"""How many connections to one host are kept open for the next request (our choice)."""
_CHUNK = 64 * 1024
_BODILESS = (204, 304)

_FAILURES = (
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    http.client.HTTPException,
    OSError,
    ValueError,
)
"""Everything that requests, urllib3, http.client and the socket raise when an exchange fails."""

_BEFORE_CONNECTING = (
    requests.exceptions.ConnectTimeout,
    requests.exceptions.InvalidHeader,
    requests.exceptions.InvalidProxyURL,
    requests.exceptions.InvalidSchema,
    requests.exceptions.InvalidURL,
    requests.exceptions.MissingSchema,
    requests.exceptions.ProxyError,
    requests.exceptions.SSLError,
    urllib3.exceptions.ConnectTimeoutError,
    urllib3.exceptions.LocationValueError,
    urllib3.exceptions.NewConnectionError,
    urllib3.exceptions.ClosedPoolError,
    urllib3.exceptions.EmptyPoolError,
    urllib3.exceptions.HostChangedError,
    urllib3.exceptions.ProxyError,
    urllib3.exceptions.ProxySchemeUnsupported,
    urllib3.exceptions.SSLError,
    socket.gaierror,
)
"""Where no socket of ours was involved, these say that none could be: nothing was sent."""

_WORDS = (
    (socket.gaierror, "the host name cannot be resolved"),
    (ConnectionRefusedError, "the connection was refused"),
    (http.client.RemoteDisconnected, "the server closed the connection without an answer"),
    (ConnectionResetError, "the connection was reset"),
    (http.client.IncompleteRead, "the answer was cut short"),
    (requests.exceptions.ProxyError, "the proxy could not be used"),
    (ssl.SSLError, "TLS could not be set up or was broken"),
    (TimeoutError, "it took too long"),
    (requests.exceptions.Timeout, "it took too long"),
    (http.client.HTTPException, "the answer is not HTTP as it should be"),
    (ValueError, "the answer is not HTTP as it should be"),
)
"""What happened in words, most telling kind first."""


class _Adapter(HTTPAdapter):
    """requests' adapter with its own retries off and our sockets below."""

    def __init__(self) -> None:
        super().__init__(pool_connections=4, pool_maxsize=MAX_CONNECTIONS, max_retries=0)

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - as in requests
        super().init_poolmanager(*arguments, ssl_context=_context(), **options)
        self.poolmanager.pool_classes_by_scheme = POOLS

    def proxy_manager_for(self, proxy: str, **options: Any) -> urllib3.ProxyManager:  # noqa: ANN401 - as in requests
        manager: urllib3.ProxyManager = super().proxy_manager_for(proxy, ssl_context=_context(), **options)
        manager.pool_classes_by_scheme = POOLS
        return manager


def _context() -> ssl.SSLContext:
    context = create_urllib3_context()
    use_budget_sockets(context)
    return context


class HttpTransport:
    """Sends requests over pooled connections. Thread-safe; a forked child starts with connections of its own.

    The adapter is used without a session: no cookies, no .netrc, no proxies of the environment, no
    redirects. Certificates are always verified.
    """

    def __init__(self, config: WfmConfig, clock: Clock) -> None:
        self._clock = clock
        self._verify = config.ca_bundle or True
        self._proxy = config.proxy
        self._adapter: _Adapter | None = _Adapter()
        start_over_in_child(self)

    def start_over(self) -> None:
        """In a forked child: the parent's connections stay the parent's."""
        if self._adapter is not None:
            self._adapter = _Adapter()

    def close(self) -> None:
        """Let go of the connections. Sending afterwards is an error."""
        adapter, self._adapter = self._adapter, None  # first, so that no other thread begins with it
        if adapter is not None:
            adapter.close()

    def send(self, request: Request, *, connect: float, read: float, deadline: float) -> Response:
        """Send the request once and give the answer, whatever its status is.

        Raises a `TransportError` where no whole answer came, RuntimeError after `close()`.
        """
        adapter = self._adapter  # once: another thread may close it meanwhile
        if adapter is None:
            raise RuntimeError("this client is closed; make a new one")
        budget = Budget(self._clock.monotonic, deadline, read)
        left = budget.left()  # once: it must not turn negative between the check and its use
        if left <= 0:
            raise NotSentError("the call's total time was over before the request could leave")
        with budget_of_this_thread(budget):
            answer = self._exchange(adapter, request, min(connect, left), budget)
        if isinstance(answer, TransportError):
            raise answer  # here, not where it was found: the libraries' exceptions and frames hold the token
        return answer

    def _exchange(
        self, adapter: _Adapter, request: Request, connect: float, budget: Budget
    ) -> Response | TransportError:
        headers = dict(request.headers)
        if request.token is not None:
            headers["Authorization"] = f"Bearer {request.token.reveal()}"
        proxies = {scheme: self._proxy.reveal() for scheme in POOLS} if self._proxy else None
        try:
            prepared = requests.Request(request.method, request.url, headers, data=request.body).prepare()
            answer = adapter.send(
                prepared, stream=True, timeout=(connect, budget.read), verify=self._verify, proxies=proxies
            )
            try:
                body, cut = _read_body(answer)
            finally:
                answer.close()
        except _FAILURES as error:
            return _explain(error, budget)
        if budget.broken and answer.ok:
            return OutcomeUnknownError("the server answered before it had the whole request")
        lowered = {name.lower(): value for name, value in answer.headers.items()}
        return Response(status=answer.status_code, headers=lowered, body=body, cut=cut)


def _read_body(answer: requests.Response) -> tuple[bytes, bool]:
    """The body as it was sent, never decompressed, and whether it was cut at the cap."""
    body = bytearray()
    for chunk in answer.raw.stream(_CHUNK, decode_content=False):
        body += chunk
        if len(body) > MAX_RESPONSE_BYTES:
            return bytes(body[:MAX_RESPONSE_BYTES]), True
    promised = 0 if answer.status_code in _BODILESS else int(answer.headers.get("Content-Length", 0))
    if len(body) < promised:  # older urllib3 does not look
        raise http.client.IncompleteRead(bytes(body))
    return bytes(body), False


def _explain(error: BaseException, budget: Budget) -> TransportError:
    """Our error for theirs. Its text names their kinds only: their texts may hold what was sent."""
    causes = list(_chain(error))
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes):
        return CertificateError("the server's certificate could not be verified")
    kinds = " <- ".join(dict.fromkeys(type(cause).__name__ for cause in causes))
    words = next(
        (words for kind, words in _WORDS if any(isinstance(cause, kind) for cause in causes)), "it failed"
    )
    what = f"{'the total time is over' if budget.left() <= 0 else words} [{kinds}]"
    never_left = budget.connected or any(isinstance(cause, _BEFORE_CONNECTING) for cause in causes)
    if never_left and not budget.sent:
        return NotSentError(f"no connection: {what}")
    return OutcomeUnknownError(f"no whole answer: {what}")


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and what it wraps: as its cause, its context, its reason or its first argument."""
    seen: list[BaseException] = []
    waiting = [error]
    while waiting:
        each = waiting.pop(0)
        if not any(each is other for other in seen):
            seen.append(each)
            wrapped = [each.__cause__, each.__context__, getattr(each, "reason", None), *each.args]
            waiting += [other for other in wrapped if isinstance(other, BaseException)]
    return iter(seen)
