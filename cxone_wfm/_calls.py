"""One call to CXone: the route, the token, the attempts, the deadline, and what the answer means."""

import logging
import random
import uuid
from collections.abc import Callable
from typing import Literal, Protocol, TypeVar

import attrs

from . import _json
from ._http import Clock, Request, Response, Transport
from ._retry import RetryQuota, error_class, retry_after, run
from ._token_cache import AccessToken
from .config import Route, WfmConfig
from .errors import (
    APIError,
    RateLimitedError,
    ServerError,
    SuspectAnswerError,
    TransportError,
    ValidationError,
)
from .secrets import Secret

Operation = Literal[
    "access_key_token",
    "refresh_token",
    "agent_states",
    "agent_activity_report",
    "historical_report",
    "acd_types",
    "heartbeat",
]
TOKEN_OPERATIONS = ("access_key_token", "refresh_token")

_CORRELATION_HEADERS = ("correlationid", "x-correlation-id", "x-request-id", "x-amzn-requestid")
_LONGEST_MESSAGE = 300
_NOT_JSON = object()
_log = logging.getLogger(__name__)
_Result = TypeVar("_Result")


class TokenSource(Protocol):
    """Where calls get their token."""

    def access_token(self, *, deadline: float | None = None) -> AccessToken:
        """A token that is good now."""
        ...

    def invalidate(self, token: AccessToken) -> None:
        """The API refused this token."""
        ...


