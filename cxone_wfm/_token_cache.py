"""TokenCache: one token for all threads, renewed once however many of them need it.

A token's life has three parts. While it is fresh, readers take it without a lock. In the advisory
window one caller renews it and the others go on with the old one. In the mandatory window all wait
for the new one, each at most until its own deadline. Both windows scale with the token's life, so a
short-lived token does not make it renew for ever. The lock is never held during a request.
"""

import copy
import logging
import os
import threading
from collections.abc import Callable
from typing import Literal

import attrs
from attrs import frozen

from ._http import Clock
from .errors import (
    APIError,
    CredentialsRejectedError,
    NotSentError,
    OutcomeUnknownError,
    SuspectAnswerError,
    TransportError,
)
from .secrets import Secret

ADVISORY_SECONDS, ADVISORY_PART = 300.0, 0.25
MANDATORY_SECONDS, MANDATORY_PART = 60.0, 0.10
SHORTEST_LIFE, LONGEST_LIFE = 30.0, 24 * 3600.0
LONGEST_BACKOFF = 30.0
FIRST_REJECTION, LONGEST_REJECTION = 30.0, 300.0
"""Seconds, all our choice. A refused access key is not tried again for the rejection time, which doubles."""

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
        self._start()

    def _start(self) -> None:
        self._process = os.getpid()
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
        if self._process != os.getpid():
            self._start()  # a forked child shares neither token nor locks with its parent
        token = self._token
        if token is not None and self._clock.monotonic() < token.refresh_at:
            return token
        with self._changed:
            good = self._good_or_lead(deadline)
        return good or self._renew("any", deadline)

    def renew(self, how: How, deadline: float) -> AccessToken:
        """A new token, whatever the old one is worth: "login" with the access key, or "refresh"."""
        if self._process != os.getpid():
            self._start()
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
        self._changed.wait(left)

    def _lead(self) -> None:
        self._renewing = True
        self._flight += 1

    def _renew(self, how: How, deadline: float) -> AccessToken:
        """Fetch a token as the one thread that does so, and tell the others how it went."""
        failure: Exception | None = None
        try:
            grant = self._fetch(how, deadline)
            return self._install(grant)
        except (TransportError, APIError) as error:
            failure = error
        finally:
            with self._changed:
                self._renewing = False
                self._note(failure)
                self._changed.notify_all()
                token = self._token
        if how == "any" and token is not None and self._clock.monotonic() < token.expires_at:
            _log.warning("the token could not be renewed yet; the old one is still good: %s", failure)
            return token
        raise failure

    def _fetch(self, how: How, deadline: float) -> Grant:
        token = self._token
        if how == "login" or token is None or token.refresh_token is None:
            return self._login(deadline)
        try:
            return self._refresh(token.refresh_token, deadline)
        except (RefreshRefusedError, OutcomeUnknownError, SuspectAnswerError):
            # It is spent, or may be: it is never sent a second time.
            with self._changed:
                self._token = attrs.evolve(token, refresh_token=None)
        except (TransportError, APIError):
            if self._clock.monotonic() < token.expires_at:
                raise
        return self._login(deadline)

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
            old_refresh = self._token.refresh_token if self._token is not None else None
            self._token = AccessToken(
                value=grant.access,
                generation=self._generation,
                refresh_at=expires_at - spread * min(ADVISORY_SECONDS, ADVISORY_PART * life),
                stale_at=expires_at - spread * min(MANDATORY_SECONDS, MANDATORY_PART * life),
                expires_at=expires_at,
                refresh_token=grant.refresh or old_refresh,
            )
            return self._token

    def _note(self, failure: Exception | None) -> None:
        """Remember how the renewal went. The lock is held."""
        self._failure = None if failure is None else (self._flight, failure)
        now = self._clock.monotonic()
        if isinstance(failure, CredentialsRejectedError):
            self._rejection, self._rejected_until = failure, now + self._rejection_time
            self._rejection_time = min(2 * self._rejection_time, LONGEST_REJECTION)
        elif failure is not None:
            self._failures += 1
            self._renew_not_before = now + self._chance() * min(
                LONGEST_BACKOFF, 2.0 ** min(self._failures, 10)
            )
        else:
            self._failures, self._renew_not_before = 0, _NEVER
            self._rejection, self._rejected_until = None, _NEVER
            self._rejection_time = FIRST_REJECTION
