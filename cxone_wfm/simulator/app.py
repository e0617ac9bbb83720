"""The WSGI application: which request is served where, and what is checked before it is taken."""

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
from .state import TOKEN_OPERATIONS, Data, NotAuthorizedError, ReceivedRequest, State

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
        operation = self._operation(request)
        fault = None
        if operation in CONTROL:
            answer = refused or self._handle(operation, request)
        else:
            fault = self._state.next_fault(operation) if operation else None
            if isinstance(fault, ExpireToken):
                self._state.expire_tokens()
            answer = answer_instead(fault) or refused or self._handle(operation, request, fault)
            self._log(operation, request, fault, answer)
        if request.method == "HEAD":
            answer = attrs.evolve(answer, body=b"")
        return deliver(answer, fault, start_response, environ[TAKE_OVER], self._stopping)

    def _operation(self, request: _Request) -> str:
        """The operation that is served here; "" if there is none. A path with its query goes before a bare one."""
        path, _, query = request.path.partition("?")
        bare = (unquote(path), None)
        methods = self._routes.get((unquote(path), query), {}) | {}
        return (self._routes.get(bare, {}) | methods).get(request.method, "")
