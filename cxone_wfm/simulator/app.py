"""The WSGI application: which request is served where, and what is checked before it is taken."""

import json
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING
from urllib.parse import unquote

import attrs
from attrs import field, frozen

from .. import _json
from ..config import Endpoints, Route
from ..errors import ConfigurationError, ValidationError
from ..models import (
    AccessKeyTokenRequest,
    AgentActivityReport,
    AgentStateList,
    HistoricalReport,
    RefreshTokenRequest,
    TokenRequest,
)
from .answer import JSON, Answer, RefusedError, refusal
from .faults import (
    AnswerLost,
    CutBefore,
    CutInside,
    ExpireToken,
    InjectedFault,
    answer_instead,
    deliver,
    read_fault,
)
from .state import MAY_HOLD_SECRETS, Data, NotAuthorizedError, ReceivedRequest, State

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

TAKE_OVER = "cxone_wfm.simulator.take_over"
"""Where the server puts its `faults.TakeOver` into the WSGI environment."""

CONTROL = {
    "read_back": Route("GET", "/__simulator__/received"),
    "reset": Route("POST", "/__simulator__/reset"),
    "plant_fault": Route("POST", "/__simulator__/faults"),
}
"""The simulator's own routes, for programs in any language. They need no token and are not logged."""

_DATA: Mapping[str, type[Data]] = {
    "agent_states": AgentStateList,
    "agent_activity_report": AgentActivityReport,
    "historical_report": HistoricalReport,
}
_PIECE = 64 * 1024


@frozen(kw_only=True)
class _Request:
    method: str
    path: str
    """As it came, with the query."""
    content_type: str
    authorization: str = field(repr=False)
    request_id: str
    body: bytes = field(repr=False)

    def require_json(self) -> None:
        if self.content_type.partition(";")[0].strip().lower() != JSON:
            message = f"the content type is {self.content_type!r}; it must be {JSON}"
            raise RefusedError(refusal(415, "unsupported_media_type", message))


class Application:
    """Serves the vendor's operations where `endpoints` says, and the simulator's own routes.

    Raises `ConfigurationError` where two operations would be served at the same method and path.
    """

    def __init__(
        self,
        state: State,
        *,
        endpoints: Endpoints,
        acd_types: tuple[str, ...],
        max_body_bytes: int,
        stopping: threading.Event,
    ) -> None:
        self._state = state
        self._acd_types = acd_types
        self._max_body_bytes = max_body_bytes
        self._stopping = stopping
        self._routes = _routes({**CONTROL, **attrs.asdict(endpoints, recurse=False)})
        self._handlers: Mapping[str, Callable[[_Request], Answer]] = {
            "access_key_token": self._log_in,
            "refresh_token": self._refresh,
            "acd_types": self._list_acd_types,
            "heartbeat": self._beat,
            "read_back": self._read_back,
            "reset": self._reset,
            "plant_fault": self._plant_fault,
        }

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        try:
            body, refused = _read_body(environ, self._max_body_bytes), None
        except RefusedError as error:
            body, refused = b"", error.answer
        request = _Request(
            method=environ["REQUEST_METHOD"],
            path=environ["REQUEST_URI"],
            content_type=environ.get("CONTENT_TYPE", ""),
            authorization=environ.get("HTTP_AUTHORIZATION", ""),
            request_id=environ.get("HTTP_X_REQUEST_ID", ""),
            body=body,
        )
        served = self._served(request.path)
        operation = served.get(request.method, "")
        if operation in CONTROL:
            fault, answer = None, refused or self._handle(operation, request)
        else:
            fault = self._state.next_fault(operation) if operation else None
            if isinstance(fault, ExpireToken):
                self._state.expire_tokens()
            answer = (
                answer_instead(fault)
                or refused
                or _not_served(request, served)
                or self._handle(operation, request)
            )
            self._log(operation, request, fault, answer)
        if request.method == "HEAD":
            answer = attrs.evolve(answer, body=b"")
        return deliver(answer, fault, start_response, environ[TAKE_OVER], self._stopping)

    def _served(self, path: str) -> Mapping[str, str]:
        """Method -> operation at this path. Where a route names a query, the request must have the same."""
        bare, _, query = path.partition("?")
        return {**self._routes.get((unquote(bare), ""), {}), **self._routes.get((unquote(bare), query), {})}

    def _handle(self, operation: str, request: _Request) -> Answer:
        try:
            if operation in _DATA:
                return self._take(_DATA[operation], request)
            return self._handlers[operation](request)
        except RefusedError as error:
            return error.answer
        except NotAuthorizedError as error:
            return refusal(401, "unauthorized", str(error), ("WWW-Authenticate", "Bearer"))
        except ValidationError as error:
            message = f"{error.record} was refused; see faults"
            return refusal(400, "validation", message, faults=[attrs.asdict(f) for f in error.faults])

    def _log(self, operation: str, request: _Request, fault: InjectedFault | None, answer: Answer) -> None:
        # Before the answer leaves: who has the answer finds the request in what was received.
        self._state.log(
            ReceivedRequest(
                operation=operation,
                method=request.method,
                path=request.path,
                status="cut" if isinstance(fault, (CutBefore, CutInside, AnswerLost)) else answer.status,
                request_id=request.request_id,
                body=b"" if operation in MAY_HOLD_SECRETS else request.body,
            )
        )

    def _take(self, record_class: type[Data], request: _Request) -> Answer:
        self._state.check_authorization(request.authorization)
        request.require_json()
        self._state.store(record_class.from_json(request.body))
        return Answer(status=200)

    def _log_in(self, request: _Request) -> Answer:
        request.require_json()
        document = _json.parse(request.body, "TokenRequest")
        if isinstance(document, dict) and "accessKeyTokenRequest" in document:
            nested = TokenRequest.from_json(request.body)
            access_key, tenant_name = nested.access_key_token_request, nested.tenant_name
        else:
            access_key, tenant_name = AccessKeyTokenRequest.from_json(request.body), None
        return Answer(status=200, body=self._state.log_in(access_key, tenant_name).to_json())

    def _refresh(self, request: _Request) -> Answer:
        request.require_json()
        refresh_token = RefreshTokenRequest.from_json(request.body).token
        answer = json.loads(self._state.refresh(refresh_token).to_json())
        # The page's answer has this null, which a record leaves out.
        return Answer(status=200, body=json.dumps({**answer, "sessionId": None}).encode())

    def _list_acd_types(self, request: _Request) -> Answer:
        self._state.check_authorization(request.authorization)
        return Answer(status=200, body=json.dumps(self._acd_types).encode())

    def _beat(self, request: _Request) -> Answer:
        self._state.check_authorization(request.authorization)
        self._state.count_heartbeat()
        return Answer(status=200)

    def _read_back(self, _: _Request) -> Answer:
        return Answer(status=200, body=self._state.received().to_json())

    def _reset(self, _: _Request) -> Answer:
        self._state.reset()
        return Answer(status=200)

    def _plant_fault(self, request: _Request) -> Answer:
        # JSON only: a web page in a browser on this machine cannot send that here unasked.
        request.require_json()
        document = _json.parse(request.body, "fault")
        if not isinstance(document, dict):
            raise RefusedError(refusal(400, "validation", "a fault is a JSON object"))
        operation, kind, times = (
            document.pop("operation", None),
            document.pop("kind", None),
            document.pop("times", 1),
        )
        try:
            self._state.plant(operation, read_fault(kind, document), times)
        except ValueError as error:
            raise RefusedError(refusal(400, "validation", str(error))) from None
        return Answer(status=200)


