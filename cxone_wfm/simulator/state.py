"""What the simulator holds: the tokens it gave out, the faults it was told, and all that it took."""

import secrets
import threading
from collections.abc import Callable
from typing import Literal, TypeAlias

import attrs
from attrs import define, field, frozen

from .. import _json
from .._wire import RecordClass, encode_function
from ..config import Endpoints
from ..models import (
    AccessKeyTokenRequest,
    AgentActivityReport,
    AgentState,
    AgentStateList,
    HistoricalReport,
    RefreshTokenResponse,
    TokenResponse,
)
from ..secrets import Secret
from .faults import KINDS, InjectedFault

ANY_OPERATION = "*"
OPERATIONS = (*(attribute.name for attribute in attrs.fields(Endpoints)), ANY_OPERATION)
"""What a fault can be planted for."""
MAY_HOLD_SECRETS = ("access_key_token", "refresh_token", "")
"""Whose bodies are not kept: requests for a token, and those that missed their path."""

Data: TypeAlias = AgentStateList | AgentActivityReport | HistoricalReport
"""What one request of the data routes carries."""


@frozen(kw_only=True)
class ReceivedRequest:
    """One request that came, in whatever way it ended.

    `operation` is the operation's name in `Endpoints`, "" where path and method are none of them.
    `status` is the status that was given, or "cut" where the connection was closed before the whole
    answer. `request_id` is what came in X-Request-Id. `body` is what came, to the byte. It is
    empty where it may hold secrets: in requests for a token, and in those to no operation.
    """

    operation: str
    method: str
    path: str
    status: int | Literal["cut"]
    request_id: str
    body: bytes = field(repr=False)


@frozen(kw_only=True)
class Received:
    """All that the simulator accepted, in the order in which it came, and every request that came.

    `heartbeats`, `logins` and `refreshes` are how many were answered with success; what was refused
    is in `requests` only. Reading it changes nothing.
    """

    agent_states: tuple[AgentState, ...] = ()
    agent_activity_reports: tuple[AgentActivityReport, ...] = ()
    historical_reports: tuple[HistoricalReport, ...] = ()
    heartbeats: int = 0
    logins: int = 0
    refreshes: int = 0
    requests: tuple[ReceivedRequest, ...] = ()

    def to_json(self) -> bytes:
        """The same as JSON: records as they stand on the wire, bodies as text."""
        return _json.dump(attrs.asdict(self, recurse=False), _to_plain)


def _to_plain(value: object) -> object:
    if isinstance(value, ReceivedRequest):
        # A body that was accepted is UTF-8, so this is exact for it.
        return {**attrs.asdict(value), "body": value.body.decode("utf-8", "backslashreplace")}
    record_class: RecordClass = type(value)
    return encode_function(record_class)(value)


class NotAuthorizedError(Exception):
    """A key or a token is refused. The text says why, and holds neither."""


@define
class _Planted:
    operation: str
    fault: InjectedFault
    times: int


