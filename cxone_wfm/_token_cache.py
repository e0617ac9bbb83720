"""TokenCache: one token for all threads, renewed once however many of them need it.

A token's life has three parts. While it is fresh, readers take it without a lock. In the advisory
window one caller renews it and the others go on with the old one. In the mandatory window all wait
for the new one, each at most until its own deadline. Both windows scale with the token's life, so a
short-lived token does not make it renew for ever. The lock is never held during a request.
"""

import copy
import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Literal

import attrs
from attrs import frozen

from ._fork import start_over_in_child
from ._http import Clock
from ._retry import wait_before_next
from .config import RetryPolicy
from .errors import (
    APIError,
    CredentialsRejectedError,
    NotSentError,
    RateLimitedError,
    ServerError,
    SuspectAnswerError,
    TransportError,
)
from .secrets import Secret

ADVISORY_SECONDS, ADVISORY_PART = 300.0, 0.25
MANDATORY_SECONDS, MANDATORY_PART = 60.0, 0.10
"""How long before the token's end a window begins: seconds, or that part of its life if less (our choice)."""
SHORTEST_LIFE, LONGEST_LIFE = 30.0, 24 * 3600.0
"""Seconds, our choice. A life that is shorter or longer is not believed: it is taken as this one."""
FIRST_REJECTION, LONGEST_REJECTION = 30.0, 300.0
"""Seconds, our choice. A refused access key is not tried again for the rejection time, which doubles."""
BACKOFF = RetryPolicy(first_wait=2.0, longest_wait=30.0)
"""How long after a failure the next try to renew the token is made (our choice).

Without a token that is still good, only an answer that will stand is waited for: who has just got the
network back, or met a passing 5xx, need not wait.
"""

RENEWABLE_AFTER = 10.0
"""Seconds, our choice. A token that came for a refused one and is refused as soon is not renewed again."""
_REMEMBERED = 8
"""So many tokens and refresh tokens, four generations of both, are kept out of texts (our choice)."""
_NEVER = float("-inf")
_log = logging.getLogger(__name__)


@frozen(kw_only=True)
class Grant:
    """What a token endpoint granted. `life` is in seconds, None where the answer did not say it usably."""

    access: Secret
    refresh: Secret | None
    life: float | None
    asked_at: float
    """The clock's `monotonic()` before the request left: the token is never younger than we think."""


@frozen(kw_only=True)
class AccessToken:
    """A token and the moments of the clock's `monotonic()` at which it grows old.

    `generation` counts the tokens of one client; a token is told from its successor by it.
    """

    value: Secret
    generation: int
    refresh_at: float
    stale_at: float
    expires_at: float
    renewable_at: float = _NEVER
    """The token replaces a refused one. Is it refused too before this moment, a newer one would not help."""
    refresh_token: Secret | None = None


How = Literal["login", "refresh", "any"]


class RefreshRefusedError(Exception):
    """The refresh token is spent or refused: only a login helps."""