def _routes(table: Mapping[str, Route]) -> Mapping[tuple[str, str], dict[str, str]]:
    """(path, query) -> method -> operation."""
    routes: dict[tuple[str, str], dict[str, str]] = {}
    problems = []
    for operation, route in table.items():
        problems += route.problems(operation)
        bare, _, query = route.path.partition("?")
        methods = routes.setdefault((unquote(bare), query), {})
        if route.method in methods:
            problems.append(
                f"{methods[route.method]} and {operation} are both served at {route.method} {route.path}"
            )
        methods[route.method] = operation
    if problems:
        raise ConfigurationError(problems)
    return routes


def _not_served(request: _Request, served: Mapping[str, str]) -> Answer | None:
    if request.method in served:
        return None
    if not served:
        return refusal(404, "not_found", f"nothing is served at {request.path}; see Endpoints")
    allowed = ", ".join(sorted(served))
    message = f"{request.method} is not served at {request.path}; use {allowed}"
    return refusal(405, "method_not_allowed", message, ("Allow", allowed))


def _read_body(environ: "WSGIEnvironment", limit: int) -> bytes:
    """The request's body, all of it. Raises `RefusedError` where it is over the limit or not whole."""
    stream = environ["wsgi.input"]
    chunked = environ["wsgi.input_terminated"]
    declared = environ.get("CONTENT_LENGTH", "0")
    if not declared.isdecimal():
        raise RefusedError(refusal(400, "bad_request", f"Content-Length is {declared!r}"))
    pieces, size = [], 0
    try:
        while piece := stream.read(_PIECE):
            size += len(piece)
            # What is over the limit is read, not kept: who is still sending could not read the answer.
            if size <= limit:
                pieces.append(piece)
        if chunked:
            list(stream.read_trailer_lines())  # cheroot leaves the end of a chunked body unread
    except ValueError as error:
        raise RefusedError(refusal(400, "bad_request", f"the body cannot be read: {error}")) from None
    if not chunked and size < int(declared):
        raise RefusedError(refusal(400, "bad_request", f"the body ends after {size} of {declared} bytes"))
    if size > limit:
        raise RefusedError(refusal(413, "too_large", f"the body has {size} bytes; at most {limit} are taken"))
    return b"".join(pieces)