class State:
    """The memory of one simulator. Thread-safe.

    `clock` gives seconds that never go back. Access tokens live for `token_life` seconds, refresh
    tokens twice as long, in the proportion of the vendor's sample.
    """

    def __init__(
        self,
        *,
        access_key: AccessKeyTokenRequest,
        tenant_name: str,
        token_life: int,
        one_time_refresh: bool,
        clock: Callable[[], float],
    ) -> None:
        self._access_key = access_key
        self._tenant_name = tenant_name
        self._token_life = token_life
        self._one_time_refresh = one_time_refresh
        self._clock = clock
        self._lock = threading.Lock()
        self._access_tokens: dict[str, float] = {}
        self._refresh_tokens: dict[str, float] = {}
        self._clear()

    def _clear(self) -> None:
        self._key_is_revoked = False
        self._planted: list[_Planted] = []
        self._agent_states: list[AgentState] = []
        self._agent_activity_reports: list[AgentActivityReport] = []
        self._historical_reports: list[HistoricalReport] = []
        self._heartbeats = 0
        self._logins = 0
        self._refreshes = 0
        self._requests: list[ReceivedRequest] = []

    def reset(self) -> None:
        """Forget what was received, the planted faults and a revocation. Tokens stay as they are."""
        with self._lock:
            self._clear()

    def log_in(self, access_key: AccessKeyTokenRequest, tenant_name: str | None) -> TokenResponse:
        """Tokens for an access key. A tenant that is not named is not looked at."""
        with self._lock:
            if access_key != self._access_key:
                raise NotAuthorizedError("the access key's id or secret is wrong")
            if tenant_name not in {None, self._tenant_name}:
                raise NotAuthorizedError("the access key is not one of this tenant")
            if self._key_is_revoked:
                raise NotAuthorizedError("the access key was revoked")
            self._logins += 1
            access, refresh = self._new_tokens()
        return TokenResponse(
            id_token=_new_token(),
            token_type="Bearer",  # noqa: S106 - the scheme's name
            expires_in=self._token_life,
            refresh_token=refresh,
            access_token=access,
        )

    def refresh(self, refresh_token: Secret) -> RefreshTokenResponse:
        """New tokens for a refresh token; where it is good for one use, it is spent."""
        with self._lock:
            if not self._is_valid(self._refresh_tokens, refresh_token.reveal()):
                raise NotAuthorizedError("the refresh token is unknown, used or expired")
            if self._one_time_refresh:
                del self._refresh_tokens[refresh_token.reveal()]
            self._refreshes += 1
            access, refresh = self._new_tokens()
        return RefreshTokenResponse(
            token=access,
            token_expiration_time_sec=self._token_life,
            refresh_token=refresh,
            refresh_token_expiration_time_sec=2 * self._token_life,
        )

    def _new_tokens(self) -> tuple[str, str]:
        now = self._clock()
        for tokens in (self._access_tokens, self._refresh_tokens):
            for expired in [token for token, end in tokens.items() if end <= now]:
                del tokens[expired]
        access, refresh = _new_token(), _new_token()
        self._access_tokens[access] = now + self._token_life
        self._refresh_tokens[refresh] = now + 2 * self._token_life
        return access, refresh

    def _is_valid(self, tokens: dict[str, float], token: str) -> bool:
        return self._clock() < tokens.get(token, float("-inf"))

    def check_authorization(self, header: str) -> None:
        """Raise `NotAuthorizedError` unless the Authorization header holds a token that is good now."""
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer":
            raise NotAuthorizedError("the request has no header of the form Authorization: Bearer <token>")
        with self._lock:
            if not self._is_valid(self._access_tokens, token.strip()):
                raise NotAuthorizedError("the token is unknown or expired")

    def expire_tokens(self) -> None:
        """Make every access token that was given out invalid; refresh tokens stay good."""
        with self._lock:
            self._access_tokens.clear()

    def revoke_key(self) -> None:
        """Refuse every login until `reset()`."""
        with self._lock:
            self._key_is_revoked = True

    def plant(self, operation: str, fault: InjectedFault, times: int) -> None:
        """Let the fault meet the next `times` requests of the operation, after those planted before."""
        if operation not in OPERATIONS:
            raise ValueError(f"operation is {operation!r}; it must be one of {', '.join(OPERATIONS)}")
        if type(fault) not in KINDS.values():
            raise TypeError(f"{fault!r} is no fault; give one such as CutBefore()")
        if type(times) is not int or times < 1:
            raise ValueError(f"times is {times!r}; it must be a whole number from 1")
        with self._lock:
            self._planted.append(_Planted(operation, fault, times))

    def next_fault(self, operation: str) -> InjectedFault | None:
        """The fault that this request of the operation meets, taken off the queue."""
        with self._lock:
            for planted in self._planted:
                if planted.operation in {operation, ANY_OPERATION}:
                    planted.times -= 1
                    if not planted.times:
                        self._planted.remove(planted)
                    return planted.fault
        return None

    def store(self, data: Data) -> None:
        """Keep what a data route accepted."""
        with self._lock:
            if isinstance(data, AgentStateList):
                self._agent_states += data.agent_state_list
            elif isinstance(data, AgentActivityReport):
                self._agent_activity_reports.append(data)
            else:
                self._historical_reports.append(data)

    def count_heartbeat(self) -> None:
        """Count one heartbeat."""
        with self._lock:
            self._heartbeats += 1

    def log(self, request: ReceivedRequest) -> None:
        """Keep that a request came, and how it ended."""
        with self._lock:
            self._requests.append(request)

    def received(self) -> Received:
        """All that was received so far."""
        with self._lock:
            return Received(
                agent_states=tuple(self._agent_states),
                agent_activity_reports=tuple(self._agent_activity_reports),
                historical_reports=tuple(self._historical_reports),
                heartbeats=self._heartbeats,
                logins=self._logins,
                refreshes=self._refreshes,
                requests=tuple(self._requests),
            )


def _new_token() -> str:
    return secrets.token_urlsafe(24)