class TokenCache:
    """Holds the token. `login` and `refresh` make one request each; both get the caller's deadline.

    `refresh` raises `RefreshRefusedError` where the refresh token is of no more use.
    """

    def __init__(
        self,
        login: Callable[[float], Grant],
        refresh: Callable[[Secret, float], Grant],
        clock: Clock,
        chance: Callable[[], float],
    ) -> None:
        self._login = login
        self._refresh = refresh
        self._clock = clock
        self._chance = chance
        self.start_over()
        start_over_in_child(self)

    def start_over(self) -> None:
        """Begin without a token and with new locks: a forked child shares neither with its parent."""
        self._changed = threading.Condition()
        self._token: AccessToken | None = None
        self._generation = 0
        self._renewing = False
        self._failure: tuple[int, Exception] | None = None
        self._flight = 0
        self._renew_not_before = _NEVER
        self._failures = 0
        self._answer: APIError | SuspectAnswerError | None = None
        self._answer_stands_until = _NEVER
        self._rejection_time = FIRST_REJECTION
        self._known: deque[Secret] = deque(maxlen=_REMEMBERED)

    def get(self, deadline: float) -> AccessToken:
        """A token that is good now, renewed first where it has to be.

        Raises a `TransportError` or `APIError` where no token could be had. A server's refusal to give
        one is raised at once until it is time to ask again.
        """
        token = self._token
        if token is not None and self._clock.monotonic() < token.refresh_at:
            return token
        with self._changed:
            good = self._good_or_lead(deadline)
        return good or self._renew("any", deadline)

    def renew(self, how: How, deadline: float) -> AccessToken:
        """A new token, whatever the old one is worth: "login" with the access key, or "refresh"."""
        with self._changed:
            while self._renewing:
                self._wait(deadline)
            self._lead()
        return self._renew(how, deadline)

    def invalidate(self, token: AccessToken) -> None:
        """The API refused this token. Does nothing where a newer one is there already."""
        with self._changed:
            if self._token is not None and self._token.generation == token.generation:
                self._token = attrs.evolve(self._token, refresh_at=_NEVER, stale_at=_NEVER, expires_at=_NEVER)

    def known(self) -> list[Secret]:
        """The tokens and refresh tokens of the last generations."""
        with self._changed:
            return list(self._known)

    def _good_or_lead(self, deadline: float) -> AccessToken | None:
        """A token to use; or None, and then this thread is the one that renews. The lock is held."""
        while True:
            now, token = self._clock.monotonic(), self._token
            usable = token if token is not None and now < token.expires_at else None
            if usable is not None and now < usable.refresh_at:
                return usable
            if self._renewing:
                if usable is not None and now < usable.stale_at:
                    return usable
                self._wait_for_renewal(deadline, usable)
            elif usable is not None and now < max(self._renew_not_before, self._answer_stands_until):
                return usable
            elif self._answer is not None and now < self._answer_stands_until:
                raise _with_what_is_left(self._answer, self._answer_stands_until - now)
            else:
                self._lead()
                return None

    def _wait_for_renewal(self, deadline: float, usable: AccessToken | None) -> None:
        flight = self._flight
        self._wait(deadline)
        if usable is None and self._failure is not None and self._failure[0] == flight:
            raise copy.copy(self._failure[1])

    def _wait(self, deadline: float) -> None:
        left = deadline - self._clock.monotonic()
        if left <= 0:
            raise NotSentError("the total time was over while another thread was fetching a token")
        self._changed.wait(min(left, threading.TIMEOUT_MAX))

    def _lead(self) -> None:
        self._renewing = True
        self._flight += 1

    def _renew(self, how: How, deadline: float) -> AccessToken:
        """Fetch a token as the one thread that does so, and tell the others how it went."""
        try:
            return self._install(self._fetch(how, deadline))
        except (TransportError, APIError) as error:
            failure = error
            token = self._note(failure, deadline)
        finally:
            with self._changed:
                self._renewing = False
                self._changed.notify_all()
        if how == "any" and token is not None and self._clock.monotonic() < token.expires_at:
            _log.warning("the token could not be renewed yet; the old one is still good: %s", failure)
            return token
        raise failure

    def _fetch(self, how: How, deadline: float) -> Grant:
        # Taken out before it leaves: a refresh token that is spent, or may be, is never sent again.
        refresh_token = None if how == "login" else self._swap_refresh_token(None)
        if refresh_token is not None:
            try:
                grant = self._refresh(refresh_token, deadline)
            except (NotSentError, APIError):
                self._swap_refresh_token(refresh_token)
                token = self._token
                if token is not None and self._clock.monotonic() < token.expires_at:
                    raise
            except (RefreshRefusedError, TransportError) as reason:
                _log.info("the refresh token is of no more use (%s); logging in", reason)
            else:
                return attrs.evolve(grant, refresh=grant.refresh or refresh_token)
        return self._login(deadline)

    def _swap_refresh_token(self, new: Secret | None) -> Secret | None:
        """Put another refresh token beside the token, and give the one that was there."""
        with self._changed:
            token = self._token
            if token is None:
                return None
            self._token = attrs.evolve(token, refresh_token=new)
            return token.refresh_token

    def _install(self, grant: Grant) -> AccessToken:
        life = grant.life
        if life is None or not SHORTEST_LIFE <= life <= LONGEST_LIFE:
            kept = SHORTEST_LIFE if life is None else min(max(life, SHORTEST_LIFE), LONGEST_LIFE)
            _log.warning("the token's life of %s seconds is not plausible; it is taken as %s", life, kept)
            life = kept
        spread = 0.9 + 0.2 * self._chance()  # so that many clients do not renew at the same moment
        expires_at = grant.asked_at + life
        with self._changed:
            self._known += [grant.access, *([grant.refresh] if grant.refresh else [])]
            refused = self._token is not None and self._token.refresh_at == _NEVER
            self._generation += 1
            self._token = AccessToken(
                value=grant.access,
                generation=self._generation,
                refresh_at=expires_at - spread * min(ADVISORY_SECONDS, ADVISORY_PART * life),
                stale_at=expires_at - spread * min(MANDATORY_SECONDS, MANDATORY_PART * life),
                expires_at=expires_at,
                renewable_at=self._clock.monotonic() + RENEWABLE_AFTER if refused else _NEVER,
                refresh_token=grant.refresh,
            )
            self._failure, self._failures, self._renew_not_before = None, 0, _NEVER
            self._answer, self._answer_stands_until = None, _NEVER
            self._rejection_time = FIRST_REJECTION
            return self._token

    def _note(self, failure: TransportError | APIError, deadline: float) -> AccessToken | None:
        """Remember that the renewal failed, and give the token that there still is."""
        kept = copy.copy(failure)  # the caller goes on to write into the error itself
        with self._changed:
            now, token = self._clock.monotonic(), self._token
            answer = kept if isinstance(kept, (APIError, SuspectAnswerError)) else None
            # Where the leader's own time was over, the others still have theirs: one of them leads.
            self._failure = (self._flight, kept) if answer or now < deadline else None
            if isinstance(kept, CredentialsRejectedError):
                wait = self._rejection_time
                self._rejection_time = min(2 * self._rejection_time, LONGEST_REJECTION)
            else:
                self._failures += 1
                wait = wait_before_next(kept, self._failures, BACKOFF, self._chance())
                self._renew_not_before = now + wait
                if token is not None and now < token.expires_at and _retry_after(kept) is None:
                    wait = min(wait, token.expires_at - now)  # then a login is due, which may well work
            # Its own retries have waited.
            passing = isinstance(kept, ServerError) and kept.retry_after is None
            if answer is not None and not passing and now + wait >= self._answer_stands_until:
                self._answer, self._answer_stands_until = answer, now + wait
            return token


def _retry_after(error: Exception) -> float | None:
    return error.retry_after if isinstance(error, (RateLimitedError, ServerError)) else None


def _with_what_is_left(error: APIError | SuspectAnswerError, left: float) -> APIError | SuspectAnswerError:
    """A copy for one more caller; a time that the server asked for has gone by in part."""
    told = copy.copy(error)
    if isinstance(told, (RateLimitedError, ServerError)) and told.retry_after is not None:
        told.retry_after = left
    return told
