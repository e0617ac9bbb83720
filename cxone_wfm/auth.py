"""AuthClient: from an access key to a token that is always good."""

import random
from collections.abc import Callable
from types import TracebackType

from . import _json
from ._calls import Calls, Operation
from ._http import Clock, SystemClock, Transport
from ._retry import RetryQuota
from ._token_cache import AccessToken, Grant, RefreshRefusedError, TokenCache
from .config import WfmConfig
from .errors import APIError, CredentialsRejectedError, ValidationError
from .models.tokens import (
    AccessKeyTokenRequest,
    RefreshTokenRequest,
    RefreshTokenResponse,
    TokenRequest,
    TokenResponse,
)
from .secrets import Secret

_REFUSED = (400, 401, 403)
_DIGITS = 15


class AuthClient:
    """Logs in with an access key, refreshes the token in time, and shares it with all clients and threads.

    It also owns the connections: close it, or use it in a `with` block. `transport` and `clock` are
    for tests and for programs with an HTTP stack of their own; `chance` gives the random numbers from
    0 to 1 of every wait.
    """

    def __init__(
        self,
        config: WfmConfig,
        *,
        transport: Transport | None = None,
        clock: Clock | None = None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._config = config
        self._clock = SystemClock() if clock is None else clock
        self._transport = _http_transport(config, self._clock) if transport is None else transport
        self._quota = RetryQuota()
        self._chance = chance
        self._cache = TokenCache(self._log_in, self._refresh, self._clock, chance)
        self._calls = Calls(
            config, self._transport, self._clock, self._quota, None, chance, self._cache.known
        )

    def __enter__(self) -> "AuthClient":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections of this client and of all that share it."""
        self._transport.close()

    def login(self) -> AccessToken:
        """Log in with the access key now, whatever token there is.

        It asks even while `access_token` would not, so that a corrected key works at once. Raises
        `CredentialsRejectedError` where CXone refuses the key, and like all calls a `TransportError` or
        an `APIError`.
        """
        return self._cache.renew("login", self._deadline())

    def refresh(self) -> AccessToken:
        """Renew the token now with the refresh token; where that is refused or missing, log in.

        Raises what `login` raises.
        """
        return self._cache.renew("refresh", self._deadline())

    def access_token(self, *, deadline: float | None = None) -> AccessToken:
        """A token that is good now. `deadline` is a moment of the clock; without it `timeouts.total` counts.

        Of all threads that need a new token at once, one fetches it. After a refused login it raises
        `CredentialsRejectedError` without asking again for 30 seconds, then longer, up to 5 minutes.
        After any other answer that brought no token it raises the same error until it is time to ask
        again: what Retry-After says, else a few seconds.
        """
        return self._cache.get(self._deadline() if deadline is None else deadline)

    def invalidate(self, token: AccessToken) -> None:
        """Say that the API refused this token. Does nothing where a newer one is there already."""
        self._cache.invalidate(token)

    def calls_for(self, config: WfmConfig) -> Calls:
        """For the data clients: calls with their settings over these connections and with this token."""
        return Calls(config, self._transport, self._clock, self._quota, self, self._chance, self._cache.known)

    def _deadline(self) -> float:
        return self._clock.monotonic() + self._config.timeouts.total

    def _log_in(self, deadline: float) -> Grant:
        config = self._config
        key = AccessKeyTokenRequest(
            access_key_id=config.access_key_id, access_key_secret=config.access_key_secret
        )
        nested = TokenRequest(tenant_name=config.tenant_name, access_key_token_request=key)
        request = key if config.token_request == "flat" else nested  # noqa: S105 - a shape, no secret
        try:
            return self._ask("access_key_token", request, deadline, attempts=None)
        except APIError as error:
            if error.status not in _REFUSED:
                raise
            refused = CredentialsRejectedError(error.detail, error.status)
            refused.operation, refused.request_id = error.operation, error.request_id
            refused.attempts = error.attempts
        raise refused

    def _refresh(self, refresh_token: Secret, deadline: float) -> Grant:
        try:
            return self._ask("refresh_token", RefreshTokenRequest(token=refresh_token), deadline, attempts=1)
        except APIError as error:
            if error.retryable:
                raise
            reason = error.detail
        raise RefreshRefusedError(reason)

    def _ask(
        self,
        operation: Operation,
        request: AccessKeyTokenRequest | TokenRequest | RefreshTokenRequest,
        deadline: float,
        *,
        attempts: int | None,
    ) -> Grant:
        # Neither the body nor the answer gets a name here: tools that show the locals of a traceback
        # would show the key and the token.
        asked_at = self._clock.monotonic()
        return self._calls.make_and_read(
            operation,
            request.to_json(),
            lambda answer: _grant(answer, asked_at),
            "the answer holds no usable Bearer token",
            attempts=attempts,
            deadline=deadline,
        )


def _http_transport(config: WfmConfig, clock: Clock) -> Transport:
    from ._transport import HttpTransport  # here, for it imports requests  # noqa: PLC0415

    return HttpTransport(config, clock)


def _grant(answer: bytes, asked_at: float) -> Grant | None:
    """The token in either of the two known answers, None where there is none that can be used."""
    try:
        document = _json.parse(answer, "the token answer")
        if isinstance(document, dict) and "access_token" in document:
            login = TokenResponse.from_json(document)
            access, refresh, life = login.access_token, login.refresh_token, login.expires_in
            bearer = (login.token_type or "bearer").lower() == "bearer"
        else:
            renewed = RefreshTokenResponse.from_json(document if isinstance(document, dict) else {})
            access, refresh, life = renewed.token, renewed.refresh_token, renewed.token_expiration_time_sec
            bearer = True
    except ValidationError:
        return None
    if not (bearer and _is_token(access)):
        return None
    return Grant(access=access, refresh=refresh or None, life=_seconds(life), asked_at=asked_at)


def _is_token(secret: Secret) -> bool:
    text = secret.reveal()
    return bool(text) and text.isascii() and text.isprintable() and " " not in text


def _seconds(value: object) -> float | None:
    """A life in seconds, None where there is none: the page has a number, a number as text is taken too."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= _DIGITS:
        value = int(value)
    return float(value) if isinstance(value, (int, float)) and value > 0 else None