class _NoTokenError(Exception):
    """Carries what the token source raised past the retries: it has had its own."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error


@attrs.frozen
class Calls:
    """Makes calls with one configuration. `tokens` is None for the calls that fetch tokens themselves.

    `known` gives the tokens that no text may show.
    """

    config: WfmConfig
    transport: Transport
    clock: Clock
    quota: RetryQuota
    tokens: TokenSource | None
    chance: Callable[[], float] = random.random
    known: Callable[[], list[Secret]] = list

    def make(
        self,
        operation: Operation,
        body: bytes | None = None,
        *,
        attempts: int | None = None,
        deadline: float | None = None,
        request_id: str | None = None,
    ) -> bytes:
        """Make the call and give the answer's body.

        Raises a `TransportError` or an `APIError`, with the operation, the request id and the number
        of requests in it. `deadline` is a moment of the clock; without it `timeouts.total` counts.
        `request_id` is for who repeats a call: the same data has the same id each time.
        """
        return self.make_and_read(
            operation, body, bytes, "", attempts=attempts, deadline=deadline, request_id=request_id
        )

    def make_and_read(
        self,
        operation: Operation,
        body: bytes | None,
        read: Callable[[bytes], _Result | None],
        complaint: str,
        *,
        attempts: int | None = None,
        deadline: float | None = None,
        request_id: str | None = None,
    ) -> _Result:
        """As `make`, and give what `read` makes of the answer's body.

        Where that is None it raises a `SuspectAnswerError` with the complaint.
        """
        policy = self.config.retry if attempts is None else attrs.evolve(self.config.retry, attempts=attempts)
        if deadline is None:
            deadline = self.clock.monotonic() + self.config.timeouts.total
        call = _Call(self, operation, body, deadline, request_id or str(uuid.uuid4()))
        del body  # a login's holds the access key, and many tools show the locals of a traceback
        try:
            result = read(  # the body gets no name, for it may hold a token
                run(
                    call.attempt,
                    policy=policy,
                    clock=self.clock,
                    deadline=deadline,
                    quota=self.quota,
                    chance=self.chance,
                )
            )
            if result is None:
                raise SuspectAnswerError(complaint)
        except (TransportError, APIError) as error:
            call.sign(error)
            raise
        except _NoTokenError as carrier:
            failure = carrier.error
        else:
            return result
        if isinstance(failure, (TransportError, APIError)):
            failure.no_token = call.untaken
            if not failure.operation:
                call.sign(failure)  # it failed while it waited for another thread's token
        raise failure


class _Call:
    """The attempts of one call. All carry the same body and the same request id."""

    def __init__(
        self, calls: Calls, operation: Operation, body: bytes | None, deadline: float, request_id: str
    ) -> None:
        config = calls.config
        route: Route = getattr(config.endpoints, operation)
        base = (operation in TOKEN_OPERATIONS and config.auth_url) or config.base_url
        self.request_id = request_id
        self.requests = 0
        self.untaken = True
        """CXone cannot have taken the body: it was not sent, or only refused with 401."""
        self._calls = calls
        self._operation = operation
        self._deadline = deadline
        self._replayed = False
        headers = {
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "User-Agent": "cxone-wfm-sdk",
            "X-Request-Id": self.request_id,
        }
        if body is not None:
            headers["Content-Type"] = "application/json"
        self._request = Request(method=route.method, url=base + route.path, headers=headers, body=body)

    def sign(self, error: TransportError | APIError) -> None:
        """Write down in the error which call it was."""
        error.operation, error.request_id, error.attempts = self._operation, self.request_id, self.requests

    def attempt(self) -> bytes:
        """Send it once; where the token is refused, once more with a new one."""
        tokens = self._calls.tokens
        if tokens is None:
            return self._judge(self._send(None), None)
        token = self._token(tokens)
        response = self._send(token.value)
        if response.status == 401 and not self._replayed:  # noqa: PLR2004 - HTTP's own number
            if self._calls.clock.monotonic() >= token.renewable_at:
                tokens.invalidate(token)
            newest = self._token(tokens)
            if newest.generation != token.generation:
                self._replayed = True
                token = newest
                response = self._send(token.value)
        return self._judge(response, token.value)

    def _token(self, tokens: TokenSource) -> AccessToken:
        try:
            return tokens.access_token(deadline=self._deadline)
        except Exception as error:  # noqa: BLE001 - whatever it is, it goes to the caller as it is
            raise _NoTokenError(error) from None

    def _send(self, token: Secret | None) -> Response:
        timeouts, clock = self._calls.config.timeouts, self._calls.clock
        request = attrs.evolve(self._request, token=token)
        started = clock.monotonic()
        self.requests += 1
        untaken, self.untaken = self.untaken, False
        outcome = "failed"
        try:
            response = self._calls.transport.send(
                request, connect=timeouts.connect, read=timeouts.read, deadline=self._deadline
            )
            outcome = str(response.status)
            self.untaken = untaken and response.status == 401  # noqa: PLR2004 - HTTP's own number
        finally:
            milliseconds = (clock.monotonic() - started) * 1000
            _log.debug(
                "%s: %s %s -> %s in %.0f ms (request id %s)",
                self._operation,
                request.method,
                request.url,
                outcome,
                milliseconds,
                self.request_id,
            )
        return response

    def _judge(self, response: Response, token: Secret | None) -> bytes:
        config = self._calls.config
        hidden = [config.access_key_id, config.access_key_secret, *self._calls.known()]
        if token is not None:
            hidden.append(token)
        if 200 <= response.status < 300:  # noqa: PLR2004 - HTTP's own classes
            if suspicion := _suspicion(response):
                raise SuspectAnswerError(_printable(f"HTTP {response.status} {suspicion}", hidden))
            return response.body
        said = correlation = ""
        if self._operation not in TOKEN_OPERATIONS:  # their answers may hold tokens we do not know
            said, correlation = _server_message(response, hidden), _correlation(response, hidden)
        kind = error_class(response.status)
        error = kind(f"HTTP {response.status}", response.status, said, correlation)
        if isinstance(error, (RateLimitedError, ServerError)):
            error.retry_after = retry_after(response.headers)
        raise error


def _suspicion(response: Response) -> str:
    """Why a 2xx is not to be trusted; empty where it is: CXone answers with nothing or with JSON."""
    if response.cut:
        return "with a body longer than any answer of CXone's"
    if not response.body.strip():
        return ""
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        return "with an encoded body, though we asked for a plain one"
    if not _json.is_json(_document(response)):
        kind = response.headers.get("content-type", "none").partition(";")[0]
        return f"with a body that is not JSON (content type {kind})"
    return ""


def _document(response: Response) -> object:
    """The JSON value in the body; where there is none, something that is no JSON value."""
    try:
        return _json.parse(response.body, "the answer")
    except ValidationError:
        return _NOT_JSON


def _server_message(response: Response, hidden: list[Secret]) -> str:
    """What the server says of a failure, where it says it in a header or a JSON object; never HTML."""
    said = _document(response)
    texts: list[object] = [response.headers.get("icstatusdescription")]
    if isinstance(said, dict):
        texts += [said.get(key) for key in ("error_description", "errorDescription", "message", "error")]
    return next((_printable(text, hidden) for text in texts if isinstance(text, str) and text), "")


def _correlation(response: Response, hidden: list[Secret]) -> str:
    found = next((response.headers[name] for name in _CORRELATION_HEADERS if name in response.headers), "")
    return _printable(found, hidden)


def _printable(text: str, hidden: list[Secret]) -> str:
    for secret in sorted(hidden, key=lambda secret: -len(secret.reveal())):  # one may begin another
        text = text.replace(secret.reveal(), "***")
    return "".join(each if each.isprintable() else " " for each in text)[:_LONGEST_MESSAGE]
