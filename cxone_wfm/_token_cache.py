"""TokenCache: one token for all threads, renewed once however many of them need it.

A token's life has three parts. While it is fresh, readers take it without a lock. In the advisory
window one caller renews it and the others go on with the old one. In the mandatory window all wait
for the new one, each at most until its own deadline. Both windows scale with the token's life, so a
short-lived token does not make it renew for ever. The lock is never held during a request.
"""

import copy
import logging
import threading
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
    TransportError,
)
from .secrets import Secret

ADVISORY_SECONDS, ADVISORY_PART = 300.0, 0.25
MANDATORY_SECONDS, MANDATORY_PART = 60.0, 0.10
SHORTEST_LIFE, LONGEST_LIFE = 30.0, 24 * 3600.0
FIRST_REJECTION, LONGEST_REJECTION = 30.0, 300.0
"""Seconds, all our choice. A refused access key is not tried again for the rejection time, which doubles."""
BACKOFF = RetryPolicy(first_wait=2.0, longest_wait=30.0)
"""How long a token that is still good is kept before the next try to renew it (our choice)."""

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
        self._rejection: CredentialsRejectedError | None = None
        self._rejected_until = _NEVER
        self._rejection_time = FIRST_REJECTION

    def get(self, deadline: float) -> AccessToken:
        """A token that is good now, renewed first where it has to be.

        Raises `CredentialsRejectedError` at once while the access key counts as refused, and a
        `TransportError` or `APIError` where no token could be had.
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
            elif usable is not None and now < max(self._renew_not_before, self._rejected_until):
                return usable
            elif self._rejection is not None and now < self._rejected_until:
                raise copy.copy(self._rejection)
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
            token = self._note(failure)
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
            self._generation += 1
            self._token = AccessToken(
                value=grant.access,
                generation=self._generation,
                refresh_at=expires_at - spread * min(ADVISORY_SECONDS, ADVISORY_PART * life),
                stale_at=expires_at - spread * min(MANDATORY_SECONDS, MANDATORY_PART * life),
                expires_at=expires_at,
                refresh_token=grant.refresh,
            )
            self._failure, self._failures, self._renew_not_before = None, 0, _NEVER
            self._rejection, self._rejected_until = None, _NEVER
            self._rejection_time = FIRST_REJECTION
            return self._token

    def _note(self, failure: TransportError | APIError) -> AccessToken | None:
        """Remember that the renewal failed, and give the token that there still is."""
        kept = copy.copy(failure)  # the caller goes on to write into the error itself
        with self._changed:
            self._failure = (self._flight, kept)
            now = self._clock.monotonic()
            if isinstance(kept, CredentialsRejectedError):
                self._rejection, self._rejected_until = kept, now + self._rejection_time
                self._rejection_time = min(2 * self._rejection_time, LONGEST_REJECTION)
            else:
                self._failures += 1
                wait = wait_before_next(kept, self._failures, BACKOFF, self._chance())
                self._renew_not_before = now + wait
            return self._token
